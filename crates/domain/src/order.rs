//! Mode order: one order, which ends when it is filled, or when its time is over.
//!
//! What is left of it is computed, not remembered: of a buy, what the fills of this cycle have not spent; of a sale,
//! the tokens that its job holds. So a fill that was reorged out is left to trade again.

use std::cmp::Ordering;

use alloy_primitives::U256;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    Timestamp,
    config::{JobConfig, LimitsConfig, OrderConfig, OrderSide, ScheduleConfig, Trigger},
    decision::{Decision, Facts, HoldReason, LastFills, Plan, Reason, RuleOutcome, Side, first_to_fire},
    span::Span,
    stops::confirming_price,
    units::{Amount, MoneyError, Price, Rounding, Usd},
};

/// What the trigger of an order says in one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerState {
    /// Its price is not reached.
    Waiting,
    /// It is reached for the first time; the next accepted price must confirm it.
    Unconfirmed,
    /// It trades, for this reason.
    Due(Reason),
}

/// Decision of mode order, without limits.
#[must_use]
pub fn decide(config: &OrderConfig, schedule: &ScheduleConfig, facts: &Facts) -> Decision {
    decide_within(config, schedule, facts, Ok)
}

/// Decision of mode order if `limit` checks the plan.
#[must_use]
pub fn decide_within(
    config: &OrderConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
    limit: impl Fn(Plan) -> Result<Plan, HoldReason>,
) -> Decision {
    if facts.last.in_backoff(facts.now) {
        return Decision::Hold(HoldReason::Backoff);
    }
    first_to_fire(limit, HoldReason::OrderPrice, |rules| {
        rules.next(trade(config, schedule, facts))
    })
}

fn trade(config: &OrderConfig, schedule: &ScheduleConfig, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    if config.until.is_some_and(|until| facts.now >= until) {
        return Ok(RuleOutcome::Held(HoldReason::OrderOver));
    }
    if config.side == OrderSide::Sell && facts.position.token_balance.is_zero() {
        return Ok(RuleOutcome::Held(HoldReason::OrderEmpty));
    }
    let Some(parts) = parts_left(config, facts.started_at, &facts.last, facts.now) else {
        return Ok(RuleOutcome::Held(HoldReason::OrderSlice));
    };
    let reason = match trigger(config, schedule, facts)? {
        TriggerState::Waiting => return Ok(RuleOutcome::Silent),
        TriggerState::Unconfirmed => return Ok(RuleOutcome::Held(HoldReason::OrderUnconfirmed)),
        TriggerState::Due(reason) => reason,
    };
    Ok(match config.side {
        OrderSide::Buy => {
            let left = left_usd(config, facts.bought)?.checked_sub(facts.spent.unsettled_buys)?;
            // A failure that is not final may have bought after all.
            if !left.is_positive() && facts.spent.unsettled_buys.is_positive() {
                return Ok(RuleOutcome::Held(HoldReason::TradeOpen));
            }
            let part = left.decimal().checked_div(parts.into()).unwrap_or_default();
            RuleOutcome::of(
                Plan::buy(reason, Usd::rounded(part, Rounding::Down), facts)?,
                None,
            )
        }
        OrderSide::Sell => {
            let held = facts.position.token_balance;
            let part = held.mul_div(U256::from(1), U256::from(parts), Rounding::Down)?;
            let few = Some(HoldReason::TooFewUnits).filter(|_| part.is_zero());
            RuleOutcome::of(Plan::sell(reason, part, facts)?, few)
        }
    })
}

/// What a buy has left to spend, USD; below zero if more was spent, as far as the quote token rose.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn left_usd(config: &OrderConfig, bought: Usd) -> Result<Usd, MoneyError> {
    config.amount_usd.checked_sub(bought)
}

