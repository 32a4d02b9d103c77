//! One field of a swap changed, in the attacker's favour.

use alloy::sol_types::{SolCall, SolValue};
use alloy_primitives::{Address, Bytes, U256};

use super::{COIN, FORK, Key, STRANGER, TOKEN, direct, made, pools, soon, spec, ways};
use crate::{
    chain::contracts::{Periphery, SwapRouter, UniversalRouter, V4ExactInputSingle},
    domain::{onchain::Call, pool::NATIVE, trade::Purpose, units::Price},
};

/// One field of a swap's meaning.
#[derive(Debug, Clone, Copy)]
enum Field {
    Recipient,
    TokenIn,
    TokenOut,
    Amount,
    Least,
    Router,
    Command,
    Deadline,
    Value,
    Purpose,
}

fn swap02(data: &Bytes, change: impl Fn(&mut SwapRouter::multicallCall)) -> Option<Bytes> {
    let mut call = SwapRouter::multicallCall::abi_decode(data).ok()?;
    change(&mut call);
    Some(call.abi_encode().into())
}

fn universal(data: &Bytes, change: impl Fn(&mut UniversalRouter::executeCall)) -> Option<Bytes> {
    let mut call = UniversalRouter::executeCall::abi_decode(data).ok()?;
    change(&mut call);
    Some(call.abi_encode().into())
}

/// Whether the call goes to the router of a fork of V3.
fn is_forked(call: &Call) -> bool {
    let at = spec().contracts;
    [
        at.pancake_v3_router,
        at.slipstream_router,
        at.slipstream_caps_router,
        at.slipstream_v3_router,
    ]
    .contains(&call.to)
}

fn forked(data: &Bytes, change: impl Fn(&mut Vec<Bytes>)) -> Option<Bytes> {
    let mut call = Periphery::multicallCall::abi_decode(data).ok()?;
    change(&mut call.data);
    Some(call.abi_encode().into())
}

/// Whether the swap is one call of the router.
fn is_direct(call: &Call) -> bool {
    [FORK, spec().contracts.aerodrome_router].contains(&call.to)
}

/// The swap of a fork, and the least of its unwrapping, changed.
fn in_forked(
    call: &Call,
    change: impl Fn(&mut Periphery::ExactInputParams),
    least: impl Fn(&mut U256),
) -> Option<Bytes> {
    forked(&call.data, |steps| {
        let mut swap = Periphery::exactInputCall::abi_decode(&steps[0]).expect("a swap");
        change(&mut swap.params);
        steps[0] = swap.abi_encode().into();
        if let Some(last) = steps.get_mut(1) {
            let mut unwrap = Periphery::unwrapWETH9Call::abi_decode(last).expect("an unwrapping");
            least(&mut unwrap.amountMinimum);
            *last = unwrap.abi_encode().into();
        }
    })
}

/// Replaces a whole word wherever it stands.
fn replace(data: &Bytes, from: Address, to: Address) -> Bytes {
    let (from, to) = (from.as_slice(), to.as_slice());
    let mut bytes = data.to_vec();
    for at in 0..bytes.len().saturating_sub(from.len() - 1) {
        if &bytes[at..][..from.len()] == from {
            bytes[at..][..from.len()].copy_from_slice(to);
        }
    }
    bytes.into()
}

/// The same swap with a deadline an hour later than is allowed.
fn late(call: &Call, is_universal: bool) -> Option<Bytes> {
    let late = U256::from(soon() + 3_600);
    if is_universal {
        universal(&call.data, |call| call.deadline = late)
    } else if is_forked(call) {
        in_forked(call, |swap| swap.deadline = late, |_| {})
    } else if is_direct(call) {
        direct::with(&call.data, |fields| fields.deadline = late)
    } else {
        swap02(&call.data, |call| call.deadline = late)
    }
}

