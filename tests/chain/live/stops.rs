//! A stop while a trade of its job is on the chain and not booked yet: it sells what the ledger owns, once, whatever
//! the price does until then.

use std::time::Duration;

use alloy_primitives::{Address, Bytes, U256};
use lgi_mm::{
    devnet::{BlockTime, DEPLOYER},
    domain::onchain::Asset,
    ports::Chain,
};
use serde_json::{Value, json};
use testkit::live::{WALLET, World, coins};

use crate::live::ALL_FINAL;

/// Every byte of every trade has been sent.
const SENT: &str = "SELECT count(*) > 0 AND bool_and(sent_at IS NOT NULL) FROM attempts";
const PROFIT_SENT: &str = "SELECT count(*) > 0 AND bool_and(a.sent_at IS NOT NULL)
                           FROM attempts a JOIN transactions x ON x.id = a.transaction_id JOIN trades t ON t.id = x.trade_id
                           WHERE t.reason = 'TAKE_PROFIT'";
const STOPPED: &str = "SELECT count(*) = 1 FROM trades WHERE reason = 'STOP_LOSS' AND status = 'EXECUTED'";

/// Buys once, sells `part` per cent at 5 % below its cost, and runs on without buying.
fn stopping(part: u8) -> Value {
    json!({ "accumulate": {
        "dca_amount_usd": 10, "dca_interval": "1d", "dip_buy_threshold_pct": 0,
        "stop_loss_pct": 5, "stop_sells_pct": part, "after_stop": "continue", "stop_cooldown": "1d",
    } })
}

/// A chain that mines on request, where a receipt counts after `depth` blocks; and another trader who has bought, and
/// what that one had before.
async fn world(depth: u64) -> (World, U256) {
    let world = World::with(BlockTime::OnDemand, |mut keys| {
        keys.required_depth = Some(depth);
        keys.replace_after = Some("10m".parse().expect("a span"));
        keys
    })
    .await;
    world.devnet.node.mine(1).await.expect("a block");
    let before = balance(&world, DEPLOYER, world.devnet.deployment().clanker).await;
    rise(&world, 20).await;
    (world, before)
}

/// The other trader buys for this many coins, in a block. The pool has a hundred at first, so that 20 raise the price
/// by 44 %, and 10 more by 17 %.
async fn rise(world: &World, whole: u64) {
    world
        .push(world.devnet.deployment().clanker, true, coins(whole))
        .await;
    world.devnet.node.mine(1).await.expect("a block");
}

/// The other trader sells half of what it has bought, in a block: the price falls by 17 % after 20 coins, by 24 %
/// after 30. That is no jump, which would be no price.
async fn fall(world: &World, before: U256) {
    let token = world.devnet.deployment().clanker;
    let bought = balance(world, DEPLOYER, token).await - before;
    assert_ne!(bought, U256::ZERO);
    world.push(token, false, bought / U256::from(2)).await;
    world.devnet.node.mine(1).await.expect("a block");
}

async fn balance(world: &World, of: Address, token: Address) -> U256 {
    let held = world.live.chain.balances(of, &[Asset::Token(token)]).await;
    held.expect("a balance")[0].units()
}

