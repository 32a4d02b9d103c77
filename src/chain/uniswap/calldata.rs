//! Swaps as calldata. The approves come first, the swap last; amounts are exact, and the wallet is the only
//! receiver.

use alloy::sol_types::{SolCall, SolValue};
use alloy_primitives::{
    Address, Bytes, U256, address,
    aliases::{U48, U160},
    ruint::UintTryFrom,
};

use super::route::{Route, v4_key};
use crate::{
    chain::{
        contracts::{Erc20, Permit2, SwapRouter, UniversalRouter, V4ExactInputSingle},
        settings::ChainSpec,
    },
    domain::{
        pool::{NATIVE, Pool, PoolKey},
        trade::Purpose,
    },
    ports::{Call, QuoteError, SwapRequest},
};

/// Universal Router: who sent the transaction.
const SENDER: Address = address!("0x0000000000000000000000000000000000000001");
/// Both routers: the router itself.
const ROUTER: Address = address!("0x0000000000000000000000000000000000000002");
/// Universal Router: all that it holds.
const ALL: U256 = U256::from_limbs([0, 0, 0, 1 << 63]);

/// Universal Router's commands.
mod command {
    pub(super) const V3_SWAP_EXACT_IN: u8 = 0x00;
    pub(super) const PERMIT2_TRANSFER_FROM: u8 = 0x02;
    pub(super) const WRAP_ETH: u8 = 0x0b;
    pub(super) const UNWRAP_WETH: u8 = 0x0c;
    pub(super) const BALANCE_CHECK_ERC20: u8 = 0x0e;
    pub(super) const V4_SWAP: u8 = 0x10;
}

/// What a V4 swap does in turn.
mod action {
    pub(super) const SWAP_EXACT_IN_SINGLE: u8 = 0x06;
    pub(super) const SETTLE: u8 = 0x0b;
    pub(super) const TAKE: u8 = 0x0e;
}

/// What calls are bound to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Least output the router may accept, base units. V3 and V4 measure it where it leaves the pool.
    pub(super) amount_out_min: U256,
    /// Least that the wallet must have of a stranger's token in the end, base units, all that it had before included:
    /// the pool's measure does not see what a token keeps of a transfer. The Universal Router compares it; nothing is
    /// if `None`.
    pub(super) wallet_min: Option<U256>,
    /// Block time in seconds.
    pub(super) deadline: u64,
    /// Whether an allowance is taken back before it is given anew, for tokens that insist on it.
    pub(super) clear_allowance: bool,
}

/// The calls of a swap through `route`; their gas limits are not known yet.
pub(super) fn calls(
    spec: &ChainSpec,
    request: &SwapRequest,
    route: &Route,
    bounds: Bounds,
) -> Result<Vec<Call>, QuoteError> {
    let too_much = || {
        QuoteError::NoLiquidity(format!(
            "{} is more than {} can trade",
            request.amount_in, route.pool
        ))
    };
    let mut calls = approvals(spec, request, route, bounds).ok_or_else(too_much)?;
    let value = if request.token_in == NATIVE {
        request.amount_in.units()
    } else {
        U256::ZERO
    };
    let (to, data) = match router(spec, request, route) {
        Router::Universal => (
            spec.contracts.universal_router,
            universal(spec, request, route, bounds).ok_or_else(too_much)?,
        ),
        Router::Swap02 => (spec.contracts.swap_router, router02(spec, request, route, bounds)),
    };
    calls.push(Call {
        purpose: Purpose::Swap,
        to,
        data,
        value,
        gas_limit: 0,
    });
    Ok(calls)
}

/// Which contract a swap goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Router {
    /// The Universal Router, which takes its input through Permit2.
    Universal,
    /// SwapRouter02, which takes its input itself.
    Swap02,
}

/// V4 pools are the Universal Router's alone. A V3 pool pays a stranger's token through it as well, for the sake of its
/// check of the wallet's balance. What SwapRouter02 does as well it does with one approve less: V2, which it measures at
/// the receiver, and everything that pays out in a token of ours, whose transfers keep nothing.
pub(super) fn router(spec: &ChainSpec, request: &SwapRequest, route: &Route) -> Router {
    let contracts = &spec.contracts;
    match route.pool {
        Pool::V4(_) => Router::Universal,
        Pool::V3(_) | Pool::V3Hops(..)
            if !contracts.universal_router.is_zero() && is_strange(spec, request.token_out) =>
        {
            Router::Universal
        }
        Pool::V3(_) | Pool::V3Hops(..) | Pool::V2 => Router::Swap02,
    }
}

/// Whether a token is none of those that jobs pay with.
pub(super) fn is_strange(spec: &ChainSpec, token: Address) -> bool {
    token != NATIVE && token != spec.wrapped_native && token != spec.usdc
}

fn approvals(spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: Bounds) -> Option<Vec<Call>> {
    let token = request.token_in;
    if token == NATIVE {
        return Some(vec![]);
    }
    let through = router(spec, request, route);
    let approve = |to: Address, data: Vec<u8>| Call {
        purpose: Purpose::Approve,
        to,
        data: data.into(),
        value: U256::ZERO,
        gas_limit: 0,
    };
    let allow = |amount: U256| {
        let spender = match through {
            Router::Universal => spec.contracts.permit2,
            Router::Swap02 => spec.contracts.swap_router,
        };
        approve(token, Erc20::approveCall { spender, amount }.abi_encode())
    };
    let mut calls = Vec::new();
    if bounds.clear_allowance {
        calls.push(allow(U256::ZERO));
    }
    calls.push(allow(request.amount_in.units()));
    if through == Router::Universal {
        let permit = Permit2::approveCall {
            token,
            spender: spec.contracts.universal_router,
            amount: U160::uint_try_from(request.amount_in.units()).ok()?,
            expiration: U48::try_from(bounds.deadline).ok()?,
        };
        calls.push(approve(spec.contracts.permit2, permit.abi_encode()));
    }
    Some(calls)
}

