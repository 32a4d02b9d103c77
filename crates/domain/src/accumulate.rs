//! Mode accumulate: stops, take-profit, dip-buy, DCA, in this order, one decision a tick.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{
    Timestamp,
    accounting::average_cost,
    config::{AccumulateConfig, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, LastFills, Plan, Position, Reason, RuleOutcome, first_to_fire},
    stops::{self, StopState},
    units::{MoneyError, Price, Rounding, Usd, above_hundred, below_hundred},
};

/// Decision of mode accumulate, without limits.
#[must_use]
pub fn decide(config: &AccumulateConfig, schedule: &ScheduleConfig, facts: &Facts) -> Decision {
    decide_within(config, schedule, facts, Ok)
}

/// Decision of mode accumulate if `limit` checks every plan. A rule whose plan
/// is refused passes on to the next: a take-profit too small to trade does not stop the DCA. Only a stop passes nothing
/// on: while it may not sell, nothing else is traded.
#[must_use]
pub fn decide_within(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
    limit: impl Fn(Plan) -> Result<Plan, HoldReason>,
) -> Decision {
    if facts.last.in_backoff(facts.now) {
        return Decision::Hold(HoldReason::Backoff);
    }
    let Ok(stop) = stops::state(config, schedule, facts) else {
        return Decision::Hold(HoldReason::Arithmetic);
    };
    let buying = Buying {
        config,
        schedule,
        facts,
        stop,
    };
    if let StopState::Due(reason) = stop {
        return first_to_fire(limit, HoldReason::NotDue, |rules| {
            rules.next(sell_share(reason, config.stop_sells_pct, facts))
        });
    }
    first_to_fire(limit, HoldReason::NotDue, |rules| {
        rules.next(Ok(unconfirmed(stop)))?;
        rules.next(take_profit(config, schedule, facts))?;
        rules.next(buying.dip_buy())?;
        rules.next(buying.dca())
    })
}

/// Sells a share of what is held. Most ticks do not: kept apart, it makes them no slower.
#[inline(never)]
fn sell_share(reason: Reason, percent: Decimal, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    let amount = facts.position.token_balance.percent(percent)?;
    // A share that is less than one unit is not sold as one: that would be more than was ordered.
    Ok(RuleOutcome::of(
        Plan::sell(reason, amount, facts)?,
        Some(HoldReason::TooFewUnits).filter(|_| amount.is_zero()),
    ))
}

const fn unconfirmed(stop: StopState) -> RuleOutcome {
    match stop {
        StopState::Unconfirmed => RuleOutcome::Held(HoldReason::StopUnconfirmed),
        StopState::Above | StopState::Below | StopState::Due(_) => RuleOutcome::Silent,
    }
}

/// Sells a share when the position gained enough over its average cost; with `trailing_take_profit_pct` only once the
/// price has fallen that far from its high after that.
#[inline]
fn take_profit(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
) -> Result<RuleOutcome, MoneyError> {
    let Some(high) = profit_high(config, schedule, facts)? else {
        return Ok(RuleOutcome::Silent);
    };
    let left_pct = below_hundred(config.trailing_take_profit_pct).ok_or(MoneyError::OutOfRange)?;
    if facts.price.compare_to_percent_of(left_pct, high) == Ordering::Greater {
        return Ok(RuleOutcome::Silent);
    }
    sell_share(Reason::TakeProfit, config.take_profit_sell_pct, facts)
}

/// The high since the goal of take-profit was reached, this tick's price included; `None`: it is not reached. Without
/// `trailing_take_profit_pct` it is reached only at a price that reaches it.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn profit_high(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
) -> Result<Option<Price>, MoneyError> {
    let Some(goal_pct) = profit_goal_pct(config, &facts.position)? else {
        return Ok(None);
    };
    let trails = !config.trailing_take_profit_pct.is_zero();
    if let Some(high) = facts.profit_high.filter(|_| trails) {
        return Ok(Some(high.max(facts.price)));
    }
    let reached = reaches_goal(goal_pct, config, schedule, facts)?;
    Ok(reached.then_some(facts.price))
}

/// Whether the position gained enough over its average cost. Tokens that cost nothing (or so
/// little that it rounds to nothing) have no average to gain over, and are left to `liquidate`.
fn reaches_goal(
    goal_pct: Decimal,
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
) -> Result<bool, MoneyError> {
    let position = &facts.position;
    let cooling = profit_again(config, schedule, &facts.last).is_some_and(|from| facts.now < from);
    let below_step = match profit_step(position, &facts.last) {
        Some(step) => facts.price.compare_to_percent_of(goal_pct, step) == Ordering::Less,
        None => false,
    };
    if cooling || below_step {
        return Ok(false);
    }
    Ok(position.compare_to_percent_of_cost(facts.price, goal_pct)? != Ordering::Less)
}

/// The high of a trailing take-profit to remember after a tick; its sale forgets it.
#[must_use]
pub fn remembered_profit_high(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
) -> Option<Price> {
    if config.trailing_take_profit_pct.is_zero() {
        return None;
    }
    profit_high(config, schedule, facts).ok().flatten()
}

/// The rules that buy.
#[derive(Clone, Copy)]
struct Buying<'a> {
    config: &'a AccumulateConfig,
    schedule: &'a ScheduleConfig,
    facts: &'a Facts,
    stop: StopState,
}

