//! Turns: trades that wait for a place among the open transactions of their wallet, in the order they were planned.
//!
//! A trade that finds no place goes to sleep here. A worker that gives a place back, or takes one and leaves others,
//! calls the first that waits, in the transaction that does it: a crash leaves both or neither. Only one of a wallet is
//! called at a time, since all that go at once race for one counter. Where the first one's nonce cannot be had for a
//! reason of the whole wallet, the first one alone looks again, and the others sleep on.
//!
//! Places are counted under the lock of the signer's row, which every change of places holds: no trade goes to sleep
//! while a place has just become free.

use sqlx::{PgConnection, PgPool};

use crate::domain::{ids::TradeId, job::Account, span::Span};
use crate::store::{
    StoreError,
    columns::{clean_text, lower},
    session::begin,
};

/// A pending trade and what it needs a place for.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The trade.
    pub trade: TradeId,
    /// Its wallet.
    pub account: &'a Account,
    /// Most transactions of the wallet that may be open at once.
    pub pipeline_max: i64,
}

/// A trade's place among those that wait for a nonce of its wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnState {
    /// There is a place, and no waiting trade was planned earlier.
    pub may_go: bool,
    /// It waits already.
    pub waits: bool,
    /// It, or another trade of the wallet, waits.
    pub any_waits: bool,
}

/// The result of putting a trade to sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It is its turn, and there is a place: it goes first, until it gives its turn up.
    First,
    /// It sleeps until it is called, and checks again after a while, or when its plan expires.
    Asleep,
    /// The trade is locked by another worker.
    Taken,
}

/// Lets a trade wait for its turn, unless it has come already. `sleep`: the longest time until it checks again.
///
/// # Errors
/// [`StoreError`].
pub async fn wait(pool: &PgPool, turn: &Turn<'_>, sleep: Span, note: &str) -> Result<Waiting, StoreError> {
    let mut tx = begin(pool).await?;
    // A statement of its own: what the next one sees must be what was given and taken before the lock was had. Many may
    // go to sleep at once, one after the other, so no commit waits for the disk; a server that loses a sleeper only
    // makes its trade check again.
    sqlx::query!(
        "SELECT set_config('synchronous_commit', 'off', true) FROM signers
         WHERE realm = $1 AND chain = $2 AND address = $3 FOR NO KEY UPDATE",
        turn.account.realm.to_string(),
        turn.account.chain,
        lower(turn.account.wallet) as _,
    )
    .fetch_optional(&mut *tx)
    .await?;
    // A row that is locked is being given its nonce or its end: then nothing is left to wait for.
    let first = sqlx::query_scalar!(
        r#"WITH mine AS MATERIALIZED (
             SELECT id FROM trades WHERE id = $4 AND status = 'PENDING' FOR NO KEY UPDATE SKIP LOCKED
         ), turn AS (
             INSERT INTO turns (trade_id, realm, chain, wallet, called_at)
             SELECT id, $1, $2, $3::text, CASE WHEN coalesce(first_turn($1, $2, $3::text) >= id, true)
                                          AND open_transactions($1, $2, $3::text) < $5 THEN now() END
             FROM mine
             ON CONFLICT (trade_id) DO UPDATE SET called_at = excluded.called_at
             RETURNING trade_id, called_at IS NOT NULL AS first
         )
         UPDATE trades t
         SET next_check_at = CASE WHEN first THEN next_check_at
                                  ELSE least(clock_timestamp() + make_interval(secs => $6), t.expires_at) END,
             note = CASE WHEN first THEN note ELSE $7 END
         FROM turn WHERE t.id = turn.trade_id RETURNING first AS "first!""#,
        turn.account.realm.to_string(),
        turn.account.chain,
        lower(turn.account.wallet) as _,
        turn.trade.0,
        turn.pipeline_max,
        sleep.std().as_secs_f64(),
        clean_text(note),
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(match first {
        Some(true) => Waiting::First,
        Some(false) => Waiting::Asleep,
        None => Waiting::Taken,
    })
}

/// Calls the first that waits, if there is a place for it and it was not called before. The caller holds the lock of
/// the signer's row, and its transaction is the one that changed what is open or who waits.
///
/// # Errors
/// [`StoreError`].
pub(in crate::store) async fn call(
    connection: &mut PgConnection,
    account: &Account,
    pipeline_max: i64,
) -> Result<(), StoreError> {
    // The worker that holds the trade's row is settling it and looks for itself; waiting for it could deadlock.
    sqlx::query!(
        "WITH free AS MATERIALIZED (
             SELECT t.id FROM trades t
             WHERE t.id = first_turn($1, $2, $3) AND open_transactions($1, $2, $3) < $4
             FOR NO KEY UPDATE SKIP LOCKED
         ), called AS (
             UPDATE turns w SET called_at = now() FROM free WHERE w.trade_id = free.id AND w.called_at IS NULL
             RETURNING w.trade_id
         ), woken AS (
             UPDATE trades t SET next_check_at = now() FROM called WHERE t.id = called.trade_id RETURNING t.id
         )
         SELECT pg_notify($5, 'turn') FROM woken",
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
        pipeline_max,
        crate::store::WAKE_CHANNEL,
    )
    .fetch_optional(connection)
    .await?;
    Ok(())
}

/// Whether a trade waits for its turn and was not called yet.
///
/// # Errors
/// [`StoreError`].
pub(in crate::store) async fn sleeps(
    connection: &mut PgConnection,
    trade: TradeId,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM turns WHERE trade_id = $1 AND called_at IS NULL) AS "sleeps!""#,
        trade.0
    )
    .fetch_one(connection)
    .await?)
}

/// Locks the signer's row, if there is one: no nonce is given out and no place given back until the transaction ends.
async fn lock(connection: &mut PgConnection, account: &Account) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT FROM signers WHERE realm = $1 AND chain = $2 AND address = $3 FOR NO KEY UPDATE",
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
    )
    .fetch_optional(connection)
    .await?;
    Ok(())
}

/// Gives a trade's turn up, and calls the next.
///
/// # Errors
/// [`StoreError`].
pub async fn leave(pool: &PgPool, turn: &Turn<'_>) -> Result<(), StoreError> {
    let mut tx = begin(pool).await?;
    give_up(&mut tx, turn).await?;
    tx.commit().await?;
    Ok(())
}

/// [`leave`], as part of a transaction that ends the trade.
///
/// # Errors
/// [`StoreError`].
pub(in crate::store) async fn give_up(
    connection: &mut PgConnection,
    turn: &Turn<'_>,
) -> Result<(), StoreError> {
    lock(connection, turn.account).await?;
    let left = sqlx::query!("DELETE FROM turns WHERE trade_id = $1", turn.trade.0)
        .execute(&mut *connection)
        .await?;
    if left.rows_affected() == 1 {
        call(connection, turn.account, turn.pipeline_max).await?;
    }
    Ok(())
}
