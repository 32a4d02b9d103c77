//! Mode accumulate: take-profit, dip-buy, DCA, in this order, one decision a tick.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{
    config::{AccumulateConfig, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, Plan, PricedFill, Reason, RuleOutcome, first_to_fire},
    units::{MoneyError, Price, Rounding, Usd},
};

/// What mode accumulate does with these facts, limits apart.
#[must_use]
pub fn decide(config: &AccumulateConfig, schedule: &ScheduleConfig, facts: &Facts) -> Decision {
    decide_within(config, schedule, facts, Ok)
}

/// What mode accumulate does with these facts if `limit` has the last word on every plan. A rule whose plan
/// is refused passes on to the next: a take-profit too small to trade does not stop the DCA.
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
    first_to_fire(
        &[
            &|| take_profit(config, facts),
            &|| dip_buy(config, facts),
            &|| dca(config, schedule, facts),
        ],
        limit,
        HoldReason::NotDue,
    )
}

/// Sells a share when the position gained enough over its average cost. Tokens that cost nothing (or so
/// little that it rounds to nothing) have no average to gain over, and are left to `liquidate`.
fn take_profit(config: &AccumulateConfig, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    let position = &facts.position;
    let off = config.take_profit_pct.is_zero();
    if off || position.token_balance.is_zero() || !position.cost_basis.is_positive() {
        return Ok(RuleOutcome::Silent);
    }
    let goal_pct = plus_hundred(config.take_profit_pct)?;
    if let Some(PricedFill { at, price }) = facts.last.take_profit {
        let cooled = config.take_profit_cooldown.passed(at, facts.now);
        if !cooled || facts.price.compare_to_percent_of(goal_pct, price)? == Ordering::Less {
            return Ok(RuleOutcome::Silent);
        }
    }
    let value = position.token_value(facts.price, Rounding::Down)?;
    let goal = position.cost_basis.decimal().checked_mul(goal_pct);
    let gained = value.decimal().checked_mul(Decimal::ONE_HUNDRED);
    match (gained, goal) {
        (Some(gained), Some(goal)) if gained < goal => Ok(RuleOutcome::Silent),
        (Some(_), Some(_)) => {
            let amount = position.token_balance.percent(config.take_profit_sell_pct)?;
            Ok(RuleOutcome::of(
                Plan::sell(Reason::TakeProfit, amount, facts)?,
                None,
            ))
        }
        _ => Err(MoneyError::OutOfRange),
    }
}

/// Buys more after a fall that two samples in a row have seen.
fn dip_buy(config: &AccumulateConfig, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    let cooling = facts
        .last
        .dip
        .is_some_and(|at| !config.dip_cooldown.passed(at, facts.now));
    if config.dip_buy_threshold_pct.is_zero() || cooling {
        return Ok(RuleOutcome::Silent);
    }
    let floor_pct = Decimal::ONE_HUNDRED
        .checked_sub(config.dip_buy_threshold_pct)
        .ok_or(MoneyError::OutOfRange)?;
    let is_dip = |price: Price| -> Result<bool, MoneyError> {
        Ok(price.compare_to_percent_of(floor_pct, facts.recent_high)? != Ordering::Greater)
    };
    if !is_dip(facts.price)? {
        return Ok(RuleOutcome::Silent);
    }
    let confirmed = facts.previous_price.map_or(Ok(false), is_dip)?;
    if !confirmed {
        return Ok(RuleOutcome::Held(HoldReason::DipUnconfirmed));
    }
    let money = config
        .dca_amount_usd
        .times(config.dip_buy_multiplier, Rounding::Down)?;
    buy(Reason::DipBuy, money, config, facts)
}

/// The regular buy.
fn dca(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
) -> Result<RuleOutcome, MoneyError> {
    let due = match (&config.dca_schedule, config.dca_interval) {
        (Some(cron), _) => {
            let since = facts.last.dca.unwrap_or(facts.started_at);
            cron.next_after(schedule.timezone, since)
                .is_some_and(|instant| instant <= facts.now)
        }
        (None, Some(interval)) => facts.last.dca.is_none_or(|at| interval.passed(at, facts.now)),
        (None, None) => false,
    };
    if due {
        buy(Reason::Dca, config.dca_amount_usd, config, facts)
    } else {
        Ok(RuleOutcome::Silent)
    }
}

/// A buy clipped to what `max_accumulation_usd` leaves, by cost and by value.
fn buy(
    reason: Reason,
    money: Usd,
    config: &AccumulateConfig,
    facts: &Facts,
) -> Result<RuleOutcome, MoneyError> {
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

fn plus_hundred(percent: Decimal) -> Result<Decimal, MoneyError> {
    percent
        .checked_add(Decimal::ONE_HUNDRED)
        .ok_or(MoneyError::OutOfRange)
}
