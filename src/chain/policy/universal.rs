//! Decodes the Universal Router 2.0 commands that we build, and rejects all others.

use alloy::sol_types::SolValue;
use alloy_primitives::{Address, Bytes, U256};

use super::{
    flow::{Flow, Part, To},
    model::{PolicyContracts, shape},
    refusal::{Reason, Refusal},
};
use crate::{
    chain::contracts::{UniversalRouter, V4ExactInputSingle},
    domain::pool::{NATIVE, Pool, PoolKey},
};

/// The router's constant for its whole balance.
const ALL: U256 = U256::from_limbs([0, 0, 0, 1 << 63]);
/// Actions of a V4 swap: exact-input swap in one pool, settle, take.
const V4_ACTIONS: [u8; 3] = [0x06, 0x0b, 0x0e];
/// The same of all that the router holds: settle, exact-input swap of what was settled, take.
const V4_ALL_ACTIONS: [u8; 3] = [0x0b, 0x06, 0x0e];
/// Swaps of one transaction, at most.
const SWAPS_MAX: usize = 3;
/// Byte lengths in a V3 path: a token, then a fee and a token for each hop.
const ADDRESS_BYTES: usize = 20;
const HOP_BYTES: usize = 23;

/// Tracks the money through all commands; also returns the V4 pool if there is exactly one swap and that is in it.
pub(super) fn follow(
    mut flow: Flow,
    execute: &UniversalRouter::executeCall,
    at: &PolicyContracts,
) -> Result<(Flow, Option<Pool>), Refusal> {
    if execute.commands.len() != execute.inputs.len() {
        return Err(shape("the number of inputs differs from the number of commands"));
    }
    // The pool of each swap, where its calldata names it.
    let mut swaps: Vec<Option<Pool>> = Vec::new();
    for (command, input) in execute.commands.iter().zip(&execute.inputs) {
        match command {
            0x00 => {
                v3(&mut flow, input)?;
                swaps.push(None);
            }
            0x02 => pull(&mut flow, input)?,
            0x04 => sweep(&mut flow, input)?,
            0x08 => {
                v2(&mut flow, input)?;
                swaps.push(None);
            }
            0x0b => wrap(&mut flow, input, at)?,
            0x0c => unwrap(&mut flow, input, at)?,
            // Read-only check.
            0x0e => {
                exact::<(Address, Address, U256)>(input)?;
            }
            0x10 => swaps.push(Some(v4(&mut flow, input)?)),
            other => {
                return Err(shape(format!(
                    "command 0x{other:02x} of the Universal Router is not one that we make"
                )));
            }
        }
    }
    if swaps.len() > SWAPS_MAX {
        return Err(shape(format!(
            "{} swaps: we make at most {SWAPS_MAX} in one transaction",
            swaps.len()
        )));
    }
    // In a single pool the minimum says how much of the input must have been taken.
    if let Some(asset) = flow.unswept().filter(|_| swaps.len() > 1) {
        return Err(Refusal::new(
            Reason::Recipient,
            format!(
                "some of {asset} may stay in the router, where anyone can take it: a V3 pool that runs out takes less, \
                 and what is left must be swept to the wallet"
            ),
        ));
    }
    let alone = match swaps.as_slice() {
        [pool] => *pool,
        _ => None,
    };
    Ok((flow, alone))
}

/// Decodes one command's input, which must be in canonical encoding.
fn exact<T>(input: &Bytes) -> Result<T, Refusal>
where
    T: SolValue + From<<T::SolType as alloy::sol_types::SolType>::RustType>,
    for<'a> <T::SolType as alloy::sol_types::SolType>::Token<'a>: alloy::sol_types::abi::TokenSeq<'a>,
{
    let read = T::abi_decode_params(input).map_err(|error| shape(error.to_string()))?;
    if read.abi_encode_params() != input.as_ref() {
        return Err(shape("a command's input is not in canonical encoding"));
    }
    Ok(read)
}

fn part(amount: U256) -> Part {
    if amount == ALL {
        Part::All
    } else {
        Part::Exactly(amount)
    }
}

/// Takes a swap's input from the wallet or the router.
fn pay(flow: &mut Flow, asset: Address, amount: U256, by_wallet: bool) -> Result<(), Refusal> {
    if amount.is_zero() {
        return Err(shape(
            "a swap of zero would trade what was sent to the pool before",
        ));
    }
    match (by_wallet, part(amount)) {
        (true, Part::Exactly(amount)) if asset != NATIVE => flow.take(asset, amount),
        (true, _) => Err(shape("it takes an unspecified amount from the wallet")),
        (false, part) => flow.spend(asset, part).map(|_| ()),
    }
}

fn v3(flow: &mut Flow, input: &Bytes) -> Result<(), Refusal> {
    let (recipient, amount_in, least, path, by_wallet) = exact::<(Address, U256, U256, Bytes, bool)>(input)?;
    let (pays, gives) = ends(&path)?;
    let to = flow.recipient(recipient)?;
    pay(flow, pays, amount_in, by_wallet)?;
    if !by_wallet {
        // The pool takes what it can use.
        flow.may_leave(pays);
    }
    flow.put(gives, least, false, to);
    Ok(())
}

