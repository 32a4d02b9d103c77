//! What this database takes over from a life it does not know: a signer's count, and tokens that were bought in it.

use sqlx::PgPool;

use super::{
    StoreError,
    columns::{lower, to_i64, to_json},
    jobs::{self, CommandError},
    pocket::{self, PocketMove},
    session::begin,
};
use crate::domain::{
    decision::LastFills,
    job::{Account, JobId},
    units::{Amount, Usd},
};

/// Writes a signer's first count; one that is there stays as it is.
///
/// # Errors
/// [`StoreError`].
pub async fn register<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    account: &Account,
    next_nonce: u64,
) -> Result<(), StoreError> {
    let (realm, wallet) = (account.realm.to_string(), lower(account.wallet));
    sqlx::query!(
        "INSERT INTO signers (realm, chain, address, next_nonce) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        realm,
        account.chain,
        wallet as _,
        to_i64("signers.next_nonce", next_nonce)?,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Counts tokens into a job's position that the wallet holds and no job tracks, at what they cost. If the position is
/// still `seen` and nothing of it is in motion; the next DCA buy waits its interval from now.
///
/// # Errors
/// [`CommandError`]; the answer is `false` if something has changed, and nothing is done then.
pub async fn count_in(
    pool: &PgPool,
    job: JobId,
    seen: Amount,
    tokens: Amount,
    cost: Usd,
    actor: &str,
) -> Result<bool, CommandError> {
    let mut tx = begin(pool).await?;
    let locked = jobs::lock(&mut tx, job).await?;
    let open = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED')) AS "open!""#,
        job.0
    )
    .fetch_one(&mut *tx)
    .await?;
    if open || locked.position.token_balance != seen || tokens.is_zero() {
        return Ok(false);
    }
    let adopted_at = sqlx::query_scalar!(
        "INSERT INTO adjustments (job_id, cycle, kind, token_delta, cost_delta, note)
         VALUES ($1, $2, 'adopt', $3::text::numeric, $4::numeric, 'tokens that the wallet holds and no job tracked')
         RETURNING created_at",
        job.0,
        locked.cycle,
        tokens.to_string(),
        cost.decimal(),
    )
    .fetch_one(&mut *tx)
    .await?;
    // As a regular buy would: the next one is an interval away.
    let last = LastFills {
        dca: locked.last.dca.max(Some(adopted_at)),
        ..locked.last
    };
    sqlx::query!(
        "UPDATE jobs SET token_balance = token_balance + $2::text::numeric, cost_basis = cost_basis + $3::numeric,
                last_fills = $4, version = version + 1
         WHERE id = $1",
        job.0,
        tokens.to_string(),
        cost.decimal(),
        to_json("jobs.last_fills", &last)?,
    )
    .execute(&mut *tx)
    .await?;
    pocket::moved(&mut tx, &locked, PocketMove::Paid(cost)).await?;
    let before = serde_json::json!({ "token_balance": seen });
    let after = serde_json::json!({ "tokens_adopted": tokens, "cost": cost });
    jobs::event(&mut tx, job, actor, "adopt", Some(before), Some(after)).await?;
    tx.commit().await?;
    Ok(true)
}
