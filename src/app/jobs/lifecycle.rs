//! Pause, resume, liquidate and remove: one job, several, or all of a kind.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::{
    left::Left,
    selected::{Jobs, Refused, Selected, about},
};
use crate::app::message::{Advice, Message, message};
use crate::{
    app::{Actor, App, AppError, ErrorKind, name::JobName, whole::shown},
    domain::{
        ids::{AuditId, JobId},
        job::{Command, JobStatus, Transition, transition},
        liquidate::Liquidation,
        span::Span,
    },
    store::{
        bulk::{self, Back, Seen},
        jobs::{CommandError, Job},
        orders::Order,
        views,
    },
};

/// A job before and after a command.
#[derive(Debug, Serialize)]
pub struct Changed {
    #[serde(flatten)]
    pub name: JobName,
    pub before: JobStatus,
    pub after: After,
    /// False: the job already had this status, or its status does not allow the command.
    pub changed: bool,
    /// The job had this status before the command.
    #[serde(skip)]
    pub already: bool,
    pub note: Option<Message>,
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

/// What a command did, job by job.
#[derive(Debug)]
pub struct Report {
    /// By job number.
    pub jobs: Vec<Changed>,
    /// Jobs that were named and could not follow.
    pub refused: Vec<Refused>,
    /// The pause that [`resume_paused_by`] undoes.
    pub pause: Option<AuditId>,
    /// Number of jobs that the request means.
    pub matched: usize,
}

impl Report {
    /// What to say of a request for several jobs that changed none; `None`: it changed one, or refused one that it
    /// named.
    #[must_use]
    pub fn nothing(&self) -> Option<Message> {
        if !self.refused.is_empty() || self.jobs.iter().any(|job| job.changed) {
            return None;
        }
        Some(match self.matched {
            0 => message![
                "nothing was changed: no job fits the request; ",
                Advice::ListJobs,
                " shows all jobs"
            ],
            fit => Message::from(format!(
                "nothing was changed: {fit} {} the request, and the status of each already is, or does not allow, what was asked",
                if fit == 1 { "job fits" } else { "jobs fit" },
            )),
        })
    }

