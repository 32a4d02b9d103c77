//! The calls of SwapRouter02 that we make: one swap, and an unwrapping behind it.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};

use super::{
    flow::{Flow, Part},
    model::{PolicyContracts, exact, shape},
    refusal::Refusal,
    universal::ends,
};
use crate::{chain::contracts::SwapRouter, domain::pool::NATIVE};

/// Follows the money through one multicall.
pub(super) fn follow(
    mut flow: Flow,
    multicall: &SwapRouter::multicallCall,
    at: &PolicyContracts,
) -> Result<Flow, Refusal> {
    for (index, step) in multicall.data.iter().enumerate() {
        let selector = step.get(..4).unwrap_or_default();
        // A second swap could pay with what the first one left behind.
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
            let to = flow.recipient(unwrap.recipient)?;
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

/// The router pays with the native coin that came along if the swap takes its wrapped form, else out of the wallet.
fn pay(flow: &mut Flow, asset: Address, amount: U256, at: &PolicyContracts) -> Result<(), Refusal> {
    if amount.is_zero() {
        return Err(shape("a swap of zero would trade what the router holds"));
    }
    if asset == at.wrapped_native && flow.holds_native() {
        return flow.spend(NATIVE, Part::Exactly(amount)).map(|_| ());
    }
    flow.take(asset, amount)
}
