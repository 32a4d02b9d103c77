//! Pause, resume, liquidate and remove.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use crate::app::message::{Advice, Message, message};
use crate::{
    app::{Actor, App, AppError, Target, target, whole::shown},
    domain::{
        ids::JobId,
        job::{JobStatus, Transition},
        liquidate::Liquidation,
        span::Span,
    },
    store::{
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
    pub before: JobStatus,
    pub after: After,
    /// False: the job already had this status.
    pub changed: bool,
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

/// Stops new trades and keeps the position.
pub async fn pause(app: &App, target: &Target, actor: &Actor) -> Result<Changed, AppError> {
    change(app, target, Order::Pause, actor).await
}

/// Continues after a pause or an error.
pub async fn resume(app: &App, target: &Target, actor: &Actor) -> Result<Changed, AppError> {
    change(app, target, Order::Resume, actor).await
}

/// Removes an idle job from the list.
pub async fn remove(app: &App, target: &Target, actor: &Actor) -> Result<Changed, AppError> {
    change(app, target, Order::Remove, actor).await
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

/// Sells everything a job bought.
pub async fn liquidate(
    app: &App,
    target: &Target,
    request: LiquidateRequest,
    actor: &Actor,
) -> Result<Changed, AppError> {
    let LiquidateRequest { over, slices } = request;
    change(app, target, Order::Liquidate { over, slices }, actor).await
}

async fn change(app: &App, target: &Target, order: Order, actor: &Actor) -> Result<Changed, AppError> {
    let job = target::find(&app.pool, target).await?;
    let made = orders::order(&app.pool, job.id, order, actor.as_str()).await?;
    let after = match made {
        Transition::To(status) => After::Status(status),
        Transition::Already => After::Status(job.status),
        Transition::Archived => After::Removed,
    };
    let changed = made != Transition::Already;
    if !changed {
        keeps_its_plan(&job, order)?;
    }
    let health = views::health(&app.pool, Utc::now()).await?;
    let note = if health.workers_alive == 0 && needs_worker(order) {
        Some(message!["no worker is running: start one with ", Advice::Daemon])
    } else if changed {
        note(order)
    } else {
        None
    };
    Ok(Changed {
        job: job.id,
        symbol: job.token.symbol,
        before: job.status,
        after,
        changed,
        note,
    })
}

const fn needs_worker(order: Order) -> bool {
    match order {
        Order::Liquidate { .. } | Order::Resume => true,
        Order::Start { .. } | Order::Pause | Order::Remove => false,
    }
}

fn note(order: Order) -> Option<Message> {
    let note = match order {
        Order::Pause => "no new trades from now on; a trade that was sent is still settled",
        Order::Liquidate { .. } => "sells what this job bought, then becomes IDLE",
        Order::Remove => "its history stays in the database",
        Order::Start { .. } | Order::Resume => return None,
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
        "job {} is LIQUIDATING with another plan: {} of {} slices over {} are done; for a new plan ",
        job.id,
        plan.slices_done(),
        plan.slices(),
        plan.over(),
    );
    Err(message![problem, Advice::Pause(job.id), " it, then liquidate again"].refused())
}
