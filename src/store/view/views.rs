//! Read-only questions for people: lists, one job's story, trades, what is wrong.

use alloy_primitives::Address;
use rust_decimal::Decimal;
use sqlx::PgPool;

use crate::domain::{
    Timestamp,
    decision::{Reason, Side},
    ids::{AuditId, TradeId},
    job::{JobId, Realm},
    trade::TradeStatus,
    units::{Amount, Price, Usd},
    zone::Zone,
};
use crate::store::{
    StoreError,
    columns::{address, amount, hash, numbers, price, unsigned, usd, usd_cut, word},
};

/// The hot half of a job, and its last decision.
#[derive(Debug, Clone)]
pub struct Pulse {
    /// The job.
    pub job: JobId,
    /// The next nominal slot.
    pub next_slot: Option<Timestamp>,
    /// When the open slot, if there is one, was handed to the queue.
    pub open_since: Option<Timestamp>,
    /// The stop that paused or ended it, if its status has not changed since.
    pub stopped_by: Option<TradeId>,
    /// The pause that stopped it with other jobs, if its status has not changed since.
    pub paused_by: Option<AuditId>,
    /// Last accepted price and its instant.
    pub last_price: Option<(Price, Timestamp)>,
    /// Highest accepted price the rules last saw.
    pub recent_high: Option<Price>,
    /// Slots handed to the queue.
    pub slots_claimed: u64,
    /// Slots that never ran.
    pub slots_missed: u64,
    /// Slots decided.
    pub slots_recorded: u64,
    /// Whether nothing is signed with its key.
    pub halted: bool,
    /// The newest decision: `hold` or `trade`, its reason, its detail.
    pub last_decision: Option<(String, String, Option<String>)>,
}

/// The pulse of jobs, in the order of their numbers.
///
/// # Errors
/// [`StoreError`].
pub async fn pulses(pool: &PgPool, jobs: &[JobId]) -> Result<Vec<Pulse>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT s.job_id, s.next_slot, s.open_since, s.last_price, s.last_price_at, s.recent_high, s.slots_claimed,
                  s.slots_missed, s.slots_recorded, t.outcome AS "outcome?", t.reason AS "reason?", t.detail,
                  g.halted_at IS NOT NULL AS "halted!", j.stopped_by,
                  CASE WHEN EXISTS (SELECT FROM jobs other WHERE other.paused_by = j.paused_by AND other.id <> j.id)
                       THEN j.paused_by END AS paused_by
           FROM job_slots s
           JOIN jobs j ON j.id = s.job_id
           LEFT JOIN signers g ON (g.realm, g.chain, g.address) = (j.realm, j.chain, j.wallet)
           LEFT JOIN LATERAL (SELECT outcome, reason, detail FROM ticks WHERE job_id = s.job_id
                              ORDER BY first_slot DESC LIMIT 1) t ON true
           WHERE s.job_id = ANY ($1) ORDER BY s.job_id"#,
        &numbers(jobs)
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let last = row
                .last_price
                .map(|value| price("job_slots.last_price", value))
                .transpose()?;
            Ok(Pulse {
                job: JobId(row.job_id),
                next_slot: row.next_slot,
                open_since: row.open_since,
                stopped_by: row.stopped_by.map(TradeId),
                paused_by: row.paused_by.map(AuditId),
                last_price: last.zip(row.last_price_at),
                recent_high: row
                    .recent_high
                    .map(|value| price("job_slots.recent_high", value))
                    .transpose()?,
                slots_claimed: unsigned("job_slots.slots_claimed", row.slots_claimed)?,
                slots_missed: unsigned("job_slots.slots_missed", row.slots_missed)?,
                slots_recorded: unsigned("job_slots.slots_recorded", row.slots_recorded)?,
                halted: row.halted,
                last_decision: row
                    .outcome
                    .zip(row.reason)
                    .map(|(outcome, reason)| (outcome, reason, row.detail)),
            })
        })
        .collect()
}

