//! Mode liquidity: spread trades around a moving average, then rebalance to target.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{
    Timestamp,
    config::{LiquidityConfig, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, LastFills, Plan, Reason, RuleOutcome, Side, first_to_fire},
    units::{MoneyError, Price, Rounding, Usd},
};

/// Minimum coverage of the mean's window by samples, per cent.
pub const COVERAGE_PCT_MIN: Decimal = Decimal::from_parts(80, 0, 0, false, 0);

/// Decision of mode liquidity, without limits.
#[must_use]
pub fn decide(config: &LiquidityConfig, schedule: &ScheduleConfig, facts: &Facts) -> Decision {
    decide_within(config, schedule, facts, Ok)
}

/// Decision of mode liquidity if `limit` checks every plan. A rule whose plan
/// is refused passes on to the next.
#[must_use]
pub fn decide_within(
    config: &LiquidityConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
    limit: impl Fn(Plan) -> Result<Plan, HoldReason>,
) -> Decision {
    if facts.last.in_backoff(facts.now) {
        return Decision::Hold(HoldReason::Backoff);
    }
    let mean = match facts.moving_average {
        Some(mean) if mean.coverage_pct >= COVERAGE_PCT_MIN => mean.price,
        _ => return Decision::Hold(HoldReason::MovingAverageCoverage),
    };
    first_to_fire(limit, HoldReason::InBalance, |rules| {
        rules.next(spread(config, schedule, mean, facts))?;
        rules.next(rebalance(config, facts))
    })
}

/// The band of the token's share of the inventory without rebalancing, per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// Below this it buys.
    pub lowest_pct: Decimal,
    /// Above this it sells.
    pub highest_pct: Decimal,
}

/// The band around the target.
///
/// # Errors
/// [`MoneyError::OutOfRange`].
pub fn band(config: &LiquidityConfig) -> Result<Band, MoneyError> {
    Ok(Band {
        lowest_pct: difference(config.target_ratio_pct, config.rebalance_threshold_pct)?,
        highest_pct: sum(config.target_ratio_pct, config.rebalance_threshold_pct)?,
    })
}

/// When a spread trade may fire again after the last.
#[must_use]
pub fn spread_again(
    config: &LiquidityConfig,
    schedule: &ScheduleConfig,
    last: &LastFills,
) -> Option<Timestamp> {
    last.spread
        .map(|at| schedule.interval_end(config.spread_cooldown, at))
}

/// Buys below the mean, sells above it; the price determines which of the two can fire.
fn spread(
    config: &LiquidityConfig,
    schedule: &ScheduleConfig,
    mean: Price,
    facts: &Facts,
) -> Result<RuleOutcome, MoneyError> {
    let below = |distance_pct: Decimal| -> Result<Ordering, MoneyError> {
        let percent = difference(Decimal::ONE_HUNDRED, distance_pct)?;
        Ok(facts.price.compare_to_percent_of(percent, mean))
    };
    let above_pct = sum(Decimal::ONE_HUNDRED, config.spread_pct)?;
    let side = if below(config.spread_pct)? == Ordering::Less {
        Side::Buy
    } else if facts.price.compare_to_percent_of(above_pct, mean) == Ordering::Greater {
        Side::Sell
    } else {
        return Ok(RuleOutcome::Silent);
    };
    if spread_again(config, schedule, &facts.last).is_some_and(|from| facts.now < from) {
        return Ok(RuleOutcome::Held(HoldReason::SpreadCooldown));
    }
    if side == Side::Sell {
        return spread_sell(config, facts);
    }
    let in_dip = below(config.support_dip_pct)? != Ordering::Greater;
    let multiplier = if in_dip {
        config.support_buy_multiplier
    } else {
        Decimal::ONE
    };
    spread_buy(
        config,
        config.spread_trade_usd.times(multiplier, Rounding::Down)?,
        facts,
    )
}

/// A buy clipped to the upper edge of the band. No edge lies above 100 per cent, so the quote that the job
/// owns always pays for it.
fn spread_buy(config: &LiquidityConfig, money: Usd, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    let room = below_ratio(band(config)?.highest_pct, facts)?;
    let clipped_by = (room < money).then_some(HoldReason::RebalanceBand);
    let plan = Plan::buy(Reason::SpreadBuy, room.min(money), facts)?;
    Ok(RuleOutcome::of(plan, clipped_by))
}

/// A sell clipped to the lower edge of the band.
fn spread_sell(config: &LiquidityConfig, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    let room = above_ratio(band(config)?.lowest_pct, facts)?;
    let clipped_by = (room < config.spread_trade_usd).then_some(HoldReason::RebalanceBand);
    sell(
        Reason::SpreadSell,
        room.min(config.spread_trade_usd),
        clipped_by,
        facts,
    )
}

/// Brings an inventory outside its band back to target; rounding and fees undershoot, never overshoot.
fn rebalance(config: &LiquidityConfig, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    let target = config.target_ratio_pct;
    let band = band(config)?;
    let token = facts.position.token_worth(facts.price)?;
    let total = token.checked_add(facts.position.quote_worth()?)?;
    let is = |order: Ordering, percent: Decimal| token.compare_to_percent_of(percent, total) == order;
    if is(Ordering::Greater, band.highest_pct) {
        sell(Reason::Rebalance, above_ratio(target, facts)?, None, facts)
    } else if is(Ordering::Less, band.lowest_pct) {
        let plan = Plan::buy(Reason::Rebalance, below_ratio(target, facts)?, facts)?;
        Ok(RuleOutcome::of(plan, None))
    } else {
        Ok(RuleOutcome::Silent)
    }
}

/// How much may be bought until the token is `percent` per cent of the inventory; rounded down.
fn below_ratio(percent: Decimal, facts: &Facts) -> Result<Usd, MoneyError> {
    let token = facts.position.token_value(facts.price, Rounding::Down)?;
    let quote = facts.position.quote_value(Rounding::Down)?;
    let bound = token.checked_add(quote)?.percent(percent, Rounding::Down)?;
    bound.checked_sub(facts.position.token_value(facts.price, Rounding::Up)?)
}

/// How much may be sold until the token is `percent` per cent of the inventory; rounded down.
fn above_ratio(percent: Decimal, facts: &Facts) -> Result<Usd, MoneyError> {
    let token = facts.position.token_value(facts.price, Rounding::Up)?;
    let quote = facts.position.quote_value(Rounding::Up)?;
    let bound = token.checked_add(quote)?.percent(percent, Rounding::Up)?;
    facts
        .position
        .token_value(facts.price, Rounding::Down)?
        .checked_sub(bound)
}

/// A sell worth `money` of the tokens held.
fn sell(
    reason: Reason,
    money: Usd,
    clipped_by: Option<HoldReason>,
    facts: &Facts,
) -> Result<RuleOutcome, MoneyError> {
    let position = &facts.position;
    if !money.is_positive() {
        return Ok(RuleOutcome::of(None, clipped_by));
    }
    let amount = money.to_amount(position.token_decimals, facts.price, Rounding::Down)?;
    let few = Some(HoldReason::TooFewUnits).filter(|_| amount.is_zero());
    let clipped_by = clipped_by.or(few);
    let plan = Plan::sell(reason, amount.min(position.token_balance), facts)?;
    Ok(RuleOutcome::of(plan, clipped_by))
}

fn sum(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    a.checked_add(b).ok_or(MoneyError::OutOfRange)
}

fn difference(a: Decimal, b: Decimal) -> Result<Decimal, MoneyError> {
    a.checked_sub(b).ok_or(MoneyError::OutOfRange)
}
