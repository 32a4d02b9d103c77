//! A job's life: rules that fire, caps that hold, and the way back to IDLE.

use std::sync::Arc;

use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        config::{JobConfig, Rules},
        decision::HoldReason,
        ids::TradeId,
        job::{JobMode, JobStatus},
        liquidate::InvalidLiquidation,
        span::Span,
        units::{Amount, Usd},
    },
    engine::{Engine, Progress, TickOutcome},
    paper::{PaperMarkets, PaperSettings},
    store::{
        endings::{self, Ended, TradeFailure},
        jobs::CommandError,
        orders::{self, Order},
        trades,
    },
};
use rust_decimal::Decimal;

use crate::engine::{
    laws::{submitted, unsteady},
    world::{World, accumulate, engine_settings, paper_settings},
};

fn usd(value: i64) -> Usd {
    Usd::new(Decimal::from(value)).expect("usd")
}

async fn reason_of(world: &World, trade: TradeId) -> String {
    sqlx::query_scalar("SELECT reason FROM trades WHERE id = $1")
        .bind(trade.0)
        .fetch_one(&world.pool)
        .await
        .expect("reason")
}

#[tokio::test(flavor = "multi_thread")]
async fn accumulate_buys_dips_and_takes_profit() {
    let mut config = accumulate();
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.dca_interval = Some(Span::from_secs(3_600));
    rules.dip_buy_threshold_pct = Decimal::from(10);
    rules.take_profit_pct = Decimal::from(20);
    rules.take_profit_sell_pct = Decimal::from(50);
    let world = World::new(config).await;
    let first = world.trade().await;
    assert_eq!(reason_of(&world, first).await, "DCA");
    world.pass(TimeDelta::seconds(2));
    assert_eq!(world.hold().await, HoldReason::NotDue);
    world.market.set("1.7");
    assert_eq!(world.hold().await, HoldReason::DipUnconfirmed);
    let dip = world.trade().await;
    assert_eq!(reason_of(&world, dip).await, "DIP_BUY");
    world.market.set("3");
    let before = world.job().await.position;
    let profit = world.trade().await;
    assert_eq!(reason_of(&world, profit).await, "TAKE_PROFIT");
    let after = world.job().await.position;
    assert_eq!(
        after.token_balance.checked_add(after.token_balance).expect("sum"),
        before.token_balance
    );
    assert!(after.realized_pnl.is_positive());
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_bought_past_the_cap() {
    let mut config = accumulate();
    config
        .rules
        .accumulate_mut()
        .expect("accumulate")
        .max_accumulation_usd = usd(25);
    let world = World::new(config).await;
    for _ in 0..3 {
        world.trade().await;
    }
    assert_eq!(world.hold().await, HoldReason::MaxAccumulation);
    let job = world.job().await;
    assert!(job.total_accumulated <= usd(25), "{}", job.total_accumulated);
    assert!(job.total_accumulated > usd(24), "{}", job.total_accumulated);
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_stops_new_trades_at_once_and_settles_what_was_sent() {
    let world = World::new(accumulate()).await;
    let trade = submitted(&world).await;
    world.order(Order::Pause).await;
    assert_eq!(world.hold().await, HoldReason::Paused);
    world.finish(trade).await;
    assert!(!world.job().await.position.token_balance.is_zero());
    world.order(Order::Resume).await;
    world.trade().await;
}

/// Stops the job while a plan has no nonce yet: nothing is signed, and nothing counts as a failure.
async fn stopped_before_it_is_signed(order: Order) -> World {
    let mut config = accumulate();
    config.limits.max_trades_per_hour = 2;
    let world = World::new(config).await;
    world.trade().await;
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    world.order(order).await;
    world.finish(trade).await;
    world.finish(trade).await;
    let ended: (String, Option<String>) =
        sqlx::query_as("SELECT status, failure_kind FROM trades WHERE id = $1")
            .bind(trade.0)
            .fetch_one(&world.pool)
            .await
            .expect("the trade");
    assert_eq!(ended, ("DROPPED".to_owned(), None));
    let said: Vec<String> = sqlx::query_scalar("SELECT event FROM outbox WHERE trade_id = $1")
        .bind(trade.0)
        .fetch_all(&world.pool)
        .await
        .expect("its events");
    assert_eq!(said, ["trade.dropped"]);
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 1);
    let job = world.job().await;
    assert_eq!(
        (job.failures_in_row, job.last.backoff_until, job.last_error),
        (0, None, None)
    );
    world.assert_ledger_equals_venue().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_gives_up_a_plan_that_is_not_signed() {
    let world = stopped_before_it_is_signed(Order::Pause).await;
    world.order(Order::Resume).await;
    // The second of two within the hour: a plan that was dropped took no place in it.
    world.trade().await;
    assert_eq!(world.hold().await, HoldReason::TradesPerHour);
}

/// It expires while the worker that looks at it has read the job as running: still the stop's doing, and no failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_a_paused_job_that_expires_is_dropped_too() {
    let world = World::new(accumulate()).await;
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    world.order(Order::Pause).await;
    sqlx::query("UPDATE trades SET expires_at = now() - interval '1 second' WHERE id = $1")
        .bind(trade.0)
        .execute(&world.pool)
        .await
        .expect("it expires");
    let read = trades::load(&world.pool, trade).await.expect("the trade");
    let failure = TradeFailure::unsent("expired".to_owned());
    let ended = endings::commit_failure(&world.pool, &read, &failure, 4).await;
    assert_eq!(ended.expect("looked at"), Ended::Unwanted);
    world.finish(trade).await;
    let counted = "SELECT count(*) FROM trades WHERE status = 'DROPPED' AND executed_at IS NOT NULL";
    assert_eq!(world.count(counted).await, 1);
    assert_eq!(
        world
            .count("SELECT count(*) FROM outbox WHERE event = 'trade.failed'")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_being_sold_buys_nothing_that_was_planned_before() {
    let world = stopped_before_it_is_signed(Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    })
    .await;
    let sold = world.trade().await;
    assert_eq!(reason_of(&world, sold).await, "LIQUIDATE");
    assert_eq!(world.job().await.status, JobStatus::Idle);
}

/// The worker has read the job, and signs while it is paused.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_comes_while_a_plan_is_signed_still_stops_it() {
    let world = World::new(accumulate()).await;
    let (engine, node) = unsteady(&world, engine_settings());
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    let (has_come, let_go) = node.hold();
    let signing = tokio::spawn(async move { engine.settle(trade).await });
    has_come.await.expect("it looks at the chain");
    world.order(Order::Pause).await;
    let_go.send(()).expect("it waits");
    assert_eq!(
        signing.await.expect("no panic").expect("a step"),
        Progress::Stepped
    );
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 0);
    world.finish(trade).await;
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn liquidation_sells_all_and_returns_to_idle_and_a_new_start_is_a_new_cycle() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    world.trade().await;
    world
        .order(Order::Liquidate {
            over: Span::ZERO,
            slices: 1,
        })
        .await;
    let sold = world.trade().await;
    assert_eq!(reason_of(&world, sold).await, "LIQUIDATE");
    let job = world.job().await;
    assert_eq!(
        (job.status, job.position.token_balance, job.position.cost_basis),
        (JobStatus::Idle, Amount::ZERO, Usd::ZERO)
    );
    assert_eq!(
        world
            .count("SELECT count(*) FROM job_slots WHERE next_slot IS NOT NULL")
            .await,
        0
    );
    world.assert_ledger_equals_venue().await;
    world
        .order(Order::Start {
            deposit: Amount::ZERO,
        })
        .await;
    let job = world.job().await;
    assert_eq!(
        (job.status, job.cycle, job.total_accumulated),
        (JobStatus::Running, 2, Usd::ZERO)
    );
    world.trade().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liquidation_out_of_range_is_refused_whoever_orders_it() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    let job = world.job().await;
    let order = Order::Liquidate {
        over: Span::from_secs(20),
        slices: 0,
    };
    let refused = orders::order(&world.pool, job.id, order, "test").await;
    assert!(
        matches!(
            refused,
            Err(CommandError::Liquidation(InvalidLiquidation::Slices(0)))
        ),
        "{refused:?}"
    );
    assert_eq!(world.job().await.status, JobStatus::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liquidation_in_slices_is_paused_and_resumed_without_starting_over() {
    let world = World::new(accumulate()).await;
    for _ in 0..3 {
        world.trade().await;
    }
    world
        .order(Order::Liquidate {
            over: Span::from_secs(20),
            slices: 3,
        })
        .await;
    world.trade().await;
    world.order(Order::Pause).await;
    world.order(Order::Resume).await;
    assert_eq!(world.job().await.status, JobStatus::Liquidating);
    assert_eq!(world.job().await.liquidation.expect("plan").slices_done(), 1);
    assert_eq!(world.hold().await, HoldReason::SliceNotDue);
    world.pass(TimeDelta::seconds(11));
    world.trade().await;
    world.pass(TimeDelta::seconds(11));
    world.trade().await;
    assert_eq!(world.job().await.status, JobStatus::Idle);
    assert_eq!(
        world
            .count("SELECT count(*) FROM trades WHERE reason = 'LIQUIDATE'")
            .await,
        3
    );
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dust_that_is_worth_less_than_its_gas_is_written_down() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    world.market.set("0.000001");
    world
        .order(Order::Liquidate {
            over: Span::ZERO,
            slices: 1,
        })
        .await;
    assert_eq!(world.hold().await, HoldReason::Idle);
    let job = world.job().await;
    assert_eq!(
        (job.status, job.position.token_balance),
        (JobStatus::Idle, Amount::ZERO)
    );
    assert_eq!(
        world
            .count("SELECT count(*) FROM adjustments WHERE kind = 'dust'")
            .await,
        1
    );
    assert!(job.position.realized_pnl < Usd::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_that_is_dear_for_a_while_does_not_make_a_position_dust() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    let bought = world.job().await.position;
    world
        .order(Order::Liquidate {
            over: Span::ZERO,
            slices: 1,
        })
        .await;
    let expensive = PaperSettings {
        base_fee_gwei: Decimal::from(1_000),
        ..paper_settings()
    };
    let engine = Engine::new(
        world.pool.clone(),
        Arc::new(world.market.clone()),
        Arc::new(PaperMarkets::new(world.pool.clone(), expensive)),
        engine_settings(),
    );
    let held = engine.evaluate(&[world.next_tick()]).await.remove(0).outcome;
    let Ok(TickOutcome::Held { reason, .. }) = held else {
        panic!("{held:?}")
    };
    assert_eq!(reason, HoldReason::GasTooExpensive);
    assert_eq!(world.job().await.position, bought);
    world.trade().await;
    assert_eq!(world.job().await.status, JobStatus::Idle);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn liquidity_trades_the_spread_within_its_own_budget() {
    let mut config = JobConfig {
        rules: Rules::for_mode(JobMode::Liquidity),
        ..accumulate()
    };
    let rules = config.rules.liquidity_mut().expect("liquidity");
    rules.ma_window = Span::from_secs(2);
    rules.spread_cooldown = Span::ZERO;
    let world = World::new(config).await;
    assert_eq!(world.hold().await, HoldReason::MovingAverageCoverage);
    let mut reasons = std::collections::BTreeSet::new();
    for round in 0..60 {
        world.market.set(if round % 20 < 10 { "2" } else { "1.9" });
        if let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await {
            world.finish(trade).await;
            reasons.insert(reason_of(&world, trade).await);
        }
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    assert!(reasons.contains("REBALANCE"), "{reasons:?}");
    let position = world.job().await.position;
    let owned = position
        .quote_value(lgi_mm::domain::units::Rounding::Down)
        .expect("value");
    assert!(owned < usd(500), "some of the budget is in tokens: {owned}");
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_while_a_tick_runs_wins_over_the_tick() {
    let world = World::new(accumulate()).await;
    let job = world.job().await;
    let mut edited = job.config.clone();
    edited.rules.accumulate_mut().expect("accumulate").dca_amount_usd = usd(11);
    assert!(
        orders::configure(&world.pool, &job, &edited, "test")
            .await
            .expect("edit")
    );
    assert!(
        !orders::configure(&world.pool, &job, &edited, "test")
            .await
            .expect("edit"),
        "an old version must lose"
    );
    assert_eq!(world.job().await.config_version, 2);
}
