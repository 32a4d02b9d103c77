//! Routers beyond Uniswap's: a key signs for one only if its policy entry names it.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// A router that a policy entry must name.
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
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum ExtraRouter {
    /// PancakeSwap V3's SwapRouter.
    PancakeswapV3,
    /// The SwapRouters of Aerodrome's Slipstream, one for each of its deployments.
    Slipstream,
    /// Aerodrome's own Router, for pools of one factory.
    Aerodrome,
}

impl ExtraRouter {
    /// Every name, with commas between.
    #[must_use]
    pub fn names() -> String {
        let names: Vec<&str> = Self::VARIANTS.iter().map(|router| (*router).into()).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_alike_everywhere() {
        for router in ExtraRouter::VARIANTS {
            let name: &str = router.into();
            assert_eq!(name.parse(), Ok(*router));
            assert_eq!(serde_json::to_value(router).expect("json"), name);
        }
        assert_eq!(ExtraRouter::names(), "pancakeswap-v3, slipstream, aerodrome");
    }
}
