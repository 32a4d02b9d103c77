//! Bounds of a quote and its calldata: pure, the same for every venue. Every rounding is against the trade.

use alloy_primitives::U256;

use rust_decimal::{Decimal, RoundingStrategy};

use super::{
    kept::Kept,
    units::{Amount, BPS, MoneyError, Price, Rounding, USD_SCALE, Usd},
};

/// Default maximum loss of a round trip in addition to what pool, hook and token keep, basis points.
const ROUND_TRIP_SLACK_BPS: u32 = 300;

/// Below this number of units, one unit is more than a basis point of an amount.
const COARSE_UNITS: u32 = BPS;

/// What a plan is worth in what comes in, to the last digit. The units of a token of few decimals are coarse: a bound
/// computed from a value that was cut to whole units first would forgive almost a unit, and that may be half of the
/// trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// Value of what goes out, rounded down.
    pub value: Usd,
    /// Digits of one whole incoming token.
    pub decimals: u8,
    /// USD per whole incoming token.
    pub price: Price,
}

impl Worth {
    /// In whole base units, rounded down.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn fair(self) -> Result<Amount, MoneyError> {
        self.value.to_amount(self.decimals, self.price, Rounding::Down)
    }

    /// The minimum output: what is left after `kept`, and `worse_bps` less, rounded up, and never zero.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range, or if `worse_bps` is more than all.
    pub fn floor(self, kept: Kept, worse_bps: u32) -> Result<Amount, MoneyError> {
        let share = kept.least_share(worse_bps).ok_or(MoneyError::OutOfRange)?;
        let floor = self
            .value
            .share_to_amount(share, self.decimals, self.price, Rounding::Up)?;
        Ok(floor.max(Amount::new(U256::from(1))))
    }

    /// The maximum output: `better_bps` more, rounded up. The value was rounded down, so its last digit and one more
    /// are as fair.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn ceiling(self, better_bps: u32) -> Result<Amount, MoneyError> {
        let share = BPS.checked_add(better_bps).ok_or(MoneyError::OutOfRange)?;
        let value = self.value.checked_add(Usd::new(Decimal::new(1, USD_SCALE))?)?;
        value.share_to_amount((share, BPS), self.decimals, self.price, Rounding::Up)
    }

    /// The value as people read it: to a cent, rounded up, unless it is less.
    #[must_use]
    pub fn in_cents(self) -> Usd {
        let cents = RoundingStrategy::AwayFromZero;
        let rounded = self.value.decimal().round_dp_with_strategy(2, cents);
        if self.value.decimal() < Decimal::new(1, 2) {
            self.value
        } else {
            Usd::new(rounded).unwrap_or(self.value)
        }
    }

    /// What one base unit costs, rounded up.
    ///
    /// # Errors
    /// [`MoneyError`] if a number leaves its range.
    pub fn unit(self) -> Result<Usd, MoneyError> {
        Amount::new(U256::from(1)).value(self.decimals, self.price, Rounding::Up)
    }
}

/// Whether `out` misses `least` only by the fraction of a unit that was cut off it, in units that are coarse for this
/// amount.
#[must_use]
pub fn too_few_units(out: Amount, least: Amount) -> bool {
    let next = out.units().saturating_add(U256::from(1));
    out < least && next >= least.units() && next < U256::from(COARSE_UNITS)
}

/// The maximum quote for a fair value of `fair`, base units, rounded up: `better_bps` more. `fair` was rounded
/// down, so a unit more is as fair.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn ceiling(fair: Amount, better_bps: u32) -> Result<Amount, MoneyError> {
    let fair = fair.checked_add(Amount::new(U256::from(1)))?;
    let share = BPS.checked_add(better_bps).ok_or(MoneyError::OutOfRange)?;
    fair.mul_div(U256::from(share), U256::from(BPS), Rounding::Up)
}

/// The minimum output for a fair value of `fair`, base units, rounded up: what is left after `kept`, `worse_bps` less,
/// and never zero.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range, or if `worse_bps` is more than all.
pub fn floor(fair: Amount, kept: Kept, worse_bps: u32) -> Result<Amount, MoneyError> {
    let (parts, whole) = kept.least_share(worse_bps).ok_or(MoneyError::OutOfRange)?;
    let floor = fair.mul_div(U256::from(parts), U256::from(whole), Rounding::Up)?;
    Ok(floor.max(Amount::new(U256::from(1))))
}

/// The minimum that calldata is bound to, base units, rounded up: what was simulated to arrive less `slip_bps`, and
/// never less than the floor of the plan.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range, or if `slip_bps` is more than all.
pub fn calldata_min(plan_floor: Amount, arrives: Amount, slip_bps: u32) -> Result<Amount, MoneyError> {
    let kept = BPS.checked_sub(slip_bps).ok_or(MoneyError::OutOfRange)?;
    let near = arrives.mul_div(U256::from(kept), U256::from(BPS), Rounding::Up)?;
    Ok(near.max(plan_floor))
}

/// Maximum loss of a round trip, basis points: the job's own limit, or, if that is 0, what is kept of the buy and of
/// the sale, and 300.
#[must_use]
pub fn round_trip_allowed(said_bps: u32, buy: Kept, sale: Kept) -> u32 {
    if said_bps > 0 {
        return said_bps.min(BPS);
    }
    let kept = losses_together(buy.excuses_bps(), sale.excuses_bps());
    kept.saturating_add(ROUND_TRIP_SLACK_BPS).min(BPS)
}

/// Loss when `back` is returned for `paid`, basis points, rounded up; total if nothing was paid.
#[must_use]
pub fn loss_bps(paid: Amount, back: Amount) -> u32 {
    let kept = back.mul_div(U256::from(BPS), paid.units(), Rounding::Down);
    let kept = kept.map_or(0, |kept| u32::try_from(kept.units()).unwrap_or(BPS));
    BPS.saturating_sub(kept)
}

/// Combined loss of two consecutive losses, basis points, rounded down: the second applies to the rest of the first.
#[must_use]
pub fn losses_together(one_bps: u32, other_bps: u32) -> u32 {
    let kept = |bps: u32| u64::from(BPS.saturating_sub(bps));
    let left = kept(one_bps)
        .saturating_mul(kept(other_bps))
        .div_ceil(u64::from(BPS));
    BPS.saturating_sub(u32::try_from(left).unwrap_or(BPS))
}
