//! Liquidation: sells what this job bought, at once or in slices.

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    decision::{Decision, Facts, HoldReason, Plan, Position, Reason},
    span::Span,
    units::{Amount, MoneyError, Price, Rounding, Usd},
};

/// Most slices of one liquidation.
pub const SLICES_MAX: u32 = 10_000;

/// An ordered liquidation. It survives pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liquidation {
    /// When it was ordered: the first slice is due then.
    ordered_at: Timestamp,
    /// Time from the first slice to the last; zero = at once.
    over: Span,
    /// Number of sells, at least 1.
    slices: u32,
    /// Number of sells that have filled.
    slices_done: u32,
    /// The most that the next sell begins with, base units, since larger ones reverted; doubles with each fill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<Amount>,
}

/// An invalid order to liquidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLiquidation {
    /// No slices, or too many.
    #[error("slices = {0} is not allowed: 1 to {SLICES_MAX}")]
    Slices(u32),
    /// A duration with only one slice.
    #[error("over = {0} with one slice is not allowed: give 2 slices or more, or leave over out")]
    OverWithoutSlices(Span),
    /// A duration that is too long.
    #[error("over = {0} is not allowed: at most 365d")]
    OverTooLong(Span),
}

impl Liquidation {
    /// A liquidation ordered now, nothing sold yet.
    ///
    /// # Errors
    /// [`InvalidLiquidation`] names what is out of range.
    pub fn new(ordered_at: Timestamp, over: Span, slices: u32) -> Result<Self, InvalidLiquidation> {
        if slices == 0 || slices > SLICES_MAX {
            return Err(InvalidLiquidation::Slices(slices));
        }
        if slices == 1 && !over.is_zero() {
            return Err(InvalidLiquidation::OverWithoutSlices(over));
        }
        if over > Span::from_secs(365 * 24 * 3_600) {
            return Err(InvalidLiquidation::OverTooLong(over));
        }
        Ok(Self {
            ordered_at,
            over,
            slices,
            slices_done: 0,
            at_most: None,
        })
    }

    /// A liquidation in one sell, ordered now.
    #[must_use]
    pub const fn at_once(ordered_at: Timestamp) -> Self {
        Self {
            ordered_at,
            over: Span::ZERO,
            slices: 1,
            slices_done: 0,
            at_most: None,
        }
    }

    /// Time from the first slice to the last; zero = at once.
    #[must_use]
    pub const fn over(&self) -> Span {
        self.over
    }

    /// Number of sells, at least 1.
    #[must_use]
    pub const fn slices(&self) -> u32 {
        self.slices
    }

    /// Number of sells that have filled.
    #[must_use]
    pub const fn slices_done(&self) -> u32 {
        self.slices_done
    }

    /// The most that the next sell begins with, base units; `None`: all that is due.
    #[must_use]
    pub const fn at_most(&self) -> Option<Amount> {
        self.at_most
    }

    /// The liquidation whose next sell begins with at most this, base units; `None`: with all that is due.
    #[must_use]
    pub const fn sized(self, at_most: Option<Amount>) -> Self {
        Self { at_most, ..self }
    }

    /// The liquidation after one more filled slice: what sold may be less than what could have been sold.
    #[must_use]
    pub fn after_fill(self) -> Self {
        let twice = |size: Amount| size.checked_add(size).ok();
        Self {
            slices_done: self.slices_done.saturating_add(1),
            at_most: self.at_most.and_then(twice),
            ..self
        }
    }

    /// The liquidation after a slice was reversed: it is due again.
    #[must_use]
    pub const fn after_reversal(self) -> Self {
        Self {
            slices_done: self.slices_done.saturating_sub(1),
            ..self
        }
    }

    /// When the next slice is due. Once all have filled, what a smaller trade left over is due at once.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        let last = u128::from(self.slices.saturating_sub(1));
        let done = u128::from(self.slices_done).min(last);
        let offset = self.over.std().as_millis().checked_mul(done);
        let offset = offset.and_then(|millis| millis.checked_div(last)).unwrap_or(0);
        // No offset is longer than `over`, which is a span.
        Span::from_millis(u64::try_from(offset).unwrap_or(u64::MAX)).after(self.ordered_at)
    }
}

