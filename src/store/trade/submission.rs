//! How a trade gets its nonces: with everything that was signed for it and what it may take, in one statement.

use sqlx::{PgExecutor, PgPool};
use strum::VariantArray;

use crate::domain::{
    Timestamp,
    decision::Reason,
    ids::{TransactionId, Version},
    job::{Account, JobStatus},
    onchain::Asset,
    span::Span,
    trade::{AttemptState, TradeState, TradeStatus, TransactionState},
};
use crate::store::{
    StoreError,
    columns::{lower, to_i64, word},
    room::Reservation,
    session::begin,
    signers::{Signed, SignerState},
    trades::Trade,
    turns,
};

/// Everything that must be true at once for a trade to get its nonces.
#[derive(Debug, Clone)]
pub struct Submission<'a> {
    /// The trade as it was read, PENDING.
    pub trade: &'a Trade,
    /// The signer.
    pub account: &'a Account,
    /// The counter as it was when the transactions were signed and the balances read.
    pub seen: &'a SignerState,
    /// In nonce order, the first taking `seen.next_nonce`.
    pub transactions: &'a [Signed],
    /// Block time after which their calldata is refused.
    pub deadline: Timestamp,
    /// What the trade may take out of the wallet.
    pub reservations: &'a [Reservation],
    /// Most transactions of one signer that may be open at once.
    pub pipeline_max: i64,
    /// The caller sends the bytes at once. If it does not, another takes over after this long.
    pub first_check: Span,
    /// Other trades of the wallet wait, or this one does: the first that waits is called in the same transaction.
    pub calls_next: bool,
}

/// The result of a submission.
#[derive(Debug, Clone)]
pub enum Submitted {
    /// Recorded: the nonces belong to this trade permanently. The trade as it is now.
    Recorded(Box<Trade>),
    /// The job was stopped, or is being sold: it wants this trade no more.
    Unwanted,
    /// The counter, the balances or the trade changed meanwhile: read everything again.
    Raced,
    /// Other open trades have reserved what this one wants.
    Unfunded(Asset),
    /// Too many transactions of this signer are open.
    PipelineFull,
}

/// Takes nonces, reserves and records, all or nothing. Nothing may be sent before this has committed.
///
/// # Errors
/// [`StoreError`].
pub async fn submit(pool: &PgPool, submission: &Submission<'_>) -> Result<Submitted, StoreError> {
    if !submission.calls_next {
        return record(pool, submission).await;
    }
    let mut tx = begin(pool).await?;
    let submitted = record(&mut *tx, submission).await?;
    if matches!(submitted, Submitted::Recorded(_)) {
        turns::call(&mut tx, submission.account, submission.pipeline_max).await?;
        tx.commit().await?;
    }
    Ok(submitted)
}

/// What was signed, as columns.
#[derive(Default)]
struct Columns {
    purposes: Vec<String>,
    hashes: Vec<Vec<u8>>,
    raws: Vec<Vec<u8>>,
    fees: Vec<String>,
    tips: Vec<String>,
    gas: Vec<i64>,
}

impl Columns {
    fn of(transactions: &[Signed]) -> Result<Self, StoreError> {
        let mut columns = Self::default();
        for signed in transactions {
            columns.purposes.push(signed.purpose.to_string());
            columns.hashes.push(signed.signed.hash.to_vec());
            columns.raws.push(signed.signed.raw.to_vec());
            columns.fees.push(signed.fees.max_fee_per_gas.to_string());
            columns
                .tips
                .push(signed.fees.max_priority_fee_per_gas.to_string());
            columns.gas.push(to_i64("attempts.gas_limit", signed.gas_limit)?);
        }
        Ok(columns)
    }
}

/// The statuses of a job that wants a trade with this reason.
fn wanting(reason: Reason) -> Vec<String> {
    let wanting = JobStatus::VARIANTS
        .iter()
        .filter(|status| reason.is_wanted(**status));
    wanting.map(ToString::to_string).collect()
}

async fn record<'e>(
    executor: impl PgExecutor<'e>,
    submission: &Submission<'_>,
) -> Result<Submitted, StoreError> {
    let Submission {
        trade, account, seen, ..
    } = submission;
    let signed = Columns::of(submission.transactions)?;
    let wish =
        |of: fn(&Reservation) -> String| -> Vec<String> { submission.reservations.iter().map(of).collect() };
    let row = sqlx::query_file!(
        "src/store/sql/trade_submit.sql",
        trade.job.0,
        &wanting(trade.reason),
        trade.id.0,
        trade.version.0,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet),
        to_i64("signers.next_nonce", seen.next_nonce)?,
        seen.settlements,
        to_i64("signers.next_nonce", submission.transactions.len())?,
        submission.deadline,
        submission.pipeline_max,
        &signed.purposes,
        &signed.hashes,
        &signed.raws,
        &signed.fees,
        &signed.tips,
        &signed.gas,
        &wish(|wish| wish.asset.to_string()),
        &wish(|wish| wish.amount.to_string()),
        &wish(|wish| wish.spendable.to_string()),
        submission.first_check.std().as_secs_f64(),
    )
    .fetch_one(executor)
    .await?;
    if row.moved {
        let recorded = recorded(submission, &row.transactions, row.recorded_at);
        return Ok(Submitted::Recorded(Box::new(recorded)));
    }
    if !row.wants {
        return Ok(Submitted::Unwanted);
    }
    if !(row.is_mine && row.is_seen) {
        return Ok(Submitted::Raced);
    }
    if !row.has_place {
        return Ok(Submitted::PipelineFull);
    }
    match row.short {
        Some(asset) => Ok(Submitted::Unfunded(word("reservations.asset", &asset)?)),
        None => Ok(Submitted::Raced),
    }
}

/// The trade as it was just written.
fn recorded(submission: &Submission<'_>, ids: &[i64], at: Timestamp) -> Trade {
    let before = submission.trade;
    let first = submission.seen.next_nonce;
    let transactions = submission.transactions.iter().zip(ids).zip(first..);
    let transactions = transactions.map(|((signed, id), nonce)| TransactionState {
        id: TransactionId(*id),
        nonce,
        purpose: signed.purpose,
        deadline: submission.deadline,
        gas_limit: signed.gas_limit,
        attempts: vec![AttemptState {
            hash: signed.signed.hash,
            purpose: signed.purpose,
            recorded_at: at,
            sent_at: None,
            fees: signed.fees,
        }],
        foreign: None,
    });
    Trade {
        version: Version(before.version.0.saturating_add(1)),
        read_at: at,
        next_check_at: Some(submission.first_check.after(at)),
        state: TradeState {
            status: TradeStatus::Submitted,
            expires_at: before.state.expires_at,
            transactions: transactions.collect(),
        },
        signed: submission
            .transactions
            .iter()
            .map(|signed| signed.signed.clone())
            .collect(),
        ..before.clone()
    }
}
