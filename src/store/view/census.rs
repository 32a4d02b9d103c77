//! Facts about the whole installation, for metrics. A fixed number of statements, whatever there is.
//!
//! Money is a float here and is never traded on.

use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::domain::job::FAILING_AFTER;
use crate::store::StoreError;

/// The advisory lock of the process that takes the census: "lgi-mm" in ASCII, and a number.
const LOCK: i64 = 0x6c67_692d_6d6d_0001;

/// Totals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fleet {
    /// Trades that are neither executed nor failed.
    pub open_trades: i64,
    /// Age of the oldest of them, seconds.
    pub open_trade_age: f64,
    /// Running jobs that failed at least [`FAILING_AFTER`] times in a row.
    pub jobs_failing: i64,
    /// Worker processes with a heartbeat in the last 15 s.
    pub workers: i64,
    /// How long the most overdue slot has waited for a scheduler, seconds.
    pub schedule_lag: f64,
    /// Messages not delivered yet.
    pub outbox_pending: i64,
    /// Age of the oldest of them, seconds.
    pub outbox_age: f64,
}

/// The newest trade that failed for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct LastFailure {
    /// The failure kind.
    pub reason: String,
    /// When it failed, Unix seconds.
    pub at: f64,
}

/// Number of jobs of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCount {
    /// The jobs' status.
    pub status: String,
    /// The jobs' mode.
    pub mode: String,
    /// Paper or live.
    pub realm: String,
    /// Number of jobs.
    pub jobs: i64,
}

/// Tasks of one queue in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueCount {
    /// The queue's name, without our prefix.
    pub queue: String,
    /// The tasks' state, in lower case.
    pub status: String,
    /// Number of tasks.
    pub tasks: i64,
    /// How long the oldest due task has waited, seconds.
    pub oldest_age: f64,
}

/// One wallet.
#[derive(Debug, Clone, PartialEq)]
pub struct SignerFacts {
    /// Paper or live.
    pub realm: String,
    /// The chain's name.
    pub chain: String,
    /// The wallet's address.
    pub wallet: String,
    /// Whether it may not trade.
    pub halted: bool,
    /// Transactions of open trades and withdrawals.
    pub open_transactions: i64,
    /// Allocated nonces whose transaction is not settled.
    pub nonce_gap: i64,
    /// The next nonce that is given out.
    pub next_nonce: i64,
    /// Whole native coins of a paper wallet.
    pub native_balance: Option<f64>,
}

/// Withdrawals of one wallet in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct WithdrawalFacts {
    /// The chain's name.
    pub chain: String,
    /// The wallet's address.
    pub wallet: String,
    /// SUBMITTED, EXECUTED or FAILED.
    pub status: String,
    /// Number of withdrawals.
    pub withdrawals: i64,
    /// What they paid, where that has a price feed, USD.
    pub value: f64,
    /// Paid for gas, USD.
    pub gas: f64,
    /// Age of the oldest, seconds.
    pub oldest_age: f64,
}

/// One table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSize {
    /// Its name; with the schema unless that is `public`.
    pub table: String,
    /// Size with indexes.
    pub bytes: f64,
}

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobFacts {
    /// Job id.
    pub id: String,
    /// The token's address.
    pub token: String,
    /// The token's ticker.
    pub token_symbol: String,
    /// Paper or live.
    pub realm: String,
    /// The chain's name.
    pub chain: String,
    /// Its mode.
    pub mode: String,
    /// Its status.
    pub status: String,
    /// Why its last tick did not trade.
    pub run_reason: Option<String>,
    /// The event that tells of what keeps it from trading.
    pub blocked_by: Option<String>,
    /// Last accepted price, USD.
    pub price: Option<f64>,
    /// When that was observed, Unix seconds.
    pub price_at: Option<f64>,
    /// The newest decided slot, Unix seconds.
    pub last_slot: Option<f64>,
    /// Whole tokens held.
    pub tokens: f64,
    /// Cost basis, USD.
    pub cost: f64,
    /// Cost basis of a whole token, USD.
    pub average_cost: Option<f64>,
    /// Paid for buys in this cycle, USD.
    pub spent: f64,
    /// Received from sells in this cycle, USD.
    pub received: f64,
    /// Realized profit of this cycle, USD.
    pub realized: f64,
    /// Value of the position less its cost, USD.
    pub unrealized: Option<f64>,
    /// Paid for gas in this cycle, USD.
    pub gas: f64,
    /// Whether the last attempt to prove a sale failed and tokens are held.
    pub unsellable: bool,
    /// Its configuration.
    pub config: Value,
    /// Whole quote tokens of its own.
    pub quote_tokens: f64,
    /// The quote's ticker.
    pub quote_symbol: String,
    /// Price of a whole quote token at the last fill, USD.
    pub quote_price: Option<f64>,
}

/// Takes the lock, unless another process holds it. It ends with the connection.
///
/// # Errors
/// [`StoreError`].
pub async fn lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK)
            .fetch_one(connection)
            .await?,
    )
}

