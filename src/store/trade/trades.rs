//! Trades: frozen once, carried on from where their rows say they are.

use std::sync::Arc;

use rust_decimal::Decimal;
use sqlx::PgPool;

use crate::domain::{
    Timestamp,
    decision::{Reason, RuleFill, Side},
    event::Event,
    ids::{TradeId, TransactionId, Version, WithdrawalId},
    job::JobId,
    limits::ApprovedPlan,
    onchain::{Fees, SignedTransaction},
    span::Span,
    trade::{AttemptState, TradeState, TradeStatus, TransactionState},
    units::{Amount, Price, Usd},
};
use crate::store::{
    StoreError, WAKE_CHANNEL,
    columns::{amount, clean_text, hash, numbers, price, unsigned, usd, word},
    jobs::Job,
    memory::JobMemory,
    ticks::{SlotSeen, Tick},
    version::RowVersion,
};

/// A plan to freeze: only an approved one can be.
#[derive(Debug, Clone)]
pub struct NewTrade<'a> {
    /// The job as the rules saw it.
    pub job: &'a Job,
    /// The slot.
    pub slot: Timestamp,
    /// What to do.
    pub approved: ApprovedPlan,
    /// What the rules saw.
    pub seen: SlotSeen,
    /// If no nonce is bound by then, the plan is given up.
    pub expires_at: Timestamp,
    /// The worker that froze it settles it at once. If it does not, another takes over after this long.
    pub first_check: Span,
}

/// Whether we were first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frozen {
    /// The plan is now this trade.
    New(TradeId),
    /// The slot was decided before, with this trade if there was one.
    Already(Option<TradeId>),
    /// The job was stopped or edited since it was read: nothing was frozen.
    JobChanged,
    /// The job has an open trade.
    TradeOpen,
}

/// Freezes a plan: slot, trade and tick in one statement.
///
/// # Errors
/// [`StoreError`].
pub async fn freeze(pool: &PgPool, new: &NewTrade<'_>) -> Result<Frozen, StoreError> {
    let (plan, seen) = (new.approved.plan(), &new.seen);
    let (amount_in, amount_out) = (
        plan.amount_in.to_string(),
        new.approved.amount_out_expected().to_string(),
    );
    let (base, quote) = match plan.side {
        Side::Buy => (&amount_out, &amount_in),
        Side::Sell => (&amount_in, &amount_out),
    };
    let high = seen.sample_high.map(|(high, _)| high);
    let done = sqlx::query_file!(
        "src/store/sql/trade_freeze.sql",
        new.job.id.0,
        new.job.version.0,
        new.slot,
        seen.price.0.decimal(),
        seen.price.1,
        seen.recent_high.map(Price::decimal),
        high.map(|high| high.price.decimal()),
        high.map(|high| high.at),
        high.map(|high| high.since),
        seen.sample_high.map(|(_, config)| config),
        Event::JobRecovered.to_string(),
        seen.trailing_high.map(Price::decimal),
        seen.profit_high.map(Price::decimal),
        new.job.cycle,
        plan.side.to_string(),
        plan.reason.to_string(),
        amount_in,
        amount_out,
        new.approved.amount_out_min().to_string(),
        plan.value.decimal(),
        new.job.config_version,
        new.expires_at,
        base,
        quote,
        plan.price.decimal(),
        new.first_check.std().as_secs_f64(),
    )
    .fetch_one(pool)
    .await;
    let done = match done.map_err(StoreError::from) {
        Err(error) if error.constraint() == Some("trades_one_open_per_job") => return Ok(Frozen::TradeOpen),
        other => other?,
    };
    if let Some(id) = done.frozen {
        return Ok(Frozen::New(TradeId(id)));
    }
    if !done.unchanged {
        return Ok(Frozen::JobChanged);
    }
    let tick = Tick {
        job: new.job.id,
        slot: new.slot,
    };
    Ok(Frozen::Already(by_slot(pool, tick).await?))
}

