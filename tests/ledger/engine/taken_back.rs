//! Law 8, consequences: failures that are reorged out, and sells of jobs that were done.

use alloy_primitives::B256;
use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        decision::HoldReason,
        ids::{FillId, TradeId},
        job::{JobStatus, Transition},
        onchain::Asset,
        trade::{FailureKind, TradeStatus},
        units::Usd,
    },
    engine::{Engine, Progress, TickOutcome},
    paper::{FaultKind, Funding, PaperSettings, default_wallet},
    store::{
        endings::{self, Ended, TradeFailure},
        failure_watches,
        jobs::CommandError,
        orders::{self, Order},
        trades,
    },
};
use testkit::unsteady::{Fate, Node};

use crate::engine::{
    laws::{submitted, text, unsteady},
    world::{TOKEN, World, accumulate, engine_settings, paper_settings},
};

/// What a node has forgotten is replaced after a while; here the bytes are to come through as they are.
async fn patient() -> (World, Engine, Node) {
    let settings = PaperSettings {
        replace_after: "1m".parse().expect("span"),
        ..paper_settings()
    };
    let world = World::with(accumulate(), settings).await;
    let (engine, node) = unsteady(&world, engine_settings());
    node.finalize(Some(0));
    (world, engine, node)
}

async fn hash_of(world: &World, trade: TradeId) -> B256 {
    let state = trades::load(&world.pool, trade).await.expect("trade").state;
    state.transactions[0].attempts[0].hash
}

async fn status(world: &World, trade: TradeId) -> TradeStatus {
    trades::load(&world.pool, trade)
        .await
        .expect("trade")
        .state
        .status
}

