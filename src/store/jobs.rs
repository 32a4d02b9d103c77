//! Jobs: their identity, lifecycle and configuration.

use alloy_primitives::Address;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{
    StoreError, WAKE_CHANNEL,
    numeric::{address, amount, json, lower, price, unsigned, usd, word},
};
use crate::domain::{
    Timestamp,
    config::JobConfig,
    decision::{LastFills, Position},
    job::{Account, Command, JobId, JobMode, JobStatus, Token, Transition, TransitionRefused, transition},
    liquidate::{Liquidation, next_slice},
    units::{Amount, Price, Usd},
};

/// A job as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Where it trades.
    pub account: Account,
    /// What it builds or balances.
    pub token: Token,
    /// What it pays with.
    pub quote: Token,
    /// Its rules.
    pub mode: JobMode,
    /// Where it is in its life.
    pub status: JobStatus,
    /// Where a paused or failed job resumes to.
    pub status_before_stop: Option<JobStatus>,
    /// Which life this is, from 1; 0 = never started.
    pub cycle: i32,
    /// Complete and validated.
    pub config: JobConfig,
    /// Grows with every edit.
    pub config_version: i32,
    /// Guards concurrent commands.
    pub version: i64,
    /// The order to sell, if there is one.
    pub liquidation: Option<Liquidation>,
    /// What it holds.
    pub position: Position,
    /// When its rules last filled.
    pub last: LastFills,
    /// USD spent on buys in this cycle.
    pub total_accumulated: Usd,
    /// Gas paid in this cycle, USD.
    pub gas_usd: Usd,
    /// Failed trades since the last fill.
    pub failures_in_row: u32,
    /// What the last failure said.
    pub last_error: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When this cycle started.
    pub started_at: Option<Timestamp>,
    /// When it was last stopped.
    pub stopped_at: Option<Timestamp>,
}

/// What a new job is.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Where it trades.
    pub account: Account,
    /// What it builds or balances.
    pub token: Token,
    /// What it pays with.
    pub quote: Token,
    /// Its rules.
    pub mode: JobMode,
    /// Complete and validated.
    pub config: JobConfig,
}

/// A command that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The status does not allow it.
    #[error(transparent)]
    Refused(#[from] TransitionRefused),
    /// The position already has a job.
    #[error("this token already has a job in this account")]
    Exists,
    /// The job still has a trade that is not final.
    #[error("trade {0} of this job is not final yet; wait for it, or see `status`")]
    TradeOpen(i64),
    /// The token is what another job of the wallet pays with, or the other way round.
    #[error("job {0} of the same wallet pays with this token: its balance would be traded away")]
    QuoteOfAnother(JobId),
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CommandError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct JobRow {
    pub(super) id: i64,
    pub(super) realm: String,
    pub(super) chain: String,
    pub(super) wallet: String,
    pub(super) token_address: String,
    pub(super) token_symbol: String,
    pub(super) token_decimals: i16,
    pub(super) quote_address: String,
    pub(super) quote_symbol: String,
    pub(super) quote_decimals: i16,
    pub(super) mode: String,
    pub(super) status: String,
    pub(super) status_before_stop: Option<String>,
    pub(super) cycle: i32,
    pub(super) config: serde_json::Value,
    pub(super) config_version: i32,
    pub(super) version: i64,
    pub(super) liquidation: Option<serde_json::Value>,
    pub(super) last_dca_buy_time: Option<Timestamp>,
    pub(super) last_dip_buy_time: Option<Timestamp>,
    pub(super) last_take_profit_time: Option<Timestamp>,
    pub(super) last_take_profit_price: Option<rust_decimal::Decimal>,
    pub(super) last_spread_time: Option<Timestamp>,
    pub(super) last_rebalance_time: Option<Timestamp>,
    pub(super) total_accumulated: rust_decimal::Decimal,
    pub(super) token_balance: String,
    pub(super) cost_basis: rust_decimal::Decimal,
    pub(super) quote_balance: String,
    pub(super) realized_pnl: rust_decimal::Decimal,
    pub(super) gas_usd: rust_decimal::Decimal,
    pub(super) failures_in_row: i32,
    pub(super) backoff_until: Option<Timestamp>,
    pub(super) last_error: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) stopped_at: Option<Timestamp>,
}

