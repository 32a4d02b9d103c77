//! What can happen to a trade. Each is a test on every rig.

use lgi_mm::{
    domain::{decision::HoldReason, span::Span, units::Amount},
    engine::{Progress, TickOutcome, reconcile::Remedy},
    store::orders::{self, Order},
};

use crate::conformance::rig::{
    Booked, Money, Rig, Terms, assert_at_rest, attempts, booked, count, planned, position, settle, submitted,
    texts, tick, until, watch,
};

const NOTHING: &str = "0";
const KINDS: &str = "SELECT kind FROM fills ORDER BY id";
const HALTED: &str = "SELECT count(*) FROM signers WHERE halted_reason IS NOT NULL";

pub async fn a_buy_and_a_sale_are_filled_once_and_booked_as_they_happened<R: Rig>() {
    let rig = R::new(Terms::default()).await;
    let job = rig.job().await;
    let buy = planned(&rig, job).await;
    settle(&rig, buy).await;
    assert_eq!(booked(&rig, buy).await, Booked::executed());
    assert_ne!(position(&rig, job).await, NOTHING);
    assert_eq!(assert_at_rest(&rig).await.len(), 1);

    let all = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    orders::order(rig.pool(), job, all, "test")
        .await
        .expect("ordered");
    let sale = planned(&rig, job).await;
    settle(&rig, sale).await;
    assert_eq!(booked(&rig, sale).await.status, "EXECUTED");
    assert_eq!(position(&rig, job).await, NOTHING);
    assert_eq!(assert_at_rest(&rig).await.len(), 2);
    assert_eq!(
        texts(&rig, "SELECT side FROM fills ORDER BY id").await,
        ["BUY", "SELL"]
    );
}

pub async fn a_swap_that_reverts_fails_its_trade_and_moves_nothing_but_gas<R: Rig>() {
    let rig = R::new(Terms::default()).await;
    let job = rig.job().await;
    let trade = submitted(&rig, job).await;
    rig.spoil().await;
    settle(&rig, trade).await;
    assert_eq!(booked(&rig, trade).await, Booked::failed("reverted"));
    assert_eq!(position(&rig, job).await, NOTHING);
    let paid = "SELECT count(*) FROM jobs WHERE gas_usd > 0 AND failures_in_row = 1";
    assert_eq!(count(&rig, paid).await, 1, "a revert costs gas");
    assert!(assert_at_rest(&rig).await.is_empty());
    // The job tries again after its backoff.
    let again = planned(&rig, job).await;
    settle(&rig, again).await;
    assert_eq!(booked(&rig, again).await, Booked::executed());
    assert_eq!(assert_at_rest(&rig).await.len(), 1);
}

pub async fn a_stuck_swap_is_replaced_on_its_own_nonce_and_fills_once<R: Rig>() {
    let rig = R::new(Terms {
        replace_after: Span::from_secs(1),
        ..Terms::default()
    })
    .await;
    let job = rig.job().await;
    rig.stall().await;
    let trade = planned(&rig, job).await;
    settle(&rig, trade).await;
    let done = booked(&rig, trade).await;
    assert_eq!((done.status.as_str(), done.transactions), ("EXECUTED", 1));
    assert!(done.attempts > 1, "{done:?}");
    let swaps = assert_at_rest(&rig).await;
    assert_eq!(swaps.len(), 1);
    assert_ne!(swaps[0], attempts(&rig).await[0], "the stuck attempt was mined");
}

pub async fn past_its_deadline_a_stuck_swap_is_cancelled_on_its_own_nonce<R: Rig>() {
    let rig = R::new(Terms {
        trade_deadline: Span::from_secs(2),
        ..Terms::default()
    })
    .await;
    let job = rig.job().await;
    rig.stall().await;
    let trade = planned(&rig, job).await;
    settle(&rig, trade).await;
    assert_eq!(
        booked(&rig, trade).await,
        Booked {
            attempts: 2,
            ..Booked::failed("cancelled")
        }
    );
    let purposes = texts(&rig, "SELECT purpose FROM attempts ORDER BY id").await;
    assert_eq!(purposes, ["swap", "cancel"]);
    assert_eq!(position(&rig, job).await, NOTHING);
    assert!(assert_at_rest(&rig).await.is_empty());
}

