//! Swaps that work when they are tried and revert in a block.

use alloy_primitives::{Address, Bytes};
use lgi_mm::{
    devnet::BlockTime,
    domain::pool::{NATIVE, Pool, PoolKey},
};
use testkit::live::{World, coins};

use crate::live::{ALL_FINAL, buy_once};

/// Its low bits say that it is called before swaps.
const HOOK: Address = Address::new([
    0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d, 0x5d,
    0x5d, 0x00, 0x80,
]);

/// Reverts where gas has a price, as in each block and in no trial; else it lets the swap pass.
const TRAP: [u8; 27] = [
    0x3a, 0x60, 0x15, 0x57, // to the end if gas has a price
    0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c, 0x60, 0xe0, 0x1b, 0x60, 0x00, 0x52, // the selector of the call
    0x60, 0x60, 0x60, 0x00, 0xf3, // and two words of zero
    0x5b, 0x60, 0x00, 0x60, 0x00, 0xfd,
];

#[tokio::test(flavor = "multi_thread")]
async fn after_a_second_revert_in_a_block_the_swap_is_signed_for_another_pool() {
    let world = World::with(BlockTime::OnTransaction, |mut keys| {
        let named = format!("{HOOK:#x}/3000/60");
        keys.v4_hooks.get_or_insert_default().push(named);
        keys
    })
    .await;
    let node = &world.devnet.node;
    let trap = Bytes::from_static(&TRAP);
    node.set_code(HOOK, &trap).await.expect("a hook");
    let token = world.devnet.add_token("TRAPPED", 18).await.expect("a token");
    let key = PoolKey {
        currency0: NATIVE,
        currency1: token,
        fee: 3_000,
        tick_spacing: 60,
        hooks: HOOK,
    };
    // One per cent more than the pair gives.
    let (stake, less) = (coins(1_000_000), coins(990_000));
    let made = world.devnet.add_v4_pool(&key, [coins(100), stake]).await;
    made.expect("a pool");
    let made = world.devnet.add_pool(token, less, coins(100), Pool::V2).await;
    made.expect("a pair");
    world.start(token, "TRAPPED", buy_once()).await;
    let mut daemon = world.daemon(None);
    world
        .until(
            "it has bought",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    daemon.kill().await.expect("killed");
    world.until("nothing is open", ALL_FINAL).await;
    let trades: Vec<String> =
        sqlx::query_scalar("SELECT concat_ws(' ', status, failure_kind) FROM trades ORDER BY id")
            .fetch_all(&world.db.pool)
            .await
            .expect("trades");
    let expected = ["FAILED reverted", "FAILED reverted", "EXECUTED"];
    assert_eq!(trades, expected, "{}", world.story().await);
    let to_the_trap: Vec<bool> = sqlx::query_scalar(
        "SELECT position($1 IN a.raw) > 0 FROM attempts a JOIN transactions x ON x.id = a.transaction_id
         WHERE a.purpose = 'swap' ORDER BY x.nonce",
    )
    .bind(HOOK.as_slice())
    .fetch_all(&world.db.pool)
    .await
    .expect("attempts");
    assert_eq!(to_the_trap, [true, true, false], "{}", world.story().await);
    let swaps = world.audit().await.swaps;
    assert_eq!(swaps.len(), 1, "{}", world.story().await);
}
