//! A chain, a ledger, and workers that know of each other only what stands in it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256, U64};
use async_trait::async_trait;
use chrono::Utc;
use futures::future::join_all;
use lgi_mm::{
    chain::{ChainFile, ChainSpec, LiveChain, LocalSigner, open_chains},
    devnet::{BlockTime, CHAIN_ID, Devnet, NAME},
    domain::{
        config::JobConfig,
        job::{Account, JobId, JobMode, JobStatus, Realm, Token},
        pool::NATIVE,
        span::Span,
        units::Amount,
    },
    engine::{Engine, EngineSettings, Tick},
    ports::{Market, Markets, NoMarket, PoolPrices},
    prices::{DexscreenerSettings, PriceBook},
    store::{
        failure_watches, fill_watches,
        jobs::{self, Filter, NewJob},
        orders::{self, Order},
        trades,
    },
};
use rand::{Rng, rngs::StdRng};
use serde_json::json;
use sqlx::PgPool;
use testkit::devnet;
pub use testkit::live::coins;

use crate::chaos::{proxy::Proxy, unrest::DEEPEST};

/// How long our client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(400);

pub struct World {
    pub devnet: Arc<Devnet>,
    pub proxy: Proxy,
    pub db: testkit::TestDb,
    pub account: Account,
    pub jobs: Vec<JobId>,
    pub tokens: Vec<Address>,
    key: PrivateKeySigner,
    required_depth: u64,
    /// Plans and calldata are given up after seconds.
    hurried: bool,
}

const fn sell_all() -> Order {
    Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    }
}

/// One wallet on one chain.
struct OneMarket(Market);

#[async_trait]
impl Markets for OneMarket {
    async fn market(&self, _: &Account) -> Result<Market, NoMarket> {
        Ok(self.0.clone())
    }
}

