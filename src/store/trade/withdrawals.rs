//! Withdrawals: what the owner takes out of a wallet. Nonce, amount, receiver and signed bytes are recorded in one
//! transaction before anything is sent, as for a trade.

use alloy_primitives::{Address, B256};
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::domain::{
    Timestamp,
    ids::{TradeId, TransactionId, Version, WithdrawalId},
    job::Account,
    onchain::{Asset, SignedTransaction},
    pool::NATIVE,
    span::Span,
    trade::{FailureKind, TradeState, TradeStatus},
    units::{Amount, Usd},
};
use crate::store::{
    StoreError,
    columns::{address, amount, clean_text, lower, unsigned, usd, word},
    room::{Reservation, room},
    session::begin,
    signers::{self, Signed, SignerState},
    submission::Submitted,
    trades, turns,
};

/// A withdrawal to record.
#[derive(Debug, Clone)]
pub struct NewWithdrawal<'a> {
    /// The wallet that pays.
    pub account: &'a Account,
    /// The counter as it was when the transaction was signed and the balances read.
    pub seen: &'a SignerState,
    /// What is paid.
    pub asset: Asset,
    /// Its ticker.
    pub symbol: &'a str,
    /// Its decimals.
    pub decimals: u8,
    /// How much, base units.
    pub amount: Amount,
    /// Who gets it.
    pub receiver: Address,
    /// Who ordered it.
    pub actor: &'a str,
    /// Whether all that was free was ordered, not an amount.
    pub takes_all: bool,
    /// A second order with this key pays nothing.
    pub request_key: Option<&'a str>,
    /// The transaction, which takes `seen.next_nonce`.
    pub signed: &'a Signed,
    /// It is cancelled if it is not mined by then.
    pub deadline: Timestamp,
    /// What it may take out of the wallet.
    pub reservations: &'a [Reservation],
    /// Most that gas may take, wei.
    pub gas_max: Amount,
    /// Most transactions of one signer that may be open at once.
    pub pipeline_max: i64,
}

/// Takes a nonce, reserves and records, all or nothing. Nothing may be sent before this has committed. An order whose
/// key is on record is that one: the row of the signer, which is locked here, lets no two of them pass.
///
/// # Errors
/// [`StoreError`]; the answer is why nothing was recorded, if nothing was.
pub async fn create(
    pool: &PgPool,
    new: &NewWithdrawal<'_>,
) -> Result<Result<WithdrawalId, Submitted>, StoreError> {
    let mut tx = begin(pool).await?;
    if !signers::take_nonces(&mut tx, new.account, new.seen, 1).await? {
        return Ok(Err(Submitted::Raced));
    }
    if let Some(key) = new.request_key
        && let Some(id) = of_key(&mut *tx, new.account, key).await?
    {
        return Ok(Ok(id));
    }
    let room = room(&mut *tx, new.account).await?;
    if room.open >= new.pipeline_max {
        return Ok(Err(Submitted::PipelineFull));
    }
    if let Some(asset) = room.lacks(new.reservations) {
        return Ok(Err(Submitted::Unfunded(asset)));
    }
    let id = sqlx::query_scalar!(
        "INSERT INTO withdrawals (realm, chain, wallet, asset, symbol, decimals, amount, receiver, actor, gas_max, takes_all,
                                  request_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8, $9, $10::text::numeric, $11, $12) RETURNING id",
        new.account.realm.to_string(),
        new.account.chain,
        lower(new.account.wallet) as _,
        new.asset.to_string(),
        new.symbol,
        i16::from(new.decimals),
        new.amount.to_string(),
        lower(new.receiver) as _,
        new.actor,
        new.gas_max.to_string(),
        new.takes_all,
        new.request_key,
    )
    .fetch_one(&mut *tx)
    .await?;
    let transaction = sqlx::query_scalar!(
        "INSERT INTO transactions (withdrawal_id, realm, chain, signer, nonce, purpose, deadline)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        id,
        new.account.realm.to_string(),
        new.account.chain,
        lower(new.account.wallet) as _,
        crate::store::columns::to_i64("transactions.nonce", new.seen.next_nonce)?,
        new.signed.purpose.to_string(),
        new.deadline,
    )
    .fetch_one(&mut *tx)
    .await?;
    signers::insert_attempt(&mut tx, TransactionId(transaction), new.signed).await?;
    signers::wake(&mut tx).await?;
    tx.commit().await?;
    Ok(Ok(WithdrawalId(id)))
}

/// The withdrawal of an account that was ordered with this key.
///
/// # Errors
/// [`StoreError`].
pub async fn of_key(
    executor: impl PgExecutor<'_>,
    account: &Account,
    key: &str,
) -> Result<Option<WithdrawalId>, StoreError> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM withdrawals WHERE realm = $1 AND chain = $2 AND wallet = $3 AND request_key = $4",
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        key,
    )
    .fetch_optional(executor)
    .await?;
    Ok(id.map(WithdrawalId))
}

