//! Decisions per second of one core: the rules and limits of a tick on facts that are already loaded.
//! `cargo bench -p lgi-mm-domain`; scripts/bench runs it too. The figures are in docs/performance.md.
#![expect(clippy::expect_used, reason = "a failure ends the benchmark")]

use std::hint::black_box;

use alloy_primitives::U256;
use chrono::{DateTime, TimeDelta};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lgi_mm_domain::{
    config::JobConfig,
    decision::{Decision, Facts, LastFills, MovingAverage, Peers, Position, Spent},
    job::JobMode,
    limits,
    units::{Amount, Price, Usd},
};
use rust_decimal::Decimal;

/// Facts decided in one measured run.
const FACTS: u32 = 1_000;

fn price(cents: u32) -> Price {
    Price::new(Decimal::new(i64::from(cents), 2)).expect("above zero")
}

/// A job with a position whose prices move up to half a per cent up and down: every rule is evaluated, most hold.
fn facts(mode: JobMode) -> Vec<Facts> {
    let start = DateTime::from_timestamp(1_767_225_600, 0).expect("a time");
    let one = |number: u32| {
        let moved = 19_900 + number * 7_919 % 200;
        Facts {
            now: start + TimeDelta::minutes(i64::from(number)),
            started_at: start,
            price: price(moved),
            last_price: None,
            trailing_high: Some(price(20_150)),
            profit_high: None,
            previous_price: Some(price(19_900 + number * 104_729 % 200)),
            recent_high: price(20_100),
            moving_average: Some(MovingAverage {
                price: price(20_000),
                coverage_pct: Decimal::ONE_HUNDRED,
            }),
            position: Position {
                token_balance: Amount::new(U256::from(5_000_000_000_000_000_000_u64)),
                token_decimals: 18,
                cost_basis: Usd::new(Decimal::from(950)).expect("USD"),
                owns_quote: mode == JobMode::Liquidity,
                quote_balance: Amount::new(U256::from(1_000_000_000_u64)),
                quote_decimals: 6,
                quote_price: Price::ONE,
                realized_pnl: Usd::ZERO,
            },
            bought: Usd::ZERO,
            last: LastFills {
                dca: Some(start + TimeDelta::days(2)),
                ..LastFills::default()
            },
            spent: Spent::default(),
            peers: Peers::default(),
        }
    };
    (0..FACTS).map(one).collect()
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decisions");
    group.throughput(Throughput::Elements(FACTS.into()));
    for (name, mode) in [
        ("accumulate", JobMode::Accumulate),
        ("liquidity", JobMode::Liquidity),
    ] {
        let mut config = JobConfig::for_mode(mode);
        if let Some(rules) = config.rules.accumulate_mut() {
            rules.take_profit_pct = Decimal::from(30);
            rules.trailing_take_profit_pct = Decimal::from(5);
            rules.stop_loss_pct = Decimal::from(20);
            rules.stop_price_usd = Decimal::ONE;
            rules.trailing_stop_pct = Decimal::from(15);
        }
        let facts = facts(mode);
        let held = facts
            .iter()
            .filter(|facts| matches!(limits::decide(&config, facts), Decision::Hold(_)));
        assert!(held.count() * 2 > facts.len(), "these are mostly holds");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for facts in &facts {
                    black_box(limits::decide(black_box(&config), black_box(facts)));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
