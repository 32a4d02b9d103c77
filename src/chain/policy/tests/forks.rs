//! Routers of forks of V3: called only where the entry names them, and they know no receiver but the wallet.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, Bytes, U256};

use super::{Key, STRANGER, TOKEN, made, soon, spec};
use crate::{
    chain::contracts::{Erc20, Periphery, SwapRouter},
    domain::{
        onchain::Call,
        pool::{NATIVE, Pool, Slipstream},
        router::ExtraRouter,
        trade::Purpose,
    },
};

/// Addresses that some router takes for itself or for the sender, and that this one pays as they stand.
fn constants() -> [Address; 3] {
    [0, 1, 2].map(Address::with_last_byte)
}

#[tokio::test]
async fn a_router_that_the_entry_does_not_name_gets_no_call_and_no_allowance() {
    let key = Key::new(|entry| entry.routers = vec![]);
    let (mut refused, router) = (0, spec().contracts.pancake_v3_router);
    for buys in [true, false] {
        for quote in [NATIVE, spec().wrapped_native] {
            let calls = made(key.wallet, Pool::Pancake(2_500), quote, buys, soon()).expect("calls");
            for call in calls {
                let part = key.refused(&call).await;
                let expected = match call.purpose {
                    Purpose::Approve => "allowance",
                    _ => "contract",
                };
                assert_eq!(part.as_deref(), Some(expected), "{call:?}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 7, "{refused}");
    // One name lets in one family of routers.
    let other = Key::new(|entry| entry.routers = vec![ExtraRouter::PancakeswapV3]);
    for pool in [Slipstream::Initial, Slipstream::Caps, Slipstream::V3] {
        let pool = Pool::Slipstream(pool, 200);
        let calls = made(other.wallet, pool, NATIVE, false, soon()).expect("calls");
        for call in calls {
            let part = other.refused(&call).await;
            assert!(
                matches!(part.as_deref(), Some("allowance" | "contract")),
                "{part:?}"
            );
        }
    }
    // To another router than its own, the same calldata means nothing either.
    let named = Key::new(|_| {});
    let mut call = made(named.wallet, Pool::Pancake(2_500), NATIVE, true, soon())
        .expect("calls")
        .pop()
        .expect("a swap");
    assert_eq!(call.to, router);
    for other in [spec().contracts.swap_router, spec().contracts.universal_router] {
        call.to = other;
        assert_eq!(named.refused(&call).await.as_deref(), Some("contract"), "{other}");
    }
    let permitted = Call {
        purpose: Purpose::Approve,
        to: TOKEN,
        data: Erc20::approveCall {
            spender: router,
            amount: U256::MAX,
        }
        .abi_encode()
        .into(),
        value: U256::ZERO,
        gas_limit: 60_000,
    };
    assert_eq!(named.refused(&permitted).await.as_deref(), Some("allowance"));
}

/// A sale to the native coin: the router takes in the wrapped one and unwraps it for the wallet.
fn sale(key: &Key) -> Call {
    let calls = made(key.wallet, Pool::Pancake(2_500), NATIVE, false, soon());
    calls.expect("calls").pop().expect("a swap")
}

fn changed(call: &Call, change: impl FnOnce(&mut Vec<Bytes>)) -> Call {
    let mut multicall = Periphery::multicallCall::abi_decode(&call.data).expect("a multicall");
    change(&mut multicall.data);
    Call {
        data: multicall.abi_encode().into(),
        ..call.clone()
    }
}

#[tokio::test]
async fn what_is_swapped_and_unwrapped_goes_to_the_wallet_by_its_own_address() {
    let key = Key::new(|_| {});
    let call = sale(&key);
    key.sign(&call).await.expect("as our venue makes it");
    for to in constants().into_iter().chain([STRANGER]) {
        let unwrapped = changed(&call, |steps| {
            let mut unwrap = Periphery::unwrapWETH9Call::abi_decode(&steps[1]).expect("an unwrapping");
            unwrap.recipient = to;
            steps[1] = unwrap.abi_encode().into();
        });
        let swapped = changed(&call, |steps| {
            let mut swap = Periphery::exactInputCall::abi_decode(&steps[0]).expect("a swap");
            swap.params.recipient = to;
            steps[0] = swap.abi_encode().into();
            steps.truncate(1);
        });
        for other in [unwrapped, swapped] {
            assert_eq!(
                key.refused(&other).await.as_deref(),
                Some("recipient"),
                "{to} {other:?}"
            );
        }
    }
    // A second swap, an unwrapping alone, one that comes first, and nothing at all.
    for change in [
        |steps: &mut Vec<Bytes>| steps.push(steps[0].clone()),
        |steps: &mut Vec<Bytes>| steps[1] = steps[0].clone(),
        |steps: &mut Vec<Bytes>| {
            steps.remove(0);
        },
        |steps: &mut Vec<Bytes>| steps.swap(0, 1),
        |steps: &mut Vec<Bytes>| steps.clear(),
        |steps: &mut Vec<Bytes>| steps[0] = [steps[0].as_ref(), &[0; 32]].concat().into(),
    ] {
        let other = changed(&call, change);
        assert_eq!(key.refused(&other).await.as_deref(), Some("shape"), "{other:?}");
    }
    let trailing = Call {
        data: [call.data.as_ref(), &[0; 32]].concat().into(),
        ..call.clone()
    };
    assert_eq!(key.refused(&trailing).await.as_deref(), Some("shape"));
}

/// SwapRouter02's swaps know such constants, its unwrapping does not: coins for the address one are lost.
#[tokio::test]
async fn coins_are_not_unwrapped_for_an_address_that_nobody_has() {
    let key = Key::new(|_| {});
    for pool in [Pool::V3(3_000), Pool::V2] {
        let calls = made(key.wallet, pool, NATIVE, false, soon());
        let call = calls.expect("calls").pop().expect("a swap");
        key.sign(&call).await.expect("as our venue makes it");
        for to in constants() {
            let mut multicall = SwapRouter::multicallCall::abi_decode(&call.data).expect("a multicall");
            let last = multicall.data.last_mut().expect("an unwrapping");
            let mut unwrap = SwapRouter::unwrapWETH9Call::abi_decode(last).expect("an unwrapping");
            unwrap.recipient = to;
            *last = unwrap.abi_encode().into();
            let other = Call {
                data: multicall.abi_encode().into(),
                ..call.clone()
            };
            assert_eq!(
                key.refused(&other).await.as_deref(),
                Some("recipient"),
                "{pool}: {to}"
            );
        }
    }
}
