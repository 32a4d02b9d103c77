//! The venue's port: quotes and calls of the best offer, and the way out of a wallet that takes no coins.

use alloy_primitives::Address;
use async_trait::async_trait;

use super::{
    assets::pair_of,
    best_of::{BestOf, Terms},
};
use crate::{
    chain::wallet_code::wallet_code,
    domain::{
        Timestamp,
        onchain::{Call, Quote, SwapRequest},
        pool::NATIVE,
        units::Amount,
    },
    ports::{QuoteError, Venue},
};

#[async_trait]
impl Venue for BestOf {
    async fn quote(&self, request: &SwapRequest) -> Result<Quote, QuoteError> {
        let quoted = self.best_quote(request).await;
        match &quoted {
            Err(error) => match self.in_wrapped(request, error).await {
                Some(wrapped) => self.best_quote(&wrapped).await.or(quoted),
                None => quoted,
            },
            Ok(_) => quoted,
        }
    }

    async fn calls(
        &self,
        request: &SwapRequest,
        amount_out_min: Amount,
        deadline: Timestamp,
    ) -> Result<Vec<Call>, QuoteError> {
        let seconds = u64::try_from(deadline.timestamp()).unwrap_or_default();
        let terms = Terms {
            floor: amount_out_min,
            deadline: seconds,
        };
        let made = self.best_calls(request, terms).await;
        match &made {
            Err(error) => match self.in_wrapped(request, error).await {
                Some(wrapped) => self.best_calls(&wrapped, terms).await.or(made),
                None => made,
            },
            Ok(_) => made,
        }
    }

    async fn reverted(&self, token_in: Address, token_out: Address) {
        self.search()
            .has_reverted(pair_of(self.spec(), token_in, token_out))
            .await;
    }
}

impl BestOf {
    /// The same sale paid in the wrapped form of the coin, where it reverts and the wallet has code: that code may
    /// refuse coins (EIP-7702), and a way out must remain.
    async fn in_wrapped(&self, request: &SwapRequest, error: &QuoteError) -> Option<SwapRequest> {
        let sale = request.token_out == NATIVE && !request.prove_sell;
        if !sale || !matches!(error, QuoteError::Reverts(_)) {
            return None;
        }
        let code = wallet_code(&self.search().rpc, request.wallet).await.ok()?;
        code.map(|_| SwapRequest {
            token_out: self.spec().wrapped_native,
            ..*request
        })
    }
}
