//! One job on the paper venue, with prices set by the test.

use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, address};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    domain::{
        config::{JobConfig, SourceName},
        decision::HoldReason,
        ids::TradeId,
        job::{JobId, JobMode},
        onchain::Asset,
        price::{Answer, Observation, PriceMissing},
        units::Amount,
    },
    engine::{Engine, EngineSettings, Progress, Tick, TickOutcome},
    paper::{
        Fault, FaultKind, PaperMarkets, PaperSettings,
        audit::{self, PaperStatus},
        default_wallet,
    },
    ports::{PriceRequest, Prices},
    store::{
        self,
        jobs::{self, Job},
        orders::{self, Order},
    },
};
use rust_decimal::Decimal;
use sqlx::PgPool;
use testkit::paper_job;

pub const TOKEN: Address = address!("0xbbd9aDe16525acb4B336b6dAd3b9762901522B07");

/// The market: one price for everything, changed by the test. `None`: the source is down.
#[derive(Clone, Default)]
pub struct Market(Arc<Mutex<Option<Decimal>>>);

impl Market {
    pub fn set(&self, price: &str) {
        *self.0.lock().expect("price") = Some(price.parse().expect("a decimal"));
    }

    pub fn down(&self) {
        *self.0.lock().expect("price") = None;
    }
}

#[async_trait]
impl Prices for Market {
    async fn answers(&self, requests: &[PriceRequest<'_>], now: DateTime<Utc>) -> Vec<Vec<Answer>> {
        let price = *self.0.lock().expect("price");
        let answer = move |source| match price {
            Some(price_usd) => Ok(Observation {
                source,
                price_usd,
                observed_at: now,
            }),
            None => Err(PriceMissing {
                source_name: source,
                detail: "down".to_owned(),
                reason: HoldReason::PriceMissing,
            }),
        };
        requests
            .iter()
            .map(|request| request.config.sources.iter().copied().map(answer).collect())
            .collect()
    }
}

pub struct World {
    pub pool: PgPool,
    pub engine: Engine,
    pub market: Market,
    pub paper: Arc<PaperMarkets>,
    pub job: JobId,
    clock: Mutex<Clock>,
}

/// The slots' clock runs ahead of the real one.
struct Clock {
    last: DateTime<Utc>,
    ahead: TimeDelta,
}

/// Blocks every 50 ms, so that a test waits for little.
pub fn paper_settings() -> PaperSettings {
    serde_json::from_value(serde_json::json!({
        "block_time": "50ms", "mine_after": "0s", "replace_after": "300ms", "required_depth": 1
    }))
    .expect("paper settings")
}

pub fn engine_settings() -> EngineSettings {
    EngineSettings {
        sample_interval: "100ms".parse().expect("span"),
        check_interval: "50ms".parse().expect("span"),
        ..EngineSettings::default()
    }
}

/// No pause between trades, and no jump is unbelievable: each test narrows what it is about.
pub fn accumulate() -> JobConfig {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.price.sources = vec![SourceName::Generated];
    config.price.max_price_move_pct = Decimal::ZERO;
    config.limits.failure_backoff = "1s".parse().expect("span");
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.dca_interval = Some("0s".parse().expect("span"));
    rules.dip_buy_threshold_pct = Decimal::ZERO;
    config
}

impl World {
    pub async fn new(config: JobConfig) -> Self {
        Self::with(config, paper_settings()).await
    }

    pub async fn with(config: JobConfig, settings: PaperSettings) -> Self {
        let db = testkit::db().await;
        let market = Market::default();
        market.set("2");
        let paper = Arc::new(PaperMarkets::new(db.pool.clone(), settings));
        let engine = Engine::new(
            db.pool.clone(),
            Arc::new(market.clone()),
            paper.clone(),
            engine_settings(),
        );
        let job = create(&db.pool, TOKEN, config).await;
        let now = store::now(&db.pool).await.expect("now");
        Self {
            pool: db.pool.clone(),
            engine,
            market,
            paper,
            job,
            clock: Mutex::new(Clock {
                last: now,
                ahead: TimeDelta::zero(),
            }),
        }
    }

    /// Another worker on the same database.
    pub fn another_engine(&self) -> Engine {
        Engine::new(
            self.pool.clone(),
            Arc::new(self.market.clone()),
            self.paper.clone(),
            engine_settings(),
        )
    }

