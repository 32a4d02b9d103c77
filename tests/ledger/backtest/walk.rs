//! A price that walks at random, the same at every run.

use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{backtest::PricePoint, domain::units::Price};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rust_decimal::Decimal;

pub fn start() -> DateTime<Utc> {
    "2026-03-28T20:00:00Z".parse().expect("a time")
}

/// A row a minute, a few missing, with waves of up to a third and one jump that nobody believes at first.
pub fn minutes(seed: u64, count: i64) -> Vec<PricePoint> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut ppm = 1_000_000_i64;
    (0..count)
        .filter_map(|minute| {
            ppm += ppm * random.random_range(-12_000..=12_000) / 1_000_000;
            let wave = if minute / 60 % 2 == 0 { 2_600 } else { -2_500 };
            ppm += ppm * wave / 1_000_000;
            let jump = if (count / 2..count / 2 + 4).contains(&minute) {
                2
            } else {
                1
            };
            let missing = (30..34).contains(&(minute % 97)) && minute > 30;
            let price = Price::new(Decimal::new(ppm * jump, 6) / Decimal::from(40)).expect("above zero");
            (!missing).then_some(PricePoint {
                at: start() + TimeDelta::minutes(minute),
                price,
            })
        })
        .collect()
}