/// The trade of a slot.
///
/// # Errors
/// [`StoreError`].
pub async fn by_slot(pool: &PgPool, tick: Tick) -> Result<Option<TradeId>, StoreError> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM trades WHERE job_id = $1 AND slot = $2",
        tick.job.0,
        tick.slot
    )
    .fetch_optional(pool)
    .await?;
    Ok(id.map(TradeId))
}

/// A trade with everything its next step needs.
#[derive(Debug, Clone)]
pub struct Trade {
    /// Trade id.
    pub id: TradeId,
    /// Its job.
    pub job: JobId,
    /// Its slot.
    pub slot: Timestamp,
    /// Direction.
    pub side: Side,
    /// The rule it came from.
    pub reason: Reason,
    /// Frozen: what goes out.
    pub amount_in: Amount,
    /// Frozen: the floor.
    pub amount_out_min: Amount,
    /// Frozen: its value when it was planned.
    pub value: Usd,
    /// Frozen: the price it was planned at.
    pub price: Price,
    /// Guards every change.
    pub version: Version,
    /// The database's time when it was read.
    pub read_at: Timestamp,
    /// When the schedulers look at it next, while it is open.
    pub next_check_at: Option<Timestamp>,
    /// Its status, and its transactions with everything that was signed for them.
    pub state: TradeState,
    /// The bytes of every attempt, in the order of `state.transactions` and their attempts.
    pub signed: Vec<SignedTransaction>,
}

impl Trade {
    /// Its fill as the rules remember it.
    #[must_use]
    pub const fn remembered(&self, average_cost: Option<Price>) -> RuleFill {
        RuleFill {
            reason: self.reason,
            slot: self.slot,
            price: self.price,
            average_cost,
        }
    }
}

/// Loads a trade and all that was signed for it, in one statement.
///
/// # Errors
/// [`StoreError::NoSuchTrade`], [`StoreError`].
pub async fn load(pool: &PgPool, id: TradeId) -> Result<Trade, StoreError> {
    Ok(load_versioned(pool, id).await?.0)
}

/// The same, with its job if `memory` has that as it is in the database.
///
/// # Errors
/// [`StoreError::NoSuchTrade`], [`StoreError`].
pub async fn load_with_job(
    pool: &PgPool,
    memory: &JobMemory,
    id: TradeId,
) -> Result<(Trade, Option<Arc<Job>>), StoreError> {
    let (trade, version) = load_versioned(pool, id).await?;
    let known = memory.recall(&[trade.job]).pop().flatten();
    let job = known
        .filter(|known| known.version == version)
        .map(|known| known.job);
    Ok((trade, job))
}

