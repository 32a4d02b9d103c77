//! A wallet has room for a few open transactions; trades that find none sleep until it is their turn.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use lgi_mm::domain::ids::TradeId;
use lgi_mm::{
    domain::span::Span,
    engine::{Engine, EngineSettings, Progress, Tick, TickOutcome},
    paper::FaultKind,
    runner::scheduler::{self, SchedulerSettings},
    store::{
        self, jobs, signers, slots,
        turns::{self, Turn, Waiting},
    },
};
use sqlx::PgPool;
use tracing_subscriber::{Layer, layer::SubscriberExt};

use crate::engine::world::{World, accumulate, create, engine_settings};

/// Long enough for a test to see who sleeps, which is thirty of them.
const CHECK_INTERVAL: Span = Span::from_millis(200);

/// A worker with this `pipeline_max`.
fn worker(world: &World, pipeline_max: i64) -> Engine {
    let settings = EngineSettings {
        pipeline_max,
        plan_lifetime: Span::from_secs(600),
        check_interval: CHECK_INTERVAL,
        ..engine_settings()
    };
    Engine::new(
        world.pool.clone(),
        Arc::new(world.market.clone()),
        world.paper.clone(),
        settings,
    )
}

/// One trade of each of `count` jobs that share a wallet, in the order they were planned.
async fn plan(world: &World, engine: &Engine, count: u8) -> Vec<TradeId> {
    let mut planned = Vec::new();
    for n in 1..=count {
        let job = create(&world.pool, Address::repeat_byte(n), accumulate()).await;
        let slot = store::now(&world.pool).await.expect("now");
        match engine.evaluate(&[Tick { job, slot }]).await.remove(0).outcome {
            Ok(TickOutcome::Traded { trade }) => planned.push(trade),
            other => panic!("no trade: {other:?}"),
        }
    }
    planned
}

async fn numbers(pool: &PgPool, sql: &'static str) -> Vec<TradeId> {
    let ids: Vec<i64> = sqlx::query_scalar(sql).fetch_all(pool).await.expect(sql);
    ids.into_iter().map(TradeId).collect()
}

const ASLEEP: &str = "SELECT t.id FROM trades t JOIN turns w ON w.trade_id = t.id
    WHERE t.status = 'PENDING' AND w.called_at IS NULL AND t.next_check_at > clock_timestamp() + interval '1 second' ORDER BY 1";
const DUE: &str = "SELECT id FROM trades WHERE status IN ('PENDING', 'SUBMITTED') AND next_check_at <= clock_timestamp() ORDER BY id DESC";
const OPEN: &str = "SELECT count(*) FROM trades WHERE status IN ('PENDING', 'SUBMITTED')";
const BY_NONCE: &str = "SELECT trade_id FROM transactions ORDER BY nonce";

/// Drives what is due, the newest first, until nothing is open; how often trades were driven.
async fn run_out(world: &World, engine: &Engine) -> usize {
    let (begun, mut drives) = (Instant::now(), 0);
    while world.count(OPEN).await > 0 {
        for trade in numbers(&world.pool, DUE).await {
            drives += 1;
            engine.drive(trade).await.expect("a step");
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "trades are left open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drives
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_that_wait_for_their_wallet_go_in_the_order_they_were_planned() {
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 2);
    let planned = plan(&world, &engine, 8).await;
    for trade in planned[..2].iter().chain(planned[2..].iter().rev()) {
        assert_ne!(engine.drive(*trade).await.expect("a step"), Progress::Final);
    }
    assert_eq!(numbers(&world.pool, ASLEEP).await, planned[2..]);
    // One that is planned now finds others before it.
    let late = world.evaluate(world.next_tick()).await;
    let TickOutcome::Traded { trade: late } = late else {
        panic!("{late:?}")
    };
    engine.drive(late).await.expect("a step");
    run_out(&world, &engine).await;
    let expected: Vec<TradeId> = planned.iter().copied().chain([late]).collect();
    assert_eq!(numbers(&world.pool, BY_NONCE).await, expected);
    assert_eq!(world.count("SELECT count(*) FROM fills").await, 9);
    assert_eq!(world.count("SELECT count(*) FROM turns").await, 0);
    world.assert_ledger_equals_venue().await;
}

thread_local! {
    /// Statements that this thread handed to the database.
    static STATEMENTS: Cell<u64> = const { Cell::new(0) };
}

/// Counts them. For the whole process: a subscriber of one thread misses what other threads were first to log.
struct Statements;

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            STATEMENTS.set(STATEMENTS.get() + 1);
        }
    }
}