/// The same swap with one field for the attacker; `None`: this calldata has no such field.
fn mutated(call: &Call, wallet: Address, field: Field) -> Option<(Call, &'static [&'static str])> {
    let spec = spec();
    let is_universal = call.to == spec.contracts.universal_router;
    let mut other = call.clone();
    let parts: &[&str] = match field {
        Field::Recipient => {
            other.data = if is_universal {
                to_a_stranger(call, wallet)?
            } else {
                replace(&call.data, wallet, STRANGER)
            };
            &["recipient"]
        }
        Field::TokenIn | Field::TokenOut => {
            other.data = replace(&call.data, TOKEN, STRANGER);
            &["token", "shape", "recipient"]
        }
        Field::Amount => {
            other.value = call.value * U256::from(3);
            other.data = larger(call)?;
            &["trade", "loss", "shape"]
        }
        Field::Least => {
            other.data = least_of_one(call)?;
            &["loss"]
        }
        Field::Router => {
            other.to = STRANGER;
            &["contract"]
        }
        Field::Command => {
            other.data = if is_universal {
                universal(&call.data, |call| {
                    let mut commands = call.commands.to_vec();
                    commands[0] = 0x05;
                    call.commands = commands.into();
                })?
            } else {
                let refund = Bytes::from_static(&[0x12, 0x21, 0x0e, 0x8a]);
                if is_direct(call) {
                    // swapExactTokensForTokens, which compares what leaves the pool.
                    [&[0xca, 0xc8, 0x8e, 0xa9], call.data.get(4..)?].concat().into()
                } else if is_forked(call) {
                    forked(&call.data, |steps| steps.push(refund.clone()))?
                } else {
                    swap02(&call.data, |call| call.data.push(refund.clone()))?
                }
            };
            &["shape"]
        }
        Field::Deadline => {
            other.data = late(call, is_universal)?;
            &["deadline"]
        }
        Field::Value => {
            other.value = call.value + U256::from(COIN);
            // All the coin that is attached is the input of such a swap.
            match is_direct(call) {
                true => &["trade", "shape"],
                false => &["recipient", "shape"],
            }
        }
        Field::Purpose => {
            other.purpose = Purpose::Approve;
            &["shape"]
        }
    };
    (other != *call).then_some((other, parts))
}

/// A V3 swap of the Universal Router: receiver, input, least, path, whether the wallet pays.
type V3 = (Address, U256, U256, Bytes, bool);
/// The same in pairs of V2.
type V2 = (Address, U256, U256, Vec<Address>, bool);

/// Replaces the final receiver of an execute with a stranger.
fn to_a_stranger(call: &Call, wallet: Address) -> Option<Bytes> {
    let mut sender = [0; 20];
    sender[19] = 1;
    let sender = Address::from(sender);
    universal(&call.data, |execute| {
        for (command, input) in execute.commands.iter().zip(&mut execute.inputs) {
            match command {
                0x0b | 0x0c => {
                    let (to, amount) = <(Address, U256)>::abi_decode_params(input).expect("a wrapping");
                    let to = if to == sender { STRANGER } else { to };
                    *input = (to, amount).abi_encode_params().into();
                }
                0x00 => {
                    let (to, paid, least, path, by_wallet) = V3::abi_decode_params(input).expect("a V3 swap");
                    let router = to != sender && to != wallet;
                    let to = if router { to } else { STRANGER };
                    *input = (to, paid, least, path, by_wallet).abi_encode_params().into();
                }
                0x08 => {
                    let (to, paid, least, path, by_wallet) = V2::abi_decode_params(input).expect("a V2 swap");
                    let router = to != sender && to != wallet;
                    let to = if router { to } else { STRANGER };
                    *input = (to, paid, least, path, by_wallet).abi_encode_params().into();
                }
                0x10 => {
                    let (actions, mut parameters) =
                        <(Bytes, Vec<Bytes>)>::abi_decode_params(input).expect("a V4 swap");
                    let (token, to, amount) =
                        <(Address, Address, U256)>::abi_decode_params(&parameters[2]).expect("a take");
                    let to = if to == sender { STRANGER } else { to };
                    parameters[2] = (token, to, amount).abi_encode_params().into();
                    *input = (actions, parameters).abi_encode_params().into();
                }
                _ => {}
            }
        }
    })
}

/// The swaps inside an execute, changed: their inputs, where these are numbers, and least outputs.
fn in_universal(call: &Call, change: impl Fn(&mut U256, &mut U256)) -> Option<Bytes> {
    let change = |amount: &mut U256, least: &mut U256| {
        let mut number = *amount;
        let all = number == U256::from(1) << 255;
        change(if all { &mut number } else { amount }, least);
    };
    universal(&call.data, |execute| {
        for (command, input) in execute.commands.iter().zip(&mut execute.inputs) {
            if *command == 0x00 {
                let mut swap = V3::abi_decode_params(input).expect("a V3 swap");
                change(&mut swap.1, &mut swap.2);
                *input = swap.abi_encode_params().into();
            }
            if *command == 0x08 {
                let mut swap = V2::abi_decode_params(input).expect("a V2 swap");
                change(&mut swap.1, &mut swap.2);
                *input = swap.abi_encode_params().into();
            }
            if *command == 0x10 {
                *input = in_v4(input, change);
            }
        }
    })
}

