//! What a backtest leaves out because nothing can fire is nothing.

use chrono::TimeDelta;
use lgi_mm::{
    backtest::{
        Detail, Held, PricePoint, RunResult, Runner, Setup,
        result::{Drawdown, Point},
    },
    domain::{
        config::{AccumulateConfig, AfterStop, JobConfig, LiquidityConfig, OrderConfig, OrderSide, Rules},
        decision::HoldReason,
        job::JobMode,
        span::Span,
        units::{Amount, Price, Rounding, Usd},
    },
    paper::PaperSettings,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rust_decimal::Decimal;

use crate::backtest::walk;

fn pick<T: Copy>(random: &mut StdRng, of: &[T]) -> T {
    of[random.random_range(0..of.len())]
}

fn usd(random: &mut StdRng, of: &[&str]) -> Usd {
    Usd::rounded(pick(random, of).parse().expect("USD"), Rounding::Down)
}

fn dec(random: &mut StdRng, of: &[&str]) -> Decimal {
    pick(random, of).parse().expect("a decimal")
}

/// A price near the one that the walk returns to; 0 = not wanted.
fn near(random: &mut StdRng, begin: Decimal, of: &[&str]) -> Decimal {
    (begin * dec(random, of)).normalize()
}

fn setup(random: &mut StdRng, begin: Decimal) -> Setup {
    let mode = pick(
        random,
        &[
            JobMode::Accumulate,
            JobMode::Accumulate,
            JobMode::Liquidity,
            JobMode::Liquidity,
            JobMode::Order,
        ],
    );
    let mut config = JobConfig::for_mode(mode);
    config.schedule.cron = pick(
        random,
        &["* * * * *", "*/5 * * * *", "*/30 * * * * *", "7 1-22 * * *"],
    )
    .parse()
    .expect("a cron line");
    config.schedule.timezone = pick(random, &["UTC", "Europe/Berlin", "Asia/Kathmandu"])
        .parse()
        .expect("a zone");
    config.price.max_price_move_pct = dec(random, &["0", "0", "0.5", "2", "50"]);
    config.limits.max_daily_spend_usd = usd(random, &["0", "60", "5000"]);
    config.limits.max_trades_per_hour = pick(random, &[0, 2, 60]);
    config.rules = match mode {
        JobMode::Accumulate => Rules::Accumulate(accumulate(random, begin)),
        JobMode::Liquidity => Rules::Liquidity(liquidity(random)),
        JobMode::Order => Rules::Order(order(random, begin)),
        JobMode::Basket => Rules::for_mode(mode),
    };
    if random.random_range(0..3) == 0 {
        leave_alone(random, begin, &mut config);
    }
    let mut setup = Setup::new(mode, config, PaperSettings::default());
    setup.token_decimals = pick(random, &[0, 6, 18, 24]);
    if setup
        .config
        .rules
        .order()
        .is_some_and(|rules| rules.side == OrderSide::Sell)
    {
        setup.held = Some(Held {
            tokens: Amount::from_whole("1234", setup.token_decimals).expect("tokens"),
            cost: usd(random, &["0", "56.78"]),
        });
    }
    setup.sample_interval = pick(random, &["10s", "1m", "7m"]).parse().expect("a span");
    setup.stands_for = pick(random, &["0s", "10m"]).parse().expect("a span");
    setup
}

/// After its first buys such a job holds for one reason for days, until a price is far from where that began.
fn leave_alone(random: &mut StdRng, begin: Decimal, config: &mut JobConfig) {
    config.price.max_price_move_pct = Decimal::ZERO;
    if let Some(rules) = config.rules.accumulate_mut() {
        rules.dca_interval = Some(span(random, &["0s", "300d"]));
        rules.dca_schedule = None;
        rules.max_accumulation_usd = usd(random, &["10", "30"]);
        rules.dip_buy_threshold_pct = Decimal::ZERO;
        rules.buy_above_usd = near(random, begin, &["0", "0.99", "0.95"]);
        rules.buy_below_usd = near(random, begin, &["0", "1.01", "1.07"]);
    }
}

fn span(random: &mut StdRng, of: &[&str]) -> Span {
    pick(random, of).parse().expect("a span")
}

/// Every key by name: a new one does not compile before it is varied here.
fn accumulate(random: &mut StdRng, begin: Decimal) -> AccumulateConfig {
    let by_interval = random.random_range(0..2) == 0;
    AccumulateConfig {
        dca_interval: by_interval.then(|| span(random, &["0s", "90s", "17m", "4h", "300d"])),
        dca_schedule: (!by_interval).then(|| {
            let line = pick(random, &["*/20 * * * *", "0 9 * * *"]);
            line.parse().expect("a cron line")
        }),
        buy_above_usd: near(random, begin, &["0", "0", "0.98"]),
        buy_below_usd: near(random, begin, &["0", "0", "1.00001", "1.02"]),
        dca_amount_usd: usd(random, &["10", "7.77"]),
        max_accumulation_usd: usd(random, &["30", "77.7", "500", "100000"]),
        dip_buy_threshold_pct: dec(random, &["0", "0", "1.5", "4", "10"]),
        dip_buy_multiplier: dec(random, &["0.5", "2", "3.3"]),
        dip_window: span(random, &["10m", "2h", "1d"]),
        dip_cooldown: span(random, &["0s", "30m"]),
        take_profit_pct: dec(random, &["0", "1", "2.345678", "9"]),
        take_profit_sell_pct: dec(random, &["25", "100", "0.5"]),
        trailing_take_profit_pct: dec(random, &["0", "0", "0.75", "3"]),
        take_profit_cooldown: span(random, &["0s", "45m", "9h"]),
        stop_loss_pct: dec(random, &["0", "0", "1.5", "7", "40"]),
        stop_price_usd: near(random, begin, &["0", "0", "0.97", "0.9"]),
        trailing_stop_pct: dec(random, &["0", "0", "1.25", "6"]),
        trailing_arm_pct: dec(random, &["0", "3"]),
        stop_sells_pct: dec(random, &["100", "33.3"]),
        after_stop: pick(
            random,
            &[
                AfterStop::Continue,
                AfterStop::Continue,
                AfterStop::Pause,
                AfterStop::Idle,
            ],
        ),
        stop_cooldown: span(random, &["0s", "25m", "6h"]),
    }
}

/// Every key by name: a new one does not compile before it is varied here.
fn liquidity(random: &mut StdRng) -> LiquidityConfig {
    LiquidityConfig {
        spread_pct: dec(random, &["0.3", "1", "2.5"]),
        spread_trade_usd: usd(random, &["25", "5"]),
        support_buy_multiplier: dec(random, &["1", "2", "4.5"]),
        support_dip_pct: dec(random, &["3", "10"]),
        spread_cooldown: span(random, &["0s", "3m", "1h"]),
        ma_window: span(random, &["10m", "45m", "4h"]),
        target_ratio_pct: dec(random, &["50", "20", "97", "4"]),
        rebalance_threshold_pct: dec(random, &["1", "5", "10"]),
        budget_usd: usd(random, &["500", "33.3"]),
        max_daily_volume_usd: usd(random, &["0", "1000"]),
    }
}

/// Every key by name: a new one does not compile before it is varied here.
fn order(random: &mut StdRng, begin: Decimal) -> OrderConfig {
    let begins = walk::start();
    OrderConfig {
        side: pick(random, &[OrderSide::Buy, OrderSide::Buy, OrderSide::Sell]),
        amount_usd: usd(random, &["10", "45.67", "300"]),
        limit_usd: near(random, begin, &["0", "0", "0.98", "1.01"]),
        stop_usd: near(random, begin, &["0", "0", "0.97", "1.02"]),
        trail_pct: dec(random, &["0", "1.5", "6"]),
        until: pick(
            random,
            &[None, Some(TimeDelta::hours(9)), Some(TimeDelta::days(300))],
        )
        .map(|after| begins + after),
        slices: pick(random, &[1, 1, 7]),
        over: span(random, &["0s", "5h"]),
    }
}

/// Walks of many magnitudes, step sizes and digits, with holes.
fn rows(random: &mut StdRng, begin: Decimal) -> Vec<PricePoint> {
    let step = pick(random, &[300_i64, 1_500, 6_000]);
    let scale = begin.scale();
    let begin = i64::try_from(begin.mantissa()).expect("few digits");
    let (mut price, mut at) = (begin, walk::start());
    (0..2_500)
        .map(|_| {
            let jump = if random.random_range(0..400) == 0 { 30 } else { 1 };
            price += price / 1_000 * random.random_range(-step..=step) * jump / 1_000;
            price += (begin - price) / 300;
            price = price.max(1_000);
            at += match random.random_range(0..300) {
                0 => TimeDelta::minutes(random.random_range(2..2_000)),
                1..20 => TimeDelta::seconds(random.random_range(1..200)),
                _ => TimeDelta::minutes(1),
            };
            PricePoint {
                at,
                price: Price::new(Decimal::new(price, scale)).expect("above zero"),
            }
        })
        .collect()
}

fn outcome(mut runner: Runner, rows: &[PricePoint]) -> RunResult {
    rows.iter().for_each(|row| runner.feed(*row));
    runner.finish()
}

/// The deepest fall, from every tick.
fn drawdown(points: &[Point]) -> Drawdown {
    let (mut peak, mut deepest) = (Usd::ZERO, Drawdown::default());
    for point in points {
        peak = peak.max(point.net_usd);
        let fall = peak.checked_sub(point.net_usd).expect("USD");
        let grown = point.money_in_usd.checked_add(peak).expect("USD").decimal();
        let pct = if grown.is_zero() {
            Decimal::ZERO
        } else {
            (fall.decimal() * Decimal::ONE_HUNDRED / grown)
                .round_dp(4)
                .normalize()
        };
        deepest.usd = deepest.usd.max(fall);
        if pct > deepest.pct {
            (deepest.pct, deepest.at) = (pct, Some(point.at));
        }
    }
    deepest
}

#[test]
fn shortcuts_change_nothing() {
    let all = Detail {
        trades: true,
        points_max: usize::MAX,
        hold_runs_max: usize::MAX,
    };
    let (mut traded, mut reasons) = (0, std::collections::BTreeSet::new());
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let digits = pick(&mut random, &[1_234_567_i64, 98_765_432_100, 5_000_000_000_000]);
        let begin = Decimal::new(digits, pick(&mut random, &[2, 6, 8, 12, 16, 18, 20]));
        let (setup, rows) = (setup(&mut random, begin), rows(&mut random, begin));
        let full = outcome(Runner::in_full(&setup, all), &rows);
        let short = outcome(Runner::new(&setup, all), &rows);
        for (full, short) in full.holds.iter().zip(&short.holds) {
            assert_eq!(full, short, "seed {seed}: {setup:?}");
        }
        assert_eq!(full, short, "seed {seed}: {setup:?}");
        let summary = outcome(Runner::new(&setup, Detail::SUMMARY), &rows).summary;
        assert_eq!(full.summary, summary, "seed {seed}: {setup:?}");
        assert_eq!(
            full.summary.drawdown,
            drawdown(&full.points),
            "seed {seed}: {setup:?}"
        );
        // An order is filled by few trades.
        let few = if setup.mode == JobMode::Order { 0 } else { 3 };
        traded += usize::from(full.summary.buys + full.summary.sells > few);
        reasons.extend(full.summary.holds.iter().map(|total| total.reason));
    }
    assert!(traded > 30, "only {traded} runs traded");
    for reason in [
        HoldReason::StopUnconfirmed,
        HoldReason::BelowStop,
        HoldReason::StopCooldown,
        HoldReason::Paused,
    ] {
        assert!(reasons.contains(&reason), "no run held as {reason}");
    }
    assert!(reasons.len() > 10, "only {reasons:?} were seen");
}
