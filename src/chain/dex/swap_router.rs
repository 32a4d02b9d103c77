//! SwapRouter02's multicall: one swap, and an unwrapping behind it if the wallet wants the native coin.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, Bytes, U256, address};

use super::api::{Bounds, Router};
use crate::{
    chain::{contracts::SwapRouter, settings::ChainSpec},
    domain::{onchain::SwapRequest, pool::NATIVE},
};

/// The router itself, as a recipient.
const ROUTER: Address = address!("0x0000000000000000000000000000000000000002");

/// It takes its input itself, by an allowance of the token.
pub(super) const fn router(spec: &ChainSpec) -> Router {
    Router {
        address: spec.contracts.swap_router,
        permit2: false,
    }
}

/// Who receives what the pool gives: the router, if it is to be unwrapped.
pub(super) fn recipient(request: &SwapRequest) -> Address {
    if request.token_out == NATIVE {
        ROUTER
    } else {
        request.wallet
    }
}

/// The calldata of `swap`, whose recipient is [`recipient`].
pub(super) fn multicall(request: &SwapRequest, bounds: &Bounds, swap: Vec<u8>) -> Bytes {
    let mut steps: Vec<Bytes> = vec![swap.into()];
    if request.token_out == NATIVE {
        let unwrap = SwapRouter::unwrapWETH9Call {
            amountMinimum: bounds.amount_out_min,
            recipient: request.wallet,
        };
        steps.push(unwrap.abi_encode().into());
    }
    let call = SwapRouter::multicallCall {
        deadline: U256::from(bounds.deadline),
        data: steps,
    };
    call.abi_encode().into()
}
