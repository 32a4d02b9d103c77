//! The chains this program knows, as one table.

use alloy_primitives::{Address, address};

/// Decimals of USDC on every chain of the table.
pub const USDC_DECIMALS: u8 = 6;

/// The chain that `lgi-mm devnet` makes: its coins are worth nothing, so safeguards of live jobs have no floors there.
pub const PRACTICE: &str = "local";

/// The chain ids that [`PRACTICE`] may have, those of development nodes: no chain with real money answers to one.
pub const PRACTICE_IDS: [u64; 2] = [31_337, 1_337];

/// What is fixed about a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainInfo {
    /// The name jobs use.
    pub name: &'static str,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The ERC-20 that wraps the native coin.
    pub wrapped_native: Address,
    /// Circle's own USDC, [`USDC_DECIMALS`] decimals.
    pub usdc: Address,
    /// Ticker of the coin that pays for gas.
    pub native_symbol: &'static str,
    /// A transaction's page in the chain's explorer, less the hash.
    pub explorer_tx: &'static str,
}

/// Every chain, the default first.
pub const CHAINS: [ChainInfo; 6] = [
    ChainInfo {
        name: "base",
        chain_id: 8_453,
        wrapped_native: address!("0x4200000000000000000000000000000000000006"),
        usdc: address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
        native_symbol: "ETH",
        explorer_tx: "https://basescan.org/tx/",
    },
    ChainInfo {
        name: "ethereum",
        chain_id: 1,
        wrapped_native: address!("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
        usdc: address!("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
        native_symbol: "ETH",
        explorer_tx: "https://etherscan.io/tx/",
    },
    ChainInfo {
        name: "arbitrum",
        chain_id: 42_161,
        wrapped_native: address!("0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"),
        usdc: address!("0xaf88d065e77c8cC2239327C5EDb3A432268e5831"),
        native_symbol: "ETH",
        explorer_tx: "https://arbiscan.io/tx/",
    },
    ChainInfo {
        name: "optimism",
        chain_id: 10,
        wrapped_native: address!("0x4200000000000000000000000000000000000006"),
        usdc: address!("0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85"),
        native_symbol: "ETH",
        explorer_tx: "https://optimistic.etherscan.io/tx/",
    },
    ChainInfo {
        name: "polygon",
        chain_id: 137,
        wrapped_native: address!("0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270"),
        usdc: address!("0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"),
        native_symbol: "POL",
        explorer_tx: "https://polygonscan.com/tx/",
    },
    ChainInfo {
        name: "unichain",
        chain_id: 130,
        wrapped_native: address!("0x4200000000000000000000000000000000000006"),
        usdc: address!("0x078D782b760474a361dDA0AF3839290b0EF57AD6"),
        native_symbol: "ETH",
        explorer_tx: "https://uniscan.xyz/tx/",
    },
];

/// A name that is not in the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown chain '{name}'; known: {}", names())]
pub struct UnknownChain {
    /// What was given.
    pub name: String,
}

/// The chain called `name`, in lower case.
///
/// # Errors
/// [`UnknownChain`] lists the names there are.
pub fn find(name: &str) -> Result<&'static ChainInfo, UnknownChain> {
    CHAINS
        .iter()
        .find(|chain| chain.name == name)
        .ok_or_else(|| UnknownChain {
            name: name.to_owned(),
        })
}

fn names() -> String {
    CHAINS.map(|chain| chain.name).join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_ids_are_unique_and_every_name_is_found() {
        let names: HashSet<_> = CHAINS.iter().map(|chain| chain.name).collect();
        let ids: HashSet<_> = CHAINS.iter().map(|chain| chain.chain_id).collect();
        assert_eq!((names.len(), ids.len()), (CHAINS.len(), CHAINS.len()));
        for chain in &CHAINS {
            assert_eq!(find(chain.name), Ok(chain));
        }
    }

    #[test]
    fn no_chain_takes_its_dollar_for_its_coin() {
        for chain in &CHAINS {
            assert_ne!(chain.usdc, chain.wrapped_native, "{}", chain.name);
        }
    }

    #[test]
    fn every_address_is_spelt_with_its_checksum() {
        let source = include_str!("chains.rs");
        for chain in &CHAINS {
            for address in [chain.usdc, chain.wrapped_native] {
                let spelt = format!("address!(\"{address}\")");
                assert!(source.contains(&spelt), "{}: {spelt}", chain.name);
            }
        }
    }

    #[test]
    fn an_unknown_chain_is_told_which_there_are() {
        let error = find("Base").expect_err("names are in lower case").to_string();
        assert_eq!(
            error,
            "unknown chain 'Base'; known: base, ethereum, arbitrum, optimism, polygon, unichain"
        );
    }
}