impl TryFrom<JobRow> for Job {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, Self::Error> {
        let token = Token {
            address: address("jobs.token_address", &row.token_address)?,
            symbol: row.token_symbol,
            decimals: unsigned("jobs.token_decimals", row.token_decimals.into())?,
        };
        let quote = Token {
            address: address("jobs.quote_address", &row.quote_address)?,
            symbol: row.quote_symbol,
            decimals: unsigned("jobs.quote_decimals", row.quote_decimals.into())?,
        };
        let take_profit_price = row
            .last_take_profit_price
            .map(|value| price("jobs.last_take_profit_price", value))
            .transpose()?;
        let mode = word("jobs.mode", &row.mode)?;
        let position = Position {
            token_balance: amount("jobs.token_balance", &row.token_balance)?,
            token_decimals: token.decimals,
            cost_basis: usd("jobs.cost_basis", row.cost_basis)?,
            owns_quote: mode == JobMode::Liquidity,
            quote_balance: amount("jobs.quote_balance", &row.quote_balance)?,
            quote_decimals: quote.decimals,
            quote_price: Price::ONE,
            realized_pnl: usd("jobs.realized_pnl", row.realized_pnl)?,
        };
        Ok(Self {
            id: JobId(row.id),
            account: Account {
                realm: word("jobs.realm", &row.realm)?,
                chain: row.chain,
                wallet: address("jobs.wallet", &row.wallet)?,
            },
            mode,
            status: word("jobs.status", &row.status)?,
            status_before_stop: row
                .status_before_stop
                .map(|text| word("jobs.status_before_stop", &text))
                .transpose()?,
            cycle: row.cycle,
            config: json("jobs.config", row.config)?,
            config_version: row.config_version,
            version: row.version,
            liquidation: row
                .liquidation
                .map(|value| json("jobs.liquidation", value))
                .transpose()?,
            position,
            last: LastFills {
                dca: row.last_dca_buy_time,
                dip: row.last_dip_buy_time,
                take_profit: row.last_take_profit_time.zip(take_profit_price),
                spread: row.last_spread_time,
                rebalance: row.last_rebalance_time,
                backoff_until: row.backoff_until,
            },
            total_accumulated: usd("jobs.total_accumulated", row.total_accumulated)?,
            gas_usd: usd("jobs.gas_usd", row.gas_usd)?,
            failures_in_row: unsigned("jobs.failures_in_row", row.failures_in_row.into())?,
            last_error: row.last_error,
            created_at: row.created_at,
            started_at: row.started_at,
            stopped_at: row.stopped_at,
            token,
            quote,
        })
    }
}

