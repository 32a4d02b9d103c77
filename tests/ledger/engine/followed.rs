//! A worker follows its trades by itself: no task of the queue carries a look, and whoever takes over loses nothing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use lgi_mm::{
    domain::{
        chains,
        ids::TradeId,
        job::{JobId, JobMode},
        span::Span,
        units::Amount,
    },
    engine::{Engine, EngineError, EngineSettings, Tick, TickOutcome},
    paper::{Fault, FaultKind, PaperMarkets},
    runner::{
        follow::Followers,
        scheduler::{self, SchedulerSettings},
    },
    store::{
        self, jobs,
        orders::{self, Order},
    },
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use testkit::{
    paper_job,
    statements::{Statement, Statements},
};
use tokio_util::sync::CancellationToken;

use crate::engine::world::{Market, TOKEN, World, accumulate, create, engine_settings, paper_settings};

const LEASE: Span = Span::from_secs(10);
const TASKS: &str = "SELECT count(*) FROM apalis.jobs";
const EXECUTED: &str = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
const SENT: &str = "SELECT count(*) FROM attempts WHERE sent_at IS NOT NULL";
const DUE: &str = "SELECT count(*) FROM trades WHERE next_check_at <= clock_timestamp()";

/// Most statements of the ledger for a slot that buys, from its load to its fill, `BEGIN` and `COMMIT` among them.
const STATEMENTS_MAX: usize = 25;
/// Most transactions from the plan to the fill, those of one statement among them.
const TRANSACTIONS_MAX: usize = 10;
/// Most statements that the same buy asks of the venue's own ledger meanwhile.
const VENUE_MAX: usize = 45;

async fn planned(world: &World) -> TradeId {
    match world.evaluate(world.next_tick()).await {
        TickOutcome::Traded { trade } => trade,
        other => panic!("no trade: {other:?}"),
    }
}

async fn until(pool: &PgPool, sql: &'static str, count: i64) {
    let begun = Instant::now();
    loop {
        let seen: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.expect(sql);
        if seen == count {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{seen} of {count}: {sql}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_follows_its_trade_to_the_fill_without_a_task_of_the_queue() {
    let world = World::new(accumulate()).await;
    let stop = CancellationToken::new();
    let followers = Followers::new(&world.engine, LEASE, stop.clone());
    let trade = planned(&world).await;
    assert!(followers.follow(trade));
    // Twice is once.
    assert!(followers.follow(trade));
    until(&world.pool, SENT, 1).await;
    // Nobody else is asked to look, until the worker is late by its lease.
    let settings = SchedulerSettings::default();
    let claimed = scheduler::once(&world.pool, &settings).await.expect("claims");
    assert_eq!(claimed.settles, 0);
    until(&world.pool, EXECUTED, 1).await;
    assert_eq!(world.count(TASKS).await, 0);
    stop.cancel();
    followers.end().await;
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_gives_its_trades_back_and_they_are_looked_at_at_once() {
    let world = World::new(accumulate()).await;
    let stop = CancellationToken::new();
    let followers = Followers::new(&world.engine, LEASE, stop.clone());
    world.fault(FaultKind::Stuck, 1).await;
    let trade = planned(&world).await;
    assert!(followers.follow(trade));
    until(&world.pool, SENT, 1).await;
    assert_eq!(world.count(DUE).await, 0);
    stop.cancel();
    followers.end().await;
    assert_eq!(world.count(DUE).await, 1);
    assert!(!followers.follow(trade), "it takes no more");
    world.finish(trade).await;
    world.assert_ledger_equals_venue().await;
}

/// What a killed worker leaves is the row alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_trade_whose_worker_is_gone_is_taken_over_after_its_lease() {
    let world = World::new(accumulate()).await;
    let lease = Span::from_secs(1);
    let trade = planned(&world).await;
    world.fault(FaultKind::Stuck, 1).await;
    let gone = world.engine.following(lease);
    gone.drive(trade).await.expect("sent");
    assert_eq!(world.count(SENT).await, 1);
    assert_eq!(world.count(DUE).await, 0);
    let begun = Instant::now();
    until(&world.pool, DUE, 1).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(800),
        "{:?}",
        begun.elapsed()
    );
    let claimed = scheduler::once(&world.pool, &SchedulerSettings::default())
        .await
        .expect("claims");
    assert_eq!(claimed.settles, 1);
    world.finish(trade).await;
    world.assert_ledger_equals_venue().await;
}

/// Follower, queue and a second worker at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_trade_that_is_followed_twice_is_filled_once() {
    let world = World::new(accumulate()).await;
    let stop = CancellationToken::new();
    let other = world.another_engine();
    let pair = [&world.engine, &other].map(|engine| Followers::new(engine, LEASE, stop.clone()));
    for done in 1..=5 {
        let trade = planned(&world).await;
        for followers in &pair {
            assert!(followers.follow(trade));
        }
        until(&world.pool, EXECUTED, done).await;
    }
    stop.cancel();
    for followers in &pair {
        followers.end().await;
    }
    assert_eq!(world.count("SELECT count(*) FROM fills").await, 5);
    world.assert_ledger_equals_venue().await;
}

/// More trades than are looked at at once, on a chain whose answers come late.
#[tokio::test(flavor = "multi_thread")]
async fn trades_of_a_chain_that_answers_late_hold_up_none_of_another_chain() {
    let world = World::new(accumulate()).await;
    let settings = EngineSettings {
        pipeline_max: 64,
        ..engine_settings()
    };
    let market = Arc::new(world.market.clone());
    let engine = Engine::new(world.pool.clone(), market, world.paper.clone(), settings);
    let mut late_ones = Vec::new();
    for number in 1..=40 {
        late_ones.push(create(&world.pool, Address::with_last_byte(number), accumulate()).await);
    }
    let late = Fault {
        delay: Span::from_secs(40),
        ..Fault::new(FaultKind::Late, "base")
    };
    world.paper.faults().add(&late).await.expect("a fault");
    let stop = CancellationToken::new();
    let followers = Followers::new(&engine, LEASE, stop.clone());
    for trade in traded(&engine, &late_ones).await {
        assert!(followers.follow(trade));
    }
    // They are signed, and their answers do not come.
    let signed = "SELECT least(count(*), 32) FROM attempts";
    until(&world.pool, signed, 32).await;
    let usdc = chains::find("ethereum").expect("a chain").usdc;
    let mut new = paper_job(TOKEN, "OTHER", JobMode::Accumulate, accumulate());
    (new.account.chain, new.quote.address) = ("ethereum".to_owned(), usdc);
    let job = jobs::create(&world.pool, &new, "test").await.expect("a job");
    let order = Order::Start {
        deposit: Amount::ZERO,
    };
    orders::order(&world.pool, job, order, "test")
        .await
        .expect("started");
    for trade in traded(&engine, &[job]).await {
        assert!(followers.follow(trade));
    }
    until(&world.pool, EXECUTED, 1).await;
    stop.cancel();
}

/// The trades of a slice of jobs, each of which buys.
async fn traded(engine: &Engine, jobs: &[JobId]) -> Vec<TradeId> {
    let slot = store::now(engine.pool()).await.expect("now");
    let ticks: Vec<Tick> = jobs.iter().map(|job| Tick { job: *job, slot }).collect();
    let traded = |outcome: Result<TickOutcome, EngineError>| match outcome {
        Ok(TickOutcome::Traded { trade }) => trade,
        other => panic!("no trade: {other:?}"),
    };
    let results = engine.evaluate(&ticks).await.into_iter();
    results.map(|result| traded(result.outcome)).collect()
}

async fn through(door: &Statements) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(4);
    pool.connect(&door.url()).await.expect("a pool")
}

