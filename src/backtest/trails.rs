//! Thresholds of stops and of rules that follow the price up, for [`super::quiet`].

use rust_decimal::Decimal;

use super::{
    glance::{Glance, MARGIN_BITS, exact_units, share, units_below},
    still::Still,
};
use crate::domain::{
    config::{AccumulateConfig, AfterStop, JobConfig},
    decision::{HoldReason, LastFills, Position, Reason},
    samples::High,
    stops,
    units::{Price, Rounding, Usd},
};

/// The highs that trailing rules are measured from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Highs {
    pub(super) stop: Option<High>,
    pub(super) profit: Option<High>,
}

/// Why the job trades nothing more after this trade: a stop has sold, and it does not continue. Nobody resumes it in a
/// backtest.
pub(super) fn after_stop(config: &JobConfig, position: &Position, sold: Reason) -> Option<HoldReason> {
    let rules = config.rules.accumulate().filter(|_| sold.is_stop())?;
    match rules.after_stop {
        AfterStop::Continue => None,
        AfterStop::Idle if position.token_balance.is_zero() => Some(HoldReason::Idle),
        AfterStop::Idle | AfterStop::Pause => Some(HoldReason::Paused),
    }
}

/// The thresholds of a job's stops while its position stays as it is.
#[derive(Debug)]
pub(super) struct Stops {
    /// Above this price no stop but a trailing one fires, or keeps the job from buying; `None`: there is none.
    lines: Option<u128>,
    /// A trailing stop is at most this share of its high; `None` if it is off, or has nothing to sell. Numerator and
    /// denominator.
    trail: Option<(u128, u128)>,
    /// From this price on it is armed.
    trail_from: u128,
}

impl Stops {
    pub(super) fn of(rules: &AccumulateConfig, last: &LastFills, position: &Position) -> Option<Self> {
        let armed = !position.token_balance.is_zero() && !last.stop_has_sold();
        let trails = armed && !rules.trailing_stop_pct.is_zero();
        let left_pct = Decimal::ONE_HUNDRED.checked_sub(rules.trailing_stop_pct);
        Some(Self {
            lines: stops_at(rules, position)?,
            trail: match left_pct.filter(|_| trails) {
                Some(left_pct) => Some(share(left_pct)?),
                None => None,
            },
            trail_from: trail_from(rules, position)?,
        })
    }

    /// Narrows a hold to prices that are certainly above every line, and arm nothing; `None`: this one may not be.
    pub(super) fn are_quiet(&self, glance: Glance, high: Option<High>, still: &mut Still) -> Option<()> {
        if let Some(line) = self.lines {
            if glance.units <= line {
                return None;
            }
            still.only_above(line);
        }
        match (self.trail, high) {
            (None, _) => {}
            (Some(_), None) if glance.units < self.trail_from => still.only_below(self.trail_from),
            (Some(_), None) => return None,
            (Some(share), Some(high)) => still.only_above_share(glance, share, high.units?)?,
        }
        Some(())
    }
}

/// The price from which on a trailing stop that waits for a gain is armed; zero if it needs none.
fn trail_from(rules: &AccumulateConfig, position: &Position) -> Option<u128> {
    let Some(goal_pct) = stops::trailing_goal_pct(rules, position).ok()? else {
        return Some(match rules.trailing_arm_pct.is_zero() {
            true => 0,
            // There is no cost to gain over.
            false => u128::MAX,
        });
    };
    // Rounded down everywhere, as for take-profit.
    let goal = position.cost_basis.percent(goal_pct, Rounding::Down).ok()?;
    let from = Price::of(goal, position.token_balance, position.token_decimals).ok()?;
    let from = units_below(from)?;
    Some(from.saturating_sub(from >> MARGIN_BITS))
}

/// A price that is above every line of the stops, or the highest that may be at one; the inner `None`: there is none.
#[expect(clippy::option_option, reason = "unknown, and known that there is none")]
fn stops_at(rules: &AccumulateConfig, position: &Position) -> Option<Option<u128>> {
    let price = match rules.stop_price_usd.is_zero() {
        true => None,
        false => Some(exact_units(rules.stop_price_usd, 0)?),
    };
    let loss = match stops::loss_left_pct(rules, position).ok()? {
        None => None,
        Some(left_pct) => {
            // A value is rounded down before it is compared: a holding worth one unit more is above the line.
            let unit = Usd::rounded(Decimal::new(1, 12), Rounding::Down);
            let above = position.cost_basis.percent(left_pct, Rounding::Down).ok()?;
            let above = above.checked_add(unit).ok()?;
            let above = Price::for_value(above, position.token_balance, position.token_decimals).ok()?;
            Some(units_below(above)?)
        }
    };
    Some(price.max(loss))
}