/// A withdrawal as recorded.
#[derive(Debug, Clone)]
pub struct Withdrawal {
    /// Row id.
    pub id: WithdrawalId,
    /// The wallet that pays.
    pub account: Account,
    /// What is paid.
    pub asset: Asset,
    /// Its ticker.
    pub symbol: String,
    /// Its decimals.
    pub decimals: u8,
    /// How much, base units.
    pub amount: Amount,
    /// Who gets it.
    pub receiver: Address,
    /// SUBMITTED, EXECUTED or FAILED.
    pub status: TradeStatus,
    /// Whether all that was free was ordered, not an amount.
    pub takes_all: bool,
    /// The key of its order.
    pub request_key: Option<String>,
    /// What it waits for, or why it failed.
    pub note: Option<String>,
    /// What it paid for gas.
    pub gas_usd: Usd,
    /// What was paid was worth in its block, if that is known.
    pub value_usd: Option<Usd>,
    /// Whether a reorg can undo nothing of it any more.
    pub is_final: bool,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// Version it was read at.
    pub version: Version,
    /// When it was read, by the database's clock.
    pub read_at: Timestamp,
    /// Its transaction, as the lifecycle of trades sees it: as if it were open.
    pub state: TradeState,
    /// All that was signed for it, oldest first.
    pub signed: Vec<SignedTransaction>,
}

/// Loads a withdrawal.
///
/// # Errors
/// [`StoreError`].
pub async fn load(pool: &PgPool, id: WithdrawalId) -> Result<Withdrawal, StoreError> {
    let row = sqlx::query!(
        r#"SELECT realm, chain, wallet::text AS "wallet!", asset, symbol, decimals, amount::text AS "amount!",
                  receiver::text AS "receiver!", status, note, gas_usd::numeric AS "gas_usd!: rust_decimal::Decimal",
                  value_usd::numeric AS "value_usd?: rust_decimal::Decimal", takes_all, request_key,
                  next_check_at IS NULL AS "is_final!", created_at, version, clock_timestamp() AS "read_at!"
           FROM withdrawals WHERE id = $1"#,
        id.0
    )
    .fetch_one(pool)
    .await?;
    let (transactions, signed) = trades::of_withdrawal(pool, id).await?;
    Ok(Withdrawal {
        id,
        account: Account {
            realm: word("withdrawals.realm", &row.realm)?,
            chain: row.chain,
            wallet: address("withdrawals.wallet", &row.wallet)?,
        },
        asset: word("withdrawals.asset", &row.asset)?,
        symbol: row.symbol,
        decimals: unsigned("withdrawals.decimals", row.decimals.into())?,
        amount: amount("withdrawals.amount", &row.amount)?,
        receiver: address("withdrawals.receiver", &row.receiver)?,
        status: word("withdrawals.status", &row.status)?,
        note: row.note,
        gas_usd: usd("withdrawals.gas_usd", row.gas_usd)?,
        value_usd: row
            .value_usd
            .map(|value| usd("withdrawals.value_usd", value))
            .transpose()?,
        takes_all: row.takes_all,
        request_key: row.request_key,
        is_final: row.is_final,
        created_at: row.created_at,
        version: Version(row.version),
        read_at: row.read_at,
        state: TradeState {
            status: TradeStatus::Submitted,
            expires_at: row.created_at,
            transactions,
        },
        signed,
    })
}

/// The oldest open trade that brings an asset into a wallet: a buy of it, or a sale for it.
///
/// # Errors
/// [`StoreError`].
pub async fn arriving(pool: &PgPool, account: &Account, asset: Asset) -> Result<Option<TradeId>, StoreError> {
    let address = match asset {
        Asset::Native => NATIVE,
        Asset::Token(token) => token,
    };
    let id = sqlx::query_scalar!(
        "SELECT t.id FROM trades t JOIN jobs j ON j.id = t.job_id
         WHERE t.status = 'SUBMITTED' AND j.realm = $1 AND j.chain = $2 AND j.wallet = $3
           AND CASE t.side WHEN 'BUY' THEN j.token_address ELSE j.quote_address END = $4
         ORDER BY t.id LIMIT 1",
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        lower(address) as _,
    )
    .fetch_optional(pool)
    .await?;
    Ok(id.map(TradeId))
}

/// The newest withdrawals, newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn newest(pool: &PgPool, most: i64) -> Result<Vec<WithdrawalId>, StoreError> {
    let ids = sqlx::query_scalar!("SELECT id FROM withdrawals ORDER BY id DESC LIMIT $1", most)
        .fetch_all(pool)
        .await?;
    Ok(ids.into_iter().map(WithdrawalId).collect())
}

