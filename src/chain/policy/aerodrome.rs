//! Decodes the calls that we build for Aerodrome's Router: one swap, in pools of the one factory that is known.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};

use super::{
    direct::{Form, Terms},
    model::{PolicyContracts, exact, shape},
    refusal::Refusal,
};
use crate::chain::contracts::Aerodrome::{
    Route, swapExactETHForTokensSupportingFeeOnTransferTokensCall as FromCoin,
    swapExactTokensForETHSupportingFeeOnTransferTokensCall as ToCoin,
    swapExactTokensForTokensSupportingFeeOnTransferTokensCall as Tokens,
};

/// What the call says; `value` is attached to it.
pub(super) fn read(data: &[u8], value: U256, at: &PolicyContracts) -> Result<Terms, Refusal> {
    let selector = data.get(..4).unwrap_or_default();
    if selector == FromCoin::SELECTOR {
        let call: FromCoin = exact(data)?;
        return Ok(Terms {
            form: Form::FromCoin,
            amount_in: value,
            least: call.amountOutMin,
            path: path(&call.routes, at)?,
            to: call.to,
            deadline: call.deadline,
        });
    }
    if selector == ToCoin::SELECTOR {
        let call: ToCoin = exact(data)?;
        return Ok(Terms {
            form: Form::ToCoin,
            amount_in: call.amountIn,
            least: call.amountOutMin,
            path: path(&call.routes, at)?,
            to: call.to,
            deadline: call.deadline,
        });
    }
    if selector == Tokens::SELECTOR {
        let call: Tokens = exact(data)?;
        return Ok(Terms {
            form: Form::Tokens,
            amount_in: call.amountIn,
            least: call.amountOutMin,
            path: path(&call.routes, at)?,
            to: call.to,
            deadline: call.deadline,
        });
    }
    Err(shape(format!(
        "function 0x{} of the router is not one that we call",
        alloy_primitives::hex::encode(selector)
    )))
}

/// The tokens on the way, if every pool of it is one of the known factory.
fn path(routes: &[Route], at: &PolicyContracts) -> Result<Vec<Address>, Refusal> {
    let foreign = |route: &&Route| route.factory != at.aerodrome_factory || route.factory.is_zero();
    if let Some(route) = routes.iter().find(foreign) {
        return Err(shape(format!(
            "it swaps in a pool of factory {}, which this entry does not know",
            route.factory
        )));
    }
    let mut path: Vec<Address> = routes.first().map(|first| first.from).into_iter().collect();
    for route in routes {
        if path.last() != Some(&route.from) {
            return Err(shape("its way has a gap"));
        }
        path.push(route.to);
    }
    Ok(path)
}
