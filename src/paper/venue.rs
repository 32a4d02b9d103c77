//! Quotes and calldata of the paper pool: the accepted price, less a fee and slippage.

use alloy_primitives::U256;
use async_trait::async_trait;
use sqlx::PgPool;

use super::{
    codec::{Swap, pool_address},
    error::PaperError,
    faults::refuse_if_down,
    settings::{BPS, PaperSettings},
};
use crate::{
    domain::{
        Timestamp,
        trade::Purpose,
        units::{Amount, MoneyError, Rounding},
    },
    ports::{Call, Quote, QuoteError, SwapRequest, Venue},
};

/// The paper pool of one chain. It trades every pair, in any amount.
#[derive(Debug, Clone)]
pub struct PaperVenue {
    pool: PgPool,
    chain: String,
    settings: PaperSettings,
}

impl PaperVenue {
    /// The venue of `chain`.
    #[must_use]
    pub fn new(pool: PgPool, chain: &str, settings: PaperSettings) -> Self {
        Self {
            pool,
            chain: chain.to_owned(),
            settings,
        }
    }

    /// What the pool gives, or why it gives nothing.
    fn amount_out(&self, request: &SwapRequest) -> Result<Amount, QuoteError> {
        if request.token_in == request.token_out {
            return Err(QuoteError::NoLiquidity(format!(
                "{} cannot be swapped for itself",
                request.token_in
            )));
        }
        if request.amount_in.is_zero() {
            return Err(QuoteError::NoLiquidity("nothing goes in".into()));
        }
        let amount_out = kept(
            request.amount_out_fair,
            [self.settings.fee_bps, self.settings.slippage_bps],
        )
        .map_err(|error| QuoteError::NoLiquidity(error.to_string()))?;
        if amount_out.is_zero() {
            return Err(QuoteError::NoLiquidity(
                "too little goes in for anything to come out".into(),
            ));
        }
        Ok(amount_out)
    }

    async fn is_up(&self, request: &SwapRequest) -> Result<(), PaperError> {
        let tokens = [request.token_in, request.token_out];
        let mut conn = self.pool.acquire().await?;
        refuse_if_down(&mut conn, &self.chain, &tokens).await
    }
}

#[async_trait]
impl Venue for PaperVenue {
    async fn quote(&self, request: &SwapRequest) -> Result<Quote, QuoteError> {
        self.is_up(request).await?;
        Ok(Quote {
            amount_out: self.amount_out(request)?,
            price_impact_bps: self.settings.impact_bps,
            gas_units: self.settings.gas_units,
            data_fee: Amount::ZERO,
        })
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
            amount_out: self.amount_out(request)?,
            amount_out_min,
            deadline,
        };
        Ok(vec![Call {
            purpose: Purpose::Swap,
            to: pool_address(),
            data: swap.encode(),
            value: U256::ZERO,
            gas_limit: self.settings.gas_units,
        }])
    }
}

/// What is left of `amount` after each of `costs_bps` in turn, rounded down once.
fn kept(amount: Amount, costs_bps: [u32; 2]) -> Result<Amount, MoneyError> {
    let (numerator, denominator) = costs_bps
        .into_iter()
        .fold((1, 1), |(numerator, denominator), cost| {
            (
                numerator * u64::from(BPS.saturating_sub(cost)),
                denominator * u64::from(BPS),
            )
        });
    amount.mul_div(U256::from(numerator), U256::from(denominator), Rounding::Down)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_and_slippage_are_taken_in_turn_and_rounded_down_once() {
        for (fair, costs, expected) in [
            (1_000_000, [30, 10], 996_003),
            (1_000_000, [0, 0], 1_000_000),
            (1_000_000, [10_000, 0], 0),
            (1, [1, 0], 0),
            (333, [30, 10], 331),
        ] {
            let left = kept(Amount::new(U256::from(fair)), costs).expect("in range");
            assert_eq!(left, Amount::new(U256::from(expected)), "{fair} {costs:?}");
        }
        assert_eq!(kept(Amount::new(U256::MAX), [0, 0]), Ok(Amount::new(U256::MAX)));
    }
}
