//! Laws 6, 7, 11 and 12: foreign transactions, deadlines, insufficient funds.

use std::sync::Arc;

use alloy_primitives::B256;
use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        ids::TradeId,
        job::{Account, Realm},
        onchain::{Asset, Call, UnsignedTransaction},
        trade::TradeStatus,
        units::Amount,
    },
    engine::{
        Engine, EngineSettings, Progress, TickOutcome,
        reconcile::{BalanceRemedy, Remedy},
    },
    paper::{FaultKind, Funding, PaperSettings, PaperSigner, default_wallet},
    ports::{Chain, Markets, Signer},
    store::{foreign, trades},
};
use testkit::unsteady::{Node, UnsteadyMarkets};

use crate::engine::world::{TOKEN, World, accumulate, create, engine_settings, paper_settings};

pub fn account() -> Account {
    Account {
        realm: Realm::Paper,
        chain: "base".to_owned(),
        wallet: default_wallet(),
    }
}

pub async fn chain(world: &World) -> Arc<dyn Chain> {
    world.paper.market(&account()).await.expect("market").chain
}

/// Another program with the same key uses `nonce`; returns the hash once it is mined.
pub async fn somebody_else_uses(world: &World, nonce: u64) -> B256 {
    let chain = chain(world).await;
    let signer = PaperSigner::new("base", default_wallet());
    let unsigned = UnsignedTransaction {
        call: Call::cancel(default_wallet()),
        nonce,
        fees: chain.fees().await.expect("fees"),
    };
    let signed = signer.sign(&unsigned).await.expect("signed");
    chain.send(&signed.raw).await.expect("sent");
    for _ in 0..100 {
        if chain.nonces(default_wallet()).await.expect("nonces").latest > nonce {
            return signed.hash;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the other transaction was not mined");
}

pub async fn text(world: &World, sql: &'static str) -> Option<String> {
    sqlx::query_scalar(sql).fetch_one(&world.pool).await.expect(sql)
}

pub const HALTED: &str = "SELECT halted_reason FROM signers";

/// A trade that has its nonce and sent nothing yet.
pub async fn submitted(world: &World) -> TradeId {
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    for _ in 0..10 {
        world.engine.settle(trade).await.expect("a step");
        let state = trades::load(&world.pool, trade).await.expect("trade").state;
        if state.status == TradeStatus::Submitted {
            return trade;
        }
    }
    panic!("no nonce");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_transaction_is_proven_by_its_block_halts_the_signer_and_fails_the_trade() {
    let world = World::new(accumulate()).await;
    let trade = submitted(&world).await;
    let hash = somebody_else_uses(&world, 0).await;
    world.finish(trade).await;
    let kind = text(&world, "SELECT failure_kind FROM trades").await;
    assert_eq!(kind.as_deref(), Some("foreign"));
    let reason = text(&world, HALTED).await.expect("halted");
    assert!(
        reason.contains(&hash.to_string()) && reason.contains("in block"),
        "{reason}"
    );
    assert_eq!(
        world
            .count("SELECT count(*) FROM foreign_transactions WHERE trade_id IS NOT NULL")
            .await,
        1
    );
    assert_eq!(world.count("SELECT count(*) FROM reservations").await, 0);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_another_worker_sent_meanwhile_is_nobody_elses() {
    let world = World::new(accumulate()).await;
    let (slow, node) = unsteady(&world, engine_settings());
    world.fault(FaultKind::Stuck, 1).await;
    let trade = submitted(&world).await;
    // The first step only sends: nobody can know yet what was signed a moment ago.
    world.engine.settle(trade).await.expect("sent");
    // It has read the trade, and not yet the chain.
    let (has_come, let_go) = node.hold();
    let slow = tokio::spawn(async move { slow.settle(trade).await });
    has_come.await.expect("it looks at the chain");
    world.finish(trade).await;
    assert_eq!(world.count("SELECT count(*) FROM attempts").await, 2);
    let_go.send(()).expect("it waits");
    slow.await.expect("no panic").expect("a step");
    assert_eq!(text(&world, HALTED).await, None);
    assert_eq!(world.count("SELECT count(*) FROM foreign_transactions").await, 0);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_signer_signs_nothing_until_reconcile_has_identified_every_nonce() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    let foreign = [
        somebody_else_uses(&world, 1).await,
        somebody_else_uses(&world, 2).await,
    ];
    world.engine.check_signer(&account()).await.expect("checked");
    let reason = text(&world, HALTED)
        .await
        .expect("halted before anything is signed");
    assert!(reason.contains(&foreign[0].to_string()), "{reason}");
    if let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await {
        world.engine.drive(trade).await.expect("it waits");
    }
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 1);
    let report = world.engine.reconcile().await.expect("a report");
    let signer = &report.signers[0];
    let seen: Vec<_> = signer
        .unknown
        .iter()
        .map(|unknown| unknown.used.expect("found").hash)
        .collect();
    assert_eq!(seen, foreign);
    assert_eq!(signer.remedy, Remedy::Advance(3));
    assert_eq!(
        world.count("SELECT next_nonce FROM signers").await,
        1,
        "a report changes nothing"
    );
    world.engine.repair(&report, "test").await.expect("repaired");
    assert_eq!(world.count("SELECT next_nonce FROM signers").await, 3);
    assert_eq!(text(&world, HALTED).await, None);
    assert_eq!(
        foreign::known_nonces(&world.pool, &account(), 1)
            .await
            .expect("nonces"),
        [1, 2]
    );
    let open = trades::open(&world.pool).await.expect("open");
    for trade in open {
        world.finish(trade.id).await;
    }
    world.pass(TimeDelta::seconds(60));
    world.trade().await;
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_is_not_released_while_one_of_its_trades_is_open() {
    let world = World::new(accumulate()).await;
    let trade = submitted(&world).await;
    sqlx::query("UPDATE signers SET halted_at = now(), halted_reason = 'by hand'")
        .execute(&world.pool)
        .await
        .expect("halted");
    let report = world.engine.reconcile().await.expect("a report");
    assert!(matches!(&report.signers[0].remedy, Remedy::Not(why) if why.contains("is open")));
    world.engine.repair(&report, "test").await.expect("nothing to do");
    assert!(text(&world, HALTED).await.is_some());
    world.finish(trade).await;
    let report = world.engine.reconcile().await.expect("a report");
    assert_eq!(report.signers[0].remedy, Remedy::Release);
    world.engine.repair(&report, "test").await.expect("repaired");
    world.trade().await;
    world.assert_ledger_equals_venue().await;
}

/// The world's own job, driven through a node that is not steady.
pub fn unsteady(world: &World, settings: EngineSettings) -> (Engine, Node) {
    let node = Node::default();
    let markets = UnsteadyMarkets {
        paper: world.paper.clone(),
        node: node.clone(),
    };
    let engine = Engine::new(
        world.pool.clone(),
        Arc::new(world.market.clone()),
        Arc::new(markets),
        settings,
    );
    (engine, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_cannot_pay_its_gas_takes_on_nothing_new_until_it_can() {
    let world = World::new(accumulate()).await;
    let other = create(
        &world.pool,
        alloy_primitives::Address::repeat_byte(7),
        accumulate(),
    )
    .await;
    let first = submitted(&world).await;
    let fund = |amount: &str| {
        let amount: Amount = amount.parse().expect("amount");
        let paper = world.paper.clone();
        async move {
            paper
                .fund("base", default_wallet(), Asset::Native, Funding::Set(amount))
                .await
                .expect("funded")
        }
    };
    let slot = world.next_tick().slot;
    let tick = lgi_mm::engine::Tick { job: other, slot };
    let TickOutcome::Traded { trade: second } = world.evaluate(tick).await else {
        panic!("no trade")
    };
    fund("0").await;
    world.engine.drive(first).await.expect("refused");
    fund("1000000000000000000").await;
    world.engine.drive(second).await.expect("it waits");
    let note = text(&world, "SELECT note FROM trades WHERE status = 'PENDING'")
        .await
        .expect("a note");
    assert!(note.contains("cannot pay"), "{note}");
    world.finish(first).await;
    world.finish(second).await;
    assert_eq!(world.count("SELECT count(*) FROM fills").await, 2);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_deadline_a_stuck_swap_is_cancelled_and_a_stuck_cancel_is_replaced() {
    let settings = PaperSettings {
        replace_after: "300ms".parse().expect("span"),
        attempts_max: 2,
        ..paper_settings()
    };
    let world = World::with(accumulate(), settings).await;
    let (engine, _) = unsteady(
        &world,
        EngineSettings {
            trade_deadline: "200ms".parse().expect("span"),
            ..engine_settings()
        },
    );
    world.fault(FaultKind::Stuck, 2).await;
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    for _ in 0..400 {
        if matches!(engine.drive(trade).await, Ok(Progress::Final)) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let kind = text(&world, "SELECT failure_kind FROM trades").await;
    assert_eq!(kind.as_deref(), Some("cancelled"));
    let purposes: Vec<String> = sqlx::query_scalar("SELECT purpose FROM attempts ORDER BY id")
        .fetch_all(&world.pool)
        .await
        .expect("attempts");
    assert_eq!(purposes, ["swap", "cancel", "cancel"]);
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 1);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_writes_a_position_down_to_what_the_wallet_holds_and_never_up() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    let before = world.job().await.position;
    let half = before.token_balance.units() / alloy_primitives::U256::from(2);
    let set = |units| {
        let paper = world.paper.clone();
        let funding = Funding::Set(Amount::new(units));
        async move {
            paper
                .fund("base", default_wallet(), Asset::Token(TOKEN), funding)
                .await
        }
    };
    set(before.token_balance.units() * alloy_primitives::U256::from(3))
        .await
        .expect("more");
    let report = world.engine.reconcile().await.expect("a report");
    assert!(
        report
            .balances
            .iter()
            .all(|balance| balance.remedy == BalanceRemedy::Nothing)
    );
    set(half).await.expect("less");
    let report = world.engine.reconcile().await.expect("a report");
    assert_eq!(report.balances[0].remedy, BalanceRemedy::WriteDown(world.job));
    assert_eq!(world.job().await.position, before, "a report changes nothing");
    world.engine.repair(&report, "test").await.expect("repaired");
    let after = world.job().await.position;
    assert_eq!(after.token_balance.units(), half);
    let doubled = after.cost_basis.checked_add(after.cost_basis).expect("sum");
    assert!(
        doubled
            .checked_sub(before.cost_basis)
            .expect("difference")
            .decimal()
            .abs()
            < rust_decimal::Decimal::new(1, 6),
        "{} of {}",
        after.cost_basis,
        before.cost_basis
    );
    assert_eq!(after.realized_pnl, before.realized_pnl);
    let totals = lgi_mm::store::views::ledger_totals(&world.pool)
        .await
        .expect("totals");
    assert_eq!(totals.unbalanced_jobs, 0);
}
