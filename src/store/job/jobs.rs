//! Jobs: their identity, lifecycle and configuration.

use serde_json::value::RawValue;
use sqlx::{PgConnection, PgPool, types::Json};
use tracing::error;

use super::parsed;
pub use super::{
    filter::{Called, Filter},
    refused::CommandError,
};
use crate::domain::{
    Timestamp,
    config::JobConfig,
    decision::{LastFills, Position},
    figures::Pocket,
    ids::Version,
    job::{Account, JobId, JobMode, JobStatus, Realm, Token},
    liquidate::Liquidation,
    units::{Price, Usd},
};
use crate::store::{
    StoreError,
    columns::{address, amount, json, look_back_secs, lower, numbers, to_json, unsigned, usd, word},
    session::begin,
    version::RowVersion,
};

/// A job as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Job id.
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
    /// As it is stored. It has no effect while `refused` is set.
    pub config: JobConfig,
    /// What this job's realm does not allow in its configuration, all of it; `None`: it may trade. A row may come from
    /// another build, a restored backup or a stranger's hand, so a live one is validated whenever it is read.
    pub refused: Option<String>,
    /// Grows with every edit.
    pub config_version: i32,
    /// Guards concurrent commands.
    pub version: Version,
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
    /// Money between its owner's pocket and the job in this cycle.
    pub pocket: Pocket,
    /// Failed trades since the last fill.
    pub failures_in_row: u32,
    /// Message of the last failure.
    pub last_error: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When this cycle started.
    pub started_at: Option<Timestamp>,
    /// When it was last stopped.
    pub stopped_at: Option<Timestamp>,
    /// When it was removed.
    pub archived_at: Option<Timestamp>,
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

#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::store) struct JobRow {
    pub(in crate::store) id: i64,
    pub(in crate::store) realm: String,
    pub(in crate::store) chain: String,
    pub(in crate::store) wallet: String,
    pub(in crate::store) token_address: String,
    pub(in crate::store) token_symbol: String,
    pub(in crate::store) token_decimals: i16,
    pub(in crate::store) quote_address: String,
    pub(in crate::store) quote_symbol: String,
    pub(in crate::store) quote_decimals: i16,
    pub(in crate::store) mode: String,
    pub(in crate::store) status: String,
    pub(in crate::store) status_before_stop: Option<String>,
    pub(in crate::store) cycle: i32,
    pub(in crate::store) config: Json<Box<RawValue>>,
    pub(in crate::store) config_version: i32,
    pub(in crate::store) version: i64,
    pub(in crate::store) liquidation: Option<serde_json::Value>,
    pub(in crate::store) last_fills: serde_json::Value,
    pub(in crate::store) total_accumulated: rust_decimal::Decimal,
    pub(in crate::store) token_balance: String,
    pub(in crate::store) cost_basis: rust_decimal::Decimal,
    pub(in crate::store) quote_balance: String,
    pub(in crate::store) realized_pnl: rust_decimal::Decimal,
    pub(in crate::store) gas_usd: rust_decimal::Decimal,
    pub(in crate::store) out_of_pocket: rust_decimal::Decimal,
    pub(in crate::store) money_in: rust_decimal::Decimal,
    pub(in crate::store) failures_in_row: i32,
    pub(in crate::store) backoff_until: Option<Timestamp>,
    pub(in crate::store) last_error: Option<String>,
    pub(in crate::store) created_at: Timestamp,
    pub(in crate::store) started_at: Option<Timestamp>,
    pub(in crate::store) stopped_at: Option<Timestamp>,
    pub(in crate::store) archived_at: Option<Timestamp>,
    pub(in crate::store) row_by: String,
    pub(in crate::store) row_at: Timestamp,
}