async fn load_versioned(pool: &PgPool, id: TradeId) -> Result<(Trade, RowVersion), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT t.job_id, t.slot, t.side, t.reason, t.status, t.amount_in::text AS "amount_in!",
                  t.amount_out_min::text AS "amount_out_min!", t.value_usd::numeric AS "value_usd!: Decimal",
                  t.plan_price_usd, t.version, t.expires_at, t.next_check_at, clock_timestamp() AS "read_at!",
                  j.xmin::text AS "row_by!", j.updated_at AS row_at,
                  x.id AS "id?", x.nonce AS "nonce?", x.purpose AS "transaction_purpose?", x.deadline AS "deadline?",
                  a.purpose AS "purpose?", a.hash AS "hash?", a.raw AS "raw?", a.recorded_at AS "recorded_at?",
                  a.sent_at AS "sent_at?", a.max_fee_per_gas::text AS "max_fee?",
                  a.max_priority_fee_per_gas::text AS "priority_fee?", a.gas_limit AS "gas_limit?",
                  (SELECT f.hash FROM foreign_transactions f
                   WHERE (f.realm, f.chain, f.signer, f.nonce) = (x.realm, x.chain, x.signer, x.nonce)
                   ORDER BY f.seen_at DESC LIMIT 1) AS foreign_hash
           FROM trades t JOIN jobs j ON j.id = t.job_id LEFT JOIN (transactions x JOIN attempts a ON a.transaction_id = x.id) ON x.trade_id = t.id
           WHERE t.id = $1 ORDER BY x.nonce, a.id"#,
        id.0
    )
    .fetch_all(pool)
    .await?;
    let row = rows.first().ok_or(StoreError::NoSuchTrade(id))?;
    let version = RowVersion {
        by: row.row_by.clone(),
        at: row.row_at,
    };
    let status: TradeStatus = word("trades.status", &row.status)?;
    let mut trade = Trade {
        id,
        job: JobId(row.job_id),
        slot: row.slot,
        side: word("trades.side", &row.side)?,
        reason: word("trades.reason", &row.reason)?,
        amount_in: amount("trades.amount_in", &row.amount_in)?,
        amount_out_min: amount("trades.amount_out_min", &row.amount_out_min)?,
        value: usd("trades.value_usd", row.value_usd)?,
        price: price("trades.plan_price_usd", row.plan_price_usd)?,
        version: Version(row.version),
        read_at: row.read_at,
        next_check_at: row.next_check_at,
        state: TradeState {
            status,
            expires_at: row.expires_at,
            transactions: vec![],
        },
        signed: vec![],
    };
    // A trade of which nothing was signed is one row without an attempt.
    let attempts = rows.into_iter().filter_map(|row| {
        Some(AttemptRow {
            id: row.id?,
            nonce: row.nonce?,
            transaction_purpose: row.transaction_purpose?,
            deadline: row.deadline?,
            purpose: row.purpose?,
            hash: row.hash?,
            raw: row.raw?,
            recorded_at: row.recorded_at?,
            sent_at: row.sent_at,
            max_fee: row.max_fee?,
            priority_fee: row.priority_fee?,
            gas_limit: row.gas_limit?,
            foreign_hash: row.foreign_hash,
        })
    });
    (trade.state.transactions, trade.signed) = transactions_of(attempts)?;
    Ok((trade, version))
}

/// An attempt, with its transaction.
struct AttemptRow {
    id: i64,
    nonce: i64,
    transaction_purpose: String,
    deadline: Timestamp,
    purpose: String,
    hash: Vec<u8>,
    raw: Vec<u8>,
    recorded_at: Timestamp,
    sent_at: Option<Timestamp>,
    max_fee: String,
    priority_fee: String,
    gas_limit: i64,
    foreign_hash: Option<Vec<u8>>,
}

/// The transactions of a withdrawal in nonce order, and all that was signed for them.
pub(in crate::store) async fn of_withdrawal(
    pool: &PgPool,
    withdrawal: WithdrawalId,
) -> Result<(Vec<TransactionState>, Vec<SignedTransaction>), StoreError> {
    let rows = sqlx::query_as!(
        AttemptRow,
        r#"SELECT x.id, x.nonce, x.purpose AS transaction_purpose, x.deadline, a.purpose, a.hash, a.raw, a.recorded_at,
                  a.sent_at, a.max_fee_per_gas::text AS "max_fee!", a.max_priority_fee_per_gas::text AS "priority_fee!",
                  a.gas_limit,
                  (SELECT f.hash FROM foreign_transactions f
                   WHERE (f.realm, f.chain, f.signer, f.nonce) = (x.realm, x.chain, x.signer, x.nonce)
                   ORDER BY f.seen_at DESC LIMIT 1) AS foreign_hash
           FROM transactions x JOIN attempts a ON a.transaction_id = x.id
           WHERE x.withdrawal_id = $1 ORDER BY x.nonce, a.id"#,
        withdrawal.0,
    )
    .fetch_all(pool)
    .await?;
    transactions_of(rows)
}