/// Makes blocks until `sql` is true.
async fn mine_until(world: &World, what: &str, sql: &'static str) {
    let blocks = async {
        loop {
            world.devnet.node.mine(1).await.expect("a block");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = world.until(what, sql) => {}
        () = blocks => {}
    }
}

/// Each trade: side, reason and status.
async fn trades(world: &World) -> Vec<String> {
    sqlx::query_scalar("SELECT concat_ws(' ', side, reason, status) FROM trades ORDER BY id")
        .fetch_all(&world.db.pool)
        .await
        .expect("trades")
}

/// What the job owns by the ledger, and what its fills bought and sold, whole units.
async fn owned(world: &World) -> (U256, U256, U256) {
    let sql = "SELECT j.token_balance::text,
                      (SELECT coalesce(sum(base_amount::numeric), 0)::text FROM fills WHERE side = 'BUY'),
                      (SELECT coalesce(sum(base_amount::numeric), 0)::text FROM fills WHERE side = 'SELL')
               FROM jobs j";
    let row: (String, String, String) = sqlx::query_as(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect("a job");
    let units = |text: String| text.parse().expect("units");
    (units(row.0), units(row.1), units(row.2))
}

/// Ticks went by at this price: each of them waited for the open trade, and no event says that a stop cannot sell.
async fn waits(world: &World, open: &[&str]) {
    world.ticks(3).await;
    assert_eq!(trades(world).await, open, "{}", world.story().await);
    let (last, told): (String, i64) = sqlx::query_as(
        "SELECT (SELECT reason FROM ticks ORDER BY id DESC LIMIT 1),
                (SELECT count(*) FROM outbox WHERE event = 'job.stop_blocked')",
    )
    .fetch_one(&world.db.pool)
    .await
    .expect("the last tick");
    assert_eq!((last.as_str(), told), ("trade_open", 0));
}

/// The price falls through the stop while the buy is in a block and does not count yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_over_a_buy_that_is_not_booked_sells_nothing_and_then_once() {
    let (world, before) = world(6).await;
    let token = world.devnet.deployment().clanker;
    world.start(token, "CLAWDIA", stopping(50)).await;
    let mut daemon = world.daemon(None);
    world.until("the buy waits", SENT).await;
    world.devnet.node.mine(1).await.expect("a block");
    assert_ne!(balance(&world, WALLET, token).await, U256::ZERO, "bought");
    fall(&world, before).await;
    waits(&world, &["BUY DCA SUBMITTED"]).await;
    assert_eq!(owned(&world).await.0, U256::ZERO, "the ledger owns nothing yet");
    mine_until(&world, "the stop has sold", STOPPED).await;
    // The price stays where it is, and half is still held.
    world.ticks(5).await;
    daemon.kill().await.expect("killed");
    let done = ["BUY DCA EXECUTED", "SELL STOP_LOSS EXECUTED"];
    assert_eq!(trades(&world).await, done, "{}", world.story().await);
    let (held, bought, sold) = owned(&world).await;
    assert_eq!(
        (held, sold),
        (bought - bought / U256::from(2), bought / U256::from(2))
    );
    assert_eq!(world.audit().await.swaps.len(), 2);
}

/// Half is sold with a profit, and the price falls through the stop before that sale counts. The ledger still owns all.
async fn over_a_sale(wrapped: bool) -> World {
    let (world, had) = world(3).await;
    let token = world.devnet.deployment().clanker;
    let mut rules = stopping(100);
    rules["accumulate"]["take_profit_pct"] = json!(5);
    rules["accumulate"]["take_profit_sell_pct"] = json!(50);
    rules["accumulate"]["take_profit_cooldown"] = json!("1d");
    world.start(token, "CLAWDIA", rules).await;
    let mut daemon = world.daemon(None);
    world.until("the buy waits", SENT).await;
    mine_until(&world, "the buy is booked", ALL_FINAL).await;
    if wrapped {
        refuse_coins(&world).await;
    }
    rise(&world, 10).await;
    world.until("the sale waits", PROFIT_SENT).await;
    let before = balance(&world, WALLET, token).await;
    world.devnet.node.mine(1).await.expect("a block");
    assert!(balance(&world, WALLET, token).await < before, "sold");
    fall(&world, had).await;
    waits(&world, &["BUY DCA EXECUTED", "SELL TAKE_PROFIT SUBMITTED"]).await;
    let (held, bought, sold) = owned(&world).await;
    assert_eq!((held, sold), (bought, U256::ZERO), "the ledger owns all");
    mine_until(&world, "the stop has sold", STOPPED).await;
    world.ticks(5).await;
    daemon.kill().await.expect("killed");
    let done = [
        "BUY DCA EXECUTED",
        "SELL TAKE_PROFIT EXECUTED",
        "SELL STOP_LOSS EXECUTED",
    ];
    assert_eq!(trades(&world).await, done, "{}", world.story().await);
    let (held, bought, sold) = owned(&world).await;
    assert_eq!((held, sold), (U256::ZERO, bought), "each token is sold once");
    assert_eq!(balance(&world, WALLET, token).await, U256::ZERO);
    world
}

/// The wallet delegates itself to code that takes no coins: what it sells is paid in the wrapped form.
async fn refuse_coins(world: &World) {
    let refuses = Address::repeat_byte(0x5e);
    let node = &world.devnet.node;
    let code = Bytes::from_static(&[0x5f, 0x5f, 0xfd]);
    node.set_code(refuses, &code).await.expect("code");
    let delegated = [&[0xef, 0x01, 0x00], refuses.as_slice()].concat();
    node.set_code(WALLET, &delegated.into()).await.expect("delegated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_over_a_sale_that_is_not_booked_sells_only_what_that_leaves() {
    let world = over_a_sale(false).await;
    assert_eq!(world.audit().await.swaps.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_over_a_sale_that_was_paid_in_the_wrapped_form_sells_only_what_that_leaves() {
    let world = over_a_sale(true).await;
    let proceeds: String =
        sqlx::query_scalar("SELECT sum(quote_amount::numeric)::text FROM fills WHERE side = 'SELL'")
            .fetch_one(&world.db.pool)
            .await
            .expect("a sum");
    let paid = balance(&world, WALLET, world.devnet.deployment().weth).await;
    assert_eq!(
        proceeds.parse(),
        Ok(paid),
        "both sales are booked as they were paid"
    );
}

/// Killed at any step of the stop's own sale, while the price stays at its line.
#[cfg(feature = "failpoints")]
#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_in_a_stop_it_sells_once() {
    for place in ["frozen", "recorded", "sent@3", "filling", "filled"] {
        let world = World::new(BlockTime::OnTransaction).await;
        let token = world.devnet.deployment().clanker;
        let before = balance(&world, DEPLOYER, token).await;
        rise(&world, 20).await;
        world.start(token, "CLAWDIA", stopping(50)).await;
        let mut daemon = world.daemon(None);
        world.until("the buy is booked", ALL_FINAL).await;
        daemon.kill().await.expect("killed");
        fall(&world, before).await;
        world.die_at(place).await;
        let mut daemon = world.daemon(None);
        world.until("the stop has sold", STOPPED).await;
        world.ticks(5).await;
        daemon.kill().await.expect("killed");
        let done = ["BUY DCA EXECUTED", "SELL STOP_LOSS EXECUTED"];
        assert_eq!(trades(&world).await, done, "{place}: {}", world.story().await);
        let (held, bought, _) = owned(&world).await;
        assert_eq!(held, bought - bought / U256::from(2), "{place}");
        assert_eq!(world.audit().await.swaps.len(), 2, "{place}");
    }
}
