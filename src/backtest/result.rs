//! What a backtest says: plain data, read by the table, the JSON, the CSV and the report.

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

/// One backtest, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestResult {
    /// What ran.
    pub setup: SetupSummary,
    /// What it ran over.
    pub series: SeriesSummary,
    /// What came out.
    pub summary: Summary,
    /// The same money, without the rules: a lump sum on the first day, plain equal DCA.
    pub comparisons: Vec<Comparison>,
    /// Every trade, oldest first.
    pub trades: Vec<TradeLine>,
    /// For charts: ticks, oldest first, at most what was asked for, thinned as [`super::thin::RULE`] says.
    pub points: Vec<Point>,
    /// For charts: runs of equal holds, oldest first. Where there are more than asked for, neighbours with one reason
    /// are merged across others between them; no tick is lost.
    pub holds: Vec<HoldRun>,
}

/// One run, without comparisons. The fields are those of [`BacktestResult`].
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// Figures.
    pub summary: Summary,
    /// Trades, if they were asked for.
    pub trades: Vec<TradeLine>,
    /// Points for charts, if they were asked for.
    pub points: Vec<Point>,
    /// Runs of equal holds, if they were asked for.
    pub holds: Vec<HoldRun>,
}

/// What ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupSummary {
    /// What the job is for.
    pub mode: JobMode,
    /// The whole configuration, as a job would keep it.
    pub config: JobConfig,
    /// Fee, slippage, impact, gas and wallet of the paper venue.
    pub costs: PaperSettings,
    /// Digits of one whole token.
    pub token_decimals: u8,
    /// Digits of one whole quote token (USDC).
    pub quote_decimals: u8,
    /// One price sample is kept per interval.
    pub sample_interval: Span,
    /// How what a series leaves open was treated, a sentence each.
    pub assumptions: Vec<String>,
}

/// What it ran over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesSummary {
    /// The file's name, or the job whose samples these are.
    pub name: String,
    /// Rows that were used.
    pub rows: u64,
    /// Instant of the first row used.
    pub first: Timestamp,
    /// Instant of the last row used.
    pub last: Timestamp,
    /// The most common time from one row to the next.
    pub spacing: Span,
    /// Rows are candles (open, high, low, close); their close counts, at the candle's end.
    pub candles: bool,
    /// Places where rows are missing.
    pub gaps: u64,
    /// The longest of them.
    pub longest_gap: Option<Interval>,
    /// Rows of an instant that had one already; the first one counts.
    pub duplicates: u64,
    /// Rows that were left out because they were asked to be (bad or out of order).
    pub skipped: u64,
    /// Gaps, duplicates and rows left out, each kind with the lines of its first ones.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A length of time with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Its first instant.
    pub from: Timestamp,
    /// Its last instant.
    pub to: Timestamp,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize, Default, Deserialize)]
pub struct Summary {
    /// The first slot, if there was any.
    pub from: Option<Timestamp>,
    /// The last slot.
    pub to: Option<Timestamp>,
    /// Slots that were decided.
    pub ticks: u64,
    /// The price that was accepted last.
    pub last_price: Option<Price>,
    /// Buys.
    pub buys: u64,
    /// Sells.
    pub sells: u64,
    /// Trades by rule, in the rules' order.
    pub by_reason: Vec<ReasonTotal>,
    /// Ticks without a trade by reason, most first.
    pub holds: Vec<HoldTotal>,
    /// Paid for all buys, USD, gas apart.
    pub spent_usd: Usd,
    /// Received for all sells, USD, gas apart.
    pub proceeds_usd: Usd,
    /// What was put in from outside: all buys of mode accumulate, the budget of mode liquidity. Gas apart.
    pub money_in_usd: Usd,
    /// Tokens held, base units.
    pub token_balance: Amount,
    /// Quote that the job owns (mode liquidity), base units.
    pub quote_balance: Amount,
    /// What tokens and owned quote are worth at the last price, USD.
    pub value_usd: Usd,
    /// What the tokens held cost, USD.
    pub cost_basis_usd: Usd,
    /// What one token held cost on average.
    pub average_cost: Option<Price>,
    /// Gains and losses of what was sold, USD.
    pub realized_usd: Usd,
    /// What selling all at the last price would gain or lose, USD, before fees.
    pub unrealized_usd: Usd,
    /// Pool fee and slippage of all trades, USD at the prices decided on. They are in the fills already.
    pub fees_usd: Usd,
    /// Gas of all trades, USD.
    pub gas_usd: Usd,
    /// Realised and unrealised, less gas, USD.
    pub profit_usd: Usd,
    /// `profit_usd` in per cent of `money_in_usd`; none without money in.
    pub return_pct: Option<Decimal>,
    /// Money-weighted return: the yearly rate at which all payments in are worth all payments out and what is
    /// held, per cent a year. None if there is no such rate. A statistic, so a float.
    pub money_weighted_pct: Option<f64>,
    /// The deepest fall of the profit from an earlier peak.
    pub drawdown: Drawdown,
    /// The longest time without a trade, the ends included.
    pub longest_wait: Option<Interval>,
}

/// The deepest fall of the profit (gas included) from an earlier peak. Ends of ticks count, as accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Drawdown {
    /// The deepest fall in USD.
    pub usd: Usd,
    /// The deepest fall in per cent of what the money put in until then had grown to at the peak.
    pub pct: Decimal,
    /// When that percentage was seen.
    pub at: Option<Timestamp>,
}

/// Trades of one rule and side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonTotal {
    /// The rule.
    pub reason: Reason,
    /// Direction.
    pub side: Side,
    /// How many.
    pub trades: u64,
    /// USD paid or received, gas apart.
    pub usd: Usd,
}

/// Ticks that did not trade, for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldTotal {
    /// The reason.
    pub reason: HoldReason,
    /// How many.
    pub ticks: u64,
}

/// The same money spent otherwise, through the same cost model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// How.
    pub plan: Benchmark,
    /// Its own result.
    pub summary: Summary,
}

/// What the money is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Benchmark {
    /// All of it at the first slot.
    #[strum(to_string = "lump sum")]
    LumpSum,
    /// Equal parts at equal distances.
    #[strum(to_string = "equal DCA")]
    EqualDca,
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
    /// The accepted price it was decided on.
    pub price: Price,
    /// USD per token that the fill comes to, fee and slippage included.
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
    /// Profit of what was sold, USD; zero for a buy.
    pub realized_usd: Usd,
    /// Tokens held afterwards, base units.
    pub token_balance: Amount,
    /// What they cost, USD.
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
    /// What tokens and owned quote are worth, USD.
    pub value_usd: Usd,
    /// What was put in from outside until then, USD, gas apart.
    pub money_in_usd: Usd,
    /// What sells paid out until then (mode accumulate; mode liquidity keeps it), USD.
    pub paid_out_usd: Usd,
    /// Average cost of the tokens held.
    pub average_cost: Option<Price>,
    /// Profit until then, gas included, USD.
    pub profit_usd: Usd,
    /// How far below its earlier peak the profit is, as [`Drawdown::pct`]; 0 at a peak.
    pub drawdown_pct: Decimal,
}

/// Ticks in a row that held for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRun {
    /// The reason.
    pub reason: HoldReason,
    /// The first slot.
    pub from: Timestamp,
    /// The last slot.
    pub to: Timestamp,
    /// How many.
    pub ticks: u64,
}