/// A run of equal decisions.
#[derive(Debug, Clone)]
pub struct Run {
    /// `hold` or `trade`.
    pub outcome: String,
    /// The hold's name, or the trade's reason.
    pub reason: String,
    /// What was seen.
    pub detail: Option<String>,
    /// The price it was decided at.
    pub price: Option<Price>,
    /// First slot.
    pub first_slot: Timestamp,
    /// Last slot.
    pub last_slot: Timestamp,
    /// Slots.
    pub count: u64,
}

/// A job's last runs, newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn runs(pool: &PgPool, job: JobId, limit: i64) -> Result<Vec<Run>, StoreError> {
    let rows = sqlx::query!(
        "SELECT outcome, reason, detail, price_usd, first_slot, last_slot, count FROM ticks
         WHERE job_id = $1 ORDER BY first_slot DESC LIMIT $2",
        job.0,
        limit,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Run {
                outcome: row.outcome,
                reason: row.reason,
                detail: row.detail,
                price: row
                    .price_usd
                    .map(|value| price("ticks.price_usd", value))
                    .transpose()?,
                first_slot: row.first_slot,
                last_slot: row.last_slot,
                count: unsigned("ticks.count", row.count)?,
            })
        })
        .collect()
}

/// A trade as people see it.
#[derive(Debug, Clone)]
pub struct TradeRow {
    /// Trade id.
    pub id: TradeId,
    /// Its job.
    pub job: JobId,
    /// The job's ticker.
    pub symbol: String,
    /// Chain name.
    pub chain: String,
    /// Paper or live.
    pub realm: Realm,
    /// The wallet.
    pub wallet: Address,
    /// The token's contract.
    pub token_address: Address,
    /// What it pays with: its ticker and its contract, which is zero for the native coin.
    pub quote: (String, Address),
    /// Digits of the token, and of the quote.
    pub decimals: (u8, u8),
    /// Its slot.
    pub slot: Timestamp,
    /// Zone of the job's schedule.
    pub timezone: Zone,
    /// Which life of the job.
    pub cycle: i32,
    /// Direction.
    pub side: Side,
    /// The rule.
    pub reason: Reason,
    /// How far it is.
    pub status: TradeStatus,
    /// Tokens: planned while it is open, moved once it is executed.
    pub base_amount: Amount,
    /// Quote, likewise.
    pub quote_amount: Amount,
    /// USD per whole token.
    pub price: Price,
    /// Gas it cost, USD.
    pub gas_usd: Usd,
    /// Quote in USD, as filled.
    pub quote_usd: Option<Usd>,
    /// Cost basis of what was sold.
    pub cost_sold: Option<Usd>,
    /// Proceeds less cost.
    pub realized: Option<Usd>,
    /// Hash of the transaction that settled it, `0x..`.
    pub tx_hash: Option<String>,
    /// Why it failed: the kind.
    pub failure: Option<String>,
    /// Why it failed, for people.
    pub error: Option<String>,
    /// What it waits for while it is open.
    pub note: Option<String>,
    /// Since when it is known that what is sent for it is accepted and in no block.
    pub stuck_at: Option<Timestamp>,
    /// When it was frozen.
    pub created_at: Timestamp,
    /// When it was final.
    pub executed_at: Option<Timestamp>,
}

/// A selection of trades.
#[derive(Debug, Clone, Default)]
pub struct TradeFilter {
    /// Of these jobs only.
    pub jobs: Option<Vec<JobId>>,
    /// That ended, or were planned if they have not ended, at this instant or later.
    pub from: Option<Timestamp>,
    /// Likewise, before this instant.
    pub until: Option<Timestamp>,
    /// Open ones only.
    pub open: bool,
    /// Only trades with a smaller number.
    pub before: Option<TradeId>,
    /// Maximum number, newest first; none = all.
    pub limit: Option<i64>,
}

