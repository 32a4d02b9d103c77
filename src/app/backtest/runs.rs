//! Backtests that run while other requests are answered: started, watched, read. They are in memory alone and end with
//! the process.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tempfile::NamedTempFile;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{asked::written, outcome::computed};
use crate::{
    app::{App, AppError, ErrorKind, history, message::Message},
    config::Settings,
    domain::Timestamp,
};

pub use super::{
    asked::{Of, OneToken, RunRequest, Source},
    outcome::{Finished, Outcome},
};

/// Runs that are kept, the newest first.
const KEPT_MAX: usize = 20;
/// Runs of one person or program that wait or run.
const OPEN_MAX: usize = 5;
/// The same of all together: prices that came with them are in memory.
const ALL_OPEN_MAX: usize = 20;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum RunState {
    /// Another one runs.
    Waiting,
    /// Prices are fetched.
    Fetching,
    Running,
    Done,
    Failed,
    /// A user gave it up.
    Cancelled,
}

impl RunState {
    const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// A run as it is now.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number; no other run has it, also after a restart.
    pub run: i64,
    pub started_at: Timestamp,
    /// Who started it, as the audit trail names them.
    pub by: String,
    pub state: RunState,
    /// While prices are fetched: how far back they go.
    pub fetched_to: Option<Timestamp>,
    /// Configurations that were run, of how many.
    pub done: usize,
    pub total: usize,
    /// Why it failed.
    pub error: Option<Message>,
    pub finished: Option<Arc<Finished>>,
    /// The keys that were given, as KEY=VALUE.
    pub set: Vec<String>,
    pub symbol: Option<String>,
    /// It has its turn, also for the moment that it takes to give it up.
    busy: bool,
    stop: Stop,
}

/// Gives a run up.
#[derive(Debug, Clone, Default)]
struct Stop {
    /// What computes looks at it.
    set: Arc<AtomicBool>,
    /// What waits is woken by it.
    told: CancellationToken,
}

/// All runs of this process.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    runs: Arc<Mutex<VecDeque<Run>>>,
    /// A turn has ended, or one that waited was given up.
    turn: Arc<Notify>,
}

impl Runs {
    /// Starts a run; what it was given is checked first, its prices too if they came with it. `by`: who asks, as the
    /// audit trail names them. Turns go to those who have had the fewest of them.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] for a configuration or prices that cannot be used, [`ErrorKind::Refused`] while too many
    /// of the same person or program wait.
    pub async fn start(
        &self,
        app: &App,
        request: RunRequest,
        (set, by): (Vec<String>, &str),
        now: Timestamp,
    ) -> Result<Run, AppError> {
        let settings = app.settings.clone();
        request.check(&settings)?;
        let request = tokio::task::spawn_blocking(move || request.check_csv().map(|()| request))
            .await
            .unwrap_or_else(|error| Err(AppError::Internal(error.to_string())))?;
        let run = self.added(&request, set, by, now)?;
        let (runs, number) = (self.clone(), run.run);
        tokio::spawn(async move {
            if !runs.comes_up(number).await {
                return;
            }
            let ended = runs.carried_out(number, &settings, request, &run.stop).await;
            runs.change(number, |run| {
                run.busy = false;
                match ended {
                    // What came of one that was given up is worth nothing.
                    _ if run.state == RunState::Cancelled => {}
                    Ok(finished) => {
                        run.state = RunState::Done;
                        run.finished = Some(Arc::new(finished));
                    }
                    Err(error) => {
                        run.state = RunState::Failed;
                        run.error = Some(Message::from(error));
                    }
                }
            });
            runs.turn.notify_waiters();
        });
        self.get(number)
    }

    fn added(
        &self,
        request: &RunRequest,
        set: Vec<String>,
        by: &str,
        now: Timestamp,
    ) -> Result<Run, AppError> {
        let mut runs = self.locked();
        let open = runs.iter().filter(|run| !run.state.is_over());
        let (all, own) = open.fold((0_usize, 0_usize), |(all, own), run| {
            (
                all.saturating_add(1),
                own.saturating_add(usize::from(run.by == by)),
            )
        });
        if own >= OPEN_MAX || all >= ALL_OPEN_MAX {
            let whose = if own >= OPEN_MAX {
                "of yours"
            } else {
                "of all together"
            };
            return Err(AppError::Refused(format!(
                "{} backtests {whose} wait or run already; start another once one of them is done, or cancel one",
                if own >= OPEN_MAX { own } else { all }
            )));
        }
        let newest = runs.front().map_or(0, |run| run.run);
        let run = Run {
            run: now.timestamp_millis().max(newest.saturating_add(1)),
            started_at: now,
            by: by.to_owned(),
            state: RunState::Waiting,
            fetched_to: None,
            done: 0,
            total: 1,
            error: None,
            finished: None,
            set,
            symbol: request.symbol(),
            busy: false,
            stop: Stop::default(),
        };
        runs.push_front(run.clone());
        while runs.len() > KEPT_MAX {
            let oldest = runs.iter().rposition(|run| run.state.is_over() && !run.busy);
            match oldest {
                Some(place) => drop(runs.remove(place)),
                None => break,
            }
        }
        Ok(run)
    }

