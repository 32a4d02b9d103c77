//! Fills that a reorg may still undo, and how they are reversed.

use alloy_primitives::{B256, Bytes};
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    accounting::{Fill, unbook},
    decision::{Position, Reason, RuleFill, Side},
    event::Event,
    ids::{FillId, TradeId},
    job::{JobId, JobStatus},
    onchain::{Asset, Receipt},
    span::Span,
    units::{MoneyError, Price, Usd},
};
use crate::store::{
    StoreError,
    columns::{amount, clean_text, hash, lower, numbers, price, to_i64, to_json, unsigned, usd, word},
    jobs::{self, Job},
    ordered, orders, outbox, pocket,
    session::begin,
    signers, stopped,
    trades::Trade,
};

/// A fill that is not final yet.
#[derive(Debug, Clone)]
pub struct WatchedFill {
    /// The fill.
    pub fill: FillId,
    /// Its trade.
    pub trade: TradeId,
    /// Its job.
    pub job: JobId,
    /// The swap.
    pub hash: B256,
    /// Its bytes.
    pub raw: Bytes,
    /// The nonce it used.
    pub nonce: u64,
    /// Block it was last seen in.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
    /// How often in a row it was missed.
    pub misses: u32,
    /// What was booked.
    pub booked: Fill,
    /// Cost basis that was sold.
    pub cost_sold: Usd,
    /// What it earned.
    pub realized: Usd,
}

/// Fills whose time has come, claimed until they are looked at again: all at the same instants, six times `lease`
/// apart, so that the fills of a chain cost one look together whenever each was booked. With the usual lease of ten
/// seconds that is at the half of each minute, between the slots of most schedules. One that a look missed is looked at
/// again after one `lease`.
///
/// # Errors
/// [`StoreError`].
pub async fn claim(
    connection: &mut PgConnection,
    lease: Span,
    limit: i64,
) -> Result<Vec<FillId>, StoreError> {
    let fills = sqlx::query_scalar!(
        "UPDATE fill_watches w
         SET watch_at = CASE WHEN w.misses > 0 THEN now() + lease
                             ELSE date_bin(6 * lease, now() + lease, 'epoch'::timestamptz + 3 * lease) + 6 * lease END
         FROM (SELECT fill_id FROM fill_watches WHERE watch_at <= now()
               ORDER BY watch_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due,
              (SELECT make_interval(secs => greatest($1::float8, 0.001)) AS lease) AS t
         WHERE w.fill_id = due.fill_id RETURNING w.fill_id",
        lease.std().as_secs_f64(),
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(fills.into_iter().map(FillId).collect())
}

/// Numbers of all fills that are still watched.
///
/// # Errors
/// [`StoreError`].
pub async fn all(pool: &PgPool) -> Result<Vec<FillId>, StoreError> {
    let fills = sqlx::query_scalar!("SELECT fill_id FROM fill_watches ORDER BY fill_id")
        .fetch_all(pool)
        .await?;
    Ok(fills.into_iter().map(FillId).collect())
}

/// What is known of fills that are still watched.
///
/// # Errors
/// [`StoreError`].
pub async fn load(pool: &PgPool, fills: &[FillId]) -> Result<Vec<WatchedFill>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT w.fill_id, w.block_number, w.block_hash, w.misses, f.trade_id, f.job_id, f.tx_hash, f.side,
                  f.base_amount::text AS "base!", f.quote_amount::text AS "quote!", f.quote_usd::numeric AS "quote_usd!",
                  f.cost_sold_usd::numeric AS "cost_sold!", f.realized_usd::numeric AS "realized!", x.nonce, a.raw
           FROM fill_watches w JOIN fills f ON f.id = w.fill_id JOIN attempts a ON a.hash = f.tx_hash
           JOIN transactions x ON x.id = a.transaction_id
           WHERE w.fill_id = ANY($1) ORDER BY w.fill_id"#,
        &numbers(fills)
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(WatchedFill {
                fill: FillId(row.fill_id),
                trade: TradeId(row.trade_id),
                job: JobId(row.job_id),
                hash: hash("fills.tx_hash", &row.tx_hash)?,
                raw: row.raw.into(),
                nonce: unsigned("transactions.nonce", row.nonce)?,
                block_number: unsigned("fill_watches.block_number", row.block_number)?,
                block_hash: hash("fill_watches.block_hash", &row.block_hash)?,
                misses: unsigned("fill_watches.misses", row.misses.into())?,
                booked: Fill {
                    side: word("fills.side", &row.side)?,
                    base_amount: amount("fills.base_amount", &row.base)?,
                    quote_amount: amount("fills.quote_amount", &row.quote)?,
                    quote_usd: usd("fills.quote_usd", row.quote_usd)?,
                },
                cost_sold: usd("fills.cost_sold_usd", row.cost_sold)?,
                realized: usd("fills.realized_usd", row.realized)?,
            })
        })
        .collect()
}