/// What the trigger says at this tick's price.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn trigger(
    config: &OrderConfig,
    schedule: &ScheduleConfig,
    facts: &Facts,
) -> Result<TriggerState, MoneyError> {
    let (line, reason) = match config.trigger() {
        Trigger::Market => return Ok(TriggerState::Due(Reason::MarketOrder)),
        Trigger::Limit(limit) => {
            let reached = match config.side {
                OrderSide::Buy => facts.price <= limit,
                OrderSide::Sell => facts.price >= limit,
            };
            return Ok(match reached {
                true => TriggerState::Due(Reason::LimitOrder),
                false => TriggerState::Waiting,
            });
        }
        Trigger::Stop(stop) => (
            Line {
                from: stop,
                percent: Decimal::ONE_HUNDRED,
            },
            Reason::StopOrder,
        ),
        Trigger::Trail(distance) => (
            trailing_line(config.side, distance, best(config.side, facts))?,
            Reason::TrailingOrder,
        ),
    };
    // It has fired: what the limits left of it is traded at any price.
    if facts.last.order_stop_has_fired() {
        return Ok(TriggerState::Due(reason));
    }
    if !line.is_reached(config.side, facts.price)? {
        return Ok(TriggerState::Waiting);
    }
    let before = facts.last_price.filter(|(_, at)| *at >= facts.started_at);
    let before = confirming_price(schedule, &facts.last, before, facts.now);
    let confirmed = before.map_or(Ok(false), |before| line.is_reached(config.side, before))?;
    Ok(match confirmed {
        true => TriggerState::Due(reason),
        false => TriggerState::Unconfirmed,
    })
}

/// A price at which a stop trades: per cent of another.
struct Line {
    from: Price,
    percent: Decimal,
}

impl Line {
    /// Whether the price is at the line, or worse.
    fn is_reached(&self, side: OrderSide, price: Price) -> Result<bool, MoneyError> {
        let compared = price.compare_to_percent_of(self.percent, self.from);
        Ok(match side {
            OrderSide::Buy => compared != Ordering::Less,
            OrderSide::Sell => compared != Ordering::Greater,
        })
    }
}

fn trailing_line(side: OrderSide, distance_pct: Decimal, best: Price) -> Result<Line, MoneyError> {
    let percent = match side {
        OrderSide::Buy => Decimal::ONE_HUNDRED.checked_add(distance_pct),
        OrderSide::Sell => Decimal::ONE_HUNDRED.checked_sub(distance_pct),
    };
    Ok(Line {
        from: best,
        percent: percent.ok_or(MoneyError::OutOfRange)?,
    })
}

/// The price that a trailing order is measured from: of a sale the highest since the order, of a buy the lowest, this
/// tick's price included.
fn best(side: OrderSide, facts: &Facts) -> Price {
    let Some(best) = facts.trailing_high else {
        return facts.price;
    };
    match side {
        OrderSide::Buy => best.min(facts.price),
        OrderSide::Sell => best.max(facts.price),
    }
}

/// The best price to remember after a tick; none of an order that does not trail, or has nothing to sell yet.
#[must_use]
pub fn remembered_best(config: &OrderConfig, facts: &Facts) -> Option<Price> {
    let empty = config.side == OrderSide::Sell && facts.position.token_balance.is_zero();
    let trails = matches!(config.trigger(), Trigger::Trail(_));
    (trails && !empty).then(|| best(config.side, facts))
}

/// When part `index`, from 0, is due.
#[must_use]
pub fn part_due(config: &OrderConfig, started_at: Timestamp, index: u32) -> Timestamp {
    let last = u128::from(config.slices.saturating_sub(1));
    let index = u128::from(index).min(last);
    let offset = config.over.std().as_millis().checked_mul(index);
    let offset = offset.and_then(|millis| millis.checked_div(last)).unwrap_or(0);
    // No offset is longer than `over`, which is a span.
    Span::from_millis(u64::try_from(offset).unwrap_or(u64::MAX)).after(started_at)
}