/// How many trades fit, whatever the limit.
///
/// # Errors
/// [`StoreError`].
pub async fn count_trades(pool: &PgPool, filter: &TradeFilter) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM trades t
           WHERE ($1::bigint[] IS NULL OR t.job_id = ANY ($1)) AND (NOT $2 OR t.status IN ('PENDING', 'SUBMITTED'))
                 AND ($3::timestamptz IS NULL OR COALESCE(t.executed_at, t.created_at) >= $3)
                 AND ($4::timestamptz IS NULL OR COALESCE(t.executed_at, t.created_at) < $4)"#,
        filter.jobs.as_deref().map(numbers) as _,
        filter.open,
        filter.from,
        filter.until,
    )
    .fetch_one(pool)
    .await?)
}

/// Trades, newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn trades(pool: &PgPool, filter: &TradeFilter) -> Result<Vec<TradeRow>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT t.id, t.job_id, j.token_symbol, j.chain, j.realm, j.wallet::text AS "wallet!", j.token_address::text AS "token!",
                  j.quote_symbol, j.quote_address::text AS "quote!", j.token_decimals, j.quote_decimals, t.slot, t.cycle, t.side,
                  COALESCE(j.config #>> '{schedule,timezone}', 'UTC') AS "timezone!",
                  t.reason, t.status, t.base_amount::text AS "base_amount!", t.quote_amount::text AS "quote_amount!",
                  t.price_usd, t.gas_usd::numeric AS "gas_usd!: Decimal", t.tx_hash, t.failure_kind, t.error, t.note, t.created_at,
                  t.stuck_at, t.executed_at, f.quote_usd::numeric AS "quote_usd?: Decimal", f.cost_sold_usd::numeric AS "cost_sold?: Decimal",
                  f.realized_usd::numeric AS "realized?: Decimal"
           FROM trades t JOIN jobs j ON j.id = t.job_id LEFT JOIN fills f ON f.trade_id = t.id AND f.kind = 'fill' AND t.status = 'EXECUTED'
                AND f.round = (SELECT max(round) FROM fills WHERE trade_id = t.id)
           WHERE ($1::bigint[] IS NULL OR t.job_id = ANY ($1)) AND (NOT $2 OR t.status IN ('PENDING', 'SUBMITTED'))
                 AND ($4::timestamptz IS NULL OR COALESCE(t.executed_at, t.created_at) >= $4)
                 AND ($5::timestamptz IS NULL OR COALESCE(t.executed_at, t.created_at) < $5)
                 AND ($6::bigint IS NULL OR t.id < $6)
           ORDER BY t.id DESC LIMIT $3"#,
        filter.jobs.as_deref().map(numbers) as _,
        filter.open,
        filter.limit,
        filter.from,
        filter.until,
        filter.before.map(|trade| trade.0),
    )
    .fetch_all(pool)
    .await?;
    let money = |column, value: Option<Decimal>| value.map(|value| usd(column, value)).transpose();
    rows.into_iter()
        .map(|row| {
            Ok(TradeRow {
                id: TradeId(row.id),
                job: JobId(row.job_id),
                symbol: row.token_symbol,
                realm: word("jobs.realm", &row.realm)?,
                chain: row.chain,
                wallet: address("jobs.wallet", &row.wallet)?,
                token_address: address("jobs.token_address", &row.token)?,
                quote: (row.quote_symbol, address("jobs.quote_address", &row.quote)?),
                decimals: (
                    unsigned("jobs.token_decimals", row.token_decimals.into())?,
                    unsigned("jobs.quote_decimals", row.quote_decimals.into())?,
                ),
                slot: row.slot,
                // A zone that this system no longer has does not hide the trade.
                timezone: row.timezone.parse().unwrap_or(Zone::UTC),
                cycle: row.cycle,
                side: word("trades.side", &row.side)?,
                reason: word("trades.reason", &row.reason)?,
                status: word("trades.status", &row.status)?,
                base_amount: amount("trades.base_amount", &row.base_amount)?,
                quote_amount: amount("trades.quote_amount", &row.quote_amount)?,
                price: price("trades.price_usd", row.price_usd)?,
                gas_usd: usd("trades.gas_usd", row.gas_usd)?,
                quote_usd: money("fills.quote_usd", row.quote_usd)?,
                cost_sold: money("fills.cost_sold_usd", row.cost_sold)?,
                realized: money("fills.realized_usd", row.realized)?,
                tx_hash: row
                    .tx_hash
                    .map(|bytes| hash("trades.tx_hash", &bytes))
                    .transpose()?
                    .map(|h| h.to_string()),
                failure: row.failure_kind,
                error: row.error,
                note: row.note,
                stuck_at: row.stuck_at,
                created_at: row.created_at,
                executed_at: row.executed_at,
            })
        })
        .collect()
}