fn router02(spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: Bounds) -> Bytes {
    let unwraps = request.token_out == NATIVE;
    let recipient = if unwraps { ROUTER } else { request.wallet };
    let (amount_in, amount_out_min) = (request.amount_in.units(), bounds.amount_out_min);
    let swap = match route.pool {
        Pool::V2 => SwapRouter::swapExactTokensForTokensCall {
            amountIn: amount_in,
            amountOutMin: amount_out_min,
            path: vec![route.pays, route.gives],
            to: recipient,
        }
        .abi_encode(),
        Pool::V4(_) | Pool::V3(_) | Pool::V3Hops(..) => SwapRouter::exactInputCall {
            params: SwapRouter::ExactInputParams {
                path: route.path(spec),
                recipient,
                amountIn: amount_in,
                amountOutMinimum: amount_out_min,
            },
        }
        .abi_encode(),
    };
    let mut steps: Vec<Bytes> = vec![swap.into()];
    if unwraps {
        let unwrap = SwapRouter::unwrapWETH9Call {
            amountMinimum: amount_out_min,
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

/// One command with its input.
type Step = (u8, Vec<u8>);

fn universal(spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: Bounds) -> Option<Bytes> {
    let mut steps = match route.pool {
        Pool::V4(key) => v4_steps(request, route, &key, bounds)?,
        Pool::V3(_) | Pool::V3Hops(..) | Pool::V2 => v3_steps(spec, request, route, bounds),
    };
    if let Some(least) = bounds.wallet_min.filter(|_| is_strange(spec, request.token_out)) {
        let check = (request.wallet, request.token_out, least).abi_encode_params();
        steps.push((command::BALANCE_CHECK_ERC20, check));
    }
    let call = UniversalRouter::executeCall {
        commands: steps
            .iter()
            .map(|(command, _)| *command)
            .collect::<Vec<_>>()
            .into(),
        inputs: steps.into_iter().map(|(_, input)| input.into()).collect(),
        deadline: U256::from(bounds.deadline),
    };
    Some(call.abi_encode().into())
}

/// Wraps the native coin, swaps, and lets the pool pay the wallet.
fn v3_steps(spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: Bounds) -> Vec<Step> {
    let amount_in = request.amount_in.units();
    let mut steps: Vec<Step> = Vec::new();
    let wallet_pays = request.token_in != NATIVE;
    if !wallet_pays {
        steps.push((command::WRAP_ETH, (ROUTER, amount_in).abi_encode_params()));
    }
    let swap = (
        SENDER,
        amount_in,
        bounds.amount_out_min,
        route.path(spec),
        wallet_pays,
    );
    steps.push((command::V3_SWAP_EXACT_IN, swap.abi_encode_params()));
    steps
}

/// Wraps or unwraps what the pool does not hold in the wallet's form, swaps, and hands over. The native coin always
/// leaves by an unwrapping, which logs what a plain payment would not.
fn v4_steps(request: &SwapRequest, route: &Route, key: &PoolKey, bounds: Bounds) -> Option<Vec<Step>> {
    let amount_in = request.amount_in.units();
    let amount_out_min = bounds.amount_out_min;
    let (token_in, token_out) = (request.token_in, request.token_out);
    let mut steps: Vec<Step> = Vec::new();
    let wallet_pays = token_in == route.pays && token_in != NATIVE;
    if token_in == NATIVE && route.pays != NATIVE {
        steps.push((command::WRAP_ETH, (ROUTER, amount_in).abi_encode_params()));
    } else if token_in != NATIVE && route.pays == NATIVE {
        let pull = (token_in, ROUTER, amount_in).abi_encode_params();
        steps.push((command::PERMIT2_TRANSFER_FROM, pull));
        steps.push((command::UNWRAP_WETH, (ROUTER, amount_in).abi_encode_params()));
    }
    let direct = token_out == route.gives && token_out != NATIVE;
    let swap = V4ExactInputSingle {
        poolKey: v4_key(key)?,
        zeroForOne: route.zero_for_one(),
        amountIn: u128::try_from(amount_in).ok()?,
        amountOutMinimum: u128::try_from(amount_out_min).ok()?,
        hookData: Bytes::new(),
    };
    let actions = [action::SWAP_EXACT_IN_SINGLE, action::SETTLE, action::TAKE];
    let parameters: Vec<Bytes> = vec![
        swap.abi_encode().into(),
        (route.pays, amount_in, wallet_pays).abi_encode_params().into(),
        // Zero: all of it.
        (route.gives, if direct { SENDER } else { ROUTER }, U256::ZERO)
            .abi_encode_params()
            .into(),
    ];
    let swap = (Bytes::copy_from_slice(&actions), parameters).abi_encode_params();
    steps.push((command::V4_SWAP, swap));
    if token_out == NATIVE {
        if route.gives == NATIVE {
            steps.push((command::WRAP_ETH, (ROUTER, ALL).abi_encode_params()));
        }
        steps.push((command::UNWRAP_WETH, (SENDER, amount_out_min).abi_encode_params()));
    } else if route.gives == NATIVE {
        steps.push((command::WRAP_ETH, (SENDER, ALL).abi_encode_params()));
    }
    Some(steps)
}
