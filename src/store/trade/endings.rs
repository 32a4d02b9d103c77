//! How a trade ends: its fill or its failure, committed with everything that follows from it.

use alloy_primitives::B256;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    Timestamp,
    accounting::{Booked, Fill, book},
    backoff::Backoff,
    decision::{Reason, Side},
    event::Event,
    figures::net,
    ids::TradeId,
    job::{Command, FAILURES_IN_A_ROW_MAX, JobId, JobStatus, Transition, transition},
    trade::FailureKind,
    units::{Amount, Price, Usd},
};
use crate::store::{
    StoreError,
    columns::{clean_text, lower, to_i64, to_json},
    failure_watches,
    gas::{self, GasPaid},
    jobs::{self, Job},
    liquidated::finish_liquidation,
    ordered, orders, outbox,
    pocket::{self, PocketMove},
    session::begin,
    signers, stopped,
    trades::Trade,
    turns::{self, Turn},
};

/// The longest pause after failures in a row, as a multiple of the first.
const FAILURE_BACKOFF_MAX: u32 = 64;

/// What the receipt of a final swap says.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The swap that was mined.
    pub hash: B256,
    /// Block of the transaction.
    pub block_number: u64,
    /// In which block.
    pub block_hash: B256,
    /// Time of that block.
    pub block_time: Timestamp,
    /// The amounts.
    pub fill: Fill,
    /// USD per whole quote token, where from, and of when.
    pub quote_price: (Price, &'static str, Timestamp),
    /// USD per whole token that the fill comes to.
    pub price: Price,
    /// All gas of the trade, wei.
    pub gas_native: Amount,
    /// The same in USD.
    pub gas_usd: Usd,
    /// The same, of each transaction.
    pub gas: Vec<GasPaid>,
}

/// How a trade's end was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It is in the ledger now.
    Committed,
    /// Another worker had committed it, or moved the trade: nothing was done.
    Raced,
    /// The plan has no nonce, and its job wants it no more: it is to be dropped. Nothing was done.
    Unwanted,
}

/// Why a fill cannot be booked.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The numbers do not work out.
    #[error("the fill of trade {trade} cannot be booked: {source}")]
    Money {
        /// The trade.
        trade: TradeId,
        /// What is wrong.
        source: crate::domain::units::MoneyError,
    },
    /// What is left cannot be written down.
    #[error("the dust of job {job} cannot be written down: {source}")]
    Dust {
        /// The job.
        job: JobId,
        /// What is wrong.
        source: crate::domain::units::MoneyError,
    },
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BookError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Commits a fill: trade, position, cost basis, reservations, history and outbox, all together.
///
/// `pipeline_max`: most transactions of the wallet that may be open at once.
///
/// # Errors
/// [`BookError`]; nothing is committed then.
pub async fn commit_fill(
    pool: &PgPool,
    trade: &Trade,
    settled: &Settlement,
    pipeline_max: i64,
) -> Result<Ended, BookError> {
    let mut tx = begin(pool).await?;
    let job = jobs::lock(&mut tx, trade.job).await?;
    let fill = &settled.fill;
    let booked = match book(job.position, fill) {
        Ok(booked) => booked,
        // What another worker booked may be why.
        Err(_) if !is_submitted(&mut tx, trade).await? => return Ok(Ended::Raced),
        Err(source) => {
            return Err(BookError::Money {
                trade: trade.id,
                source,
            });
        }
    };
    if !record_fill(&mut tx, trade, &job, settled, &booked).await? {
        return Ok(Ended::Raced);
    }
    let held = !booked.position.token_balance.is_zero();
    let is_idle = job.status == JobStatus::Idle && held;
    if is_idle && !ordered::keeps_its_tokens(&mut tx, trade, &job).await? {
        orders::liquidate_again(&mut tx, &job).await?;
    } else if trade.reason == Reason::Liquidate {
        advance_liquidation(&mut tx, &job, &booked).await?;
    }
    stopped::after_fill(&mut tx, trade, &job, &booked).await?;
    ordered::after_fill(&mut tx, trade, &job, (fill, &booked)).await?;
    stopped::after_profit(&mut tx, trade, &job).await?;
    turns::call(&mut tx, &job.account, pipeline_max).await?;
    tx.commit().await?;
    Ok(Ended::Committed)
}

/// Whether the trade is still as it was read.
async fn is_submitted(connection: &mut PgConnection, trade: &Trade) -> Result<bool, StoreError> {
    let unmoved = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM trades WHERE id = $1 AND status = 'SUBMITTED' AND version = $2) AS "unmoved!""#,
        trade.id.0,
        trade.version.0,
    );
    Ok(unmoved.fetch_one(connection).await?)
}

/// Gas of each transaction, as columns.
#[derive(Default)]
struct GasColumns {
    hashes: Vec<Vec<u8>>,
    success: Vec<bool>,
    native: Vec<String>,
    dollars: Vec<rust_decimal::Decimal>,
    mined_at: Vec<Timestamp>,
}

