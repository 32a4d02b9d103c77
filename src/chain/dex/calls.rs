//! A swap as calls: the approvals first, the swap last. Amounts are exact, and the wallet is the only receiver.

use alloy::sol_types::SolCall;
use alloy_primitives::{
    U256,
    aliases::{U48, U160},
    ruint::UintTryFrom,
};

use super::api::{Bounds, Route};
use crate::{
    chain::{
        contracts::{Erc20, Permit2},
        settings::ChainSpec,
    },
    domain::{
        onchain::{Call, SwapRequest},
        pool::NATIVE,
        trade::Purpose,
    },
    ports::QuoteError,
};

/// The calls of a swap through `route`; their gas limits are not known yet.
///
/// # Errors
/// [`QuoteError::NoLiquidity`] if the amounts are more than the contracts can take.
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
    calls.push(Call {
        purpose: Purpose::Swap,
        to: route.dex.router(spec, request, route).address,
        data: route
            .dex
            .swap(spec, request, route, &bounds)
            .ok_or_else(too_much)?,
        value,
        gas_limit: 0,
    });
    Ok(calls)
}

fn approvals(spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: Bounds) -> Option<Vec<Call>> {
    let token = request.token_in;
    if token == NATIVE {
        return Some(vec![]);
    }
    let router = route.dex.router(spec, request, route);
    let approval = |to, data: Vec<u8>| Call {
        purpose: Purpose::Approve,
        to,
        data: data.into(),
        value: U256::ZERO,
        gas_limit: 0,
    };
    let allow = |amount: U256| {
        let spender = router.spender(spec);
        approval(token, Erc20::approveCall { spender, amount }.abi_encode())
    };
    let mut calls = Vec::new();
    if bounds.reset_allowance {
        calls.push(allow(U256::ZERO));
    }
    calls.push(allow(request.amount_in.units()));
    if router.permit2 {
        let permit = Permit2::approveCall {
            token,
            spender: router.address,
            amount: U160::uint_try_from(request.amount_in.units()).ok()?,
            expiration: U48::try_from(bounds.deadline).ok()?,
        };
        calls.push(approval(spec.contracts.permit2, permit.abi_encode()));
    }
    Some(calls)
}

/// The calls of a swap through one route, as the venue makes them.
#[cfg(test)]
pub(crate) fn calls_for_tests(
    spec: &ChainSpec,
    request: &SwapRequest,
    route: &Route,
    amount_out_min: U256,
    deadline: u64,
) -> Option<Vec<Call>> {
    let bounds = Bounds {
        amount_out_min,
        wallet_min: Some(amount_out_min),
        deadline,
        reset_allowance: true,
    };
    calls(spec, request, route, bounds).ok()
}