    /// Waits for the turn of a run, and takes it. `false`: it was given up meanwhile.
    async fn comes_up(&self, number: i64) -> bool {
        loop {
            let turn = self.turn.notified();
            tokio::pin!(turn);
            // From here on no turn that ends is missed.
            turn.as_mut().enable();
            {
                let mut runs = self.locked();
                let next = next(&runs);
                match runs.iter_mut().find(|run| run.run == number) {
                    Some(run) if run.state == RunState::Waiting => {
                        if next == Some(number) {
                            run.busy = true;
                            run.state = RunState::Running;
                            return true;
                        }
                    }
                    Some(_) | None => return false,
                }
            }
            turn.await;
        }
    }

    /// Gives a run up: it ends at once, and so does its turn. One that is over stays as it is. `any`: also one that
    /// another user started.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Refused`] for one that is over, or that another user started.
    pub fn cancel(&self, number: i64, by: &str, any: bool) -> Result<Run, AppError> {
        let found = self.get(number)?;
        if !any && found.by != by {
            return Err(AppError::Refused(format!(
                "backtest {number} was started by {}: they can cancel it, or a token of the role owner",
                found.by
            )));
        }
        {
            let mut runs = self.locked();
            let run = runs.iter_mut().find(|run| run.run == number);
            let run = run.filter(|run| !run.state.is_over());
            if let Some(run) = run {
                run.state = RunState::Cancelled;
                run.stop.set.store(true, Ordering::Relaxed);
                run.stop.told.cancel();
            }
        }
        self.turn.notify_waiters();
        let now = self.get(number)?;
        match now.state {
            RunState::Cancelled => Ok(now),
            over => Err(AppError::Refused(format!(
                "backtest {number} is {over}: only one that waits or runs can be cancelled"
            ))),
        }
    }

    /// All that are kept, the newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Run> {
        self.locked().iter().cloned().collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub fn get(&self, run: i64) -> Result<Run, AppError> {
        let found = self.locked().iter().find(|known| known.run == run).cloned();
        found.ok_or_else(|| {
            Message::from(format!(
                "there is no backtest {run}: the last {KEPT_MAX} are kept, and they end with the server; start it again"
            ))
            .error(ErrorKind::NotFound)
        })
    }

    /// The report of one that is done, as a page.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Refused`] while it is not done.
    pub fn report(&self, run: i64) -> Result<String, AppError> {
        let found = self.get(run)?;
        let Some(finished) = &found.finished else {
            return Err(AppError::Refused(format!(
                "backtest {run} is {}: only one that is done has a report",
                found.state
            )));
        };
        finished.of.page(found.started_at)
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was given up stays so.
    fn change(&self, run: i64, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.locked().iter_mut().find(|known| known.run == run) {
            let before = run.state;
            change(run);
            if before == RunState::Cancelled {
                run.state = before;
            }
        }
    }

    async fn carried_out(
        &self,
        number: i64,
        settings: &Settings,
        request: RunRequest,
        stop: &Stop,
    ) -> Result<Finished, AppError> {
        let mut prices = Vec::new();
        for source in request.sources() {
            prices.push(self.prices(number, settings, source, stop).await?);
        }
        self.change(number, |run| run.state = RunState::Running);
        let (runs, settings, stop) = (self.clone(), settings.clone(), stop.set.clone());
        let work = move || {
            let done = AtomicUsize::new(0);
            let progress = |total| {
                let done = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                runs.change(number, |run| (run.done, run.total) = (done, total));
            };
            computed(&settings, &request, &prices, (&progress, &stop))
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| Err(AppError::Internal(error.to_string())))
    }

    /// The prices of a source, as a file.
    async fn prices(
        &self,
        number: i64,
        settings: &Settings,
        source: &Source,
        stop: &Stop,
    ) -> Result<NamedTempFile, AppError> {
        let wanted = match source {
            Source::Csv(_, text) => return written(text),
            Source::History(wanted) => wanted,
        };
        self.change(number, |run| run.state = RunState::Fetching);
        let hears = |at| self.change(number, |run| run.fetched_to = Some(at));
        let fetched = tokio::select! {
            () = stop.told.cancelled() => return Err(AppError::Refused("it was cancelled".to_owned())),
            fetched = history::fetch(settings, wanted, hears) => fetched?,
        };
        written(&fetched.csv())
    }
}

/// The run whose turn it is: nobody has it, and of those that wait the oldest of the user who has had the fewest turns.
fn next(runs: &VecDeque<Run>) -> Option<i64> {
    if runs.iter().any(|run| run.busy) {
        return None;
    }
    let turns = |by: &str| {
        let had = runs
            .iter()
            .filter(|run| run.by == by && run.state != RunState::Waiting);
        had.count()
    };
    let waiting = runs.iter().filter(|run| run.state == RunState::Waiting);
    waiting
        .min_by_key(|run| (turns(&run.by), run.run))
        .map(|run| run.run)
}