/// These fills are final: nothing takes them back.
///
/// # Errors
/// [`StoreError`].
pub async fn finish(pool: &PgPool, fills: &[FillId]) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM fill_watches WHERE fill_id = ANY($1)",
        &numbers(fills)
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A fill was seen in this block.
///
/// # Errors
/// [`StoreError`].
pub async fn seen(pool: &PgPool, fill: FillId, receipt: &Receipt) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE fill_watches SET block_number = $2, block_hash = $3, misses = 0 WHERE fill_id = $1",
        fill.0,
        to_i64("fill_watches.block_number", receipt.block_number)?,
        receipt.block_hash.as_slice(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A fill was missed: by a node that has passed its block and knows neither its transaction nor any other that
/// used its nonce.
///
/// # Errors
/// [`StoreError`].
pub async fn missed(pool: &PgPool, fill: FillId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE fill_watches SET misses = misses + 1, watch_at = least(watch_at, now() + interval '10 seconds')
         WHERE fill_id = $1",
        fill.0
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// How a reversal went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reversed {
    /// The fill is undone and its trade is open again.
    Committed,
    /// Another worker was faster: nothing was done.
    Raced,
    /// What was bought is not there any more, or what it earned is spent: nothing was done.
    Impossible(MoneyError),
}

/// Reverses a fill that was reorged out, in one transaction: a reversal row, position, cost basis and profit,
/// the reservation, and the trade goes back to SUBMITTED.
///
/// # Errors
/// [`StoreError`]; nothing is committed then.
pub async fn reverse(
    pool: &PgPool,
    trade: &Trade,
    watched: &WatchedFill,
    why: &str,
) -> Result<Reversed, StoreError> {
    let why = clean_text(why);
    let mut tx = begin(pool).await?;
    let job = jobs::lock(&mut tx, watched.job).await?;
    let gone = sqlx::query!("DELETE FROM fill_watches WHERE fill_id = $1", watched.fill.0)
        .execute(&mut *tx)
        .await?;
    if gone.rows_affected() != 1 {
        return Ok(Reversed::Raced);
    }
    let undone = match unbook(job.position, &watched.booked, watched.cost_sold, watched.realized) {
        Ok(undone) if insert_reversal(&mut tx, watched.fill, job.cycle).await? => undone,
        // Of an earlier cycle: its position is closed.
        Ok(_) => return Ok(Reversed::Impossible(MoneyError::Negative)),
        Err(error) => return Ok(Reversed::Impossible(error)),
    };
    let reopened = sqlx::query!(
        "UPDATE trades SET status = 'SUBMITTED', reopened = true, tx_hash = NULL, gas_usd = 0, executed_at = NULL,
                next_check_at = now(), note = $3, version = version + 1
         WHERE id = $1 AND status = 'EXECUTED' AND version = $2",
        trade.id.0,
        trade.version.0,
        why,
    )
    .execute(&mut *tx)
    .await?;
    if reopened.rows_affected() != 1 {
        return Ok(Reversed::Raced);
    }
    give_back(&mut tx, &job, watched, &undone).await?;
    pocket::fold_again(&mut tx, &job).await?;
    if !ordered::after_reversal(&mut tx, trade, &job).await? {
        sell_again(&mut tx, trade, &job, &undone).await?;
    }
    stopped::after_reversal(&mut tx, trade, &job).await?;
    reserve_again(&mut tx, trade, &job).await?;
    signers::balances_moved(&mut tx, &job.account).await?;
    signers::wake(&mut tx).await?;
    let payload = json!({ "trade": trade.id, "tx_hash": watched.hash, "error": why });
    jobs::event(&mut tx, job.id, "engine", "reversed", None, Some(payload.clone())).await?;
    outbox::write(&mut tx, job.id, Some(trade.id), Event::TradeReversed, payload).await?;
    tx.commit().await?;
    Ok(Reversed::Committed)
}

/// The same numbers once more, as a reversal. `false`: the fill is of another cycle than the job is in.
async fn insert_reversal(
    connection: &mut PgConnection,
    fill: FillId,
    cycle: i32,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query!(
        "INSERT INTO fills (trade_id, job_id, cycle, kind, round, side, base_amount, quote_amount, quote_usd,
                            quote_price_usd, quote_price_source, quote_price_at, cost_sold_usd, realized_usd,
                            gas_native, gas_usd, tx_hash, block_number, block_hash, filled_at)
         SELECT trade_id, job_id, cycle, 'reversal', round, side, base_amount, quote_amount, quote_usd,
                quote_price_usd, quote_price_source, quote_price_at, cost_sold_usd, realized_usd,
                gas_native, gas_usd, tx_hash, block_number, block_hash, filled_at
         FROM fills WHERE id = $1 AND kind = 'fill' AND cycle = $2",
        fill.0,
        cycle,
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// The job as if the trade had not been filled. The clocks of the rules are what the fills that still stand make of
/// them.
async fn give_back(
    connection: &mut PgConnection,
    job: &Job,
    watched: &WatchedFill,
    undone: &Position,
) -> Result<(), StoreError> {
    let spent = match watched.booked.side {
        Side::Buy => watched.booked.quote_usd,
        Side::Sell => Usd::ZERO,
    };
    let last = job.last.reversed(&standing_fills(connection, job).await?);
    sqlx::query!(
        "UPDATE jobs SET
            token_balance = $2::text::numeric, cost_basis = $3::numeric, quote_balance = $4::text::numeric,
            realized_pnl = $5::numeric, total_accumulated = greatest(total_accumulated - $6::numeric, 0),
            gas_usd = greatest(gas_usd - (SELECT gas_usd FROM fills WHERE id = $7), 0),
            last_fills = $8, version = version + 1
         WHERE id = $1",
        job.id.0,
        undone.token_balance.to_string(),
        undone.cost_basis.decimal(),
        undone.quote_balance.to_string(),
        undone.realized_pnl.decimal(),
        spent.decimal(),
        watched.fill.0,
        to_json("jobs.last_fills", &last)?,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The last fill of each rule in this cycle that still stands. A fill counts in the cycle that it was booked in: a
/// trade of an earlier cycle may be filled late, after a reorg. Tokens that were counted in are a regular buy. A sale
/// after which the job once held nothing has no average cost any more.
async fn standing_fills(connection: &mut PgConnection, job: &Job) -> Result<Vec<RuleFill>, StoreError> {
    let rows = sqlx::query_file!("src/store/sql/fills_standing.sql", job.id.0, job.cycle)
        .fetch_all(&mut *connection)
        .await?;
    let adopted = sqlx::query_scalar!(
        "SELECT max(created_at) FROM adjustments WHERE job_id = $1 AND cycle = $2 AND is_buy",
        job.id.0,
        job.cycle,
    )
    .fetch_one(connection)
    .await?;
    let adopted = adopted.map(|slot| {
        Ok(RuleFill {
            reason: Reason::Dca,
            slot,
            price: Price::ONE,
            average_cost: None,
        })
    });
    let fills = rows.into_iter().map(|row| {
        let sold = amount("fills.base_amount", &row.sold)?;
        let cost = usd("fills.cost_sold_usd", row.cost_sold)?;
        Ok(RuleFill {
            reason: word("trades.reason", &row.reason)?,
            slot: row.slot,
            price: price("trades.plan_price_usd", row.plan_price_usd)?,
            average_cost: Price::of(cost, sold, job.token.decimals).ok(),
        })
    });
    fills.chain(adopted).collect()
}

/// A slice that was not sold is sold once more; a job that was done is not.
async fn sell_again(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
    undone: &Position,
) -> Result<(), StoreError> {
    if job.status == JobStatus::Idle && !undone.token_balance.is_zero() {
        return orders::liquidate_again(connection, job).await;
    }
    let (Reason::Liquidate, Some(plan)) = (trade.reason, job.liquidation) else {
        return Ok(());
    };
    orders::set_liquidation(connection, job.id, Some(&plan.after_reversal())).await?;
    orders::plan_next_slot(connection, job.id).await
}

/// What the open trade may take out of the wallet once more.
pub(in crate::store) async fn reserve_again(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
) -> Result<(), StoreError> {
    let token = match trade.side {
        Side::Buy => job.quote.address,
        Side::Sell => job.token.address,
    };
    sqlx::query!(
        "INSERT INTO reservations (trade_id, realm, chain, wallet, asset, amount)
         VALUES ($1, $2, $3, $4, $5, $6::text::numeric) ON CONFLICT DO NOTHING",
        trade.id.0,
        job.account.realm.to_string(),
        job.account.chain,
        lower(job.account.wallet) as _,
        Asset::of(token).to_string(),
        trade.amount_in.to_string(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
