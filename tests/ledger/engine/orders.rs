//! One order on the paper venue: when it trades, how it ends, and what a reorg of its fill undoes.

use chrono::{TimeDelta, Utc};
use lgi_mm::{
    domain::{
        config::{JobConfig, OrderConfig, OrderSide, Rules, SourceName},
        decision::{HoldReason, Reason},
        ids::TradeId,
        job::{JobId, JobMode, JobStatus},
        units::{Amount, Usd},
    },
    engine::{Tick, TickOutcome},
    store::{
        adoption::{self, Adjusted, Adoption},
        fill_watches,
        jobs::{self, CommandError},
        orders::{self, Order},
        placed::{self, Placing},
    },
};
use rust_decimal::Decimal;
use serde_json::Value;
use testkit::paper_job;

use crate::engine::{
    laws::submitted,
    remembered::{fails, take_back, trades_at},
    world::{TOKEN, World},
};

fn usd(text: &str) -> Usd {
    Usd::new(text.parse().expect("a decimal")).expect("USD")
}

pub(super) fn ordering(rules: OrderConfig) -> JobConfig {
    let mut config = JobConfig::for_mode(JobMode::Order);
    config.price.sources = vec![SourceName::Generated];
    config.price.max_price_move_pct = Decimal::ZERO;
    config.limits.failure_backoff = "1s".parse().expect("span");
    config.rules = Rules::Order(rules);
    config
}

/// Spends thirty at 1.5 or below.
pub(super) fn buying() -> OrderConfig {
    OrderConfig {
        amount_usd: usd("30"),
        limit_usd: Decimal::new(15, 1),
        ..OrderConfig::default()
    }
}

pub(super) fn selling() -> OrderConfig {
    OrderConfig {
        side: OrderSide::Sell,
        ..OrderConfig::default()
    }
}

async fn holds(world: &World, at: &str, reason: HoldReason) {
    world.market.set(at);
    assert_eq!(world.hold().await, reason, "at {at}");
}

pub(super) async fn status(world: &World) -> (JobStatus, Option<i64>) {
    let by = sqlx::query_scalar("SELECT stopped_by FROM jobs WHERE id = $1")
        .bind(world.job.0)
        .fetch_one(&world.pool)
        .await;
    (world.job().await.status, by.expect("a job"))
}

async fn told(world: &World) -> Vec<Value> {
    sqlx::query_scalar("SELECT payload FROM outbox WHERE event = 'job.order_ended' ORDER BY id")
        .fetch_all(&world.pool)
        .await
        .expect("events")
}

async fn all_final(world: &World) {
    let fills = fill_watches::all(&world.pool).await.expect("watched");
    fill_watches::finish(&world.pool, &fills).await.expect("final");
}

/// No failure can be undone any more.
async fn all_failed(world: &World) {
    sqlx::query("DELETE FROM failure_watches")
        .execute(&world.pool)
        .await
        .expect("final");
}

/// Gives the order tokens that the wallet holds.
async fn gives(world: &World, tokens: &str) {
    let adoption = Adoption {
        seen: Amount::ZERO,
        tokens: Amount::from_whole(tokens, 18).expect("tokens"),
        cost: usd("5"),
        is_buy: false,
        key: None,
    };
    let adopted = adoption::adopt(&world.pool, world.job, &adoption, "test").await;
    assert_eq!(adopted.expect("adopted"), Adjusted::Done);
}

/// Tokens of before, which the wallet must hold: the paper wallet buys them by an order of its own.
pub(super) async fn bought_before() -> World {
    let world = World::new(ordering(OrderConfig {
        amount_usd: usd("30"),
        ..OrderConfig::default()
    }))
    .await;
    trades_at(&world, "2", Reason::MarketOrder).await;
    all_final(&world).await;
    world
}

