//! How an asset is named inside pools, and which side of a pair is the quote.

use alloy_primitives::Address;

use crate::{chain::settings::ChainSpec, domain::pool::NATIVE};

/// The ERC-20 that stands for an asset: the wrapped form of the native coin.
pub(crate) fn erc20(spec: &ChainSpec, asset: Address) -> Address {
    if asset == NATIVE {
        spec.wrapped_native
    } else {
        asset
    }
}

/// The forms in which a pool that also holds the native coin may hold an asset.
pub(super) fn forms(spec: &ChainSpec, asset: Address) -> Vec<Address> {
    if asset == NATIVE || asset == spec.wrapped_native {
        vec![NATIVE, spec.wrapped_native]
    } else {
        vec![asset]
    }
}

/// Two assets that are traded for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    pub(crate) token: Address,
    pub(crate) quote: Address,
}

/// Which of two assets is the quote: USDC before the native coin, and that before its wrapped form.
pub(crate) fn pair_of(spec: &ChainSpec, one: Address, other: Address) -> Pair {
    let rank = |asset: Address| {
        if asset == spec.usdc {
            3
        } else if asset == NATIVE {
            2
        } else {
            u8::from(asset == spec.wrapped_native)
        }
    };
    let key = |asset| (rank(asset), asset);
    if key(one) < key(other) {
        Pair {
            token: one,
            quote: other,
        }
    } else {
        Pair {
            token: other,
            quote: one,
        }
    }
}

/// Whether a token is none of those that jobs pay with.
pub(super) fn is_foreign(spec: &ChainSpec, token: Address) -> bool {
    token != NATIVE && token != spec.wrapped_native && token != spec.usdc
}
