//! Law 8: reorgs, before and after a trade is final.

use alloy_primitives::B256;
use lgi_mm::{
    domain::{
        decision::HoldReason, figures::Pocket, ids::FillId, span::Span, trade::TradeStatus, units::Amount,
    },
    engine::{Engine, Progress},
    paper::{PaperSettings, default_wallet},
    store::{fill_watches, orders::Order, trades},
};
use testkit::unsteady::Fate;

use crate::engine::{
    laws::{HALTED, chain, submitted, text, unsteady},
    world::{World, accumulate, engine_settings, paper_settings},
};

async fn watch(world: &World, engine: &Engine) -> usize {
    let fills = fill_watches::all(&world.pool).await.expect("watched");
    engine.watch(&fills).await.expect("looked at");
    fill_watches::all(&world.pool).await.expect("watched").len()
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
async fn fills_that_were_booked_at_any_time_are_watched_together() {
    let world = World::new(accumulate()).await;
    let (engine, node) = unsteady(&world, engine_settings());
    node.finalize(Some(0));
    world.trade().await;
    let mut connection = world.pool.acquire().await.expect("a connection");
    let lease = Span::from_secs(10);
    let claimed = fill_watches::claim(&mut connection, lease, 10)
        .await
        .expect("claimed");
    assert_eq!(claimed.len(), 1, "at once");
    let again = fill_watches::claim(&mut connection, lease, 10)
        .await
        .expect("claimed");
    assert_eq!(again, [], "not before its minute is over");
    // Whenever it was claimed, at the half of a minute.
    let sql =
        "SELECT extract(epoch FROM watch_at)::bigint % 60 = 30 AND extract(epoch FROM watch_at) % 60 = 30
                  AND watch_at - now() BETWEEN interval '1 s' AND interval '70 s' FROM fill_watches";
    let together: bool = sqlx::query_scalar(sql).fetch_one(&world.pool).await.expect("one");
    assert!(together);
    // What was missed does not wait for the others.
    node.set(only_hash(&world).await, Some(Fate::TakenBack { nonce: 0 }));
    engine.watch(&claimed).await.expect("looked at");
    sqlx::query("UPDATE fill_watches SET watch_at = now()")
        .execute(&world.pool)
        .await
        .expect("due");
    let missed = fill_watches::claim(&mut connection, lease, 10)
        .await
        .expect("claimed");
    assert_eq!(missed, claimed);
    let sql =
        "SELECT misses > 0 AND watch_at - now() BETWEEN interval '0 s' AND interval '10 s' FROM fill_watches";
    let soon: bool = sqlx::query_scalar(sql).fetch_one(&world.pool).await.expect("one");
    assert!(soon);
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
    let of_trade = world.count("SELECT count(*) FROM trades WHERE gas_usd = 0").await;
    assert_eq!(of_trade, 1, "an open trade has paid no gas");
    assert_eq!(undone.pocket, Pocket::default(), "nothing is out of the pocket");
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
    // Each end has its gas on record, and the last one counts.
    assert_eq!(
        world
            .count("SELECT count(*) FROM gas_paid g JOIN fills f USING (tx_hash, round, gas_native, gas_usd) WHERE kind = 'fill'")
            .await,
        2
    );
    let again = world.job().await;
    assert_eq!(again.position, bought.position);
    assert_eq!(
        (again.gas_usd, again.total_accumulated, again.pocket),
        (bought.gas_usd, bought.total_accumulated, bought.pocket)
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
        let bought: Vec<FillId> = bought.iter().copied().map(FillId).collect();
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