impl JobRow {
    pub(in crate::store) fn version_of_row(&self) -> RowVersion {
        RowVersion {
            by: self.row_by.clone(),
            at: self.row_at,
        }
    }
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
        let mode = word("jobs.mode", &row.mode)?;
        let config = parsed::config(&row.config)?;
        let position = Position {
            token_balance: amount("jobs.token_balance", &row.token_balance)?,
            token_decimals: token.decimals,
            cost_basis: usd("jobs.cost_basis", row.cost_basis)?,
            owns_quote: config.rules.budget().is_some(),
            quote_balance: amount("jobs.quote_balance", &row.quote_balance)?,
            quote_decimals: quote.decimals,
            quote_price: Price::ONE,
            realized_pnl: usd("jobs.realized_pnl", row.realized_pnl)?,
        };
        let account = Account {
            realm: word("jobs.realm", &row.realm)?,
            chain: row.chain,
            wallet: address("jobs.wallet", &row.wallet)?,
        };
        let refused = refusal(&config, mode, &account);
        Ok(Self {
            id: JobId(row.id),
            account,
            mode,
            status: word("jobs.status", &row.status)?,
            status_before_stop: row
                .status_before_stop
                .map(|text| word("jobs.status_before_stop", &text))
                .transpose()?,
            cycle: row.cycle,
            config,
            refused,
            config_version: row.config_version,
            version: Version(row.version),
            liquidation: row
                .liquidation
                .map(|value| json("jobs.liquidation", value))
                .transpose()?,
            position,
            last: LastFills {
                backoff_until: row.backoff_until,
                ..json("jobs.last_fills", row.last_fills)?
            },
            total_accumulated: usd("jobs.total_accumulated", row.total_accumulated)?,
            gas_usd: usd("jobs.gas_usd", row.gas_usd)?,
            pocket: Pocket::kept(
                usd("jobs.out_of_pocket", row.out_of_pocket)?,
                usd("jobs.money_in", row.money_in)?,
            ),
            failures_in_row: unsigned("jobs.failures_in_row", row.failures_in_row.into())?,
            last_error: row.last_error,
            created_at: row.created_at,
            started_at: row.started_at,
            stopped_at: row.stopped_at,
            archived_at: row.archived_at,
            token,
            quote,
        })
    }
}

/// What the realm does not allow. A paper job risks nothing, and was validated when it was written.
fn refusal(config: &JobConfig, mode: JobMode, account: &Account) -> Option<String> {
    if account.realm == Realm::Paper {
        return None;
    }
    let wrong = config.validate_for(mode, account.realm, &account.chain).err()?;
    let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    Some(lines.join("; "))
}

/// One job, or its number and why this build cannot read it.
pub type Read = Result<Job, (JobId, StoreError)>;

/// The same with the version of its row.
pub(in crate::store) type Versioned = Result<(Job, RowVersion), (JobId, StoreError)>;

fn read(row: JobRow) -> Versioned {
    let (id, version) = (JobId(row.id), row.version_of_row());
    let job = Job::try_from(row).map_err(|error| (id, error))?;
    Ok((job, version))
}

/// Loads jobs by number, in the order of their numbers; unknown numbers are left out. One that cannot be read hides no
/// other.
///
/// # Errors
/// [`StoreError`] if the database does not answer.
pub async fn by_ids(pool: &PgPool, ids: &[JobId]) -> Result<Vec<Read>, StoreError> {
    let jobs = versioned(pool, ids).await?.into_iter();
    Ok(jobs.map(|read| read.map(|(job, _)| job)).collect())
}

/// The same with the version of each row.
pub(in crate::store) async fn versioned(pool: &PgPool, ids: &[JobId]) -> Result<Vec<Versioned>, StoreError> {
    let rows = sqlx::query_file_as!(JobRow, "src/store/sql/jobs_by_ids.sql", &numbers(ids))
        .fetch_all(pool)
        .await;
    match rows {
        Ok(rows) => Ok(rows.into_iter().map(read).collect()),
        Err(error) if is_about_a_row(&error) => one_by_one(pool, ids).await,
        Err(error) => Err(error.into()),
    }
}

/// A column that no type of ours holds, such as a sum that is not a number, fails the whole statement.
const fn is_about_a_row(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
}

