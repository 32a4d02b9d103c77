//! Backtests that run while other requests are answered: started, watched, read. They are in memory alone and end with
//! the process.

use std::{
    collections::VecDeque,
    io::Write as _,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use rust_decimal::Decimal;
use tempfile::NamedTempFile;
use tokio::sync::Semaphore;

use super::{BacktestRequest, SweepRequest, Swept, run, sweep};
use crate::{
    app::{
        App, AppError, ErrorKind,
        history::{self, HistoryRequest},
        message::Message,
    },
    backtest::{
        Detail,
        grid::Axis,
        result::BacktestResult,
        series::{CandleTime, ReadOptions},
        sweep::SortBy,
    },
    config::{JobLayers, Settings},
    domain::{Timestamp, job::JobMode},
    report,
};

/// Runs that are kept, the newest first.
const KEPT_MAX: usize = 20;
/// Runs that wait or run.
const OPEN_MAX: usize = 5;
/// Threads of one run: trades of the same machine are not to wait for it.
const THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// Where the prices are from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A name, and CSV of times and prices, or of candles.
    Csv(String, String),
    /// The candles of a pool.
    History(HistoryRequest),
}

/// A backtest to run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    pub source: Source,
    /// The keys that were given, without the settings' defaults.
    pub given: JobLayers,
    /// None: the mode whose keys are given.
    pub mode: Option<JobMode>,
    pub decimals: u8,
    pub symbol: Option<String>,
    /// Whole tokens that an order is to sell, and what they cost in all, USD.
    pub sells: Option<(String, Decimal)>,
    /// Ranges of values; none: one run.
    pub axes: Vec<Axis>,
    pub sort_by: SortBy,
    pub walk_forward: Option<u16>,
}

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
}

impl RunState {
    const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Finished {
    /// Of a sweep, of its best configuration.
    pub result: BacktestResult,
    /// Every configuration of a sweep.
    pub swept: Option<Swept>,
}

/// A run as it is now.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number; no other run has it, also after a restart.
    pub run: i64,
    pub started_at: Timestamp,
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
}

/// All runs of this process.
#[derive(Debug, Clone)]
pub struct Runs {
    runs: Arc<Mutex<VecDeque<Run>>>,
    turn: Arc<Semaphore>,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            runs: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Runs {
    /// Starts a run; what it was given is checked first.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] for a configuration that cannot be used, [`ErrorKind::Refused`] while too many wait.
    pub fn start(
        &self,
        app: &App,
        request: RunRequest,
        set: Vec<String>,
        now: Timestamp,
    ) -> Result<Run, AppError> {
        let settings = app.settings.clone();
        request.check(&settings)?;
        let run = self.added(&request, set, now)?;
        let (runs, number) = (self.clone(), run.run);
        tokio::spawn(async move {
            // The semaphore is never closed.
            let Ok(_turn) = runs.turn.acquire().await else {
                return;
            };
            let ended = runs.carried_out(number, &settings, request).await;
            runs.change(number, |run| match ended {
                Ok(finished) => {
                    run.state = RunState::Done;
                    run.finished = Some(Arc::new(finished));
                }
                Err(error) => {
                    run.state = RunState::Failed;
                    run.error = Some(Message::from(error));
                }
            });
        });
        Ok(run)
    }

    fn added(&self, request: &RunRequest, set: Vec<String>, now: Timestamp) -> Result<Run, AppError> {
        let mut runs = self.locked();
        let open = runs.iter().filter(|run| !run.state.is_over()).count();
        if open >= OPEN_MAX {
            return Err(AppError::Refused(format!(
                "{open} backtests wait or run already; start another once one of them is done"
            )));
        }
        let newest = runs.front().map_or(0, |run| run.run);
        let run = Run {
            run: now.timestamp_millis().max(newest.saturating_add(1)),
            started_at: now,
            state: RunState::Waiting,
            fetched_to: None,
            done: 0,
            total: 1,
            error: None,
            finished: None,
            set,
            symbol: request.symbol.clone(),
        };
        runs.push_front(run.clone());
        while runs.len() > KEPT_MAX {
            let oldest = runs.iter().rposition(|run| run.state.is_over());
            match oldest {
                Some(place) => drop(runs.remove(place)),
                None => break,
            }
        }
        Ok(run)
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
        report::page(&finished.result, found.started_at)
            .map_err(|error| AppError::Internal(error.to_string()))
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, run: i64, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.locked().iter_mut().find(|known| known.run == run) {
            change(run);
        }
    }

    async fn carried_out(
        &self,
        number: i64,
        settings: &Settings,
        request: RunRequest,
    ) -> Result<Finished, AppError> {
        let prices = match &request.source {
            Source::Csv(_, text) => written(text)?,
            Source::History(wanted) => {
                self.change(number, |run| run.state = RunState::Fetching);
                let hears = |at| self.change(number, |run| run.fetched_to = Some(at));
                written(&history::fetch(settings, wanted, hears).await?.csv())?
            }
        };
        self.change(number, |run| run.state = RunState::Running);
        let (runs, settings, name) = (self.clone(), settings.clone(), request.name());
        let place = prices.path().display().to_string();
        let work = move || runs.computed(number, &settings, &request, &prices);
        let ended = tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| Err(AppError::Internal(error.to_string())));
        // Where the prices were kept meanwhile says nothing to anybody.
        match ended {
            Ok(mut finished) => {
                finished.result.series.name = name;
                Ok(finished)
            }
            Err(error) => Err(Message::from(error).replaced(&place, &name).bad_input()),
        }
    }