pub(super) async fn replaced(world: &mut World, rules: OrderConfig) {
    let held = world.job().await.position.token_balance;
    let new = paper_job(TOKEN, "TKN", JobMode::Order, ordering(rules));
    let placing = Placing {
        replaces: Some(world.job),
        tokens: Some((held, usd("20"))),
        key: None,
    };
    world.job = placed::place(&world.pool, &new, &placing, "test")
        .await
        .expect("placed");
    assert_eq!(world.job().await.position.token_balance, held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_buy_waits_for_its_price_trades_once_and_its_job_is_idle() {
    let world = World::new(ordering(buying())).await;
    for _ in 0..2 {
        holds(&world, "1.51", HoldReason::OrderPrice).await;
    }
    let trade = trades_at(&world, "1.5", Reason::LimitOrder).await;
    assert_eq!(status(&world).await, (JobStatus::Idle, Some(trade.0)));
    let job = world.job().await;
    assert_eq!(job.total_accumulated, usd("30"));
    assert!(!job.position.token_balance.is_zero());
    let told = told(&world).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (
            &told[0]["ended"],
            &told[0]["side"],
            &told[0]["bought_usd"],
            &told[0]["left_usd"]
        ),
        (&"filled".into(), &"BUY".into(), &"30".into(), &"0".into())
    );
    holds(&world, "1", HoldReason::Idle).await;
    let next = world
        .count("SELECT count(*) FROM job_slots WHERE next_slot IS NOT NULL")
        .await;
    assert_eq!(next, 0, "it has no next slot");
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_fill_is_reorged_out_waits_again_and_buys_once() {
    let world = World::new(ordering(buying())).await;
    let trade = trades_at(&world, "1.4", Reason::LimitOrder).await;
    take_back(&world, trade).await;
    assert_eq!(status(&world).await, (JobStatus::Running, None));
    assert_eq!(world.job().await.total_accumulated, Usd::ZERO);
    holds(&world, "1.4", HoldReason::TradeOpen).await;
    // It never happens: once that is final, the order is as it was before.
    fails(&world, trade).await;
    holds(&world, "1.4", HoldReason::TradeOpen).await;
    all_failed(&world).await;
    holds(&world, "1.6", HoldReason::OrderPrice).await;
    let again = trades_at(&world, "1.5", Reason::LimitOrder).await;
    assert_eq!(status(&world).await, (JobStatus::Idle, Some(again.0)));
    // It happens after all: mined again.
    take_back(&world, again).await;
    world.finish(again).await;
    assert_eq!(status(&world).await, (JobStatus::Idle, Some(again.0)));
    assert_eq!(world.job().await.total_accumulated, usd("30"));
}

/// Its owner said so: neither its fill nor a reorg of that ends the pause.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_paused_while_it_trades_stays_paused_and_ends_when_it_is_resumed() {
    let world = World::new(ordering(buying())).await;
    world.market.set("1.4");
    let trade = submitted(&world).await;
    world.order(Order::Pause).await;
    world.finish(trade).await;
    assert_eq!(status(&world).await, (JobStatus::Paused, None));
    take_back(&world, trade).await;
    assert_eq!(status(&world).await, (JobStatus::Paused, None));
    world.finish(trade).await;
    world.order(Order::Resume).await;
    assert_eq!(world.hold().await, HoldReason::Idle);
    assert_eq!(status(&world).await, (JobStatus::Idle, Some(trade.0)));
    assert_eq!(world.job().await.total_accumulated, usd("30"));
    // That fill ended it, so its reorg opens it again.
    take_back(&world, trade).await;
    assert_eq!(status(&world).await, (JobStatus::Running, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_sale_sells_what_it_was_given_and_a_reorg_sells_nothing_at_any_price() {
    let mut world = bought_before().await;
    let rules = OrderConfig {
        limit_usd: Decimal::from(3),
        ..selling()
    };
    replaced(&mut world, rules).await;
    holds(&world, "2.9", HoldReason::OrderPrice).await;
    let trade = trades_at(&world, "3", Reason::LimitOrder).await;
    assert_eq!(status(&world).await, (JobStatus::Idle, Some(trade.0)));
    assert!(world.job().await.position.token_balance.is_zero());
    let told = told(&world).await;
    assert_eq!(
        (&told[1]["ended"], &told[1]["side"]),
        (&"filled".into(), &"SELL".into())
    );
    take_back(&world, trade).await;
    assert_eq!(status(&world).await, (JobStatus::Running, None));
    fails(&world, trade).await;
    holds(&world, "1", HoldReason::OrderPrice).await;
    trades_at(&world, "3.1", Reason::LimitOrder).await;
    assert_eq!(world.job().await.status, JobStatus::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_was_given_nothing_waits_for_tokens() {
    let world = World::new(ordering(selling())).await;
    holds(&world, "2", HoldReason::OrderEmpty).await;
    gives(&world, "3").await;
    assert_eq!(world.job().await.status, JobStatus::Running);
    assert_ne!(
        world.hold().await,
        HoldReason::OrderEmpty,
        "the wallet has none of them"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_time_is_over_ends_idle_and_trades_nothing() {
    let until = Utc::now() + TimeDelta::hours(1);
    let world = World::new(ordering(OrderConfig {
        until: Some(until),
        ..buying()
    }))
    .await;
    holds(&world, "2", HoldReason::OrderPrice).await;
    world.pass(TimeDelta::hours(1));
    // Its price is reached, and too late.
    holds(&world, "1", HoldReason::OrderOver).await;
    assert_eq!(status(&world).await, (JobStatus::Idle, None));
    let told = told(&world).await;
    assert_eq!(
        (&told[0]["ended"], &told[0]["left_usd"]),
        (&"expired".into(), &"30".into())
    );
    holds(&world, "1", HoldReason::Idle).await;
    // Without a price as well.
    let world = World::new(ordering(OrderConfig {
        until: Some(Utc::now()),
        ..buying()
    }))
    .await;
    world.market.down();
    assert_eq!(world.hold().await, HoldReason::OrderOver);
    assert_eq!(world.job().await.status, JobStatus::Idle);
    // A slot from before that instant, which a worker gets to after it.
    let world = World::new(ordering(OrderConfig {
        until: Some(Utc::now()),
        ..buying()
    }))
    .await;
    world.market.set("1");
    let late = Tick {
        job: world.job,
        slot: Utc::now() - TimeDelta::seconds(5),
    };
    let outcome = world.evaluate(late).await;
    assert!(
        matches!(
            &outcome,
            TickOutcome::Held {
                reason: HoldReason::OrderOver,
                ..
            }
        ),
        "{outcome:?}"
    );
}

async fn remove(world: &World, job: JobId) -> Result<(), CommandError> {
    orders::order(&world.pool, job, Order::Remove, "test")
        .await
        .map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_an_order_cancels_it_and_gives_its_tokens_back() {
    let world = World::new(ordering(buying())).await;
    holds(&world, "2", HoldReason::OrderPrice).await;
    remove(&world, world.job).await.expect("cancelled while it waits");
    assert!(world.job().await.archived_at.is_some());
    let world = World::new(ordering(buying())).await;
    let trade = trades_at(&world, "1.5", Reason::LimitOrder).await;
    let refused = remove(&world, world.job)
        .await
        .expect_err("a reorg could still undo its fill");
    assert!(
        matches!(refused, CommandError::InMotion(moving) if moving == trade),
        "{refused}"
    );
    assert!(world.job().await.archived_at.is_none());
    all_final(&world).await;
    remove(&world, world.job).await.expect("removed");
    let job = world.job().await;
    assert_eq!(
        (job.position.token_balance, job.position.cost_basis),
        (Amount::ZERO, Usd::ZERO)
    );
    let released = world
        .count("SELECT count(*) FROM adjustments WHERE kind = 'release'")
        .await;
    assert_eq!(released, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_takes_the_place_of_one_that_has_ended_and_of_no_other() {
    let mut world = bought_before().await;
    let first = world.job;
    replaced(&mut world, selling()).await;
    assert_ne!(world.job, first);
    let new = paper_job(TOKEN, "TKN", JobMode::Order, ordering(buying()));
    let placing = Placing {
        replaces: Some(world.job),
        tokens: None,
        key: None,
    };
    let refused = placed::place(&world.pool, &new, &placing, "test").await;
    assert!(matches!(refused, Err(CommandError::Exists)), "{refused:?}");
    let refused = placed::place(&world.pool, &new, &Placing::default(), "test").await;
    assert!(matches!(refused, Err(CommandError::Exists)), "{refused:?}");
    let open = jobs::list(&world.pool, &jobs::Filter::default())
        .await
        .expect("jobs");
    assert_eq!(open.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_sells_in_the_second_slot_at_its_price_and_a_trailing_one_from_its_high() {
    let mut world = bought_before().await;
    let stop = OrderConfig {
        stop_usd: Decimal::new(15, 1),
        ..selling()
    };
    replaced(&mut world, stop).await;
    holds(&world, "1.51", HoldReason::OrderPrice).await;
    holds(&world, "1.5", HoldReason::OrderUnconfirmed).await;
    holds(&world, "1.6", HoldReason::OrderPrice).await;
    holds(&world, "1.4", HoldReason::OrderUnconfirmed).await;
    trades_at(&world, "1.2", Reason::StopOrder).await;
    assert_eq!(world.job().await.status, JobStatus::Idle);

    let mut world = bought_before().await;
    let trail = OrderConfig {
        trail_pct: Decimal::from(10),
        ..selling()
    };
    replaced(&mut world, trail).await;
    for at in ["2", "3", "2.71"] {
        holds(&world, at, HoldReason::OrderPrice).await;
    }
    holds(&world, "2.7", HoldReason::OrderUnconfirmed).await;
    trades_at(&world, "2.7", Reason::TrailingOrder).await;
    // A new cycle knows nothing of that high.
    world
        .order(Order::Start {
            deposit: Amount::ZERO,
        })
        .await;
    let high: Option<Decimal> = sqlx::query_scalar("SELECT trailing_high FROM job_slots WHERE job_id = $1")
        .bind(world.job.0)
        .fetch_one(&world.pool)
        .await
        .expect("a job");
    assert_eq!(high, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_traded_once_each_and_a_missed_one_is_spread_over_the_rest() {
    let world = World::new(ordering(OrderConfig {
        amount_usd: usd("40"),
        slices: 4,
        over: "3h".parse().expect("a span"),
        ..OrderConfig::default()
    }))
    .await;
    let spent = |trade: TradeId| {
        let pool = world.pool.clone();
        async move {
            sqlx::query_scalar::<_, Decimal>("SELECT value_usd::numeric FROM trades WHERE id = $1")
                .bind(trade.0)
                .fetch_one(&pool)
                .await
                .expect("a trade")
                .normalize()
        }
    };
    let first = trades_at(&world, "2", Reason::MarketOrder).await;
    assert_eq!(spent(first).await, Decimal::from(10));
    holds(&world, "2", HoldReason::OrderSlice).await;
    // Two hours later: the second part was missed, and two are left to spend thirty.
    world.pass(TimeDelta::hours(2));
    let third = trades_at(&world, "2", Reason::MarketOrder).await;
    assert_eq!(spent(third).await, Decimal::from(15));
    holds(&world, "2", HoldReason::OrderSlice).await;
    world.pass(TimeDelta::hours(1));
    let last = trades_at(&world, "2", Reason::MarketOrder).await;
    assert_eq!(spent(last).await, Decimal::from(15));
    assert_eq!(status(&world).await, (JobStatus::Idle, Some(last.0)));
    // The first of them is taken back and never happens: its part is left to trade.
    take_back(&world, first).await;
    assert_eq!(status(&world).await, (JobStatus::Running, None));
    fails(&world, first).await;
    all_failed(&world).await;
    let again = trades_at(&world, "2", Reason::MarketOrder).await;
    assert_eq!(spent(again).await, Decimal::from(10));
    assert_eq!(world.job().await.status, JobStatus::Idle);
    assert_eq!(world.job().await.total_accumulated, usd("40"));
}
