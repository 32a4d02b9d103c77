//! Blocks that are reorged out, and blocks that are old when they are booked.

use alloy_primitives::U256;
use lgi_mm::devnet::BlockTime;
use testkit::live::{World, coins};

use crate::live::{ALL_FINAL, buy_once, clanker, pause};

/// Who sends the bytes again, the watch, the settling or the node that took the block back, and when, is up to them:
/// blocks are made until they are in one.
async fn mine_until_final(world: &World) {
    let blocks = async {
        loop {
            world.devnet.node.mine(1).await.expect("a block");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = world.until("every trade is final", ALL_FINAL) => {}
        () = blocks => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_is_taken_back_is_reversed_and_the_same_bytes_fill_again() {
    let world = World::with(BlockTime::OnDemand, |mut keys| {
        // The same bytes, not what would replace them while nobody mines.
        keys.replace_after = Some("10m".parse().expect("a span"));
        keys
    })
    .await;
    world.devnet.node.mine(1).await.expect("a block");
    let job = clanker(&world, buy_once()).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "the swap waits",
            "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
        )
        .await;
    world.devnet.node.mine(1).await.expect("a block");
    world.until("every trade is final", ALL_FINAL).await;
    pause(&world, job).await;
    // One block counts here; this reorgs that one out and makes others in its place, before anybody can send the
    // bytes again.
    daemon.kill().await.expect("killed");
    world.devnet.node.reorg(1).await.expect("a reorganisation");
    world.devnet.node.mine(2).await.expect("blocks");
    let mut daemon = world.daemon(None);
    world
        .until(
            "the fill is reversed",
            "SELECT EXISTS (SELECT FROM fills WHERE kind = 'reversal')",
        )
        .await;
    mine_until_final(&world).await;
    daemon.kill().await.expect("killed");
    let kinds: Vec<String> = sqlx::query_scalar("SELECT kind FROM fills ORDER BY id")
        .fetch_all(&world.db.pool)
        .await
        .expect("fills");
    assert_eq!(kinds, ["fill", "reversal", "fill"]);
    let hashes: i64 = sqlx::query_scalar("SELECT count(DISTINCT tx_hash) FROM fills")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    assert_eq!(hashes, 1, "{}", world.story().await);
    let found = world.audit().await;
    assert_eq!(found.swaps.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_taken_back_before_it_counts_books_nothing_twice() {
    let world = World::with(BlockTime::OnDemand, |mut keys| {
        keys.required_depth = Some(3);
        keys
    })
    .await;
    world.devnet.node.mine(1).await.expect("a block");
    let job = clanker(&world, buy_once()).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "the swap waits",
            "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)",
        )
        .await;
    world.devnet.node.mine(2).await.expect("blocks");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    world.devnet.node.reorg(2).await.expect("a reorganisation");
    pause(&world, job).await;
    mine_until_final(&world).await;
    daemon.kill().await.expect("killed");
    let fills: i64 = sqlx::query_scalar("SELECT count(*) FROM fills")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    assert_eq!(fills, 1);
    assert_eq!(world.audit().await.swaps.len(), 1);
}

/// Another trader is faster and the swap reverts; on the winning chain there is none, and the same bytes succeed.
#[tokio::test(flavor = "multi_thread")]
async fn a_revert_that_is_taken_back_is_driven_on_and_its_swap_is_filled_once() {
    let world = World::with(BlockTime::OnDemand, |mut keys| {
        keys.replace_after = Some("10m".parse().expect("a span"));
        keys
    })
    .await;
    world.devnet.node.mine(1).await.expect("a block");
    let job = clanker(&world, buy_once()).await;
    let mut daemon = world.daemon(None);
    let sent = "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)";
    world.until("the swap waits", sent).await;
    let gas_price = U256::from(1_000_000_000_000_u64);
    let token = world.devnet.deployment().clanker;
    world.push_at(token, true, coins(20), gas_price).await;
    world.devnet.node.mine(1).await.expect("a block");
    let failed = "SELECT bool_and(status = 'FAILED' AND failure_kind = 'reverted') FROM trades";
    world.until("the trade has failed", failed).await;
    pause(&world, job).await;
    daemon.kill().await.expect("killed");
    world.devnet.node.reorg(1).await.expect("a reorganisation");
    world.devnet.node.mine(2).await.expect("blocks");
    let mut daemon = world.daemon(None);
    let reopened = "SELECT EXISTS (SELECT FROM trades WHERE reopened)";
    world.until("the trade is open again", reopened).await;
    mine_until_final(&world).await;
    daemon.kill().await.expect("killed");
    let trades: Vec<String> = sqlx::query_scalar("SELECT status FROM trades")
        .fetch_all(&world.db.pool)
        .await
        .expect("trades");
    assert_eq!(trades, ["EXECUTED"], "{}", world.story().await);
    let fills: i64 = sqlx::query_scalar("SELECT count(*) FROM fills")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    assert_eq!(fills, 1);
    assert_eq!(world.audit().await.swaps.len(), 1);
}

/// USD per coin of the fill that is there, cut, by what the ledger says it was worth.
async fn coin_price(world: &World) -> i64 {
    sqlx::query_scalar("SELECT floor(quote_usd / quote_amount * 1e18 + 0.5)::bigint FROM fills")
        .fetch_one(&world.db.pool)
        .await
        .expect("one fill")
}

/// All processes are down for a night between the swap and its booking: the coin that was paid counts at what it was
/// worth in the swap's block.
#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_is_booked_late_is_worth_what_it_was_in_its_block() {
    const THEN: i64 = 2_500;
    let feed = async |world: &World, dollars: i64| {
        let answer = U256::from(dollars.unsigned_abs()) * U256::from(100_000_000_u64);
        world
            .devnet
            .set_feed("native_usd_feed", answer, None)
            .await
            .expect("a price");
        world.devnet.node.mine(1).await.expect("a block");
    };
    let world = World::with(BlockTime::OnDemand, |mut keys| {
        keys.replace_after = Some("10m".parse().expect("a span"));
        keys
    })
    .await;
    feed(&world, THEN).await;
    let job = clanker(&world, buy_once()).await;
    let mut daemon = world.daemon(None);
    let sent = "SELECT EXISTS (SELECT FROM attempts WHERE sent_at IS NOT NULL)";
    world.until("the swap waits", sent).await;
    pause(&world, job).await;
    daemon.kill().await.expect("killed");
    world.devnet.node.mine(2).await.expect("the swap's block");
    feed(&world, 2 * THEN).await;
    let mut daemon = world.daemon(None);
    world.until("every trade is final", ALL_FINAL).await;
    daemon.kill().await.expect("killed");
    assert_eq!(coin_price(&world).await, THEN, "{}", world.story().await);
}
