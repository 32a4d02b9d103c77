//! Inputs of a run: rows, setup, and level of detail.

use crate::{
    domain::{
        Timestamp,
        chains::USDC_DECIMALS,
        config::JobConfig,
        job::JobMode,
        span::Span,
        units::{Amount, Price, Usd},
    },
    paper::PaperSettings,
};

/// One row of a series: the price from this instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricePoint {
    /// Start of this price.
    pub at: Timestamp,
    /// USD per whole token.
    pub price: Price,
}

/// Tokens that a job begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Base units.
    pub tokens: Amount,
    /// What they cost in all, USD.
    pub cost: Usd,
}

/// Setup of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The job's mode.
    pub mode: JobMode,
    /// Its validated configuration. Its price sources are not used: the series is the only source.
    pub config: JobConfig,
    /// Fee, slippage, impact, gas and wallet.
    pub costs: PaperSettings,
    /// Ticker of the token, for readers.
    pub symbol: Option<String>,
    /// Decimals of the token.
    pub token_decimals: u8,
    /// Decimals of the quote token.
    pub quote_decimals: u8,
    /// One price sample is kept per interval.
    pub sample_interval: Span,
    /// When the job starts; `None`: at the first row. Earlier rows are only samples to look back on.
    pub starts_at: Option<Timestamp>,
    /// Money that the job owns without a budget of its rules, USD: only benchmarks have it.
    pub owned: Option<Usd>,
    /// What a job begins with, as an order to sell does.
    pub held: Option<Held>,
    /// How long a row's price stays valid, if longer than `price.max_price_age`: the series' spacing.
    pub stands_for: Span,
}

impl Setup {
    /// A token of 18 decimals against USDC, from the first row on.
    #[must_use]
    pub fn new(mode: JobMode, config: JobConfig, costs: PaperSettings) -> Self {
        Self {
            mode,
            config,
            costs,
            symbol: None,
            token_decimals: 18,
            quote_decimals: USDC_DECIMALS,
            sample_interval: Span::from_secs(60),
            starts_at: None,
            owned: None,
            held: None,
            stands_for: Span::ZERO,
        }
    }

    /// What the job is given at its start, USD; `None` if it pays from the owner's wallet.
    #[must_use]
    pub fn budget(&self) -> Option<Usd> {
        self.config.rules.budget().or(self.owned)
    }
}

/// What to keep in addition to the summary. Memory is bounded by this and the number of trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Keep every trade.
    pub trades: bool,
    /// Maximum points for charts; 0: none.
    pub points_max: usize,
    /// Maximum runs of equal holds for charts; 0: none.
    pub hold_runs_max: usize,
}

impl Detail {
    /// Only the summary, for sweeps.
    pub const SUMMARY: Self = Self {
        trades: false,
        points_max: 0,
        hold_runs_max: 0,
    };
    /// Everything that a report shows.
    pub const REPORT: Self = Self {
        trades: true,
        points_max: 12_000,
        hold_runs_max: 10_000,
    };
}
