//! The settings of a chain: the row of `domain::chains`, overridden by `[chains.NAME]`.

use std::{collections::BTreeMap, fmt};

use alloy_primitives::Address;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::endpoint::voices;
use crate::domain::{
    chains::{self, ChainInfo, Usual},
    config::InvalidConfig,
    contracts::{Contracts, EVERYWHERE},
    pool::HookShape,
    span::Span,
    trade::Patience,
};

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

/// A list of texts, or one text with commas between them, as a variable has it.
fn listed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text, or a list of texts")]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }

    Ok(match Option::deserialize(deserializer)? {
        Some(Texts::One(text)) => Some(text.split(',').map(|one| one.trim().to_owned()).collect()),
        Some(Texts::Several(texts)) => Some(texts),
        None => None,
    })
}

/// A list of texts, or one text. A URL in the wrong place would be quoted by the error, and it may hold a key.
fn one_or_several<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Texts;

    impl<'de> serde::de::Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a URL or a list of URLs")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            // A comma may stand inside a URL; one that a URL follows stands between two.
            let mut urls: Vec<String> = Vec::new();
            for part in text.split(',').map(str::trim) {
                match urls.last_mut() {
                    Some(url) if !part.starts_with("http") => {
                        url.push(',');
                        url.push_str(part);
                    }
                    _ => urls.push(part.to_owned()),
                }
            }
            Ok(urls)
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }

    deserializer.deserialize_any(Texts)
}

/// `[chains.NAME]`: what differs from the built-in table. Every key may be left out for a chain of the table.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainFile {
    /// JSON-RPC URLs, the preferred one first; a single one may be given as it is.
    #[serde(deserialize_with = "one_or_several")]
    pub rpc_urls: Vec<String>,
    /// How many nodes of different hosts must agree on what happened to our money, 1 to the number of hosts among `rpc_urls`;
    /// 2 unless there is only one.
    pub quorum: Option<usize>,
    /// Where transactions are sent instead, such as a private relay.
    pub private_rpc_url: String,
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
    /// Hooks of Uniswap V4 pools that are searched in addition to those without a hook: `HOOK/FEE/TICK_SPACING`.
    #[serde(deserialize_with = "listed")]
    pub v4_hooks: Option<Vec<String>>,
    /// Blocks, its own included, after which a receipt counts, 1 to 1000.
    pub required_depth: Option<u64>,
    /// Bytes are sent again after this long without a sign of them, 100ms to 10m.
    pub resend_after: Option<Span>,
    /// A transaction that waits longer is replaced by one that pays more, 1s to 1h.
    pub replace_after: Option<Span>,
    /// Most attempts of one transaction, 1 to 100.
    pub attempts_max: Option<u32>,
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
    /// Nodes.
    pub rpc_urls: Vec<Url>,
    /// How many nodes of different hosts must agree on what happened to our money.
    pub quorum: usize,
    /// Where transactions are sent instead.
    pub private_rpc_url: Option<Url>,
    /// Longest wait for one answer.
    pub rpc_timeout: Span,
    /// Most requests a second to each node.
    pub rpc_requests_per_second: u32,
    /// How often all nodes are tried.
    pub rpc_rounds: u32,
    /// When outcomes count and bytes are sent again.
    pub patience: Patience,
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
        let rpc_urls = keys
            .rpc_urls
            .iter()
            .filter_map(|url| problems.url("rpc_urls", url));
        let rpc_urls: Vec<Url> = rpc_urls.collect();
        let hosts = voices(&rpc_urls).max(1);
        let quorum = problems.number("quorum", keys.quorum, (hosts.min(2), 1, hosts));
        let private = &keys.private_rpc_url;
        let private_rpc_url = if private.is_empty() {
            None
        } else {
            problems.url("private_rpc_url", private)
        };
        let usual = known.map_or(Usual::UNKNOWN, |chain| chain.usual);
        let patience = problems.patience(keys, &usual);
        let chain_id = keys
            .chain_id
            .or(known.map(|chain| chain.chain_id))
            .ok_or_else(unknown)?;
        // What the chain itself demands, whatever it is called here.
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
            rpc_urls,
            quorum,
            private_rpc_url,
            rpc_timeout: problems.span("rpc_timeout", keys.rpc_timeout, (5_000, 100, MINUTE)),
            rpc_requests_per_second: problems.number(
                "rpc_requests_per_second",
                keys.rpc_requests_per_second,
                (20, 1, 10_000),
            ),
            rpc_rounds: problems.number("rpc_rounds", keys.rpc_rounds, (3, 1, 10)),
            patience,
            max_head_age: problems.span("max_head_age", keys.max_head_age, (MINUTE, 1_000, 24 * HOUR)),
            max_fee_per_gas: patience.max_fee_per_gas,
            max_tip_per_gas: problems.gwei(
                "max_tip_gwei",
                keys.max_tip_gwei,
                (usual.max_tip_gwei, 1, 100_000),
            ),
            min_tip_per_gas: demands.min_tip_wei,
            gas_limit_max: demands.gas_limit_max,
            feed_age_max: demands.feed_age_max,
        };
        problems.practice(spec.chain_id);
        if problems.found.is_empty() {
            Ok(spec)
        } else {
            Err(InvalidChain::Invalid(problems.found))
        }
    }

    /// Whether this is a chain of the table, by its name or by its id: real money.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let known = |chain: &ChainInfo| chain.name == self.name || chain.chain_id == self.chain_id;
        chains::CHAINS.iter().any(known)
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

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const WEI_PER_GWEI: u128 = 1_000_000_000;