impl Buying<'_> {
    /// Buys more after a fall that two consecutive samples confirm.
    #[inline]
    fn dip_buy(self) -> Result<RuleOutcome, MoneyError> {
        let Self { config, facts, .. } = self;
        let cooling = dip_again(config, self.schedule, &facts.last).is_some_and(|from| facts.now < from);
        let Some(floor_pct) = dip_floor_pct(config)?.filter(|_| !cooling) else {
            return Ok(RuleOutcome::Silent);
        };
        let is_dip =
            |price: Price| price.compare_to_percent_of(floor_pct, facts.recent_high) != Ordering::Greater;
        if !is_dip(facts.price) {
            return Ok(RuleOutcome::Silent);
        }
        if !facts.previous_price.is_some_and(is_dip) {
            return Ok(RuleOutcome::Held(HoldReason::DipUnconfirmed));
        }
        let money = config
            .dca_amount_usd
            .times(config.dip_buy_multiplier, Rounding::Down)?;
        self.buy(Reason::DipBuy, money)
    }

    /// The regular buy.
    #[inline]
    fn dca(self) -> Result<RuleOutcome, MoneyError> {
        let Self { config, facts, .. } = self;
        if dca_is_due(config, self.schedule, facts) {
            self.buy(Reason::Dca, config.dca_amount_usd)
        } else {
            Ok(RuleOutcome::Silent)
        }
    }

    /// A buy at an allowed price, clipped to what `max_accumulation_usd` leaves, by cost and by value.
    #[inline(never)]
    fn buy(self, reason: Reason, money: Usd) -> Result<RuleOutcome, MoneyError> {
        let Self { config, facts, .. } = self;
        if self.stop != StopState::Above {
            return Ok(RuleOutcome::Held(HoldReason::BelowStop));
        }
        if stops::buys_again(config, self.schedule, &facts.last).is_some_and(|from| facts.now < from) {
            return Ok(RuleOutcome::Held(HoldReason::StopCooldown));
        }
        if !buys_at(config, facts.price) {
            return Ok(RuleOutcome::Held(HoldReason::PriceBand));
        }
        let position = &facts.position;
        let value = position.token_value(facts.price, Rounding::Up)?;
        let room = config
            .max_accumulation_usd
            .checked_sub(value.max(position.cost_basis))?
            .checked_sub(facts.spent.unsettled_buys)?;
        let clipped_by = (room < money).then_some(HoldReason::MaxAccumulation);
        Ok(RuleOutcome::of(
            Plan::buy(reason, money.min(room), facts)?,
            clipped_by,
        ))
    }
}

/// Whether a price is between the two that buys are bound to, both included.
#[must_use]
pub fn buys_at(config: &AccumulateConfig, price: Price) -> bool {
    let (lowest, highest) = (config.buy_above_usd, config.buy_below_usd);
    price.decimal() >= lowest && (highest.is_zero() || price.decimal() <= highest)
}

/// The earliest instant at which the regular buy is due; `None`: never.
#[must_use]
pub fn dca_due(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    last: &LastFills,
    started_at: Timestamp,
) -> Option<Timestamp> {
    match (&config.dca_schedule, config.dca_interval) {
        (Some(cron), _) => cron.next_after(schedule.timezone, last.dca.unwrap_or(started_at)),
        (None, Some(interval)) => Some(
            last.dca
                .map_or(Timestamp::MIN_UTC, |at| schedule.interval_end(interval, at)),
        ),
        (None, None) => None,
    }
}

/// Whether [`dca_due`] has come, without computing an instant where an interval is counted by the clock.
fn dca_is_due(config: &AccumulateConfig, schedule: &ScheduleConfig, facts: &Facts) -> bool {
    match (&config.dca_schedule, config.dca_interval, facts.last.dca) {
        (None, Some(interval), Some(last)) => schedule.interval_is_over(interval, last, facts.now),
        (None, Some(_), None) => true,
        _ => dca_due(config, schedule, &facts.last, facts.started_at).is_some_and(|due| due <= facts.now),
    }
}

/// When a dip may be bought again after the last.
#[must_use]
pub fn dip_again(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    last: &LastFills,
) -> Option<Timestamp> {
    last.dip.map(|at| schedule.interval_end(config.dip_cooldown, at))
}

/// A dip is at most this many per cent of the recent high; `None`: the rule is off.
///
/// # Errors
/// [`MoneyError::OutOfRange`].
pub fn dip_floor_pct(config: &AccumulateConfig) -> Result<Option<Decimal>, MoneyError> {
    if config.dip_buy_threshold_pct.is_zero() {
        return Ok(None);
    }
    below_hundred(config.dip_buy_threshold_pct)
        .ok_or(MoneyError::OutOfRange)
        .map(Some)
}

/// A take-profit needs a value of this many per cent of the cost; `None`: with this position it cannot fire.
///
/// # Errors
/// [`MoneyError::OutOfRange`].
pub fn profit_goal_pct(
    config: &AccumulateConfig,
    position: &Position,
) -> Result<Option<Decimal>, MoneyError> {
    let off = config.take_profit_pct.is_zero();
    if off || position.token_balance.is_zero() || !position.cost_basis.is_positive() {
        return Ok(None);
    }
    above_hundred(config.take_profit_pct)
        .ok_or(MoneyError::OutOfRange)
        .map(Some)
}

/// When a take-profit may fire again after the last.
#[must_use]
pub fn profit_again(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    last: &LastFills,
) -> Option<Timestamp> {
    let last = last.take_profit?;
    Some(schedule.interval_end(config.take_profit_cooldown, last.at))
}

/// The price of the last take-profit, over which the next must gain as much again. Only while it says anything of what
/// is held: once the average cost has fallen below what it was at that sale, or all was sold since, gain over average
/// cost is enough. Without this step, a price that stays at its goal would sell everything, one cooldown after the
/// other.
#[must_use]
pub fn profit_step(position: &Position, last: &LastFills) -> Option<Price> {
    let last = last.take_profit?;
    let (before, now) = (last.average_cost?, average_cost(position)?);
    (now >= before).then_some(last.price)
}
