//! What limits remember: failures in a row, trades of an hour, what a day spent, and the slices of a liquidation.

use chrono::{DateTime, Days, TimeDelta, Utc};
use lgi_mm::{
    domain::{decision::HoldReason, job::JobStatus},
    paper::FaultKind,
    store::orders::Order,
};

use super::{new_cycle, paused_for, sold, span, usd};
use crate::engine::world::{World, accumulate};

async fn fails_once(world: &World) {
    world.fault(FaultKind::Revert, 1).await;
    world.trade().await;
    assert_eq!(world.job().await.failures_in_row, 1);
    assert_eq!(world.hold().await, HoldReason::Backoff);
}

pub(super) async fn failures() {
    let mut config = accumulate();
    config.limits.failure_backoff = span("1h");
    let world = World::new(config).await;
    fails_once(&world).await;
    paused_for(&world, TimeDelta::zero()).await;
    assert_eq!(world.job().await.failures_in_row, 0);
    world.trade().await;
    fails_once(&world).await;
    // Nothing waits to sell for long, and a fill ends it.
    world.pass(TimeDelta::hours(2));
    sold(&world).await;
    assert_eq!(world.job().await.failures_in_row, 0);
    new_cycle(&world).await;
    world.trade().await;
}

/// The first slots are early in a day, so that none of them is of the day before.
async fn early(world: &World) {
    let midnight = |at: DateTime<Utc>| (at.date_naive() + Days::new(1)).and_time(chrono::NaiveTime::MIN);
    let now = Utc::now();
    world.pass(midnight(now) - now.naive_utc() + TimeDelta::minutes(10));
}

pub(super) async fn turnover() {
    let mut config = accumulate();
    config.limits.max_trades_per_hour = 2;
    let world = World::new(config).await;
    early(&world).await;
    let full = async |reason| {
        assert_eq!(world.hold().await, reason);
        paused_for(&world, TimeDelta::zero()).await;
        assert_eq!(world.hold().await, reason, "paused");
        sold(&world).await;
        new_cycle(&world).await;
        assert_eq!(world.hold().await, reason, "a new cycle");
    };
    world.trade().await;
    world.trade().await;
    full(HoldReason::TradesPerHour).await;
    world.pass(TimeDelta::minutes(61));
    world.trade().await;

    let mut config = accumulate();
    config.limits.max_daily_spend_usd = usd(25);
    let world = World::new(config).await;
    early(&world).await;
    let full = async || world.hold().await == HoldReason::DailySpend;
    world.trade().await;
    world.trade().await;
    world.trade().await;
    assert!(full().await);
    paused_for(&world, TimeDelta::zero()).await;
    assert!(full().await, "paused");
    sold(&world).await;
    new_cycle(&world).await;
    assert!(full().await, "a new cycle");
    world.pass(TimeDelta::days(1));
    world.trade().await;
}

pub(super) async fn slices() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    let over = span("20s");
    world.order(Order::Liquidate { over, slices: 2 }).await;
    world.trade().await;
    let done = async || world.job().await.liquidation.map(|plan| plan.slices_done());
    assert_eq!(done().await, Some(1));
    paused_for(&world, TimeDelta::zero()).await;
    assert_eq!(done().await, Some(1));
    world.pass(TimeDelta::seconds(21));
    world.trade().await;
    assert_eq!(world.job().await.status, JobStatus::Idle);
    new_cycle(&world).await;
    assert_eq!(done().await, None);
}
