//! The contracts we know, from Uniswap's and Chainlink's own pages.

use alloy_primitives::{Address, address};

use crate::domain::{chains::ChainInfo, pool::DYNAMIC_FEE};

/// The contracts that are called. Zero: not on this chain, and what needs it is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contracts {
    /// Multicall3.
    pub multicall3: Address,
    /// Permit2.
    pub permit2: Address,
    /// Universal Router 2.0.
    pub universal_router: Address,
    /// Uniswap V4.
    pub v4_pool_manager: Address,
    /// Uniswap V4: reads pool states.
    pub v4_state_view: Address,
    /// Uniswap V4.
    pub v4_quoter: Address,
    /// Uniswap V3.
    pub v3_factory: Address,
    /// Uniswap V3.
    pub v3_quoter: Address,
    /// SwapRouter02, for V3 and V2.
    pub swap_router: Address,
    /// Uniswap V2.
    pub v2_factory: Address,
    /// Chainlink, native coin in USD, 8 decimals.
    pub native_usd_feed: Address,
    /// Chainlink: whether an L2's sequencer is up.
    pub sequencer_feed: Address,
    /// An OP-stack chain's oracle of data fees.
    pub gas_price_oracle: Address,
}

/// The names that `[chains.NAME.contracts]` may use.
pub(super) const CONTRACT_NAMES: [&str; 13] = [
    "multicall3",
    "permit2",
    "universal_router",
    "v4_pool_manager",
    "v4_state_view",
    "v4_quoter",
    "v3_factory",
    "v3_quoter",
    "swap_router",
    "v2_factory",
    "native_usd_feed",
    "sequencer_feed",
    "gas_price_oracle",
];

impl Contracts {
    /// The field of that name.
    pub(super) fn slot(&mut self, name: &str) -> Option<&mut Address> {
        Some(match name {
            "multicall3" => &mut self.multicall3,
            "permit2" => &mut self.permit2,
            "universal_router" => &mut self.universal_router,
            "v4_pool_manager" => &mut self.v4_pool_manager,
            "v4_state_view" => &mut self.v4_state_view,
            "v4_quoter" => &mut self.v4_quoter,
            "v3_factory" => &mut self.v3_factory,
            "v3_quoter" => &mut self.v3_quoter,
            "swap_router" => &mut self.swap_router,
            "v2_factory" => &mut self.v2_factory,
            "native_usd_feed" => &mut self.native_usd_feed,
            "sequencer_feed" => &mut self.sequencer_feed,
            "gas_price_oracle" => &mut self.gas_price_oracle,
            _ => return None,
        })
    }

