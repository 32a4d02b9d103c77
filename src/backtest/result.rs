//! Result of a backtest: plain data, read by the table, the JSON, the CSV and the report.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Timestamp,
        config::JobConfig,
        decision::{HoldReason, Reason, Side},
        job::JobMode,
        span::Span,
        units::{Amount, Price, Usd},
    },
    paper::PaperSettings,
};
use rust_decimal::Decimal;

/// Result of a backtest, with benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestResult {
    /// The inputs.
    pub setup: SetupSummary,
    /// The series.
    pub series: SeriesSummary,
    /// The results.
    pub summary: Summary,
    /// The same money without the rules: a lump sum on the first day, equal DCA and, in mode liquidity, holding at the
    /// target. Of an order to sell, its tokens kept.
    pub comparisons: Vec<Comparison>,
    /// Every trade, oldest first.
    pub trades: Vec<TradeLine>,
    /// For charts: ticks, oldest first, at most the requested number, thinned as described by [`super::thin::RULE`].
    pub points: Vec<Point>,
    /// For charts: runs of equal holds, oldest first. If there are more than requested, neighbours with the same reason
    /// are merged across others between them; no tick is lost.
    pub holds: Vec<HoldRun>,
    /// For charts: when stops and trailing rules were armed, by their beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub armed: Vec<ArmedRange>,
}

/// Result of one run, without benchmarks. The fields are those of [`BacktestResult`].
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// Figures.
    pub summary: Summary,
    /// Trades, if requested.
    pub trades: Vec<TradeLine>,
    /// Points for charts, if requested.
    pub points: Vec<Point>,
    /// Runs of equal holds, if requested.
    pub holds: Vec<HoldRun>,
    /// When stops and trailing rules were armed, if requested.
    pub armed: Vec<ArmedRange>,
}

/// Inputs of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupSummary {
    /// The job's mode.
    pub mode: JobMode,
    /// The token's ticker, if it was given.
    #[serde(default)]
    pub symbol: Option<String>,
    /// The whole configuration, as stored with a job.
    pub config: JobConfig,
    /// Fee, slippage, impact, gas and wallet of the paper venue.
    pub costs: PaperSettings,
    /// Decimals of the token.
    pub token_decimals: u8,
    /// Decimals of the quote token (USDC).
    pub quote_decimals: u8,
    /// One price sample is kept per interval.
    pub sample_interval: Span,
    /// Assumptions about what the series does not contain, one sentence each.
    pub assumptions: Vec<String>,
}

/// The series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesSummary {
    /// The file's name, or the job whose samples these are.
    pub name: String,
    /// Number of rows used.
    pub rows: u64,
    /// Instant of the first row used.
    pub first: Timestamp,
    /// Instant of the last row used.
    pub last: Timestamp,
    /// The most common time from one row to the next.
    pub spacing: Span,
    /// Rows are candles (open, high, low, close); the close is used, at the candle's end.
    pub candles: bool,
    /// The file says that its prices are invented.
    #[serde(default)]
    pub invented: bool,
    /// Number of gaps.
    pub gaps: u64,
    /// The longest gaps.
    pub longest_gap: Option<Interval>,
    /// Rows with the same instant as an earlier one; the first row counts.
    pub duplicates: u64,
    /// Rows skipped on request (bad or out of order).
    pub skipped: u64,
    /// Gaps, duplicates and skipped rows, each kind with its first lines.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A period of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Its first instant.
    pub from: Timestamp,
    /// Its last instant.
    pub to: Timestamp,
}

