//! What to run: one row of a series, a setup, and how much is kept of a run.

use crate::{
    domain::{Timestamp, chains::USDC_DECIMALS, config::JobConfig, job::JobMode, span::Span, units::Price},
    paper::PaperSettings,
};

/// One row of a series: what the price was from this instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricePoint {
    /// Since when.
    pub at: Timestamp,
    /// USD per whole token.
    pub price: Price,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// What the job is for.
    pub mode: JobMode,
    /// Its configuration, validated. Its price sources are not asked: the series is the one source.
    pub config: JobConfig,
    /// Fee, slippage, impact, gas and wallet.
    pub costs: PaperSettings,
    /// Digits of one whole token.
    pub token_decimals: u8,
    /// Digits of one whole quote token.
    pub quote_decimals: u8,
    /// One price sample is kept per interval.
    pub sample_interval: Span,
    /// When the job starts; `None`: with the first row. Rows before it are samples to look back on, and no more.
    pub starts_at: Option<Timestamp>,
    /// How long a row speaks for the price, if that is longer than `price.max_price_age`: the series' spacing.
    pub stands_for: Span,
}

impl Setup {
    /// A token of 18 digits against USDC, from the first row on.
    #[must_use]
    pub fn new(mode: JobMode, config: JobConfig, costs: PaperSettings) -> Self {
        Self {
            mode,
            config,
            costs,
            token_decimals: 18,
            quote_decimals: USDC_DECIMALS,
            sample_interval: Span::from_secs(60),
            starts_at: None,
            stands_for: Span::ZERO,
        }
    }
}

/// How much is kept besides the summary. Memory is bounded by this and the number of trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Keep every trade.
    pub trades: bool,
    /// Most points for charts; 0: none.
    pub points_max: usize,
    /// Most runs of equal holds for charts; 0: none.
    pub hold_runs_max: usize,
}

impl Detail {
    /// The summary alone: for sweeps.
    pub const SUMMARY: Self = Self {
        trades: false,
        points_max: 0,
        hold_runs_max: 0,
    };
    /// All that a report shows.
    pub const REPORT: Self = Self {
        trades: true,
        points_max: 12_000,
        hold_runs_max: 10_000,
    };
}
