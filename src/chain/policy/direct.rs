//! Swaps that are one call of a router, with a way of addresses: what Uniswap V2's Router02 takes, and what others made
//! of it. Their receivers are addresses as they stand.

use alloy_primitives::{Address, U256};

use super::{
    flow::Flow,
    model::{PolicyContracts, Swap, shape},
    refusal::Refusal,
    swap02::pay,
};
use crate::domain::pool::NATIVE;

/// Which sides of the swap are the coin itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// All the coin that is attached goes in.
    FromCoin,
    /// The coin comes out.
    ToCoin,
    /// Neither.
    Tokens,
}

/// What such a call says.
pub(super) struct Terms {
    pub(super) form: Form,
    /// Base units; of [`Form::FromCoin`] what is attached.
    pub(super) amount_in: U256,
    pub(super) least: U256,
    /// The tokens on the way.
    pub(super) path: Vec<Address>,
    pub(super) to: Address,
    pub(super) deadline: U256,
}

/// Tracks the money through the call; `value` is attached to it.
pub(super) fn follow(
    mut flow: Flow,
    terms: &Terms,
    value: U256,
    at: &PolicyContracts,
) -> Result<Swap, Refusal> {
    let wrapped = at.wrapped_native;
    let (pays, gives) = match terms.path.as_slice() {
        [pays, gives] => (*pays, *gives),
        [pays, middle, gives] if *middle == wrapped => (*pays, *gives),
        _ => {
            return Err(shape(
                "it goes through one pool, or through two by the wrapped native coin",
            ));
        }
    };
    let (from_coin, to_coin) = (terms.form == Form::FromCoin, terms.form == Form::ToCoin);
    if from_coin && (value.is_zero() || pays != wrapped) {
        return Err(shape(
            "a swap of the coin starts with its wrapped form, and coin attached",
        ));
    }
    if to_coin && gives != wrapped {
        return Err(shape("a swap to the coin ends with its wrapped form"));
    }
    // Coin that a swap of tokens does not use would stay in the router.
    if !from_coin && !value.is_zero() {
        return Err(shape("coin is attached to a swap of tokens"));
    }
    let to = flow.wallet_only(terms.to)?;
    pay(&mut flow, pays, terms.amount_in, at)?;
    flow.put(if to_coin { NATIVE } else { gives }, terms.least, false, to);
    flow.end(terms.deadline, None)
}
