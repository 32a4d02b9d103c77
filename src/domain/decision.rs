//! What one tick is told (facts) and what it answers (a decision).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{
    Timestamp,
    units::{Amount, Price, Usd},
};

/// Everything a rule may look at, besides the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The slot's instant. All "now" of the rules.
    pub now: Timestamp,
    /// When this cycle started.
    pub started_at: Timestamp,
    /// The accepted price of this tick.
    pub price: Price,
    /// The accepted price of the tick before, if it came after the last dip fill.
    pub previous_price: Option<Price>,
    /// Highest accepted sample since max(now - `dip_window`, last dip fill), this tick's price included.
    pub recent_high: Price,
    /// Time-weighted mean over `ma_window`; `None` without any sample.
    pub moving_average: Option<MovingAverage>,
    /// What the job holds.
    pub position: Position,
    /// When each rule last filled.
    pub last: LastFills,
    /// What was traded lately, open trades included.
    pub spent: Spent,
}

/// A time-weighted mean and how much of its window it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovingAverage {
    /// The mean.
    pub price: Price,
    /// Share of the window that samples cover, 0 to 100 per cent.
    pub coverage_pct: Decimal,
}

/// What a job holds in this cycle, by its own ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Tokens held, base units.
    pub token_balance: Amount,
    /// Digits of one whole token.
    pub token_decimals: u8,
    /// What the tokens held cost; falls by the sold share.
    pub cost_basis: Usd,
    /// Quote the job owns (mode liquidity), base units of the quote token.
    pub quote_balance: Amount,
    /// Digits of one whole quote token.
    pub quote_decimals: u8,
    /// USD per whole quote token.
    pub quote_price: Price,
    /// Gains and losses of what was sold in this cycle.
    pub realized_pnl: Usd,
}

/// When the rules last filled in this cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LastFills {
    /// Last DCA buy.
    pub dca: Option<Timestamp>,
    /// Last dip buy.
    pub dip: Option<Timestamp>,
    /// Last take-profit and its price.
    pub take_profit: Option<(Timestamp, Price)>,
    /// Last spread trade, either side.
    pub spread: Option<Timestamp>,
    /// Last rebalance.
    pub rebalance: Option<Timestamp>,
    /// Until when no rule may fire, because trades failed.
    pub backoff_until: Option<Timestamp>,
}

/// What a job traded lately, open trades counted with their planned amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Trades frozen in the 60 minutes before the slot.
    pub trades_last_hour: u32,
    /// USD spent on buys in the slot's UTC day.
    pub buys_today: Usd,
    /// USD bought plus sold in the slot's UTC day.
    pub volume_today: Usd,
}

/// BUY or SELL, seen from the token.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "UPPERCASE")]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Quote goes out, token comes in.
    Buy,
    /// Token goes out, quote comes in.
    Sell,
}

/// The rule a trade comes from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The regular buy.
    Dca,
    /// The price fell from its high.
    DipBuy,
    /// The position gained enough.
    TakeProfit,
    /// The price is below the moving average.
    SpreadBuy,
    /// The price is above the moving average.
    SpreadSell,
    /// The inventory is off its target.
    Rebalance,
    /// The job is being sold.
    Liquidate,
}

/// What a rule wants. The limits have not seen it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Direction.
    pub side: Side,
    /// The rule.
    pub reason: Reason,
    /// What goes out: quote for a buy, token for a sell. Base units, never zero.
    pub amount_in: Amount,
    /// `amount_in` in USD at the facts' prices, rounded down.
    pub value: Usd,
    /// The price the rule decided on.
    pub price: Price,
}

/// What the rules say for one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Do nothing, because.
    Hold(HoldReason),
    /// Trade, if the limits allow.
    Trade(Plan),
}

/// Why a tick did not trade. Every reason is a metric label and a line in `status`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// No rule fires: the next DCA is not due, no dip, no profit to take.
    NotDue,
    /// The position has reached `max_accumulation_usd`, by cost or by value.
    MaxAccumulation,
    /// A dip, seen once: it must be confirmed by the next sample.
    DipUnconfirmed,
    /// Liquidity: the price is near its mean and the inventory near its target.
    InBalance,
    /// Liquidity: a spread trade would fire but for its cooldown.
    SpreadCooldown,
    /// Liquidity: a spread trade would leave the rebalance band.
    RebalanceBand,
    /// Liquidity: too few samples for a moving average.
    MovingAverageCoverage,
    /// Trades failed; waiting before the next try.
    Backoff,
    /// The job is paused.
    Paused,
    /// The job is idle.
    Idle,
    /// The job stopped after failures.
    Error,
    /// The tick came later than `max_lateness` after its slot.
    TooLate,
    /// An earlier trade of this job is still open.
    TradeOpen,
    /// No price could be had.
    PriceMissing,
    /// The price is older than `max_price_age`.
    PriceStale,
    /// The price is zero, negative or not a number.
    PriceInvalid,
    /// The price moved more than `max_price_move_pct` since the last sample.
    PriceJump,
    /// The sources differ by more than `max_price_deviation_bps`.
    PriceDeviation,
    /// A source that should cross-check gave no price.
    CrossCheckMissing,
    /// The trade would be below `min_trade_usd`.
    BelowMinTrade,
    /// The position would be worth more than `max_position_usd`.
    MaxPosition,
    /// `max_trades_per_hour` is reached.
    TradesPerHour,
    /// `max_daily_spend_usd` is reached.
    DailySpend,
    /// `max_daily_volume_usd` is reached.
    DailyVolume,
    /// The venue's price is too far from the accepted price.
    Slippage,
    /// The trade would move the price by more than `max_price_impact_bps`.
    PriceImpact,
    /// Gas would cost more than `max_gas_usd`.
    GasTooExpensive,
    /// The wallet cannot pay for the trade.
    InsufficientBalance,
    /// The wallet cannot pay for gas and keep its reserve.
    InsufficientGas,
    /// The venue gave no quote.
    QuoteMissing,
    /// The venue's pool cannot fill this trade.
    NoLiquidity,
    /// The signer is halted; `doctor` says why.
    SignerHalted,
    /// Liquidation: the next slice is not due.
    SliceNotDue,
    /// A number went out of range; nothing was traded.
    Arithmetic,
    /// The tick itself failed; it is logged and the next slot runs.
    TickFailed,
}
