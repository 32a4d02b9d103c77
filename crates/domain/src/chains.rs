//! The chains this program knows, as one table.

use alloy_primitives::{Address, address};

use crate::{
    contracts::{Contracts, EVERYWHERE, PANCAKE_V3},
    pool::{DYNAMIC_FEE, HookShape},
    span::Span,
};

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
    /// DexScreener's name of the chain.
    pub dexscreener: &'static str,
    /// GeckoTerminal's name of the chain.
    pub geckoterminal: &'static str,
    /// What is usual there.
    pub usual: Usual,
    /// Uniswap V4 pools with a hook that many tokens share.
    pub v4_hooks: &'static [HookShape],
    /// Tokens that much else trades against, besides the native coin and USDC: routes of several pools go through them.
    pub connectors: &'static [Address],
    /// A block before the first Uniswap V4 pool, where a search for pools begins.
    pub v4_first_block: u64,
    /// What is deployed there, from the pages of Uniswap, PancakeSwap and Chainlink.
    pub contracts: Contracts,
}

/// What is usual on a chain. Settings may say otherwise for most of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// Confirmations, the transaction's own block included, after which a receipt counts.
    pub required_depth: u64,
    /// How long a transaction waits before it is replaced by one that pays more.
    pub replace_after: Span,
    /// Highest fee, gwei per unit of gas.
    pub max_fee_gwei: u64,
    /// Highest tip that is offered at first, gwei per unit of gas.
    pub max_tip_gwei: u64,
    /// Lowest tip that nodes accept and miners take, wei per unit of gas.
    pub min_tip_wei: u128,
    /// Highest gas limit of one call of ours. An honest one stays below; a token that burns gas takes a whole block.
    pub gas_limit_max: u64,
    /// Age at which the native coin's price feed counts as broken.
    pub feed_age_max: Span,
    /// Time between two blocks; `None`: not known, or so short that nothing is planned by it.
    pub block_time: Option<Span>,
}

impl Usual {
    /// For a chain that is not in the table.
    pub const UNKNOWN: Self = Self {
        required_depth: 3,
        replace_after: Span::from_secs(30),
        max_fee_gwei: 500,
        max_tip_gwei: 10,
        // A tip of zero is never mined on some chains.
        min_tip_wei: 1_000,
        gas_limit_max: 3_000_000,
        // Feeds are updated at least once an hour, and on large moves.
        feed_age_max: Span::from_secs(90 * 60),
        block_time: None,
    };
}

/// An L2's own sequencer hardly ever reorgs, and takes nearly no tip.
const L2: Usual = Usual {
    required_depth: 3,
    replace_after: Span::from_secs(15),
    max_fee_gwei: 50,
    max_tip_gwei: 1,
    block_time: Some(Span::from_secs(2)),
    ..Usual::UNKNOWN
};

