//! Pools by name: what a configuration pins and the ledger remembers.

use std::{fmt, str::FromStr};

use alloy_primitives::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::{Display, EnumString};

use crate::{fork::ForkName, pool_key::fee, router::ExtraRouter};

pub use crate::{
    mixed::{Hop, MixedPath},
    pool_key::{DYNAMIC_FEE, HookShape, NATIVE, PoolKey},
};

/// A way from one token to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pool {
    /// `v4:CURRENCY0/CURRENCY1/FEE/TICK_SPACING/HOOKS`.
    V4(PoolKey),
    /// `v3:FEE`: one pool between token and quote. Fee in hundredths of a basis point.
    V3(u32),
    /// `v3:FEE/FEE`: from the token to the wrapped native coin, and from there to the quote.
    V3Hops(u32, u32),
    /// `v3:FEE/TOKEN/FEE`, `v3:FEE/TOKEN/FEE/TOKEN/FEE`: two or three pools, from the token through these tokens to the
    /// quote.
    V3Path(TokenPath),
    /// `HOP/TOKEN/HOP`, `HOP/TOKEN/HOP/TOKEN/HOP`: two or three pools of Uniswap's of any version, from the token
    /// through these tokens to the quote; each hop is `v2`, `v3:FEE` or `v4:..` as above.
    Mixed(MixedPath),
    /// `v2`: the pair of token and quote.
    V2,
    /// `v2:FORK`: the same on a fork of V2 that `chains.NAME.v2_forks` names.
    V2Fork(ForkName),
    /// `pancake:FEE`: the same as `v3:FEE` on PancakeSwap V3.
    Pancake(u32),
    /// `pancake:FEE/FEE`: the same as `v3:FEE/FEE` on PancakeSwap V3.
    PancakeHops(u32, u32),
    /// `slipstream:SPACING`, `slipstream-caps:SPACING`, `slipstream-v3:SPACING`: one pool between token and quote on
    /// Aerodrome's Slipstream, by its distance of usable ticks, 1 to 16383.
    Slipstream(Slipstream, u32),
    /// `slipstream:SPACING/SPACING`, and so on: from the token to the wrapped native coin, and from there to the quote.
    SlipstreamHops(Slipstream, u32, u32),
    /// `aerodrome:volatile`, `aerodrome:stable`: the pool of token and quote with that curve on Aerodrome.
    Aerodrome(Curve),
    /// `aerodrome:CURVE/CURVE`: from the token to the wrapped native coin, and from there to the quote.
    AerodromeHops(Curve, Curve),
}

/// Pools one after the other, from the token to the quote: their fees, and the tokens between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenPath {
    /// The first pool's fee, and the token that it leads to.
    pub first: (u32, Address),
    /// The same of the second pool, where there are three.
    pub second: Option<(u32, Address)>,
    /// The fee of the pool that leads to the quote.
    pub last: u32,
}

impl TokenPath {
    /// The fees of its pools, from the token on.
    #[must_use]
    pub fn fees(&self) -> Vec<u32> {
        let hops = std::iter::once(self.first).chain(self.second);
        hops.map(|(fee, _)| fee).chain([self.last]).collect()
    }

    /// The tokens between them, from the token on.
    #[must_use]
    pub fn through(&self) -> Vec<Address> {
        let hops = std::iter::once(self.first).chain(self.second);
        hops.map(|(_, token)| token).collect()
    }
}

impl fmt::Display for TokenPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fee, token) in std::iter::once(self.first).chain(self.second) {
            write!(f, "{fee}/{token:#x}/")?;
        }
        write!(f, "{}", self.last)
    }
}

/// What Aerodrome's pools keep constant: each pair of tokens may have one pool of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Curve {
    /// `x * y`, as Uniswap V2 has it.
    Volatile,
    /// `x^3 * y + y^3 * x`, for tokens that are worth about the same.
    Stable,
}

/// Slipstream's deployments: each has a factory, a quoter and a router of its own, and knows no other's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slipstream {
    /// The first.
    Initial,
    /// With caps of emissions.
    Caps,
    /// The newest, called Gauges V3.
    V3,
}

impl Slipstream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Initial, Self::Caps, Self::V3];

    /// What its pools begin with in settings.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Initial => "slipstream",
            Self::Caps => "slipstream-caps",
            Self::V3 => "slipstream-v3",
        }
    }

    fn by_prefix(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.prefix() == text)
    }
}