/// The results.
#[derive(Debug, Clone, PartialEq, Serialize, Default, Deserialize)]
pub struct Summary {
    /// The first slot, if there was any.
    pub from: Option<Timestamp>,
    /// The last slot.
    pub to: Option<Timestamp>,
    /// Number of evaluated slots.
    pub ticks: u64,
    /// The last accepted price.
    pub last_price: Option<Price>,
    /// Buys.
    pub buys: u64,
    /// Sells.
    pub sells: u64,
    /// Trades by rule, in the rules' order.
    pub by_reason: Vec<ReasonTotal>,
    /// Ticks without a trade by reason, most first.
    pub holds: Vec<HoldTotal>,
    /// Paid for all buys, USD, without gas.
    pub spent_usd: Usd,
    /// Received for all sells, USD, without gas.
    pub proceeds_usd: Usd,
    /// Money in: the most that was ever out of the owner's pocket, gas included. Mode accumulate: buys and gas less
    /// sells, at its highest; mode liquidity: the budget and all gas.
    pub money_in_usd: Usd,
    /// Cash: what sells brought back and no later buy spent (mode accumulate; mode liquidity keeps it).
    pub cash_usd: Usd,
    /// Tokens held, base units.
    pub token_balance: Amount,
    /// Quote balance of the job (mode liquidity), base units.
    pub quote_balance: Amount,
    /// Value of tokens and owned quote at the last price, USD.
    pub value_usd: Usd,
    /// Cost basis of the tokens held, USD.
    pub cost_basis_usd: Usd,
    /// Average cost of one token held.
    pub average_cost: Option<Price>,
    /// Realised gains and losses, before gas, USD.
    pub realized_usd: Usd,
    /// Unrealised gain or loss at the last price, before the fees and the gas of a sale, USD.
    pub unrealized_usd: Usd,
    /// Pool fee and slippage of all trades, USD at the decision prices. The fills already include them.
    pub fees_usd: Usd,
    /// Gas of all trades, USD.
    pub gas_usd: Usd,
    /// Net: realised plus unrealised less gas, USD. The same as value plus cash less money in.
    pub net_usd: Usd,
    /// Same as `net_usd`; kept for existing scripts.
    pub profit_usd: Usd,
    /// `net_usd` in per cent of `money_in_usd`; `None` without money in.
    pub return_pct: Option<Decimal>,
    /// Money-weighted return: the yearly rate at which all payments in equal all payments out plus the value
    /// held, per cent per year (XIRR). A statistic, hence a float.
    pub money_weighted_pct: Option<f64>,
    /// Why there is no such rate.
    pub money_weighted_none: Option<NoRate>,
    /// The largest fall of the net from an earlier peak.
    pub drawdown: Drawdown,
    /// The longest time without a trade, including the start and the end of the run.
    pub longest_wait: Option<Interval>,
}

/// Minimum length of a run for a yearly rate, days: half a year.
pub const SHORTEST_DAYS: i64 = 182;

/// Why a run has no yearly rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoRate {
    /// It is shorter than [`SHORTEST_DAYS`].
    #[strum(to_string = "n/a: under half a year")]
    TooShort,
    /// Nothing was paid in.
    #[strum(to_string = "n/a: no money in")]
    NoMoneyIn,
    /// No rate between a total loss and a millionfold gain a year makes the payments equal.
    #[strum(to_string = "n/a: no such rate")]
    NoRate,
}

/// The largest fall of the net from an earlier peak, measured at the end of each tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Drawdown {
    /// The largest fall in USD.
    pub usd: Usd,
    /// The largest fall in per cent of what was at stake: the money in until then plus the net at the peak.
    pub pct: Decimal,
    /// Instant of the largest percentage.
    pub at: Option<Timestamp>,
}

/// Trades of one rule and side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonTotal {
    /// The rule.
    pub reason: Reason,
    /// Direction.
    pub side: Side,
    /// Their number.
    pub trades: u64,
    /// USD paid or received, without gas.
    pub usd: Usd,
}

/// Ticks that held, for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldTotal {
    /// The reason.
    pub reason: HoldReason,
    /// Their number.
    pub ticks: u64,
}