/// On one thread, so that they can be counted.
#[tokio::test]
async fn a_trade_that_waits_for_its_wallet_costs_few_statements() {
    const WAITING: u8 = 40;
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Statements))
        .expect("nobody else listens");
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 1);
    world.fault(FaultKind::Stuck, 1).await;
    let planned = plan(&world, &engine, WAITING + 1).await;
    let (first, waiting) = planned.split_first().expect("trades");
    engine.drive(*first).await.expect("a step");
    let statements = async |trades: &[TradeId]| {
        let before = STATEMENTS.get();
        for trade in trades {
            engine.drive(*trade).await.expect("a step");
        }
        STATEMENTS.get() - before
    };
    // Going to sleep, and looking once more in vain.
    for _ in 0..2 {
        let before = store::now(&world.pool).await.expect("now");
        let made = statements(waiting).await;
        assert!(made > 0, "statements are not counted");
        println!("{made} statements of {WAITING} trades");
        assert!(made <= 10 * u64::from(WAITING), "{made} statements");
        // And nobody looks again before thirty check intervals have passed.
        let next = "SELECT min(next_check_at) FROM trades WHERE status = 'PENDING'";
        let next: chrono::DateTime<chrono::Utc> = sqlx::query_scalar(next)
            .fetch_one(&world.pool)
            .await
            .expect("a next look");
        assert!(
            next >= before + CHECK_INTERVAL.std() * 30,
            "{next} is too soon after {before}"
        );
    }
    // A place is given back: one is called, and only one.
    world.finish(*first).await;
    let called = "SELECT w.trade_id FROM turns w JOIN trades t ON t.id = w.trade_id
                  WHERE w.called_at IS NOT NULL AND t.next_check_at <= clock_timestamp()";
    assert_eq!(numbers(&world.pool, called).await, waiting[..1]);
}

/// What gives a place back calls the next in the same transaction; here the worker that did so does nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_after_it_gave_a_place_back_leaves_nobody_waiting() {
    let world = World::new(accumulate()).await;
    let (dying, living) = (worker(&world, 1), worker(&world, 1));
    let planned = plan(&world, &dying, 3).await;
    for trade in &planned {
        dying.drive(*trade).await.expect("a step");
    }
    while dying.settle(planned[0]).await.expect("a step") != Progress::Final {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let settings = SchedulerSettings {
        settle_lease: Span::from_millis(200),
        ..SchedulerSettings::default()
    };
    // The task is claimed, and that worker dies too.
    let handed_out = "SELECT count(*) FROM apalis.jobs WHERE convert_from(job, 'UTF8')::jsonb @> jsonb_build_object('trade', (SELECT min(trade_id) FROM turns))";
    scheduler::once(&world.pool, &settings).await.expect("claims");
    assert_eq!(world.count(handed_out).await, 1);
    run_out(&world, &living).await;
    assert_eq!(numbers(&world.pool, BY_NONCE).await, planned);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_lost_delays_those_who_wait_by_a_bounded_time() {
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 1);
    let planned = plan(&world, &engine, 3).await;
    for trade in &planned {
        engine.drive(*trade).await.expect("a step");
    }
    // As if the first had been called, and nobody had heard it.
    sqlx::query("UPDATE turns SET called_at = now() WHERE trade_id = $1")
        .bind(planned[1].0)
        .execute(&world.pool)
        .await
        .expect("a call");
    world.finish(planned[0]).await;
    assert_eq!(
        numbers(&world.pool, DUE).await,
        Vec::<TradeId>::new(),
        "nobody is awake"
    );
    run_out(&world, &engine).await;
    assert_eq!(numbers(&world.pool, BY_NONCE).await, planned);
}

/// A trade that goes to sleep waits for a transaction that is releasing a place, and then sees it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_to_sleep_beside_a_place_that_has_just_become_free() {
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 1);
    let planned = plan(&world, &engine, 2).await;
    engine.drive(planned[0]).await.expect("a step");
    let account = jobs::by_ids(&world.pool, &[world.job])
        .await
        .expect("jobs")
        .remove(0)
        .expect("a readable job")
        .account;
    let mut ending = world.pool.begin().await.expect("a transaction");
    for sql in [
        "SELECT FROM signers FOR NO KEY UPDATE",
        "DELETE FROM reservations",
    ] {
        sqlx::query(sql).execute(&mut *ending).await.expect(sql);
    }
    let pool = world.pool.clone();
    let second = planned[1];
    let waiting = tokio::spawn(async move {
        let turn = Turn {
            trade: second,
            account: &account,
            pipeline_max: 1,
        };
        turns::wait(&pool, &turn, Span::from_secs(60), "waits")
            .await
            .expect("an answer")
    });
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let begun = Instant::now();
    while world.count(blocked).await == 0 {
        assert!(
            !waiting.is_finished(),
            "it did not wait for the place that is being given back"
        );
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ending.commit().await.expect("committed");
    assert_eq!(waiting.await.expect("no panic"), Waiting::First);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_a_whole_wallet_is_looked_at_by_the_first_alone() {
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 16);
    world.trade().await;
    let account = world.job().await.account;
    let planned = plan(&world, &engine, 5).await;
    signers::halt(&world.pool, &account, "a test")
        .await
        .expect("halted");
    for trade in &planned {
        assert_eq!(engine.drive(*trade).await.expect("a step"), Progress::Waiting);
    }
    assert_eq!(numbers(&world.pool, ASLEEP).await, planned[1..]);
    sqlx::query("UPDATE signers SET halted_at = NULL, halted_reason = NULL")
        .execute(&world.pool)
        .await
        .expect("released");
    let drives = run_out(&world, &engine).await;
    assert!(drives <= 40, "{drives} drives");
    assert_eq!(numbers(&world.pool, BY_NONCE).await[1..], planned);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_that_cannot_have_its_nonce_gives_its_turn_up() {
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 1);
    let planned = plan(&world, &engine, 3).await;
    for trade in &planned {
        engine.drive(*trade).await.expect("a step");
    }
    // What gas costs now is more than its job allows.
    let set_limit = "UPDATE jobs SET config = jsonb_set(config, '{limits,max_gas_usd}', to_jsonb($2::text))
                     WHERE id = (SELECT job_id FROM trades WHERE id = $1)";
    let allow = async |usd: &str| {
        sqlx::query(set_limit)
            .bind(planned[1].0)
            .bind(usd)
            .execute(&world.pool)
            .await
            .expect("a limit");
    };
    allow("0").await;
    world.finish(planned[0]).await;
    assert_eq!(numbers(&world.pool, DUE).await, [planned[1]]);
    engine.drive(planned[1]).await.expect("a step");
    assert_eq!(
        numbers(
            &world.pool,
            "SELECT trade_id FROM turns WHERE called_at IS NOT NULL"
        )
        .await,
        [planned[2]]
    );
    world.finish(planned[2]).await;
    allow("5").await;
    run_out(&world, &engine).await;
    assert_eq!(
        numbers(&world.pool, BY_NONCE).await,
        [planned[0], planned[2], planned[1]]
    );
    world.assert_ledger_equals_venue().await;
}

