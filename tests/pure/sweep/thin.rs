//! Thinning keeps ends and extremes, in bounded memory.

use chrono::{DateTime, TimeDelta};
use lgi_mm::{
    backtest::{result::Point, thin::Thinned},
    domain::units::{Price, Usd},
};
use proptest::prelude::*;
use rust_decimal::Decimal;

fn point(second: i64, price: u32, profit: i32, drawdown: u32) -> Point {
    Point {
        at: DateTime::UNIX_EPOCH + TimeDelta::seconds(second),
        price: Price::new(Decimal::from(price)).expect("a price"),
        value_usd: Usd::ZERO,
        money_in_usd: Usd::ZERO,
        cash_usd: Usd::ZERO,
        average_cost: None,
        net_usd: Usd::new(Decimal::from(profit)).expect("USD"),
        drawdown_pct: Decimal::from(drawdown),
        stop_usd: None,
        moving_average: None,
        token_pct: None,
    }
}

proptest! {
    #[test]
    fn extremes_and_ends_are_kept_and_the_number_is_bounded(
        ticks in prop::collection::vec((1_u32..1_000_000, -1_000_000_i32..1_000_000, 0_u32..100), 1..3_000),
        points_max in 12_usize..500,
    ) {
        let all: Vec<Point> = ticks.iter().zip(0..).map(|((price, profit, drawdown), second)| point(second, *price, *profit, *drawdown)).collect();
        let mut thinned = Thinned::new(points_max);
        all.iter().for_each(|point| thinned.push(*point));
        let kept = thinned.points();
        prop_assert!(kept.len() <= points_max, "{} of {points_max}", kept.len());
        prop_assert!(kept.windows(2).all(|pair| pair[0].at < pair[1].at), "in order, no instant twice");
        prop_assert!(kept.iter().all(|point| all.contains(point)), "nothing is invented");
        prop_assert_eq!(kept.first(), all.first());
        prop_assert_eq!(kept.last(), all.last());
        prop_assert_eq!(kept.iter().map(|p| p.price).max(), all.iter().map(|p| p.price).max());
        prop_assert_eq!(kept.iter().map(|p| p.price).min(), all.iter().map(|p| p.price).min());
        prop_assert_eq!(kept.iter().map(|p| p.net_usd).min(), all.iter().map(|p| p.net_usd).min());
        prop_assert_eq!(kept.iter().map(|p| p.drawdown_pct).max(), all.iter().map(|p| p.drawdown_pct).max());
    }

    #[test]
    fn a_short_series_is_kept_whole(length in 1_i64..200) {
        let all: Vec<Point> = (0..length).map(|second| point(second, 1, 0, 0)).collect();
        let mut thinned = Thinned::new(1_200);
        all.iter().for_each(|point| thinned.push(*point));
        prop_assert_eq!(thinned.points(), all);
    }
}
