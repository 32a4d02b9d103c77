//! Costs of paper trades: pure functions of the settings, shared by the venue and backtests.

use alloy_primitives::U256;

use super::settings::PaperSettings;
use crate::{
    domain::{
        costs::PARTS,
        kept::Kept,
        onchain::{Fees, Quote},
        units::{Amount, BPS, MoneyError, Rounding},
    },
    ports::QuoteError,
};

impl PaperSettings {
    /// What the pool quotes for an input that is worth `fair` of what comes out and `rest` millionths of a base unit
    /// more; rounded once, as a pool does.
    ///
    /// # Errors
    /// [`QuoteError::NoLiquidity`] if nothing would come out.
    pub fn quote(&self, fair: Amount, rest: u32) -> Result<Quote, QuoteError> {
        let amount_out = kept(fair, rest, [self.fee_bps, self.slippage_bps])
            .map_err(|error| QuoteError::NoLiquidity(error.to_string()))?;
        if amount_out.is_zero() {
            return Err(QuoteError::NoLiquidity(
                "too little goes in for anything to come out".into(),
            ));
        }
        Ok(Quote {
            amount_out,
            price_impact_bps: self.impact_bps,
            explained_bps: self.impact_bps,
            kept: Kept::by_pool(self.fee_bps.saturating_mul(100)),
            gas_units: self.gas_units,
            data_fee: Amount::ZERO,
            round_trip: None,
            launched: None,
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

/// What is left of `amount` and `rest` millionths of a base unit after each of `costs_bps` in turn, rounded down once.
fn kept(amount: Amount, rest: u32, costs_bps: [u32; 2]) -> Result<Amount, MoneyError> {
    let (numerator, denominator) = costs_bps
        .into_iter()
        .fold((1, 1), |(numerator, denominator), cost| {
            (
                numerator * u64::from(BPS.saturating_sub(cost)),
                denominator * u64::from(BPS),
            )
        });
    let parts = amount.units().checked_mul(U256::from(PARTS));
    let parts = parts.and_then(|parts| parts.checked_add(U256::from(rest)));
    let (numerator, denominator) = (U256::from(numerator), U256::from(denominator));
    match parts {
        Some(parts) => Amount::new(parts).mul_div(
            numerator,
            denominator.saturating_mul(U256::from(PARTS)),
            Rounding::Down,
        ),
        // Enough units that fractions of one do not count.
        None => amount.mul_div(numerator, denominator, Rounding::Down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_and_slippage_are_taken_in_turn_and_rounded_down_once() {
        for (fair, rest, costs, expected) in [
            (1_000_000, 0, [30, 10], 996_003),
            (1_000_000, 0, [0, 0], 1_000_000),
            (1_000_000, 0, [10_000, 0], 0),
            (1, 0, [1, 0], 0),
            (333, 0, [30, 10], 331),
            // 1.99975 units less 0.3 % are 1.993: one arrives; 2.05 less 0.3 % are 2.04.
            (1, 999_750, [30, 0], 1),
            (2, 50_000, [30, 0], 2),
            (2, 5_000, [30, 0], 1),
        ] {
            let left = kept(Amount::new(U256::from(fair)), rest, costs).expect("in range");
            assert_eq!(left, Amount::new(U256::from(expected)), "{fair} {rest} {costs:?}");
        }
        assert_eq!(
            kept(Amount::new(U256::MAX), 999_999, [0, 0]),
            Ok(Amount::new(U256::MAX))
        );
    }
}
