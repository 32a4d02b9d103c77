//! The census: what is true of the whole installation, taken from the database by one process at a time.
//!
//! Workers are stateless, so none of them knows how many jobs there are. Whoever holds an advisory lock asks the
//! database and exports the answer beside its own metrics; a lock dies with its connection, and so with its process.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use ::metrics::{Label, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sqlx::{Connection, FromRow, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Origin, Outage,
    balances::{Balances, Nodes},
    metrics::{describe, metric},
};

/// The advisory lock of whoever takes the census: "lgi-mm" in ASCII, and a number.
const LOCK: i64 = 0x6c67_692d_6d6d_0001;

/// A census that takes longer is given up: its connection may be dead without knowing.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the census is taken.
#[derive(Debug, Clone, Copy)]
pub struct CensusSettings {
    /// Time between two.
    pub every: Duration,
    /// Most jobs that get series of their own.
    pub max_jobs: u32,
}

/// What the last census said, in Prometheus' text format; empty in processes that do not take it.
#[derive(Debug, Clone, Default)]
pub struct Census(Arc<RwLock<String>>);

impl Census {
    /// A page of metrics: what this process counts itself, and the census if it takes it.
    #[must_use]
    pub fn page(&self, prometheus: &PrometheusHandle) -> String {
        // Read before the rest: whether this process takes the census and what it found belong together.
        let text = self.0.read().unwrap_or_else(PoisonError::into_inner);
        prometheus.render() + &text
    }

    fn publish(&self, text: String) {
        let mut published = self.0.write().unwrap_or_else(PoisonError::into_inner);
        gauge!(metric::CENSUS_LEADER).set(if text.is_empty() { 0.0 } else { 1.0 });
        *published = text;
    }

    /// Tries to be the one, and takes the census while it is, until `stop`.
    pub async fn run(
        &self,
        pool: &PgPool,
        nodes: &Nodes,
        settings: CensusSettings,
        stop: &CancellationToken,
    ) {
        let mut outage = Outage::new("the census");
        while !stop.is_cancelled() {
            self.publish(String::new());
            tokio::select! {
                () = stop.cancelled() => {}
                ended = self.hold(pool, nodes, settings, &mut outage) => {
                    if let Err(error) = ended {
                        outage.failed(&error);
                    }
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(settings.every) => {}
                    }
                }
            }
        }
        self.publish(String::new());
    }

    /// Holds the lock for as long as its connection lives; returns at once if another process does.
    async fn hold(
        &self,
        pool: &PgPool,
        nodes: &Nodes,
        settings: CensusSettings,
        outage: &mut Outage,
    ) -> Result<(), sqlx::Error> {
        // A connection of its own: the lock belongs to it, and trading never waits for it.
        let mut connection = timely(PgConnection::connect_with(&pool.connect_options())).await?;
        while !timely(lock(&mut connection)).await? {
            outage.recovered();
            tokio::time::sleep(settings.every).await;
        }
        info!("taking the census: metrics of jobs, queues and wallets are exported here");
        let mut balances = Balances::default();
        loop {
            timely(balances.refresh(&mut connection, nodes)).await?;
            let taken = timely(take(&mut connection, settings.max_jobs, &balances)).await?;
            outage.recovered();
            self.publish(taken);
            tokio::time::sleep(settings.every).await;
        }
    }
}

async fn lock(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(LOCK)
        .fetch_one(connection)
        .await
}

async fn timely<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Takes one census: a fixed number of statements, whatever there is.
async fn take(
    connection: &mut PgConnection,
    max_jobs: u32,
    balances: &Balances,
) -> Result<String, sqlx::Error> {
    let mut facts = Facts::load(connection, max_jobs).await?;
    for signer in &mut facts.signers {
        if signer.realm == "live" {
            signer.native_balance = balances.of(&signer.chain, &signer.wallet);
        }
    }
    // A recorder of its own each time: what is not there any more leaves no series behind.
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        describe(|origin| origin != Origin::Process);
        facts.record();
    });
    Ok(recorder.handle().render())
}

struct Facts {
    fleet: (i64, f64, i64, f64, i64, f64),
    counts: Vec<(String, String, String, i64)>,
    queue: Vec<(String, String, i64, f64)>,
    signers: Vec<SignerFacts>,
    tables: Vec<(String, f64)>,
    jobs: Vec<JobFacts>,
}

#[derive(FromRow)]
struct SignerFacts {
    realm: String,
    chain: String,
    wallet: String,
    halted: bool,
    open_transactions: i64,
    nonce_gap: i64,
    native_balance: Option<f64>,
}

/// One job. Money is not exact from here on: nobody trades on a metric.
#[derive(FromRow)]
struct JobFacts {
    job_id: String,
    token: String,
    token_symbol: String,
    chain: String,
    mode: String,
    status: String,
    run_reason: Option<String>,
    price: Option<f64>,
    price_at: Option<f64>,
    last_slot: Option<f64>,
    tokens: f64,
    cost: f64,
    average_cost: Option<f64>,
    spent: f64,
    received: f64,
    realized: f64,
    unrealized: Option<f64>,
    gas: f64,
    unsellable: bool,
    budget_left: Option<f64>,
}

