//! Routers beyond Uniswap's: a key signs for one only if its policy entry names it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fork::ForkName;

/// What the routers of V2's forks begin with, before the fork's name.
const V2: &str = "v2:";

/// A router that a policy entry must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExtraRouter {
    /// `pancakeswap-v3`: PancakeSwap V3's SwapRouter.
    PancakeswapV3,
    /// `slipstream`: the SwapRouters of Aerodrome's Slipstream, one for each of its deployments.
    Slipstream,
    /// `aerodrome`: Aerodrome's own Router, for pools of one factory.
    Aerodrome,
    /// `v2:NAME`: the router of a fork of Uniswap V2, as settings and the policy name it.
    V2(ForkName),
}

/// A text that names no router.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no router is called '{text}'; there are {}", ExtraRouter::names())]
pub struct InvalidRouter {
    /// What was given.
    pub text: String,
}

impl ExtraRouter {
    /// Those that need no settings.
    pub const BUILT_IN: [Self; 3] = [Self::PancakeswapV3, Self::Slipstream, Self::Aerodrome];

    /// Every name, with commas between.
    #[must_use]
    pub fn names() -> String {
        let built_in = Self::BUILT_IN.iter().map(ToString::to_string);
        let names: Vec<String> = built_in.chain([format!("{V2}NAME")]).collect();
        names.join(", ")
    }
}

impl fmt::Display for ExtraRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PancakeswapV3 => f.write_str("pancakeswap-v3"),
            Self::Slipstream => f.write_str("slipstream"),
            Self::Aerodrome => f.write_str("aerodrome"),
            Self::V2(fork) => write!(f, "{V2}{fork}"),
        }
    }
}

impl FromStr for ExtraRouter {
    type Err = InvalidRouter;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fork = text.strip_prefix(V2).and_then(|name| name.parse().ok());
        let mut built_in = Self::BUILT_IN.into_iter();
        fork.map(Self::V2)
            .or_else(|| built_in.find(|router| router.to_string() == text))
            .ok_or_else(|| InvalidRouter {
                text: text.to_owned(),
            })
    }
}

impl Serialize for ExtraRouter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExtraRouter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_alike_everywhere() {
        let fork = ExtraRouter::V2("sushi".parse().expect("a name"));
        for router in ExtraRouter::BUILT_IN.into_iter().chain([fork]) {
            let name = router.to_string();
            assert_eq!(name.parse(), Ok(router));
            assert_eq!(serde_json::to_value(router).expect("json"), name);
            let read: ExtraRouter = serde_json::from_value(name.into()).expect("a name");
            assert_eq!(read, router);
        }
        assert_eq!(
            ExtraRouter::names(),
            "pancakeswap-v3, slipstream, aerodrome, v2:NAME"
        );
        for text in ["", "sushi", "v2", "v2:", "v2:Sushi", "Slipstream", "v3:sushi"] {
            let error = text.parse::<ExtraRouter>().expect_err("no router").to_string();
            assert!(
                error.starts_with(&format!("no router is called '{text}'; there are")),
                "{error}"
            );
        }
    }
}