/// A lease is for lost tasks. The worker that continued the trade meanwhile scheduled no check.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_trade_is_looked_for_at_its_interval_and_not_only_after_its_lease() {
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 16);
    let seconds = Span::from_secs;
    let planned = plan(&world, &engine, 1).await;
    engine.drive(planned[0]).await.expect("a step");
    sqlx::query("UPDATE trades SET next_check_at = now()")
        .execute(&world.pool)
        .await
        .expect("it is due");
    let settings = SchedulerSettings {
        settle_lease: seconds(600),
        ..SchedulerSettings::default()
    };
    assert_eq!(
        scheduler::once(&world.pool, &settings)
            .await
            .expect("claims")
            .settles,
        1
    );
    // No slot is due soon.
    sqlx::query("UPDATE job_slots SET due_at = now() + interval '1 year'")
        .execute(&world.pool)
        .await
        .expect("later");
    let sleep = async || {
        slots::outlook(&world.pool, seconds(600), seconds(7))
            .await
            .expect("a time")
            .until
    };
    let while_open = sleep().await.expect("a trade is open");
    assert!(while_open <= seconds(7), "{while_open}");
    world.finish(planned[0]).await;
    let afterwards = sleep().await;
    assert!(
        afterwards.is_none_or(|afterwards| afterwards > seconds(7)),
        "{afterwards:?}"
    );
}

/// A plan that expires while it waits is the next one's turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_expires_in_its_turn_lets_the_next_one_go() {
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 1);
    let planned = plan(&world, &engine, 3).await;
    for trade in &planned {
        engine.drive(*trade).await.expect("a step");
    }
    world.finish(planned[0]).await;
    sqlx::query("UPDATE trades SET expires_at = now() WHERE id = $1")
        .bind(planned[1].0)
        .execute(&world.pool)
        .await
        .expect("it expires");
    run_out(&world, &engine).await;
    assert_eq!(numbers(&world.pool, BY_NONCE).await, [planned[0], planned[2]]);
    let expired = numbers(
        &world.pool,
        "SELECT id FROM trades WHERE failure_kind = 'expired'",
    )
    .await;
    assert_eq!(expired, [planned[1]]);
    let moved = world.count("SELECT settlements FROM signers").await;
    assert_eq!(moved, 2, "a trade that never had a nonce moved no balance");
    world.assert_ledger_equals_venue().await;
}

/// A busy wallet is no fault of the jobs that wait for it: however often it happens, none of them goes to ERROR.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_expires_in_its_sleep_counts_as_no_failure() {
    let world = World::new(accumulate()).await;
    let engine = worker(&world, 1);
    let planned = plan(&world, &engine, 2).await;
    for trade in &planned {
        engine.drive(*trade).await.expect("a step");
    }
    assert_eq!(numbers(&world.pool, ASLEEP).await, [planned[1]]);
    sqlx::query("UPDATE trades SET expires_at = now() WHERE id = $1")
        .bind(planned[1].0)
        .execute(&world.pool)
        .await
        .expect("it expires");
    run_out(&world, &engine).await;
    let expired = "SELECT failures_in_row FROM jobs WHERE backoff_until IS NULL AND id = (
                       SELECT job_id FROM trades WHERE failure_kind = 'expired')";
    assert_eq!(
        world
            .count("SELECT count(*) FROM trades WHERE failure_kind = 'expired'")
            .await,
        1
    );
    let failures: i32 = sqlx::query_scalar(expired)
        .fetch_one(&world.pool)
        .await
        .expect("no pause either");
    assert_eq!(failures, 0);
}
