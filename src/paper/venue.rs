//! Quotes and calldata of the paper pool: the accepted price, less a fee and slippage.

use std::sync::Arc;

use alloy_primitives::U256;
use async_trait::async_trait;

use super::{
    codec::{Swap, pool_address},
    error::PaperError,
    node::Node,
};
use crate::{
    domain::{
        Timestamp,
        onchain::{Call, Quote, SwapRequest},
        trade::Purpose,
        units::Amount,
    },
    ports::{QuoteError, Venue},
};

/// The paper pool of one chain. It trades every pair, in any amount.
#[derive(Debug, Clone)]
pub struct PaperVenue {
    node: Arc<Node>,
}

impl PaperVenue {
    /// The venue of `chain`.
    pub(super) const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// The pool's output, or why there is none.
    fn quoted(&self, request: &SwapRequest) -> Result<Quote, QuoteError> {
        if request.token_in == request.token_out {
            return Err(QuoteError::NoLiquidity(format!(
                "{} cannot be swapped for itself",
                request.token_in
            )));
        }
        if request.amount_in.is_zero() {
            return Err(QuoteError::NoLiquidity("nothing goes in".into()));
        }
        self.node
            .settings()
            .quote(request.amount_out_fair, request.fair_rest)
    }

    async fn is_up(&self, request: &SwapRequest) -> Result<(), PaperError> {
        self.node.up(&[request.token_in, request.token_out]).await?;
        Ok(())
    }
}

#[async_trait]
impl Venue for PaperVenue {
    async fn quote(&self, request: &SwapRequest) -> Result<Quote, QuoteError> {
        self.is_up(request).await?;
        self.quoted(request)
    }

    async fn calls(
        &self,
        request: &SwapRequest,
        amount_out_min: Amount,
        deadline: Timestamp,
    ) -> Result<Vec<Call>, QuoteError> {
        self.is_up(request).await?;
        let swap = Swap {
            token_in: request.token_in,
            token_out: request.token_out,
            amount_in: request.amount_in,
            amount_out: self.quoted(request)?.amount_out,
            amount_out_min,
            deadline,
        };
        Ok(vec![Call {
            purpose: Purpose::Swap,
            to: pool_address(),
            data: swap.encode(),
            value: U256::ZERO,
            gas_limit: self.node.settings().gas_units,
        }])
    }
}
