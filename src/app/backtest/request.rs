//! Inputs of a backtest.

use std::path::PathBuf;

use strum::VariantArray;

use crate::app::message::{Field, message};
use crate::{
    app::{AppError, ticker},
    backtest::{
        Setup,
        grid::Axis,
        series::{CsvSeries, ReadOptions, SeriesError},
    },
    config::{JobLayers, Settings, build_job_config},
    domain::{
        config::{JobConfig, OrderSide},
        job::JobMode,
    },
};

#[derive(Debug)]
pub struct BacktestRequest {
    /// CSV of times and prices, or of candles.
    pub prices: PathBuf,
    pub read: ReadOptions,
    /// The keys that were given, without the settings' defaults.
    pub given: JobLayers,
    /// None: the mode whose keys are given.
    pub mode: Option<JobMode>,
    /// Digits of one whole token.
    pub decimals: u8,
    /// The token's ticker, for the report.
    pub symbol: Option<String>,
}

impl BacktestRequest {
    pub(super) fn open(&self) -> Result<CsvSeries, AppError> {
        CsvSeries::open(&self.prices, self.read).map_err(unreadable)
    }

    /// The requested mode, else the one whose keys are given or swept.
    pub(super) fn mode(&self, axes: &[Axis]) -> Result<JobMode, AppError> {
        if let Some(mode) = self.mode {
            return Ok(mode);
        }
        let sets =
            |section: &str| self.given.sets(section) || axes.iter().any(|axis| axis.key.starts_with(section));
        let mut named = JobMode::VARIANTS
            .iter()
            .filter(|mode| sets(&format!("{}.", mode.section())));
        match (named.next(), named.next()) {
            (Some(mode), None) => Ok(*mode),
            _ => Err(message![
                "a backtest needs ",
                Field::Mode,
                " accumulate, liquidity or order, or a configuration of one of them",
            ]
            .bad_input()),
        }
    }

    /// The configuration as a start would build it, and this installation's paper venue. `more`: assignments on top.
    pub(super) fn setup(
        &self,
        settings: &Settings,
        mode: JobMode,
        more: &[String],
    ) -> Result<Setup, AppError> {
        if mode == JobMode::Basket {
            return Err(AppError::Usage(
                "mode basket has no backtest yet: its members decide on prices of several tokens, and a series has those of \
                 one; start the basket on paper instead"
                    .to_owned(),
            ));
        }
        let layers = self.given.clone().over_defaults(&settings.defaults, mode);
        let config = build_job_config(
            &JobConfig::for_mode(mode),
            mode,
            &layers.assignments(more, "sweep")?,
        )?;
        settings.paper.validate().map_err(AppError::Config)?;
        if config
            .rules
            .order()
            .is_some_and(|rules| rules.side == OrderSide::Sell)
        {
            return Err(AppError::Usage(
                "order.side = sell: a backtest begins without tokens, so there is nothing to sell; try the order with buy, \
                 or accumulate with a stop"
                    .to_owned(),
            ));
        }
        ticker::given(self.symbol.as_deref())?;
        Ok(Setup {
            token_decimals: self.decimals,
            symbol: self.symbol.clone(),
            sample_interval: settings.trading.sample_interval,
            ..Setup::new(mode, config, settings.paper.clone())
        })
    }
}

pub(super) fn unreadable(error: SeriesError) -> AppError {
    match error {
        SeriesError::BadRows { path, problems } => message![
            Field::Prices,
            format!(
                ": {path}: {} rows cannot be used; fix them, or skip them with ",
                problems.count
            ),
            Field::SkipBad,
            problems.to_string(),
        ]
        .bad_input(),
        SeriesError::Empty { path, narrowed: true } => message![
            Field::Prices,
            format!(": {path}: no rows between "),
            Field::From,
            " and ",
            Field::To,
        ]
        .bad_input(),
        _ => message![Field::Prices, format!(": {error}")].bad_input(),
    }
}