impl GasColumns {
    fn of(paid: &[GasPaid]) -> Self {
        let mut columns = Self::default();
        for paid in paid {
            columns.hashes.push(paid.hash.to_vec());
            columns.success.push(paid.success);
            columns.native.push(paid.gas_native.to_string());
            columns.dollars.push(paid.gas_usd.decimal());
            columns.mined_at.push(paid.mined_at);
        }
        columns
    }
}

/// Everything that every fill changes, in one statement. `false`: another worker moved the trade first. The job must be
/// locked; the signer is from here on.
async fn record_fill(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
    settled: &Settlement,
    booked: &Booked,
) -> Result<bool, BookError> {
    let fill = &settled.fill;
    let remembered = trade.remembered(booked.average_cost_kept(fill));
    let last = job.last.booked(remembered, booked.position.token_balance);
    let paid = PocketMove::Traded(fill.side, fill.quote_usd, settled.gas_usd);
    let pocket = pocket::after(job, paid)?;
    let gas = GasColumns::of(&settled.gas);
    let recorded = sqlx::query_file!(
        "src/store/sql/trade_fill.sql",
        trade.id.0,
        trade.version.0,
        settled.hash.as_slice(),
        fill.base_amount.to_string(),
        fill.quote_amount.to_string(),
        settled.price.decimal(),
        settled.gas_usd.decimal(),
        settled.block_time,
        job.cycle,
        fill.quote_usd.decimal(),
        settled.quote_price.0.decimal(),
        settled.quote_price.1,
        settled.quote_price.2,
        booked.cost_sold.decimal(),
        booked.realized.decimal(),
        settled.gas_native.to_string(),
        to_i64("fills.block_number", settled.block_number)?,
        settled.block_hash.as_slice(),
        &gas.hashes,
        &gas.success,
        &gas.native,
        &gas.dollars,
        &gas.mined_at,
        booked.position.token_balance.to_string(),
        booked.position.cost_basis.decimal(),
        booked.position.quote_balance.to_string(),
        booked.position.realized_pnl.decimal(),
        to_json("jobs.last_fills", &last)?,
        pocket.out().decimal(),
        pocket.money_in().decimal(),
        job.account.realm.to_string(),
        job.account.chain,
        lower(job.account.wallet),
        Event::TradeFilled.to_string(),
        filled_payload(trade, settled, booked)?,
    )
    .fetch_optional(connection)
    .await?;
    Ok(recorded.is_some())
}

/// One slice is sold: count it, and finish when nothing is left.
async fn advance_liquidation(
    connection: &mut PgConnection,
    job: &Job,
    booked: &Booked,
) -> Result<(), StoreError> {
    if let Some(plan) = job.liquidation {
        orders::set_liquidation(connection, job.id, Some(&plan.after_fill())).await?;
    }
    if booked.position.token_balance.is_zero() && job.status == JobStatus::Liquidating {
        return finish_liquidation(connection, job).await;
    }
    orders::plan_next_slot(connection, job.id).await
}

/// What a fill moved and paid, and what a sell earned before and after the gas of its trade.
fn filled_payload(
    trade: &Trade,
    settled: &Settlement,
    booked: &Booked,
) -> Result<serde_json::Value, BookError> {
    let fill = &settled.fill;
    let mut payload = json!({
        "trade": trade.id, "side": trade.side, "reason": trade.reason, "base_amount": fill.base_amount,
        "quote_amount": fill.quote_amount, "price_usd": settled.price, "tx_hash": settled.hash,
        "quote_usd": fill.quote_usd, "gas_usd": settled.gas_usd,
    });
    if fill.side == Side::Sell {
        let net = net(booked.realized, Usd::ZERO, settled.gas_usd);
        let net = net.map_err(|source| BookError::Money {
            trade: trade.id,
            source,
        })?;
        let earned = json!({ "cost_basis_sold_usd": booked.cost_sold, "realized_usd": booked.realized, "net_usd": net });
        if let (Some(payload), serde_json::Value::Object(earned)) = (payload.as_object_mut(), earned) {
            payload.extend(earned);
        }
    }
    Ok(payload)
}

/// A trade that ended without a fill.
#[derive(Debug, Clone)]
pub struct TradeFailure {
    /// Kind of failure.
    pub kind: FailureKind,
    /// What was seen, for people.
    pub error: String,
    /// The hash whose receipt proves it; none if no nonce was ever bound.
    pub hash: Option<B256>,
    /// The highest block it was read from; counts only with a hash.
    pub block_number: u64,
    /// Gas it cost all the same, USD.
    pub gas_usd: Usd,
    /// The same, of each transaction.
    pub gas: Vec<GasPaid>,
}

impl TradeFailure {
    /// Of a plan that never had a nonce: nothing was sent, and it cost nothing.
    #[must_use]
    pub const fn unsent(error: String) -> Self {
        Self {
            kind: FailureKind::Expired,
            error,
            hash: None,
            block_number: 0,
            gas_usd: Usd::ZERO,
            gas: Vec::new(),
        }
    }
}

