//! Pause, resume, liquidate and remove: one job, several, or all of a kind.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::selected::{Jobs, Selected, about};
use crate::{
    app::{Actor, App, AppError, Target, target, whole::shown},
    domain::{
        ids::{AuditId, JobId},
        job::{Command, JobStatus, Realm, Transition, transition},
        liquidate::Liquidation,
        span::Span,
    },
    store::{
        bulk,
        jobs::Job,
        orders::{self, Order},
        views,
    },
};

/// A job before and after a command.
#[derive(Debug, Serialize)]
pub struct Changed {
    pub job: JobId,
    pub symbol: String,
    pub realm: Realm,
    pub chain: String,
    pub before: JobStatus,
    pub after: After,
    /// False: the job already had this status, or its status does not allow the command.
    pub changed: bool,
    pub note: Option<Note>,
    /// The pause that stopped this job: resuming it brings back all jobs that it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<AuditId>,
}

/// Displayed as the status, or `removed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    Status(JobStatus),
    Removed,
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Removed => f.write_str("removed"),
        }
    }
}

impl Serialize for After {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}

/// What happens next; displayed as a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    Paused,
    Liquidates,
    HistoryStays,
    NoWorker,
    /// The status does not allow this command.
    NotFor(Command),
    /// It was resumed, paused again or liquidated since the pause.
    ChangedSince,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("no new trades from now on; a trade that was sent is still settled"),
            Self::Liquidates => f.write_str("sells what this job bought, then becomes IDLE"),
            Self::HistoryStays => f.write_str("its history stays in the database"),
            Self::NoWorker => f.write_str("no worker is running: start one with `lgi-mm daemon`"),
            Self::NotFor(command) => write!(f, "cannot be {}", command.done()),
            Self::ChangedSince => f.write_str("its status has changed since that pause"),
        }
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}

/// Stops new trades and keeps the positions: all selected jobs in one statement. Named jobs are paused together or not
/// at all; of a kind of jobs, those that trade.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::Refused`] if the status of a named job does not allow it.
pub async fn pause(app: &App, which: &Jobs, actor: &Actor) -> Result<Vec<Changed>, AppError> {
    let selected = Selected::find(app, which).await?;
    selected.must_allow(Command::Pause)?;
    let stopped = bulk::pause(&app.pool, &selected.selection, actor.as_str()).await?;
    let line = |job: &Job| {
        let before = stopped.jobs.iter().find(|(id, _)| *id == job.id);
        let mut line = Changed::unchanged(job, Command::Pause);
        if let Some((_, before)) = before {
            line.before = *before;
            line.after = After::Status(JobStatus::Paused);
            line.changed = true;
            line.note = Some(Note::Paused);
            line.pause = stopped.pause;
        }
        line
    };
    Ok(selected.jobs.iter().map(line).collect())
}

/// Continues after a pause or an error: all named jobs or none.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::Refused`] if the status of a job does not allow it.
pub async fn resume(app: &App, which: &Jobs, actor: &Actor) -> Result<Vec<Changed>, AppError> {
    let selected = Selected::find(app, which).await?;
    change(app, &selected, Order::Resume, actor).await
}

/// Resumes exactly the jobs that a pause stopped and that nobody has touched since.
///
/// # Errors
/// [`AppError::NotFound`] if there was no such pause.
pub async fn resume_paused_by(app: &App, pause: AuditId, actor: &Actor) -> Result<Vec<Changed>, AppError> {
    let stopped = bulk::paused_by(&app.pool, pause).await?;
    if stopped.is_empty() {
        return Err(AppError::NotFound(format!(
            "no job was paused by {pause}; `lgi-mm pause` prints the number of each pause"
        )));
    }
    let (still, since): (Vec<_>, Vec<_>) = stopped.into_iter().partition(|stopped| stopped.still);
    let ids = |jobs: Vec<bulk::PausedBy>| jobs.into_iter().map(|stopped| stopped.job).collect();
    let resumed = Selected::numbered(app, ids(still)).await?;
    let mut lines = change(app, &resumed, Order::Resume, actor).await?;
    for job in Selected::numbered(app, ids(since)).await?.jobs {
        let mut line = Changed::unchanged(&job, Command::Resume);
        line.note = Some(Note::ChangedSince);
        lines.push(line);
    }
    Ok(lines)
}

