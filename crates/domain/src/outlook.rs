//! At which price, and when, each rule of a job would fire next. The rules themselves decide with other arithmetic;
//! that they fire at these prices and not next to them is tested against them.

use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    Timestamp,
    accounting::average_cost,
    accumulate,
    config::{AccumulateConfig, LiquidityConfig, ScheduleConfig},
    decision::{LastFills, Position},
    liquidity, stops,
    units::{MoneyError, Price, Rounding, Usd},
};

/// When take-profit fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TakeProfit {
    /// The lowest price at which it does, USD.
    pub at_or_above_usd: Price,
    /// The price of the last take-profit, if that must be passed as far as the average cost.
    pub last_sale_usd: Option<Price>,
    /// The end of its cooldown; none if it is over.
    pub not_before: Option<Timestamp>,
    /// Its goal was reached: it sells once the price falls from its high.
    pub trails: Option<TrailingProfit>,
}

/// When a take-profit that follows the price up fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrailingProfit {
    /// The highest price at which it sells, USD, as long as the high stands.
    pub at_or_below_usd: Price,
    /// The high since its goal was reached.
    pub high_usd: Price,
}

/// When a stop sells, and below which price nothing is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// What the line is drawn from.
    pub line: StopLine,
    /// The highest price at which it sells, USD, as long as the line stands.
    pub at_or_below_usd: Price,
    /// The price that the line is measured from: the average cost, or the high; none of `stop_price_usd`.
    pub from_usd: Option<Price>,
    /// There is something to sell, and the stop has not sold since the last buy.
    pub armed: bool,
    /// The accepted price of the slot before was at or below it as well: one more is enough. Otherwise it takes two
    /// in a row.
    pub seen_once: bool,
}

/// What a stop is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopLine {
    /// `stop_loss_pct`: the average cost.
    AverageCost,
    /// `stop_price_usd`.
    Price,
    /// `trailing_stop_pct`: the highest price since it was armed.
    High,
}

/// When a dip is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DipBuy {
    /// The highest price that is a dip, USD, as long as the high stands.
    pub at_or_below_usd: Price,
    /// The high that the fall is measured from.
    pub high_usd: Price,
    /// The price of the slot before was a dip as well: one more is enough. Otherwise it takes two in a row.
    pub seen_once: bool,
    /// The end of its cooldown; none if it is over.
    pub not_before: Option<Timestamp>,
}

/// The prices at which a job buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PriceBand {
    /// The lowest, USD; none: any.
    pub at_or_above_usd: Option<Price>,
    /// The highest, USD; none: any.
    pub at_or_below_usd: Option<Price>,
}

/// When a spread trade fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// It buys below this price, USD.
    pub buys_below_usd: Price,
    /// It sells above this price, USD.
    pub sells_above_usd: Price,
    /// The moving average that they are measured from.
    pub moving_average_usd: Price,
    /// The end of its cooldown; none if it is over.
    pub not_before: Option<Timestamp>,
}

/// When the inventory is rebalanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rebalance {
    /// It buys below this price, USD; none if no price makes the token's share that small.
    pub buys_below_usd: Option<Price>,
    /// It sells above this price, USD; none if no price makes the token's share that large.
    pub sells_above_usd: Option<Price>,
}

/// When take-profit fires; `None`: with this position it cannot.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn take_profit(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    (position, last): (&Position, &LastFills),
    high: Option<Price>,
    now: Timestamp,
) -> Result<Option<TakeProfit>, MoneyError> {
    let Some(goal_pct) = accumulate::profit_goal_pct(config, position)? else {
        return Ok(None);
    };
    let goal = position.cost_basis.percent(goal_pct, Rounding::Up)?;
    let gained = Price::for_value(goal, position.token_balance, position.token_decimals)?;
    let last_sale = accumulate::profit_step(position, last);
    let again = last_sale
        .map(|price| price.percent(goal_pct, Rounding::Up))
        .transpose()?;
    Ok(Some(TakeProfit {
        at_or_above_usd: again.map_or(gained, |again| again.max(gained)),
        last_sale_usd: last_sale,
        not_before: accumulate::profit_again(config, schedule, last).filter(|from| *from > now),
        trails: trailing_profit(config, high)?,
    }))
}

fn trailing_profit(
    config: &AccumulateConfig,
    high: Option<Price>,
) -> Result<Option<TrailingProfit>, MoneyError> {
    let Some(high_usd) = high.filter(|_| !config.trailing_take_profit_pct.is_zero()) else {
        return Ok(None);
    };
    let left_pct = Decimal::ONE_HUNDRED.checked_sub(config.trailing_take_profit_pct);
    let left_pct = left_pct.ok_or(MoneyError::OutOfRange)?;
    Ok(Some(TrailingProfit {
        at_or_below_usd: high_usd.percent(left_pct, Rounding::Down)?,
        high_usd,
    }))
}

/// The stops of a job, the highest first: that one sells first.
#[must_use]
pub fn stops(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    (position, last): (&Position, &LastFills),
    (last_price, high): (Option<(Price, Timestamp)>, Option<Price>),
    now: Timestamp,
) -> Vec<Stop> {
    let before = stops::confirming_price(schedule, last, last_price, now);
    let armed = !position.token_balance.is_zero() && !last.stop_has_sold();
    let stop = |line, at_or_below_usd, from_usd| Stop {
        line,
        at_or_below_usd,
        from_usd,
        armed,
        seen_once: armed && before.is_some_and(|before| before <= at_or_below_usd),
    };
    let price = Price::new(config.stop_price_usd).ok();
    let mut stops: Vec<Stop> = price
        .map(|at| stop(StopLine::Price, at, None))
        .into_iter()
        .chain(loss_line(config, position).map(|at| stop(StopLine::AverageCost, at, average_cost(position))))
        .chain(
            trailing_line(config, high.filter(|_| armed))
                .map(|(at, high)| stop(StopLine::High, at, Some(high))),
        )
        .collect();
    stops.sort_by_key(|stop| std::cmp::Reverse(stop.at_or_below_usd));
    stops
}

