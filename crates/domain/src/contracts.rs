//! The contracts of a chain that this program calls.

use alloy_primitives::{Address, address};

/// Declares the contracts once: the fields, and their names in the settings.
macro_rules! contracts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The contracts that are called. Zero: not on this chain, and what needs it is not used.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Contracts {
            $($(#[$doc])* pub $name: Address,)*
        }

        impl Contracts {
            /// Nothing at all.
            pub const NONE: Self = Self { $($name: Address::ZERO),* };

            /// The names that `[chains.NAME.contracts]` may use.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// The contract of that name in the settings.
            pub fn by_name(&mut self, name: &str) -> Option<&mut Address> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// Every contract with its name in the settings.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, Address)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

contracts! {
    /// Multicall3.
    multicall3,
    /// Permit2.
    permit2,
    /// Universal Router 2.0.
    universal_router,
    /// Uniswap V4.
    v4_pool_manager,
    /// Uniswap V4: reads pool states.
    v4_state_view,
    /// Uniswap V4.
    v4_quoter,
    /// Uniswap V4: knows the keys of pools that positions were minted in.
    v4_position_manager,
    /// Clanker's factory: knows the hook of each token that it made.
    clanker_factory,
    /// Doppler's initializer: knows the pool of each token that it sold.
    doppler_initializer,
    /// Uniswap V3.
    v3_factory,
    /// Uniswap V3.
    v3_quoter,
    /// SwapRouter02, for V3 and V2.
    swap_router,
    /// Uniswap V2.
    v2_factory,
    /// PancakeSwap V3: makes pools, so that their addresses follow from its own.
    pancake_v3_deployer,
    /// PancakeSwap V3.
    pancake_v3_factory,
    /// PancakeSwap V3.
    pancake_v3_quoter,
    /// PancakeSwap V3's SwapRouter.
    pancake_v3_router,
    /// Slipstream, the first deployment: makes pools.
    slipstream_factory,
    /// Slipstream, the first deployment: the code that its pools are clones of.
    slipstream_pool,
    /// Slipstream, the first deployment.
    slipstream_quoter,
    /// Slipstream, the first deployment: its SwapRouter.
    slipstream_router,
    /// Slipstream, the deployment with caps of emissions: makes pools.
    slipstream_caps_factory,
    /// Slipstream, the deployment with caps of emissions: the code that its pools are clones of.
    slipstream_caps_pool,
    /// Slipstream, the deployment with caps of emissions.
    slipstream_caps_quoter,
    /// Slipstream, the deployment with caps of emissions: its SwapRouter.
    slipstream_caps_router,
    /// Slipstream, the newest deployment: makes pools.
    slipstream_v3_factory,
    /// Slipstream, the newest deployment: the code that its pools are clones of.
    slipstream_v3_pool,
    /// Slipstream, the newest deployment.
    slipstream_v3_quoter,
    /// Slipstream, the newest deployment: its SwapRouter.
    slipstream_v3_router,
    /// Aerodrome: makes pools.
    aerodrome_factory,
    /// Aerodrome: the code that its pools are clones of.
    aerodrome_pool,
    /// Aerodrome's Router.
    aerodrome_router,
    /// Chainlink, native coin in USD, 8 decimals.
    native_usd_feed,
    /// Chainlink: whether an L2's sequencer is up.
    sequencer_feed,
    /// An OP-stack chain's oracle of data fees.
    gas_price_oracle,
}

/// The same on every chain.
pub const EVERYWHERE: Contracts = Contracts {
    multicall3: address!("0xcA11bde05977b3631167028862bE2a173976CA11"),
    permit2: address!("0x000000000022D473030F116dDEE9F6B43aC78BA3"),
    ..Contracts::NONE
};

/// PancakeSwap V3 has the same addresses on every chain of the table that has it.
pub(crate) const PANCAKE_V3: Contracts = Contracts {
    pancake_v3_deployer: address!("0x41ff9AA7e16B8B1a8a8dc4f0eFacd93D02d071c9"),
    pancake_v3_factory: address!("0x0BFbCF9fa4f9C56B0F40a671Ad40E0805A091865"),
    pancake_v3_quoter: address!("0xB048Bbc1Ee6b733FFfCFb9e9CeF7375518e25997"),
    pancake_v3_router: address!("0x1b81D678ffb9C0263b24A97847620C99d213eB14"),
    ..EVERYWHERE
};
