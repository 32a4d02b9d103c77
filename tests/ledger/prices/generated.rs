use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    domain::config::{GeneratedConfig, PriceConfig, SourceName},
    prices::PriceBook,
};
use rust_decimal::Decimal;

use crate::prices::{ask, at, local_book, sources, token};

const START: &str = "2026-03-01T00:00:00Z";

fn config(seed: u64, start_usd: &str, swing_pct: u32, period: &str) -> PriceConfig {
    PriceConfig {
        generated: GeneratedConfig {
            seed,
            start_usd: start_usd.parse().expect("a decimal"),
            swing_pct: Decimal::from(swing_pct),
            period: period.parse().expect("a span"),
        },
        ..sources(&[SourceName::Generated])
    }
}

async fn price(book: &PriceBook, config: &PriceConfig, token_number: u8, now: DateTime<Utc>) -> Decimal {
    let seen = ask(book, config, token(token_number), now)
        .await
        .expect("a price");
    assert_eq!((seen.source, seen.observed_at), (SourceName::Generated, now));
    seen.price_usd
}

/// `count` prices, one every `step`.
async fn walk(config: &PriceConfig, token_number: u8, step: TimeDelta, count: i32) -> Vec<Decimal> {
    let book = local_book();
    let mut prices = Vec::new();
    for index in 0..count {
        prices.push(price(&book, config, token_number, at(START) + step * index).await);
    }
    prices
}

/// The deepest fall from a high seen before, per cent of the high.
fn deepest_fall_pct(prices: &[Decimal]) -> Decimal {
    let mut high = Decimal::ZERO;
    let mut deepest = Decimal::ZERO;
    for price in prices {
        high = high.max(*price);
        deepest = deepest.max((high - price) / high * Decimal::ONE_HUNDRED);
    }
    deepest
}

/// These very numbers on every machine and in every version: recorded runs and demos are repeated by them.
#[tokio::test]
async fn a_seed_gives_the_same_prices_for_ever() {
    let config = config(7, "1.25", 20, "1h");
    let mut prices = Vec::new();
    for now in [
        "2026-03-01T00:00:00Z",
        "2026-03-01T00:17:43.250Z",
        "1969-12-31T23:59:59.999999Z",
    ] {
        prices.push(price(&local_book(), &config, 1, at(now)).await.to_string());
    }
    assert_eq!(prices, PINNED);
}

const PINNED: [&str; 3] = ["1.370126992", "1.23152195125", "1.39551054675"];

#[tokio::test]
async fn seeds_and_tokens_choose_different_series() {
    let book = local_book();
    let mut prices = HashSet::new();
    for seed in 0..10 {
        for token in 0..10 {
            prices.insert(price(&book, &config(seed, "1", 20, "1h"), token, at(START)).await);
        }
    }
    assert!(prices.len() > 98, "{} of 100 differ", prices.len());
}

#[tokio::test]
async fn prices_stay_within_the_swing_and_above_zero() {
    for (start_usd, swing_pct) in [
        ("1", 0),
        ("1", 90),
        ("0.000000000412", 50),
        ("0.0000000000000000000000000001", 90),
        ("1000000000", 90),
    ] {
        let config = config(3, start_usd, swing_pct, "2s");
        let start: Decimal = start_usd.parse().expect("a decimal");
        let reach = start * Decimal::from(swing_pct) / Decimal::ONE_HUNDRED;
        // Twelve digits are kept, so the last one may be rounded past the edge.
        let slack = start / Decimal::from(1_000_000_000_i64);
        for price in walk(&config, 1, TimeDelta::milliseconds(37), 400).await {
            assert!(price > Decimal::ZERO, "{start_usd}: {price}");
            assert!((price - start).abs() <= reach + slack, "{start_usd}: {price}");
            assert!(price.mantissa().to_string().len() <= 12, "{start_usd}: {price}");
        }
    }
}

#[tokio::test]
async fn a_few_periods_hold_falls_of_a_whole_swing_and_rises_again() {
    for seed in 0..50 {
        let config = config(seed, "2", 20, "1h");
        let mut prices = walk(&config, 1, TimeDelta::seconds(90), 4 * 40).await;
        let fall = deepest_fall_pct(&prices);
        assert!(fall >= Decimal::from(20), "seed {seed}: falls by {fall} % only");
        prices.reverse();
        let rise = deepest_fall_pct(&prices);
        assert!(rise >= Decimal::from(20), "seed {seed}: rises by {rise} % only");
    }
}

#[tokio::test]
async fn some_periods_have_a_sharp_dip_and_others_do_not() {
    let config = config(5, "1", 20, "1h");
    // Within two minutes, a thirtieth of a period, the noise alone moves by a few per cent at most.
    let prices = walk(&config, 1, TimeDelta::minutes(2), 30 * 40).await;
    let sharp = |period: &&[Decimal]| {
        period
            .windows(2)
            .any(|pair| (pair[0] - pair[1]) / pair[0] > Decimal::new(7, 2))
    };
    let with_dip = prices.chunks(30).filter(sharp).count();
    assert!((5..=35).contains(&with_dip), "{with_dip} of 40 periods");
}

#[tokio::test]
async fn the_price_moves_within_a_second_but_never_leaps() {
    let config = config(5, "1", 20, "10s");
    let prices = walk(&config, 1, TimeDelta::milliseconds(10), 4_000).await;
    let moved = prices.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(moved > 3_600, "{moved} of 3999 steps of 10 ms moved it");
    for pair in prices.windows(2) {
        let step = (pair[1] - pair[0]).abs();
        assert!(
            step < Decimal::new(1, 2),
            "a thousandth of a period moved it by {step}"
        );
    }
}

#[tokio::test]
async fn a_month_long_swing_still_moves_ten_times_a_second_and_has_twelve_digits() {
    let config = config(5, "1", 20, "30d");
    let prices = walk(&config, 1, TimeDelta::milliseconds(100), 1_000).await;
    let moved = prices.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(moved > 900, "{moved} of 999 steps of 100 ms moved it");
    let digits = prices
        .iter()
        .map(|price| price.mantissa().to_string().len())
        .max();
    assert!(digits.is_some_and(|digits| digits >= 11), "{digits:?} digits");
}

#[tokio::test]
async fn the_extremes_that_a_configuration_allows_are_computed() {
    let book = local_book();
    for period in ["2s", "365d"] {
        for now in [
            "1900-01-01T00:00:00Z",
            "2026-03-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            let config = config(u64::MAX, "1", 90, period);
            assert!(
                price(&book, &config, 255, at(now)).await > Decimal::ZERO,
                "{period} {now}"
            );
        }
    }
}