/// Collects what is wrong, so that everything is reported at once.
struct Problems<'a> {
    chain: &'a str,
    found: Vec<InvalidConfig>,
}

impl<'a> Problems<'a> {
    const fn new(chain: &'a str) -> Self {
        Self { chain, found: vec![] }
    }

    fn add(&mut self, key: &str, value: impl ToString, allowed: impl ToString) {
        self.found.push(InvalidConfig {
            key: format!("chains.{}.{key}", self.chain),
            value: value.to_string(),
            allowed: allowed.to_string(),
        });
    }

    /// The name of the practice chain lifts the floors of live jobs: no chain with real money may bear it.
    fn practice(&mut self, chain_id: u64) {
        if self.chain == chains::PRACTICE && !chains::PRACTICE_IDS.contains(&chain_id) {
            let ids = chains::PRACTICE_IDS.map(|id| id.to_string()).join(" or ");
            self.add(
                "chain_id",
                chain_id,
                format_args!("{ids} on the practice chain; give another chain another name"),
            );
        }
    }

    /// Milliseconds: the usual value, the least and the most.
    fn span(&mut self, key: &str, given: Option<Span>, (usual, least, most): (u64, u64, u64)) -> Span {
        let value = given.unwrap_or(Span::from_millis(usual));
        let (least, most) = (Span::from_millis(least), Span::from_millis(most));
        if value < least || value > most {
            self.add(key, value, format_args!("{least} to {most}"));
        }
        value
    }

    fn number<T: Copy + PartialOrd + ToString>(
        &mut self,
        key: &str,
        given: Option<T>,
        (usual, least, most): (T, T, T),
    ) -> T {
        let value = given.unwrap_or(usual);
        if value < least || value > most {
            self.add(
                key,
                value.to_string(),
                format!("{} to {}", least.to_string(), most.to_string()),
            );
        }
        value
    }

    /// What `keys` say, else what is usual.
    fn patience(&mut self, keys: &ChainFile, usual: &Usual) -> Patience {
        let replace_after = u64::try_from(usual.replace_after.std().as_millis()).unwrap_or(u64::MAX);
        Patience {
            required_depth: self.number(
                "required_depth",
                keys.required_depth,
                (usual.required_depth, 1, 1_000),
            ),
            resend_after: self.span("resend_after", keys.resend_after, (4_000, 100, 10 * MINUTE)),
            replace_after: self.span("replace_after", keys.replace_after, (replace_after, 1_000, HOUR)),
            attempts_max: usize::try_from(self.number("attempts_max", keys.attempts_max, (10, 1, 100)))
                .unwrap_or(usize::MAX),
            max_fee_per_gas: self.gwei(
                "max_fee_gwei",
                keys.max_fee_gwei,
                (usual.max_fee_gwei, 1, 1_000_000),
            ),
        }
    }

    /// Whole gwei: the usual value, the least and the most; the answer in wei.
    fn gwei(&mut self, key: &str, given: Option<u64>, range: (u64, u64, u64)) -> u128 {
        u128::from(self.number(key, given, range)).saturating_mul(WEI_PER_GWEI)
    }

    /// The value is not shown: it may hold a key.
    fn url(&mut self, key: &str, text: &str) -> Option<Url> {
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        if url.is_none() {
            self.add(key, "(not shown)", "http:// and https:// URLs");
        }
        url
    }

    fn contracts(&mut self, mut known: Contracts, given: &BTreeMap<String, Address>) -> Contracts {
        for (name, address) in given {
            match known.by_name(name) {
                Some(slot) => *slot = *address,
                None => self.add(&format!("contracts.{name}"), address, Contracts::NAMES.join(", ")),
            }
        }
        known
    }

    fn hooks(&mut self, lines: &[String]) -> Vec<HookShape> {
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
                None => self.add(
                    "v4_hooks",
                    line,
                    "HOOK/FEE/TICK_SPACING, such as 0x..28cc/8388608/200",
                ),
            }
        }
        hooks
    }
}