/// Withdrawals that are not final and due, claimed for `lease`: the worker that settles them sets the next time.
///
/// # Errors
/// [`StoreError`].
pub async fn claim(
    connection: &mut PgConnection,
    lease: Span,
    limit: i64,
) -> Result<Vec<(WithdrawalId, Timestamp)>, StoreError> {
    let rows = sqlx::query!(
        r#"UPDATE withdrawals w SET next_check_at = now() + make_interval(secs => $1)
           FROM (SELECT id FROM withdrawals WHERE next_check_at <= now()
                 ORDER BY next_check_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
           WHERE w.id = due.id RETURNING w.id, w.next_check_at AS "next_check_at!""#,
        lease.std().as_secs_f64(),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let claimed = rows.into_iter();
    Ok(claimed
        .map(|row| (WithdrawalId(row.id), row.next_check_at))
        .collect())
}

/// Looks at a withdrawal that is not final again after `delay`.
///
/// # Errors
/// [`StoreError`].
pub async fn check_again(
    pool: &PgPool,
    id: WithdrawalId,
    delay: Span,
    note: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE withdrawals SET next_check_at = clock_timestamp() + make_interval(secs => $2), note = coalesce($3, note)
         WHERE id = $1 AND next_check_at IS NOT NULL",
        id.0,
        delay.std().as_secs_f64(),
        note.map(clean_text),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Records one more attempt of a withdrawal that is still at `version`. `false`: another worker moved it first.
///
/// # Errors
/// [`StoreError`].
pub async fn record_attempt(
    pool: &PgPool,
    withdrawal: &Withdrawal,
    transaction: TransactionId,
    attempt: &Signed,
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let moved = sqlx::query!(
        "UPDATE withdrawals SET version = version + 1, next_check_at = now()
         WHERE id = $1 AND status = 'SUBMITTED' AND version = $2",
        withdrawal.id.0,
        withdrawal.version.0,
    )
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(false);
    }
    signers::insert_attempt(&mut tx, transaction, attempt).await?;
    tx.commit().await?;
    Ok(true)
}

/// How a withdrawal ended, by a transaction in a block.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Why it failed; `None`: it was paid.
    pub failure: Option<FailureKind>,
    /// Why, for people.
    pub note: Option<String>,
    /// The transaction that used the nonce.
    pub hash: B256,
    /// What all that was mined paid for gas, wei.
    pub gas_native: Amount,
    /// The same in USD.
    pub gas_usd: Usd,
    /// What was paid was worth; `None`: nothing was paid, or it has no price feed.
    pub value_usd: Option<Usd>,
    /// Look again after this; `None`: its block is final.
    pub look_again: Option<Span>,
}

/// Records how a withdrawal ended, releases what it reserved, and calls the next trade of its wallet. `false`: another
/// worker moved it first.
///
/// # Errors
/// [`StoreError`].
pub async fn end(
    pool: &PgPool,
    withdrawal: &Withdrawal,
    outcome: &Outcome,
    pipeline_max: i64,
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let status = match outcome.failure {
        None => TradeStatus::Executed,
        Some(_) => TradeStatus::Failed,
    };
    let moved = sqlx::query!(
        "UPDATE withdrawals SET status = $3, failure_kind = $4, note = $5, tx_hash = $6, gas_native = $7::text::numeric,
                gas_usd = $8::numeric, next_check_at = clock_timestamp() + make_interval(secs => $9), value_usd = $10::numeric,
                executed_at = coalesce(executed_at, now()), version = version + 1
         WHERE id = $1 AND version = $2",
        withdrawal.id.0,
        withdrawal.version.0,
        status.to_string(),
        outcome.failure.map(|kind| kind.to_string()),
        outcome.note.as_deref().map(clean_text),
        outcome.hash.as_slice(),
        outcome.gas_native.to_string(),
        outcome.gas_usd.decimal(),
        outcome.look_again.map(|delay| delay.std().as_secs_f64()),
        outcome.value_usd.map(Usd::decimal),
    )
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != 1 {
        return Ok(false);
    }
    if withdrawal.status == TradeStatus::Submitted {
        signers::balances_moved(&mut tx, &withdrawal.account).await?;
        turns::call(&mut tx, &withdrawal.account, pipeline_max).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Opens a withdrawal whose block was reorged out: the same bytes are sent again. `false`: another worker moved it
/// first.
///
/// # Errors
/// [`StoreError`].
pub async fn reopen(pool: &PgPool, withdrawal: &Withdrawal) -> Result<bool, StoreError> {
    // What it reserves again makes every balance of its signer that was read before this stale.
    let moved = sqlx::query!(
        "WITH opened AS (
             UPDATE withdrawals SET status = 'SUBMITTED', failure_kind = NULL, value_usd = NULL,
                    note = 'its block was reorged out', next_check_at = now(), version = version + 1
             WHERE id = $1 AND version = $2 AND next_check_at IS NOT NULL RETURNING realm, chain, wallet)
         UPDATE signers s SET settlements = settlements + 1 FROM opened o
         WHERE s.realm = o.realm AND s.chain = o.chain AND s.address = o.wallet",
        withdrawal.id.0,
        withdrawal.version.0,
    )
    .execute(pool)
    .await?;
    Ok(moved.rows_affected() == 1)
}
