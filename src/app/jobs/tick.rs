//! Evaluates one slot of a job now, in this process.

use std::{
    fmt,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use serde::{Serialize, Serializer};

use crate::{
    app::{Actor, App, AppError, Target, name::JobName, target, whole::shown},
    domain::{Timestamp, decision::HoldReason, ids::TradeId},
    engine::{Engine, Progress, Tick, TickOutcome},
    store::{self, chat, jobs::Job, slots},
};

/// A command whose process is gone is not taken up again later; numbers of messages may come again after days.
const ONCE_WITHIN: TimeDelta = TimeDelta::hours(2);

/// Longest wait for a final trade; after that a daemon settles it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Interval between two steps of the trade.
const STEP_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Serialize)]
pub struct Ticked {
    #[serde(flatten)]
    pub name: JobName,
    pub slot: Timestamp,
    pub decision: Ticking,
    /// Why it held.
    pub explanation: Option<String>,
    pub trade: Option<TradeId>,
    /// False: its trade is still open.
    pub is_final: bool,
}

/// Decision of the slot; displayed as `hold: in_range`, `trade` or `decided before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticking {
    Held(HoldReason),
    Traded,
    DecidedBefore,
}

impl fmt::Display for Ticking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(reason) => write!(f, "hold: {reason}"),
            Self::Traded => f.write_str("trade"),
            Self::DecidedBefore => f.write_str("decided before"),
        }
    }
}

impl Serialize for Ticking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}

/// Evaluates a job once, now, and waits for its trade for a limited time.
pub async fn tick(app: &App, target: &Target, actor: &Actor) -> Result<Ticked, AppError> {
    let job = target::find(&app.pool, target).await?;
    let slot = slots::by_hand(&app.pool, job.id, actor.as_str()).await?;
    evaluate(app, &job, slot, PATIENCE).await
}

/// The same for an actor who gives one command only; `None`: it was begun already, perhaps by another process.
pub async fn tick_once(app: &App, target: &Target, actor: &Actor) -> Result<Option<Ticked>, AppError> {
    let job = target::find(&app.pool, target).await?;
    let since = store::now(&app.pool).await? - ONCE_WITHIN;
    match chat::tick_once(&app.pool, job.id, actor.as_str(), since).await? {
        Some(slot) => evaluate(app, &job, slot, PATIENCE).await.map(Some),
        None => Ok(None),
    }
}

/// Evaluates a slot of a job in this process, and waits at most `patience` for its trade. One that was evaluated before
/// is not evaluated again.
pub(in crate::app) async fn evaluate(
    app: &App,
    job: &Job,
    slot: Timestamp,
    patience: Duration,
) -> Result<Ticked, AppError> {
    let engine = app.engine().await?;
    let tick = Tick { job: job.id, slot };
    let gone = || AppError::NotFound(format!("{} was removed", JobName::from(job)));
    let result = engine.evaluate(&[tick]).await.pop().ok_or_else(gone)?;
    let (decision, explanation, trade) = match result.outcome? {
        TickOutcome::Held { reason, detail } => {
            let why = detail.unwrap_or_else(|| HoldReason::explain(reason).to_owned());
            (Ticking::Held(reason), Some(why), None)
        }
        TickOutcome::Traded { trade } | TickOutcome::AlreadyRecorded { trade: Some(trade) } => {
            (Ticking::Traded, None, Some(trade))
        }
        TickOutcome::AlreadyRecorded { trade: None } => (Ticking::DecidedBefore, None, None),
        TickOutcome::NoSuchJob => return Err(gone()),
    };
    let is_final = match trade {
        Some(trade) => settle(&engine, trade, patience).await?,
        None => true,
    };
    Ok(Ticked {
        name: JobName::from(job),
        slot,
        decision,
        explanation,
        trade,
        is_final,
    })
}

/// Waits for the trade; false if it is not final in time.
async fn settle(engine: &Engine, trade: TradeId, patience: Duration) -> Result<bool, AppError> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if engine.drive(trade).await? == Progress::Final {
            return Ok(true);
        }
        tokio::time::sleep(STEP_INTERVAL).await;
    }
    Ok(false)
}
