//! Decodes the calls that we build for Aerodrome's Router: one swap, of one pool or of two through the wrapped native
//! coin, all of the one factory that is known. Its receivers are addresses as they stand.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};

use super::{
    flow::Flow,
    model::{PolicyContracts, Swap, exact, shape},
    refusal::Refusal,
    swap02::pay,
};
use crate::{
    chain::contracts::Aerodrome::{
        Route, swapExactETHForTokensSupportingFeeOnTransferTokensCall as FromCoin,
        swapExactTokensForETHSupportingFeeOnTransferTokensCall as ToCoin,
        swapExactTokensForTokensSupportingFeeOnTransferTokensCall as Tokens,
    },
    domain::pool::NATIVE,
};

/// What its swaps have in common.
struct Terms {
    amount_in: U256,
    least: U256,
    routes: Vec<Route>,
    to: Address,
    deadline: U256,
}

/// Tracks the money through one call.
pub(super) fn read(mut flow: Flow, data: &[u8], value: U256, at: &PolicyContracts) -> Result<Swap, Refusal> {
    let selector = data.get(..4).unwrap_or_default();
    let (terms, to_coin) = if selector == FromCoin::SELECTOR {
        // The router swaps all the coin that is attached.
        let call: FromCoin = exact(data)?;
        let terms = Terms {
            amount_in: value,
            least: call.amountOutMin,
            routes: call.routes,
            to: call.to,
            deadline: call.deadline,
        };
        if value.is_zero() || terms.routes.first().map(|first| first.from) != Some(at.wrapped_native) {
            return Err(shape(
                "a swap of the coin starts with its wrapped form, and coin attached",
            ));
        }
        (terms, false)
    } else if selector == ToCoin::SELECTOR {
        let call: ToCoin = exact(data)?;
        if call.routes.last().map(|last| last.to) != Some(at.wrapped_native) {
            return Err(shape("a swap to the coin ends with its wrapped form"));
        }
        let terms = Terms {
            amount_in: call.amountIn,
            least: call.amountOutMin,
            routes: call.routes,
            to: call.to,
            deadline: call.deadline,
        };
        (terms, true)
    } else if selector == Tokens::SELECTOR {
        let call: Tokens = exact(data)?;
        let terms = Terms {
            amount_in: call.amountIn,
            least: call.amountOutMin,
            routes: call.routes,
            to: call.to,
            deadline: call.deadline,
        };
        (terms, false)
    } else {
        return Err(shape(format!(
            "function 0x{} of the router is not one that we call",
            alloy_primitives::hex::encode(selector)
        )));
    };
    let from_coin = selector == FromCoin::SELECTOR;
    // Coin that a swap of tokens does not use would stay in the router.
    if !from_coin && !value.is_zero() {
        return Err(shape("coin is attached to a swap of tokens"));
    }
    let (pays, gives) = ends(&terms.routes, at)?;
    let to = flow.wallet_only(terms.to)?;
    pay(&mut flow, pays, terms.amount_in, at)?;
    flow.put(if to_coin { NATIVE } else { gives }, terms.least, false, to);
    flow.end(terms.deadline, None)
}

/// First and last token of a way that we would take.
fn ends(routes: &[Route], at: &PolicyContracts) -> Result<(Address, Address), Refusal> {
    if let Some(route) = routes
        .iter()
        .find(|route| route.factory != at.aerodrome_factory || route.factory.is_zero())
    {
        return Err(shape(format!(
            "it swaps in a pool of factory {}, which this entry does not know",
            route.factory
        )));
    }
    match routes {
        [one] => Ok((one.from, one.to)),
        [near, far] if near.to == far.from && near.to == at.wrapped_native => Ok((near.from, far.to)),
        _ => Err(shape(
            "it goes through one pool, or through two by the wrapped native coin",
        )),
    }
}
