//! The policy file: what each key may do on each chain. It is kept on the worker's machine, never in the database.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString};

use super::{
    model::PolicyContracts,
    refusal::{Reason, Refusal},
};
use crate::domain::{
    chains::{self, ChainInfo, USDC_DECIMALS},
    contracts::EVERYWHERE,
    fork::{FORKS_MAX, ForkName},
    pool::NATIVE,
    router::ExtraRouter,
    span::Span,
    units::{BPS, NATIVE_DECIMALS, Price, Usd},
};

/// Default maximum loss: a tenth of the swap's value, basis points.
pub const MAX_LOSS_BPS: u32 = 1_000;
/// Default of how long a transaction may be valid.
pub const MAX_DEADLINE: Span = Span::from_secs(600);

/// Assets that may pay for tokens. Each can be valued without querying the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, EnumString, Serialize, Deserialize)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Quote {
    /// The chain's own coin.
    Native,
    /// The ERC-20 that wraps it.
    Wrapped,
    /// USDC, which counts as a dollar.
    Usdc,
}

/// `[allow.contracts]`: required for a chain that is not built in; overrides built-in addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NamedContracts {
    /// Permit2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permit2: Option<Address>,
    /// Universal Router 2.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub universal_router: Option<Address>,
    /// SwapRouter02.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_router: Option<Address>,
    /// PancakeSwap V3's SwapRouter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pancake_v3_router: Option<Address>,
    /// Slipstream's SwapRouter, of the first deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slipstream_router: Option<Address>,
    /// Slipstream's SwapRouter, of the deployment with caps of emissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slipstream_caps_router: Option<Address>,
    /// Slipstream's SwapRouter, of the newest deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slipstream_v3_router: Option<Address>,
    /// Aerodrome's Router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aerodrome_router: Option<Address>,
    /// The factory whose pools that router may swap in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aerodrome_factory: Option<Address>,
    /// Routers of forks of V2, by the names that `chains.NAME.v2_forks` gives them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub v2_routers: BTreeMap<ForkName, Address>,
    /// The ERC-20 that wraps the native coin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapped_native: Option<Address>,
    /// The token that counts as a dollar, 6 decimals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usdc: Option<Address>,
}

/// `[[allow]]`: one wallet on one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Chain name, as in jobs.
    pub chain: String,
    /// Address of the key that signs.
    pub wallet: Address,
    /// EIP-155 chain id; optional for a built-in chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
    /// Tokens that may be bought and sold.
    pub tokens: Vec<Address>,
    /// Assets that buys may spend and sales may return.
    pub quotes: Vec<Quote>,
    /// Maximum USD of one buy.
    pub max_trade_usd: Usd,
    /// Maximum USD of all buys in 60 minutes.
    pub max_hour_usd: Usd,
    /// Maximum USD of all buys in a UTC day.
    pub max_day_usd: Usd,
    /// Maximum gas cost of one transaction including replacements (gas limit times fee cap), USD.
    pub max_gas_usd: Usd,
    /// Maximum shortfall of the minimum output against an independently read price, 0 to 10000 bps.
    #[serde(default = "max_loss_bps")]
    pub max_loss_bps: u32,
    /// Maximum time until a transaction's deadline.
    #[serde(default = "max_deadline")]
    pub max_deadline: Span,
    /// Minimum USD value of the native coin: a node that understates its price raises no limit.
    pub native_usd_min: Price,
    /// Addresses that withdrawals may pay; empty: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdraw_to: Vec<Address>,
    /// Routers beyond Uniswap's that may be used; empty: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<ExtraRouter>,
    /// Kill switch of this wallet: only cancels are signed.
    #[serde(default)]
    pub stop: bool,
    /// Addresses that are not built in.
    #[serde(default, skip_serializing_if = "is_default")]
    pub contracts: NamedContracts,
}

/// A whole policy file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Kill switch of all wallets: only cancels are signed.
    #[serde(default)]
    pub stop: bool,
    /// What is allowed; everything else is refused.
    #[serde(default)]
    pub allow: Vec<Entry>,
}

const fn max_loss_bps() -> u32 {
    MAX_LOSS_BPS
}

const fn max_deadline() -> Span {
    MAX_DEADLINE
}

fn is_default(contracts: &NamedContracts) -> bool {
    *contracts == NamedContracts::default()
}

impl Policy {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// All problems of all entries.
    pub fn read(text: &str) -> Result<Self, String> {
        let policy: Self =
            toml_edit::de::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let mut wrong = Vec::new();
        for (index, entry) in policy.allow.iter().enumerate() {
            wrong.extend(entry.problems());
            let same = |other: &Entry| other.chain == entry.chain && other.wallet == entry.wallet;
            if policy.allow.iter().take(index).any(same) {
                wrong.push(format!(
                    "{} on {} has two entries; write one",
                    entry.wallet, entry.chain
                ));
            }
        }
        if wrong.is_empty() {
            Ok(policy)
        } else {
            Err(wrong.join("; "))
        }
    }

    /// The entry of this wallet on this chain.
    #[must_use]
    pub fn entry(&self, chain: &str, wallet: Address) -> Option<&Entry> {
        self.allow
            .iter()
            .find(|entry| entry.chain == chain && entry.wallet == wallet)
    }

    /// The same, with the global kill switch applied.
    pub(super) fn find(&self, chain: &str, wallet: Address) -> Result<Entry, Refusal> {
        let entry = self.entry(chain, wallet).cloned().ok_or_else(|| {
            let detail = format!("the policy has no entry for wallet {wallet} on {chain}");
            Refusal::new(Reason::Wallet, detail)
        })?;
        Ok(Entry {
            stop: entry.stop || self.stop,
            ..entry
        })
    }
}