/// The same of one V4 swap.
fn in_v4(input: &Bytes, change: impl Fn(&mut U256, &mut U256)) -> Bytes {
    let (actions, mut parameters) = <(Bytes, Vec<Bytes>)>::abi_decode_params(input).expect("a V4 swap");
    // Of all that the router holds is settled first.
    let (swap_at, settle_at) = if actions[0] == 0x06 { (0, 1) } else { (1, 0) };
    let mut swap = V4ExactInputSingle::abi_decode(&parameters[swap_at]).expect("a swap");
    let mut settle = <(Address, U256, bool)>::abi_decode_params(&parameters[settle_at]).expect("a payment");
    let mut least = U256::from(swap.amountOutMinimum);
    change(&mut settle.1, &mut least);
    if swap_at == 0 {
        swap.amountIn = settle.1.to();
    }
    swap.amountOutMinimum = least.to();
    parameters[swap_at] = swap.abi_encode().into();
    parameters[settle_at] = settle.abi_encode_params().into();
    (actions, parameters).abi_encode_params().into()
}

fn in_swap02(call: &Call, change: impl Fn(&mut U256, &mut U256)) -> Option<Bytes> {
    swap02(&call.data, |multicall| {
        let step = multicall.data[0].clone();
        multicall.data[0] = if let Ok(mut swap) = SwapRouter::exactInputCall::abi_decode(&step) {
            change(&mut swap.params.amountIn, &mut swap.params.amountOutMinimum);
            swap.abi_encode().into()
        } else {
            let mut swap = SwapRouter::swapExactTokensForTokensCall::abi_decode(&step).expect("a swap");
            change(&mut swap.amountIn, &mut swap.amountOutMin);
            swap.abi_encode().into()
        };
        // The unwrapping has a least of its own.
        if let Some(last) = multicall.data.get_mut(1) {
            let mut unwrap = SwapRouter::unwrapWETH9Call::abi_decode(last).expect("an unwrapping");
            let mut amount = U256::ZERO;
            change(&mut amount, &mut unwrap.amountMinimum);
            *last = unwrap.abi_encode().into();
        }
    })
}

fn larger(call: &Call) -> Option<Bytes> {
    let three = U256::from(3);
    if call.to == spec().contracts.universal_router {
        in_universal(call, |amount, _| *amount *= three)
    } else if is_forked(call) {
        in_forked(call, |swap| swap.amountIn *= three, |_| {})
    } else if is_direct(call) {
        direct::with(&call.data, |fields| fields.amount *= three)
    } else {
        in_swap02(call, |amount, _| *amount *= three)
    }
}

fn least_of_one(call: &Call) -> Option<Bytes> {
    if call.to == spec().contracts.universal_router {
        let data = in_universal(call, |_, least| *least = U256::from(1))?;
        universal(&data, |execute| {
            for (command, input) in execute.commands.iter().zip(&mut execute.inputs) {
                if *command == 0x0c {
                    let (to, _) = <(Address, U256)>::abi_decode_params(input).expect("an unwrapping");
                    *input = (to, U256::from(1)).abi_encode_params().into();
                }
            }
        })
    } else if is_forked(call) {
        let one = U256::from(1);
        in_forked(call, |swap| swap.amountOutMinimum = one, |least| *least = one)
    } else if is_direct(call) {
        direct::with(&call.data, |fields| fields.least = U256::from(1))
    } else {
        in_swap02(call, |_, least| *least = U256::from(1))
    }
}

#[tokio::test]
async fn any_single_field_in_the_attackers_favour_is_refused() {
    let key = Key::new(|_| {});
    let fields = [
        Field::Recipient,
        Field::TokenIn,
        Field::TokenOut,
        Field::Amount,
        Field::Least,
        Field::Router,
        Field::Command,
        Field::Deadline,
        Field::Value,
        Field::Purpose,
    ];
    let mut tried = 0;
    for calls in ways(key.wallet) {
        let swap = calls.last().expect("a swap");
        for field in fields {
            let Some((other, parts)) = mutated(swap, key.wallet, field) else {
                continue;
            };
            let refused = key.refused(&other).await;
            let part = refused.as_deref().unwrap_or("nothing");
            assert!(parts.contains(&part), "{field:?} refused by {part}: {other:?}");
            tried += 1;
        }
    }
    assert!(tried > 440, "{tried}");
}

#[tokio::test]
async fn a_node_that_understates_the_coin_raises_no_limit_past_the_policys_least_price() {
    let key = Key::new(|entry| entry.native_usd_min = Price::new(4_000.into()).expect("a price"));
    // Fifty dollars at the node's price are a hundred at the policy's, sixty are past the limit.
    let swap = made(key.wallet, pools()[0], NATIVE, true, soon())
        .expect("calls")
        .pop()
        .expect("a swap");
    key.sign(&swap).await.expect("to the last cent");
    let (mut other, _) = mutated(&swap, key.wallet, Field::Amount).expect("larger");
    other.value = swap.value * U256::from(3);
    assert_eq!(key.refused(&other).await.as_deref(), Some("trade"));
}
