//! A local chain with the real contracts as a rig. It makes a block on request; its only node answers through
//! a proxy that can lose answers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use alloy_primitives::{Address, B256, U64, U256};
use lgi_mm::{
    chain::{ChainFile, ChainSpec, LiveChain, LocalSigner, open_chains},
    devnet::{BlockTime, CHAIN_ID, NAME},
    domain::{
        job::{Account, JobId},
        onchain::{Asset, Call, Lookup, UnsignedTransaction},
        span::Span,
        units::Amount,
    },
    engine::{Engine, EngineSettings},
    ports::{Chain, Market, Markets, NoMarket, PoolPrices, Signer},
    prices::{DexscreenerSettings, PriceBook},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{
    liar::Liar,
    live::{KEY, WALLET, World, coins},
};
use tokio::process::Child;

use crate::conformance::rig::{Money, Rig, Terms};

pub struct Local {
    world: World,
    keys: ChainFile,
    terms: Terms,
    liar: Liar,
    lost: Arc<AtomicUsize>,
    stalled: AtomicBool,
    jobs: AtomicUsize,
}

/// One wallet on one chain.
struct OneMarket(Market);

#[async_trait::async_trait]
impl Markets for OneMarket {
    async fn market(&self, _: &Account) -> Result<Market, NoMarket> {
        Ok(self.0.clone())
    }
}

fn signer() -> LocalSigner {
    LocalSigner::new(KEY.parse().expect("a key"), CHAIN_ID)
}

impl Local {
    /// A client of its own, past nobody's memory.
    fn open(&self) -> LiveChain {
        let spec = ChainSpec::resolve(NAME, &self.keys).expect("a chain");
        let mut chains = open_chains(vec![Arc::new(spec)], self.pool()).expect("chains");
        chains.remove(NAME).expect("the chain")
    }

    /// Asks anvil itself.
    async fn read<T>(&self, method: &'static str, params: Value) -> T
    where
        T: serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
    {
        let answer = self.world.devnet.node.request(method, params).await;
        answer.expect(method)
    }

    async fn ask(&self, method: &'static str, params: Value) -> Value {
        self.read(method, params).await
    }

    /// While only the first attempt of the newest nonce is there, it gets no block.
    async fn hold_back(&self) {
        let sql = "SELECT hash FROM attempts WHERE transaction_id = (SELECT max(transaction_id) FROM attempts) ORDER BY id";
        let hashes: Vec<Vec<u8>> = sqlx::query_scalar(sql)
            .fetch_all(self.pool())
            .await
            .expect("attempts");
        match hashes.as_slice() {
            [] => {}
            [only] => {
                let hash = B256::from_slice(only);
                self.ask("anvil_dropTransaction", json!([hash])).await;
            }
            _ => self.stalled.store(false, Ordering::Relaxed),
        }
    }

    /// Whether a transaction waits for its block.
    async fn waiting(&self) -> bool {
        self.ask("txpool_status", json!([])).await["pending"] != json!("0x0")
    }

    /// Makes the next buy of `token` more expensive than its floor allows.
    async fn outbid(&self, token: Address) {
        self.world.push(token, true, coins(20)).await;
        self.world.devnet.node.mine(1).await.expect("a block");
    }
}

impl Rig for Local {
    async fn new(terms: Terms) -> Self {
        let (mut liar, mut keys) = (None, None);
        let world = World::with(BlockTime::OnDemand, |honest| {
            let node = honest.rpc_urls[0].parse().expect("an address");
            let proxy = Liar::start(node);
            let changed = ChainFile {
                rpc_urls: vec![proxy.url()],
                required_depth: Some(terms.required_depth),
                resend_after: Some(Span::from_millis(200)),
                replace_after: Some(terms.replace_after),
                ..honest
            };
            liar = Some(proxy);
            keys = Some(changed.clone());
            changed
        })
        .await;
        // The state was saved a while ago: the newest block is of now.
        world.devnet.node.mine(1).await.expect("a block");
        Self {
            world,
            keys: keys.expect("settings"),
            terms,
            liar: liar.expect("a proxy"),
            lost: Arc::default(),
            stalled: AtomicBool::new(false),
            jobs: AtomicUsize::new(0),
        }
    }

    fn pool(&self) -> &PgPool {
        &self.world.db.pool
    }

    fn account(&self) -> Account {
        self.world.account.clone()
    }

    fn engine(&self) -> Engine {
        let live = self.open();
        let chains = [(NAME.to_owned(), live.prices.clone() as Arc<dyn PoolPrices>)];
        let prices = PriceBook::new(self.pool().clone(), DexscreenerSettings::default()).expect("sources");
        let market = Market {
            chain: live.chain,
            venue: live.venue,
            signer: Arc::new(signer()),
        };
        let settings = EngineSettings {
            check_interval: Span::from_millis(20),
            sample_interval: Span::from_millis(250),
            trade_deadline: self.terms.trade_deadline,
            ..EngineSettings::default()
        };
        Engine::new(
            self.pool().clone(),
            Arc::new(prices.with_chains(chains.into())),
            Arc::new(OneMarket(market)),
            settings,
        )
    }

    async fn chain(&self) -> Arc<dyn Chain> {
        self.open().chain
    }

    async fn job(&self) -> JobId {
        let at = self.world.devnet.deployment();
        let practice = at
            .practice
            .iter()
            .map(|(symbol, token)| (symbol.as_str(), *token));
        let tokens: Vec<(&str, Address)> = [("CLAWDIA", at.clanker), ("TT", at.token), ("TAXED", at.taxed)]
            .into_iter()
            .chain(practice)
            .collect();
        let (symbol, token) = tokens[self.jobs.fetch_add(1, Ordering::Relaxed)];
        let rules = json!({
            "price": { "max_price_move_pct": 0 },
            "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 },
        });
        self.world.start(token, symbol, rules).await
    }

    async fn turn(&self) {
        if self.stalled.load(Ordering::Relaxed) {
            self.hold_back().await;
        }
        // Blocks come with time, too, and never run ahead of it: deadlines are in their time.
        let head = self.world.live.chain.head().await.expect("a head");
        let due = chrono::Utc::now() - head.time > chrono::TimeDelta::seconds(1);
        if due || self.waiting().await {
            self.world.devnet.node.mine(1).await.expect("a block");
        } else {
            tokio::time::sleep(Span::from_millis(20).std()).await;
        }
    }

    async fn spoil(&self) {
        self.outbid(self.world.devnet.deployment().clanker).await;
    }

    async fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    async fn lose_an_answer(&self) {
        let lost = self.lost.clone();
        lost.store(1, Ordering::Relaxed);
        self.liar.lie(move |method, _, answer| {
            if method == "eth_sendRawTransaction" && lost.swap(0, Ordering::Relaxed) > 0 {
                *answer = Value::Null;
            }
        });
    }

    async fn answers_to_lose(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    async fn take_back(&self, hash: B256, _: u64) {
        let answer = self.world.live.chain.lookup(&[hash]).await.remove(0);
        let Ok(Lookup::Mined(receipt)) = answer else {
            panic!("{hash} is in no block: {answer:?}")
        };
        // Of anvil itself: a client may remember an older head.
        let newest: U64 = self.read("eth_blockNumber", json!([])).await;
        let depth = newest.to::<u64>() + 1 - receipt.block_number;
        self.world.devnet.node.reorg(depth).await.expect("a reorg");
        // The chain that wins is longer.
        self.world.devnet.node.mine(1).await.expect("a block");
    }

    async fn foreign(&self, nonce: u64) -> B256 {
        let before: U256 = self.read("eth_getBalance", json!([WALLET, "latest"])).await;
        let unsigned = UnsignedTransaction {
            call: Call::cancel(WALLET),
            nonce,
            fees: self.world.live.chain.fees().await.expect("fees"),
        };
        let signed = signer().sign(&unsigned).await.expect("signed");
        self.ask("eth_sendRawTransaction", json!([signed.raw])).await;
        self.world.devnet.node.mine(1).await.expect("a block");
        // The audit knows our transactions only: what this one paid is given back.
        self.set_money(Money::Gas, Amount::new(before)).await;
        signed.hash
    }

    fn asset(&self, money: Money) -> Asset {
        match money {
            Money::Gas | Money::Quote => Asset::Native,
        }
    }

    async fn set_money(&self, money: Money, amount: Amount) {
        match money {
            Money::Gas | Money::Quote => {
                let set = self.world.devnet.node.set_balance(WALLET, amount.units());
                set.await.expect("funded");
            }
        }
    }

    #[cfg(feature = "failpoints")]
    fn worker(&self, failpoint: &str) -> Child {
        self.world.daemon(Some(failpoint))
    }

    async fn audit(&self) -> Vec<B256> {
        self.world.audit().await.swaps
    }
}
