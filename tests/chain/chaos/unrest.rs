//! The chain's own faults: reorgs, fee spikes, nodes that drop their pool, periods without a block.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alloy_primitives::{Address, U64, U256};
use lgi_mm::{
    devnet::{DEPLOYER, Devnet},
    domain::{
        onchain::{Checks, SwapRequest},
        pool::NATIVE,
        units::Amount,
    },
    ports::Venue,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::chaos::proxy::Door;

/// Time between two blocks.
pub const BLOCK: Duration = Duration::from_millis(80);
/// Maximum depth of a reorg, blocks.
pub const DEEPEST: u64 = 5;
const GWEI: u64 = 1_000_000_000;

/// Makes the blocks, and trouble besides as the seed says.
pub struct Unrest {
    pub devnet: Arc<Devnet>,
    pub door: Arc<Door>,
    pub wallet: Address,
    /// The pool where another trader trades against us, if any, and the token.
    pub market: Option<Arc<dyn Venue>>,
    pub tokens: Vec<Address>,
    pub stormy: Arc<AtomicBool>,
    pub met: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Unrest {
    /// Without an end.
    pub async fn run(self, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        loop {
            let still = if self.stormy.load(Ordering::Relaxed) {
                self.trouble(&mut random).await
            } else {
                0
            };
            self.devnet.node.mine(1).await.expect("a block");
            tokio::time::sleep(BLOCK * (1 + still)).await;
        }
    }

    /// One event, or none; for how many blocks the chain stands still after it.
    async fn trouble(&self, random: &mut StdRng) -> u32 {
        let (name, still) = match random.random_range(0..1_000) {
            0..60 => {
                let depth = random.random_range(1..=DEEPEST);
                let again = random.random_range(0..3);
                (self.reorganise(depth, again, random).await, 0)
            }
            60..75 => {
                let fee = U256::from(random.random_range(5..80) * GWEI);
                self.ask("anvil_setNextBlockBaseFeePerGas", json!([fee])).await;
                ("base fee jumps", 0)
            }
            75..125 => (self.forget(random).await, 0),
            125..138 => ("no blocks", random.random_range(5..60)),
            138..230 => {
                self.door.mempool.let_go(&self.door.node).await;
                ("stuck transactions let go", 0)
            }
            230..290 => (self.move_price(random).await, 0),
            _ => return 0,
        };
        *self.met.lock().expect("counts").entry(name).or_default() += 1;
        still
    }

    async fn ask(&self, method: &'static str, params: Value) -> Value {
        self.devnet
            .node
            .request(method, params)
            .await
            .unwrap_or(Value::Null)
    }

    /// Takes blocks back. What was in them is gone (0), is mined again (1), or in another attempt's place (2).
    async fn reorganise(&self, depth: u64, again: u32, random: &mut StdRng) -> &'static str {
        let mut nonces = Vec::new();
        for height in self.removed(depth).await {
            let block = self
                .ask("eth_getBlockByNumber", json!([U64::from(height), true]))
                .await;
            let transactions = block["transactions"].as_array().cloned().unwrap_or_default();
            let ours = transactions
                .iter()
                .filter(|one| one["from"] == json!(self.wallet));
            let read = |one: &Value| serde_json::from_value::<U64>(one["nonce"].clone()).expect("a nonce");
            nonces.extend(ours.map(|one| (read(one).to::<u64>(), one["hash"].clone())));
        }
        nonces.sort_unstable_by_key(|(nonce, _)| *nonce);
        let mut instead = Vec::new();
        for (nonce, hash) in &nonces {
            let attempts = self.door.mempool.attempts(self.wallet, *nonce);
            let chosen = match again {
                0 => None,
                1 => attempts.iter().find(|one| json!(one.hash) == *hash),
                _ => attempts.choose(random),
            };
            // Nothing can follow a nonce that is not there.
            let Some(chosen) = chosen else { break };
            instead.push(json!([chosen.raw, 0]));
        }
        let done: Result<Value, _> = self
            .devnet
            .node
            .request("anvil_reorg", json!([depth, instead]))
            .await;
        if done.is_err() {
            // What cannot be mined there, such as a fee below the base fee, stays away.
            self.ask("anvil_reorg", json!([depth, []])).await;
        }
        match (nonces.is_empty(), again) {
            (true, _) => "empty blocks reorged out",
            (_, 0) => "our transactions reorged out",
            (_, 1) => "our transactions moved to other blocks",
            _ => "our transactions reorged out, perhaps for an older attempt",
        }
    }

    /// Another trader buys, or sells the equivalent: up to a twentieth of a pool.
    async fn move_price(&self, random: &mut StdRng) -> &'static str {
        let token = *self.tokens.choose(random).expect("tokens");
        let Some(market) = &self.market else {
            return "nobody trades";
        };
        let coins = U256::from(random.random_range(5..50)) * U256::from(10).pow(U256::from(17));
        let swap = |token_in, token_out, amount_in| SwapRequest {
            wallet: DEPLOYER,
            token_in,
            token_out,
            amount_in,
            amount_out_fair: Amount::ZERO,
            fair_rest: 0,
            pool: None,
            prove_sell: false,
            checks: Checks::none(),
        };
        let mut request = swap(NATIVE, token, Amount::new(coins));
        if random.random() {
            let Ok(quote) = market.quote(&request).await else {
                return "nobody trades";
            };
            request = swap(token, NATIVE, quote.amount_out);
        }
        let deadline = chrono::Utc::now() + chrono::TimeDelta::hours(1);
        let Ok(calls) = market.calls(&request, Amount::new(U256::from(1)), deadline).await else {
            return "nobody trades";
        };
        for call in calls {
            let transaction = json!({
                "from": DEPLOYER, "to": call.to, "data": call.data, "value": call.value, "gas": U256::from(call.gas_limit),
            });
            self.ask("eth_sendTransaction", json!([transaction])).await;
        }
        "another trader moves a price"
    }

    async fn removed(&self, depth: u64) -> std::ops::RangeInclusive<u64> {
        let head = self.ask("eth_blockNumber", json!([])).await;
        let head = serde_json::from_value::<U64>(head).expect("a height").to::<u64>();
        head.saturating_sub(depth) + 1..=head
    }

    /// The pool forgets one of ours.
    async fn forget(&self, random: &mut StdRng) -> &'static str {
        let content = self.ask("txpool_content", json!([])).await;
        let pooled: Vec<Value> = ["pending", "queued"]
            .iter()
            .filter_map(|part| content[part].as_object())
            .flat_map(|wallets| wallets.values())
            .filter_map(Value::as_object)
            .flat_map(|by_nonce| by_nonce.values())
            .map(|one| one["hash"].clone())
            .collect();
        match pooled.choose(random) {
            Some(hash) => {
                self.ask("anvil_dropTransaction", json!([hash])).await;
                "a pooled transaction forgotten"
            }
            None => "an empty pool",
        }
    }
}
