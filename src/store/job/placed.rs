//! An order is placed: the job, its first cycle and the tokens that it is to sell, in one transaction.

use alloy_primitives::Address;
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    Timestamp,
    config::OrderConfig,
    job::{Account, JobId, JobMode, JobStatus},
    units::{Amount, Usd},
};
use crate::store::{
    StoreError,
    adoption::{self, Adjusted, Adoption},
    columns::{self, address, amount, lower, unsigned, usd},
    jobs::{self, CommandError, NewJob},
    orders::{self, Order},
    session::begin,
};

/// What a new order begins with.
#[derive(Debug, Clone, Default)]
pub struct Placing {
    /// The order of this position that has ended, and is removed for the new one.
    pub replaces: Option<JobId>,
    /// Tokens of the wallet that it is to sell, base units, and what they cost in all.
    pub tokens: Option<(Amount, Usd)>,
    /// Makes an order that is given twice be placed once.
    pub key: Option<String>,
}

/// An order that was placed with a key.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// Its job, which may have been removed since.
    pub job: JobId,
    /// Its token.
    pub token: Address,
    /// Digits of a whole token.
    pub decimals: u8,
    /// Its rules as they were placed.
    pub rules: OrderConfig,
    /// Tokens that it was given, base units, and what they cost in all.
    pub tokens: Option<(Amount, Usd)>,
    /// When it was placed.
    pub at: Timestamp,
}

/// The order of this account that was placed with this key.
///
/// # Errors
/// [`StoreError`].
pub async fn earlier(pool: &PgPool, account: &Account, key: &str) -> Result<Option<Earlier>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT j.id, j.token_address::text AS "token!", j.token_decimals, j.created_at, e.after -> 'order' AS "rules!",
                  abs(a.token_delta)::text AS "tokens?", a.cost_delta::numeric AS "cost?"
           FROM jobs j
           CROSS JOIN LATERAL (SELECT after FROM job_events WHERE job_id = j.id AND action = 'create'
                               ORDER BY id LIMIT 1) e
           LEFT JOIN LATERAL (SELECT token_delta, cost_delta FROM adjustments
                              WHERE job_id = j.id AND kind = 'adopt' ORDER BY id LIMIT 1) a ON true
           WHERE j.realm = $1 AND j.chain = $2 AND j.wallet = $3 AND j.request_key = $4"#,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        key
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        let tokens = match (row.tokens, row.cost) {
            (Some(tokens), Some(cost)) => Some((
                amount("adjustments.token_delta", &tokens)?,
                usd("adjustments.cost_delta", cost)?,
            )),
            _ => None,
        };
        Ok(Earlier {
            job: JobId(row.id),
            token: address("jobs.token_address", &row.token)?,
            decimals: unsigned("jobs.token_decimals", row.token_decimals.into())?,
            rules: columns::json("job_events.after", row.rules)?,
            tokens,
            at: row.created_at,
        })
    })
    .transpose()
}

/// Creates the job of an order and starts it, with the tokens that it is to sell.
///
/// # Errors
/// [`CommandError`]; nothing is done then: the order before is still there.
pub async fn place(
    pool: &PgPool,
    new: &NewJob,
    placing: &Placing,
    actor: &str,
) -> Result<JobId, CommandError> {
    let mut tx = begin(pool).await?;
    if let Some(ended) = placing.replaces {
        replace(&mut tx, ended, actor).await?;
    }
    let job = jobs::create_in(&mut tx, new, actor).await?;
    if let Some(key) = &placing.key {
        name(&mut tx, job, key).await?;
    }
    let start = Order::Start {
        deposit: Amount::ZERO,
    };
    orders::carry_out(&mut tx, job, start, actor).await?;
    if let Some((tokens, cost)) = placing.tokens {
        let adoption = Adoption {
            seen: Amount::ZERO,
            tokens,
            cost,
            is_buy: false,
            key: None,
        };
        let adopted = adoption::adopt_in(&mut tx, job, &adoption, actor).await?;
        if adopted != Adjusted::Done {
            return Err(CommandError::Exists);
        }
    }
    tx.commit().await?;
    Ok(job)
}

/// Writes the key of an order; the jobs of its wallet are locked.
async fn name(connection: &mut PgConnection, job: JobId, key: &str) -> Result<(), CommandError> {
    let written = sqlx::query!("UPDATE jobs SET request_key = $2 WHERE id = $1", job.0, key)
        .execute(connection)
        .await
        .map_err(StoreError::from);
    match written {
        Err(error) if error.constraint() == Some("jobs_once_per_key") => {
            Err(CommandError::KeyUsed(key.to_owned()))
        }
        other => {
            other?;
            Ok(())
        }
    }
}

/// Removes an order that has ended; one that was started again meanwhile stays.
async fn replace(connection: &mut PgConnection, ended: JobId, actor: &str) -> Result<(), CommandError> {
    let job = jobs::lock(&mut *connection, ended).await?;
    if job.mode != JobMode::Order || job.status != JobStatus::Idle {
        return Err(CommandError::Exists);
    }
    orders::carry_out(connection, ended, Order::Remove, actor).await?;
    Ok(())
}
