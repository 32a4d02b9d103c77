//! Inputs of a backtest.

use std::path::PathBuf;

use rust_decimal::Decimal;
use strum::VariantArray;

use crate::app::message::{Advice, Field, message};
use crate::{
    app::{AppError, ticker},
    backtest::{
        Held, Setup,
        grid::Axis,
        series::{CsvSeries, ReadOptions, SeriesError},
    },
    config::{JobLayers, Settings, build_job_config},
    domain::{
        config::{JobConfig, OrderSide},
        job::JobMode,
        units::{Amount, Usd},
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
    /// Whole tokens that an order is to sell, and what they cost in all, USD.
    pub sells: Option<(String, Decimal)>,
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
            return Err(message![
                "mode basket: its members decide on prices of several tokens: give ",
                Field::Prices,
                " once for each member, and the file of the basket with its [[member]] tables",
            ]
            .bad_input());
        }
        self.setup_of(settings, mode, more)
    }

    /// The same for one member of a basket.
    pub(super) fn setup_of(
        &self,
        settings: &Settings,
        mode: JobMode,
        more: &[String],
    ) -> Result<Setup, AppError> {
        let layers = self.given.clone().over_defaults(&settings.defaults, mode);
        let config = build_job_config(
            &JobConfig::for_mode(mode),
            mode,
            &layers.assignments(more, "sweep")?,
        )?;
        settings.paper.validate().map_err(AppError::Config)?;
        ticker::given(self.symbol.as_deref())?;
        Ok(Setup {
            held: self.held(&config)?,
            token_decimals: self.decimals,
            symbol: self.symbol.clone(),
            sample_interval: settings.trading.sample_interval,
            ..Setup::new(mode, config, settings.paper.clone())
        })
    }
}

impl BacktestRequest {
    /// What an order to sell begins with.
    fn held(&self, config: &JobConfig) -> Result<Option<Held>, AppError> {
        let rules = config.rules.order();
        let sells = rules.is_some_and(|rules| rules.side == OrderSide::Sell);
        match (&self.sells, sells) {
            (None, false) => Ok(None),
            (None, true) => Err(message![
                "order.side = sell: give what it sells with ",
                Field::Tokens,
                ", such as 1200, and what that cost in all, USD, with ",
                Field::Cost,
            ]
            .bad_input()),
            (Some((tokens, _)), false) => Err(message![
                Field::Tokens,
                format!(" {tokens}: only an order to sell begins with tokens; give it order.side=sell with "),
                Advice::Set("order.side=sell".into()),
            ]
            .bad_input()),
            (Some((tokens, cost)), true) => {
                let amount = Amount::from_whole(tokens, self.decimals)
                    .map_err(|error| message![Field::Tokens, format!(" {tokens}: {error}")].bad_input())?;
                if amount.is_zero() {
                    let problem = format!(" {tokens}: must be above zero");
                    return Err(message![Field::Tokens, problem].bad_input());
                }
                let usd = Usd::new(*cost).ok().filter(|usd| *usd >= Usd::ZERO);
                let cost = usd.ok_or_else(|| {
                    message![Field::Cost, format!(" {cost}: must be 0 to 1000000000000 USD")].bad_input()
                })?;
                Ok(Some(Held { tokens: amount, cost }))
            }
        }
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