/// Every chain, the default first. A new chain is a row here; only prose names chains besides (lgi-mm.example.toml,
/// docs/going-live.md).
pub const CHAINS: &[ChainInfo] = &[
    ChainInfo {
        name: "base",
        chain_id: 8_453,
        wrapped_native: address!("0x4200000000000000000000000000000000000006"),
        usdc: address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
        native_symbol: "ETH",
        explorer_tx: "https://basescan.org/tx/",
        dexscreener: "base",
        geckoterminal: "base",
        usual: L2,
        v4_hooks: &[HookShape {
            // Clanker's hook of static fees.
            hook: address!("0xb429d62f8f3bFFb98CdB9569533eA23bF0Ba28CC"),
            fee: DYNAMIC_FEE,
            tick_spacing: 200,
        }],
        connectors: &[
            // cbBTC and CLANKER.
            address!("0xcbB7C0000aB88B473b1f5aFd9ef808440eed33Bf"),
            address!("0x1bc0c42215582d5A085795f4baDbaC3ff36d1Bcb"),
        ],
        v4_first_block: 25_350_000,
        contracts: Contracts {
            universal_router: address!("0x6fF5693b99212Da76ad316178A184AB56D299b43"),
            v4_pool_manager: address!("0x498581fF718922c3f8e6A244956aF099B2652b2b"),
            v4_state_view: address!("0xA3c0c9b65baD0b08107Aa264b0f3dB444b867A71"),
            v4_quoter: address!("0x0d5e0F971ED27FBfF6c2837bf31316121532048D"),
            v4_position_manager: address!("0x7C5f5A4bBd8fD63184577525326123B519429bDc"),
            clanker_factory: address!("0xE85A59c628F7d27878ACeB4bf3b35733630083a9"),
            doppler_initializer: address!("0xBDF938149ac6a781F94FAa0ed45E6A0e984c6544"),
            v3_factory: address!("0x33128a8fC17869897dcE68Ed026d694621f6FDfD"),
            v3_quoter: address!("0x3d4e44Eb1374240CE5F1B871ab261CD16335B76a"),
            swap_router: address!("0x2626664c2603336E57B271c5C0b26F421741e481"),
            v2_factory: address!("0x8909Dc15e40173Ff4699343b6eB8132c65e18eC6"),
            slipstream_factory: address!("0x5e7BB104d84c7CB9B682AaC2F3d509f5F406809A"),
            slipstream_pool: address!("0xeC8E5342B19977B4eF8892e02D8DAEcfa1315831"),
            slipstream_quoter: address!("0x254cF9E1E6e233aa1AC962CB9B05b2cfeAaE15b0"),
            slipstream_router: address!("0xBE6D8f0d05cC4be24d5167a3eF062215bE6D18a5"),
            slipstream_caps_factory: address!("0xaDe65c38CD4849aDBA595a4323a8C7DdfE89716a"),
            slipstream_caps_pool: address!("0x942e97a4c6FdC38B4CD1c0298D37d81fDD8E5A16"),
            slipstream_caps_quoter: address!("0x3d4C22254F86f64B7eC90ab8F7aeC1FBFD271c6C"),
            slipstream_caps_router: address!("0xcbBb8035cAc7D4B3Ca7aBb74cF7BdF900215Ce0D"),
            slipstream_v3_factory: address!("0xf8f2eB4940CFE7d13603DDDD87f123820Fc061Ef"),
            slipstream_v3_pool: address!("0xc770898522D2A9c8Da7A10D63989b6b58305B665"),
            slipstream_v3_quoter: address!("0x514c8B5f54112481E28028F1166Bd78501089259"),
            slipstream_v3_router: address!("0x698Cb2b6dd822994581fEa6eA4Fc755d1363A92F"),
            aerodrome_factory: address!("0x420DD381b31aEf6683db6B902084cB0FFECe40Da"),
            aerodrome_pool: address!("0xA4e46b4f701c62e14DF11B48dCe76A7d793CD6d7"),
            aerodrome_router: address!("0xcF77a3Ba9A5CA399B7c97c74d54e5b1Beb874E43"),
            native_usd_feed: address!("0x71041dddad3595F9CEd3DcCFBe3D1F4b0a16Bb70"),
            sequencer_feed: address!("0xBCF85224fc0756B9Fa45aA7892530B47e10b6433"),
            gas_price_oracle: address!("0x420000000000000000000000000000000000000F"),
            ..PANCAKE_V3
        },
    },
    ChainInfo {
        name: "ethereum",
        chain_id: 1,
        wrapped_native: address!("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
        usdc: address!("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
        native_symbol: "ETH",
        explorer_tx: "https://etherscan.io/tx/",
        dexscreener: "ethereum",
        geckoterminal: "eth",
        usual: Usual {
            required_depth: 6,
            replace_after: Span::from_secs(60),
            max_fee_gwei: 300,
            max_tip_gwei: 5,
            block_time: Some(Span::from_secs(12)),
            ..Usual::UNKNOWN
        },
        v4_hooks: &[],
        connectors: &[],
        v4_first_block: 21_680_000,
        contracts: Contracts {
            universal_router: address!("0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af"),
            v4_pool_manager: address!("0x000000000004444c5dc75cB358380D2e3dE08A90"),
            v4_state_view: address!("0x7fFE42C4a5DEeA5b0feC41C94C136Cf115597227"),
            v4_quoter: address!("0x52F0E24D1c21C8A0cB1e5a5dD6198556BD9E1203"),
            v4_position_manager: address!("0xbD216513d74C8cf14cf4747E6AaA6420FF64ee9e"),
            v3_factory: address!("0x1F98431c8aD98523631AE4a59f267346ea31F984"),
            v3_quoter: address!("0x61fFE014bA17989E743c5F6cB21bF9697530B21e"),
            swap_router: address!("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"),
            v2_factory: address!("0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f"),
            native_usd_feed: address!("0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"),
            ..PANCAKE_V3
        },
    },
    ChainInfo {
        name: "arbitrum",
        chain_id: 42_161,
        wrapped_native: address!("0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"),
        usdc: address!("0xaf88d065e77c8cC2239327C5EDb3A432268e5831"),
        native_symbol: "ETH",
        explorer_tx: "https://arbiscan.io/tx/",
        dexscreener: "arbitrum",
        geckoterminal: "arbitrum",
        usual: Usual {
            // A block every quarter of a second, and none while nothing is sent.
            block_time: None,
            // Arbitrum counts the data on the chain below as gas.
            gas_limit_max: 15_000_000,
            // The feed's heartbeat is a day; small moves still update it within minutes.
            feed_age_max: Span::from_secs(25 * 60 * 60),
            ..L2
        },
        v4_hooks: &[],
        connectors: &[],
        v4_first_block: 297_840_000,
        contracts: Contracts {
            universal_router: address!("0xA51afAFe0263b40EdaEf0Df8781eA9aa03E381a3"),
            v4_pool_manager: address!("0x360E68faCcca8cA495c1B759Fd9EEe466db9FB32"),
            v4_state_view: address!("0x76Fd297e2D437cd7f76d50F01AfE6160f86e9990"),
            v4_quoter: address!("0x3972C00f7ed4885e145823eb7C655375d275A1C5"),
            v4_position_manager: address!("0xd88F38F930b7952f2DB2432Cb002E7abbF3dD869"),
            v3_factory: address!("0x1F98431c8aD98523631AE4a59f267346ea31F984"),
            v3_quoter: address!("0x61fFE014bA17989E743c5F6cB21bF9697530B21e"),
            swap_router: address!("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"),
            v2_factory: address!("0xf1D7CC64Fb4452F05c498126312eBE29f30Fbcf9"),
            native_usd_feed: address!("0x639Fe6ab55C921f74e7fac1ee960C0B6293ba612"),
            sequencer_feed: address!("0xFdB631F5EE196F0ed6FAa767959853A9F217697D"),
            ..PANCAKE_V3
        },
    },
    ChainInfo {
        name: "optimism",
        chain_id: 10,
        wrapped_native: address!("0x4200000000000000000000000000000000000006"),
        usdc: address!("0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85"),
        native_symbol: "ETH",
        explorer_tx: "https://optimistic.etherscan.io/tx/",
        dexscreener: "optimism",
        geckoterminal: "optimism",
        usual: L2,
        v4_hooks: &[],
        connectors: &[],
        v4_first_block: 130_940_000,
        contracts: Contracts {
            universal_router: address!("0x851116D9223fabED8E56C0E6b8Ad0c31d98B3507"),
            v4_pool_manager: address!("0x9a13F98Cb987694C9F086b1F5eB990EeA8264Ec3"),
            v4_state_view: address!("0xc18a3169788F4F75A170290584ECA6395C75Ecdb"),
            v4_quoter: address!("0x1f3131A13296FB91C90870043742C3CDBFF1A8d7"),
            v4_position_manager: address!("0x3C3Ea4B57a46241e54610e5f022E5c45859A1017"),
            v3_factory: address!("0x1F98431c8aD98523631AE4a59f267346ea31F984"),
            v3_quoter: address!("0x61fFE014bA17989E743c5F6cB21bF9697530B21e"),
            swap_router: address!("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"),
            v2_factory: address!("0x0c3c1c532F1e39EdF36BE9Fe0bE1410313E074Bf"),
            native_usd_feed: address!("0x13e3Ee699D1909E989722E753853AE30b17e08c5"),
            gas_price_oracle: address!("0x420000000000000000000000000000000000000F"),
            sequencer_feed: address!("0x371EAD81c9102C9BF4874A9075FFFf170F2Ee389"),
            ..EVERYWHERE
        },
    },
    ChainInfo {
        name: "polygon",
        chain_id: 137,
        wrapped_native: address!("0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270"),
        usdc: address!("0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"),
        native_symbol: "POL",
        explorer_tx: "https://polygonscan.com/tx/",
        dexscreener: "polygon",
        geckoterminal: "polygon_pos",
        usual: Usual {
            // Polygon reorgs often and deep.
            required_depth: 32,
            replace_after: Span::from_secs(30),
            max_fee_gwei: 2_000,
            max_tip_gwei: 300,
            // Its nodes take nothing that tips less.
            min_tip_wei: 30_000_000_000,
            block_time: Some(Span::from_secs(2)),
            ..Usual::UNKNOWN
        },
        v4_hooks: &[],
        connectors: &[],
        v4_first_block: 66_980_000,
        contracts: Contracts {
            universal_router: address!("0x1095692A6237d83C6a72F3F5eFEdb9A670C49223"),
            v4_pool_manager: address!("0x67366782805870060151383F4BbFF9daB53e5cD6"),
            v4_state_view: address!("0x5eA1bD7974c8A611cBAB0bDCAFcB1D9CC9b3BA5a"),
            v4_quoter: address!("0xb3d5c3Dfc3a7aEbFF71895A7191796BFFc2c81b9"),
            v4_position_manager: address!("0x1Ec2eBf4F37E7363FDfe3551602425af0B3ceef9"),
            v3_factory: address!("0x1F98431c8aD98523631AE4a59f267346ea31F984"),
            v3_quoter: address!("0x61fFE014bA17989E743c5F6cB21bF9697530B21e"),
            swap_router: address!("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"),
            v2_factory: address!("0x9e5A52f57b3038F1B8EeE45F28b3C1967e22799C"),
            // POL in USD: Chainlink's feed of MATIC, renamed.
            native_usd_feed: address!("0xAB594600376Ec9fD91F8e885dADF0CE036862dE0"),
            ..EVERYWHERE
        },
    },
    ChainInfo {
        name: "unichain",
        chain_id: 130,
        wrapped_native: address!("0x4200000000000000000000000000000000000006"),
        usdc: address!("0x078D782b760474a361dDA0AF3839290b0EF57AD6"),
        native_symbol: "ETH",
        explorer_tx: "https://uniscan.xyz/tx/",
        dexscreener: "unichain",
        geckoterminal: "unichain",
        usual: Usual {
            block_time: Some(Span::from_secs(1)),
            ..L2
        },
        v4_hooks: &[],
        connectors: &[],
        v4_first_block: 1,
        contracts: Contracts {
            universal_router: address!("0xEf740bf23aCaE26f6492B10de645D6B98dC8Eaf3"),
            v4_pool_manager: address!("0x1F98400000000000000000000000000000000004"),
            v4_state_view: address!("0x86e8631A016F9068C3f085fAF484Ee3F5fDee8f2"),
            v4_quoter: address!("0x333E3C607B141b18fF6de9f258db6e77fE7491E0"),
            v4_position_manager: address!("0x4529A01c7A0410167c5740C487A8DE60232617bf"),
            v3_factory: address!("0x1F98400000000000000000000000000000000003"),
            v3_quoter: address!("0x385A5cf5F83e99f7BB2852b6A19C3538b9FA7658"),
            swap_router: address!("0x73855d06DE49d0fe4A9c42636Ba96c62da12FF9C"),
            v2_factory: address!("0x1F98400000000000000000000000000000000002"),
            gas_price_oracle: address!("0x420000000000000000000000000000000000000F"),
            ..EVERYWHERE
        },
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

/// The chain with this EIP-155 id, whatever the settings call it.
#[must_use]
pub fn with_id(chain_id: u64) -> Option<&'static ChainInfo> {
    CHAINS.iter().find(|chain| chain.chain_id == chain_id)
}

/// Every name, the default first, with commas between.
#[must_use]
pub fn names() -> String {
    CHAINS
        .iter()
        .map(|chain| chain.name)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_ids_are_unique_and_every_chain_is_found_by_both() {
        let names: HashSet<_> = CHAINS.iter().map(|chain| chain.name).collect();
        let ids: HashSet<_> = CHAINS.iter().map(|chain| chain.chain_id).collect();
        let slugs: HashSet<_> = CHAINS.iter().map(|chain| chain.dexscreener).collect();
        assert_eq!(
            (names.len(), ids.len(), slugs.len()),
            (CHAINS.len(), CHAINS.len(), CHAINS.len())
        );
        for chain in CHAINS {
            assert_eq!(find(chain.name), Ok(chain));
            assert_eq!(with_id(chain.chain_id), Some(chain));
            assert!(!PRACTICE_IDS.contains(&chain.chain_id), "{}", chain.name);
            assert_ne!(chain.name, PRACTICE);
        }
    }

    #[test]
    fn every_row_is_complete() {
        // An L1 has no sequencer; only OP-stack chains have an oracle of data fees; Unichain has no feeds;
        // launchpads are Base's; PancakeSwap V3 is not on Optimism, Polygon and Unichain.
        const ABSENT: [(&str, &str); 29] = [
            ("ethereum", "clanker_factory"),
            ("ethereum", "doppler_initializer"),
            ("arbitrum", "clanker_factory"),
            ("arbitrum", "doppler_initializer"),
            ("optimism", "clanker_factory"),
            ("optimism", "doppler_initializer"),
            ("polygon", "clanker_factory"),
            ("polygon", "doppler_initializer"),
            ("unichain", "clanker_factory"),
            ("unichain", "doppler_initializer"),
            ("ethereum", "sequencer_feed"),
            ("ethereum", "gas_price_oracle"),
            ("arbitrum", "gas_price_oracle"),
            ("polygon", "sequencer_feed"),
            ("polygon", "gas_price_oracle"),
            ("unichain", "native_usd_feed"),
            ("unichain", "sequencer_feed"),
            ("optimism", "pancake_v3_deployer"),
            ("optimism", "pancake_v3_factory"),
            ("optimism", "pancake_v3_quoter"),
            ("optimism", "pancake_v3_router"),
            ("polygon", "pancake_v3_deployer"),
            ("polygon", "pancake_v3_factory"),
            ("polygon", "pancake_v3_quoter"),
            ("polygon", "pancake_v3_router"),
            ("unichain", "pancake_v3_deployer"),
            ("unichain", "pancake_v3_factory"),
            ("unichain", "pancake_v3_quoter"),
            ("unichain", "pancake_v3_router"),
        ];
        for chain in CHAINS {
            let name = chain.name;
            assert_eq!(name, name.to_lowercase());
            assert!(!chain.native_symbol.is_empty(), "{name}");
            assert!(!chain.dexscreener.is_empty(), "{name}");
            let page = chain.explorer_tx;
            assert!(page.starts_with("https://") && page.ends_with("/tx/"), "{name}");
            assert_ne!(chain.usdc, chain.wrapped_native, "{name}");
            for address in [chain.usdc, chain.wrapped_native] {
                assert!(!address.is_zero(), "{name}");
            }
            let usual = chain.usual;
            assert!((1..=1_000).contains(&usual.required_depth), "{name}");
            assert!(usual.replace_after >= Span::from_secs(1), "{name}");
            assert!((1..=usual.max_fee_gwei).contains(&usual.max_tip_gwei), "{name}");
            let most = u128::from(usual.max_tip_gwei) * 1_000_000_000;
            assert!((1..=most).contains(&usual.min_tip_wei), "{name}");
            assert!(usual.gas_limit_max >= Usual::UNKNOWN.gas_limit_max, "{name}");
            assert!(usual.feed_age_max >= Usual::UNKNOWN.feed_age_max, "{name}");
            for (contract, address) in chain.contracts.named() {
                // Aerodrome is Base's, Slipstream included.
                let aerodrome = contract.starts_with("slipstream") || contract.starts_with("aerodrome");
                let elsewhere = aerodrome && name != "base";
                let absent = elsewhere || ABSENT.contains(&(name, contract));
                assert_eq!(address.is_zero(), absent, "{name}: {contract}");
            }
        }
    }

    #[test]
    fn every_address_is_spelt_with_its_checksum() {
        let source = [include_str!("chains.rs"), include_str!("contracts.rs")].concat();
        for chain in CHAINS {
            let contracts = chain.contracts.named().into_iter().map(|(_, address)| address);
            let hooks = chain.v4_hooks.iter().map(|shape| shape.hook);
            let tokens = [chain.usdc, chain.wrapped_native];
            let connectors = chain.connectors.iter().copied();
            for address in contracts.chain(hooks).chain(tokens).chain(connectors) {
                let spelt = format!("address!(\"{address}\")");
                assert!(
                    address.is_zero() || source.contains(&spelt),
                    "{}: {spelt}",
                    chain.name
                );
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
