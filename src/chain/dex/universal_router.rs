//! The commands of Universal Router 2.0 that swaps are made of.

use alloy::sol_types::{SolCall, SolValue};
use alloy_primitives::{Address, Bytes, U256, address};

use super::{
    api::{Bounds, Router},
    assets::is_foreign,
};
use crate::{
    chain::{contracts::UniversalRouter, settings::ChainSpec},
    domain::onchain::SwapRequest,
};

/// The wallet that sent the transaction, as a recipient.
const SENDER: Address = address!("0x0000000000000000000000000000000000000001");
/// The router itself, as a recipient.
const ROUTER: Address = address!("0x0000000000000000000000000000000000000002");
/// The router's whole balance, as an amount.
const ALL: U256 = U256::from_limbs([0, 0, 0, 1 << 63]);

mod command {
    pub(super) const V3_SWAP_EXACT_IN: u8 = 0x00;
    pub(super) const PERMIT2_TRANSFER_FROM: u8 = 0x02;
    pub(super) const WRAP_ETH: u8 = 0x0b;
    pub(super) const UNWRAP_WETH: u8 = 0x0c;
    pub(super) const BALANCE_CHECK_ERC20: u8 = 0x0e;
    pub(super) const V4_SWAP: u8 = 0x10;
}

/// One command with its input.
pub(super) struct Step {
    command: u8,
    input: Vec<u8>,
}

/// Who receives what a step gives.
#[derive(Debug, Clone, Copy)]
pub(super) enum To {
    Sender,
    Router,
}

impl To {
    pub(super) const fn address(self) -> Address {
        match self {
            Self::Sender => SENDER,
            Self::Router => ROUTER,
        }
    }
}

/// It takes its input through Permit2.
pub(super) const fn router(spec: &ChainSpec) -> Router {
    Router {
        address: spec.contracts.universal_router,
        permit2: true,
    }
}

/// Wraps native coins that were sent along; the router keeps them.
pub(super) fn wrap(amount: U256) -> Step {
    Step {
        command: command::WRAP_ETH,
        input: (ROUTER, amount).abi_encode_params(),
    }
}

/// Wraps all native coins that the router holds.
pub(super) fn wrap_all(to: To) -> Step {
    Step {
        command: command::WRAP_ETH,
        input: (to.address(), ALL).abi_encode_params(),
    }
}

/// Unwraps all wrapped coins that the router holds, at least `least`.
pub(super) fn unwrap(to: To, least: U256) -> Step {
    Step {
        command: command::UNWRAP_WETH,
        input: (to.address(), least).abi_encode_params(),
    }
}

/// Takes a token out of the wallet, through Permit2, into the router.
pub(super) fn pull(token: Address, amount: U256) -> Step {
    Step {
        command: command::PERMIT2_TRANSFER_FROM,
        input: (token, ROUTER, amount).abi_encode_params(),
    }
}

/// Swaps along a V3 path and pays the wallet; the input comes from the wallet, or from the router.
pub(super) fn v3_swap(amount_in: U256, amount_out_min: U256, path: Bytes, wallet_pays: bool) -> Step {
    Step {
        command: command::V3_SWAP_EXACT_IN,
        input: (SENDER, amount_in, amount_out_min, path, wallet_pays).abi_encode_params(),
    }
}

/// V4 actions with their parameters.
pub(super) fn v4_swap(actions: &[u8], parameters: Vec<Bytes>) -> Step {
    Step {
        command: command::V4_SWAP,
        input: (Bytes::copy_from_slice(actions), parameters).abi_encode_params(),
    }
}

/// The calldata of all steps, and of a check of the wallet's balance behind them: the pool's own minimum does not see
/// what a foreign token keeps of a transfer.
pub(super) fn execute(
    spec: &ChainSpec,
    request: &SwapRequest,
    bounds: &Bounds,
    mut steps: Vec<Step>,
) -> Bytes {
    if let Some(least) = bounds.wallet_min.filter(|_| is_foreign(spec, request.token_out)) {
        steps.push(Step {
            command: command::BALANCE_CHECK_ERC20,
            input: (request.wallet, request.token_out, least).abi_encode_params(),
        });
    }
    let call = UniversalRouter::executeCall {
        commands: steps.iter().map(|step| step.command).collect::<Vec<_>>().into(),
        inputs: steps.into_iter().map(|step| step.input.into()).collect(),
        deadline: U256::from(bounds.deadline),
    };
    call.abi_encode().into()
}
