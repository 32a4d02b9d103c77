//! Ticks that hold for the reason of the tick before them, recognised by two comparisons.

use super::glance::{Glance, UNITS_MAX};
use crate::domain::{decision::HoldReason, samples::High};

/// Prices and slots at which a job that has just held certainly holds again, for the same reason. Each condition of
/// its rules narrows them. Valid until the position, the rules' memory or one of the highs changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Still {
    pub(super) reason: HoldReason,
    /// Prices above this one and below the other, in the units of a glance.
    above: u128,
    below: u128,
    /// Slots before this one, microseconds since 1970.
    until: i64,
}

impl Still {
    /// At every price and slot.
    pub(super) const fn always(reason: HoldReason) -> Self {
        Self {
            reason,
            above: 0,
            below: UNITS_MAX,
            until: i64::MAX,
        }
    }

    /// In this tick, and in none after it.
    pub(super) const fn once(reason: HoldReason) -> Self {
        Self {
            reason,
            above: 0,
            below: 0,
            until: i64::MIN,
        }
    }

    pub(super) fn at(&self, glance: Glance) -> Option<HoldReason> {
        let holds = glance.units > self.above && glance.units < self.below && glance.slot < self.until;
        holds.then_some(self.reason)
    }

    pub(super) fn only_above(&mut self, units: u128) {
        self.above = self.above.max(units);
    }

    pub(super) fn only_below(&mut self, units: u128) {
        self.below = self.below.min(units);
    }

    pub(super) fn only_until(&mut self, slot: i64) {
        self.until = self.until.min(slot);
    }

    /// Only at prices of which none is a jump from another: all are closer to each other than the smaller one shifted
    /// right by `move_bits`.
    pub(super) fn only_near(&mut self, glance: Glance, move_bits: u32) {
        let apart = glance.units.checked_shr(move_bits + 2).unwrap_or(0);
        self.only_above(glance.units - apart);
        self.only_below(glance.units + apart);
    }

    /// Up to the highest price so far, which this tick may set.
    pub(super) fn only_up_to_high(&mut self, glance: Glance, high: Option<High>) -> Option<()> {
        if let Some(high) = high {
            self.only_below(high.units?.max(glance.units).saturating_add(1));
        }
        Some(())
    }

    /// While the price is more than this share of the highest so far, and sets no new one; `None` if `glance` is not,
    /// or the high is too long a number.
    pub(super) fn only_above_share(
        &mut self,
        glance: Glance,
        (share, whole): (u128, u128),
        high: u128,
    ) -> Option<()> {
        let high = high.max(glance.units);
        if high >= UNITS_MAX || glance.units * whole <= high * share {
            return None;
        }
        // Truncated: the next whole unit is more than the share.
        self.only_above((high * share).checked_div(whole)?);
        self.only_below(high.saturating_add(1));
        Some(())
    }
}
