//! Blocks that are taken back.

use lgi_mm::devnet::BlockTime;

use crate::{ALL_FINAL, buy_once, clanker, live::World, pause};

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
    // One block counts here; this takes back that one and makes others in its place, before anybody can send the
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