impl World {
    /// A job for each kind of pool there is; the chain makes no block by itself.
    pub async fn new(seed: u64, required_depth: u64, hurried: bool) -> Self {
        let (devnet, db) = tokio::join!(devnet::devnet(BlockTime::OnTransaction), testkit::db());
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(0x46)).expect("a key");
        devnet
            .node
            .set_balance(key.address(), coins(100))
            .await
            .expect("funded");
        devnet.node.set_automine(false).await.expect("blocks when told");
        // Deeper than any reorganisation of the test.
        devnet.node.mine(20).await.expect("blocks");
        let proxy = Proxy::start(devnet.node.url().clone(), seed, PATIENCE);
        let at = devnet.deployment().clone();
        let mut tokens: Vec<(String, Address)> = at.practice.clone().into_iter().collect();
        for (symbol, token) in [("TT", at.token), ("CLAWDIA", at.clanker), ("DEFLATING", at.taxed)] {
            tokens.push((symbol.to_owned(), token));
        }
        let account = Account {
            realm: Realm::Live,
            chain: NAME.to_owned(),
            wallet: key.address(),
        };
        let mut jobs = Vec::new();
        for (symbol, token) in tokens.clone() {
            jobs.push(create(&db.pool, &account, token, symbol).await);
        }
        Self {
            devnet: Arc::new(devnet),
            proxy,
            db,
            account,
            jobs,
            tokens: tokens.into_iter().map(|(_, token)| token).collect(),
            key,
            required_depth,
            hurried,
        }
    }

    fn chain(&self, urls: Vec<String>) -> LiveChain {
        let span = |text: &str| Some(text.parse::<Span>().expect("a span"));
        let keys = ChainFile {
            rpc_urls: urls,
            rpc_timeout: span("400ms"),
            rpc_rounds: Some(2),
            required_depth: Some(self.required_depth),
            resend_after: span("300ms"),
            replace_after: span("1s"),
            ..self.devnet.chain_file()
        };
        let spec = ChainSpec::resolve(NAME, &keys).expect("a chain");
        let mut chains = open_chains(vec![Arc::new(spec)], &self.db.pool).expect("chains");
        chains.remove(NAME).expect("the chain")
    }

    /// The chain past the proxy.
    pub fn truth(&self) -> LiveChain {
        self.chain(vec![self.devnet.node.url().to_string()])
    }

    /// A worker's own engine, on two nodes that fail apart.
    pub fn engine(&self, worker: usize) -> Engine {
        let urls = ["a", "b"].map(|node| self.proxy.url(&format!("{worker}{node}")));
        let live = self.chain(urls.into());
        let chains = BTreeMap::from([(NAME.to_owned(), live.prices.clone() as Arc<dyn PoolPrices>)]);
        let prices = PriceBook::new(self.db.pool.clone(), DexscreenerSettings::default()).expect("sources");
        let market = Market {
            chain: live.chain,
            venue: live.venue,
            signer: Arc::new(LocalSigner::new(self.key.clone(), CHAIN_ID)),
        };
        let settings = EngineSettings {
            check_interval: Span::from_millis(60),
            sample_interval: Span::from_millis(500),
            plan_lifetime: Span::from_secs(if self.hurried { 5 } else { 60 }),
            trade_deadline: Span::from_secs(if self.hurried { 4 } else { 600 }),
            ..EngineSettings::default()
        };
        Engine::new(
            self.db.pool.clone(),
            Arc::new(prices.with_chains(chains)),
            Arc::new(OneMarket(market)),
            settings,
        )
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.db.pool).await.expect(sql)
    }

    /// What a user might do at any time: sell all, begin again, resume after failures. Where fills may be reverted,
    /// only what cannot be is sold: a fill that was traded on cannot be undone, and stops the signer.
    pub async fn interfere(&self, random: &mut StdRng) {
        for job in jobs::list(&self.db.pool, &Filter::default()).await.expect("jobs") {
            // A sale of an earlier cycle cannot be undone either.
            let settled = !self.fills_are_taken_back() || self.is_final(job.id).await;
            let order = match job.status {
                JobStatus::Idle if settled => start(),
                JobStatus::Paused if self.fills_are_taken_back() && settled => sell_all(),
                JobStatus::Paused if self.fills_are_taken_back() => continue,
                JobStatus::Error | JobStatus::Paused => Order::Resume,
                JobStatus::Running if random.random_range(0..60) == 0 => {
                    if self.fills_are_taken_back() {
                        Order::Pause
                    } else {
                        sell_all()
                    }
                }
                JobStatus::Idle | JobStatus::Running | JobStatus::Liquidating => continue,
            };
            // It may have moved on since it was read.
            let _ = orders::order(&self.db.pool, job.id, order, "test").await;
        }
    }

    /// Whether confirmed blocks are reorged out.
    const fn fills_are_taken_back(&self) -> bool {
        self.required_depth <= DEEPEST
    }

    /// Nothing that the job did is pending or can be reorged out.
    async fn is_final(&self, job: JobId) -> bool {
        let sql = "SELECT NOT EXISTS (SELECT FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED'))
                      AND NOT EXISTS (SELECT FROM fill_watches w JOIN fills f ON f.id = w.fill_id WHERE f.job_id = $1)
                      AND NOT EXISTS (SELECT FROM failure_watches w JOIN trades t ON t.id = w.trade_id WHERE t.job_id = $1)";
        let found = sqlx::query_scalar::<_, bool>(sql)
            .bind(job.0)
            .fetch_one(&self.db.pool)
            .await;
        found.expect("an answer")
    }

    /// No more new trades.
    pub async fn pause(&self) {
        for job in &self.jobs {
            let _ = orders::order(&self.db.pool, *job, Order::Pause, "test").await;
        }
    }

    /// What a worker does: ticks, open trades, fills that are not final.
    pub async fn work_once(&self, engine: &Engine, random: &mut StdRng) {
        let slot = Utc::now();
        let chosen = self.jobs.iter().filter(|_| random.random_range(0..4) == 0);
        let slice: Vec<Tick> = chosen.map(|job| Tick { job: *job, slot }).collect();
        engine.evaluate(&slice).await;
        let lease = Span::from_millis(1_500);
        let mut connection = self.db.pool.acquire().await.expect("a connection");
        let due = trades::claim_checks(&mut connection, lease, 16)
            .await
            .expect("trades");
        let fills = fill_watches::claim(&mut connection, lease, 100)
            .await
            .expect("fills");
        let failed = failure_watches::claim(&mut connection, lease, 100)
            .await
            .expect("failures");
        drop(connection);
        // What fails is looked at again; that everything ends is what the test is about.
        join_all(due.iter().map(|(trade, _)| engine.drive(*trade))).await;
        let _ = engine.watch(&fills).await;
        let _ = engine.watch_failures(&failed).await;
    }

    /// Every trade that is open, or every one, with its attempts.
    pub async fn story(&self, open_only: bool) -> String {
        let sql = "SELECT concat_ws(' ', t.id, t.job_id, t.side, t.reason, t.status, t.failure_kind, t.error, t.note, x.nonce, x.purpose, a.purpose,
                          encode(a.hash, 'hex'), a.max_fee_per_gas, a.sends, a.last_answer)
                   FROM trades t LEFT JOIN transactions x ON x.trade_id = t.id LEFT JOIN attempts a ON a.transaction_id = x.id
                   WHERE NOT $1 OR t.status IN ('PENDING', 'SUBMITTED') ORDER BY t.id, x.nonce, a.id";
        let rows: Vec<String> = sqlx::query_scalar(sql)
            .bind(open_only)
            .fetch_all(&self.db.pool)
            .await
            .expect("trades");
        let sql = "SELECT concat_ws(' ', address, next_nonce, halted_reason) FROM signers";
        let signers: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&self.db.pool)
            .await
            .expect("signers");
        let sql =
            "SELECT concat_ws(' ', 'adjusted', job_id, kind, token_delta, note) FROM adjustments ORDER BY id";
        let adjusted: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&self.db.pool)
            .await
            .expect("adjustments");
        format!(
            "{}\n{}\n{}\n{}",
            rows.join("\n"),
            adjusted.join("\n"),
            signers.join("\n"),
            self.first_unused().await
        )
    }

    /// Whose the first nonce is that the chain still waits for.
    async fn first_unused(&self) -> String {
        let params = json!([self.account.wallet, "latest"]);
        let count: U64 = self
            .devnet
            .node
            .request("eth_getTransactionCount", params)
            .await
            .expect("a count");
        let sql = "SELECT concat_ws(' ', t.id, t.side, t.reason, t.status, t.failure_kind, t.error, t.note, x.purpose, a.purpose, encode(a.hash, 'hex'),
                          a.max_fee_per_gas, a.sends, a.last_answer)
                   FROM transactions x JOIN trades t ON t.id = x.trade_id JOIN attempts a ON a.transaction_id = x.id
                   WHERE x.nonce = $1 ORDER BY a.id";
        let rows: Vec<String> = sqlx::query_scalar(sql)
            .bind(i64::try_from(count.to::<u64>()).expect("small"))
            .fetch_all(&self.db.pool)
            .await
            .expect("attempts");
        format!("the chain waits for nonce {count}:\n{}", rows.join("\n"))
    }

    /// Decisions by their names.
    pub async fn decisions(&self) -> Vec<(String, i64)> {
        let sql = "SELECT reason || coalesce(': ' || left(min(detail), 120), ''), sum(count)::bigint FROM ticks GROUP BY reason ORDER BY 2 DESC";
        sqlx::query_as(sql).fetch_all(&self.db.pool).await.expect("ticks")
    }
}

fn start() -> Order {
    Order::Start {
        deposit: Amount::ZERO,
    }
}

async fn create(pool: &PgPool, account: &Account, token: Address, symbol: String) -> JobId {
    let config: JobConfig = serde_json::from_value(json!({
        "price": { "sources": ["onchain"], "max_price_move_pct": 0 },
        "limits": {
            "max_trades_per_hour": 0, "max_daily_spend_usd": 0, "failure_backoff": "1s", "gas_reserve": 1,
            "max_slippage_bps": 500, "max_gas_usd": 9,
        },
        "accumulate": {
            "dca_amount_usd": 40, "dca_interval": "1s", "dip_buy_threshold_pct": 0, "max_accumulation_usd": 100_000,
        },
    }))
    .expect("a configuration");
    let token_of = |address, symbol: &str| Token {
        address,
        symbol: symbol.to_owned(),
        decimals: 18,
    };
    let new = NewJob {
        account: account.clone(),
        token: token_of(token, &symbol),
        quote: token_of(NATIVE, "ETH"),
        mode: JobMode::Accumulate,
        config,
    };
    let job = jobs::create(pool, &new, "test").await.expect("a job");
    orders::order(pool, job, start(), "test").await.expect("started");
    job
}