    /// The error of a request that named jobs of which some could not follow: of the kind of the first.
    #[must_use]
    pub fn failure(&self) -> Option<AppError> {
        let kind = self.refused.first()?.error.kind();
        let (lost, all) = (
            self.refused.len(),
            self.refused.len().saturating_add(self.jobs.len()),
        );
        let problem = format!("{lost} of {all} jobs could not follow; each says why above");
        Some(Message::from(problem).error(kind))
    }
}

/// Stops new trades and keeps the positions: all selected jobs in one statement.
///
/// # Errors
/// [`AppError`] if the database does not answer; nothing changes then.
pub async fn pause(app: &App, which: &Jobs, actor: &Actor) -> Result<Report, AppError> {
    let selected = Selected::find(app, which).await?;
    let stopped = bulk::pause(&app.pool, &selected.selection, actor.as_str()).await?;
    let mut report = Report::new(selected.unknown);
    report.pause = stopped.pause;
    report.matched = selected.jobs.len();
    for job in &selected.jobs {
        if !stopped.jobs.iter().any(|(name, _)| name.job == job.id) {
            report.kept(job, Command::Pause, selected.named);
        }
    }
    report
        .jobs
        .extend(stopped.jobs.into_iter().map(|(name, before)| Changed {
            name: name.into(),
            before,
            after: After::Status(JobStatus::Paused),
            changed: true,
            already: false,
            note: note(Order::Pause),
        }));
    Ok(report.sorted())
}

/// Continues after a pause or an error. `seen`: only jobs that are as they were when this was agreed to.
///
/// # Errors
/// [`AppError`] if the database does not answer; nothing changes then.
pub async fn resume(app: &App, which: &Jobs, seen: Option<&Seen>, actor: &Actor) -> Result<Report, AppError> {
    change(app, which, Order::Resume, seen, actor).await
}

/// Undoes a pause: each job that it stopped, and that nobody has touched since, is as it was.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there was no such pause.
pub async fn resume_paused_by(app: &App, pause: AuditId, actor: &Actor) -> Result<Report, AppError> {
    let Some(back) = bulk::resume_paused_by(&app.pool, pause, actor.as_str()).await? else {
        let problem =
            format!("there is no pause {pause}: a pause of several jobs prints its number as its last line");
        return Err(Message::from(problem).error(ErrorKind::NotFound));
    };
    let worker = worker_note(app).await?;
    let mut report = Report::new(vec![]);
    report.matched = back.len();
    for (name, before, back) in back {
        let name = JobName::from(name);
        let changed = matches!(back, Back::To(_));
        let (after, note) = match back {
            Back::To(JobStatus::Error) => (JobStatus::Error, Some("as before that pause".into())),
            Back::To(status) => (status, worker.clone()),
            Back::Changed => (before, Some("its status has changed since that pause".into())),
            Back::Removed => (before, Some("was removed since that pause".into())),
            Back::Refused(error) => {
                report.refused.push(Refused {
                    name: name.to_string(),
                    error: error.into(),
                });
                continue;
            }
        };
        report.jobs.push(Changed {
            name,
            before,
            after: After::Status(after),
            changed,
            already: false,
            note,
        });
    }
    Ok(report.sorted())
}

/// Removes idle jobs from the list.
///
/// # Errors
/// [`AppError`] if the database does not answer; nothing changes then.
pub async fn remove(app: &App, which: &Jobs, actor: &Actor) -> Result<Report, AppError> {
    change(app, which, Order::Remove, None, actor).await
}

/// How to sell; validated.
#[derive(Debug, Clone, Copy)]
pub struct LiquidateRequest {
    over: Span,
    slices: u32,
}

impl LiquidateRequest {
    /// Number of sells and the time from the first to the last; `None`: one.
    #[must_use]
    pub fn parts(self) -> Option<(u32, Span)> {
        (self.slices > 1).then_some((self.slices, self.over))
    }

    /// Sells spread over `over`; without a number of sells one, or 12 if they are spread: the note of each job says so.
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

/// Sells everything the selected jobs bought.
///
/// # Errors
/// [`AppError`] if the database does not answer; nothing changes then.
pub async fn liquidate(
    app: &App,
    which: &Jobs,
    request: LiquidateRequest,
    actor: &Actor,
) -> Result<Report, AppError> {
    let LiquidateRequest { over, slices } = request;
    change(app, which, Order::Liquidate { over, slices }, None, actor).await
}

/// One transaction for all jobs; those that cannot follow stay as they are.
async fn change(
    app: &App,
    which: &Jobs,
    order: Order,
    seen: Option<&Seen>,
    actor: &Actor,
) -> Result<Report, AppError> {
    let selected = Selected::find(app, which).await?;
    let ids: Vec<JobId> = selected.jobs.iter().map(|job| job.id).collect();
    let made = bulk::order(&app.pool, &ids, order, seen, actor.as_str()).await?;
    let worker = match order {
        Order::Liquidate { .. } | Order::Resume => worker_note(app).await?,
        Order::Start { .. } | Order::Pause | Order::Remove => None,
    };
    let mut report = Report::new(selected.unknown);
    report.matched = selected.jobs.len();
    for (job, (_, outcome)) in selected.jobs.iter().zip(made) {
        let (before, after) = match outcome {
            Err(CommandError::Refused(_)) if !selected.named => {
                report.kept(job, order.command(), false);
                continue;
            }
            Err(error) => {
                report.refuse(job, about(job, error));
                continue;
            }
            Ok((_, Transition::Already)) => match keeps_its_plan(job, order) {
                Err(error) => {
                    report.refuse(job, error);
                    continue;
                }
                Ok(()) => (job.status, After::Status(job.status)),
            },
            Ok((before, Transition::To(status))) => (before, After::Status(status)),
            Ok((before, Transition::Archived)) => (before, After::Removed),
        };
        let changed = after != After::Status(before);
        report.jobs.push(Changed {
            name: job.into(),
            before,
            after,
            changed,
            already: !changed,
            note: noted(changed.then(|| note_of(job, order)).flatten(), worker.clone()),
        });
    }
    Ok(report.sorted())
}

impl Report {
    const fn new(refused: Vec<Refused>) -> Self {
        Self {
            jobs: Vec::new(),
            refused,
            pause: None,
            matched: 0,
        }
    }

