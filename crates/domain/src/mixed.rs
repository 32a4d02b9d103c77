//! Routes through pools of several versions of Uniswap: one router swaps in all of them in one transaction.

use std::{fmt, str::FromStr};

use alloy_primitives::Address;

use crate::pool_key::{NATIVE, PoolKey, fee};

/// Pools of a route, at most.
const HOPS_MAX: usize = 3;

/// A pool on a route: between two tokens that the route names, or its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hop {
    /// `v2`: the pair of the two.
    V2,
    /// `v3:FEE`: the pool of the two. Fee in hundredths of a basis point.
    V3(u32),
    /// `v4:CURRENCY0/CURRENCY1/FEE/TICK_SPACING/HOOKS`.
    V4(PoolKey),
}

/// Two or three pools one after the other, from the token to the quote, and the tokens between them. Not all are of V3:
/// that is a [`TokenPath`](crate::pool::TokenPath).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MixedPath {
    first: (Hop, Address),
    second: Option<(Hop, Address)>,
    last: Hop,
}

impl MixedPath {
    /// A route through `hops`, with `through` between them. `None` unless there are two or three hops, a token between
    /// any two of them, no token twice and none of them the native coin, a hop that is not of V3, and in each V4 pool
    /// the tokens next to it.
    #[must_use]
    pub fn new(hops: &[Hop], through: &[Address]) -> Option<Self> {
        let path = match (hops, through) {
            ([first, last], [one]) => Self {
                first: (*first, *one),
                second: None,
                last: *last,
            },
            ([first, second, last], [one, two]) if one != two => Self {
                first: (*first, *one),
                second: Some((*second, *two)),
                last: *last,
            },
            _ => return None,
        };
        let versions = hops.iter().any(|hop| !matches!(hop, Hop::V3(_)));
        (versions && !through.contains(&NATIVE) && path.keys_fit()).then_some(path)
    }

    /// Its pools, from the token on.
    #[must_use]
    pub fn hops(&self) -> Vec<Hop> {
        let hops = std::iter::once(self.first).chain(self.second);
        hops.map(|(hop, _)| hop).chain([self.last]).collect()
    }

    /// The tokens between them, from the token on.
    #[must_use]
    pub fn through(&self) -> Vec<Address> {
        let hops = std::iter::once(self.first).chain(self.second);
        hops.map(|(_, token)| token).collect()
    }

    fn keys_fit(&self) -> bool {
        let (hops, through) = (self.hops(), self.through());
        let befores = std::iter::once(None).chain(through.iter().copied().map(Some));
        let afters = through.iter().copied().map(Some).chain([None]);
        let mut sided = hops.iter().zip(befores.zip(afters));
        sided.all(|(hop, (before, after))| match hop {
            Hop::V4(key) => [before, after]
                .into_iter()
                .flatten()
                .all(|token| key.may_trade(token)),
            Hop::V2 | Hop::V3(_) => true,
        })
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V2 => f.write_str("v2"),
            Self::V3(fee) => write!(f, "v3:{fee}"),
            Self::V4(key) => write!(f, "v4:{key}"),
        }
    }
}

impl fmt::Display for MixedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (hop, token) in std::iter::once(self.first).chain(self.second) {
            write!(f, "{hop}/{token:#x}/")?;
        }
        write!(f, "{}", self.last)
    }
}

/// A text that is no such route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPath;

impl FromStr for MixedPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest: Vec<&str> = text.split('/').collect();
        let (mut hops, mut through) = (Vec::new(), Vec::new());
        loop {
            hops.push(hop(&mut rest).ok_or(InvalidPath)?);
            if rest.is_empty() {
                break;
            }
            if hops.len() == HOPS_MAX {
                return Err(InvalidPath);
            }
            through.push(rest.remove(0).parse().map_err(|_| InvalidPath)?);
        }
        Self::new(&hops, &through).ok_or(InvalidPath)
    }
}

/// Takes a hop from the front of `parts`.
fn hop(parts: &mut Vec<&str>) -> Option<Hop> {
    /// Number of parts of a V4 key.
    const KEY_PARTS: usize = 5;
    let (version, name) = match parts.first()?.split_once(':') {
        Some((version, name)) => (version, name),
        None => (*parts.first()?, ""),
    };
    match (version, name) {
        ("v2", "") if parts.first() == Some(&"v2") => {
            parts.remove(0);
            Some(Hop::V2)
        }
        ("v3", name) => {
            let fee = fee(name)?;
            parts.remove(0);
            Some(Hop::V3(fee))
        }
        ("v4", name) => {
            let others = parts.get(1..KEY_PARTS)?;
            let key = std::iter::once(name).chain(others.iter().copied());
            let key = key.collect::<Vec<_>>().join("/").parse().ok()?;
            parts.drain(..KEY_PARTS);
            Some(Hop::V4(key))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pool::Pool;

    fn token(byte: u8) -> Address {
        Address::repeat_byte(byte)
    }

    /// A pool between two tokens; `other` of the coin itself where `coin`.
    fn any_hop(one: u8, other: u8) -> impl Strategy<Value = Hop> {
        let key = (any::<bool>(), 0_u32..1_000_000, 1_i32..32_768, any::<[u8; 20]>()).prop_map(
            move |(coin, fee, tick_spacing, hooks)| {
                let (one, other) = (token(one), if coin { NATIVE } else { token(other) });
                Hop::V4(PoolKey {
                    currency0: one.min(other),
                    currency1: one.max(other),
                    fee,
                    tick_spacing,
                    hooks: hooks.into(),
                })
            },
        );
        prop_oneof![Just(Hop::V2), (0_u32..1_000_000).prop_map(Hop::V3), key]
    }

    proptest! {
        #[test]
        fn every_route_reads_back_what_it_writes(
            first in any_hop(9, 1), second in any_hop(2, 1), last in any_hop(2, 8), short in any_hop(1, 8), three: bool,
        ) {
            let (hops, through) = match three {
                true => (vec![first, second, last], vec![token(1), token(2)]),
                false => (vec![first, short], vec![token(1)]),
            };
            let path = MixedPath::new(&hops, &through);
            let all_v3 = hops.iter().all(|hop| matches!(hop, Hop::V3(_)));
            prop_assert_eq!(path.is_none(), all_v3);
            let Some(path) = path else { return Ok(()) };
            prop_assert_eq!((path.hops(), path.through()), (hops, through));
            let pool = Pool::Mixed(path);
            prop_assert_eq!(pool.to_string().parse::<Pool>(), Ok(pool));
            prop_assert_eq!(pool.extra_router(), None);
        }

        /// No text makes the reader panic, and what it takes it writes back alike, but for the case of addresses.
        #[test]
        fn reading_any_text_never_panics(text in "(v[234](:[0-9]{0,4})?|0x[0-9a-f]{40}|[0-9]{1,3}|)(/(v[234](:[0-9a-fx]{0,8})?|0x[0-9a-f]{40}|[0-9]{1,3})){0,7}") {
            if let Ok(path) = text.parse::<MixedPath>() {
                prop_assert_eq!(path.to_string().parse::<MixedPath>(), Ok(path));
            }
        }
    }
}