impl Pool {
    /// The router that a policy must name before this pool is traded in; `None`: it is one of Uniswap's.
    #[must_use]
    pub const fn extra_router(&self) -> Option<ExtraRouter> {
        match self {
            Self::V4(_) | Self::V3(_) | Self::V3Hops(..) | Self::V3Path(_) | Self::Mixed(_) | Self::V2 => {
                None
            }
            Self::V2Fork(fork) => Some(ExtraRouter::V2(*fork)),
            Self::Pancake(_) | Self::PancakeHops(..) => Some(ExtraRouter::PancakeswapV3),
            Self::Slipstream(..) | Self::SlipstreamHops(..) => Some(ExtraRouter::Slipstream),
            Self::Aerodrome(_) | Self::AerodromeHops(..) => Some(ExtraRouter::Aerodrome),
        }
    }
}

impl From<Hop> for Pool {
    fn from(hop: Hop) -> Self {
        match hop {
            Hop::V2 => Self::V2,
            Hop::V3(fee) => Self::V3(fee),
            Hop::V4(key) => Self::V4(key),
        }
    }
}

/// A text that names no pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' names no pool: write v2, v2:FORK, v3:FEE, v3:FEE/FEE (through the wrapped native coin), \
     v3:FEE/TOKEN/FEE, v3:FEE/TOKEN/FEE/TOKEN/FEE (through these tokens), pancake:FEE, pancake:FEE/FEE, \
     slipstream:SPACING, slipstream:SPACING/SPACING (or slipstream-caps, slipstream-v3), \
     aerodrome:CURVE, aerodrome:CURVE/CURVE (CURVE is volatile or stable) or \
     v4:CURRENCY0/CURRENCY1/FEE/TICK_SPACING/HOOKS with CURRENCY0 below CURRENCY1 (0x0..0 is the native coin) and FEE \
     in hundredths of a basis point, below 1000000, or 8388608 (dynamic); or POOL/TOKEN/POOL, \
     POOL/TOKEN/POOL/TOKEN/POOL through these tokens, where each POOL is v2, v3:FEE or v4:.. and not all are v3"
)]
pub struct InvalidPool {
    /// What was given.
    pub text: String,
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(key) => write!(f, "v4:{key}"),
            Self::Mixed(path) => write!(f, "{path}"),
            Self::V3(fee) => write!(f, "v3:{fee}"),
            Self::V3Hops(first, second) => write!(f, "v3:{first}/{second}"),
            Self::V3Path(path) => write!(f, "v3:{path}"),
            Self::V2 => f.write_str("v2"),
            Self::V2Fork(fork) => write!(f, "v2:{fork}"),
            Self::Pancake(fee) => write!(f, "pancake:{fee}"),
            Self::PancakeHops(first, second) => write!(f, "pancake:{first}/{second}"),
            Self::Slipstream(which, spacing) => write!(f, "{}:{spacing}", which.prefix()),
            Self::SlipstreamHops(which, first, second) => {
                write!(f, "{}:{first}/{second}", which.prefix())
            }
            Self::Aerodrome(curve) => write!(f, "aerodrome:{curve}"),
            Self::AerodromeHops(first, second) => write!(f, "aerodrome:{first}/{second}"),
        }
    }
}

impl FromStr for Pool {
    type Err = InvalidPool;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.trim().split_once(':') {
            None if text.trim() == "v2" => Some(Self::V2),
            Some(("v2", fork)) => fork.parse().ok().map(Self::V2Fork),
            Some(("v3", fees)) => {
                one_or_two(fees, Self::V3, Self::V3Hops).or_else(|| path(fees).map(Self::V3Path))
            }
            Some(("pancake", fees)) => one_or_two(fees, Self::Pancake, Self::PancakeHops),
            Some(("aerodrome", curves)) => aerodrome(curves),
            Some(("v4", key)) => key.parse().ok().map(Self::V4),
            Some((prefix, spacings)) => {
                Slipstream::by_prefix(prefix).and_then(|which| slipstream(which, spacings))
            }
            None => None,
        };
        let parsed = parsed.or_else(|| text.trim().parse().ok().map(Self::Mixed));
        parsed.ok_or_else(|| InvalidPool {
            text: text.to_owned(),
        })
    }
}

fn one_or_two(fees: &str, one: fn(u32) -> Pool, two: fn(u32, u32) -> Pool) -> Option<Pool> {
    match fees.split_once('/') {
        None => fee(fees).map(one),
        Some((first, second)) => Some(two(fee(first)?, fee(second)?)),
    }
}

fn path(text: &str) -> Option<TokenPath> {
    let token = |text: &str| text.parse().ok().filter(|token: &Address| *token != NATIVE);
    let hop = |of: &str, to: &str| Some((fee(of)?, token(to)?));
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [one, to, last] => Some(TokenPath {
            first: hop(one, to)?,
            second: None,
            last: fee(last)?,
        }),
        [one, to, two, next, last] => {
            let (first, second) = (hop(one, to)?, hop(two, next)?);
            (first.1 != second.1).then_some(TokenPath {
                first,
                second: Some(second),
                last: fee(last)?,
            })
        }
        _ => None,
    }
}