/// An attempt of an open trade.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    /// Nonce of its transaction.
    pub nonce: u64,
    /// `approve`, `swap` or `cancel`.
    pub purpose: String,
    /// Its hash, `0x..`.
    pub hash: String,
    /// How often its bytes were sent.
    pub sends: i32,
    /// The last answer of the node.
    pub last_answer: Option<String>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// All attempts of a trade, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn attempts(pool: &PgPool, trade: TradeId) -> Result<Vec<AttemptRow>, StoreError> {
    let rows = sqlx::query!(
        "SELECT x.nonce, a.purpose, a.hash, a.sends, a.last_answer, a.recorded_at
         FROM transactions x JOIN attempts a ON a.transaction_id = x.id WHERE x.trade_id = $1 ORDER BY a.id",
        trade.0
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(AttemptRow {
                nonce: unsigned("transactions.nonce", row.nonce)?,
                purpose: row.purpose,
                hash: hash("attempts.hash", &row.hash)?.to_string(),
                sends: row.sends,
                last_answer: row.last_answer,
                recorded_at: row.recorded_at,
            })
        })
        .collect()
}

/// Tasks in the queue that are due and not done.
///
/// # Errors
/// [`StoreError`].
pub async fn queue_depth(pool: &PgPool) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM apalis.jobs
           WHERE job_type LIKE 'lgi-mm:%' AND status IN ('Pending', 'Queued', 'Running') AND run_at <= now()"#
    )
    .fetch_one(pool)
    .await?;
    unsigned("apalis.jobs.count", count)
}

/// What may be wrong with an installation, as counts.
#[derive(Debug, Clone)]
pub struct Health {
    /// Server version.
    pub server_version: String,
    /// Database clock less this machine's, as the database saw this machine's, seconds.
    pub clock_skew_secs: f64,
    /// Workers with a heartbeat in the last 15 s.
    pub workers_alive: i64,
    /// The newest heartbeat on record.
    pub worker_seen: Option<Timestamp>,
    /// Queues that they serve.
    pub queues_served: i64,
    /// Slots handed out more than two minutes ago and not recorded.
    pub slots_stuck: i64,
    /// Open trades whose next check is more than two minutes overdue.
    pub trades_overdue: i64,
    /// Open trades older than ten minutes.
    pub trades_old: i64,
    /// Tasks that were given up.
    pub tasks_killed: i64,
    /// Unclaimed jobs that are due for more than two minutes.
    pub slots_unclaimed: i64,
    /// The first of them was due then.
    pub unclaimed_since: Option<Timestamp>,
    /// Jobs in ERROR: number, ticker, realm and chain.
    pub jobs_in_error: Vec<String>,
    /// Halted signers: address and reason.
    pub halted: Vec<(String, String)>,
}

