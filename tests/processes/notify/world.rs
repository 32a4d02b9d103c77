//! A database with jobs and events, and couriers on it.

use std::time::{Duration, Instant};

use lgi_mm::notify::{self, NotifySettings};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::TestDb;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::notify::inbox::Inbox;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver of the kind `webhook`.
pub fn webhook(inbox: &Inbox) -> Value {
    json!({ "kind": "webhook", "url": format!("{}/hook", inbox.url()), "secret": SECRET })
}

pub fn settings(receivers: Value) -> NotifySettings {
    let settings = json!({ "timeout": "1s", "receivers": receivers });
    let settings: NotifySettings = serde_json::from_value(settings).expect("settings");
    assert_eq!(settings.problems(), vec![]);
    settings
}

/// A process' deliveries; it stops when dropped.
pub struct Courier {
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Courier {
    pub fn start(pool: &PgPool, settings: &NotifySettings) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(notify::run(pool.clone(), settings.clone(), stop.clone()));
        Self { stop, task }
    }

    /// Runs until the database knows of this many receivers.
    pub async fn register(world: &World, settings: &NotifySettings, receivers: i64) {
        let courier = Self::start(world.pool(), settings);
        world.until_registered(receivers).await;
        courier.end().await;
    }

    pub async fn end(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await;
        ended.expect("it stops").expect("no panic");
    }
}

pub struct World {
    pub db: TestDb,
}

impl World {
    pub async fn new() -> Self {
        Self {
            db: testkit::db().await,
        }
    }

    pub fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    /// A job with this `[notify]` section.
    pub async fn job(&self, notify: Value) -> i64 {
        sqlx::query_scalar(
            "WITH made AS (
             INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
                               quote_decimals, mode, config)
             SELECT 'paper', 'base', '0x' || repeat('1', 40), '0x' || lpad((SELECT count(*) FROM jobs)::text, 40, '0'), 'CLAWD', 18,
                    '0x' || repeat('3', 40), 'USDC', 6, 'ACCUMULATE', jsonb_strip_nulls(jsonb_build_object('notify', $1::jsonb))
             RETURNING id), slot AS (INSERT INTO job_slots (job_id) SELECT id FROM made)
             SELECT id FROM made",
        )
        .bind(Some(notify).filter(|notify| !notify.is_null()))
        .fetch_one(self.pool())
        .await
        .expect("a job")
    }

    /// An event, as the transaction that causes it writes it.
    pub async fn event(&self, job: Option<i64>, event: &str, payload: Value) -> i64 {
        sqlx::query_scalar("INSERT INTO outbox (job_id, event, payload) VALUES ($1, $2, $3) RETURNING id")
            .bind(job)
            .bind(event)
            .bind(payload)
            .fetch_one(self.pool())
            .await
            .expect("an event")
    }

    pub async fn filled(&self, job: i64) -> i64 {
        let payload = json!({
            "trade": 7, "side": "BUY", "reason": "DCA", "base_amount": "12500000000000000000",
            "quote_amount": "25000000", "price_usd": "2", "tx_hash": "0xaa",
        });
        self.event(Some(job), "trade.filled", payload).await
    }

    /// Deliveries in a state.
    pub async fn count(&self, status: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE status = $1")
            .bind(status)
            .fetch_one(self.pool())
            .await
            .expect("deliveries")
    }

    pub async fn until(&self, what: &str, sql: &'static str) {
        let begun = Instant::now();
        loop {
            let holds: bool = sqlx::query_scalar(sql).fetch_one(self.pool()).await.expect(sql);
            if holds {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "never: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the database knows the receivers: they get events from then on.
    pub async fn until_registered(&self, receivers: i64) {
        let begun = Instant::now();
        loop {
            let known: i64 = sqlx::query_scalar("SELECT count(*) FROM receivers")
                .fetch_one(self.pool())
                .await
                .expect("receivers");
            if known >= receivers {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{known} receivers");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
