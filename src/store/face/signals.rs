//! Signals from outside: what each did, in the transaction that did it. So it is done once, however often it is
//! delivered, also if a process ends in the middle.

use sqlx::{Acquire, PgConnection, PgPool};

use super::tokens::Digest;
use crate::{
    domain::{
        Timestamp,
        config::OrderSide,
        ids::JobId,
        job::{FAILURES_IN_A_ROW_MAX, JobMode, JobStatus, Transition},
        signal::SignalAction,
        units::Amount,
    },
    store::{
        StoreError,
        columns::word,
        jobs::{self, CommandError, Job},
        leaving,
        orders::{self, Order},
        session::begin,
        slots,
    },
};

/// A signal whose signature was checked.
#[derive(Debug, Clone, Copy)]
pub struct Signal<'a> {
    /// Its name in the settings.
    pub name: &'a str,
    /// Its `webhook-id`.
    pub id: &'a str,
    /// SHA-256 of its body.
    pub body: &'a Digest,
    /// The job that it is for.
    pub job: JobId,
    /// What it asks.
    pub action: SignalAction,
}

/// Outcome of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// It was delivered before, and this is what was done then.
    pub again: bool,
    /// Status of the job before it.
    pub before: JobStatus,
    /// Status of the job after it.
    pub after: JobStatus,
    /// The slot that a tick evaluates.
    pub slot: Option<Timestamp>,
    /// Why nothing was done.
    pub refused: Option<String>,
}

/// Why a signal does nothing.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("it was removed")]
    Removed,
    #[error("it is in ERROR: its owner looks at it first, and resumes it")]
    InError,
    #[error("{by} has paused it: who paused it resumes it")]
    PausedBy {
        by: String,
        /// The signal had paused it too, and takes that back.
        withdraws: bool,
    },
    #[error("its trades failed {0} times in a row: its owner looks at it first, and resumes it")]
    Failing(u32),
    #[error("its mode is {0}: a signal places orders only for a job of mode ORDER; allow it a tick instead")]
    Mode(JobMode),
    #[error("its order sells, and the tokens of a sale are given by hand; place it with `order sell`")]
    Sells,
    #[error("its order is {0}, not IDLE: one order at a time")]
    Placed(JobStatus),
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Command(error.into())
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Command(error.into())
    }
}

/// Carries a signal out, unless one with its id was carried out before. `None`: another signal had its id.
///
/// # Errors
/// [`StoreError`]; nothing is done then, and the same signal may be delivered again.
pub async fn receive(pool: &PgPool, signal: Signal<'_>, actor: &str) -> Result<Option<Received>, StoreError> {
    let mut tx = begin(pool).await?;
    let job = jobs::lock(&mut tx, signal.job).await?;
    // A delivery with the same id waits for the lock on the job, then sees the row.
    if let Some(known) = known(&mut tx, signal).await? {
        return Ok(known);
    }
    // What is refused in the middle leaves nothing behind but the row.
    let mut attempt = tx.begin().await?;
    let received = match carry_out(&mut attempt, signal.action, &job, actor).await {
        Ok((after, slot)) => {
            attempt.commit().await?;
            Received {
                again: false,
                before: job.status,
                after,
                slot,
                refused: None,
            }
        }
        Err(Refusal::Command(CommandError::Store(error))) => return Err(error),
        Err(refusal) => {
            attempt.rollback().await?;
            if matches!(refusal, Refusal::PausedBy { withdraws: true, .. }) {
                orders::withdraw_pause(&mut tx, signal.job, actor).await?;
            }
            Received {
                again: false,
                before: job.status,
                after: job.status,
                slot: None,
                refused: Some(refusal.to_string()),
            }
        }
    };
    let noted = note(&mut tx, signal, &received).await;
    match noted {
        Ok(()) => {
            tx.commit().await?;
            Ok(Some(received))
        }
        // The same id for another job, delivered at the same time: the settings were changed meanwhile.
        Err(error) if error.constraint() == Some("signals_pkey") => Ok(None),
        Err(error) => Err(error),
    }
}

