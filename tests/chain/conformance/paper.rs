//! The paper venue as a rig. Its blocks come with time; faults are ordered in its own tables, and a node in front of
//! it takes blocks back.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU8, Ordering},
};

use alloy_primitives::{Address, B256};
use lgi_mm::{
    app::audit::{Findings, paper::compare},
    domain::{
        chains,
        config::JobConfig,
        job::{Account, JobId, JobMode, Realm},
        onchain::{Asset, Call, UnsignedTransaction},
        span::Span,
        units::Amount,
    },
    engine::{Engine, EngineSettings},
    paper::{
        Fault, FaultKind, Funding, PaperMarkets, PaperSettings, PaperSigner,
        audit::{PaperStatus, records},
        default_wallet,
    },
    ports::{Chain, Markets, Signer},
    prices::{DexscreenerSettings, PriceBook},
    store::{
        jobs,
        orders::{self, Order},
    },
};
use serde_json::json;
use sqlx::PgPool;
use testkit::{
    TestDb, paper_job,
    unsteady::{Fate, Node, UnsteadyMarkets},
};
use tokio::process::Child;

use crate::conformance::rig::{Money, Rig, Terms, until};

const CHAIN: &str = "base";

pub struct Paper {
    db: TestDb,
    terms: Terms,
    markets: Arc<PaperMarkets>,
    node: Node,
    /// In no block any more, until its bytes come again.
    taken_back: Mutex<Option<(B256, u64)>>,
    jobs: AtomicU8,
}

fn settings(terms: Terms) -> PaperSettings {
    PaperSettings {
        block_time: Span::from_millis(50),
        mine_after: Span::ZERO,
        resend_after: Span::from_millis(200),
        replace_after: terms.replace_after,
        required_depth: terms.required_depth,
        ..PaperSettings::default()
    }
}

impl Paper {
    async fn order(&self, kind: FaultKind) {
        let fault = Fault::new(kind, CHAIN).times(1);
        self.markets.faults().add(&fault).await.expect("a fault");
    }
}

impl Rig for Paper {
    async fn new(terms: Terms) -> Self {
        let db = testkit::db().await;
        let markets = Arc::new(PaperMarkets::new(db.pool.clone(), settings(terms)));
        Self {
            db,
            terms,
            markets,
            node: Node::default(),
            taken_back: Mutex::default(),
            jobs: AtomicU8::new(0),
        }
    }

    fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    fn account(&self) -> Account {
        Account {
            realm: Realm::Paper,
            chain: CHAIN.to_owned(),
            wallet: default_wallet(),
        }
    }

    fn engine(&self) -> Engine {
        let prices = PriceBook::new(self.db.pool.clone(), DexscreenerSettings::default()).expect("sources");
        let markets = UnsteadyMarkets {
            paper: Arc::new(PaperMarkets::new(self.db.pool.clone(), settings(self.terms))),
            node: self.node.clone(),
        };
        let engine = EngineSettings {
            check_interval: Span::from_millis(20),
            sample_interval: Span::from_millis(250),
            trade_deadline: self.terms.trade_deadline,
            ..EngineSettings::default()
        };
        Engine::new(self.db.pool.clone(), Arc::new(prices), Arc::new(markets), engine)
    }

    async fn chain(&self) -> Arc<dyn Chain> {
        let market = self.markets.market(&self.account()).await;
        market.expect("the market").chain
    }

    async fn job(&self) -> JobId {
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let config: JobConfig = serde_json::from_value(json!({
            "schedule": { "cron": "* * * * * *" },
            "price": { "sources": ["generated"], "max_price_move_pct": 0 },
            "limits": { "max_trades_per_hour": 0, "max_daily_spend_usd": 0, "failure_backoff": "1s" },
            "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 },
        }))
        .expect("a configuration");
        let token = Address::repeat_byte(0x70 + number);
        let new = paper_job(token, format!("T{number}"), JobMode::Accumulate, config);
        let job = jobs::create(&self.db.pool, &new, "test").await.expect("a job");
        let start = Order::Start {
            deposit: Amount::ZERO,
        };
        orders::order(&self.db.pool, job, start, "test")
            .await
            .expect("started");
        job
    }

    async fn turn(&self) {
        tokio::time::sleep(Span::from_millis(20).std()).await;
        let mut taken_back = self.taken_back.lock().expect("the bytes");
        if let Some((hash, before)) = *taken_back
            && self.node.resent() > before
        {
            self.node.set(hash, None);
            *taken_back = None;
        }
    }

    async fn spoil(&self) {
        self.order(FaultKind::Revert).await;
    }

    async fn stall(&self) {
        self.order(FaultKind::Stuck).await;
    }

    async fn lose_an_answer(&self) {
        self.order(FaultKind::Lost).await;
    }

    async fn answers_to_lose(&self) -> usize {
        self.markets.faults().list().await.expect("faults").len()
    }

    async fn take_back(&self, hash: B256, nonce: u64) {
        self.node.finalize(Some(0));
        self.node.set(hash, Some(Fate::Buried { nonce }));
        *self.taken_back.lock().expect("the bytes") = Some((hash, self.node.resent()));
    }

    async fn foreign(&self, nonce: u64) -> B256 {
        let chain = self.chain().await;
        let unsigned = UnsignedTransaction {
            call: Call::cancel(default_wallet()),
            nonce,
            fees: chain.fees().await.expect("fees"),
        };
        let signer = PaperSigner::new(CHAIN, default_wallet());
        let signed = signer.sign(&unsigned).await.expect("signed");
        chain.send(&signed.raw).await.expect("sent");
        until(self, "the foreign transaction", async || {
            let nonces = chain.nonces(default_wallet()).await.expect("nonces");
            (nonces.latest > nonce).then_some(())
        })
        .await;
        signed.hash
    }

    fn asset(&self, money: Money) -> Asset {
        match money {
            Money::Gas => Asset::Native,
            Money::Quote => Asset::Token(chains::find(CHAIN).expect("the chain").usdc),
        }
    }

    async fn set_money(&self, money: Money, amount: Amount) {
        let funding = Funding::Set(amount);
        self.markets
            .fund(CHAIN, default_wallet(), self.asset(money), funding)
            .await
            .expect("funded");
    }

    #[cfg(feature = "failpoints")]
    fn worker(&self, failpoint: &str) -> Child {
        let mut command = testkit::quick_daemon(&self.db.url);
        command
            .env(lgi_mm::failpoint::VARIABLE, failpoint)
            .env("LGI_MM__PAPER__BLOCK_TIME", "50ms")
            .env("LGI_MM__PAPER__REPLACE_AFTER", "1h");
        command.spawn().expect("our own program starts")
    }

    async fn audit(&self) -> Vec<B256> {
        let found = compare(&self.db.pool).await.expect("both sides");
        assert_eq!(found, Findings::default());
        let swaps = records(&self.db.pool, Some(CHAIN), default_wallet())
            .await
            .expect("records");
        let mined = swaps.iter().filter(|swap| swap.status == PaperStatus::Mined);
        mined.map(|swap| swap.hash).collect()
    }
}
