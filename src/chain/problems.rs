//! Checks of a chain's settings: ranges, URLs, contract names and V4 hooks.

use std::{collections::BTreeMap, fmt::Display};

use alloy_primitives::Address;
use reqwest::Url;

use crate::domain::{chains, config::Validator, contracts::Contracts, pool::HookShape, span::Span};

/// Most tokens that routes may go through besides the native coin and USDC: every two of them are looked at.
const CONNECTORS_MAX: usize = 4;

const WEI_PER_GWEI: u128 = 1_000_000_000;

/// The default of a setting and the values it may take.
#[derive(Clone, Copy)]
pub(super) struct Bounds<T> {
    pub(super) default: T,
    pub(super) min: T,
    pub(super) max: T,
}

impl<T> Bounds<T> {
    pub(super) fn map<U>(self, convert: impl Fn(T) -> U) -> Bounds<U> {
        Bounds {
            default: convert(self.default),
            min: convert(self.min),
            max: convert(self.max),
        }
    }
}

/// Reads the settings of a chain and collects every invalid one, so that all are reported at once.
pub(super) struct Problems<'a> {
    chain: &'a str,
    pub(super) found: Validator,
}

impl<'a> Problems<'a> {
    pub(super) fn new(chain: &'a str) -> Self {
        Self {
            chain,
            found: Validator::below(&format!("chains.{chain}")),
        }
    }

    /// The practice chain's name lifts the minimum values of live jobs, so no chain with real money may use it.
    pub(super) fn practice(&mut self, chain_id: u64) {
        if self.chain == chains::PRACTICE && !chains::PRACTICE_IDS.contains(&chain_id) {
            let ids = chains::PRACTICE_IDS.map(|id| id.to_string()).join(" or ");
            self.found.refuse(
                "chain_id",
                chain_id,
                format_args!("{ids} on the practice chain; give another chain another name"),
            );
        }
    }

    pub(super) fn bounded<T: Copy + PartialOrd + Display>(
        &mut self,
        key: &str,
        given: Option<T>,
        bounds: Bounds<T>,
    ) -> T {
        let Bounds { default, min, max } = bounds;
        let value = given.unwrap_or(default);
        self.found.range(key, value, min, max);
        value
    }

    /// The time between two blocks: as set, else as the chain usually has it.
    pub(super) fn block_time(&mut self, given: Option<Span>, usual: Option<Span>) -> Option<Span> {
        let bounds = Bounds {
            default: usual.or(given)?,
            min: Span::from_millis(100),
            max: Span::from_secs(60),
        };
        Some(self.bounded("block_time", given, bounds))
    }

    /// A setting in whole gwei, returned in wei.
    pub(super) fn gwei(&mut self, key: &str, given: Option<u64>, bounds: Bounds<u64>) -> u128 {
        u128::from(self.bounded(key, given, bounds)).saturating_mul(WEI_PER_GWEI)
    }

    /// Parses a URL. An invalid one is not quoted: it may contain an API key.
    pub(super) fn url(&mut self, key: &str, text: &str) -> Option<Url> {
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        if url.is_none() {
            self.found.refuse(key, "(not shown)", "http:// and https:// URLs");
        }
        url
    }

    pub(super) fn contracts(&mut self, mut known: Contracts, given: &BTreeMap<String, Address>) -> Contracts {
        for (name, address) in given {
            match known.by_name(name) {
                Some(slot) => *slot = *address,
                None => self
                    .found
                    .refuse(&format!("contracts.{name}"), address, Contracts::NAMES.join(", ")),
            }
        }
        known
    }

    /// Tokens that routes may go through: as set, else those of the chain.
    pub(super) fn connectors(&mut self, given: Option<&[Address]>, usual: &[Address]) -> Vec<Address> {
        let connectors = given.unwrap_or(usual);
        if connectors.len() > CONNECTORS_MAX || connectors.contains(&Address::ZERO) {
            let allowed = format!("up to {CONNECTORS_MAX} addresses of tokens");
            let listed: Vec<String> = connectors.iter().map(ToString::to_string).collect();
            self.found.refuse("connectors", listed.join(", "), allowed);
        }
        connectors.to_vec()
    }

    pub(super) fn hooks(&mut self, lines: &[String]) -> Vec<HookShape> {
        let read = |line: &String| {
            let [hook, fee, spacing] = <[&str; 3]>::try_from(line.split('/').collect::<Vec<_>>()).ok()?;
            Some(HookShape {
                hook: hook.parse().ok()?,
                fee: fee.parse().ok()?,
                tick_spacing: spacing.parse().ok()?,
            })
        };
        let mut hooks = Vec::new();
        for line in lines {
            match read(line) {
                Some(hook) => hooks.push(hook),
                None => self.found.refuse(
                    "v4_hooks",
                    line,
                    "HOOK/FEE/TICK_SPACING, such as 0x..28cc/8388608/200",
                ),
            }
        }
        hooks
    }
}