    /// The next slot: now, or later if the test let time pass; never the same twice.
    pub fn next_tick(&self) -> Tick {
        let mut clock = self.clock.lock().expect("clock");
        clock.last = (Utc::now() + clock.ahead).max(clock.last + TimeDelta::milliseconds(1));
        Tick {
            job: self.job,
            slot: clock.last,
        }
    }

    /// Lets so much time pass between two slots.
    pub fn pass(&self, time: TimeDelta) {
        self.clock.lock().expect("clock").ahead += time;
    }

    pub async fn evaluate(&self, tick: Tick) -> TickOutcome {
        let mut results = self.engine.evaluate(&[tick]).await;
        assert_eq!(results.len(), 1);
        results.remove(0).outcome.expect("a tick that works")
    }

    /// One tick that must trade, carried to its end.
    pub async fn trade(&self) -> TradeId {
        match self.evaluate(self.next_tick()).await {
            TickOutcome::Traded { trade } => {
                self.finish(trade).await;
                trade
            }
            other => panic!("expected a trade, got {other:?}"),
        }
    }

    /// One tick that must hold.
    pub async fn hold(&self) -> HoldReason {
        match self.evaluate(self.next_tick()).await {
            TickOutcome::Held { reason, .. } => reason,
            other => panic!("expected a hold, got {other:?}"),
        }
    }

    /// Drives a trade until it is final.
    pub async fn finish(&self, trade: TradeId) {
        for _ in 0..400 {
            if self
                .engine
                .drive(trade)
                .await
                .is_ok_and(|progress| progress == Progress::Final)
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!(
            "trade {trade} did not end: {:?}",
            store::trades::load(&self.pool, trade).await
        );
    }

    pub async fn job(&self) -> Job {
        jobs::by_ids(&self.pool, &[self.job])
            .await
            .expect("jobs")
            .remove(0)
            .expect("a readable job")
    }

    pub async fn order(&self, order: Order) {
        orders::order(&self.pool, self.job, order, "test")
            .await
            .expect("order");
    }

    pub async fn fault(&self, kind: FaultKind, times: u32) {
        self.paper
            .faults()
            .add(&Fault::new(kind, "base").times(times))
            .await
            .expect("fault");
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect(sql)
    }

    /// The venue's own records against ours: each executed trade is one mined swap and the other way round, and
    /// the position is the sum of the fills.
    pub async fn assert_ledger_equals_venue(&self) {
        let swaps = audit::records(&self.pool, Some("base"), default_wallet())
            .await
            .expect("records");
        let mined = swaps.iter().filter(|swap| swap.status == PaperStatus::Mined);
        let mut hashes: Vec<Vec<u8>> = mined.map(|swap| swap.hash.to_vec()).collect();
        let mut filled: Vec<Vec<u8>> = sqlx::query_scalar("SELECT tx_hash FROM fills WHERE kind = 'fill'")
            .fetch_all(&self.pool)
            .await
            .expect("fills");
        hashes.sort();
        filled.sort();
        assert_eq!(hashes, filled, "the venue's swaps and our fills differ");
        let net = audit::net_balances(&self.pool, Some("base"), default_wallet())
            .await
            .expect("net");
        for job in jobs::list(&self.pool, &jobs::Filter::default())
            .await
            .expect("jobs")
        {
            let token = net
                .iter()
                .find(|net| net.asset == Asset::Token(job.token.address));
            let held = token.map_or(Amount::ZERO, |net| net.received.saturating_sub(net.spent));
            assert_eq!(job.position.token_balance, held, "position of job {}", job.id);
        }
        assert_eq!(self.count("SELECT count(*) FROM reservations r JOIN trades t ON t.id = r.trade_id WHERE t.status NOT IN ('PENDING', 'SUBMITTED')").await, 0);
    }
}

pub async fn create(pool: &PgPool, token: Address, config: JobConfig) -> JobId {
    let mode = config.mode();
    let new = paper_job(token, "TKN", mode, config);
    let job = jobs::create(pool, &new, "test").await.expect("create");
    let deposit: Amount = if mode == JobMode::Liquidity {
        "500000000".parse().expect("amount")
    } else {
        Amount::ZERO
    };
    orders::order(pool, job, Order::Start { deposit }, "test")
        .await
        .expect("start");
    job
}