async fn one_by_one(pool: &PgPool, ids: &[JobId]) -> Result<Vec<Versioned>, StoreError> {
    let mut jobs = Vec::with_capacity(ids.len());
    for id in ids {
        let row = sqlx::query_file_as!(JobRow, "src/store/sql/jobs_by_ids.sql", &[id.0])
            .fetch_optional(pool)
            .await;
        match row {
            Ok(row) => jobs.extend(row.map(read)),
            Err(error) if is_about_a_row(&error) => jobs.push(Err((*id, error.into()))),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(jobs)
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

/// Locks several jobs until the transaction ends, by number; unknown ones are left out. A transaction on several jobs
/// does so before it locks or changes the slot of any: one that waits for a job while it has a slot could wait in a
/// circle with a worker, which records several slots at once, and with another order.
///
/// # Errors
/// [`StoreError`].
pub(in crate::store) async fn lock_all(
    connection: &mut PgConnection,
    ids: &[JobId],
) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT FROM jobs WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE",
        &numbers(ids)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// All jobs that match, oldest first. One that this build cannot read is logged, and hides
/// no other.
///
/// # Errors
/// [`StoreError`] if the database does not answer.
pub async fn list(pool: &PgPool, filter: &Filter) -> Result<Vec<Job>, StoreError> {
    let (jobs, unreadable) = readable(pool, filter).await?;
    for (job, error) in unreadable {
        error!(%job, %error, "a job that this build cannot read is left out");
    }
    Ok(jobs)
}

/// The same, and apart from them the jobs that this build cannot read.
///
/// # Errors
/// [`StoreError`].
pub async fn readable(
    pool: &PgPool,
    filter: &Filter,
) -> Result<(Vec<Job>, Vec<(JobId, StoreError)>), StoreError> {
    let (mut jobs, mut others) = (Vec::new(), Vec::new());
    for read in matching(pool, filter).await? {
        match read {
            Ok(job) => jobs.push(job),
            Err(unreadable) => others.push(unreadable),
        }
    }
    Ok((jobs, others))
}

async fn matching(pool: &PgPool, filter: &Filter) -> Result<Vec<Read>, StoreError> {
    let ids: Vec<JobId> = versions(pool, filter)
        .await?
        .into_iter()
        .map(|(job, _)| job)
        .collect();
    by_ids(pool, &ids).await
}

/// The numbers of the jobs that fit, in order, each with the version of its row.
pub(in crate::store) async fn versions(
    pool: &PgPool,
    filter: &Filter,
) -> Result<Vec<(JobId, RowVersion)>, StoreError> {
    let called = filter.called.as_ref();
    let rows = sqlx::query_file!(
        "src/store/sql/jobs_matching.sql",
        filter.token.map(lower),
        filter.chain,
        filter.status.map(|status| status.to_string()),
        filter.archived,
        filter.realm.map(|realm| realm.to_string()),
        filter.after.map(|job| job.0),
        called.is_some(),
        called.and_then(|called| called.symbol.clone()),
        called.and_then(|called| called.number).map(|job| job.0),
        filter.limit,
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let version = RowVersion {
            by: row.row_by,
            at: row.row_at,
        };
        (JobId(row.id), version)
    });
    Ok(rows.collect())
}

/// Creates a job, IDLE, and says so in its history.
///
/// # Errors
/// [`CommandError::Exists`], [`CommandError::QuoteOfAnother`], [`CommandError::Store`].
pub async fn create(pool: &PgPool, new: &NewJob, actor: &str) -> Result<JobId, CommandError> {
    let mut tx = begin(pool).await?;
    let id = create_in(&mut tx, new, actor).await?;
    tx.commit().await?;
    Ok(id)
}

/// The same, in the caller's transaction.
pub(in crate::store) async fn create_in(
    tx: &mut PgConnection,
    new: &NewJob,
    actor: &str,
) -> Result<JobId, CommandError> {
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
    let config = to_json("jobs.config", &new.config)?;
    let inserted = sqlx::query_scalar!(
        "INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address,
                           quote_symbol, quote_decimals, mode, config, look_back_secs)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id",
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
        look_back_secs(&new.config)?,
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
    event(tx, id, actor, "create", None, Some(config)).await?;
    Ok(id)
}

/// Writes a line of a job's history.
pub(in crate::store) async fn event(
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