/// The part whose time it is, from 0: the last one that is due.
fn part_now(config: &OrderConfig, started_at: Timestamp, now: Timestamp) -> u32 {
    let last = config.slices.saturating_sub(1);
    let passed = now.signed_duration_since(started_at).num_milliseconds();
    let over = i64::try_from(config.over.std().as_millis()).unwrap_or(i64::MAX);
    let guess = i128::from(passed.max(0))
        .checked_mul(i128::from(last))
        .and_then(|parts| parts.checked_div(i128::from(over)))
        .and_then(|part| u32::try_from(part).ok())
        .map_or(last, |part| part.min(last));
    // A part's instant is rounded down to milliseconds, so the next one may be due as well.
    let next = guess.saturating_add(1).min(last);
    if part_due(config, started_at, next) <= now {
        next
    } else {
        guess
    }
}

/// Into how many parts what is left is to be divided now; `None`: the part whose time it is has been traded. A part
/// that was missed is spread over those that are left. In the last one everything is due at each slot.
#[must_use]
pub fn parts_left(
    config: &OrderConfig,
    started_at: Timestamp,
    last: &LastFills,
    now: Timestamp,
) -> Option<u32> {
    let part = part_now(config, started_at, now);
    let left = config.slices.saturating_sub(part).max(1);
    let since = part_due(config, started_at, part);
    let traded = last.order.is_some_and(|at| at >= since);
    (left == 1 || !traded).then_some(left)
}

/// When the next part is due, if it is later than `now`.
#[must_use]
pub fn next_part(
    config: &OrderConfig,
    started_at: Timestamp,
    last: &LastFills,
    now: Timestamp,
) -> Option<Timestamp> {
    if parts_left(config, started_at, last, now).is_some() {
        return None;
    }
    let next = part_now(config, started_at, now).saturating_add(1);
    Some(part_due(config, started_at, next))
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, Serialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum OrderEnd {
    /// Nothing is left to trade.
    Filled,
    /// Its time was over before.
    Expired,
}

/// What of an order was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// What was spent in this cycle, USD.
    pub bought: Usd,
    /// Tokens held.
    pub held: Amount,
    /// Whether any part was filled.
    pub any: bool,
}

/// Whether, and how, an order has ended. A buy is filled when less than `limits.min_trade_usd` is left to spend, a sale
/// when no token is left.
#[must_use]
pub fn ended(config: &OrderConfig, limits: &LimitsConfig, done: Done, now: Timestamp) -> Option<OrderEnd> {
    if is_filled(config, limits, done) {
        return Some(OrderEnd::Filled);
    }
    let over = config.until.is_some_and(|until| now >= until);
    over.then_some(OrderEnd::Expired)
}

/// The same of a job with this configuration; without an instant only whether it is filled. `None` in other modes.
#[must_use]
pub fn end_of(config: &JobConfig, done: Done, now: Option<Timestamp>) -> Option<OrderEnd> {
    let rules = config.rules.order()?;
    ended(rules, &config.limits, done, now.unwrap_or(Timestamp::MIN_UTC))
}

/// Whether nothing is left to trade.
fn is_filled(config: &OrderConfig, limits: &LimitsConfig, done: Done) -> bool {
    done.any
        && match config.side {
            OrderSide::Buy => left_usd(config, done.bought).is_ok_and(|left| left < limits.min_trade_usd),
            OrderSide::Sell => done.held.is_zero(),
        }
}

/// Whether a stop of an order that sells should sell now.
#[must_use]
pub fn stop_is_due(config: &OrderConfig, schedule: &ScheduleConfig, facts: &Facts) -> bool {
    let sells = config.side == OrderSide::Sell && !facts.position.token_balance.is_zero();
    let over = config.until.is_some_and(|until| facts.now >= until);
    let due = || trigger(config, schedule, facts);
    sells
        && !over
        && matches!(
            due(),
            Ok(TriggerState::Due(Reason::StopOrder | Reason::TrailingOrder))
        )
}