pub async fn a_lost_answer_to_a_send_neither_fails_nor_doubles_the_trade<R: Rig>() {
    let rig = R::new(Terms::default()).await;
    let job = rig.job().await;
    rig.lose_an_answer().await;
    let trade = planned(&rig, job).await;
    settle(&rig, trade).await;
    assert_eq!(rig.answers_to_lose().await, 0, "an answer was lost");
    assert_eq!(booked(&rig, trade).await, Booked::executed());
    assert_eq!(assert_at_rest(&rig).await.len(), 1);
}

/// Drives until the only transaction is in a block, and no further.
async fn mined<R: Rig>(rig: &R, trade: lgi_mm::domain::ids::TradeId) {
    let (engine, chain) = (rig.engine(), rig.chain().await);
    engine.drive(trade).await.expect("sent");
    until(rig, "a block", async || {
        let nonces = chain.nonces(rig.account().wallet).await.expect("nonces");
        (nonces.latest == 1).then_some(())
    })
    .await;
}

pub async fn a_reorg_before_the_required_depth_sends_the_same_bytes_again<R: Rig>() {
    let rig = R::new(Terms {
        required_depth: 3,
        ..Terms::default()
    })
    .await;
    let job = rig.job().await;
    let trade = submitted(&rig, job).await;
    mined(&rig, trade).await;
    let hash = attempts(&rig).await[0];
    rig.take_back(hash, 0).await;
    assert!(texts(&rig, KINDS).await.is_empty(), "nothing counted yet");
    settle(&rig, trade).await;
    assert_eq!(booked(&rig, trade).await, Booked::executed());
    assert_eq!(texts(&rig, KINDS).await, ["fill"]);
    assert_eq!(assert_at_rest(&rig).await, [hash]);
}

pub async fn a_reorg_after_the_fill_reverses_it_and_the_same_bytes_fill_again<R: Rig>() {
    let rig = R::new(Terms::default()).await;
    let job = rig.job().await;
    let trade = planned(&rig, job).await;
    settle(&rig, trade).await;
    let bought = position(&rig, job).await;
    let hash = attempts(&rig).await[0];
    rig.take_back(hash, 0).await;
    watch(&rig).await;
    assert_eq!(texts(&rig, KINDS).await, ["fill"], "one look is no proof");
    watch(&rig).await;
    assert_eq!(texts(&rig, KINDS).await, ["fill", "reversal"]);
    assert_eq!(position(&rig, job).await, NOTHING);
    let open = booked(&rig, trade).await;
    assert_eq!((open.status.as_str(), open.reservations), ("SUBMITTED", 1));
    let TickOutcome::Held { reason, .. } = tick(&rig, job).await else {
        panic!("it trades although a trade is open")
    };
    assert_eq!(reason, HoldReason::TradeOpen);
    settle(&rig, trade).await;
    assert_eq!(texts(&rig, KINDS).await, ["fill", "reversal", "fill"]);
    assert_eq!(booked(&rig, trade).await, Booked::executed());
    assert_eq!(assert_at_rest(&rig).await, [hash]);
    assert_ne!(bought, NOTHING);
}

pub async fn a_foreign_transaction_on_our_nonce_fails_the_trade_and_halts_the_signer_until_reconciled<
    R: Rig,
>() {
    let rig = R::new(Terms::default()).await;
    let job = rig.job().await;
    let trade = submitted(&rig, job).await;
    let foreign = rig.foreign(0).await;
    settle(&rig, trade).await;
    assert_eq!(booked(&rig, trade).await, Booked::failed("foreign"));
    assert_eq!(count(&rig, HALTED).await, 1);
    let reason = texts(&rig, "SELECT halted_reason FROM signers").await;
    assert!(reason[0].contains(&foreign.to_string()), "{reason:?}");
    assert!(assert_at_rest(&rig).await.is_empty());

    let engine = rig.engine();
    let report = engine.reconcile().await.expect("a report");
    assert_eq!(report.signers[0].remedy, Remedy::Release);
    engine.repair(&report, "test").await.expect("repaired");
    assert_eq!(count(&rig, HALTED).await, 0);
    let again = planned(&rig, job).await;
    settle(&rig, again).await;
    assert_eq!(booked(&rig, again).await, Booked::executed());
    assert_eq!(assert_at_rest(&rig).await.len(), 1);
}

/// What the wallet holds, after it was taken away.
async fn take_away<R: Rig>(rig: &R, money: Money) -> Amount {
    let chain = rig.chain().await;
    let held = chain
        .balances(rig.account().wallet, &[rig.asset(money)])
        .await
        .expect("a balance")[0];
    rig.set_money(money, Amount::ZERO).await;
    held
}