fn slipstream(which: Slipstream, spacings: &str) -> Option<Pool> {
    let spacing = |text: &str| text.parse().ok().filter(|spacing| (1..16_384).contains(spacing));
    match spacings.split_once('/') {
        None => spacing(spacings).map(|spacing| Pool::Slipstream(which, spacing)),
        Some((first, second)) => Some(Pool::SlipstreamHops(which, spacing(first)?, spacing(second)?)),
    }
}

fn aerodrome(curves: &str) -> Option<Pool> {
    match curves.split_once('/') {
        None => curves.parse().ok().map(Pool::Aerodrome),
        Some((first, second)) => Some(Pool::AerodromeHops(first.parse().ok()?, second.parse().ok()?)),
    }
}

impl Serialize for Pool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WETH: &str = "0x4200000000000000000000000000000000000006";
    const TOKEN: &str = "0xbbd9ade16525acb4b336b6dad3b9762901522b07";
    const HOOK: &str = "0xb429d62f8f3bffb98cdb9569533ea23bf0ba28cc";

    #[test]
    fn every_pool_reads_back_what_it_writes() {
        for text in [
            "v2".to_owned(),
            "v2:sushi-2".to_owned(),
            "v3:500".to_owned(),
            "v3:10000/500".to_owned(),
            format!("v3:10000/{TOKEN}/500"),
            format!("v3:10000/{TOKEN}/500/{WETH}/100"),
            "pancake:2500".to_owned(),
            "pancake:2500/100".to_owned(),
            "slipstream:100".to_owned(),
            "slipstream-caps:2000".to_owned(),
            "slipstream-v3:200/50".to_owned(),
            "aerodrome:volatile".to_owned(),
            "aerodrome:stable".to_owned(),
            "aerodrome:stable/volatile".to_owned(),
            format!("v4:{WETH}/{TOKEN}/8388608/200/{HOOK}"),
            format!("v2/{WETH}/v3:500"),
            format!("v4:{WETH}/{TOKEN}/8388608/200/{HOOK}/{WETH}/v2"),
            format!("v3:500/{HOOK}/v2/{WETH}/v4:{NATIVE:#x}/{TOKEN}/3000/60/{NATIVE:#x}"),
            format!("v4:{NATIVE:#x}/{TOKEN}/3000/60/{NATIVE:#x}"),
        ] {
            let pool: Pool = text.parse().expect("a pool");
            assert_eq!(pool.to_string(), text);
        }
    }

    #[test]
    fn what_names_no_pool_is_told_what_does() {
        for text in [
            "",
            "v1",
            "v2:",
            "v2:Sushi",
            "v2:of-seventeen-letters",
            "v3",
            "v3:",
            "v3:1000000",
            "v3:500/500/500",
            &format!("v3:500/{TOKEN}"),
            &format!("v3:500/{NATIVE:#x}/500"),
            &format!("v3:500/{TOKEN}/500/{TOKEN}/500"),
            &format!("v3:500/{TOKEN}/500/{WETH}/500/{HOOK}/500"),
            "pancake",
            "pancake:",
            "pancake:1000000",
            "pancake:500/",
            "pancakeswap-v3:500",
            "slipstream:0",
            "slipstream:16384",
            "slipstream-v4:1",
            "slipstream-v3:1/",
            "aerodrome",
            "aerodrome:",
            "aerodrome:Stable",
            "aerodrome:stable/",
            "aerodrome:stable/stable/stable",
            &format!("v4:{TOKEN}/{WETH}/3000/60/{HOOK}"),
            &format!("v4:{WETH}/{TOKEN}/3000/0/{HOOK}"),
            &format!("v4:{WETH}/{TOKEN}/3000/60"),
            &format!("v2/{WETH}"),
            &format!("v2/{WETH}/"),
            &format!("v2/{NATIVE:#x}/v2"),
            &format!("v2/{WETH}/v2/{WETH}/v2"),
            &format!("v2/{WETH}/v2/{TOKEN}/v2/{HOOK}/v2"),
            &format!("v3:500/{WETH}/v3:500"),
            &format!("v2/{HOOK}/v4:{WETH}/{TOKEN}/3000/60/{HOOK}"),
            &format!("v2/{WETH}/pancake:500"),
            &format!("v2/{WETH}/v2:sushi"),
        ] {
            let error = text.parse::<Pool>().expect_err("no pool").to_string();
            assert!(
                error.starts_with(&format!("'{text}' names no pool: write v2,")),
                "{error}"
            );
        }
    }
}
