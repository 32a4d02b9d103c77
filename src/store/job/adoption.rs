//! What this database takes over from a life it does not know: a signer's count, and tokens that were bought in it.

use sqlx::{PgConnection, PgPool};

use crate::domain::{
    Timestamp, accounting,
    decision::LastFills,
    job::{Account, JobId, JobStatus},
    units::{Amount, MoneyError, Usd},
};
use crate::store::{
    StoreError,
    columns::{amount, lower, to_i64, to_json, usd},
    jobs::{self, CommandError},
    pocket::{self, PocketMove},
    session::begin,
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

/// Tokens of the wallet that are to become a job's, at what they cost.
#[derive(Debug, Clone)]
pub struct Adoption {
    /// The job's position as it was when the wallet was read.
    pub seen: Amount,
    /// Base units, above zero.
    pub tokens: Amount,
    /// What they cost in all.
    pub cost: Usd,
    /// A lost transaction of the job may have bought them: the next DCA buy waits its interval from now.
    pub is_buy: bool,
    /// Makes an order that is given twice happen once.
    pub key: Option<String>,
}

/// What came of an order to change a position without a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjusted {
    /// It is done.
    Done,
    /// An order with this key did the same at this time; nothing was done now.
    Before(Timestamp),
    /// The position has changed, or a trade of it is open: nothing was done.
    Changed,
}

/// Counts tokens into a job's position that the wallet holds and no job tracks, at what they cost. If the position is
/// still the one that was seen and no trade of it is open.
///
/// # Errors
/// [`CommandError`]; nothing is done then.
pub async fn adopt(
    pool: &PgPool,
    job: JobId,
    adoption: &Adoption,
    actor: &str,
) -> Result<Adjusted, CommandError> {
    let mut tx = begin(pool).await?;
    let done = adopt_in(&mut tx, job, adoption, actor).await?;
    if done == Adjusted::Done {
        tx.commit().await?;
    }
    Ok(done)
}

/// The same, in the caller's transaction: only what is done changes anything.
pub(in crate::store) async fn adopt_in(
    tx: &mut PgConnection,
    job: JobId,
    adoption: &Adoption,
    actor: &str,
) -> Result<Adjusted, CommandError> {
    let Adoption {
        seen,
        tokens,
        cost,
        is_buy,
        ref key,
    } = *adoption;
    let locked = jobs::lock(&mut *tx, job).await?;
    if let Some(earlier) = earlier(&mut *tx, job, key.as_deref()).await? {
        return earlier
            .same_order("adopt", Some(tokens), Some(cost))
            .map(Adjusted::Before);
    }
    if locked.status == JobStatus::Idle && !is_buy {
        return Err(CommandError::NoCycle);
    }
    if trade_is_open(&mut *tx, job).await? || locked.position.token_balance != seen || tokens.is_zero() {
        return Ok(Adjusted::Changed);
    }
    let position = accounting::adopt(locked.position, tokens, cost).map_err(out_of_range)?;
    let adopted_at = sqlx::query_scalar!(
        "INSERT INTO adjustments (job_id, cycle, kind, token_delta, cost_delta, note, is_buy, request_key)
         VALUES ($1, $2, 'adopt', $3::text::numeric, $4::numeric, $5, $6, $7)
         RETURNING created_at",
        job.0,
        locked.cycle,
        tokens.to_string(),
        cost.decimal(),
        if is_buy {
            "tokens that the wallet holds and no job tracked"
        } else {
            "tokens that the owner gave to the job"
        },
        is_buy,
        key.as_deref(),
    )
    .fetch_one(&mut *tx)
    .await?;
    let armed = locked.last.armed_again(adopted_at);
    let last = LastFills {
        dca: if is_buy {
            armed.dca.max(Some(adopted_at))
        } else {
            armed.dca
        },
        ..armed
    };
    // What an order has left to buy is what it has not spent: a buy that the database forgot is spent all the same.
    let is_part = is_buy && locked.config.rules.order().is_some();
    let spent = if is_part { cost } else { Usd::ZERO };
    sqlx::query!(
        "UPDATE jobs SET token_balance = $2::text::numeric, cost_basis = $3::numeric, last_fills = $4,
                total_accumulated = total_accumulated + $5::numeric, version = version + 1
         WHERE id = $1",
        job.0,
        position.token_balance.to_string(),
        position.cost_basis.decimal(),
        to_json("jobs.last_fills", &last)?,
        spent.decimal(),
    )
    .execute(&mut *tx)
    .await?;
    pocket::moved(&mut *tx, &locked, PocketMove::Paid(cost)).await?;
    let before = serde_json::json!({ "token_balance": seen });
    let after = serde_json::json!({ "tokens_adopted": tokens, "cost": cost, "key": key });
    jobs::event(&mut *tx, job, actor, "adopt", Some(before), Some(after)).await?;
    Ok(Adjusted::Done)
}

