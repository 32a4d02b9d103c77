//! The settings of a chain: the row of `domain::chains`, overridden by `[chains.NAME]`.

use std::{collections::BTreeMap, fmt};

use alloy_primitives::Address;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{
    budget::{Budget, Budgets, NodeFile, nodes},
    endpoint::voices,
    private::{PrivateFlow, PrivateKeys, private},
    problems::{Bounds, Problems},
    texts::{listed, one_or_several},
    v2_forks::{Fork, ForkFile},
};
use crate::domain::{
    chains::{self, ChainInfo, Usual},
    config::InvalidConfig,
    contracts::{Contracts, EVERYWHERE},
    pool::HookShape,
    span::Span,
    trade::Patience,
};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// `[wallet]`: the key that live jobs trade with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalletSettings {
    /// Directory of encrypted V3 keystores; empty: `lgi-mm/keystore` in the user's data directory.
    pub keystore_dir: String,
    /// Which wallet new live jobs use; empty: the only one there is.
    pub address: String,
    /// File whose first line is the password; empty: `LGI_MM_WALLET_PASSWORD`, or a prompt on a terminal.
    pub password_file: String,
    /// Wallets whose key a key management service holds: `"0xADDRESS" = "aws:KEY_ID_OR_ARN"` or `"gcp:projects/.."`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kms: BTreeMap<String, String>,
}

/// `[chains.NAME]`: what differs from the built-in table. Every key may be left out for a chain of the table.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainFile {
    /// JSON-RPC URLs, the preferred one first; a single one may be given as it is.
    #[serde(deserialize_with = "one_or_several")]
    pub rpc_urls: Vec<String>,
    /// Nodes with a budget of their own; they are preferred to those of `rpc_urls`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rpc: Vec<NodeFile>,
    /// How many nodes of different hosts must agree on what happened to our money, 1 to the number of hosts among
    /// the nodes; 2 unless there is only one.
    pub quorum: Option<usize>,
    /// A relay that is known by name, to which transactions are sent instead: see [`super::private::PRESETS`].
    pub private: String,
    /// Where transactions are sent instead, such as a private relay.
    pub private_rpc_url: String,
    /// Whether a cancel that the relay does not get mined is also sent to `rpc_urls`; false unless given. Nothing else
    /// ever is.
    pub private_fallback: Option<bool>,
    /// Longest wait for one answer, 100ms to 1m.
    pub rpc_timeout: Option<Span>,
    /// Most requests a second to each URL, 1 to 10000.
    pub rpc_requests_per_second: Option<u32>,
    /// How often all URLs are tried before a request fails, 1 to 10.
    pub rpc_rounds: Option<u32>,
    /// EIP-155 chain id.
    pub chain_id: Option<u64>,
    /// The ERC-20 that wraps the native coin.
    pub wrapped_native: Option<Address>,
    /// Circle's USDC.
    pub usdc: Option<Address>,
    /// Ticker of the native coin.
    pub native_symbol: Option<String>,
    /// A transaction's page, less the hash.
    pub explorer_tx: Option<String>,
    /// Contracts by name; see [`Contracts`].
    pub contracts: BTreeMap<String, Address>,
    /// Hooks that are known by name, asked even before the search for pools has found theirs: `HOOK/FEE/TICK_SPACING`.
    /// Pools with other hooks are found as well, and traded in if a buy and a sale work there.
    #[serde(deserialize_with = "listed")]
    pub v4_hooks: Option<Vec<String>>,
    /// Tokens that routes of several pools may go through, besides the native coin and USDC, at most 4.
    pub connectors: Option<Vec<Address>>,
    /// Exchanges that copied Uniswap V2, by name, at most 8.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub v2_forks: BTreeMap<String, ForkFile>,
    /// Blocks, its own included, after which a receipt counts, 1 to 1000.
    pub required_depth: Option<u64>,
    /// Bytes are sent again after this long without a sign of them, 100ms to 10m.
    pub resend_after: Option<Span>,
    /// A transaction that waits longer is replaced by one that pays more, 1s to 1h.
    pub replace_after: Option<Span>,
    /// Most attempts of one transaction, 1 to 100.
    pub attempts_max: Option<u32>,
    /// Time between two blocks, 100ms to 1m: an open trade is looked at when the next one can be there, and the newest
    /// block is not asked for before.
    pub block_time: Option<Span>,
    /// A newest block older than this means that the chain has halted or the node is behind, 1s to 1d.
    pub max_head_age: Option<Span>,
    /// Most that is paid for gas, gwei per unit; a cancel may pay twice that.
    pub max_fee_gwei: Option<u64>,
    /// Most of it that is offered to the block's producer at first, gwei per unit, 1 to 100000. Replacements pay an
    /// eighth more each.
    pub max_tip_gwei: Option<u64>,
}

