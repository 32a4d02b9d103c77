//! The members of a basket by its name, as their owner set them up.

use sqlx::{PgConnection, PgPool};

use crate::domain::{
    basket::{Member, misfit},
    ids::JobId,
    job::{Account, JobStatus, Realm, Token},
};
use crate::store::{
    StoreError,
    columns::{address, json, unsigned, word},
    jobs::{CommandError, Job},
};

/// A job that has a basket's name.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The job.
    pub job: JobId,
    /// Ticker of its token.
    pub symbol: String,
    /// As it was set up.
    pub member: Member,
    /// What keeps it from trading, by the name of its hold; `None`: nothing does.
    pub blocked_by: Option<String>,
}

impl Seat {
    /// Whether both are members of one basket, and not only of its name.
    #[must_use]
    pub fn is_beside(&self, account: &Account, quote: &Token) -> bool {
        self.member.account == *account && self.member.quote.address == quote.address
    }
}

/// The jobs of a realm whose `basket.name` is this, without removed ones, by number.
///
/// # Errors
/// [`StoreError`].
pub async fn named(connection: &mut PgConnection, realm: Realm, name: &str) -> Result<Vec<Seat>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT j.id, j.chain, j.wallet::text AS "wallet!", j.token_symbol, j.quote_address::text AS "quote!",
                  j.quote_symbol, j.quote_decimals, j.status, j.config,
                  CASE WHEN s.blocked_by IS NOT NULL THEN s.run_reason END AS blocked_by
           FROM jobs j JOIN job_slots s ON s.job_id = j.id
           WHERE j.realm = $1 AND j.mode = 'BASKET' AND j.archived_at IS NULL AND j.config -> 'basket' ->> 'name' = $2
           ORDER BY j.id"#,
        realm.to_string(),
        name,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let job = JobId(row.id);
            Ok(Seat {
                job,
                member: Member {
                    name: called(job, &row.token_symbol),
                    account: Account {
                        realm,
                        chain: row.chain,
                        wallet: address("jobs.wallet", &row.wallet)?,
                    },
                    quote: Token {
                        address: address("jobs.quote_address", &row.quote)?,
                        symbol: row.quote_symbol,
                        decimals: unsigned("jobs.quote_decimals", row.quote_decimals.into())?,
                    },
                    status: word("jobs.status", &row.status)?,
                    config: json("jobs.config", row.config)?,
                },
                symbol: row.token_symbol,
                blocked_by: row.blocked_by,
            })
        })
        .collect()
}

/// The numbers of all jobs whose `basket.name` is this, of this realm and chain if one is given, without removed ones:
/// also of those that this build cannot read.
///
/// # Errors
/// [`StoreError`].
pub async fn numbers_of(
    pool: &PgPool,
    name: &str,
    realm: Option<Realm>,
    chain: Option<&str>,
) -> Result<Vec<JobId>, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM jobs
         WHERE mode = 'BASKET' AND archived_at IS NULL AND config -> 'basket' ->> 'name' = $1
           AND ($2::text IS NULL OR realm = $2) AND ($3::text IS NULL OR chain = $3)
         ORDER BY id",
        name,
        realm.map(|realm| realm.to_string()),
        chain,
    )
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(JobId).collect())
}

fn called(job: JobId, symbol: &str) -> String {
    format!("job {job} ({symbol})")
}

/// Refuses to start a member that does not fit to those of its basket. Two starts of one basket wait for each other,
/// so that each sees what the other has made; the job is locked.
pub(in crate::store) async fn require_fit(
    connection: &mut PgConnection,
    job: &Job,
) -> Result<(), CommandError> {
    let Some(rules) = job.config.rules.basket() else {
        return Ok(());
    };
    let realm = job.account.realm;
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        format!("basket:{realm}:{}", rules.name)
    )
    .execute(&mut *connection)
    .await?;
    let mut others = named(&mut *connection, realm, &rules.name).await?;
    others.retain(|seat| seat.job != job.id);
    let others: Vec<Member> = others.into_iter().map(|seat| seat.member).collect();
    let new = Member {
        name: called(job.id, &job.token.symbol),
        account: job.account.clone(),
        quote: job.quote.clone(),
        status: JobStatus::Running,
        config: job.config.clone(),
    };
    let now = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
        .fetch_one(connection)
        .await?;
    match misfit(&new, &others, now) {
        Some(found) => Err(Box::new(found).into()),
        None => Ok(()),
    }
}
