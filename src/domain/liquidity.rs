//! Mode liquidity: spread trades around a moving average, then rebalance to target.

use super::{
    config::LiquidityConfig,
    decision::{Decision, Facts, HoldReason},
};

/// What mode liquidity does with these facts.
#[must_use]
pub fn decide(config: &LiquidityConfig, facts: &Facts) -> Decision {
    let _ = (config, facts);
    Decision::Hold(HoldReason::InBalance)
}
