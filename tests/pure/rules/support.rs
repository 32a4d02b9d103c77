//! Short names for what the tests speak about, and fills as a venue would make them.

use alloy_primitives::U256;
use chrono::TimeDelta;
use lgi_mm::domain::{
    Timestamp,
    accounting::{Booked, Fill, book},
    config::JobConfig,
    decision::{Facts, LastFills, MovingAverage, Peers, Plan, Position, ProfitTaken, RuleFill, Side, Spent},
    job::JobMode,
    units::{Amount, Price, Rounding, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

pub(crate) fn dec(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

pub(crate) fn usd(text: &str) -> Usd {
    Usd::new(dec(text)).expect("USD")
}

pub(crate) fn price(text: &str) -> Price {
    Price::new(dec(text)).expect("a price")
}

/// Whole tokens of 18 digits.
pub(crate) fn tokens(text: &str) -> Amount {
    Amount::from_whole(text, 18).expect("tokens")
}

/// Whole units of a quote token of 6 digits.
pub(crate) fn quote(text: &str) -> Amount {
    Amount::from_whole(text, 6).expect("quote")
}

pub(crate) fn units(count: u128) -> Amount {
    Amount::new(U256::from(count))
}

/// This number of seconds into a year that begins on a midnight.
pub(crate) fn at(secs: i64) -> Timestamp {
    let start = Timestamp::from_timestamp(1_767_225_600, 0).expect("2026-01-01");
    start + TimeDelta::seconds(secs)
}

pub(crate) fn hours(count: i64) -> i64 {
    count * 3_600
}

/// Nothing held, nothing done yet, price 1.
pub(crate) fn facts() -> Facts {
    Facts {
        now: at(0),
        started_at: at(0),
        price: Price::ONE,
        previous_price: None,
        last_price: None,
        trailing_high: None,
        profit_high: None,
        recent_high: Price::ONE,
        moving_average: None,
        position: Position {
            token_balance: Amount::ZERO,
            token_decimals: 18,
            cost_basis: Usd::ZERO,
            owns_quote: false,
            quote_balance: Amount::ZERO,
            quote_decimals: 6,
            quote_price: Price::ONE,
            realized_pnl: Usd::ZERO,
        },
        bought: Usd::ZERO,
        last: LastFills::default(),
        spent: Spent::default(),
        peers: Peers::default(),
    }
}

pub(crate) fn accumulating() -> JobConfig {
    JobConfig::for_mode(JobMode::Accumulate)
}

pub(crate) fn providing() -> JobConfig {
    JobConfig::for_mode(JobMode::Liquidity)
}

pub(crate) fn ordering() -> JobConfig {
    JobConfig::for_mode(JobMode::Order)
}

pub(crate) fn mean(at: &str, coverage_pct: &str) -> Option<MovingAverage> {
    Some(MovingAverage {
        price: price(at),
        coverage_pct: dec(coverage_pct),
    })
}

/// The fill of a plan at its own price by a venue that keeps `fee_bps`.
pub(crate) fn fill(plan: &Plan, position: &Position, fee_bps: u32) -> Fill {
    let kept = |amount: Amount| {
        let kept_bps = U256::from(10_000 - fee_bps);
        let kept = amount.mul_div(kept_bps, U256::from(10_000), Rounding::Down);
        kept.expect("in range")
    };
    match plan.side {
        Side::Buy => Fill {
            side: Side::Buy,
            base_amount: kept(
                plan.value
                    .to_amount(position.token_decimals, plan.price, Rounding::Down)
                    .expect("in range"),
            ),
            quote_amount: plan.amount_in,
            quote_usd: plan.value,
        },
        Side::Sell => {
            let quote_amount = kept(
                plan.value
                    .to_amount(position.quote_decimals, position.quote_price, Rounding::Down)
                    .expect("in range"),
            );
            Fill {
                side: Side::Sell,
                base_amount: plan.amount_in,
                quote_amount,
                quote_usd: quote_amount
                    .value(position.quote_decimals, position.quote_price, Rounding::Down)
                    .expect("in range"),
            }
        }
    }
}

/// Books a plan into the facts as a venue without fees would fill it, and remembers which rule it was.
pub(crate) fn apply(plan: &Plan, facts: &mut Facts) -> Booked {
    let fill = fill(plan, &facts.position, 0);
    let booked = book(facts.position, &fill).expect("books");
    facts.position = booked.position;
    let filled = RuleFill {
        reason: plan.reason,
        slot: facts.now,
        price: facts.price,
        average_cost: booked.average_cost_kept(&fill),
    };
    facts.last = facts.last.booked(filled, facts.position.token_balance);
    booked
}

pub(crate) fn any_price() -> impl Strategy<Value = Price> {
    (1_i64..1_000_000_000_000, 0_u32..16)
        .prop_map(|(mantissa, scale)| Price::new(Decimal::new(mantissa, scale)).expect("above zero"))
}

/// Up to ten million USD, to the last digit.
pub(crate) fn any_usd() -> impl Strategy<Value = Usd> {
    (0_i64..=10_000_000, 0_i64..1_000_000_000_000).prop_map(|(whole, fraction)| {
        let fraction = Decimal::new(fraction, 12);
        Usd::new(Decimal::from(whole) + fraction).expect("twelve digits")
    })
}

pub(crate) fn any_percent(max: i64) -> impl Strategy<Value = Decimal> {
    (0..=max * 100).prop_map(|hundredths| Decimal::new(hundredths, 2))
}

/// A holding that cost `cost`, bought at another price than it has now: price, balance and cost are free of
/// each other within a value of a million USD.
pub(crate) fn any_position(price: Price, token_decimals: u8) -> impl Strategy<Value = Position> {
    (any_usd(), any_usd(), any_usd(), 0_i64..2_000).prop_map(move |(held, cost, owned, quote_price)| {
        let quote_price = Price::new(Decimal::new(quote_price + 1, 3)).expect("above zero");
        Position {
            token_balance: held
                .to_amount(token_decimals, price, Rounding::Down)
                .expect("in range"),
            token_decimals,
            cost_basis: cost,
            owns_quote: false,
            quote_balance: owned.to_amount(6, quote_price, Rounding::Down).expect("in range"),
            quote_decimals: 6,
            quote_price,
            realized_pnl: Usd::ZERO,
        }
    })
}

fn any_instant() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::of((0_i64..2 * 86_400).prop_map(at))
}

/// Facts of any tick within two days of the start.
pub(crate) fn any_facts() -> impl Strategy<Value = Facts> {
    (any_price(), 0_u8..=24)
        .prop_flat_map(|(price, decimals)| {
            let last = (
                any_instant(),
                any_instant(),
                any_instant(),
                any_instant(),
                any_percent(300),
                any_percent(200),
                any_instant(),
                any_instant(),
            );
            let near = || any_percent(300).prop_map(move |percent| scaled(price, percent));
            (
                Just(price),
                any_position(price, decimals),
                last,
                proptest::option::of(near()),
                near(),
                proptest::option::of((near(), any_percent(100))),
                (any_usd(), any_usd(), 0_u32..100),
                (
                    proptest::option::of((near(), 1_i64..2 * 86_400)),
                    proptest::option::of(near()),
                    proptest::option::of(near()),
                ),
            )
        })
        .prop_map(
            |(price, position, last, previous_price, high, mean, spent, (before, trailing, profit))| Facts {
                now: at(2 * 86_400),
                started_at: at(0),
                price,
                previous_price,
                last_price: before.map(|(price, secs)| (price, at(2 * 86_400 - secs))),
                trailing_high: trailing,
                profit_high: profit,
                recent_high: high.max(price),
                moving_average: mean.map(|(price, coverage_pct)| MovingAverage { price, coverage_pct }),
                position,
                bought: spent.0,
                last: LastFills {
                    dca: last.0,
                    dip: last.1,
                    take_profit: last.2.map(|at| ProfitTaken {
                        at,
                        price: scaled(price, last.4),
                        average_cost: (!last.5.is_zero()).then(|| scaled(price, last.5)),
                    }),
                    spread: last.3,
                    stop: last.6,
                    rearmed: last.7,
                    order: last.6,
                    order_stop: last.6,
                    backoff_until: None,
                },
                peers: Peers::default(),
                spent: Spent {
                    buys_today: spent.0,
                    volume_today: spent.1,
                    trades_last_hour: spent.2,
                    unsettled_buys: Usd::ZERO,
                },
            },
        )
}

/// About `percent` per cent of a price, and above zero.
pub(crate) fn scaled(price: Price, percent: Decimal) -> Price {
    let percent = percent.max(Decimal::ONE);
    Price::new(price.decimal() * percent / Decimal::ONE_HUNDRED).expect("above zero")
}

/// Any valid-looking limits for small accounts: tight enough that each of them bites.
pub(crate) fn any_limits(mode: JobMode) -> impl Strategy<Value = JobConfig> {
    (any_usd(), any_usd(), any_usd(), 0_u32..100, 1_i64..100).prop_map(
        move |(position, spend, volume, trades, min)| {
            let mut config = JobConfig::for_mode(mode);
            config.limits.max_position_usd = position;
            config.limits.max_daily_spend_usd = spend;
            config.limits.max_trades_per_hour = trades;
            config.limits.min_trade_usd = usd(&min.to_string());
            if let Some(rules) = config.rules.liquidity_mut() {
                rules.max_daily_volume_usd = volume;
            }
            config
        },
    )
}