/// A benchmark: the same money spent by another plan, with the same cost model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The plan.
    pub plan: Benchmark,
    /// Its own result.
    pub summary: Summary,
    /// For charts: its value, cash included, USD, at each of [`BacktestResult::points`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Usd>,
}

/// Plan of a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::Display, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Benchmark {
    /// All of it at the first slot.
    #[strum(to_string = "lump sum")]
    LumpSum,
    /// Equal parts at equal intervals.
    #[strum(to_string = "equal DCA")]
    EqualDca,
    /// Mode liquidity: tokens for the target share of the money at the first slot, then no trade.
    #[strum(to_string = "hold at target")]
    HoldAtTarget,
    /// An order to sell: its tokens are kept.
    #[strum(to_string = "keep")]
    Keep,
}

/// One trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeLine {
    /// Its slot.
    pub at: Timestamp,
    /// Direction.
    pub side: Side,
    /// The rule.
    pub reason: Reason,
    /// The accepted price at the decision.
    pub price: Price,
    /// USD per token of the fill, fee and slippage included.
    pub fill_price: Price,
    /// Tokens in (buy) or out (sell), base units.
    pub base_amount: Amount,
    /// Quote out (buy) or in (sell), base units.
    pub quote_amount: Amount,
    /// `quote_amount` in USD.
    pub quote_usd: Usd,
    /// Pool fee and slippage, USD at `price`.
    pub fee_usd: Usd,
    /// Gas, USD.
    pub gas_usd: Usd,
    /// Realised gain or loss, before gas, USD; zero for a buy.
    pub realized_usd: Usd,
    /// Tokens held afterwards, base units.
    pub token_balance: Amount,
    /// Their cost basis, USD.
    pub cost_basis: Usd,
    /// Average cost afterwards.
    pub average_cost: Option<Price>,
}

/// One tick, for charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The slot.
    pub at: Timestamp,
    /// The accepted price.
    pub price: Price,
    /// Value of tokens and owned quote, USD.
    pub value_usd: Usd,
    /// Money in until then, as [`Summary::money_in_usd`].
    pub money_in_usd: Usd,
    /// Cash then, as [`Summary::cash_usd`].
    pub cash_usd: Usd,
    /// Average cost of the tokens held.
    pub average_cost: Option<Price>,
    /// Net until then, USD.
    pub net_usd: Usd,
    /// Drawdown from the earlier peak, as [`Drawdown::pct`]; 0 at a peak.
    pub drawdown_pct: Decimal,
    /// The highest price at which an armed stop sells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_usd: Option<Price>,
    /// Mode liquidity: the moving average that the rules saw, covered well enough or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving_average: Option<Price>,
    /// Mode liquidity: the tokens' share of the value, per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_pct: Option<Decimal>,
}

/// A rule that waits for a price to sell at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArmedRule {
    /// `stop_loss_pct` or `stop_price_usd`.
    StopLoss,
    /// `trailing_stop_pct`.
    TrailingStop,
    /// `trailing_take_profit_pct`, whose goal was reached.
    TrailingTakeProfit,
}

impl ArmedRule {
    /// The reason of its sale.
    #[must_use]
    pub const fn sells_as(self) -> Reason {
        match self {
            Self::StopLoss => Reason::StopLoss,
            Self::TrailingStop => Reason::TrailingStop,
            Self::TrailingTakeProfit => Reason::TakeProfit,
        }
    }
}

/// A time in which a rule was armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmedRange {
    /// The rule.
    pub rule: ArmedRule,
    /// The slot that armed it.
    pub from: Timestamp,
    /// The slot that ended it, or the last one.
    pub to: Timestamp,
    /// It ended because the rule sold.
    pub fired: bool,
}

/// Consecutive ticks that held for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRun {
    /// The reason.
    pub reason: HoldReason,
    /// The first slot.
    pub from: Timestamp,
    /// The last slot.
    pub to: Timestamp,
    /// Their number.
    pub ticks: u64,
}