/// Loads jobs by number, in the order of their numbers; unknown numbers are left out.
///
/// # Errors
/// [`StoreError`].
pub async fn by_ids(pool: &PgPool, ids: &[i64]) -> Result<Vec<Job>, StoreError> {
    let rows = sqlx::query_file_as!(JobRow, "src/store/sql/jobs_by_ids.sql", ids)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// One job by number, locked until the transaction ends.
///
/// # Errors
/// [`StoreError::NoSuchJob`], [`StoreError`].
pub async fn lock(connection: &mut PgConnection, id: JobId) -> Result<Job, StoreError> {
    let row = sqlx::query_file_as!(JobRow, "src/store/sql/job_lock.sql", id.0)
        .fetch_optional(connection)
        .await?;
    row.ok_or_else(|| StoreError::NoSuchJob(id.to_string()))?
        .try_into()
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this token.
    pub token: Option<Address>,
    /// Only this chain.
    pub chain: Option<String>,
    /// Only this status.
    pub status: Option<JobStatus>,
}

/// All jobs that are not archived and match, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(pool: &PgPool, filter: &Filter) -> Result<Vec<Job>, StoreError> {
    let rows = sqlx::query_file_as!(
        JobRow,
        "src/store/sql/jobs_list.sql",
        filter.token.map(lower),
        filter.chain,
        filter.status.map(|status| status.to_string()),
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// Creates a job, IDLE, and says so in its history.
///
/// # Errors
/// [`CommandError::Exists`], [`CommandError::QuoteOfAnother`], [`CommandError::Store`].
pub async fn create(pool: &PgPool, new: &NewJob, actor: &str) -> Result<JobId, CommandError> {
    let mut tx = pool.begin().await?;
    let (realm, wallet) = (new.account.realm.to_string(), lower(new.account.wallet));
    // Serialises the creation of jobs of one wallet, so that two cannot become each other's quote.
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        format!("{realm}:{}:{wallet}", new.account.chain)
    )
    .execute(&mut *tx)
    .await?;
    let rival = sqlx::query_scalar!(
        "SELECT id FROM jobs WHERE archived_at IS NULL AND realm = $1 AND chain = $2 AND wallet = $3
            AND (quote_address = $4 OR token_address = $5) LIMIT 1",
        realm,
        new.account.chain,
        wallet.clone() as _,
        lower(new.token.address) as _,
        lower(new.quote.address) as _,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(id) = rival {
        return Err(CommandError::QuoteOfAnother(JobId(id)));
    }
    let config = serde_json::to_value(&new.config).map_err(|error| corrupt_config(&error))?;
    let inserted = sqlx::query_scalar!(
        "INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address,
                           quote_symbol, quote_decimals, mode, config)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id",
        realm,
        new.account.chain,
        wallet as _,
        lower(new.token.address) as _,
        new.token.symbol,
        i16::from(new.token.decimals),
        lower(new.quote.address) as _,
        new.quote.symbol,
        i16::from(new.quote.decimals),
        new.mode.to_string(),
        config,
    )
    .fetch_one(&mut *tx)
    .await;
    let id = match inserted.map_err(StoreError::from) {
        Err(error) if error.constraint() == Some("jobs_one_per_position") => {
            return Err(CommandError::Exists);
        }
        other => JobId(other?),
    };
    sqlx::query!("INSERT INTO job_slots (job_id) VALUES ($1)", id.0)
        .execute(&mut *tx)
        .await?;
    event(&mut tx, id, actor, "create", None, Some(config)).await?;
    tx.commit().await?;
    Ok(id)
}

fn corrupt_config(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt {
        column: "jobs.config",
        value: error.to_string(),
    }
}

/// Writes a line of a job's history.
pub(super) async fn event(
    connection: &mut PgConnection,
    id: JobId,
    actor: &str,
    action: &str,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO job_events (job_id, actor, action, before, after) VALUES ($1, $2, $3, $4, $5)",
        id.0,
        actor,
        action,
        before,
        after,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What somebody asks of a job, with what it needs.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Begin a cycle or go on; mode liquidity begins with this much quote, base units.
    Start {
        /// Deposited when a new cycle begins.
        deposit: Amount,
    },
    /// Stop trading.
    Pause,
    /// Go on.
    Resume,
    /// Sell all, over this long, in this many slices.
    Liquidate {
        /// Time from the first slice to the last.
        over: crate::domain::span::Span,
        /// At least 1.
        slices: u32,
    },
    /// Archive.
    Remove,
}

impl Order {
    const fn command(self) -> Command {
        match self {
            Self::Start { .. } => Command::Start,
            Self::Pause => Command::Pause,
            Self::Resume => Command::Resume,
            Self::Liquidate { .. } => Command::Liquidate,
            Self::Remove => Command::Remove,
        }
    }
}

/// Carries out an order in one transaction: status, slots, history. The answer is the transition made.
///
/// # Errors
/// [`CommandError`]; nothing changes then.
pub async fn order(pool: &PgPool, id: JobId, order: Order, actor: &str) -> Result<Transition, CommandError> {
    let mut tx = pool.begin().await?;
    let job = lock(&mut tx, id).await?;
    let made = transition(job.status, job.status_before_stop, order.command())?;
    match made {
        Transition::Already => return Ok(made),
        Transition::Archived => archive(&mut tx, &job).await?,
        Transition::To(status) => {
            if let Order::Liquidate { over, slices } = order {
                let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
                    .fetch_one(&mut *tx)
                    .await?;
                let plan = Liquidation {
                    ordered_at: now,
                    over,
                    slices,
                    slices_done: 0,
                };
                set_liquidation(&mut tx, id, Some(&plan)).await?;
            }
            if let (JobStatus::Idle, Order::Start { deposit }) = (job.status, order) {
                begin_cycle(&mut tx, &job, deposit).await?;
            }
            set_status(&mut tx, id, job.status, status).await?;
        }
    }
    let before = json!({ "status": job.status });
    let after = json!({ "transition": format!("{made:?}"), "order": format!("{order:?}") });
    event(
        &mut tx,
        id,
        actor,
        &order.command().to_string(),
        Some(before),
        Some(after),
    )
    .await?;
    tx.commit().await?;
    Ok(made)
}

async fn archive(connection: &mut PgConnection, job: &Job) -> Result<(), CommandError> {
    let open = sqlx::query_scalar!(
        "SELECT id FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED')",
        job.id.0
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(trade) = open {
        return Err(CommandError::TradeOpen(trade));
    }
    sqlx::query!(
        "UPDATE jobs SET archived_at = now(), version = version + 1 WHERE id = $1",
        job.id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A new life: counters of the cycle start from nothing, history stays.
async fn begin_cycle(connection: &mut PgConnection, job: &Job, deposit: Amount) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE jobs SET cycle = cycle + 1, started_at = now(), stopped_at = NULL, liquidation = NULL,
                last_dca_buy_time = NULL, last_dip_buy_time = NULL, last_take_profit_time = NULL,
                last_take_profit_price = NULL, last_spread_time = NULL, last_rebalance_time = NULL,
                total_accumulated = 0, token_balance = 0, cost_basis = 0, realized_pnl = 0, gas_usd = 0,
                quote_balance = $2::text::numeric, failures_in_row = 0, backoff_until = NULL, last_error = NULL
         WHERE id = $1",
        job.id.0,
        deposit.to_string(),
    )
    .execute(&mut *connection)
    .await?;
    if !deposit.is_zero() {
        sqlx::query!(
            "INSERT INTO adjustments (job_id, cycle, kind, quote_delta, note)
             VALUES ($1, $2, 'deposit', $3::text::numeric, 'budget of the cycle')",
            job.id.0,
            job.cycle.saturating_add(1),
            deposit.to_string(),
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn set_liquidation(
    connection: &mut PgConnection,
    id: JobId,
    plan: Option<&Liquidation>,
) -> Result<(), StoreError> {
    let plan = plan
        .map(serde_json::to_value)
        .transpose()
        .map_err(|error| corrupt_config(&error))?;
    sqlx::query!("UPDATE jobs SET liquidation = $2 WHERE id = $1", id.0, plan)
        .execute(connection)
        .await?;
    Ok(())
}

/// Moves a job to `status`, remembers where it came from, and plans its next slot anew.
pub(super) async fn set_status(
    connection: &mut PgConnection,
    id: JobId,
    from: JobStatus,
    status: JobStatus,
) -> Result<(), StoreError> {
    let stops = matches!(status, JobStatus::Paused | JobStatus::Error);
    let before = match from {
        JobStatus::Running | JobStatus::Liquidating => Some(from.to_string()),
        JobStatus::Idle | JobStatus::Paused | JobStatus::Error => None,
    };
    sqlx::query!(
        "UPDATE jobs SET status = $2, version = version + 1,
                status_before_stop = CASE WHEN $3 THEN coalesce($4, status_before_stop, 'RUNNING') END,
                failures_in_row = CASE WHEN $3 THEN failures_in_row ELSE 0 END,
                backoff_until = CASE WHEN $3 THEN backoff_until END,
                liquidation = CASE WHEN $2 = 'IDLE' THEN NULL ELSE liquidation END,
                stopped_at = CASE WHEN $2 IN ('RUNNING', 'LIQUIDATING') THEN NULL ELSE now() END
         WHERE id = $1",
        id.0,
        status.to_string(),
        stops,
        before,
    )
    .execute(&mut *connection)
    .await?;
    plan_next_slot(connection, id).await
}

/// Computes a job's next slot from its status, schedule and liquidation, and wakes the schedulers.
pub(super) async fn plan_next_slot(connection: &mut PgConnection, id: JobId) -> Result<(), StoreError> {
    let job = lock(connection, id).await?;
    let clock = sqlx::query!(r#"SELECT now() AS "now!", jitter_salt::text AS "salt!" FROM installation"#)
        .fetch_one(&mut *connection)
        .await?;
    let slot = match (job.status, &job.liquidation) {
        (JobStatus::Running, _) => job
            .config
            .schedule
            .cron
            .next_after(job.config.schedule.timezone, clock.now),
        (JobStatus::Liquidating, Some(plan)) => Some(next_slice(plan, clock.now)),
        _ => None,
    };
    let due = slot.map(|slot| super::slots::due_at(clock.salt.as_bytes(), &job, slot));
    sqlx::query!(
        "UPDATE job_slots SET next_slot = $2, due_at = $3 WHERE job_id = $1",
        id.0,
        slot,
        due
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("SELECT pg_notify($1, 'job')", WAKE_CHANNEL)
        .execute(connection)
        .await?;
    Ok(())
}

/// Replaces a job's configuration, from the version that was edited.
///
/// # Errors
/// [`StoreError`]; the answer is `false` if somebody else edited it meanwhile, and nothing changes then.
pub async fn configure(
    pool: &PgPool,
    job: &Job,
    config: &JobConfig,
    actor: &str,
) -> Result<bool, StoreError> {
    let mut tx = pool.begin().await?;
    let after = serde_json::to_value(config).map_err(|error| corrupt_config(&error))?;
    let before = serde_json::to_value(&job.config).map_err(|error| corrupt_config(&error))?;
    let changed = sqlx::query!(
        "UPDATE jobs SET config = $3, config_version = config_version + 1, version = version + 1
         WHERE id = $1 AND config_version = $2",
        job.id.0,
        job.config_version,
        after,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if changed == 0 {
        return Ok(false);
    }
    event(&mut tx, job.id, actor, "configure", Some(before), Some(after)).await?;
    plan_next_slot(&mut tx, job.id).await?;
    tx.commit().await?;
    Ok(true)
}