/// A chain, complete.
#[derive(Clone, PartialEq, Eq)]
pub struct ChainSpec {
    /// The name jobs use.
    pub name: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The ERC-20 that wraps the native coin.
    pub wrapped_native: Address,
    /// The token that counts as a dollar, 6 decimals.
    pub usdc: Address,
    /// Ticker of the coin that pays for gas.
    pub native_symbol: String,
    /// A transaction's page in the chain's explorer, less the hash; empty: none.
    pub explorer_tx: String,
    /// What is called.
    pub contracts: Contracts,
    /// V4 pools to look for in addition to those without a hook.
    pub v4_hooks: Vec<HookShape>,
    /// Tokens that routes of several pools may go through, besides the native coin and USDC.
    pub connectors: Vec<Address>,
    /// Forks of V2 to ask.
    pub v2_forks: Vec<Fork>,
    /// Where a search for V4 pools begins.
    pub v4_first_block: u64,
    /// Nodes.
    pub rpc_urls: Vec<Url>,
    /// Budgets of those nodes that have their own.
    pub budgets: Budgets,
    /// How many nodes of different hosts must agree on what happened to our money.
    pub quorum: usize,
    /// Where transactions are sent instead.
    pub private: Option<PrivateFlow>,
    /// Longest wait for one answer.
    pub rpc_timeout: Span,
    /// Most requests a second to each node.
    pub rpc_requests_per_second: u32,
    /// How often all nodes are tried.
    pub rpc_rounds: u32,
    /// When outcomes count and bytes are sent again.
    pub patience: Patience,
    /// Time between two blocks; `None`: not known.
    pub block_time: Option<Span>,
    /// Age of the newest block at which trading stops.
    pub max_head_age: Span,
    /// Most that is paid, wei per unit of gas.
    pub max_fee_per_gas: u128,
    /// Most of it that is offered to the block's producer at first, wei per unit of gas.
    pub max_tip_per_gas: u128,
    /// Least that is offered to the block's producer, wei per unit of gas.
    pub min_tip_per_gas: u128,
    /// Highest gas limit that is signed for one call.
    pub gas_limit_max: u64,
    /// Age at which the native coin's price feed counts as broken.
    pub feed_age_max: Span,
}

/// A chain that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvalidChain {
    /// Neither in the table nor in the settings.
    #[error(
        "unknown chain '{0}': it is not built in, and [chains.{0}] in lgi-mm.toml does not give chain_id, \
         wrapped_native and usdc"
    )]
    Unknown(String),
    /// No node.
    #[error(
        "chain {0} has no RPC URL: set chains.{0}.rpc_urls = [\"https://..\"] in lgi-mm.toml, or ETH_RPC_URL for the \
         default chain"
    )]
    NoRpc(String),
    /// Values that are not allowed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<InvalidConfig>),
}

impl fmt::Debug for ChainFile {
    /// URLs may hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainFile").finish_non_exhaustive()
    }
}

