//! Commands from a chat: the place in a bot's updates, what was taken and answered, and codes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Connection, PgConnection, PgExecutor, PgPool};

use super::tokens::Digest;
use crate::{
    domain::{Timestamp, ids::JobId, span::Span},
    store::{StoreError, columns::json, jobs, slots},
};

/// The advisory lock of the process that reads a chat: "lgi-mm" in ASCII, and a number.
const LOCK: i64 = 0x6c67_692d_6d6d_0003;

/// Takes the lock for as long as this connection lives. `false`: another process holds it.
///
/// # Errors
/// [`StoreError`].
pub async fn lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK)
            .fetch_one(connection)
            .await?,
    )
}

/// The first update that was not taken. `None`: begin with the first that Telegram still has. After a week without any
/// it may choose lower numbers, so an old place counts no more.
///
/// # Errors
/// [`StoreError`].
pub async fn place(connection: &mut PgConnection, bot: i64) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT next_update FROM chat_bots WHERE bot = $1 AND seen_at > clock_timestamp() - interval '6 days'",
        bot
    )
    .fetch_optional(connection)
    .await?)
}

/// What a person wrote, in which update.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// The bot's number.
    pub bot: i64,
    /// The update's number.
    pub update: i64,
    /// Where it was written.
    pub chat: i64,
    /// Who wrote it.
    pub person: i64,
    /// The text.
    pub command: &'a str,
    /// SHA-256 of bot, person and code, if the text can be a code.
    pub code: Option<&'a Digest>,
}

/// An order that waits for its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmable {
    /// The command.
    pub command: String,
    /// What it would do, as it was shown.
    pub would: String,
}

/// Notes that all updates up to this one were taken.
///
/// # Errors
/// [`StoreError`].
pub async fn skip(connection: &mut PgConnection, bot: i64, update: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO chat_bots (bot, next_update, seen_at) VALUES ($1, $2::bigint + 1, clock_timestamp())
         ON CONFLICT (bot) DO UPDATE SET next_update = EXCLUDED.next_update, seen_at = EXCLUDED.seen_at",
        bot,
        update,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a command: from now on nobody else does, whatever becomes of this process. `None`: it was taken before. A code
/// takes the order that waits for one away; the inner option has it if the code is right.
///
/// # Errors
/// [`StoreError`].
pub async fn take(
    connection: &mut PgConnection,
    arrived: Arrived<'_>,
) -> Result<Option<Option<Confirmable>>, StoreError> {
    let mut transaction = connection.begin().await?;
    skip(&mut transaction, arrived.bot, arrived.update).await?;
    let taken = sqlx::query_scalar!(
        r#"WITH code AS (
               DELETE FROM chat_codes WHERE bot = $1 AND person = $4 AND $6::bytea IS NOT NULL
               RETURNING hash, chat, command, would, expires_at
           )
           INSERT INTO chat_commands (bot, update_id, chat, person, command, confirms)
           VALUES ($1, $2, $3, $4, $5,
                   (SELECT jsonb_build_object('command', command, 'would', would) FROM code
                    WHERE hash = $6 AND chat = $3 AND expires_at > clock_timestamp()))
           ON CONFLICT DO NOTHING RETURNING confirms"#,
        arrived.bot,
        arrived.update,
        arrived.chat,
        arrived.person,
        arrived.command,
        arrived.code.map(Digest::as_slice),
    )
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    taken
        .map(|confirms: Option<Value>| {
            confirms
                .map(|order| json("chat_commands.confirms", order))
                .transpose()
        })
        .transpose()
}

/// A command that was taken and whose answer was not sent.
#[derive(Debug, Clone)]
pub struct Open {
    /// The update's number.
    pub update: i64,
    /// Where it was written.
    pub chat: i64,
    /// Who wrote it.
    pub person: i64,
    /// The text.
    pub command: String,
    /// What it confirms.
    pub confirms: Option<Confirmable>,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The answer, if there is one.
    pub answer: Option<String>,
}

/// Commands of the last hour whose answer was not sent, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn open(connection: &mut PgConnection, bot: i64) -> Result<Vec<Open>, StoreError> {
    let rows = sqlx::query!(
        "SELECT update_id, chat, person, command, confirms, taken_at, answer FROM chat_commands
         WHERE bot = $1 AND sent_at IS NULL AND taken_at > clock_timestamp() - interval '1 hour' ORDER BY update_id",
        bot
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Open {
                update: row.update_id,
                chat: row.chat,
                person: row.person,
                command: row.command,
                confirms: row
                    .confirms
                    .map(|order| json("chat_commands.confirms", order))
                    .transpose()?,
                taken_at: row.taken_at,
                answer: row.answer,
            })
        })
        .collect()
}

/// Whether the audit has anything of this actor since then.
///
/// # Errors
/// [`StoreError`].
pub async fn has_acted(
    executor: impl PgExecutor<'_>,
    actor: &str,
    since: Timestamp,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM job_events WHERE actor = $1 AND at >= $2)
                  OR EXISTS (SELECT FROM audit WHERE actor = $1 AND at >= $2) AS "acted!""#,
        actor,
        since,
    )
    .fetch_one(executor)
    .await?)
}

/// A slot for a tick by hand, as [`slots::by_hand`]; `None`: this actor has acted since, so their command was begun,
/// perhaps by another process that still carries it out.
///
/// # Errors
/// [`StoreError`].
pub async fn tick_once(
    pool: &PgPool,
    job: JobId,
    actor: &str,
    since: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let mut tx = pool.begin().await?;
    // Two processes with one command come one after the other.
    jobs::lock(&mut tx, job).await?;
    if has_acted(&mut *tx, actor, since).await? {
        return Ok(None);
    }
    let slot = slots::by_hand_in(&mut tx, job, actor).await?;
    tx.commit().await?;
    Ok(Some(slot))
}

/// Keeps an answer until it is sent. `false`: the command has one.
///
/// # Errors
/// [`StoreError`].
pub async fn answered(pool: &PgPool, bot: i64, update: i64, answer: &str) -> Result<bool, StoreError> {
    let kept = sqlx::query!(
        "UPDATE chat_commands SET answer = $3 WHERE bot = $1 AND update_id = $2 AND answer IS NULL",
        bot,
        update,
        answer,
    )
    .execute(pool)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Notes that an answer was sent.
///
/// # Errors
/// [`StoreError`].
pub async fn sent(pool: &PgPool, bot: i64, update: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE chat_commands SET sent_at = clock_timestamp() WHERE bot = $1 AND update_id = $2",
        bot,
        update,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Who must type a code back, and where.
#[derive(Debug, Clone, Copy)]
pub struct Holder {
    /// The bot's number.
    pub bot: i64,
    /// Where it was written.
    pub chat: i64,
    /// Who wrote it.
    pub person: i64,
}

/// Lets an order wait for its code, in place of the one that this person gave before.
///
/// # Errors
/// [`StoreError`].
pub async fn await_code(
    pool: &PgPool,
    holder: Holder,
    hash: &Digest,
    order: &Confirmable,
    lasts: Span,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO chat_codes (bot, person, chat, hash, command, would, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7::bigint))
         ON CONFLICT (bot, person) DO UPDATE SET chat = EXCLUDED.chat, hash = EXCLUDED.hash,
             command = EXCLUDED.command, would = EXCLUDED.would, expires_at = EXCLUDED.expires_at",
        holder.bot,
        holder.person,
        holder.chat,
        hash.as_slice(),
        order.command,
        order.would,
        i64::try_from(lasts.std().as_secs()).unwrap_or(i64::MAX),
    )
    .execute(pool)
    .await?;
    Ok(())
}
