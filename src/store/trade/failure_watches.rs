//! Failures that a reorg may still undo, and how they are reopened.

use alloy_primitives::B256;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::domain::{event::Event, ids::TradeId, job::JobId, span::Span};
use crate::store::{
    StoreError,
    columns::{clean_text, hash, numbers, to_i64, unsigned},
    fill_watches, jobs, outbox, pocket,
    session::begin,
    signers,
    trades::Trade,
};

/// A failure that is not final yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedFailure {
    /// The trade.
    pub trade: TradeId,
    /// The highest block that the failure was read from.
    pub block_number: u64,
    /// How often in a row it was missed.
    pub misses: u32,
}

/// From now on this failure is watched.
pub(in crate::store) async fn watch(
    connection: &mut PgConnection,
    trade: TradeId,
    block_number: u64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO failure_watches (trade_id, block_number) VALUES ($1, $2)",
        trade.0,
        to_i64("failure_watches.block_number", block_number)?,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Trades whose failure is due to be looked at, claimed for `lease`: then they are looked at again. The older they are,
/// the longer it takes: a look is several round trips, and a chain without final blocks keeps them indefinitely.
///
/// # Errors
/// [`StoreError`].
pub async fn claim(
    connection: &mut PgConnection,
    lease: Span,
    limit: i64,
) -> Result<Vec<TradeId>, StoreError> {
    let trades = sqlx::query_scalar!(
        "UPDATE failure_watches w SET watch_at = now() + greatest(make_interval(secs => $1), (now() - created_at) / 16)
         FROM (SELECT trade_id FROM failure_watches WHERE watch_at <= now()
               ORDER BY watch_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
         WHERE w.trade_id = due.trade_id RETURNING w.trade_id",
        lease.std().as_secs_f64(),
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(trades.into_iter().map(TradeId).collect())
}

/// Numbers of all trades whose failure is still watched.
///
/// # Errors
/// [`StoreError`].
pub async fn all(pool: &PgPool) -> Result<Vec<TradeId>, StoreError> {
    let trades = sqlx::query_scalar!("SELECT trade_id FROM failure_watches ORDER BY trade_id")
        .fetch_all(pool)
        .await?;
    Ok(trades.into_iter().map(TradeId).collect())
}

/// What is known of failures that are still watched.
///
/// # Errors
/// [`StoreError`].
pub async fn load(pool: &PgPool, trades: &[TradeId]) -> Result<Vec<WatchedFailure>, StoreError> {
    let rows = sqlx::query!(
        "SELECT trade_id, block_number, misses FROM failure_watches WHERE trade_id = ANY($1) ORDER BY trade_id",
        &numbers(trades)
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(WatchedFailure {
                trade: TradeId(row.trade_id),
                block_number: unsigned("failure_watches.block_number", row.block_number)?,
                misses: unsigned("failure_watches.misses", row.misses.into())?,
            })
        })
        .collect()
}

/// This failure is final: nothing takes it back.
///
/// # Errors
/// [`StoreError`].
pub async fn finish(pool: &PgPool, trade: TradeId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM failure_watches WHERE trade_id = $1", trade.0)
        .execute(pool)
        .await?;
    Ok(())
}

/// A failure that was missed is there after all.
///
/// # Errors
/// [`StoreError`].
pub async fn seen(pool: &PgPool, trade: TradeId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE failure_watches SET misses = 0 WHERE trade_id = $1",
        trade.0
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A failure was missed: by a node that has passed its block, and for which a nonce of the trade is free. Its job's
/// rules wait for the next look, which comes soon: what they would do again may just be happening. Plans made before
/// this are void.
///
/// # Errors
/// [`StoreError`].
pub async fn missed(pool: &PgPool, job: JobId, trade: TradeId) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    // Jobs are locked first, as everywhere.
    jobs::lock(&mut tx, job).await?;
    sqlx::query!(
        "WITH missed AS (
             UPDATE failure_watches w
             SET misses = misses + 1, watch_at = least(watch_at, now() + interval '10 seconds')
             FROM trades t
             WHERE w.trade_id = $1 AND t.id = w.trade_id RETURNING t.job_id)
         UPDATE jobs j SET backoff_until = greatest(backoff_until, now() + interval '1 minute'), version = version + 1
         FROM missed WHERE j.id = missed.job_id",
        trade.0
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Reopens a failed trade whose failure was reorged out, in one transaction: its reservation, and the job as if it had
/// not failed. Its nonces and attempts stay, and its receipts decide as always. An unsigned plan of the job was made
/// because of the failure, and expires. `false`: another worker was faster, and nothing was done.
///
/// # Errors
/// [`StoreError`]; nothing is committed then.
pub async fn reopen(pool: &PgPool, trade: &Trade, why: &str) -> Result<bool, StoreError> {
    let why = clean_text(why);
    let mut tx = begin(pool).await?;
    let job = jobs::lock(&mut tx, trade.job).await?;
    let opened = sqlx::query!(
        "WITH failed AS (SELECT id, tx_hash, gas_usd FROM trades WHERE id = $1)
         UPDATE trades t SET status = 'SUBMITTED', reopened = true, failure_kind = NULL, tx_hash = NULL, gas_usd = 0,
                executed_at = NULL, next_check_at = now(), error = NULL, note = $3, version = version + 1
         FROM failed WHERE t.id = failed.id AND t.status = 'FAILED' AND t.version = $2
            AND EXISTS (SELECT 1 FROM failure_watches w WHERE w.trade_id = t.id)
         RETURNING t.cycle, failed.tx_hash AS proof, failed.gas_usd::numeric AS gas_usd",
        trade.id.0,
        trade.version.0,
        why,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(opened) = opened else {
        return Ok(false);
    };
    sqlx::query!("DELETE FROM failure_watches WHERE trade_id = $1", trade.id.0)
        .execute(&mut *tx)
        .await?;
    // A job that stopped itself stays in ERROR until its owner resumes it.
    sqlx::query!(
        "UPDATE jobs SET failures_in_row = greatest(failures_in_row - 1, 0), backoff_until = NULL,
                gas_usd = CASE WHEN cycle = $2 THEN greatest(gas_usd - $3::numeric, 0) ELSE gas_usd END,
                version = version + 1
         WHERE id = $1",
        job.id.0,
        opened.cycle,
        opened.gas_usd,
    )
    .execute(&mut *tx)
    .await?;
    pocket::fold_again(&mut tx, &job).await?;
    drop_plans(&mut tx, job.id, trade.id).await?;
    fill_watches::reserve_again(&mut tx, trade, &job).await?;
    signers::balances_moved(&mut tx, &job.account).await?;
    signers::wake(&mut tx).await?;
    let proof: Option<B256> = opened
        .proof
        .map(|bytes| hash("trades.tx_hash", &bytes))
        .transpose()?;
    let payload = json!({ "trade": trade.id, "tx_hash": proof, "error": why });
    jobs::event(&mut tx, job.id, "engine", "reopened", None, Some(payload.clone())).await?;
    outbox::write(&mut tx, job.id, Some(trade.id), Event::TradeReversed, payload).await?;
    tx.commit().await?;
    Ok(true)
}

/// Nothing was sent, and nothing failed.
async fn drop_plans(connection: &mut PgConnection, job: JobId, reopened: TradeId) -> Result<(), StoreError> {
    let error = format!("trade {reopened} of the job is open again; of this one nothing was sent");
    let dropped = sqlx::query!(
        "WITH dropped AS (
             UPDATE trades SET status = 'DROPPED', error = $2, note = NULL, executed_at = now(), next_check_at = NULL,
                    version = version + 1
             WHERE job_id = $1 AND status = 'PENDING' RETURNING id, side, reason
         ), turns AS (DELETE FROM turns WHERE trade_id IN (SELECT id FROM dropped))
         SELECT id, side, reason FROM dropped",
        job.0,
        error,
    )
    .fetch_all(&mut *connection)
    .await?;
    for plan in dropped {
        let payload = json!({ "trade": plan.id, "side": plan.side, "reason": plan.reason, "error": error });
        outbox::write(
            connection,
            job,
            Some(TradeId(plan.id)),
            Event::TradeDropped,
            payload,
        )
        .await?;
    }
    Ok(())
}