/// Transactions, those of one statement among them.
fn transactions(statements: &[Statement]) -> usize {
    let mut open = std::collections::HashSet::new();
    let mut count = 0;
    for Statement { connection, sql } in statements {
        match sql.as_str() {
            "BEGIN" => {
                open.insert(*connection);
                count += 1;
            }
            "COMMIT" | "ROLLBACK" => {
                open.remove(connection);
            }
            _ if !open.contains(connection) => count += 1,
            _ => {}
        }
    }
    count
}

fn listed(statements: &[Statement]) -> String {
    let line = |statement: &Statement| statement.sql.chars().take(110).collect::<String>();
    statements.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buy_costs_few_statements_from_its_plan_to_its_fill() {
    let db = testkit::db().await;
    let (ledger, venue) = (Statements::start(&db.url).await, Statements::start(&db.url).await);
    let market = Market::default();
    market.set("2");
    let paper = Arc::new(PaperMarkets::new(through(&venue).await, paper_settings()));
    let engine = Engine::new(through(&ledger).await, Arc::new(market), paper, engine_settings());
    let job = create(&db.pool, TOKEN, accumulate()).await;
    let stop = CancellationToken::new();
    let followers = Followers::new(&engine, LEASE, stop.clone());
    let places = || [&ledger, &venue].map(|door| usize::try_from(door.seen().0).expect("a count"));
    // The first one opens the wallet.
    for number in 1..=3 {
        let before = places();
        let slot = store::now(&db.pool).await.expect("now");
        let outcome = engine.evaluate(&[Tick { job, slot }]).await.remove(0).outcome;
        let Ok(TickOutcome::Traded { trade }) = outcome else {
            panic!("no trade: {outcome:?}")
        };
        assert!(followers.follow(trade));
        until(&db.pool, EXECUTED, number).await;
        // The look that booked it ends with a commit.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (ours, theirs) = (ledger.since(before[0]), venue.since(before[1]));
        println!(
            "{} statements, {} transactions, {} of the venue",
            ours.len(),
            transactions(&ours),
            theirs.len()
        );
        if number > 1 {
            assert!(ours.len() <= STATEMENTS_MAX, "{}", listed(&ours));
            assert!(ours.len() >= 8, "nothing is counted: {}", listed(&ours));
            assert!(theirs.len() <= VENUE_MAX, "{}", listed(&theirs));
            let plan = ours
                .iter()
                .position(|statement| statement.sql.contains("INSERT INTO trades"));
            let since_plan = &ours[plan.expect("a plan")..];
            assert!(
                transactions(since_plan) <= TRANSACTIONS_MAX,
                "{}",
                listed(since_plan)
            );
        }
    }
    stop.cancel();
    followers.end().await;
}