async fn trade_is_open(connection: &mut PgConnection, job: JobId) -> Result<bool, StoreError> {
    let open = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED')) AS "open!""#,
        job.0
    );
    Ok(open.fetch_one(connection).await?)
}

pub(in crate::store) fn out_of_range(error: MoneyError) -> CommandError {
    CommandError::OutOfRange(format!(
        "the position would leave the range of its figures: {error}"
    ))
}

/// An order that had the same key.
#[derive(Debug)]
pub(in crate::store) struct Earlier {
    key: String,
    kind: String,
    tokens: Amount,
    cost: Usd,
    at: Timestamp,
}

impl Earlier {
    /// When it was carried out, if it was the same order; `None`: whatever it was about.
    ///
    /// # Errors
    /// [`CommandError::KeyUsed`] if it was another one.
    pub(in crate::store) fn same_order(
        self,
        kind: &str,
        tokens: Option<Amount>,
        cost: Option<Usd>,
    ) -> Result<Timestamp, CommandError> {
        let same = self.kind == kind
            && tokens.is_none_or(|tokens| tokens == self.tokens)
            && cost.is_none_or(|cost| cost == self.cost);
        if same {
            Ok(self.at)
        } else {
            Err(CommandError::KeyUsed(self.key))
        }
    }
}

/// The order to this job that had this key. The job must be locked.
pub(in crate::store) async fn earlier(
    connection: &mut PgConnection,
    job: JobId,
    key: Option<&str>,
) -> Result<Option<Earlier>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    let row = sqlx::query!(
        r#"SELECT kind, abs(token_delta)::text AS "tokens!", abs(cost_delta::numeric) AS "cost!", created_at
           FROM adjustments WHERE job_id = $1 AND request_key = $2"#,
        job.0,
        key
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Earlier {
            key: key.to_owned(),
            kind: row.kind,
            tokens: amount("adjustments.token_delta", &row.tokens)?,
            cost: usd("adjustments.cost_delta", row.cost)?,
            at: row.created_at,
        })
    })
    .transpose()
}

/// When the owner last gave a job exactly these tokens at this cost in its cycle.
///
/// # Errors
/// [`StoreError`].
pub async fn last_equal(
    pool: &PgPool,
    job: JobId,
    tokens: Amount,
    cost: Usd,
) -> Result<Option<Timestamp>, StoreError> {
    let at = sqlx::query_scalar!(
        "SELECT max(a.created_at) FROM adjustments a JOIN jobs j ON j.id = a.job_id AND j.cycle = a.cycle
         WHERE a.job_id = $1 AND a.kind = 'adopt' AND NOT a.is_buy AND a.token_delta = $2::text::numeric
            AND a.cost_delta::numeric = $3::numeric",
        job.0,
        tokens.to_string(),
        cost.decimal(),
    )
    .fetch_one(pool)
    .await?;
    Ok(at)
}

/// How many tokens an earlier order with this key adopted.
///
/// # Errors
/// [`StoreError`].
pub async fn was_given(pool: &PgPool, job: JobId, key: Option<&str>) -> Result<Option<Amount>, StoreError> {
    let mut connection = pool.acquire().await?;
    let earlier = earlier(&mut connection, job, key).await?;
    Ok(earlier.map(|earlier| earlier.tokens))
}
