//! Why a tick did not trade.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

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
    /// A buy is due, and the price is not between `buy_above_usd` and `buy_below_usd`.
    PriceBand,
    /// A dip seen once; the next sample must confirm it.
    DipUnconfirmed,
    /// The price is at or below a stop for the first time; the next sample must confirm it.
    StopUnconfirmed,
    /// A buy is due, and the price is at or below a stop.
    BelowStop,
    /// A buy is due, and `stop_cooldown` since the last stop is not over.
    StopCooldown,
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
    /// The job was stopped or edited while this tick was evaluated.
    JobChanged,
    /// The job stopped after failures.
    Error,
    /// The tick came later than `max_lateness` after its slot.
    TooLate,
    /// An earlier trade of this job is still open.
    TradeOpen,
    /// No price is available.
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
    /// Pool, hook and token together would keep more than `max_pool_fee_bps`.
    PoolFee,
    /// The pool is younger than `min_pool_age`.
    YoungPool,
    /// More than `max_pool_fee_bps` would be kept in a pool that was just made: it may be a tax that falls.
    LaunchTax,
    /// Rounding to whole base units costs more than `max_slippage_bps`, or leaves nothing to trade.
    TooFewUnits,
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
    /// The trade reverted when it was simulated on the chain's state before signing.
    SimulationFailed,
    /// The token can be bought, but a sell of it reverts or loses too much.
    Unsellable,
    /// The chain has made no block for a while, or every node is behind.
    ChainHalted,
    /// The signer is halted; `doctor` says why.
    SignerHalted,
    /// The quote is better than the accepted price by more than `max_price_deviation_bps`: one of the two is wrong.
    QuoteDisagrees,
    /// A referee knows a route that pays more than the best one found here by more than `referee_bps`.
    RefereeBetter,
    /// A referee that the job asks did not answer, or knows no route.
    RefereeSilent,
    /// The newest block's time and the database's clock differ by more than 30 s.
    ChainClock,
    /// The token contract reports other decimals than the job was started with.
    DecimalsChanged,
    /// The nodes of the chain contradict each other, or too few of them answer.
    NodesDisagree,
    /// The policy of this worker does not allow the transaction.
    PolicyRefused,
    /// The job's stored configuration is not allowed for its realm.
    ConfigRefused,
    /// This worker cannot open the key of the job's wallet.
    KeyUnavailable,
    /// Liquidation: the next slice is not due.
    SliceNotDue,
    /// Order: its price is not reached.
    OrderPrice,
    /// Order: its stop was reached once; the next sample must confirm it.
    OrderUnconfirmed,
    /// Order: its next part is not due.
    OrderSlice,
    /// Order: it sells, and its job holds nothing.
    OrderEmpty,
    /// Order: its time is over.
    OrderOver,
    /// Order: the quote is worse than `limit_usd`, less `max_slippage_bps`.
    LimitPrice,
    /// Basket: the token's share is within its band.
    BasketInBalance,
    /// Basket: fewer than `basket.members` were started.
    BasketIncomplete,
    /// Basket: another member has no recent price.
    BasketPrice,
    /// Basket: another member sells first.
    BasketSales,
    /// Basket: quote of other members is moved to this one, or waits until their trades are final.
    BasketQuote,
    /// A number went out of range; nothing was traded.
    Arithmetic,
    /// The tick itself failed; it is logged and the next slot runs.
    TickFailed,
}

