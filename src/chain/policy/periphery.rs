//! Decodes the calls that we build for a SwapRouter of V3's periphery, as forks of V3 kept it: one swap, optionally
//! followed by an unwrap. Its receivers are addresses as they stand, and only zero means the router itself.

use alloy_primitives::Bytes;

use super::{
    flow::{Flow, To},
    model::{PolicyContracts, Swap, exact, shape},
    refusal::Refusal,
    swap02::pay,
    universal::ends,
};
use crate::{chain::contracts::Periphery, domain::pool::NATIVE};

/// Tracks the money through one multicall.
pub(super) fn read(
    mut flow: Flow,
    multicall: &Periphery::multicallCall,
    at: &PolicyContracts,
) -> Result<Swap, Refusal> {
    // A second swap could spend what the first one left in the router.
    let (swap, unwraps): (&Bytes, &[Bytes]) = match multicall.data.as_slice() {
        [swap] => (swap, &[]),
        [swap, unwrap] => (swap, std::slice::from_ref(unwrap)),
        steps => {
            return Err(shape(format!(
                "{} steps: we make one swap and at most one unwrapping",
                steps.len()
            )));
        }
    };
    let swap: Periphery::exactInputCall = exact(swap)?;
    let (pays, gives) = ends(&swap.params.path)?;
    let to = if swap.params.recipient.is_zero() {
        To::Router
    } else {
        flow.wallet_only(swap.params.recipient)?
    };
    pay(&mut flow, pays, swap.params.amountIn, at)?;
    flow.put(gives, swap.params.amountOutMinimum, false, to);
    for step in unwraps {
        let unwrap: Periphery::unwrapWETH9Call = exact(step)?;
        let to = flow.wallet_only(unwrap.recipient)?;
        flow.sweep(at.wrapped_native, NATIVE, unwrap.amountMinimum, to)?;
    }
    flow.end(swap.params.deadline, None)
}
