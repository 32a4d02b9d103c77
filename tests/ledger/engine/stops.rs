//! A stop on the paper venue: what it sells, what its job does then, and what a reorg of the sale undoes.

use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        config::{AfterStop, JobConfig},
        decision::{HoldReason, Reason},
        ids::TradeId,
        job::JobStatus,
        span::Span,
        units::{Amount, Usd},
    },
    store::{
        adoption::{self, Adjusted, Adoption},
        bulk::{self, Selection},
        orders::{self, Order},
    },
};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::engine::{
    remembered::{fails, last, selling, take_back, trades_at},
    world::{World, accumulate},
};

/// Sells at 20 % below what it cost.
pub(super) fn stopping(after: AfterStop) -> JobConfig {
    let mut config = accumulate();
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.stop_loss_pct = 20.into();
    rules.after_stop = after;
    rules.stop_cooldown = "4h".parse().expect("a span");
    config
}

/// At this price in two slots: the second one sells.
pub(super) async fn stops_at(world: &World, at: &str) -> TradeId {
    world.market.set(at);
    assert_eq!(world.hold().await, HoldReason::StopUnconfirmed, "at {at}");
    trades_at(world, at, Reason::StopLoss).await
}

async fn after_a_stop(after: AfterStop) -> (World, TradeId) {
    let world = World::new(stopping(after)).await;
    trades_at(&world, "2", Reason::Dca).await;
    let stop = stops_at(&world, "1.5").await;
    (world, stop)
}

async fn status(world: &World) -> (JobStatus, Option<i64>) {
    let by = sqlx::query_scalar("SELECT stopped_by FROM jobs WHERE id = $1")
        .bind(world.job.0)
        .fetch_one(&world.pool)
        .await
        .expect("a job");
    (world.job().await.status, by)
}

