//! The side of a trade, and the rule it comes from.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::job::JobStatus;

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
    /// The position fell to its stop.
    StopLoss,
    /// The position fell from its high.
    TrailingStop,
    /// The price is below the moving average.
    SpreadBuy,
    /// The price is above the moving average.
    SpreadSell,
    /// The inventory is off its target.
    Rebalance,
    /// An order that waits for no price.
    MarketOrder,
    /// An order whose price is reached.
    LimitOrder,
    /// An order whose stop is reached.
    StopOrder,
    /// An order that follows the price, and whose distance is reached.
    TrailingOrder,
    /// The job is being liquidated.
    Liquidate,
}

impl Reason {
    /// Whether this sale gets out of a falling position. It is exempt from the limits that a liquidation is exempt
    /// from, and its job then does what `after_stop` says.
    #[must_use]
    pub const fn is_stop(self) -> bool {
        matches!(self, Self::StopLoss | Self::TrailingStop)
    }

    /// Whether a trade for this reason, on this side, gets out of a position: it is held only to what the job owns.
    #[must_use]
    pub const fn gets_out(self, side: Side) -> bool {
        match self {
            Self::Liquidate => true,
            Self::StopOrder | Self::TrailingOrder => matches!(side, Side::Sell),
            _ => self.is_stop(),
        }
    }

    /// Whether it is an order of mode order.
    #[must_use]
    pub const fn is_order(self) -> bool {
        matches!(
            self,
            Self::MarketOrder | Self::LimitOrder | Self::StopOrder | Self::TrailingOrder
        )
    }

    /// Whether a job in this status still wants a plan that was made for this reason. A stop also stops what was
    /// planned and not yet signed; a liquidating job buys nothing more.
    #[must_use]
    pub const fn is_wanted(self, status: JobStatus) -> bool {
        match status {
            JobStatus::Running => !matches!(self, Self::Liquidate),
            JobStatus::Liquidating => matches!(self, Self::Liquidate),
            JobStatus::Idle | JobStatus::Paused | JobStatus::Error => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_status_is_for_is_still_wanted() {
        for reason in Reason::VARIANTS {
            let sale = *reason == Reason::Liquidate;
            assert_eq!(reason.is_wanted(JobStatus::Running), !sale, "{reason}");
            assert_eq!(reason.is_wanted(JobStatus::Liquidating), sale, "{reason}");
            for stopped in [JobStatus::Idle, JobStatus::Paused, JobStatus::Error] {
                assert!(!reason.is_wanted(stopped), "{reason}");
            }
        }
    }
}