/// What an order waits for, as its owner reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// BUY or SELL.
    pub side: Side,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// The price at which it trades, USD; none of an order at any price, or that has seen no price yet.
    pub at_usd: Option<Price>,
    /// How far the last accepted price is from that, per cent of that; none if no price is known, or it is reached.
    pub distance_pct: Option<Decimal>,
    /// The best price so far, of an order that trails, USD.
    pub best_usd: Option<Price>,
    /// The accepted price of the slot before reached its stop: one more is enough.
    pub seen_once: bool,
    /// A buy: what it has left to spend, USD.
    pub left_usd: Option<Usd>,
    /// When the next part is due; none if one is due now, or there is only one.
    pub next_part: Option<Timestamp>,
    /// When its time is over.
    pub until: Option<Timestamp>,
}

/// What an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// Nothing: it trades at any price.
    Market,
    /// A price at its limit, or better.
    Limit,
    /// A price at its stop, or worse, in two slots in a row.
    Stop,
    /// A price that is `trail_pct` worse than the best, in two slots in a row.
    Trail,
}

/// What is known of an order between two ticks.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Now.
    pub now: Timestamp,
    /// When its cycle started.
    pub started_at: Timestamp,
    /// The last accepted price and its instant; none before the first.
    pub last_price: Option<(Price, Timestamp)>,
    /// The best price since the order, of one that trails.
    pub best: Option<Price>,
    /// What was spent in this cycle, USD.
    pub bought: Usd,
    /// When each rule last filled.
    pub last: LastFills,
}

/// What an order waits for.
#[must_use]
pub fn outlook(config: &OrderConfig, schedule: &ScheduleConfig, known: &Known) -> Outlook {
    let (waits_for, at_usd) = match config.trigger() {
        Trigger::Market => (WaitsFor::Market, None),
        Trigger::Limit(limit) => (WaitsFor::Limit, Some(limit)),
        Trigger::Stop(stop) => (WaitsFor::Stop, Some(stop)),
        Trigger::Trail(distance) => (WaitsFor::Trail, trails_at(config, distance, known.best)),
    };
    // A limit is reached from the other side than a stop.
    let falls = (waits_for == WaitsFor::Limit) == (config.side == OrderSide::Buy);
    let reached = |price: Price, at: Price| if falls { price <= at } else { price >= at };
    let last = known.last_price.map(|(price, _)| price);
    let far = last.zip(at_usd).filter(|(price, at)| !reached(*price, *at));
    let before = known.last_price.filter(|(_, at)| *at >= known.started_at);
    let before = confirming_price(schedule, &known.last, before, known.now);
    let stops = matches!(waits_for, WaitsFor::Stop | WaitsFor::Trail);
    Outlook {
        side: config.side.side(),
        waits_for,
        at_usd,
        distance_pct: far.and_then(|(price, at)| distance_pct(price, at)),
        best_usd: known.best.filter(|_| waits_for == WaitsFor::Trail),
        seen_once: stops && before.zip(at_usd).is_some_and(|(before, at)| reached(before, at)),
        left_usd: match config.side {
            OrderSide::Buy => left_usd(config, known.bought)
                .ok()
                .map(|left| left.max(Usd::ZERO)),
            OrderSide::Sell => None,
        },
        next_part: next_part(config, known.started_at, &known.last, known.now),
        until: config.until,
    }
}

/// The price at which an order that trails trades, as long as its best price stands.
fn trails_at(config: &OrderConfig, distance_pct: Decimal, best: Option<Price>) -> Option<Price> {
    let line = trailing_line(config.side, distance_pct, best?).ok()?;
    let rounding = match config.side {
        OrderSide::Buy => Rounding::Up,
        OrderSide::Sell => Rounding::Down,
    };
    line.from.percent(line.percent, rounding).ok()
}

/// How far two prices are apart, per cent of the second, to two digits.
fn distance_pct(price: Price, at: Price) -> Option<Decimal> {
    let apart = price.decimal().checked_sub(at.decimal())?.abs();
    let share = apart
        .checked_mul(Decimal::ONE_HUNDRED)?
        .checked_div(at.decimal())?;
    Some(share.round_dp(2).normalize())
}
