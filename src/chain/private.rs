//! Private order flow: relays that hand transactions to block builders without showing them to the public first.
//!
//! A relay may drop what it accepted. Then the same bytes are sent again, past the deadline a cancel follows through
//! the same relay, and at last, where its owner allows it, that cancel alone goes to the public nodes as well.

use reqwest::Url;

use super::problems::Problems;
use crate::domain::span::Span;

/// What becomes of a cancel: a transaction of nothing to oneself, on the nonce of what it cancels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelFate {
    /// It is put into a block as any other, and uses up its nonce.
    Mined,
    /// The relay forgets both, and no block gets either: the nonce stays free.
    Forgotten,
}

/// A relay that is known by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name in `chains.NAME.private`.
    pub name: &'static str,
    /// The chain whose transactions it takes.
    pub chain_id: u64,
    /// Where it takes them.
    pub url: &'static str,
    /// What it does with a cancel.
    pub cancel: CancelFate,
}

/// The relays that are known by name, as their own pages describe them (docs.flashbots.net, docs.cow.fi/mevblocker;
/// read in November 2026). Both put no transaction into a block that would revert, and both serve Ethereum only.
pub const PRESETS: [Preset; 2] = [
    Preset {
        name: "flashbots-protect",
        chain_id: 1,
        url: "https://rpc.flashbots.net/fast",
        cancel: CancelFate::Forgotten,
    },
    // Without `softCancellations` in its URL a cancel is a transaction as any other.
    Preset {
        name: "mev-blocker",
        chain_id: 1,
        url: "https://rpc.mevblocker.io/fullprivacy",
        cancel: CancelFate::Mined,
    },
];

/// Where transactions are sent instead of to the chain's nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateFlow {
    /// The relay. The URL may hold a key.
    pub url: Url,
    /// The relay, if it is known by name.
    pub preset: Option<&'static Preset>,
    /// Whether a cancel that the relay does not get mined is also sent to the public nodes.
    pub fallback: bool,
}

impl PrivateFlow {
    /// The key of the settings that names the relay, without the chain.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        if self.preset.is_some() {
            "private"
        } else {
            "private_rpc_url"
        }
    }

    /// What an owner must know of a relay that never uses up a nonce by a cancel; `None`: nothing.
    #[must_use]
    pub fn warning(&self, chain: &str) -> Option<String> {
        let preset = self
            .preset
            .filter(|preset| preset.cancel == CancelFate::Forgotten)?;
        (!self.fallback).then(|| {
            format!(
                "{} mines no cancel, so a trade that it drops keeps its wallet waiting: set \
                 chains.{chain}.private_fallback = true",
                preset.name
            )
        })
    }

    /// What happens to transactions and to cancels, for people. `replace_after`: the chain's.
    #[must_use]
    pub fn describe(&self, host: &str, replace_after: Span) -> String {
        let whom = self
            .preset
            .map_or_else(|| host.to_owned(), |preset| format!("{} ({host})", preset.name));
        let cancels = if self.fallback {
            format!("; a cancel that is in no block after {replace_after} also to rpc_urls")
        } else {
            String::new()
        };
        format!("transactions are sent to {whom} only{cancels}")
    }
}

/// The keys of the settings that are about a relay; empty texts: not given.
#[derive(Default)]
pub(super) struct PrivateKeys<'a> {
    pub(super) private: &'a str,
    pub(super) private_rpc_url: &'a str,
    pub(super) private_fallback: Option<bool>,
}

/// The relay that the settings name.
pub(super) fn private(
    problems: &mut Problems<'_>,
    keys: &PrivateKeys<'_>,
    chain_id: u64,
) -> Option<PrivateFlow> {
    let fallback = keys.private_fallback.unwrap_or_default();
    let found = match (keys.private, keys.private_rpc_url) {
        ("", "") => {
            let why = "false, unless private or private_rpc_url names a relay";
            problems
                .found
                .require(!fallback, "private_fallback", fallback, why);
            return None;
        }
        ("", url) => (problems.url("private_rpc_url", url)?, None),
        (name, "") => {
            let preset = preset(problems, name, chain_id)?;
            (problems.url("private", preset.url)?, Some(preset))
        }
        (name, _) => {
            problems
                .found
                .refuse("private", name, "either private or private_rpc_url, not both");
            return None;
        }
    };
    Some(PrivateFlow {
        url: found.0,
        preset: found.1,
        fallback,
    })
}

