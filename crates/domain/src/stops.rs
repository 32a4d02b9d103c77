//! Stops of mode accumulate: lines at or below which a position is sold, and nothing is bought.
//!
//! Two accepted prices in a row confirm a stop. Once it has sold, it waits for tokens that come later, or for an order
//! to resume: it never sells the rest slot by slot.

use std::cmp::Ordering;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::{
    Timestamp,
    config::{AccumulateConfig, AfterStop, ScheduleConfig},
    decision::{Facts, LastFills, Plan, Position, Reason, Side},
    units::{MoneyError, Price, above_hundred, below_hundred},
};

/// An accepted price that is older than this, and than two slots, confirms no stop.
const CONFIRMS_FOR: TimeDelta = TimeDelta::hours(24);

/// What the stops say in one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopState {
    /// The price is above every line.
    Above,
    /// The price is at or below a line, and there is nothing to sell by it: nothing is held, or the stop has sold.
    Below,
    /// The price is at or below a line for the first time; the next accepted price must confirm it.
    Unconfirmed,
    /// The position is to be sold, for this reason.
    Due(Reason),
}

/// What the stops say. The stop-loss comes before the trailing stop.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn state(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
) -> Result<StopState, MoneyError> {
    let at_loss_line = is_at_loss_line(config, &facts.position, facts.price)?;
    // The same high for both prices: the price before was not above it.
    let high = trailing_high(config, facts)?;
    let is_at_trailing_line = |price: Price| match high {
        Some(high) => is_at_trailing_line(config, high, price),
        None => Ok(false),
    };
    let trails = is_at_trailing_line(facts.price)?;
    if !at_loss_line && !trails {
        return Ok(StopState::Above);
    }
    if facts.position.token_balance.is_zero() || facts.last.stop_has_sold() {
        return Ok(StopState::Below);
    }
    let Some(before) = confirming_price(schedule, &facts.last, facts.last_price, facts.now) else {
        return Ok(StopState::Unconfirmed);
    };
    Ok(
        if at_loss_line && is_at_loss_line(config, &facts.position, before)? {
            StopState::Due(Reason::StopLoss)
        } else if trails && is_at_trailing_line(before)? {
            StopState::Due(Reason::TrailingStop)
        } else {
            StopState::Unconfirmed
        },
    )
}

fn is_at_trailing_line(config: &AccumulateConfig, high: Price, price: Price) -> Result<bool, MoneyError> {
    let left_pct = below_hundred(config.trailing_stop_pct).ok_or(MoneyError::OutOfRange)?;
    Ok(price.compare_to_percent_of(left_pct, high) != Ordering::Greater)
}

/// The high that the trailing stop is measured from, this tick's price included; `None`: it is off, or not armed. It
/// only rises until the stop has sold or nothing is held.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn trailing_high(config: &AccumulateConfig, facts: &Facts) -> Result<Option<Price>, MoneyError> {
    let off = config.trailing_stop_pct.is_zero();
    if off || facts.position.token_balance.is_zero() || facts.last.stop_has_sold() {
        return Ok(None);
    }
    match facts.trailing_high {
        Some(high) => Ok(Some(high.max(facts.price))),
        None if arms_trailing(config, &facts.position, facts.price)? => Ok(Some(facts.price)),
        None => Ok(None),
    }
}

/// The high to remember after a tick. What is bought first, or bought after a stop, arms a trailing stop that needs no
/// gain: the price that it was bought at counts. If that buy fails, nothing is held and the high means nothing.
#[must_use]
pub fn remembered_high(config: &AccumulateConfig, facts: &Facts, plan: Option<&Plan>) -> Option<Price> {
    let high = trailing_high(config, facts).ok().flatten();
    let bought = plan.is_some_and(|plan| plan.side == Side::Buy);
    if bought && !config.trailing_stop_pct.is_zero() && config.trailing_arm_pct.is_zero() {
        return Some(high.map_or(facts.price, |high| high.max(facts.price)));
    }
    high
}

fn arms_trailing(config: &AccumulateConfig, position: &Position, price: Price) -> Result<bool, MoneyError> {
    let Some(goal_pct) = trailing_goal_pct(config, position)? else {
        return Ok(config.trailing_arm_pct.is_zero());
    };
    Ok(position.compare_to_percent_of_cost(price, goal_pct)? != Ordering::Less)
}

/// A trailing stop is armed once the holding is worth this many per cent of its cost; `None`: it needs no gain, or with
/// this position there is none to measure.
///
/// # Errors
/// [`MoneyError::OutOfRange`].
pub fn trailing_goal_pct(
    config: &AccumulateConfig,
    position: &Position,
) -> Result<Option<Decimal>, MoneyError> {
    let no_gain = config.trailing_arm_pct.is_zero();
    if no_gain || position.token_balance.is_zero() || !position.cost_basis.is_positive() {
        return Ok(None);
    }
    above_hundred(config.trailing_arm_pct)
        .ok_or(MoneyError::OutOfRange)
        .map(Some)
}

/// Whether a price is at or below `stop_price_usd`, or makes the holding worth `stop_loss_pct` less than it cost.
fn is_at_loss_line(config: &AccumulateConfig, position: &Position, price: Price) -> Result<bool, MoneyError> {
    // Zero: off, and below every price.
    if price.compare_to(config.stop_price_usd) != Ordering::Greater {
        return Ok(true);
    }
    let Some(left_pct) = loss_left_pct(config, position)? else {
        return Ok(false);
    };
    Ok(position.compare_to_percent_of_cost(price, left_pct)? != Ordering::Greater)
}

/// A stop-loss fires once the holding is worth this many per cent of its cost; `None`: with this position it cannot.
///
/// # Errors
/// [`MoneyError::OutOfRange`].
pub fn loss_left_pct(config: &AccumulateConfig, position: &Position) -> Result<Option<Decimal>, MoneyError> {
    let off = config.stop_loss_pct.is_zero();
    if off || position.token_balance.is_zero() || !position.cost_basis.is_positive() {
        return Ok(None);
    }
    below_hundred(config.stop_loss_pct)
        .ok_or(MoneyError::OutOfRange)
        .map(Some)
}

/// The accepted price of the tick before, if it may confirm a stop: it is younger than the last order to resume, and
/// than a day or two slots, whichever is longer.
pub(crate) fn confirming_price(
    schedule: &ScheduleConfig,
    last: &LastFills,
    last_price: Option<(Price, Timestamp)>,
    now: Timestamp,
) -> Option<Price> {
    let (price, at) = last_price?;
    let rearmed = last.rearmed.is_some_and(|rearmed| at <= rearmed);
    (!rearmed && is_recent(schedule, at, now)).then_some(price)
}

fn is_recent(schedule: &ScheduleConfig, at: Timestamp, now: Timestamp) -> bool {
    if now.signed_duration_since(at) <= CONFIRMS_FOR {
        return true;
    }
    let next = |after| schedule.cron.next_after(schedule.timezone, after);
    next(at).and_then(next).is_some_and(|second| now <= second)
}

/// When a job that continues after a stop buys again; `None`: it is not waiting for that.
#[must_use]
pub fn buys_again(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    last: &LastFills,
) -> Option<Timestamp> {
    let stopped = last.stop.filter(|_| config.after_stop == AfterStop::Continue)?;
    Some(schedule.interval_end(config.stop_cooldown, stopped))
}