async fn drive(engine: &Engine, trade: TradeId) {
    for _ in 0..400 {
        if matches!(engine.drive(trade).await, Ok(Progress::Final)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("trade {trade} did not end");
}

/// A buy that reverted, as this node saw it; on the chain that wins it has succeeded.
async fn reverted(world: &World, engine: &Engine, node: &Node) -> (TradeId, B256) {
    let trade = submitted(world).await;
    let hash = hash_of(world, trade).await;
    node.set(hash, Some(Fate::Reverted));
    drive(engine, trade).await;
    assert_eq!(status(world, trade).await, TradeStatus::Failed);
    (trade, hash)
}

/// How many are still watched after a look at all of them.
async fn look(world: &World, engine: &Engine) -> usize {
    let watched = failure_watches::all(&world.pool).await.expect("watched");
    engine.watch_failures(&watched).await.expect("looked at");
    failure_watches::all(&world.pool).await.expect("watched").len()
}

async fn start(world: &World) -> Result<Transition, CommandError> {
    let order = Order::Start {
        deposit: "0".parse().expect("amount"),
    };
    orders::order(&world.pool, world.job, order, "test").await
}

async fn liquidate(world: &World, slices: u32) {
    let over = "0s".parse().expect("span");
    world.order(Order::Liquidate { over, slices }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_failed_and_was_mined_again_successfully_is_filled_once() {
    let (world, engine, node) = patient().await;
    let (trade, hash) = reverted(&world, &engine, &node).await;
    assert_eq!(world.job().await.failures_in_row, 1);
    assert_eq!(look(&world, &engine).await, 1, "it stands, and is not final");
    assert_eq!(status(&world, trade).await, TradeStatus::Failed);
    // The failure's pause is over, and the rule is due again: planned, and nothing signed.
    world.pass(TimeDelta::seconds(10));
    let TickOutcome::Traded { trade: second } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    node.set(hash, None);
    assert_eq!(look(&world, &engine).await, 0);
    assert_eq!(status(&world, trade).await, TradeStatus::Submitted);
    assert_eq!(status(&world, second).await, TradeStatus::Dropped);
    assert_eq!(world.count("SELECT count(*) FROM reservations").await, 1);
    assert_eq!(world.job().await.failures_in_row, 0);
    world.pass(TimeDelta::seconds(10));
    assert_eq!(world.hold().await, HoldReason::TradeOpen);
    drive(&engine, trade).await;
    assert_eq!(status(&world, trade).await, TradeStatus::Executed);
    assert_eq!(world.count("SELECT count(*) FROM fills").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM attempts").await, 1);
    world.assert_ledger_equals_venue().await;
    let events = "SELECT string_agg(event, ' ' ORDER BY id) FROM outbox";
    assert_eq!(
        text(&world, events).await.as_deref(),
        Some("trade.failed trade.dropped trade.reversed trade.filled")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_whose_nonce_is_free_again_opens_its_trade_and_nothing_is_bought_meanwhile() {
    let (world, engine, node) = patient().await;
    world.fault(FaultKind::Revert, 1).await;
    let trade = submitted(&world).await;
    drive(&engine, trade).await;
    let hash = hash_of(&world, trade).await;
    let gas = world.job().await.gas_usd;
    node.set(hash, Some(Fate::Buried { nonce: 0 }));
    world.pass(TimeDelta::seconds(10));
    assert_eq!(look(&world, &engine).await, 1);
    assert_eq!(
        status(&world, trade).await,
        TradeStatus::Failed,
        "once is no proof"
    );
    assert_eq!(node.resent(), 0, "nobody wants it sent again");
    assert_eq!(world.hold().await, HoldReason::Backoff);
    // It was only in another block: the misses are forgotten.
    node.set(hash, None);
    assert_eq!(look(&world, &engine).await, 1);
    node.set(hash, Some(Fate::Buried { nonce: 0 }));
    assert_eq!(look(&world, &engine).await, 1);
    assert_eq!(look(&world, &engine).await, 0);
    assert_eq!(status(&world, trade).await, TradeStatus::Submitted);
    assert_eq!(world.job().await.gas_usd, Usd::ZERO);
    assert_eq!(world.hold().await, HoldReason::TradeOpen);
    // And reverts once more.
    node.set(hash, None);
    drive(&engine, trade).await;
    assert_eq!(status(&world, trade).await, TradeStatus::Failed);
    let job = world.job().await;
    assert_eq!((job.failures_in_row, job.gas_usd), (1, gas));
    node.finalize(None);
    assert_eq!(look(&world, &engine).await, 0, "final");
    assert_eq!(status(&world, trade).await, TradeStatus::Failed);
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 1);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_never_had_a_nonce_needs_no_watching() {
    let (world, engine, _) = patient().await;
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    world.order(Order::Pause).await;
    drive(&engine, trade).await;
    assert_eq!(status(&world, trade).await, TradeStatus::Dropped);
    assert_eq!(look(&world, &engine).await, 0);
}

/// A buy that succeeds after its job has sold all and is done: what it brought is sold too.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_a_job_that_was_done_is_sold() {
    let (world, engine, node) = patient().await;
    let (trade, hash) = reverted(&world, &engine, &node).await;
    liquidate(&world, 1).await;
    assert_eq!(world.hold().await, HoldReason::Idle);
    assert_eq!(world.job().await.status, JobStatus::Idle);
    node.set(hash, None);
    assert_eq!(look(&world, &engine).await, 0);
    assert!(matches!(start(&world).await, Err(CommandError::TradeOpen(open)) if open == trade));
    drive(&engine, trade).await;
    let job = world.job().await;
    assert_eq!(job.status, JobStatus::Liquidating);
    assert!(!job.position.token_balance.is_zero());
    world.trade().await;
    assert_eq!(world.job().await.status, JobStatus::Idle);
    world.assert_ledger_equals_venue().await;
}

/// The fill of this trade is reorged out permanently.
async fn bury(world: &World, engine: &Engine, node: &Node, trade: TradeId, nonce: u64) {
    node.set(hash_of(world, trade).await, Some(Fate::Buried { nonce }));
    let fill: Vec<i64> = sqlx::query_scalar("SELECT id FROM fills WHERE trade_id = $1")
        .bind(trade.0)
        .fetch_all(&world.pool)
        .await
        .expect("fill");
    for _ in 0..2 {
        let fill: Vec<FillId> = fill.iter().copied().map(FillId).collect();
        engine.watch(&fill).await.expect("looked at");
    }
    assert_eq!(status(world, trade).await, TradeStatus::Submitted);
}

/// As if it had been cancelled in place of its swap, whose tokens are in the wallet again.
pub(super) async fn cancelled(world: &World, trade: TradeId) {
    let failure = TradeFailure {
        kind: FailureKind::Cancelled,
        error: "cancelled".to_owned(),
        hash: Some(B256::repeat_byte(7)),
        block_number: 1,
        gas_usd: Usd::ZERO,
        gas: Vec::new(),
    };
    let trade = trades::load(&world.pool, trade).await.expect("trade");
    let ended = endings::commit_failure(&world.pool, &trade, &failure, 4).await;
    assert_eq!(ended.expect("committed"), Ended::Committed);
    let held = world.job().await.position.token_balance;
    world
        .paper
        .fund("base", default_wallet(), Asset::Token(TOKEN), Funding::Set(held))
        .await
        .expect("funded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liquidation_whose_last_sell_is_taken_back_goes_on_and_sells_again() {
    let (world, engine, node) = patient().await;
    world.trade().await;
    let bought = world.job().await.position;
    liquidate(&world, 1).await;
    let sell = world.trade().await;
    assert_eq!(world.job().await.status, JobStatus::Idle);
    bury(&world, &engine, &node, sell, 1).await;
    let job = world.job().await;
    assert_eq!((job.status, job.position), (JobStatus::Liquidating, bought));
    assert_eq!(world.hold().await, HoldReason::TradeOpen);
    assert!(matches!(start(&world).await, Err(CommandError::Refused(_))));
    let slots = "SELECT count(*) FROM job_slots WHERE due_at IS NOT NULL";
    assert_eq!(world.count(slots).await, 1, "its next slot is planned");
    cancelled(&world, sell).await;
    assert_eq!(world.job().await.status, JobStatus::Liquidating);
    world.pass(TimeDelta::seconds(10));
    world.trade().await;
    let job = world.job().await;
    assert_eq!(job.status, JobStatus::Idle);
    assert!(job.position.token_balance.is_zero());
    start(&world).await.expect("a new cycle");
}

/// As a build before this one could leave a job.
#[tokio::test(flavor = "multi_thread")]
async fn no_cycle_begins_while_the_last_one_holds_tokens_or_has_an_open_trade() {
    let (world, engine, node) = patient().await;
    world.trade().await;
    liquidate(&world, 1).await;
    let sell = world.trade().await;
    bury(&world, &engine, &node, sell, 1).await;
    sqlx::query("UPDATE jobs SET status = 'IDLE', liquidation = NULL")
        .execute(&world.pool)
        .await
        .expect("idle");
    let held = world.job().await.position;
    assert!(matches!(start(&world).await, Err(CommandError::TradeOpen(open)) if open == sell));
    cancelled(&world, sell).await;
    let refused = start(&world).await.expect_err("it holds tokens").to_string();
    assert!(
        refused.contains("TKN") && refused.contains("`liquidate`"),
        "{refused}"
    );
    let removed = orders::order(&world.pool, world.job, Order::Remove, "test").await;
    assert!(matches!(removed, Err(CommandError::StillHolds(_))));
    assert_eq!(world.job().await.position, held);
    liquidate(&world, 1).await;
    world.pass(TimeDelta::seconds(10));
    world.trade().await;
    assert_eq!(world.job().await.status, JobStatus::Idle);
    start(&world).await.expect("a new cycle");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_that_is_taken_back_is_due_again() {
    let (world, engine, node) = patient().await;
    world.trade().await;
    liquidate(&world, 3).await;
    world.trade().await;
    let slice = world.trade().await;
    let done = async || world.job().await.liquidation.expect("a plan").slices_done();
    assert_eq!(done().await, 2);
    bury(&world, &engine, &node, slice, 2).await;
    assert_eq!(done().await, 1);
    assert_eq!(world.job().await.status, JobStatus::Liquidating);
}

/// A trade of the last cycle that is filled late is a fill of the cycle that runs then: undoing a later one must not
/// forget it, or the rule would buy again at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_keeps_the_clock_of_a_fill_whose_trade_is_of_the_last_cycle() {
    let (world, engine, node) = patient().await;
    let (late, hash) = reverted(&world, &engine, &node).await;
    liquidate(&world, 1).await;
    assert_eq!(world.hold().await, HoldReason::Idle);
    start(&world).await.expect("a new cycle");
    node.set(hash, None);
    assert_eq!(look(&world, &engine).await, 0);
    drive(&engine, late).await;
    assert_eq!(status(&world, late).await, TradeStatus::Executed);
    let job = world.job().await;
    let (cycle, clock) = (job.cycle, job.last.dca);
    assert!(clock.is_some());
    let planned = format!("SELECT count(*) FROM trades WHERE id = {late} AND cycle = {cycle}");
    let planned: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(planned))
        .fetch_one(&world.pool)
        .await
        .expect("a number");
    assert_eq!(planned, 0, "it is of the cycle before");
    world.pass(TimeDelta::seconds(10));
    let second = world.trade().await;
    assert!(world.job().await.last.dca > clock);
    bury(&world, &engine, &node, second, 1).await;
    assert_eq!(world.job().await.last.dca, clock);
}