async fn told(world: &World, event: &str) -> Vec<Value> {
    sqlx::query_scalar("SELECT payload FROM outbox WHERE event = $1 ORDER BY id")
        .bind(event)
        .fetch_all(&world.pool)
        .await
        .expect("outbox")
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_the_job_is_paused_in_the_transaction_of_its_fill() {
    let (world, stop) = after_a_stop(AfterStop::Pause).await;
    assert_eq!(status(&world).await, (JobStatus::Paused, Some(stop.0)));
    assert_eq!(world.job().await.position.token_balance, Amount::ZERO);
    let told = told(&world, "job.stopped").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["reason"], &told[0]["status"], &told[0]["trade"]),
        (&"STOP_LOSS".into(), &"PAUSED".into(), &stop.0.into())
    );
    assert_eq!(told[0]["token_balance"], "0");
    assert_eq!(world.hold().await, HoldReason::Paused);
    // Its owner lets it buy again: the stop watches what it buys.
    world.order(Order::Resume).await;
    assert_eq!(status(&world).await, (JobStatus::Running, None));
    trades_at(&world, "1.5", Reason::Dca).await;
    let again = stops_at(&world, "1.1").await;
    assert_eq!(status(&world).await, (JobStatus::Paused, Some(again.0)));
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_the_job_goes_on_when_its_cooldown_is_over() {
    let (world, _) = after_a_stop(AfterStop::Continue).await;
    assert_eq!(status(&world).await, (JobStatus::Running, None));
    assert_eq!(world.hold().await, HoldReason::StopCooldown);
    world.pass(TimeDelta::hours(4));
    trades_at(&world, "1.5", Reason::Dca).await;
    assert_eq!(told(&world, "job.stopped").await[0]["status"], "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_the_job_is_idle_and_a_new_cycle_knows_nothing_of_it() {
    let (world, stop) = after_a_stop(AfterStop::Idle).await;
    assert_eq!(status(&world).await, (JobStatus::Idle, Some(stop.0)));
    world
        .order(Order::Start {
            deposit: Amount::ZERO,
        })
        .await;
    assert_eq!(status(&world).await, (JobStatus::Running, None));
    assert_eq!(last(&world).await.stop, None);
    trades_at(&world, "1.5", Reason::Dca).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_sold_once_until_something_is_bought_or_adopted_or_the_job_is_resumed() {
    let mut config = stopping(AfterStop::Continue);
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.stop_sells_pct = 10.into();
    rules.stop_cooldown = Span::ZERO;
    let world = World::new(config).await;
    trades_at(&world, "2", Reason::Dca).await;
    stops_at(&world, "1.5").await;
    let left = world.job().await.position.token_balance;
    for _ in 0..3 {
        assert_eq!(world.hold().await, HoldReason::BelowStop);
    }
    // The owner gives it tokens: the price of the slot before is from before that.
    let adoption = Adoption {
        seen: left,
        tokens: "1000".parse().expect("base units"),
        cost: Usd::ZERO,
        is_buy: false,
        key: None,
    };
    let adopted = adoption::adopt(&world.pool, world.job, &adoption, "test").await;
    assert_eq!(adopted.expect("adopted"), Adjusted::Done);
    stops_at(&world, "1.5").await;
    assert!(world.job().await.position.token_balance < left);
    assert_eq!(world.hold().await, HoldReason::BelowStop);
    world.order(Order::Pause).await;
    world.order(Order::Resume).await;
    stops_at(&world, "1.5").await;
    assert_eq!(world.hold().await, HoldReason::BelowStop);
    // Above the stop it buys again, which arms the stop.
    trades_at(&world, "1.9", Reason::Dca).await;
    stops_at(&world, "1.3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_whose_sale_is_reorged_out_watches_the_tokens_again() {
    let (world, stop) = after_a_stop(AfterStop::Pause).await;
    take_back(&world, stop).await;
    assert_eq!(status(&world).await, (JobStatus::Running, None));
    assert_eq!(last(&world).await.stop, None);
    assert_eq!(world.hold().await, HoldReason::TradeOpen);
    // It never happens: the next two slots sell.
    fails(&world, stop).await;
    let again = trades_at(&world, "1.5", Reason::StopLoss).await;
    assert_eq!(status(&world).await, (JobStatus::Paused, Some(again.0)));
    // What its owner has decided since is not undone.
    world.order(Order::Resume).await;
    world.order(Order::Pause).await;
    take_back(&world, again).await;
    assert_eq!(status(&world).await, (JobStatus::Paused, None));
}

/// Its owner said so, although it was paused already.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_its_owner_pauses_after_a_stop_stays_paused_whatever_is_reorged_out() {
    for several in [false, true] {
        let (world, stop) = after_a_stop(AfterStop::Pause).await;
        assert_eq!(status(&world).await, (JobStatus::Paused, Some(stop.0)));
        if several {
            let paused = bulk::pause(&world.pool, &Selection::default(), "test").await;
            assert!(paused.expect("paused").jobs.is_empty(), "it was paused already");
        } else {
            world.order(Order::Pause).await;
        }
        take_back(&world, stop).await;
        assert_eq!(status(&world).await, (JobStatus::Paused, None), "{several}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_job_whose_stop_is_reorged_out_sells_its_tokens_by_liquidation() {
    let (world, stop) = after_a_stop(AfterStop::Idle).await;
    take_back(&world, stop).await;
    assert_eq!(status(&world).await, (JobStatus::Liquidating, None));
    assert!(!world.job().await.position.token_balance.is_zero());
    fails(&world, stop).await;
    trades_at(&world, "1.5", Reason::Liquidate).await;
    assert_eq!(status(&world).await, (JobStatus::Idle, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_cannot_sell_tells_its_owner_at_once_and_buys_nothing() {
    let world = World::new(stopping(AfterStop::Pause)).await;
    trades_at(&world, "2", Reason::Dca).await;
    let job = world.job().await;
    let mut config = job.config.clone();
    config.limits.max_gas_usd = Usd::new(Decimal::new(1, 9)).expect("USD");
    let edited = orders::configure(&world.pool, &job, &config, "test").await;
    assert!(edited.expect("edited"));
    world.market.set("1.5");
    assert_eq!(world.hold().await, HoldReason::StopUnconfirmed);
    assert!(told(&world, "job.stop_blocked").await.is_empty());
    for _ in 0..3 {
        assert_eq!(world.hold().await, HoldReason::GasTooExpensive);
    }
    let blocked = told(&world, "job.stop_blocked").await;
    assert_eq!(blocked.len(), 1);
    assert_eq!(blocked[0]["reason"], "gas_too_expensive");
    assert!(
        blocked[0]["error"]
            .as_str()
            .is_some_and(|why| why.contains("max_gas_usd"))
    );
    // It sells as soon as it can, and says so.
    let job = world.job().await;
    let edited = orders::configure(&world.pool, &job, &stopping(AfterStop::Pause), "test").await;
    assert!(edited.expect("edited"));
    trades_at(&world, "1.5", Reason::StopLoss).await;
    assert_eq!(
        told(&world, "job.recovered").await[0]["event"],
        "job.stop_blocked"
    );
}

/// The price falls through the stop between two slots.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_through_a_stop_sells_at_the_market() {
    let (world, _) = {
        let world = World::new(stopping(AfterStop::Pause)).await;
        trades_at(&world, "2", Reason::Dca).await;
        let stop = stops_at(&world, "0.4").await;
        (world, stop)
    };
    let sold: (Decimal, Decimal) =
        sqlx::query_as("SELECT plan_price_usd, price_usd FROM trades WHERE reason = 'STOP_LOSS'")
            .fetch_one(&world.pool)
            .await
            .expect("a trade");
    assert_eq!(sold.0, Decimal::new(4, 1));
    assert!(
        sold.1 > Decimal::new(39, 2) && sold.1 < Decimal::new(4, 1),
        "{}",
        sold.1
    );
}

/// 10 % below its high.
pub(super) fn trailing() -> JobConfig {
    let mut config = stopping(AfterStop::Pause);
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.stop_loss_pct = Decimal::ZERO;
    rules.trailing_stop_pct = 10.into();
    rules.dca_interval = Some("36h".parse().expect("a span"));
    config
}

pub(super) async fn high(world: &World) -> Option<Decimal> {
    sqlx::query_scalar("SELECT trailing_high FROM job_slots WHERE job_id = $1")
        .bind(world.job.0)
        .fetch_one(&world.pool)
        .await
        .expect("a job")
}

/// The next slots hold at these prices.
pub(super) async fn rises(world: &World, prices: &[&str]) {
    for at in prices {
        world.market.set(at);
        assert_eq!(world.hold().await, HoldReason::NotDue, "at {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_stop_follows_the_price_up_and_sells_below_its_high() {
    let world = World::new(trailing()).await;
    trades_at(&world, "2", Reason::Dca).await;
    assert_eq!(
        high(&world).await,
        Some(Decimal::TWO),
        "the price of the first buy"
    );
    rises(&world, &["1.85", "2.5", "4", "3.7"]).await;
    assert_eq!(high(&world).await, Some(4.into()));
    // No price, no change.
    world.market.down();
    assert_eq!(world.hold().await, HoldReason::PriceMissing);
    assert_eq!(high(&world).await, Some(4.into()));
    world.market.set("3.6");
    assert_eq!(world.hold().await, HoldReason::StopUnconfirmed);
    let stop = trades_at(&world, "3.5", Reason::TrailingStop).await;
    assert_eq!(status(&world).await, (JobStatus::Paused, Some(stop.0)));
    assert_eq!(told(&world, "job.stopped").await[0]["reason"], "TRAILING_STOP");
    // Another holding has a high of its own.
    world.order(Order::Resume).await;
    world.market.set("3.5");
    assert_eq!(world.hold().await, HoldReason::NotDue);
    assert_eq!(high(&world).await, None);
    world.pass(TimeDelta::hours(36));
    trades_at(&world, "3", Reason::Dca).await;
    assert_eq!(high(&world).await, Some(3.into()));
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_stop_that_waits_for_a_gain_has_no_high_before() {
    let mut config = trailing();
    config
        .rules
        .accumulate_mut()
        .expect("accumulate")
        .trailing_arm_pct = 20.into();
    let world = World::new(config).await;
    trades_at(&world, "2", Reason::Dca).await;
    rises(&world, &["2.39", "1", "1"]).await;
    assert_eq!(high(&world).await, None);
    rises(&world, &["2.5", "2.3"]).await;
    assert_eq!(high(&world).await, Some(Decimal::new(25, 1)));
}

/// 20 % above the average cost, then 10 % below the high.
pub(super) fn trailing_profit() -> JobConfig {
    let mut config = selling(25);
    config
        .rules
        .accumulate_mut()
        .expect("accumulate")
        .trailing_take_profit_pct = 10.into();
    config
}

pub(super) async fn profit_high(world: &World) -> Option<Decimal> {
    sqlx::query_scalar("SELECT profit_high FROM job_slots WHERE job_id = $1")
        .bind(world.job.0)
        .fetch_one(&world.pool)
        .await
        .expect("a job")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_take_profit_sells_below_its_high_and_begins_again_after_it() {
    let world = World::new(trailing_profit()).await;
    trades_at(&world, "2", Reason::Dca).await;
    rises(&world, &["2.3"]).await;
    assert_eq!(profit_high(&world).await, None);
    rises(&world, &["2.5", "4", "3.7"]).await;
    assert_eq!(profit_high(&world).await, Some(4.into()));
    trades_at(&world, "3.6", Reason::TakeProfit).await;
    assert_eq!(profit_high(&world).await, None);
    // 20 % above the last sale at 3.6.
    rises(&world, &["4.3"]).await;
    assert_eq!(profit_high(&world).await, None);
    rises(&world, &["4.4"]).await;
    assert_eq!(profit_high(&world).await, Some(Decimal::new(44, 1)));
    world.assert_ledger_equals_venue().await;
}
