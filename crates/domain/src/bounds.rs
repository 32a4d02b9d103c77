//! Bounds of a quote and its calldata: pure, the same for every venue. Every rounding is against the trade.

use alloy_primitives::U256;

use super::units::{Amount, BPS, MoneyError, Rounding};

/// Default maximum loss of a round trip in addition to the pool's fees, basis points.
const ROUND_TRIP_SLACK_BPS: u32 = 300;

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

/// The minimum output for a fair value of `fair`, base units, rounded up: `worse_bps` less, and never zero.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range, or if `worse_bps` is more than all.
pub fn floor(fair: Amount, worse_bps: u32) -> Result<Amount, MoneyError> {
    let kept = BPS.checked_sub(worse_bps).ok_or(MoneyError::OutOfRange)?;
    let floor = fair.mul_div(U256::from(kept), U256::from(BPS), Rounding::Up)?;
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

/// Maximum loss of a round trip, basis points: the job's own limit, or, if that is 0, twice the pool's fee plus 300.
#[must_use]
pub fn round_trip_allowed(said_bps: u32, pool_fee_bps: u32) -> u32 {
    if said_bps > 0 {
        return said_bps.min(BPS);
    }
    let fees = pool_fee_bps.saturating_mul(2);
    fees.saturating_add(ROUND_TRIP_SLACK_BPS).min(BPS)
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
