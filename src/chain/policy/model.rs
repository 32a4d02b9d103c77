//! Effects of a transaction, decoded.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};

use super::refusal::{Reason, Refusal};
use crate::domain::{
    fork::FORKS_MAX,
    pool::{NATIVE, Pool},
};

/// Contracts that may be called, and the address that stands for the native coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyContracts {
    /// Permit2.
    pub permit2: Address,
    /// Universal Router 2.0.
    pub universal_router: Address,
    /// SwapRouter02.
    pub swap_router: Address,
    /// PancakeSwap V3's SwapRouter; zero unless the entry names it.
    pub pancake_v3_router: Address,
    /// Slipstream's SwapRouter, of the first deployment; zero unless the entry names it.
    pub slipstream_router: Address,
    /// Slipstream's SwapRouter, of the deployment with caps of emissions; zero unless the entry names it.
    pub slipstream_caps_router: Address,
    /// Slipstream's SwapRouter, of the newest deployment; zero unless the entry names it.
    pub slipstream_v3_router: Address,
    /// Aerodrome's Router; zero unless the entry names it.
    pub aerodrome_router: Address,
    /// The factory whose pools that router may swap in; zero unless the entry names the router.
    pub aerodrome_factory: Address,
    /// The routers of forks of V2 that the entry names; the rest are zero.
    pub v2_routers: [Address; FORKS_MAX],
    /// The ERC-20 that wraps the native coin.
    pub wrapped_native: Address,
    /// The token that counts as a dollar.
    pub usdc: Address,
}

impl PolicyContracts {
    /// Routers of forks of V3, which take the same calls; zero: not named.
    pub(super) const fn forks(&self) -> [Address; 4] {
        [
            self.pancake_v3_router,
            self.slipstream_router,
            self.slipstream_caps_router,
            self.slipstream_v3_router,
        ]
    }

    /// Whether this is a router that the entry had to name.
    pub(super) fn is_extra(&self, router: Address) -> bool {
        let named = self.forks().contains(&router) || self.v2_routers.contains(&router);
        (named || router == self.aerodrome_router) && !router.is_zero()
    }
}

/// An allowance: it moves nothing, and only its spender can use it, for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allow {
    pub(super) token: Address,
    pub(super) spender: Address,
    pub(super) amount: U256,
    /// Unix seconds; `None`: until it is used or reset.
    pub(super) expires: Option<U256>,
}

/// An exact-input swap with its whole output to the wallet. Zero stands for the native coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Swap {
    pub(super) token_in: Address,
    pub(super) amount_in: U256,
    pub(super) token_out: Address,
    /// Minimum output to the wallet, otherwise the transaction reverts.
    pub(super) amount_out_min: U256,
    /// Unix seconds, block time.
    pub(super) deadline: U256,
    /// The pool, if the calldata names exactly one.
    pub(super) pool: Option<Pool>,
}

/// A payment to someone else. Zero stands for the native coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payment {
    pub(super) asset: Address,
    pub(super) to: Address,
    pub(super) amount: U256,
}

/// Effect of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, on the stack; a box would not be Copy"
)]
pub(super) enum Intent {
    /// Only uses up its nonce.
    Cancel,
    Allow(Allow),
    Swap(Swap),
    Pay(Payment),
}

impl Allow {
    /// Whether the spender is one that this contract may grant an allowance to.
    pub(super) fn is_to_known_spender(&self, at: &PolicyContracts) -> bool {
        let spender = self.spender;
        match self.expires {
            Some(_) => spender == at.universal_router && !spender.is_zero(),
            None => {
                let own = [at.permit2, at.swap_router].contains(&spender);
                (own || at.is_extra(spender)) && !spender.is_zero()
            }
        }
    }
}

/// Decodes arguments in canonical encoding only: no extra bytes, no alternative encoding.
pub(super) fn exact<C: SolCall>(data: &[u8]) -> Result<C, Refusal> {
    let read = C::abi_decode(data).map_err(|error| shape(error.to_string()))?;
    if read.abi_encode() != data {
        return Err(shape("its calldata is not in canonical encoding".to_owned()));
    }
    Ok(read)
}

pub(super) fn shape(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Shape, detail)
}

/// Name of an asset in messages.
pub(super) fn named(asset: Address, at: &PolicyContracts) -> String {
    if asset == NATIVE {
        "the native coin".to_owned()
    } else if asset == at.wrapped_native {
        "the wrapped native coin".to_owned()
    } else if asset == at.usdc {
        "USDC".to_owned()
    } else {
        format!("token {asset}")
    }
}