pub async fn a_wallet_without_the_quote_holds_and_buys_when_it_has_it<R: Rig>() {
    let rig = R::new(Terms::default()).await;
    let job = rig.job().await;
    let held = take_away(&rig, Money::Quote).await;
    let TickOutcome::Held { reason, .. } = tick(&rig, job).await else {
        panic!("it buys without money")
    };
    let names = [HoldReason::InsufficientBalance, HoldReason::InsufficientGas];
    assert!(names.contains(&reason), "{reason:?}");
    assert_eq!(count(&rig, "SELECT count(*) FROM trades").await, 0);
    rig.set_money(Money::Quote, held).await;
    let trade = planned(&rig, job).await;
    settle(&rig, trade).await;
    assert_eq!(booked(&rig, trade).await, Booked::executed());
    assert_eq!(assert_at_rest(&rig).await.len(), 1);
}

pub async fn a_wallet_that_cannot_pay_its_gas_keeps_the_trade_open_until_it_can<R: Rig>() {
    let rig = R::new(Terms::default()).await;
    let job = rig.job().await;
    let trade = submitted(&rig, job).await;
    let held = take_away(&rig, Money::Gas).await;
    let engine = rig.engine();
    for _ in 0..3 {
        assert_ne!(engine.drive(trade).await.expect("a step"), Progress::Final);
        rig.turn().await;
    }
    assert_eq!(booked(&rig, trade).await.status, "SUBMITTED");
    rig.set_money(Money::Gas, held).await;
    settle(&rig, trade).await;
    assert_eq!(booked(&rig, trade).await, Booked::executed());
    assert_eq!(assert_at_rest(&rig).await.len(), 1);
}

pub async fn a_worker_that_restarts_after_every_step_trades_once<R: Rig>() {
    let rig = R::new(Terms::default()).await;
    let job = rig.job().await;
    let trade = planned(&rig, job).await;
    until(&rig, "the end of the trade", async || {
        // A new engine each time: what the last one knew is gone.
        let step = rig.engine().settle(trade).await;
        matches!(step, Ok(Progress::Final)).then_some(())
    })
    .await;
    assert_eq!(booked(&rig, trade).await, Booked::executed());
    assert_eq!(assert_at_rest(&rig).await.len(), 1);
}

/// Runs our program until it has died at `place`.
#[cfg(feature = "failpoints")]
async fn die_at<R: Rig>(rig: &R, place: &str) {
    let mut worker = rig.worker(place);
    let status = until(rig, place, async || worker.try_wait().expect("a process")).await;
    assert!(!status.success(), "{place}: {status}");
}

#[cfg(feature = "failpoints")]
pub async fn a_process_killed_at_each_step_of_a_buy_buys_once<R: Rig>() {
    use crate::conformance::rig::settle_all;

    let rig = R::new(Terms::default()).await;
    let places = [
        "frozen", "signed", "recorded", "sent", "noted", "filling", "filled",
    ];
    for (before, place) in places.iter().enumerate() {
        let job = rig.job().await;
        die_at(&rig, place).await;
        // The next worker continues what was recorded; a lost plan is made again.
        settle_all(&rig).await;
        if position(&rig, job).await == NOTHING {
            let trade = planned(&rig, job).await;
            settle(&rig, trade).await;
        }
        orders::order(rig.pool(), job, Order::Pause, "test")
            .await
            .expect("paused");
        assert_eq!(assert_at_rest(&rig).await.len(), before + 1, "{place}");
    }
}

#[cfg(feature = "failpoints")]
pub async fn a_process_killed_while_it_books_a_failure_uses_the_nonce_once<R: Rig>() {
    use crate::conformance::rig::settle_all;

    for place in ["failing", "failed"] {
        let rig = R::new(Terms::default()).await;
        let job = rig.job().await;
        let trade = submitted(&rig, job).await;
        rig.spoil().await;
        die_at(&rig, place).await;
        orders::order(rig.pool(), job, Order::Pause, "test")
            .await
            .expect("paused");
        settle_all(&rig).await;
        assert_eq!(booked(&rig, trade).await, Booked::failed("reverted"), "{place}");
        assert_eq!(position(&rig, job).await, NOTHING);
        assert!(assert_at_rest(&rig).await.is_empty(), "{place}");
    }
}
