//! What the venue may do wrong, and what must stay true all the same.

use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        decision::HoldReason,
        ids::TradeId,
        job::JobStatus,
        trade::{FailureKind, TradeStatus},
        units::Amount,
    },
    engine::TickOutcome,
    paper::FaultKind,
    store::{orders::Order, trades},
};

use crate::engine::world::{World, accumulate, paper_settings};

async fn failure(world: &World, trade: TradeId) -> (TradeStatus, Option<String>) {
    let status = trades::load(&world.pool, trade)
        .await
        .expect("trade")
        .state
        .status;
    let kind = sqlx::query_scalar("SELECT failure_kind FROM trades WHERE id = $1")
        .bind(trade.0)
        .fetch_one(&world.pool)
        .await
        .expect("kind");
    (status, kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_neither_fails_nor_doubles_a_trade() {
    let world = World::new(accumulate()).await;
    world.fault(FaultKind::Lost, 2).await;
    for _ in 0..3 {
        let trade = world.trade().await;
        assert_eq!(failure(&world, trade).await, (TradeStatus::Executed, None));
    }
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_forgotten_is_sent_again_with_the_same_bytes() {
    // Patient enough that a slow machine does not replace what only waits for its block.
    let settings = lgi_mm::paper::PaperSettings {
        replace_after: "1m".parse().expect("span"),
        ..paper_settings()
    };
    let world = World::with(accumulate(), settings).await;
    world.fault(FaultKind::Drop, 1).await;
    let trade = world.trade().await;
    assert_eq!(failure(&world, trade).await.0, TradeStatus::Executed);
    assert_eq!(world.count("SELECT count(*) FROM attempts").await, 1);
    assert!(world.count("SELECT sum(sends) FROM attempts").await > 1);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_transaction_is_replaced_on_its_own_nonce() {
    let world = World::new(accumulate()).await;
    world.fault(FaultKind::Stuck, 1).await;
    let trade = world.trade().await;
    assert_eq!(failure(&world, trade).await.0, TradeStatus::Executed);
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM attempts").await, 2);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_fails_the_trade_frees_the_reservation_and_makes_the_job_wait() {
    let world = World::new(accumulate()).await;
    world.fault(FaultKind::Revert, 1).await;
    let trade = world.trade().await;
    assert_eq!(
        failure(&world, trade).await,
        (TradeStatus::Failed, Some(FailureKind::Reverted.to_string()))
    );
    let job = world.job().await;
    assert_eq!(
        (job.failures_in_row, job.position.token_balance),
        (1, Amount::ZERO)
    );
    assert!(job.gas_usd.is_positive(), "a revert costs gas");
    assert_eq!(world.hold().await, HoldReason::Backoff);
    world.pass(TimeDelta::seconds(5));
    world.trade().await;
    assert_eq!(world.job().await.failures_in_row, 0);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_failures_in_a_row_stop_the_job_until_it_is_resumed() {
    let world = World::new(accumulate()).await;
    world.fault(FaultKind::Revert, 5).await;
    for failures in 1..=5 {
        world.trade().await;
        assert_eq!(world.job().await.failures_in_row, failures);
        world.pass(TimeDelta::seconds(120));
    }
    assert_eq!(world.job().await.status, JobStatus::Error);
    assert_eq!(world.hold().await, HoldReason::Error);
    world.order(Order::Resume).await;
    assert_eq!(world.job().await.status, JobStatus::Running);
    world.trade().await;
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_runs_out_of_money_is_a_named_hold_and_no_trade() {
    let mut settings = paper_settings();
    settings.wallet_usd = rust_decimal::Decimal::from(25);
    let world = World::with(accumulate(), settings).await;
    world.trade().await;
    world.trade().await;
    assert_eq!(world.hold().await, HoldReason::InsufficientBalance);
    assert_eq!(world.count("SELECT count(*) FROM trades").await, 2);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_that_is_down_leaves_the_trade_open_and_it_ends_when_it_is_back() {
    let world = World::new(accumulate()).await;
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    world.fault(FaultKind::Down, 6).await;
    for _ in 0..3 {
        let _ = world.engine.drive(trade).await;
    }
    assert_eq!(world.hold().await, HoldReason::TradeOpen);
    world.finish(trade).await;
    assert_eq!(failure(&world, trade).await.0, TradeStatus::Executed);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_older_than_the_chain_halts_the_signer_before_it_trades() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    world.trade().await;
    // What a restored backup looks like: the chain has used nonces that the counter does not know.
    sqlx::query("ALTER TABLE signers DISABLE TRIGGER signers_nonce_only_grows")
        .execute(&world.pool)
        .await
        .expect("off");
    sqlx::query("UPDATE signers SET next_nonce = 1")
        .execute(&world.pool)
        .await
        .expect("older");
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    let _ = world.engine.drive(trade).await;
    assert_eq!(
        world.count("SELECT count(*) FROM transactions").await,
        2,
        "nothing was signed"
    );
    assert_eq!(
        world
            .count("SELECT count(*) FROM signers WHERE halted_reason LIKE '%older than the chain%'")
            .await,
        1
    );
}