impl fmt::Debug for ChainSpec {
    /// URLs may hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainSpec")
            .field("name", &self.name)
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

impl ChainSpec {
    /// The chain called `name`: the built-in table under `keys`.
    ///
    /// # Errors
    /// [`InvalidChain`] names the chain, the key and what is allowed.
    pub fn resolve(name: &str, keys: &ChainFile) -> Result<Self, InvalidChain> {
        let known = chains::find(name).ok();
        let unknown = || InvalidChain::Unknown(name.to_owned());
        let fixed = |own: Option<Address>, of: fn(&ChainInfo) -> Address| own.or(known.map(of));
        let mut problems = Problems::new(name);
        let built_in = known.map_or(EVERYWHERE, |chain| chain.contracts);
        let contracts = problems.contracts(built_in, &keys.contracts);
        let v4_hooks = match &keys.v4_hooks {
            Some(lines) => problems.hooks(lines),
            None => known.map_or_else(Vec::new, |chain| chain.v4_hooks.to_vec()),
        };
        let usual_pace = requests_per_second(&mut problems, keys);
        let (rpc_urls, budgets) = nodes(&mut problems, &keys.rpc, &keys.rpc_urls, usual_pace);
        let limits = RequestLimits::new(&mut problems, keys, voices(&rpc_urls).max(1));
        let usual = known.map_or(Usual::UNKNOWN, |chain| chain.usual);
        let patience = patience(&mut problems, keys, &usual);
        let chain_id = keys
            .chain_id
            .or(known.map(|chain| chain.chain_id))
            .ok_or_else(unknown)?;
        let private = private(
            &mut problems,
            &PrivateKeys {
                private: &keys.private,
                private_rpc_url: &keys.private_rpc_url,
                private_fallback: keys.private_fallback,
            },
            chain_id,
        );
        // Limits of the chain itself, under any local name.
        let demands = chains::with_id(chain_id).map_or(Usual::UNKNOWN, |chain| chain.usual);
        let spec = Self {
            name: name.to_owned(),
            chain_id,
            wrapped_native: fixed(keys.wrapped_native, |chain| chain.wrapped_native).ok_or_else(unknown)?,
            usdc: fixed(keys.usdc, |chain| chain.usdc).ok_or_else(unknown)?,
            native_symbol: keys
                .native_symbol
                .clone()
                .unwrap_or_else(|| known.map_or("ETH", |chain| chain.native_symbol).to_owned()),
            explorer_tx: keys
                .explorer_tx
                .clone()
                .unwrap_or_else(|| known.map_or("", |chain| chain.explorer_tx).to_owned()),
            contracts,
            v4_hooks,
            connectors: problems.connectors(
                keys.connectors.as_deref(),
                known.map_or(&[], |chain| chain.connectors),
            ),
            v2_forks: problems.v2_forks(&keys.v2_forks),
            v4_first_block: chains::with_id(chain_id).map_or(0, |chain| chain.v4_first_block),
            rpc_urls,
            budgets,
            quorum: limits.quorum,
            private,
            rpc_timeout: limits.timeout,
            rpc_requests_per_second: usual_pace,
            rpc_rounds: limits.rounds,
            patience,
            block_time: problems.block_time(keys.block_time, usual.block_time),
            max_head_age: max_head_age(&mut problems, keys),
            max_fee_per_gas: patience.max_fee_per_gas,
            max_tip_per_gas: max_tip_per_gas(&mut problems, keys, &usual),
            min_tip_per_gas: demands.min_tip_wei,
            gas_limit_max: demands.gas_limit_max,
            feed_age_max: demands.feed_age_max,
        };
        problems.practice(spec.chain_id);
        problems.found.or_errors(spec).map_err(InvalidChain::Invalid)
    }

    /// Whether this is a chain of the table, by its name or by its id: real money.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let known = |chain: &ChainInfo| chain.name == self.name || chain.chain_id == self.chain_id;
        chains::CHAINS.iter().any(known)
    }

    /// How fast the node at `url` may be asked.
    #[must_use]
    pub fn budget(&self, url: &Url) -> Budget {
        let usual = Budget {
            requests_per_second: self.rpc_requests_per_second,
            compute_units_per_second: None,
        };
        self.budgets.get(url).copied().unwrap_or(usual)
    }

    /// The same chain once for each host among its nodes, with that node alone: two URLs of one host are one node.
    #[must_use]
    pub fn node_by_node(&self) -> Vec<Self> {
        let mut hosts = Vec::new();
        let mut alone = Vec::new();
        for url in &self.rpc_urls {
            let host = (url.host_str(), url.port_or_known_default());
            if hosts.contains(&host) {
                continue;
            }
            hosts.push(host);
            alone.push(Self {
                rpc_urls: vec![url.clone()],
                ..self.clone()
            });
        }
        alone
    }