/// Removes an idle job from the list.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::Refused`] if the job is not idle.
pub async fn remove(app: &App, target: &Target, actor: &Actor) -> Result<Changed, AppError> {
    let job = target::find(&app.pool, target).await?;
    let made = orders::order(&app.pool, job.id, Order::Remove, actor.as_str())
        .await
        .map_err(|error| about(&job, error))?;
    let mut line = Changed::unchanged(&job, Command::Remove);
    line.apply(made, Order::Remove);
    Ok(line)
}

/// How to sell; validated.
#[derive(Debug, Clone, Copy)]
pub struct LiquidateRequest {
    over: Span,
    slices: u32,
}

impl LiquidateRequest {
    /// Sells spread over `over`; without a number of sells one, or 12 if they are spread.
    ///
    /// # Errors
    /// [`AppError::Usage`] if the number or the span is out of range.
    pub fn new(over: Span, slices: Option<u32>) -> Result<Self, AppError> {
        let slices = slices.unwrap_or(if over.is_zero() { 1 } else { 12 });
        Liquidation::new(DateTime::UNIX_EPOCH, over, slices)
            .map_err(|error| AppError::Usage(format!("liquidate: {error}")))?;
        Ok(Self { over, slices })
    }
}

/// Sells everything the selected jobs bought. Named jobs are liquidated together or not at all; of a kind of jobs,
/// those whose status allows it.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::Refused`] if the status of a named job does not allow it.
pub async fn liquidate(
    app: &App,
    which: &Jobs,
    request: LiquidateRequest,
    actor: &Actor,
) -> Result<Vec<Changed>, AppError> {
    let selected = Selected::find(app, which).await?;
    let LiquidateRequest { over, slices } = request;
    change(app, &selected, Order::Liquidate { over, slices }, actor).await
}

async fn change(
    app: &App,
    selected: &Selected,
    order: Order,
    actor: &Actor,
) -> Result<Vec<Changed>, AppError> {
    let ids: Vec<JobId> = selected.jobs.iter().map(|job| job.id).collect();
    if selected.named {
        for job in &selected.jobs {
            keeps_its_plan(job, order)?;
        }
    }
    let made = bulk::order(&app.pool, &ids, order, selected.named, actor.as_str())
        .await
        .map_err(
            |(job, error)| match selected.jobs.iter().find(|found| Some(found.id) == job) {
                Some(job) => about(job, error),
                None => error.into(),
            },
        )?;
    let alive = views::health(&app.pool, Utc::now()).await?.workers_alive;
    let mut lines = Vec::with_capacity(made.len());
    for (job, made) in selected.jobs.iter().zip(made) {
        let mut line = Changed::unchanged(job, order.command());
        if let (_, Ok(made)) = made {
            line.apply(made, order);
            if alive == 0 {
                line.note = Some(Note::NoWorker);
            }
        }
        lines.push(line);
    }
    Ok(lines)
}

impl Changed {
    fn unchanged(job: &Job, command: Command) -> Self {
        let refused = transition(job.status, job.status_before_stop, command).is_err();
        Self {
            job: job.id,
            symbol: job.token.symbol.clone(),
            realm: job.account.realm,
            chain: job.account.chain.clone(),
            before: job.status,
            after: After::Status(job.status),
            changed: false,
            note: refused.then_some(Note::NotFor(command)),
            pause: None,
        }
    }

    fn apply(&mut self, made: Transition, order: Order) {
        (self.after, self.changed) = match made {
            Transition::To(status) => (After::Status(status), true),
            Transition::Already => (After::Status(self.before), false),
            Transition::Archived => (After::Removed, true),
        };
        self.note = if self.changed { note(order) } else { None };
    }
}

const fn note(order: Order) -> Option<Note> {
    match order {
        Order::Pause => Some(Note::Paused),
        Order::Liquidate { .. } => Some(Note::Liquidates),
        Order::Remove => Some(Note::HistoryStays),
        Order::Start { .. } | Order::Resume => None,
    }
}

/// A running liquidation keeps its plan: another plan is refused, not ignored.
fn keeps_its_plan(job: &Job, order: Order) -> Result<(), AppError> {
    let (Order::Liquidate { over, slices }, JobStatus::Liquidating, Some(plan)) =
        (order, job.status, job.liquidation)
    else {
        return Ok(());
    };
    if (over, slices) == (plan.over(), plan.slices()) {
        return Ok(());
    }
    Err(AppError::Refused(format!(
        "job {id} is LIQUIDATING with another plan: {} of {} slices over {} are done; for a new plan `lgi-mm pause {id}` \
         it, then liquidate again",
        plan.slices_done(),
        plan.slices(),
        plan.over(),
        id = job.id,
    )))
}
