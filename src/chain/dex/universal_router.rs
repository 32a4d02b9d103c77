//! Swaps through Universal Router 2.0: in one pool, or in several of any version of Uniswap one after the other.

use alloy::sol_types::SolCall;
use alloy_primitives::{Bytes, U256};

use super::{
    api::{Bounds, Route, Router},
    assets::is_foreign,
    command::{self, Stage, Step, To},
};
use crate::{
    chain::{contracts::UniversalRouter, settings::ChainSpec},
    domain::{onchain::SwapRequest, pool::NATIVE},
};

/// It takes its input through Permit2.
pub(super) const fn router(spec: &ChainSpec) -> Router {
    Router {
        address: spec.contracts.universal_router,
        permit2: true,
    }
}

/// The calldata of a swap through `hops`, one after the other, and of a check of the wallet's balance behind them: the
/// pool's own minimum does not see what a foreign token keeps of a transfer. `None` if the router has no command for
/// one of them.
pub(super) fn swap(
    spec: &ChainSpec,
    request: &SwapRequest,
    hops: &[Route],
    bounds: &Bounds,
) -> Option<Bytes> {
    let mut steps = steps(spec, request, hops, bounds)?;
    if let Some(least) = bounds.wallet_min.filter(|_| is_foreign(spec, request.token_out)) {
        steps.push(command::check_balance(request.wallet, request.token_out, least));
    }
    let call = UniversalRouter::executeCall {
        commands: steps.iter().map(|step| step.command).collect::<Vec<_>>().into(),
        inputs: steps.into_iter().map(|step| step.input.into()).collect(),
        deadline: U256::from(bounds.deadline),
    };
    Some(call.abi_encode().into())
}

/// Wraps or unwraps what a pool does not hold in the form in which it comes, swaps, and pays out; nothing stays in the
/// router. The native coin is always paid out by an unwrapping: that logs an event, which a plain payment does not.
fn steps(spec: &ChainSpec, request: &SwapRequest, hops: &[Route], bounds: &Bounds) -> Option<Vec<Step>> {
    let (first, last) = (hops.first()?, hops.last()?);
    let (token_in, token_out) = (request.token_in, request.token_out);
    let amount_in = request.amount_in.units();
    let (mut steps, mut left): (Vec<Step>, Vec<Step>) = (Vec::new(), Vec::new());
    if token_in == NATIVE && first.pays != NATIVE {
        steps.push(command::wrap(amount_in));
    } else if token_in != NATIVE && first.pays == NATIVE {
        steps.push(command::pull(token_in, amount_in));
        steps.push(command::unwrap(To::Router, amount_in));
    }
    let direct = token_out == last.gives && token_out != NATIVE;
    let end = hops.len().saturating_sub(1);
    for (index, route) in hops.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| hops.get(before));
        match before {
            Some(before) if before.gives == NATIVE && route.pays != NATIVE => {
                steps.push(command::wrap_all(To::Router));
            }
            Some(before) if before.gives != NATIVE && route.pays == NATIVE => {
                steps.push(command::unwrap(To::Router, U256::ZERO));
            }
            _ => {}
        }
        let stage = Stage {
            amount: (index == 0).then_some(amount_in),
            by_wallet: index == 0 && token_in == route.pays && token_in != NATIVE,
            least: if index == end {
                bounds.amount_out_min
            } else {
                U256::ZERO
            },
            to: if index == end && direct {
                To::Sender
            } else {
                To::Router
            },
        };
        let step = route.dex.step(spec, route, &stage)?;
        // In a single pool the minimum says how much of the input must have been taken.
        if end > 0 && !stage.by_wallet && step.may_leave() {
            left.push(command::sweep(route.pays));
        }
        steps.push(step);
    }
    if token_out == NATIVE {
        if last.gives == NATIVE {
            steps.push(command::wrap_all(To::Router));
        }
        steps.push(command::unwrap(To::Sender, bounds.amount_out_min));
    } else if last.gives == NATIVE {
        steps.push(command::wrap_all(To::Sender));
    }
    steps.append(&mut left);
    Some(steps)
}