impl Facts {
    async fn load(connection: &mut PgConnection, max_jobs: u32) -> Result<Self, sqlx::Error> {
        let counts =
            "SELECT status, mode, realm, count(*) FROM jobs WHERE archived_at IS NULL GROUP BY 1, 2, 3";
        let fleet = sqlx::query_as(include_str!("sql/fleet.sql"));
        let queue = sqlx::query_as(include_str!("sql/queue.sql"));
        let signers = sqlx::query_as(include_str!("sql/signers.sql"));
        let tables = sqlx::query_as(include_str!("sql/tables.sql"));
        let jobs = sqlx::query_as(include_str!("sql/jobs.sql")).bind(i64::from(max_jobs));
        Ok(Self {
            fleet: fleet.fetch_one(&mut *connection).await?,
            counts: sqlx::query_as(counts).fetch_all(&mut *connection).await?,
            queue: queue.fetch_all(&mut *connection).await?,
            signers: signers.fetch_all(&mut *connection).await?,
            tables: tables.fetch_all(&mut *connection).await?,
            jobs: jobs.fetch_all(&mut *connection).await?,
        })
    }

    fn record(&self) {
        let (open_trades, open_trade_age, workers, schedule_lag, outbox, outbox_age) = self.fleet;
        set(metric::OPEN_TRADES, &[], float(open_trades));
        set(metric::OPEN_TRADE_AGE, &[], open_trade_age);
        set(metric::WORKERS, &[], float(workers));
        set(metric::SCHEDULE_LAG, &[], schedule_lag);
        set(metric::OUTBOX_PENDING, &[], float(outbox));
        set(metric::OUTBOX_OLDEST_AGE, &[], outbox_age);
        let mut jobs = 0;
        for (status, mode, realm, count) in &self.counts {
            jobs += count;
            let labels = [("status", status), ("mode", mode), ("realm", realm)];
            set(metric::JOBS, &labels, float(*count));
        }
        let with_series = i64::try_from(self.jobs.len()).unwrap_or(i64::MAX);
        // Both were counted a moment apart.
        set(
            metric::JOBS_WITHOUT_SERIES,
            &[],
            float((jobs - with_series).max(0)),
        );
        for (queue, status, tasks, oldest) in &self.queue {
            set(
                metric::QUEUE_TASKS,
                &[("queue", queue), ("status", status)],
                float(*tasks),
            );
            if status == "pending" {
                set(metric::QUEUE_OLDEST_AGE, &[("queue", queue)], *oldest);
            }
        }
        self.signers.iter().for_each(SignerFacts::record);
        for (table, bytes) in &self.tables {
            set(metric::TABLE_BYTES, &[("table", table)], *bytes);
        }
        self.jobs.iter().for_each(JobFacts::record);
    }
}

impl SignerFacts {
    fn record(&self) {
        let labels = [
            ("realm", &self.realm),
            ("chain", &self.chain),
            ("wallet", &self.wallet),
        ];
        set(
            metric::SIGNER_HALTED,
            &labels,
            if self.halted { 1.0 } else { 0.0 },
        );
        set(
            metric::SIGNER_OPEN_TRANSACTIONS,
            &labels,
            float(self.open_transactions),
        );
        set(metric::SIGNER_NONCE_GAP, &labels, float(self.nonce_gap));
        set_known(metric::SIGNER_NATIVE_BALANCE, &labels, self.native_balance);
    }
}

impl JobFacts {
    fn record(&self) {
        let id = ("job_id", &self.job_id);
        let labels = [
            id,
            ("token", &self.token),
            ("symbol", &self.token_symbol),
            ("chain", &self.chain),
            ("mode", &self.mode),
        ];
        set(metric::JOB_INFO, &labels, 1.0);
        set(metric::JOB_STATUS, &[id, ("status", &self.status)], 1.0);
        if let Some(reason) = &self.run_reason {
            set(metric::JOB_HOLD, &[id, ("reason", reason)], 1.0);
        }
        for (name, value) in [
            (metric::JOB_PRICE, self.price),
            (metric::JOB_PRICE_TIME, self.price_at),
            (metric::JOB_LAST_TICK, self.last_slot),
            (metric::JOB_POSITION, Some(self.tokens)),
            (metric::JOB_COST, Some(self.cost)),
            (metric::JOB_AVERAGE_COST, self.average_cost),
            (metric::JOB_SPENT, Some(self.spent)),
            (metric::JOB_RECEIVED, Some(self.received)),
            (metric::JOB_REALIZED_PNL, Some(self.realized)),
            (
                metric::JOB_UNSELLABLE,
                Some(if self.unsellable { 1.0 } else { 0.0 }),
            ),
            (metric::JOB_UNREALIZED_PNL, self.unrealized),
            (metric::JOB_GAS, Some(self.gas)),
            (metric::JOB_BUDGET_LEFT, self.budget_left),
        ] {
            set_known(name, &[id], value);
        }
    }
}

fn set(name: &'static str, labels: &[(&'static str, &String)], value: f64) {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(key, value)| Label::new(*key, (*value).clone()))
        .collect();
    gauge!(name, labels).set(value);
}

/// A value that is not known has no series: 0 would be an answer.
fn set_known(name: &'static str, labels: &[(&'static str, &String)], value: Option<f64>) {
    if let Some(value) = value {
        set(name, labels, value);
    }
}

/// Counts below 2^32 are exact, and no count of ours is larger.
fn float(count: i64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