    /// The same, if it has a node.
    ///
    /// # Errors
    /// [`InvalidChain::NoRpc`].
    pub fn with_rpc(self) -> Result<Self, InvalidChain> {
        if self.rpc_urls.is_empty() {
            return Err(InvalidChain::NoRpc(self.name));
        }
        Ok(self)
    }
}

/// What an owner must know of a chain where one node decides; `None`: several must agree.
#[must_use]
pub fn one_node_warning(spec: &ChainSpec) -> Option<String> {
    (spec.quorum == 1).then(|| {
        format!(
            "one node decides what happened to your money on {}: chains.{}.{}",
            spec.name,
            spec.name,
            if voices(&spec.rpc_urls) > 1 {
                "quorum is 1"
            } else {
                "rpc_urls names one host"
            }
        )
    })
}

/// How the nodes of a chain are queried.
struct RequestLimits {
    quorum: usize,
    timeout: Span,
    rounds: u32,
}

impl RequestLimits {
    fn new(problems: &mut Problems<'_>, keys: &ChainFile, hosts: usize) -> Self {
        Self {
            quorum: problems.bounded(
                "quorum",
                keys.quorum,
                Bounds {
                    default: hosts.min(2),
                    min: 1,
                    max: hosts,
                },
            ),
            timeout: problems.bounded(
                "rpc_timeout",
                keys.rpc_timeout,
                Bounds {
                    default: 5 * SECOND,
                    min: 100,
                    max: MINUTE,
                }
                .map(Span::from_millis),
            ),
            rounds: problems.bounded(
                "rpc_rounds",
                keys.rpc_rounds,
                Bounds {
                    default: 3,
                    min: 1,
                    max: 10,
                },
            ),
        }
    }
}

fn requests_per_second(problems: &mut Problems<'_>, keys: &ChainFile) -> u32 {
    problems.bounded(
        "rpc_requests_per_second",
        keys.rpc_requests_per_second,
        Bounds {
            default: 20,
            min: 1,
            max: 10_000,
        },
    )
}

/// The values of `keys`; the chain's defaults for those left out.
fn patience(problems: &mut Problems<'_>, keys: &ChainFile, usual: &Usual) -> Patience {
    let replace_after = Bounds {
        default: usual.replace_after,
        min: Span::from_millis(SECOND),
        max: Span::from_millis(HOUR),
    };
    let attempts_max = problems.bounded(
        "attempts_max",
        keys.attempts_max,
        Bounds {
            default: 10,
            min: 1,
            max: 100,
        },
    );
    Patience {
        required_depth: problems.bounded(
            "required_depth",
            keys.required_depth,
            Bounds {
                default: usual.required_depth,
                min: 1,
                max: 1_000,
            },
        ),
        resend_after: problems.bounded(
            "resend_after",
            keys.resend_after,
            Bounds {
                default: 4 * SECOND,
                min: 100,
                max: 10 * MINUTE,
            }
            .map(Span::from_millis),
        ),
        replace_after: problems.bounded("replace_after", keys.replace_after, replace_after),
        attempts_max: usize::try_from(attempts_max).unwrap_or(usize::MAX),
        max_fee_per_gas: problems.gwei(
            "max_fee_gwei",
            keys.max_fee_gwei,
            Bounds {
                default: usual.max_fee_gwei,
                min: 1,
                max: 1_000_000,
            },
        ),
    }
}

fn max_head_age(problems: &mut Problems<'_>, keys: &ChainFile) -> Span {
    problems.bounded(
        "max_head_age",
        keys.max_head_age,
        Bounds {
            default: MINUTE,
            min: SECOND,
            max: 24 * HOUR,
        }
        .map(Span::from_millis),
    )
}

fn max_tip_per_gas(problems: &mut Problems<'_>, keys: &ChainFile, usual: &Usual) -> u128 {
    problems.gwei(
        "max_tip_gwei",
        keys.max_tip_gwei,
        Bounds {
            default: usual.max_tip_gwei,
            min: 1,
            max: 100_000,
        },
    )
}
