//! Nodes that lie: receipts, nonces, clocks, broadcasts.

mod bodies;
mod forged;
mod least;
mod load;
mod nonces;
mod private;
mod single;
mod unfit;
mod warnings;

use std::sync::{Arc, Mutex};

use alloy_primitives::Address;
use lgi_mm::{chain::ChainFile, devnet::BlockTime};
use serde_json::{Value, json};
use testkit::live::World;

use testkit::liar::Liar;

/// Every trade is booked as executed, and there is one.
const EXECUTED: &str = "SELECT count(*) > 0 AND bool_and(status = 'EXECUTED') FROM trades";

/// A world whose program asks `liars` nodes, each of which may lie, and then the honest node itself if `honest`.
async fn world_of(liars: usize, honest: bool) -> (World, Vec<Liar>) {
    world_with(liars, honest, None).await
}

/// A node that may lie before an honest one, of which one is believed.
async fn world_of_one_voice() -> (World, Vec<Liar>) {
    world_with(1, true, Some(1)).await
}

async fn world_with(liars: usize, honest: bool, quorum: Option<usize>) -> (World, Vec<Liar>) {
    let made: Arc<Mutex<Vec<Liar>>> = Arc::default();
    let change = |mut keys: ChainFile| {
        let node = keys.rpc_urls.first().expect("the node").clone();
        let mut made = made.lock().expect("the liars");
        for _ in 0..liars {
            made.push(Liar::start(node.parse().expect("a URL")));
        }
        keys.rpc_urls = made.iter().map(Liar::url).collect();
        if honest {
            keys.rpc_urls.push(node);
        }
        keys.required_depth = Some(2);
        keys.quorum = quorum;
        keys
    };
    let world = World::with(BlockTime::OnTransaction, change).await;
    let liars = std::mem::take(&mut *made.lock().expect("the liars"));
    (world, liars)
}

/// Buys a hundred dollars' worth, once a month, and never more.
fn buy_once() -> Value {
    json!({
        "accumulate": {
            "dca_amount_usd": 100, "dca_interval": "30d", "dip_buy_threshold_pct": 0, "max_accumulation_usd": 100,
        },
        "limits": { "max_daily_spend_usd": 100 },
    })
}

async fn start(world: &World) {
    let deployment = world.devnet.deployment();
    world.start(deployment.clanker, "CLAWDIA", buy_once()).await;
}

fn routers(world: &World) -> Vec<Address> {
    let contracts = &world.devnet.deployment().contracts;
    ["universal_router", "swap_router"]
        .iter()
        .filter_map(|name| contracts.get(*name).copied())
        .collect()
}

/// Swaps that happened are reported as reverted.
fn forge_reverts(routers: Vec<Address>) -> impl FnMut(&str, &Value, &mut Value) + Send + 'static {
    move |method, _, answer| {
        let to: Option<Address> = answer["result"]["to"].as_str().and_then(|to| to.parse().ok());
        if method == "eth_getTransactionReceipt" && to.is_some_and(|to| routers.contains(&to)) {
            answer["result"]["status"] = json!("0x0");
            answer["result"]["logs"] = json!([]);
        }
    }
}

/// Mines blocks until it is dropped, so that required depths are reached.
struct Miner(tokio::task::JoinHandle<()>);

impl Miner {
    fn start(world: &World) -> Self {
        let url = world.devnet.node.url().clone();
        Self(tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mine = json!({ "jsonrpc": "2.0", "id": 1, "method": "anvil_mine", "params": ["0x1"] });
            loop {
                let _ = client.post(url.clone()).json(&mine).send().await;
                tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            }
        }))
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An address that nobody listens at yet.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// The sum of all series of a metric, as a process exports it.
async fn metric(address: &str, name: &str) -> f64 {
    let text = reqwest::get(format!("http://{address}/metrics"))
        .await
        .expect("metrics")
        .text()
        .await
        .expect("text");
    let of_name = text.lines().filter(|line| line.starts_with(name));
    of_name
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

async fn count(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect("a count")
}

async fn note(world: &World) -> String {
    let sql = "SELECT coalesce(string_agg(coalesce(note, error), '; '), '') FROM trades";
    sqlx::query_scalar(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect("a note")
}
