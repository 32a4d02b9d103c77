//! What a backtest of a server is asked for, and whether it can be run.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use rust_decimal::Decimal;
use tempfile::NamedTempFile;

use super::{BacktestRequest, BasketRequest};
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
    config::{JobLayers, MemberGiven, Settings},
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
    pub of: Of,
    /// Ranges of values; none: one run.
    pub axes: Vec<Axis>,
    pub sort_by: SortBy,
    pub walk_forward: Option<u16>,
}

/// Whose rules are run.
#[derive(Debug, Clone)]
pub enum Of {
    Token(OneToken),
    /// Each member of a basket, and where its prices are from.
    Basket(Vec<(MemberGiven, Source)>),
}

/// A job of one token.
#[derive(Debug, Clone)]
pub struct OneToken {
    pub source: Source,
    /// The keys that were given, without the settings' defaults.
    pub given: JobLayers,
    /// None: the mode whose keys are given.
    pub mode: Option<JobMode>,
    pub decimals: u8,
    pub symbol: Option<String>,
    /// Whole tokens that an order is to sell, and what they cost in all, USD.
    pub sells: Option<(String, Decimal)>,
}

impl OneToken {
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
}

/// The members of a basket over a file of prices each.
pub(super) fn basket_over(members: &[(MemberGiven, Source)], prices: Vec<PathBuf>) -> BasketRequest {
    BasketRequest {
        prices,
        read: AS_GIVEN,
        members: members.iter().map(|(member, _)| member.clone()).collect(),
    }
}

impl Source {
    /// What its prices are called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Csv(name, _) => name.clone(),
            Self::History(wanted) => format!("candles of {} on {}", wanted.step, wanted.chain),
        }
    }

    /// Whether its prices can be read, if they came with it. It takes a moment: they are read whole.
    fn check_csv(&self) -> Result<(), AppError> {
        let Self::Csv(name, text) = self else {
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
}

impl RunRequest {
    /// Where its prices are from, of a basket those of each member.
    pub(super) fn sources(&self) -> Vec<&Source> {
        match &self.of {
            Of::Token(one) => vec![&one.source],
            Of::Basket(members) => members.iter().map(|(_, source)| source).collect(),
        }
    }

    /// The token's ticker, of a basket those of its members that have one.
    pub(super) fn symbol(&self) -> Option<String> {
        match &self.of {
            Of::Token(one) => one.symbol.clone(),
            Of::Basket(members) => {
                let named: Vec<_> = members
                    .iter()
                    .filter_map(|(member, _)| member.symbol.as_deref())
                    .collect();
                (!named.is_empty()).then(|| named.join(" "))
            }
        }
    }

    /// Whether all prices that came with it can be read.
    pub(super) fn check_csv(&self) -> Result<(), AppError> {
        self.sources().into_iter().try_for_each(Source::check_csv)
    }

    /// Whether a key is given a value.
    fn sets(&self, key: &str) -> bool {
        match &self.of {
            Of::Token(one) => one.given.sets(key),
            Of::Basket(members) => members.iter().any(|(member, _)| member.given.sets(key)),
        }
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
        if let Some(axis) = self.axes.iter().find(|axis| self.sets(&axis.key)) {
            let problem = format!("{}: it has both a value and a range; remove one", axis.key);
            return Err(AppError::Usage(problem));
        }
        let first: Vec<String> = self
            .axes
            .iter()
            .filter_map(|axis| Some(format!("{}={}", axis.key, axis.values.first()?)))
            .collect();
        match &self.of {
            Of::Token(one) => {
                let over = one.over(Path::new("prices"));
                let mode = over.mode(&self.axes)?;
                over.setup(settings, mode, &first).map(drop)
            }
            Of::Basket(members) => {
                let files = vec![PathBuf::from("prices"); members.len()];
                basket_over(members, files).check(settings, &first)
            }
        }
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
