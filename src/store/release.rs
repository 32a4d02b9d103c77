//! A job gives tokens back to its owner without selling them. They stay in the wallet.

use serde_json::json;
use sqlx::{PgConnection, PgPool};

use super::{
    StoreError,
    adoption::{Adjusted, earlier, out_of_range},
    columns::to_json,
    jobs::{self, CommandError, Job},
    orders,
    pocket::{self, PocketMove},
    session::begin,
};
use crate::domain::{
    accounting::{self, Booked},
    ids::TradeId,
    job::{Command, JobId, JobStatus, Transition, transition},
    units::{Amount, Usd},
};

/// Tokens that a job is to give back.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// Base units, above zero; `None`: all of them, and the job ends.
    pub tokens: Option<Amount>,
    /// Makes an order that is given twice happen once.
    pub key: Option<String>,
}

/// What a release did.
#[derive(Debug, Clone, Copy)]
pub struct Released {
    /// Whether it was done now.
    pub outcome: Adjusted,
    /// What the job gave back.
    pub tokens: Amount,
    /// What that had cost.
    pub cost: Usd,
    /// The job's status before and after.
    pub status: (JobStatus, JobStatus),
}

/// Takes tokens out of a job's position, with their share of the cost: nothing is earned or lost. Without an amount all
/// of them, and the job becomes IDLE; with one its status stays.
///
/// # Errors
/// [`CommandError::InMotion`] while a trade is open or could still be undone, [`CommandError::OwnsLess`];
/// [`CommandError`]. Nothing changes then.
pub async fn release(
    pool: &PgPool,
    id: JobId,
    release: &Release,
    actor: &str,
) -> Result<Released, CommandError> {
    let mut tx = begin(pool).await?;
    let job = jobs::lock(&mut tx, id).await?;
    let nothing = Released {
        outcome: Adjusted::Done,
        tokens: Amount::ZERO,
        cost: Usd::ZERO,
        status: (job.status, job.status),
    };
    if let Some(earlier) = earlier(&mut tx, id, release.key.as_deref()).await? {
        let at = earlier.same_order("release", release.tokens, None)?;
        return Ok(Released {
            outcome: Adjusted::Before(at),
            ..nothing
        });
    }
    still(&mut tx, id).await?;
    let held = job.position.token_balance;
    let tokens = release.tokens.unwrap_or(held);
    if tokens > held {
        let whole = |amount: Amount| format!("{} {}", amount.to_whole(job.token.decimals), job.token.symbol);
        return Err(CommandError::OwnsLess {
            owned: whole(held),
            asked: whole(tokens),
        });
    }
    let taken = accounting::withdraw(job.position, tokens).map_err(out_of_range)?;
    if !tokens.is_zero() {
        take(&mut tx, &job, tokens, &taken, release.key.as_deref()).await?;
    }
    let ends = release.tokens.is_none();
    let after = match transition(job.status, job.status_before_stop, Command::Release)? {
        Transition::To(status) if ends => {
            orders::set_status(&mut tx, id, job.status, status).await?;
            status
        }
        _ => job.status,
    };
    if !tokens.is_zero() || after != job.status {
        let before = json!({ "status": job.status, "token_balance": held });
        let now = json!({
            "status": after, "token_balance": taken.position.token_balance, "tokens_released": tokens,
            "cost_basis_taken": taken.cost_sold, "key": release.key,
        });
        jobs::event(&mut tx, id, actor, "release", Some(before), Some(now)).await?;
    }
    tx.commit().await?;
    Ok(Released {
        tokens,
        cost: taken.cost_sold,
        status: (job.status, after),
        ..nothing
    })
}

/// What a reorg would give back or take away is not the job's to give.
async fn still(connection: &mut PgConnection, job: JobId) -> Result<(), CommandError> {
    let moving = sqlx::query_scalar!(
        r#"SELECT min(trade) AS trade FROM (
               SELECT id AS trade FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED')
               UNION ALL SELECT f.trade_id FROM fill_watches w JOIN fills f ON f.id = w.fill_id WHERE f.job_id = $1
               UNION ALL SELECT w.trade_id FROM failure_watches w JOIN trades t ON t.id = w.trade_id WHERE t.job_id = $1
           ) moving"#,
        job.0
    )
    .fetch_one(connection)
    .await?;
    moving.map_or(Ok(()), |trade| Err(CommandError::InMotion(TradeId(trade))))
}

async fn take(
    connection: &mut PgConnection,
    job: &Job,
    tokens: Amount,
    taken: &Booked,
    key: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO adjustments (job_id, cycle, kind, token_delta, cost_delta, note, request_key)
         VALUES ($1, $2, 'release', -($3::text::numeric), -($4::numeric), 'given back to the owner; still in the wallet', $5)",
        job.id.0,
        job.cycle,
        tokens.to_string(),
        taken.cost_sold.decimal(),
        key,
    )
    .execute(&mut *connection)
    .await?;
    let last = if taken.position.token_balance.is_zero() {
        job.last.emptied()
    } else {
        job.last
    };
    sqlx::query!(
        "UPDATE jobs SET token_balance = $2::text::numeric, cost_basis = $3::numeric, last_fills = $4,
                version = version + 1
         WHERE id = $1",
        job.id.0,
        taken.position.token_balance.to_string(),
        taken.position.cost_basis.decimal(),
        to_json("jobs.last_fills", &last)?,
    )
    .execute(&mut *connection)
    .await?;
    pocket::moved(connection, job, PocketMove::Received(taken.cost_sold)).await
}
