//! What a backtest of a server is asked for, and whether it can be run.

use std::{io::Write as _, path::Path};

use rust_decimal::Decimal;
use tempfile::NamedTempFile;

use super::BacktestRequest;
use crate::{
    app::{
        AppError,
        history::HistoryRequest,
        message::{Field, message},
    },
    backtest::{
        grid::Axis,
        series::{CandleTime, CsvSeries, ReadOptions, SeriesError},
        sweep::SortBy,
    },
    config::{JobLayers, Settings},
    domain::job::JobMode,
};

/// Prices are read as they are, and none is passed over.
const AS_GIVEN: ReadOptions = ReadOptions {
    from: None,
    to: None,
    candle_time: CandleTime::Open,
    skip_bad: false,
};

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

impl RunRequest {
    /// What its prices are called.
    pub(super) fn name(&self) -> String {
        match &self.source {
            Source::Csv(name, _) => name.clone(),
            Source::History(wanted) => format!("candles of {} on {}", wanted.step, wanted.chain),
        }
    }

    pub(super) fn over(&self, prices: &Path) -> BacktestRequest {
        BacktestRequest {
            prices: prices.to_owned(),
            read: AS_GIVEN,
            given: self.given.clone(),
            mode: self.mode,
            decimals: self.decimals,
            symbol: self.symbol.clone(),
            sells: self.sells.clone(),
        }
    }

    /// Whether its prices can be read, if they came with it. It takes a moment: they are read whole.
    pub(super) fn check_csv(&self) -> Result<(), AppError> {
        let Source::Csv(name, text) = &self.source else {
            return Ok(());
        };
        let file = written(text)?;
        let place = file.path().display().to_string();
        CsvSeries::open(file.path(), AS_GIVEN).map(drop).map_err(|error| {
            let problem = match error {
                SeriesError::BadRows { problems, .. } => {
                    format!(
                        ": {name}: {} rows cannot be used; fix or remove them{problems}",
                        problems.count
                    )
                }
                other => format!(": {}", other.to_string().replace(&place, name)),
            };
            message![Field::Csv, problem].bad_input()
        })
    }

    /// Whether it can be run at all, before anything is fetched.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), AppError> {
        if self.axes.is_empty()
            && let Some(parts) = self.walk_forward
        {
            let problem = format!(" {parts}: it tests the best of a sweep on later prices; give ");
            return Err(
                message![Field::WalkForward, problem, Field::Sweep, " too, or leave it out"].bad_input(),
            );
        }
        let over = self.over(Path::new("prices"));
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
pub(super) fn written(text: &str) -> Result<NamedTempFile, AppError> {
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