/// Decision of a liquidating job: sells remaining / slices left, in the last slice everything. A missed slice
/// is sold late, one per tick. With nothing to sell it holds; the job is then done.
#[must_use]
pub fn decide(liquidation: &Liquidation, facts: &Facts) -> Decision {
    if facts.last.in_backoff(facts.now) {
        return Decision::Hold(HoldReason::Backoff);
    }
    if facts.position.token_balance.is_zero() || facts.now < liquidation.due() {
        return Decision::Hold(HoldReason::SliceNotDue);
    }
    let left = liquidation.slices.saturating_sub(liquidation.slices_done).max(1);
    // Rounded up: the first slices take the remainder, and no slice is zero.
    let amount = facts
        .position
        .token_balance
        .mul_div(U256::from(1), U256::from(left), Rounding::Up);
    let at_most = |amount: Amount| liquidation.at_most.map_or(amount, |most| amount.min(most));
    match amount.and_then(|amount| Plan::sell(Reason::Liquidate, at_most(amount), facts)) {
        Ok(Some(plan)) => Decision::Trade(plan),
        Ok(None) => Decision::Hold(HoldReason::SliceNotDue),
        Err(_) => Decision::Hold(HoldReason::Arithmetic),
    }
}

/// When the next slice is due, never before `after`.
#[must_use]
pub fn next_slice(liquidation: &Liquidation, after: Timestamp) -> Timestamp {
    liquidation.due().max(after)
}

/// The plan clipped to the wallet's balance, if it lost tokens that the ledger still counts; `None`
/// if it holds none.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn within_wallet(plan: Plan, on_chain: Amount, facts: &Facts) -> Result<Option<Plan>, MoneyError> {
    plan.resized(plan.amount_in.min(on_chain), facts)
}

/// The parts that a sale is cut into after this many reverts in a row, its own included: halves twice, then smaller and
/// smaller. Six sizes from all of it down to a 2048th.
const fn parts(reverts: u32) -> u64 {
    match reverts {
        0..=2 => 2,
        3 => 4,
        4 => 8,
        _ => 16,
    }
}

/// A part of a liquidation that the market refused as too large, to be quoted again in its place: half of it, or less
/// after several reverts. A revert may be a matter of size too: some tokens limit the amount of a transfer. `None` if
/// the refusal is unrelated to size, or if the part would not be worth its gas: then the refusal stands.
///
/// `reverts`: how many sizes have reverted in a row, this one included.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn split(
    plan: Plan,
    refused: HoldReason,
    reverts: u32,
    gas_usd: Usd,
    facts: &Facts,
) -> Result<Option<Plan>, MoneyError> {
    let matter_of_size = matches!(
        refused,
        HoldReason::PriceImpact
            | HoldReason::Slippage
            | HoldReason::NoLiquidity
            | HoldReason::SimulationFailed
    );
    if plan.reason != Reason::Liquidate || !matter_of_size {
        return Ok(None);
    }
    let part = plan
        .amount_in
        .mul_div(U256::from(1), U256::from(parts(reverts)), Rounding::Down)?;
    let part = plan.resized(part, facts)?;
    Ok(part.filter(|part| !worthless(part.value, gas_usd)))
}

/// Whether what is held is worth less than the gas to sell it: it is then written down, not sold
/// (see [`super::accounting::write_down`]). Nothing held is no dust.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn is_dust(position: &Position, price: Price, gas_usd: Usd) -> Result<bool, MoneyError> {
    let held = !position.token_balance.is_zero();
    Ok(held && worthless(position.token_value(price, Rounding::Down)?, gas_usd))
}

fn worthless(value: Usd, gas_usd: Usd) -> bool {
    value < gas_usd || !value.is_positive()
}