    fn sorted(mut self) -> Self {
        self.jobs.sort_unstable_by_key(|line| line.name.job);
        self
    }

    fn refuse(&mut self, job: &Job, error: AppError) {
        self.refused.push(Refused {
            name: JobName::from(job).to_string(),
            error,
        });
    }

    /// A job that a command left as it is: it has the status already, or its status does not allow the command.
    fn kept(&mut self, job: &Job, command: Command, named: bool) {
        let (already, note) = match transition(job.status, job.status_before_stop, command) {
            Err(refused) if named => return self.refuse(job, about(job, refused.into())),
            Err(_) => (false, Some(format!("cannot be {}", command.done()).into())),
            Ok(_) => (true, None),
        };
        self.jobs.push(Changed {
            name: job.into(),
            before: job.status,
            after: After::Status(job.status),
            changed: false,
            already,
            note,
        });
    }
}

/// What is missing for the jobs to trade.
async fn worker_note(app: &App) -> Result<Option<Message>, AppError> {
    let health = views::health(&app.pool, Utc::now()).await?;
    Ok(
        (health.workers_alive == 0)
            .then(|| message!["no worker is running: start one with ", Advice::Daemon]),
    )
}

/// What becomes of the job, and what is missing for it.
fn noted(note: Option<Message>, worker: Option<Message>) -> Option<Message> {
    match (note, worker) {
        (Some(note), Some(worker)) => {
            let mut pieces = note.pieces();
            pieces.push("; ".into());
            pieces.extend(worker.pieces());
            Some(Message::new(pieces))
        }
        (note, worker) => note.or(worker),
    }
}

fn note_of(job: &Job, order: Order) -> Option<Message> {
    if !matches!(order, Order::Remove) {
        return note(order);
    }
    let stays = "its history stays in the database";
    let Some(left) = Left::of(job) else {
        return Some(stays.into());
    };
    let Left { tokens, cost_usd, .. } = left;
    Some(message![
        format!("{stays}; {left}; in a job of this token, "),
        Advice::AdoptTokens {
            tokens: tokens.to_string(),
            cost: cost_usd.to_string(),
        },
        " counts them again"
    ])
}

fn note(order: Order) -> Option<Message> {
    let note = match order {
        Order::Pause => "no new trades from now on; a trade that was sent is still settled",
        Order::Liquidate { over, slices } => {
            return Some(match slices {
                1 => "sells what this job bought, then becomes IDLE".into(),
                _ => format!("sells what this job bought in {slices} parts over {over}, then becomes IDLE")
                    .into(),
            });
        }
        Order::Start { .. } | Order::Resume | Order::Remove => return None,
    };
    Some(note.into())
}

/// A running liquidation keeps its plan: another plan is refused, not ignored.
fn keeps_its_plan(job: &Job, order: Order) -> Result<(), AppError> {
    let (Order::Liquidate { over, slices }, Some(plan)) = (order, job.liquidation) else {
        return Ok(());
    };
    if (over, slices) == (plan.over(), plan.slices()) {
        return Ok(());
    }
    let problem = format!(
        "{} is LIQUIDATING with another plan: {} of {} slices over {} are done; for a new plan ",
        JobName::from(job),
        plan.slices_done(),
        plan.slices(),
        plan.over(),
    );
    Err(message![problem, Advice::Pause(job.id), " it, then liquidate again"].refused())
}