/// Transactions from attempts that are in the order of their nonces.
fn transactions_of(
    attempts: impl IntoIterator<Item = AttemptRow>,
) -> Result<(Vec<TransactionState>, Vec<SignedTransaction>), StoreError> {
    let (mut transactions, mut signed): (Vec<TransactionState>, Vec<SignedTransaction>) = (vec![], vec![]);
    for row in attempts {
        let id = TransactionId(row.id);
        if transactions.last().is_none_or(|last| last.id != id) {
            transactions.push(TransactionState {
                id,
                nonce: unsigned("transactions.nonce", row.nonce)?,
                purpose: word("transactions.purpose", &row.transaction_purpose)?,
                deadline: row.deadline,
                gas_limit: 0,
                attempts: vec![],
                foreign: row
                    .foreign_hash
                    .map(|bytes| hash("foreign_transactions.hash", &bytes))
                    .transpose()?,
            });
        }
        let Some(transaction) = transactions.last_mut() else {
            continue;
        };
        let attempt = AttemptState {
            hash: hash("attempts.hash", &row.hash)?,
            purpose: word("attempts.purpose", &row.purpose)?,
            recorded_at: row.recorded_at,
            sent_at: row.sent_at,
            fees: Fees {
                max_fee_per_gas: word("attempts.max_fee_per_gas", &row.max_fee)?,
                max_priority_fee_per_gas: word("attempts.max_priority_fee_per_gas", &row.priority_fee)?,
            },
        };
        transaction.gas_limit = unsigned("attempts.gas_limit", row.gas_limit)?;
        transaction.attempts.push(attempt);
        signed.push(SignedTransaction {
            hash: attempt.hash,
            raw: row.raw.into(),
        });
    }
    Ok((transactions, signed))
}

/// Looks at an open trade again after `delay`.
///
/// # Errors
/// [`StoreError`].
pub async fn check_again(
    pool: &PgPool,
    id: TradeId,
    delay: Span,
    note: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE trades SET next_check_at = clock_timestamp() + make_interval(secs => $2), note = coalesce($3, note)
         WHERE id = $1 AND status IN ('PENDING', 'SUBMITTED')",
        id.0,
        delay.std().as_secs_f64(),
        note.map(clean_text),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Leaves open trades that a worker had followed to the schedulers, who look at them now.
///
/// # Errors
/// [`StoreError`].
pub async fn hand_back(pool: &PgPool, trades: &[TradeId]) -> Result<(), StoreError> {
    if trades.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "WITH given AS (
             UPDATE trades SET next_check_at = least(next_check_at, now())
             WHERE id = ANY ($1) AND status IN ('PENDING', 'SUBMITTED') RETURNING id)
         SELECT pg_notify($2, 'trade')::text AS woken WHERE EXISTS (SELECT FROM given)",
        &numbers(trades),
        WAKE_CHANNEL,
    )
    .fetch_optional(pool)
    .await?;
    Ok(())
}

/// Open trades whose time has come, claimed for `lease`: the worker that settles them sets the next time.
///
/// # Errors
/// [`StoreError`].
pub async fn claim_checks(
    connection: &mut sqlx::PgConnection,
    lease: Span,
    limit: i64,
) -> Result<Vec<(TradeId, Timestamp)>, StoreError> {
    let rows = sqlx::query!(
        r#"UPDATE trades t SET next_check_at = now() + make_interval(secs => $1)
           FROM (SELECT id FROM trades WHERE status IN ('PENDING', 'SUBMITTED') AND next_check_at <= now()
                 ORDER BY next_check_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
           WHERE t.id = due.id RETURNING t.id, t.next_check_at AS "next_check_at!""#,
        lease.std().as_secs_f64(),
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (TradeId(row.id), row.next_check_at))
        .collect())
}

/// A trade that is neither executed nor failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTradeRow {
    /// Trade id.
    pub id: TradeId,
    /// Its job.
    pub job: JobId,
}

/// All open trades, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn open(pool: &PgPool) -> Result<Vec<OpenTradeRow>, StoreError> {
    let rows =
        sqlx::query!("SELECT id, job_id FROM trades WHERE status IN ('PENDING', 'SUBMITTED') ORDER BY id")
            .fetch_all(pool)
            .await?;
    let open = rows.into_iter().map(|row| OpenTradeRow {
        id: TradeId(row.id),
        job: JobId(row.job_id),
    });
    Ok(open.collect())
}
