//! Costs of paper trades: pure functions of the settings, shared by the venue and backtests.

use alloy_primitives::U256;

use super::settings::PaperSettings;
use crate::{
    domain::{
        onchain::{Fees, Quote},
        units::{Amount, BPS, MoneyError, Rounding},
    },
    ports::QuoteError,
};

impl PaperSettings {
    /// What the pool quotes for an input that is worth `amount_out_fair` of what comes out.
    ///
    /// # Errors
    /// [`QuoteError::NoLiquidity`] if nothing would come out.
    pub fn quote(&self, amount_out_fair: Amount) -> Result<Quote, QuoteError> {
        let amount_out = kept(amount_out_fair, [self.fee_bps, self.slippage_bps])
            .map_err(|error| QuoteError::NoLiquidity(error.to_string()))?;
        if amount_out.is_zero() {
            return Err(QuoteError::NoLiquidity(
                "too little goes in for anything to come out".into(),
            ));
        }
        Ok(Quote {
            amount_out,
            price_impact_bps: self.impact_bps,
            gas_units: self.gas_units,
            data_fee: Amount::ZERO,
        })
    }

    /// The fees that a transaction offers.
    #[must_use]
    pub fn fees(&self) -> Fees {
        let (base_fee, tip) = (self.base_fee(), self.tip());
        Fees {
            max_fee_per_gas: base_fee.saturating_mul(2).saturating_add(tip),
            max_priority_fee_per_gas: tip,
        }
    }

    /// The fee that it pays, wei per unit of gas.
    #[must_use]
    pub fn gas_price(&self, offered: Fees) -> u128 {
        offered
            .max_fee_per_gas
            .min(self.base_fee().saturating_add(offered.max_priority_fee_per_gas))
    }

    /// Gas cost of one swap at the initial fees, wei.
    #[must_use]
    pub fn swap_gas(&self) -> Amount {
        // 64 bits times 128 bits fit 256.
        let price = U256::from(self.gas_price(self.fees()));
        Amount::new(U256::from(self.gas_units).saturating_mul(price))
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
