//! What these tests begin with.

use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, U256};
use lgi_mm::{
    devnet::BlockTime,
    domain::{
        Timestamp,
        onchain::{Checks, SwapRequest},
        units::Amount,
    },
};
use serde_json::{Value, json};
use testkit::live::{WALLET, World, coins};

use testkit::liar::Liar;

/// A world whose only node is a liar, honest until told otherwise.
pub async fn lied_to(block_time: BlockTime) -> (World, Arc<Liar>) {
    let place: Arc<Mutex<Option<Arc<Liar>>>> = Arc::default();
    let put = place.clone();
    let world = World::with(block_time, move |mut keys| {
        let node = keys.rpc_urls.first().expect("a node").parse().expect("a URL");
        let liar = Arc::new(Liar::start(node));
        keys.rpc_urls = vec![liar.url()];
        *put.lock().expect("the place") = Some(liar);
        keys
    })
    .await;
    let liar = place.lock().expect("the place").clone().expect("a liar");
    (world, liar)
}

/// Buys ten dollars' worth at every slot.
pub fn buy_often() -> Value {
    json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1s", "dip_buy_threshold_pct": 0 } })
}

pub const BOUGHT: &str = "SELECT count(*) FILTER (WHERE status = 'EXECUTED') > 0 FROM trades";

/// The newest hold has this name.
pub async fn held(world: &World, reason: &str) -> String {
    let begun = std::time::Instant::now();
    loop {
        let last: Option<(Option<String>, Option<String>)> =
            sqlx::query_as("SELECT reason, detail FROM ticks ORDER BY id DESC LIMIT 1")
                .fetch_optional(&world.db.pool)
                .await
                .expect("ticks");
        if let Some((Some(seen), detail)) = last
            && seen == reason
        {
            return detail.unwrap_or_default();
        }
        assert!(
            begun.elapsed() < testkit::live::PATIENCE,
            "never held by {reason}\n{}",
            world.story().await
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

pub async fn trades(world: &World) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM trades");
    count.fetch_one(&world.db.pool).await.expect("a count")
}

pub fn swap(token_in: Address, token_out: Address, amount_in: U256) -> SwapRequest {
    SwapRequest {
        wallet: WALLET,
        token_in,
        token_out,
        amount_in: Amount::new(amount_in),
        amount_out_fair: Amount::ZERO,
        fair_rest: 0,
        pool: None,
        prove_sell: false,
        checks: Checks::none(),
    }
}

pub fn soon() -> Timestamp {
    chrono::Utc::now() + chrono::TimeDelta::hours(1)
}

pub fn tenth() -> U256 {
    coins(1) / U256::from(10)
}

pub fn of(value: U256, numerator: u64, denominator: u64) -> U256 {
    value * U256::from(numerator) / U256::from(denominator)
}

pub async fn v3_pool(world: &World, factory: Address, one: Address, other: Address) -> Address {
    let word = |address: Address| address.into_word().0;
    let data = [
        alloy_primitives::hex!("1698ee82").as_slice(),
        &word(one),
        &word(other),
        &U256::from(3_000).to_be_bytes::<32>(),
    ]
    .concat();
    let answer = world
        .devnet
        .node
        .call(factory, &data.into())
        .await
        .expect("a pool");
    Address::from_slice(&answer[12..32])
}

pub async fn v2_pair(world: &World, factory: Address, one: Address, other: Address) -> Address {
    let word = |address: Address| address.into_word().0;
    let selector = alloy_primitives::hex!("e6a43905");
    let data = [selector.as_slice(), &word(one), &word(other)].concat();
    let answer = world
        .devnet
        .node
        .call(factory, &data.into())
        .await
        .expect("a pair");
    Address::from_slice(&answer[12..32])
}

/// Sends calls as the wallet; whether the last one worked.
pub async fn sent(world: &World, calls: &[lgi_mm::domain::onchain::Call]) -> bool {
    let node = &world.devnet.node;
    let _: Value = node
        .request("anvil_impersonateAccount", json!([WALLET]))
        .await
        .expect("anybody's key");
    let mut worked = false;
    for call in calls {
        let transaction = json!({
            "from": WALLET, "to": call.to, "data": call.data, "value": call.value,
            "gas": U256::from(call.gas_limit),
        });
        let hash: alloy_primitives::B256 = node
            .request("eth_sendTransaction", json!([transaction]))
            .await
            .expect("taken");
        let receipt = loop {
            let receipt: Value = node
                .request("eth_getTransactionReceipt", json!([hash]))
                .await
                .expect("an answer");
            if !receipt.is_null() {
                break receipt;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        worked = receipt["status"] == "0x1";
    }
    worked
}