    fn computed(
        &self,
        number: i64,
        settings: &Settings,
        request: &RunRequest,
        prices: &NamedTempFile,
    ) -> Result<Finished, AppError> {
        let over = request.over(prices.path());
        if request.axes.is_empty() {
            let result = run(settings, &over, Detail::REPORT)?;
            self.change(number, |run| run.done = 1);
            return Ok(Finished { result, swept: None });
        }
        let wanted = SweepRequest {
            axes: request.axes.clone(),
            sort_by: request.sort_by,
            walk_forward: request.walk_forward,
            best: Some(Detail::REPORT),
            threads: Some(THREADS),
        };
        let done = AtomicUsize::new(0);
        let mut swept = sweep(settings, &over, wanted, &|total| {
            let done = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            self.change(number, |run| (run.done, run.total) = (done, total));
        })?;
        let best = swept.best.take();
        let result = best.ok_or_else(|| AppError::Internal("a sweep without a best one".to_owned()))?;
        Ok(Finished {
            result,
            swept: Some(swept),
        })
    }
}

impl RunRequest {
    /// What its prices are called.
    fn name(&self) -> String {
        match &self.source {
            Source::Csv(name, _) => name.clone(),
            Source::History(wanted) => format!("candles of {} on {}", wanted.step, wanted.chain),
        }
    }

    fn over(&self, prices: &std::path::Path) -> BacktestRequest {
        BacktestRequest {
            prices: prices.to_owned(),
            read: ReadOptions {
                from: None,
                to: None,
                candle_time: CandleTime::Open,
                skip_bad: false,
            },
            given: self.given.clone(),
            mode: self.mode,
            decimals: self.decimals,
            symbol: self.symbol.clone(),
            sells: self.sells.clone(),
        }
    }

    /// Whether it can be run at all, before anything is fetched.
    fn check(&self, settings: &Settings) -> Result<(), AppError> {
        let over = self.over(std::path::Path::new("prices"));
        let mode = over.mode(&self.axes)?;
        if let Some(axis) = self.axes.iter().find(|axis| self.given.sets(&axis.key)) {
            let problem = format!("{}: it has both a value and a range; remove one", axis.key);
            return Err(AppError::Usage(problem));
        }
        let first: Vec<String> = self
            .axes
            .iter()
            .filter_map(|axis| Some(format!("{}={}", axis.key, axis.values.first()?)))
            .collect();
        over.setup(settings, mode, &first).map(drop)
    }
}

/// Prices as a file that nobody else reads, for as long as it is needed.
fn written(text: &str) -> Result<NamedTempFile, AppError> {
    let io = |source| AppError::Io {
        what: "a temporary file of prices".to_owned(),
        source,
    };
    let mut file = tempfile::Builder::new()
        .prefix("prices-")
        .suffix(".csv")
        .tempfile()
        .map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    Ok(file)
}