fn trailing_line(config: &AccumulateConfig, high: Option<Price>) -> Option<(Price, Price)> {
    let high = high.filter(|_| !config.trailing_stop_pct.is_zero())?;
    let left_pct = Decimal::ONE_HUNDRED.checked_sub(config.trailing_stop_pct)?;
    Some((high.percent(left_pct, Rounding::Down).ok()?, high))
}

/// The lowest price that arms the trailing stop; `None`: it is off, armed, or needs no gain.
#[must_use]
pub fn trailing_arms_at(
    config: &AccumulateConfig,
    position: &Position,
    high: Option<Price>,
) -> Option<Price> {
    let off = config.trailing_stop_pct.is_zero() || high.is_some();
    let goal_pct = stops::trailing_goal_pct(config, position)
        .ok()
        .flatten()
        .filter(|_| !off)?;
    let goal = position.cost_basis.percent(goal_pct, Rounding::Up).ok()?;
    Price::for_value(goal, position.token_balance, position.token_decimals).ok()
}

/// The highest price at which the holding is worth `stop_loss_pct` less than it cost; `None`: there is none.
fn loss_line(config: &AccumulateConfig, position: &Position) -> Option<Price> {
    let left_pct = stops::loss_left_pct(config, position).ok().flatten()?;
    let left = position.cost_basis.percent(left_pct, Rounding::Down).ok()?;
    Price::of(left, position.token_balance, position.token_decimals).ok()
}

/// The prices at which a job buys; `None`: at any.
#[must_use]
pub fn price_band(config: &AccumulateConfig) -> Option<PriceBand> {
    let band = PriceBand {
        at_or_above_usd: Price::new(config.buy_above_usd).ok(),
        at_or_below_usd: Price::new(config.buy_below_usd).ok(),
    };
    (band.at_or_above_usd.is_some() || band.at_or_below_usd.is_some()).then_some(band)
}

/// When a dip is bought, after a slot at `previous`; `None`: the rule is off.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn dip_buy(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    last: &LastFills,
    (high, previous): (Price, Option<Price>),
    now: Timestamp,
) -> Result<Option<DipBuy>, MoneyError> {
    let Some(floor_pct) = accumulate::dip_floor_pct(config)? else {
        return Ok(None);
    };
    let floor = high.percent(floor_pct, Rounding::Down)?;
    Ok(Some(DipBuy {
        at_or_below_usd: floor,
        high_usd: high,
        seen_once: previous.is_some_and(|previous| previous <= floor),
        not_before: accumulate::dip_again(config, schedule, last).filter(|from| *from > now),
    }))
}

/// The slot of the next regular buy, if it is later than `after`.
#[must_use]
pub fn dca(
    config: &AccumulateConfig,
    schedule: &ScheduleConfig,
    last: &LastFills,
    started_at: Timestamp,
    after: Timestamp,
) -> Option<Timestamp> {
    let due = accumulate::dca_due(config, schedule, last, started_at)?;
    // A slot at the very instant counts.
    let just_before = due
        .checked_sub_signed(chrono::TimeDelta::nanoseconds(1))
        .unwrap_or(due);
    schedule
        .cron
        .next_after(schedule.timezone, after.max(just_before))
}

/// When a spread trade fires around `mean`.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn spread(
    config: &LiquidityConfig,
    schedule: &ScheduleConfig,
    last: &LastFills,
    mean: Price,
    now: Timestamp,
) -> Result<Spread, MoneyError> {
    let below = Decimal::ONE_HUNDRED.checked_sub(config.spread_pct);
    let above = Decimal::ONE_HUNDRED.checked_add(config.spread_pct);
    Ok(Spread {
        buys_below_usd: mean.percent(below.ok_or(MoneyError::OutOfRange)?, Rounding::Up)?,
        sells_above_usd: mean.percent(above.ok_or(MoneyError::OutOfRange)?, Rounding::Down)?,
        moving_average_usd: mean,
        not_before: liquidity::spread_again(config, schedule, last).filter(|from| *from > now),
    })
}

/// When the inventory is rebalanced; `None`: it holds nothing of one of the two.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn rebalance(config: &LiquidityConfig, position: &Position) -> Result<Option<Rebalance>, MoneyError> {
    let quote = position.quote_value(Rounding::Down)?;
    if !quote.is_positive() || position.token_balance.is_zero() {
        return Ok(None);
    }
    let band = liquidity::band(config)?;
    // The token's worth at which it is `percent` per cent of both: quote x percent / (100 - percent).
    let at = |percent: Decimal| -> Option<Price> {
        let rest = Decimal::ONE_HUNDRED.checked_sub(percent)?;
        let worth = quote.decimal().checked_mul(percent)?.checked_div(rest)?;
        let worth = Usd::rounded(worth, Rounding::Down);
        Price::of(worth, position.token_balance, position.token_decimals).ok()
    };
    let inside = |percent: &Decimal| *percent > Decimal::ZERO && *percent < Decimal::ONE_HUNDRED;
    Ok(Some(Rebalance {
        buys_below_usd: Some(band.lowest_pct).filter(inside).and_then(at),
        sells_above_usd: Some(band.highest_pct).filter(inside).and_then(at),
    }))
}

/// When limits of a day reset: the next midnight, UTC.
#[must_use]
pub fn day_ends(now: Timestamp) -> Option<Timestamp> {
    let next = now.date_naive().succ_opt()?;
    Some(next.and_time(chrono::NaiveTime::MIN).and_utc())
}
