//! The SwapRouter of V3's periphery, as forks of V3 kept it: one swap, and an unwrapping behind it if the wallet wants
//! the native coin.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, Bytes, U256};

use super::api::{Bounds, Router};
use crate::{
    chain::contracts::Periphery,
    domain::{onchain::SwapRequest, pool::NATIVE},
};

/// It takes its input itself, by an allowance of the token.
pub(super) const fn router(address: Address) -> Router {
    Router {
        address,
        permit2: false,
    }
}

/// The calldata of a swap along `path`. What the pool pays is compared with the least, not what arrives: this router
/// reads no balances of a wallet.
pub(super) fn swap(request: &SwapRequest, path: Bytes, bounds: &Bounds) -> Bytes {
    let unwraps = request.token_out == NATIVE;
    let swap = Periphery::exactInputCall {
        params: Periphery::ExactInputParams {
            path,
            // Zero is the router itself.
            recipient: if unwraps { Address::ZERO } else { request.wallet },
            deadline: U256::from(bounds.deadline),
            amountIn: request.amount_in.units(),
            amountOutMinimum: bounds.amount_out_min,
        },
    };
    let mut data: Vec<Bytes> = vec![swap.abi_encode().into()];
    if unwraps {
        let unwrap = Periphery::unwrapWETH9Call {
            amountMinimum: bounds.amount_out_min,
            recipient: request.wallet,
        };
        data.push(unwrap.abi_encode().into());
    }
    Periphery::multicallCall { data }.abi_encode().into()
}
