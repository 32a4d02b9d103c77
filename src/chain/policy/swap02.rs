//! Decodes the SwapRouter02 calls that we build: one swap, optionally followed by an unwrap.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};

use super::{
    flow::{Flow, Part},
    model::{PolicyContracts, exact, shape},
    refusal::Refusal,
    universal::ends,
};
use crate::{chain::contracts::SwapRouter, domain::pool::NATIVE};

/// Tracks the money through one multicall.
pub(super) fn follow(
    mut flow: Flow,
    multicall: &SwapRouter::multicallCall,
    at: &PolicyContracts,
) -> Result<Flow, Refusal> {
    for (index, step) in multicall.data.iter().enumerate() {
        let selector = step.get(..4).unwrap_or_default();
        // A second swap could spend what the first one left in the router.
        let first = index == 0;
        if first && selector == SwapRouter::exactInputCall::SELECTOR {
            let swap: SwapRouter::exactInputCall = exact(step)?;
            let (pays, gives) = ends(&swap.params.path)?;
            let to = flow.recipient(swap.params.recipient)?;
            pay(&mut flow, pays, swap.params.amountIn, at)?;
            flow.put(gives, swap.params.amountOutMinimum, false, to);
        } else if first && selector == SwapRouter::swapExactTokensForTokensCall::SELECTOR {
            let swap: SwapRouter::swapExactTokensForTokensCall = exact(step)?;
            let (Some(pays), Some(gives), true) = (swap.path.first(), swap.path.last(), swap.path.len() >= 2)
            else {
                return Err(shape("a V2 path needs two tokens"));
            };
            let to = flow.recipient(swap.to)?;
            pay(&mut flow, *pays, swap.amountIn, at)?;
            flow.put(*gives, swap.amountOutMin, false, to);
        } else if !first && selector == SwapRouter::unwrapWETH9Call::SELECTOR {
            let unwrap: SwapRouter::unwrapWETH9Call = exact(step)?;
            // Unlike the swaps, it knows no constants.
            let to = flow.wallet_only(unwrap.recipient)?;
            flow.sweep(at.wrapped_native, NATIVE, unwrap.amountMinimum, to)?;
        } else {
            return Err(shape(format!(
                "step 0x{} of the multicall is not one that we make there",
                alloy_primitives::hex::encode(selector)
            )));
        }
    }
    Ok(flow)
}

/// The router pays with the attached native coin if the swap takes its wrapped form, otherwise from the wallet.
pub(super) fn pay(
    flow: &mut Flow,
    asset: Address,
    amount: U256,
    at: &PolicyContracts,
) -> Result<(), Refusal> {
    if amount.is_zero() {
        return Err(shape("a swap of zero would trade what the router holds"));
    }
    if asset == at.wrapped_native && flow.holds_native() {
        return flow.spend(NATIVE, Part::Exactly(amount)).map(|_| ());
    }
    flow.take(asset, amount)
}