/// The totals.
///
/// # Errors
/// [`StoreError`].
pub async fn fleet(connection: &mut PgConnection) -> Result<Fleet, StoreError> {
    let failing_after = i32::try_from(FAILING_AFTER).unwrap_or(i32::MAX);
    Ok(
        sqlx::query_file_as!(Fleet, "src/store/sql/census_fleet.sql", failing_after)
            .fetch_one(connection)
            .await?,
    )
}

/// The newest failed trade of the last 24 hours, for each reason.
///
/// # Errors
/// [`StoreError`].
pub async fn last_failures(connection: &mut PgConnection) -> Result<Vec<LastFailure>, StoreError> {
    Ok(sqlx::query_as!(
        LastFailure,
        r#"SELECT failure_kind AS "reason!", extract(epoch FROM max(executed_at))::float8 AS "at!" FROM trades
           WHERE status = 'FAILED' AND executed_at > now() - interval '24 hours' GROUP BY 1"#
    )
    .fetch_all(connection)
    .await?)
}

/// Jobs that are not archived, counted by status, mode and realm.
///
/// # Errors
/// [`StoreError`].
pub async fn job_counts(connection: &mut PgConnection) -> Result<Vec<JobCount>, StoreError> {
    Ok(sqlx::query_as!(
        JobCount,
        r#"SELECT status AS "status!", mode AS "mode!", realm AS "realm!", count(*) AS "jobs!"
           FROM jobs WHERE archived_at IS NULL GROUP BY 1, 2, 3"#
    )
    .fetch_all(connection)
    .await?)
}

/// Tasks of `queues`, counted by queue and state.
///
/// # Errors
/// [`StoreError`].
pub async fn queues(connection: &mut PgConnection, queues: &[String]) -> Result<Vec<QueueCount>, StoreError> {
    Ok(
        sqlx::query_file_as!(QueueCount, "src/store/sql/census_queues.sql", queues)
            .fetch_all(connection)
            .await?,
    )
}

/// All wallets. `decimals`: digits of a native coin.
///
/// # Errors
/// [`StoreError`].
pub async fn signers(connection: &mut PgConnection, decimals: u8) -> Result<Vec<SignerFacts>, StoreError> {
    Ok(sqlx::query_file_as!(
        SignerFacts,
        "src/store/sql/census_signers.sql",
        i32::from(decimals)
    )
    .fetch_all(connection)
    .await?)
}

/// Withdrawals, added up by wallet and state.
///
/// # Errors
/// [`StoreError`].
pub async fn withdrawals(connection: &mut PgConnection) -> Result<Vec<WithdrawalFacts>, StoreError> {
    Ok(sqlx::query_as!(
        WithdrawalFacts,
        r#"SELECT chain AS "chain!", wallet::text AS "wallet!", status AS "status!", count(*) AS "withdrawals!",
                  coalesce(sum(value_usd), 0)::float8 AS "value!", sum(gas_usd)::float8 AS "gas!",
                  extract(epoch FROM now() - min(created_at))::float8 AS "oldest_age!"
           FROM withdrawals GROUP BY 1, 2, 3"#
    )
    .fetch_all(connection)
    .await?)
}

/// The sizes of all tables.
///
/// # Errors
/// [`StoreError`].
pub async fn tables(connection: &mut PgConnection) -> Result<Vec<TableSize>, StoreError> {
    Ok(sqlx::query_file_as!(TableSize, "src/store/sql/census_tables.sql")
        .fetch_all(connection)
        .await?)
}

/// Up to `most` jobs: those in ERROR and with open trades first, then the oldest.
///
/// # Errors
/// [`StoreError`].
pub async fn jobs(connection: &mut PgConnection, most: u32) -> Result<Vec<JobFacts>, StoreError> {
    Ok(
        sqlx::query_file_as!(JobFacts, "src/store/sql/census_jobs.sql", i64::from(most))
            .fetch_all(connection)
            .await?,
    )
}

/// A live wallet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LiveWallet {
    /// The chain's name.
    pub chain: String,
    /// The wallet's address.
    pub wallet: String,
}

/// All live wallets.
///
/// # Errors
/// [`StoreError`].
pub async fn live_wallets(connection: &mut PgConnection) -> Result<Vec<LiveWallet>, StoreError> {
    Ok(sqlx::query_as!(
        LiveWallet,
        r#"SELECT chain AS "chain!", address::text AS "wallet!" FROM signers WHERE realm = 'live'"#
    )
    .fetch_all(connection)
    .await?)
}

/// Chains with live jobs that are not idle.
///
/// # Errors
/// [`StoreError`].
pub async fn live_chains(pool: &PgPool) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT chain FROM jobs WHERE realm = 'live' AND archived_at IS NULL AND status <> 'IDLE'"
    )
    .fetch_all(pool)
    .await?)
}

/// Whether the queue's tables can be read.
///
/// # Errors
/// [`StoreError`] if not.
pub async fn queue_readable(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query!(r#"SELECT 1 AS "one!" FROM apalis.jobs LEFT JOIN apalis.workers ON false LIMIT 1"#)
        .fetch_optional(pool)
        .await?;
    Ok(())
}