/// `Some(None)`: another signal had this id.
async fn known(
    connection: &mut PgConnection,
    signal: Signal<'_>,
) -> Result<Option<Option<Received>>, StoreError> {
    let row = sqlx::query!(
        "SELECT body, job_id, before, after, slot, refused FROM signals WHERE name = $1 AND id = $2",
        signal.name,
        signal.id
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.body != signal.body.as_slice() || row.job_id != signal.job.0 {
        return Ok(Some(None));
    }
    Ok(Some(Some(Received {
        again: true,
        before: word("signals.before", &row.before)?,
        after: word("signals.after", &row.after)?,
        slot: row.slot,
        refused: row.refused,
    })))
}

async fn note(
    connection: &mut PgConnection,
    signal: Signal<'_>,
    received: &Received,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO signals (name, id, body, job_id, action, before, after, slot, refused)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        signal.name,
        signal.id,
        signal.body.as_slice(),
        signal.job.0,
        signal.action.to_string(),
        received.before.to_string(),
        received.after.to_string(),
        received.slot,
        received.refused,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The job's status after it, and the slot of a tick.
async fn carry_out(
    tx: &mut PgConnection,
    action: SignalAction,
    job: &Job,
    actor: &str,
) -> Result<(JobStatus, Option<Timestamp>), Refusal> {
    if job.archived_at.is_some() {
        return Err(Refusal::Removed);
    }
    let order = match action {
        SignalAction::Tick => {
            let slot = slots::by_hand_in(tx, job.id, actor).await?;
            return Ok((job.status, Some(slot)));
        }
        // Nothing trades then, and a pause of its own would let it undo what stopped the job.
        SignalAction::Pause if job.status == JobStatus::Error => return Err(Refusal::InError),
        SignalAction::Pause => Order::Pause,
        SignalAction::Resume => {
            may_resume(tx, job, actor).await?;
            Order::Resume
        }
        SignalAction::Order => {
            ready_for_an_order(job)?;
            // What the order before bought is its owner's.
            leaving::give_up(&mut *tx, job, actor).await?;
            Order::Start {
                deposit: Amount::ZERO,
            }
        }
    };
    let (before, made) = orders::carry_out(tx, job.id, order, actor).await?;
    if action == SignalAction::Resume {
        still_failing(tx, job).await?;
    }
    Ok(match made {
        Transition::To(status) => (status, None),
        Transition::Already | Transition::Archived => (before, None),
    })
}

/// A signal undoes its own pauses alone: not those of a person or a stop, and no error.
async fn may_resume(connection: &mut PgConnection, job: &Job, actor: &str) -> Result<(), Refusal> {
    if job.status == JobStatus::Error {
        return Err(Refusal::InError);
    }
    if job.status != JobStatus::Paused {
        return Ok(());
    }
    let standing = orders::standing_pauses(connection, job.id).await?;
    let mut others = standing.iter().filter(|by| *by != actor);
    match (others.next(), standing.iter().any(|by| by == actor)) {
        (None, true) if job.failures_in_row >= FAILURES_IN_A_ROW_MAX => {
            Err(Refusal::Failing(job.failures_in_row))
        }
        (None, true) => Ok(()),
        (other, withdraws) => Err(Refusal::PausedBy {
            by: other.cloned().unwrap_or_else(|| "another".to_owned()),
            withdraws,
        }),
    }
}

/// What a signal resumes has failed as often as before, and waits as long: only its owner says that it may try again.
async fn still_failing(connection: &mut PgConnection, job: &Job) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE jobs SET failures_in_row = $2, backoff_until = $3 WHERE id = $1",
        job.id.0,
        i32::try_from(job.failures_in_row).unwrap_or(i32::MAX),
        job.last.backoff_until,
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn ready_for_an_order(job: &Job) -> Result<(), Refusal> {
    let Some(rules) = job.config.rules.order() else {
        return Err(Refusal::Mode(job.mode));
    };
    match (rules.side, job.status) {
        (OrderSide::Sell, _) => Err(Refusal::Sells),
        (OrderSide::Buy, JobStatus::Idle) => Ok(()),
        (OrderSide::Buy, status) => Err(Refusal::Placed(status)),
    }
}