fn v2(flow: &mut Flow, input: &Bytes) -> Result<(), Refusal> {
    let (recipient, amount_in, least, path, by_wallet) =
        exact::<(Address, U256, U256, Vec<Address>, bool)>(input)?;
    let (Some(pays), Some(gives), true) = (path.first(), path.last(), path.len() >= 2) else {
        return Err(shape("a V2 path needs two tokens"));
    };
    let to = flow.recipient(recipient)?;
    pay(flow, *pays, amount_in, by_wallet)?;
    flow.put(*gives, least, false, to);
    Ok(())
}

/// First and last token of a V3 path.
pub(super) fn ends(path: &[u8]) -> Result<(Address, Address), Refusal> {
    let hops = path.len().checked_sub(ADDRESS_BYTES);
    let whole = hops.is_some_and(|hops| hops > 0 && hops % HOP_BYTES == 0);
    let first = path.get(..ADDRESS_BYTES).map(Address::from_slice);
    let last = hops.and_then(|from| path.get(from..)).map(Address::from_slice);
    match (whole, first, last) {
        (true, Some(first), Some(last)) => Ok((first, last)),
        _ => Err(shape("malformed V3 path")),
    }
}

fn pull(flow: &mut Flow, input: &Bytes) -> Result<(), Refusal> {
    let (token, recipient, amount) = exact::<(Address, Address, U256)>(input)?;
    // A transfer to the wallet is pointless; to another address it is theft.
    if flow.recipient(recipient)? != To::Router {
        return Err(shape(
            "tokens are pulled from the wallet, but not into the router",
        ));
    }
    flow.take(token, amount)?;
    flow.put(token, amount, true, To::Router);
    Ok(())
}

fn sweep(flow: &mut Flow, input: &Bytes) -> Result<(), Refusal> {
    let (token, recipient, least) = exact::<(Address, Address, U256)>(input)?;
    let to = flow.recipient(recipient)?;
    flow.sweep(token, token, least, to)
}

fn wrap(flow: &mut Flow, input: &Bytes, at: &PolicyContracts) -> Result<(), Refusal> {
    let (recipient, amount) = exact::<(Address, U256)>(input)?;
    let to = flow.recipient(recipient)?;
    let (least, exactly) = flow.spend(NATIVE, part(amount))?;
    flow.put(at.wrapped_native, least, exactly, to);
    Ok(())
}

fn unwrap(flow: &mut Flow, input: &Bytes, at: &PolicyContracts) -> Result<(), Refusal> {
    let (recipient, least) = exact::<(Address, U256)>(input)?;
    let to = flow.recipient(recipient)?;
    flow.sweep(at.wrapped_native, NATIVE, least, to)
}

/// An exact-input swap in one pool, of an amount or of all that the router holds.
fn v4(flow: &mut Flow, input: &Bytes) -> Result<Pool, Refusal> {
    let (actions, parameters) = exact::<(Bytes, Vec<Bytes>)>(input)?;
    let (swap, settle, take, all) = match (parameters.as_slice(), actions.as_ref()) {
        ([swap, settle, take], actions) if actions == V4_ACTIONS => (swap, settle, take, false),
        ([settle, swap, take], actions) if actions == V4_ALL_ACTIONS => (swap, settle, take, true),
        _ => {
            return Err(shape(
                "a V4 swap must be exactly swap, settle, take, or settle, swap, take of all that the router holds",
            ));
        }
    };
    let swap = {
        let read = V4ExactInputSingle::abi_decode(swap).map_err(|error| shape(error.to_string()))?;
        if read.abi_encode() != swap.as_ref() {
            return Err(shape("a V4 swap is not in canonical encoding"));
        }
        read
    };
    let key = &swap.poolKey;
    let (pays, gives) = if swap.zeroForOne {
        (key.currency0, key.currency1)
    } else {
        (key.currency1, key.currency0)
    };
    let (settled, paid, by_wallet) = exact::<(Address, U256, bool)>(settle)?;
    let (taken, recipient, amount) = exact::<(Address, Address, U256)>(take)?;
    // A swap of zero is a swap of all that was settled before it.
    let same = match all {
        true => swap.amountIn == 0 && paid == ALL && !by_wallet,
        false => paid == U256::from(swap.amountIn),
    };
    if settled != pays || !same {
        return Err(shape(
            "a V4 swap settles another currency or amount than it swaps",
        ));
    }
    // Zero means the whole amount.
    if taken != gives || !amount.is_zero() {
        return Err(shape("a V4 swap does not take its whole output"));
    }
    let to = flow.recipient(recipient)?;
    pay(flow, pays, paid, by_wallet)?;
    flow.put(gives, U256::from(swap.amountOutMinimum), false, to);
    Ok(Pool::V4(PoolKey {
        currency0: key.currency0,
        currency1: key.currency1,
        fee: key.fee.to(),
        tick_spacing: key.tickSpacing.as_i32(),
        hooks: key.hooks,
    }))
}
