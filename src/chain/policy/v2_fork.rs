//! Decodes the calls that we build for routers of V2's forks: one swap. Such a router swaps in pairs of its own factory
//! alone.

use alloy::sol_types::SolCall;
use alloy_primitives::U256;

use super::{
    direct::{Form, Terms},
    model::{exact, shape},
    refusal::Refusal,
};
use crate::chain::contracts::V2Router::{
    swapExactETHForTokensSupportingFeeOnTransferTokensCall as FromCoin,
    swapExactTokensForETHSupportingFeeOnTransferTokensCall as ToCoin,
    swapExactTokensForTokensSupportingFeeOnTransferTokensCall as Tokens,
};

/// What the call says; `value` is attached to it.
pub(super) fn read(data: &[u8], value: U256) -> Result<Terms, Refusal> {
    let selector = data.get(..4).unwrap_or_default();
    if selector == FromCoin::SELECTOR {
        let call: FromCoin = exact(data)?;
        return Ok(Terms {
            form: Form::FromCoin,
            amount_in: value,
            least: call.amountOutMin,
            path: call.path,
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
            path: call.path,
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
            path: call.path,
            to: call.to,
            deadline: call.deadline,
        });
    }
    Err(shape(format!(
        "function 0x{} of the router is not one that we call",
        alloy_primitives::hex::encode(selector)
    )))
}