fn preset(problems: &mut Problems<'_>, name: &str, chain_id: u64) -> Option<&'static Preset> {
    let names = PRESETS.map(|preset| preset.name).join(", ");
    let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) else {
        let allowed = format!("{names}; any other relay by its URL as private_rpc_url");
        problems.found.refuse("private", name, allowed);
        return None;
    };
    if preset.chain_id != chain_id {
        let allowed = format!(
            "nothing on chain id {chain_id}: {name} takes transactions of chain id {} only; give a relay of this chain \
             as private_rpc_url",
            preset.chain_id
        );
        problems.found.refuse("private", name, allowed);
        return None;
    }
    Some(preset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: PrivateKeys<'_> = PrivateKeys {
        private: "",
        private_rpc_url: "",
        private_fallback: None,
    };

    fn resolve(chain: &str, chain_id: u64, keys: &PrivateKeys<'_>) -> Result<Option<PrivateFlow>, String> {
        let mut problems = Problems::new(chain);
        let found = private(&mut problems, keys, chain_id);
        let said = |wrong: Vec<crate::domain::config::InvalidConfig>| {
            let texts: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            texts.join("; ")
        };
        problems.found.or_errors(found).map_err(said)
    }

    fn named(name: &str, fallback: bool) -> PrivateKeys<'_> {
        PrivateKeys {
            private: name,
            private_fallback: Some(fallback),
            ..KEYS
        }
    }

    #[test]
    fn a_relay_is_known_by_its_name_on_its_own_chain_only() {
        for preset in &PRESETS {
            let keys = PrivateKeys {
                private: preset.name,
                ..KEYS
            };
            let flow = resolve("ethereum", 1, &keys).expect("allowed").expect("a relay");
            assert_eq!((flow.url.as_str(), flow.key()), (preset.url, "private"));
            assert!(!flow.fallback, "off unless asked for");
            for (chain, id) in [("base", 8453), ("arbitrum", 42161), ("local", 31337)] {
                let said = resolve(chain, id, &keys).expect_err("another chain");
                assert!(
                    said.contains(&format!("chains.{chain}.private")) && said.contains("chain id 1 only"),
                    "{said}"
                );
            }
        }
        let said = resolve("ethereum", 1, &named("flashbots", false)).expect_err("unknown");
        assert!(said.contains("flashbots-protect, mev-blocker"), "{said}");
    }

    #[test]
    fn a_relay_is_named_once_and_a_fallback_needs_one() {
        let both = PrivateKeys {
            private_rpc_url: "https://relay.example/secret-key",
            ..named("mev-blocker", false)
        };
        let said = resolve("ethereum", 1, &both).expect_err("two relays");
        assert!(
            said.contains("not both") && !said.contains("secret-key"),
            "{said}"
        );
        let said = resolve("base", 8453, &named("", true)).expect_err("no relay");
        assert!(said.contains("chains.base.private_fallback"), "{said}");
        assert_eq!(resolve("base", 8453, &named("", false)), Ok(None));
        let own = PrivateKeys {
            private_rpc_url: "https://relay.example",
            ..named("", true)
        };
        let flow = resolve("base", 8453, &own).expect("allowed").expect("a relay");
        assert!(flow.fallback && flow.preset.is_none() && flow.warning("base").is_none());
        let said = flow.describe("https://relay.example", Span::from_secs(15));
        assert!(said.contains("https://relay.example only; a cancel"), "{said}");
    }

    #[test]
    fn an_owner_is_warned_of_a_relay_that_mines_no_cancel() {
        let flow = |name: &str, fallback| {
            let flow = resolve("ethereum", 1, &named(name, fallback));
            flow.expect("allowed").expect("a relay")
        };
        let said = flow("flashbots-protect", false)
            .warning("ethereum")
            .expect("a warning");
        assert!(said.contains("chains.ethereum.private_fallback = true"), "{said}");
        assert_eq!(flow("flashbots-protect", true).warning("ethereum"), None);
        assert_eq!(flow("mev-blocker", false).warning("ethereum"), None);
    }
}