impl Entry {
    fn built_in(&self) -> Option<&'static ChainInfo> {
        chains::find(&self.chain).ok()
    }

    /// The chain that the key may sign for.
    #[must_use]
    pub fn chain_id(&self) -> Option<u64> {
        self.chain_id.or(self.built_in().map(|chain| chain.chain_id))
    }

    /// Contracts that may be called: built-in ones, overridden by the entry. Zero: none.
    #[must_use]
    pub fn contracts(&self) -> PolicyContracts {
        let known = self.built_in().map_or(EVERYWHERE, |chain| chain.contracts);
        let named = &self.contracts;
        let of_chain = |of: fn(&ChainInfo) -> Address| self.built_in().map(of).unwrap_or_default();
        let slipstream = |named: Option<Address>, known: Address| {
            self.extra(ExtraRouter::Slipstream, named.unwrap_or(known))
        };
        let aerodrome = |named: Option<Address>, known: Address| {
            self.extra(ExtraRouter::Aerodrome, named.unwrap_or(known))
        };
        PolicyContracts {
            permit2: named.permit2.unwrap_or(known.permit2),
            universal_router: named.universal_router.unwrap_or(known.universal_router),
            swap_router: named.swap_router.unwrap_or(known.swap_router),
            pancake_v3_router: self.extra(
                ExtraRouter::PancakeswapV3,
                named.pancake_v3_router.unwrap_or(known.pancake_v3_router),
            ),
            slipstream_router: slipstream(named.slipstream_router, known.slipstream_router),
            slipstream_caps_router: slipstream(named.slipstream_caps_router, known.slipstream_caps_router),
            slipstream_v3_router: slipstream(named.slipstream_v3_router, known.slipstream_v3_router),
            aerodrome_router: aerodrome(named.aerodrome_router, known.aerodrome_router),
            aerodrome_factory: aerodrome(named.aerodrome_factory, known.aerodrome_factory),
            v2_routers: self.v2_routers(),
            wrapped_native: named
                .wrapped_native
                .unwrap_or_else(|| of_chain(|chain| chain.wrapped_native)),
            usdc: named.usdc.unwrap_or_else(|| of_chain(|chain| chain.usdc)),
        }
    }

    /// A router beyond Uniswap's is none that may be called unless the entry names it.
    fn extra(&self, router: ExtraRouter, address: Address) -> Address {
        if self.routers.contains(&router) {
            address
        } else {
            Address::ZERO
        }
    }

    /// The routers of forks that the entry names; more than fit are none.
    fn v2_routers(&self) -> [Address; FORKS_MAX] {
        let mut at = [Address::ZERO; FORKS_MAX];
        let named = self
            .forks()
            .filter_map(|name| self.contracts.v2_routers.get(&name));
        for (slot, router) in at.iter_mut().zip(named) {
            *slot = *router;
        }
        at
    }

    /// The forks of V2 that the entry names.
    fn forks(&self) -> impl Iterator<Item = ForkName> {
        self.routers.iter().filter_map(|router| match router {
            ExtraRouter::V2(name) => Some(*name),
            _ => None,
        })
    }

    /// The quote kind and decimals of an asset, if this entry allows it.
    #[must_use]
    pub fn quote(&self, asset: Address) -> Option<(Quote, u8)> {
        let at = self.contracts();
        let quote = if asset == NATIVE {
            Quote::Native
        } else if asset == at.wrapped_native {
            Quote::Wrapped
        } else if asset == at.usdc {
            Quote::Usdc
        } else {
            return None;
        };
        let decimals = if quote == Quote::Usdc {
            USDC_DECIMALS
        } else {
            NATIVE_DECIMALS
        };
        self.quotes.contains(&quote).then_some((quote, decimals))
    }

    fn problems(&self) -> Vec<String> {
        let here = format!("entry of {} on {}", self.wallet, self.chain);
        let mut wrong = Vec::new();
        let mut check = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{here}: {what}"));
            }
        };
        for (key, value) in [
            ("max_trade_usd", self.max_trade_usd),
            ("max_hour_usd", self.max_hour_usd),
            ("max_day_usd", self.max_day_usd),
            ("max_gas_usd", self.max_gas_usd),
        ] {
            let what = format!("{key} = {value} is not allowed: must be above 0");
            check(value.is_positive(), &what);
        }
        let what = format!("max_loss_bps = {} is not allowed: 0 to {BPS}", self.max_loss_bps);
        check(self.max_loss_bps <= BPS, &what);
        check(!self.wallet.is_zero(), "the wallet must not be the zero address");
        check(
            self.tokens.iter().all(|token| !token.is_zero()),
            "a token must not be the zero address",
        );
        let own = |to: &Address| to.is_zero() || *to == self.wallet;
        check(
            !self.withdraw_to.iter().any(own),
            "withdraw_to must name neither the zero address nor the wallet itself",
        );
        for name in self.forks() {
            let what = format!("routers names v2:{name}: give its address in contracts.v2_routers.{name}");
            check(self.contracts.v2_routers.contains_key(&name), &what);
        }
        let what = format!("routers names more than {FORKS_MAX} forks of V2");
        check(self.forks().count() <= FORKS_MAX, &what);
        let at = self.contracts();
        let needed = self.chain_id().is_some()
            && !at.wrapped_native.is_zero()
            && (!self.quotes.contains(&Quote::Usdc) || !at.usdc.is_zero());
        check(
            needed,
            "this chain is not built in: give chain_id, and in contracts wrapped_native, usdc and the routers",
        );
        wrong
    }
}