impl HoldReason {
    /// Meaning and remedy in one sentence.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table: one sentence for each reason")]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::NotDue => {
                "No rule fires now: the next buy is not due, there is no dip and no profit to take."
            }
            Self::MaxAccumulation => {
                "The position has reached max_accumulation_usd by cost or by value; raise it to buy more."
            }
            Self::PriceBand => {
                "A buy is due and waits until the price is between buy_above_usd and buy_below_usd."
            }
            Self::DipUnconfirmed => "A dip was seen once; the job buys if the next sample confirms it.",
            Self::StopUnconfirmed => {
                "The price is at or below a stop; the job sells if the next sample confirms it, and buys nothing."
            }
            Self::BelowStop => {
                "A buy is due and waits until the price is above the job's stop: it would be sold again at once."
            }
            Self::StopCooldown => "A buy is due and waits until stop_cooldown since the last stop is over.",
            Self::InBalance => "The price is near its mean and the inventory near its target.",
            Self::SpreadCooldown => "A spread trade waits for its spread_cooldown.",
            Self::RebalanceBand => {
                "A spread trade would push the inventory out of its band; widen rebalance_threshold_pct to allow it."
            }
            Self::MovingAverageCoverage => {
                "Price samples cover less than 80 % of ma_window: wait. If it stays so, slots are more than a quarter of \
                 ma_window apart: lengthen it, or let slots come more often."
            }
            Self::Backoff => "A trade failed; the job waits before it tries again, see its last trades.",
            Self::Paused => "The job is paused; `resume` lets it trade.",
            Self::Idle => "The job is idle; `start` begins a cycle.",
            Self::JobChanged => "The job was changed while it was evaluated; the next slot uses the change.",
            Self::Error => "The job stopped after consecutive failures; fix the cause, then `resume`.",
            Self::TooLate => {
                "The tick ran later than max_lateness after its slot; check whether the workers keep up."
            }
            Self::TradeOpen => "An earlier trade of this job is not final yet; it is being settled.",
            Self::PriceMissing => "The price source gave no price; check whether it can be reached.",
            Self::PriceStale => {
                "The price is older than max_price_age, or from the future; check source and clock."
            }
            Self::PriceInvalid => "The source's price is not above zero; check the source for this token.",
            Self::PriceJump => {
                "The price moved further than max_price_move_pct allows; it is accepted if it lasts."
            }
            Self::PriceDeviation => {
                "The sources differ by more than max_price_deviation_bps; trading waits until they agree."
            }
            Self::CrossCheckMissing => "A source that should cross-check the price gave none that is usable.",
            Self::BelowMinTrade => "The trade would be smaller than min_trade_usd.",
            Self::MaxPosition => "The position would be worth more than max_position_usd.",
            Self::TradesPerHour => "max_trades_per_hour is reached; it frees up as the hour passes.",
            Self::DailySpend => "max_daily_spend_usd is reached; buying resumes at midnight UTC.",
            Self::DailyVolume => "max_daily_volume_usd is reached; trading resumes at midnight UTC.",
            Self::Slippage => {
                "The venue pays less than the price implies by more than max_slippage_bps, after its known fees."
            }
            Self::PoolFee => {
                "Pool, hook and token together would keep more than max_pool_fee_bps; raise it, or trade in another pool."
            }
            Self::YoungPool => {
                "The pool is younger than venue.min_pool_age; it is bought in as soon as it is old enough."
            }
            Self::LaunchTax => {
                "More than max_pool_fee_bps would be kept in a pool that was just made: a tax of the launch falls with time."
            }
            Self::TooFewUnits => {
                "The trade moves so few of the token's smallest units that rounding exceeds a limit; trade larger amounts."
            }
            Self::PriceImpact => {
                "The trade would move the price by more than max_price_impact_bps; trade smaller amounts."
            }
            Self::GasTooExpensive => "Gas for one trade costs more than max_gas_usd; wait, or raise it.",
            Self::InsufficientBalance => {
                "The wallet or the job's own quote cannot pay for the trade; fund it."
            }
            Self::InsufficientGas => {
                "The wallet cannot pay for gas and keep gas_reserve; send it some of the native coin."
            }
            Self::QuoteMissing => "The venue gave no quote; check whether it can be reached.",
            Self::NoLiquidity => "The venue's pool cannot fill this trade; check the token's liquidity.",
            Self::SimulationFailed => {
                "The trade reverted when it was simulated, so it was not sent; the detail says why."
            }
            Self::Unsellable => {
                "A sell after the buy fails: the token or its pool is a trap, or code at the wallet refuses it; nothing was bought."
            }
            Self::ChainHalted => {
                "The chain's newest block is too old: it has halted or the nodes are behind; see `doctor`."
            }
            Self::SignerHalted => "The signer is halted; run `doctor` to see why.",
            Self::RefereeBetter => {
                "A referee knows a route that pays more than the best one found here; look at `pools`, raise \
                 venue.referee_bps, or set venue.referee_action to warn."
            }
            Self::RefereeSilent => {
                "A referee that this job asks did not answer or knows no route; take it off venue.referees, or set \
                 venue.referee_action to warn."
            }
            Self::QuoteDisagrees => {
                "The quote is better than the accepted price by more than max_price_deviation_bps: one of them is wrong."
            }
            Self::ChainClock => {
                "The newest block's time differs from the database's clock by more than 30 s; check nodes and clocks."
            }
            Self::DecimalsChanged => {
                "The token contract reports other decimals than the job was started with; nothing is traded."
            }
            Self::NodesDisagree => {
                "The chain's nodes contradict each other or too few answer; see `doctor` and replace the bad node."
            }
            Self::PolicyRefused => {
                "The worker's policy file does not allow this transaction; see `policy check`."
            }
            Self::ConfigRefused => {
                "The job's configuration is not allowed for its realm; fix it with `config edit`."
            }
            Self::KeyUnavailable => "This worker cannot open the wallet's key; see `doctor`.",
            Self::SliceNotDue => {
                "The next slice of the liquidation is not due yet, or nothing is left to sell."
            }
            Self::OrderPrice => "The order waits for its price.",
            Self::OrderUnconfirmed => {
                "The order's stop was reached once; it trades if the next sample confirms it."
            }
            Self::OrderSlice => {
                "The part of the order whose time it is has been traded; the next one is not due yet."
            }
            Self::OrderEmpty => {
                "The order has no tokens to sell; `adopt` gives it some that the wallet holds."
            }
            Self::OrderOver => "The order's time is over; it trades nothing more.",
            Self::LimitPrice => {
                "The venue's quote is worse than limit_usd by more than max_slippage_bps; the order waits."
            }
            Self::BasketInBalance => "The token's share of its basket is within its band.",
            Self::BasketIncomplete => {
                "Fewer members of the basket were started than basket.members says; start the others, or change that."
            }
            Self::BasketPrice => {
                "Another running member of the basket has no price younger than max_price_age; pause it to continue without it."
            }
            Self::BasketSales => "The token is short of its share; another member of the basket sells first.",
            Self::BasketQuote => {
                "The token is short of its share; quote of other members is moved to it once their trades are final."
            }
            Self::Arithmetic => {
                "A number went out of range and nothing was traded; check amounts and decimals."
            }
            Self::TickFailed => "The tick itself failed; the log says why, and the next slot runs.",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_hold_reason_has_its_own_label_and_explanation() {
        let labels: BTreeSet<String> = HoldReason::VARIANTS.iter().map(ToString::to_string).collect();
        let texts: BTreeSet<&str> = HoldReason::VARIANTS.iter().map(|r| r.explain()).collect();
        assert_eq!(labels.len(), HoldReason::VARIANTS.len());
        assert_eq!(texts.len(), HoldReason::VARIANTS.len());
        assert!(texts.iter().all(|text| text.ends_with('.')));
        let least = format!("less than {} %", crate::liquidity::COVERAGE_PCT_MIN);
        assert!(
            HoldReason::MovingAverageCoverage.explain().contains(&least),
            "{least}"
        );
    }

    #[test]
    fn a_label_reads_back_the_same_in_text_and_in_json() {
        for &reason in HoldReason::VARIANTS {
            let label = reason.to_string();
            assert_eq!(label.parse::<HoldReason>(), Ok(reason));
            assert_eq!(serde_json::to_value(reason).ok(), Some(label.into()));
        }
    }
}