/// Looks at everything `doctor` judges.
///
/// # Errors
/// [`StoreError`].
pub async fn health(pool: &PgPool, local_now: Timestamp) -> Result<Health, StoreError> {
    let row = sqlx::query!(
        r#"SELECT current_setting('server_version') AS "server_version!",
                  extract(epoch FROM clock_timestamp() - $1)::float8 AS "clock_skew!",
                  (SELECT count(DISTINCT split_part(id, '-', 1)) FROM apalis.workers
                   WHERE worker_type LIKE 'lgi-mm:%' AND last_seen > now() - interval '15 s') AS "workers!",
                  (SELECT max(last_seen) FROM apalis.workers WHERE worker_type LIKE 'lgi-mm:%') AS worker_seen,
                  (SELECT count(DISTINCT worker_type) FROM apalis.workers
                   WHERE worker_type LIKE 'lgi-mm:%' AND last_seen > now() - interval '15 s') AS "queues!",
                  (SELECT count(*) FROM job_slots WHERE open_since < now() - interval '2 min') AS "stuck!",
                  (SELECT count(*) FROM trades WHERE next_check_at < now() - interval '2 min') AS "overdue!",
                  (SELECT count(*) FROM trades WHERE status IN ('PENDING', 'SUBMITTED')
                   AND created_at < now() - interval '10 min') AS "old!",
                  (SELECT count(*) FROM apalis.jobs WHERE job_type LIKE 'lgi-mm:%' AND status = 'Killed') AS "killed!",
                  (SELECT count(*) FROM job_slots WHERE open_slot IS NULL AND due_at < now() - interval '2 min') AS "unclaimed!",
                  (SELECT min(due_at) FROM job_slots WHERE open_slot IS NULL AND due_at < now() - interval '2 min')
                      AS unclaimed_since,
                  ARRAY(SELECT '#' || id || ' ' || token_symbol || ' (' || CASE realm WHEN 'live' THEN 'LIVE' ELSE realm END
                               || ' on ' || chain || ')'
                        FROM jobs WHERE status = 'ERROR' AND archived_at IS NULL ORDER BY realm, id) AS "error!""#,
        local_now
    )
    .fetch_one(pool)
    .await?;
    let halted = sqlx::query!(
        r#"SELECT address::text AS "address!", halted_reason AS "reason!" FROM signers WHERE halted_at IS NOT NULL"#
    )
    .fetch_all(pool)
    .await?;
    Ok(Health {
        server_version: row.server_version,
        clock_skew_secs: row.clock_skew,
        workers_alive: row.workers,
        worker_seen: row.worker_seen,
        queues_served: row.queues,
        slots_stuck: row.stuck,
        trades_overdue: row.overdue,
        trades_old: row.old,
        tasks_killed: row.killed,
        slots_unclaimed: row.unclaimed,
        unclaimed_since: row.unclaimed_since,
        jobs_in_error: row.error,
        halted: halted.into_iter().map(|row| (row.address, row.reason)).collect(),
    })
}

/// Executed trades by reason, over all jobs.
///
/// # Errors
/// [`StoreError`].
pub async fn executed_by_reason(pool: &PgPool) -> Result<Vec<(Reason, u64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT reason, count(*) AS "count!" FROM trades WHERE status = 'EXECUTED' GROUP BY reason ORDER BY reason"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok((
                word("trades.reason", &row.reason)?,
                unsigned("trades.count", row.count)?,
            ))
        })
        .collect()
}

/// What the ledger says about one wallet, to hold against the venue's own records.
#[derive(Debug, Clone)]
pub struct LedgerTotals {
    /// Slots that have more than one trade, or were decided more than once.
    pub duplicate_slots: u64,
    /// Jobs whose balance is not the sum of their fills and adjustments.
    pub unbalanced_jobs: u64,
    /// Slots decided.
    pub slots_recorded: u64,
    /// Slots that never ran.
    pub slots_missed: u64,
    /// Gas of all fills, USD.
    pub gas_usd: Usd,
}

/// Adds the ledger up.
///
/// # Errors
/// [`StoreError`].
pub async fn ledger_totals(pool: &PgPool) -> Result<LedgerTotals, StoreError> {
    let row = sqlx::query_file!("src/store/sql/ledger_totals.sql")
        .fetch_one(pool)
        .await?;
    Ok(LedgerTotals {
        duplicate_slots: unsigned("trades.count", row.duplicate_slots)?,
        unbalanced_jobs: unsigned("jobs.count", row.unbalanced_jobs)?,
        slots_recorded: unsigned("job_slots.slots_recorded", row.slots_recorded)?,
        slots_missed: unsigned("job_slots.slots_missed", row.slots_missed)?,
        gas_usd: usd_cut(row.gas_usd),
    })
}