    /// Every contract with its name in the settings.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, Address)> {
        let mut all = *self;
        CONTRACT_NAMES
            .iter()
            .filter_map(|name| all.slot(name).map(|address| (*name, *address)))
            .collect()
    }

    /// What a chain of the table has; nothing but the contracts that are everywhere for another.
    pub(in crate::chain) fn of(chain: Option<&ChainInfo>) -> Self {
        let everywhere = Self {
            multicall3: address!("0xcA11bde05977b3631167028862bE2a173976CA11"),
            permit2: address!("0x000000000022D473030F116dDEE9F6B43aC78BA3"),
            ..Self::default()
        };
        match chain.map(|chain| chain.name) {
            Some("base") => Self::base(everywhere),
            Some("ethereum") => Self::ethereum(everywhere),
            Some("arbitrum") => Self::arbitrum(everywhere),
            Some("optimism") => Self::optimism(everywhere),
            Some("polygon") => Self::polygon(everywhere),
            Some("unichain") => Self::unichain(everywhere),
            _ => everywhere,
        }
    }

    fn base(everywhere: Self) -> Self {
        Self {
            universal_router: address!("0x6ff5693b99212da76ad316178a184ab56d299b43"),
            v4_pool_manager: address!("0x498581ff718922c3f8e6a244956af099b2652b2b"),
            v4_state_view: address!("0xa3c0c9b65bad0b08107aa264b0f3db444b867a71"),
            v4_quoter: address!("0x0d5e0f971ed27fbff6c2837bf31316121532048d"),
            v3_factory: address!("0x33128a8fC17869897dcE68Ed026d694621f6FDfD"),
            v3_quoter: address!("0x3d4e44Eb1374240CE5F1B871ab261CD16335B76a"),
            swap_router: address!("0x2626664c2603336E57B271c5C0b26F421741e481"),
            v2_factory: address!("0x8909Dc15e40173Ff4699343b6eB8132c65e18eC6"),
            native_usd_feed: address!("0x71041dddad3595F9CEd3DcCFBe3D1F4b0a16Bb70"),
            sequencer_feed: address!("0xBCF85224fc0756B9Fa45aA7892530B47e10b6433"),
            gas_price_oracle: address!("0x420000000000000000000000000000000000000F"),
            ..everywhere
        }
    }

    fn ethereum(everywhere: Self) -> Self {
        Self {
            universal_router: address!("0x66a9893cc07d91d95644aedd05d03f95e1dba8af"),
            v4_pool_manager: address!("0x000000000004444c5dc75cB358380D2e3dE08A90"),
            v4_state_view: address!("0x7ffe42c4a5deea5b0fec41c94c136cf115597227"),
            v4_quoter: address!("0x52f0e24d1c21c8a0cb1e5a5dd6198556bd9e1203"),
            v3_factory: address!("0x1F98431c8aD98523631AE4a59f267346ea31F984"),
            v3_quoter: address!("0x61fFE014bA17989E743c5F6cB21bF9697530B21e"),
            swap_router: address!("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"),
            v2_factory: address!("0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f"),
            native_usd_feed: address!("0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"),
            ..everywhere
        }
    }

    fn arbitrum(everywhere: Self) -> Self {
        Self {
            universal_router: address!("0xa51afafe0263b40edaef0df8781ea9aa03e381a3"),
            v4_pool_manager: address!("0x360e68faccca8ca495c1b759fd9eee466db9fb32"),
            v4_state_view: address!("0x76fd297e2d437cd7f76d50f01afe6160f86e9990"),
            v4_quoter: address!("0x3972c00f7ed4885e145823eb7c655375d275a1c5"),
            v3_factory: address!("0x1F98431c8aD98523631AE4a59f267346ea31F984"),
            v3_quoter: address!("0x61fFE014bA17989E743c5F6cB21bF9697530B21e"),
            swap_router: address!("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"),
            v2_factory: address!("0xf1D7CC64Fb4452F05c498126312eBE29f30Fbcf9"),
            native_usd_feed: address!("0x639Fe6ab55C921f74e7fac1ee960C0B6293ba612"),
            sequencer_feed: address!("0xFdB631F5EE196F0ed6FAa767959853A9F217697D"),
            ..everywhere
        }
    }

    fn optimism(everywhere: Self) -> Self {
        Self {
            universal_router: address!("0x851116d9223fabed8e56c0e6b8ad0c31d98b3507"),
            v4_pool_manager: address!("0x9a13f98cb987694c9f086b1f5eb990eea8264ec3"),
            v4_state_view: address!("0xc18a3169788f4f75a170290584eca6395c75ecdb"),
            v4_quoter: address!("0x1f3131a13296fb91c90870043742c3cdbff1a8d7"),
            v3_factory: address!("0x1F98431c8aD98523631AE4a59f267346ea31F984"),
            v3_quoter: address!("0x61fFE014bA17989E743c5F6cB21bF9697530B21e"),
            swap_router: address!("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"),
            v2_factory: address!("0x0c3c1c532F1e39EdF36BE9Fe0bE1410313E074Bf"),
            native_usd_feed: address!("0x13e3Ee699D1909E989722E753853AE30b17e08c5"),
            gas_price_oracle: address!("0x420000000000000000000000000000000000000F"),
            sequencer_feed: address!("0x371EAD81c9102C9BF4874A9075FFFf170F2Ee389"),
            ..everywhere
        }
    }

    fn polygon(everywhere: Self) -> Self {
        Self {
            universal_router: address!("0x1095692a6237d83c6a72f3f5efedb9a670c49223"),
            v4_pool_manager: address!("0x67366782805870060151383f4bbff9dab53e5cd6"),
            v4_state_view: address!("0x5ea1bd7974c8a611cbab0bdcafcb1d9cc9b3ba5a"),
            v4_quoter: address!("0xb3d5c3dfc3a7aebff71895a7191796bffc2c81b9"),
            v3_factory: address!("0x1F98431c8aD98523631AE4a59f267346ea31F984"),
            v3_quoter: address!("0x61fFE014bA17989E743c5F6cB21bF9697530B21e"),
            swap_router: address!("0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"),
            v2_factory: address!("0x9e5A52f57b3038F1B8EeE45F28b3C1967e22799C"),
            // POL in USD: Chainlink's feed of MATIC, renamed.
            native_usd_feed: address!("0xAB594600376Ec9fD91F8e885dADF0CE036862dE0"),
            ..everywhere
        }
    }

    fn unichain(everywhere: Self) -> Self {
        Self {
            universal_router: address!("0xef740bf23acae26f6492b10de645d6b98dc8eaf3"),
            v4_pool_manager: address!("0x1f98400000000000000000000000000000000004"),
            v4_state_view: address!("0x86e8631a016f9068c3f085faf484ee3f5fdee8f2"),
            v4_quoter: address!("0x333e3c607b141b18ff6de9f258db6e77fe7491e0"),
            v3_factory: address!("0x1f98400000000000000000000000000000000003"),
            v3_quoter: address!("0x385a5cf5f83e99f7bb2852b6a19c3538b9fa7658"),
            swap_router: address!("0x73855d06de49d0fe4a9c42636ba96c62da12ff9c"),
            v2_factory: address!("0x1f98400000000000000000000000000000000002"),
            gas_price_oracle: address!("0x420000000000000000000000000000000000000F"),
            ..everywhere
        }
    }
}

/// Hooks of V4 pools that many tokens share: hook, fee, tick spacing.
pub(super) fn known_hooks(chain: &str) -> Vec<(Address, u32, i32)> {
    match chain {
        // Clanker's hook of static fees.
        "base" => vec![(
            address!("0xb429d62f8f3bFFb98CdB9569533eA23bF0Ba28CC"),
            DYNAMIC_FEE,
            200,
        )],
        _ => vec![],
    }
}
