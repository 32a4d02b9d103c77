//! Laws 6, 7, 8, 11 and 12: somebody else's transactions, blocks that are taken back, money that is short.

use std::sync::Arc;

use alloy_primitives::B256;
use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        decision::HoldReason,
        job::{Account, Realm},
        trade::TradeStatus,
        units::Amount,
    },
    engine::{
        Engine, EngineSettings, Outcome, Progress,
        reconcile::{BalanceRemedy, Remedy},
    },
    paper::{FaultKind, Funding, PaperSettings, PaperSigner, default_wallet},
    ports::{Asset, Call, Chain, Markets, Signer, UnsignedTransaction},
    store::{foreign, orders::Order, trades, watches},
};

use crate::{
    unsteady::{Fate, Node, UnsteadyMarkets},
    world::{TOKEN, World, accumulate, create, engine_settings, paper_settings},
};

pub fn account() -> Account {
    Account {
        realm: Realm::Paper,
        chain: "base".to_owned(),
        wallet: default_wallet(),
    }
}

async fn chain(world: &World) -> Arc<dyn Chain> {
    world.paper.market(&account()).await.expect("market").chain
}

/// Somebody else with the same key uses `nonce`; the hash once it is mined.
async fn somebody_else_uses(world: &World, nonce: u64) -> B256 {
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

async fn text(world: &World, sql: &'static str) -> Option<String> {
    sqlx::query_scalar(sql).fetch_one(&world.pool).await.expect(sql)
}

const HALTED: &str = "SELECT halted_reason FROM signers";

/// A trade that has its nonce and sent nothing yet.
async fn submitted(world: &World) -> i64 {
    let Outcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
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
    if let Outcome::Traded { trade } = world.evaluate(world.next_tick()).await {
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

async fn watch(world: &World, engine: &Engine) -> usize {
    let fills = watches::all(&world.pool).await.expect("watched");
    engine.watch(&fills).await.expect("looked at");
    watches::all(&world.pool).await.expect("watched").len()
}

/// The hash of the only attempt there is.
async fn only_hash(world: &World) -> B256 {
    let hash: Vec<u8> = sqlx::query_scalar("SELECT hash FROM attempts")
        .fetch_one(&world.pool)
        .await
        .expect("one attempt");
    B256::from_slice(&hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_taken_back_before_its_depth_sends_the_same_bytes_again() {
    let settings = PaperSettings {
        required_depth: 20,
        resend_after: "50ms".parse().expect("span"),
        replace_after: "1m".parse().expect("span"),
        ..paper_settings()
    };
    let world = World::with(accumulate(), settings).await;
    let (engine, node) = unsteady(&world, engine_settings());
    let trade = submitted(&world).await;
    engine.drive(trade).await.expect("sent");
    let hash = only_hash(&world).await;
    for _ in 0..100 {
        if chain(&world)
            .await
            .nonces(default_wallet())
            .await
            .expect("nonces")
            .latest
            == 1
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    node.set(hash, Some(Fate::TakenBack { nonce: 0 }));
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    engine.drive(trade).await.expect("sent again");
    assert_eq!(node.resent(), 1);
    world.finish(trade).await;
    assert_eq!(world.count("SELECT count(*) FROM attempts").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM fills").await, 1);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fills_are_watched_until_they_are_final_and_paper_fills_are_at_once() {
    let world = World::new(accumulate()).await;
    let (engine, node) = unsteady(&world, engine_settings());
    world.trade().await;
    node.finalize(Some(0));
    assert_eq!(watch(&world, &engine).await, 1, "not final yet");
    node.set(only_hash(&world).await, Some(Fate::Moved));
    assert_eq!(
        watch(&world, &engine).await,
        1,
        "in another block with the same effects"
    );
    let moved = world
        .count("SELECT count(*) FROM fills f JOIN fill_watches w ON w.fill_id = f.id AND w.block_hash <> f.block_hash")
        .await;
    assert_eq!(moved, 1, "history is not edited, the watch is");
    assert_eq!(watch(&world, &world.engine).await, 0, "final");
    assert_eq!(world.count("SELECT count(*) FROM fills").await, 1);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_the_chain_took_back_is_reversed_and_its_trade_is_driven_on_with_the_same_bytes() {
    // What a node has forgotten is replaced after a while; here the bytes are to come through as they are.
    let settings = PaperSettings {
        replace_after: "1m".parse().expect("span"),
        ..paper_settings()
    };
    let world = World::with(accumulate(), settings).await;
    let (engine, node) = unsteady(&world, engine_settings());
    let trade = world.trade().await;
    let bought = world.job().await;
    let hash = only_hash(&world).await;
    node.finalize(Some(0));
    node.set(hash, Some(Fate::Buried { nonce: 0 }));
    assert_eq!(watch(&world, &engine).await, 1, "once is no proof");
    assert_eq!(world.job().await.position, bought.position);
    assert_eq!(watch(&world, &engine).await, 0);
    assert!(node.resent() >= 1, "first of all it is sent again");
    let undone = world.job().await;
    assert_eq!(undone.position.token_balance, Amount::ZERO);
    assert_eq!(
        undone.last.dca, None,
        "the rule may fire again if the trade fails"
    );
    let state = trades::load(&world.pool, trade).await.expect("trade").state;
    assert_eq!(state.status, TradeStatus::Submitted);
    assert_eq!(world.count("SELECT count(*) FROM reservations").await, 1);
    assert_eq!(
        lgi_mm::store::views::ledger_totals(&world.pool)
            .await
            .expect("totals")
            .unbalanced_jobs,
        0
    );
    assert_eq!(world.hold().await, HoldReason::TradeOpen);
    // The chain takes the bytes after all.
    node.set(hash, Some(Fate::TakenBack { nonce: 0 }));
    for _ in 0..400 {
        if matches!(engine.drive(trade).await, Ok(Progress::Final)) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let rounds: Vec<(String, i32)> = sqlx::query_as("SELECT kind, round FROM fills ORDER BY id")
        .fetch_all(&world.pool)
        .await
        .expect("fills");
    assert_eq!(
        rounds,
        [
            ("fill".to_owned(), 1),
            ("reversal".to_owned(), 1),
            ("fill".to_owned(), 2)
        ]
    );
    assert_eq!(world.count("SELECT count(*) FROM attempts").await, 1);
    let again = world.job().await;
    assert_eq!(again.position, bought.position);
    assert_eq!(
        (again.gas_usd, again.total_accumulated),
        (bought.gas_usd, bought.total_accumulated)
    );
    assert_eq!(watch(&world, &world.engine).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_cannot_be_undone_halts_the_signer_and_says_so() {
    let world = World::new(accumulate()).await;
    let (engine, node) = unsteady(&world, engine_settings());
    world.trade().await;
    let hash = only_hash(&world).await;
    world
        .order(Order::Liquidate {
            over: "0s".parse().expect("span"),
            slices: 1,
        })
        .await;
    world.trade().await;
    assert_eq!(world.job().await.position.token_balance, Amount::ZERO);
    node.finalize(Some(0));
    node.set(hash, Some(Fate::Buried { nonce: 0 }));
    let bought: Vec<i64> = sqlx::query_scalar("SELECT id FROM fills WHERE side = 'BUY'")
        .fetch_all(&world.pool)
        .await
        .expect("fill");
    for look in 1..=10 {
        assert_eq!(
            text(&world, HALTED).await,
            None,
            "look {look}: it may only wait for its block"
        );
        engine.watch(&bought).await.expect("looked at");
    }
    let reason = text(&world, HALTED).await.expect("halted");
    assert!(reason.contains("cannot be undone"), "{reason}");
    assert_eq!(
        world
            .count("SELECT count(*) FROM fills WHERE kind = 'reversal'")
            .await,
        0
    );
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
    let Outcome::Traded { trade: second } = world.evaluate(tick).await else {
        panic!("no trade")
    };
    fund("0").await;
    world.engine.drive(first).await.expect("refused");
    fund("1000000000000000000").await;
    world.engine.drive(second).await.expect("it waits");
    let note = text(&world, "SELECT error FROM trades WHERE status = 'PENDING'")
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
    let Outcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
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