/// Commits a failure: the trade, the job's count of failures and its pause, reservations and outbox. One that used a
/// nonce is watched until it is final. A plan of which nothing was sent counts as no failure of the job if the job
/// wants it no more, or if it slept and waited for its turn: a wallet that is busy must not put its jobs into ERROR.
///
/// `pipeline_max`: most transactions of the wallet that may be open at once.
///
/// # Errors
/// [`StoreError`]; nothing is committed then.
pub async fn commit_failure(
    pool: &PgPool,
    trade: &Trade,
    failure: &TradeFailure,
    pipeline_max: i64,
) -> Result<Ended, StoreError> {
    let failure = &TradeFailure {
        error: clean_text(&failure.error),
        ..failure.clone()
    };
    let mut tx = begin(pool).await?;
    let job = jobs::lock(&mut tx, trade.job).await?;
    let nothing_was_sent = failure.hash.is_none();
    let wanted = trade.reason.is_wanted(job.status);
    if nothing_was_sent && !wanted && trade.state.transactions.is_empty() {
        return Ok(Ended::Unwanted);
    }
    let cycle = sqlx::query_scalar!(
        "UPDATE trades SET status = 'FAILED', failure_kind = $3, error = $4, tx_hash = $5, gas_usd = $6::numeric,
                executed_at = now(), next_check_at = NULL, note = NULL, version = version + 1
         WHERE id = $1 AND status IN ('PENDING', 'SUBMITTED') AND version = $2
         RETURNING cycle",
        trade.id.0,
        trade.version.0,
        failure.kind.to_string(),
        failure.error,
        failure.hash.as_ref().map(|hash| hash.as_slice()),
        failure.gas_usd.decimal(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(cycle) = cycle else {
        return Ok(Ended::Raced);
    };
    let excused = !wanted || turns::sleeps(&mut tx, trade.id).await?;
    let failures = if nothing_was_sent && excused {
        job.failures_in_row
    } else {
        count_failure(&mut tx, &job, cycle, failure).await?
    };
    gas::record(&mut tx, trade.id, &failure.gas).await?;
    if failure.hash.is_some() {
        failure_watches::watch(&mut tx, trade.id, failure.block_number).await?;
    }
    release(&mut tx, trade, &job, pipeline_max).await?;
    let payload = json!({ "trade": trade.id, "side": trade.side, "reason": trade.reason, "kind": failure.kind,
        "error": failure.error, "failures_in_row": failures, "gas_usd": failure.gas_usd });
    outbox::write(&mut tx, job.id, Some(trade.id), Event::TradeFailed, payload).await?;
    tx.commit().await?;
    Ok(Ended::Committed)
}

/// Gas of a trade that a reorg brought back from an earlier cycle is that cycle's.
async fn count_failure(
    connection: &mut PgConnection,
    job: &Job,
    cycle: i32,
    failure: &TradeFailure,
) -> Result<u32, StoreError> {
    let gas_usd = if cycle == job.cycle {
        failure.gas_usd
    } else {
        Usd::ZERO
    };
    let failures = job.failures_in_row.saturating_add(1);
    let first = job.config.limits.failure_backoff.std();
    let pause = Backoff::new(first, first.saturating_mul(FAILURE_BACKOFF_MAX)).after(failures);
    sqlx::query!(
        "UPDATE jobs SET failures_in_row = $2, backoff_until = now() + make_interval(secs => $3), last_error = $4,
                gas_usd = gas_usd + $5::numeric, version = version + 1
         WHERE id = $1",
        job.id.0,
        i32::try_from(failures).unwrap_or(i32::MAX),
        pause.as_secs_f64(),
        failure.error,
        gas_usd.decimal(),
    )
    .execute(&mut *connection)
    .await?;
    pocket::moved(connection, job, PocketMove::Failed(gas_usd)).await?;
    if failures >= FAILURES_IN_A_ROW_MAX {
        stop_failing(connection, job, failures, &failure.error).await?;
    }
    Ok(failures)
}

async fn stop_failing(
    connection: &mut PgConnection,
    job: &Job,
    failures: u32,
    error: &str,
) -> Result<(), StoreError> {
    if let Ok(Transition::To(status)) = transition(job.status, job.status_before_stop, Command::Fail) {
        orders::set_status(connection, job.id, job.status, status).await?;
        let before = json!({ "status": job.status });
        let after = json!({ "status": status, "failures_in_row": failures });
        jobs::event(
            &mut *connection,
            job.id,
            "engine",
            "error",
            Some(before),
            Some(after),
        )
        .await?;
        let payload = json!({ "failures_in_row": failures, "error": error });
        outbox::write(connection, job.id, None, Event::JobError, payload).await?;
    }
    Ok(())
}

/// Gives back what the trade had reserved and its place among the wallet's open transactions, which is the next one's,
/// and makes every balance read before this stale. A trade that never had a nonce moved no balance.
pub(in crate::store) async fn release(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
    pipeline_max: i64,
) -> Result<(), StoreError> {
    let account = &job.account;
    if trade.state.transactions.is_empty() {
        let turn = Turn {
            trade: trade.id,
            account,
            pipeline_max,
        };
        turns::give_up(connection, &turn).await?;
        return signers::wake(connection).await;
    }
    signers::settled(connection, trade.id, account).await?;
    turns::call(connection, account, pipeline_max).await
}
