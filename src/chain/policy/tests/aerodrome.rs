//! Aerodrome's Router: its three calls, pools of the one factory, and the wallet as the only receiver.

use alloy_primitives::{Address, U256, hex};

use super::{Key, STRANGER, direct::with, made, soon, spec};
use crate::{
    chain::contracts::Aerodrome::Route,
    domain::{
        onchain::Call,
        pool::{Curve, NATIVE, Pool},
        router::ExtraRouter,
        trade::Purpose,
    },
};

/// Every swap that the venue makes there, of both curves and of two pools.
fn swaps(key: &Key) -> Vec<Call> {
    let (spec, mut swaps) = (spec(), vec![]);
    for pool in [
        Pool::Aerodrome(Curve::Volatile),
        Pool::Aerodrome(Curve::Stable),
        Pool::AerodromeHops(Curve::Stable, Curve::Volatile),
    ] {
        for quote in [NATIVE, spec.wrapped_native, spec.usdc] {
            for buys in [true, false] {
                let calls = made(key.wallet, pool, quote, buys, soon());
                swaps.extend(calls.and_then(|mut calls| calls.pop()));
            }
        }
    }
    assert!(swaps.len() >= 14, "{}", swaps.len());
    swaps
}

/// What is done to the pools of a swap.
type Change = fn(&mut Vec<Route>);

#[tokio::test]
async fn a_pool_of_another_factory_or_by_another_way_is_refused() {
    let key = Key::new(|_| {});
    let usdc = spec().usdc;
    for call in swaps(&key) {
        key.sign(&call).await.expect("as our venue makes it");
        let changes: [(&str, Change); 7] = [
            ("no factory", |routes| routes[0].factory = Address::ZERO),
            ("a stranger's factory", |routes| routes[0].factory = STRANGER),
            ("the last one's factory", |routes| {
                routes.last_mut().expect("a pool").factory = STRANGER;
            }),
            ("no pool", |routes| routes.clear()),
            ("a detour", |routes| routes.push(routes[0].clone())),
            ("a gap", |routes| {
                let mut other = routes[0].clone();
                other.from = STRANGER;
                routes.push(other);
            }),
            ("there, back and there", |routes| {
                let (there, mut back) = (routes[0].clone(), routes[0].clone());
                (back.from, back.to) = (there.to, there.from);
                routes.splice(0..0, [there, back]);
            }),
        ];
        for (name, change) in changes {
            let other = Call {
                data: with(&call.data, |fields| change(&mut fields.routes)).expect("ours"),
                ..call.clone()
            };
            assert_eq!(
                key.refused(&other).await.as_deref(),
                Some("shape"),
                "{name}: {other:?}"
            );
        }
        // Through a token that is not the wrapped coin.
        let through = |middle: Address| Call {
            data: with(&call.data, |fields| {
                let (mut near, mut far) = (fields.routes[0].clone(), fields.routes[0].clone());
                far.to = fields.routes.last().expect("a pool").to;
                (near.to, far.from) = (middle, middle);
                fields.routes = vec![near, far];
            })
            .expect("ours"),
            ..call.clone()
        };
        for middle in [usdc, STRANGER] {
            assert_eq!(
                key.refused(&through(middle)).await.as_deref(),
                Some("shape"),
                "{call:?}"
            );
        }
    }
}

#[tokio::test]
async fn only_the_wallet_is_paid_and_no_coin_stays_in_the_router() {
    let key = Key::new(|_| {});
    let router = spec().contracts.aerodrome_router;
    for call in swaps(&key) {
        for to in [
            STRANGER,
            router,
            Address::ZERO,
            Address::with_last_byte(1),
            Address::with_last_byte(2),
        ] {
            let other = Call {
                data: with(&call.data, |fields| fields.to = to).expect("ours"),
                ..call.clone()
            };
            assert_eq!(
                key.refused(&other).await.as_deref(),
                Some("recipient"),
                "{to}: {other:?}"
            );
        }
        let trailing = Call {
            data: [call.data.as_ref(), &[0; 32]].concat().into(),
            ..call.clone()
        };
        let spent = !call.value.is_zero();
        let without = Call {
            value: U256::ZERO,
            ..call.clone()
        };
        let with_coin = Call {
            value: U256::from(1),
            ..call.clone()
        };
        let nothing = Call {
            data: with(&call.data, |fields| fields.amount = U256::ZERO).expect("ours"),
            ..call.clone()
        };
        let wrong = if spent {
            vec![trailing, without]
        } else {
            vec![trailing, with_coin, nothing]
        };
        for other in wrong {
            assert_eq!(key.refused(&other).await.as_deref(), Some("shape"), "{other:?}");
        }
    }
}

/// The router has swaps that compare what leaves the pool, swaps without a floor, liquidity and zaps: none is ours.
#[tokio::test]
async fn every_other_function_of_the_router_is_refused() {
    let key = Key::new(|_| {});
    let call = swaps(&key).remove(0);
    let functions: [&[u8]; 9] = [
        &hex!("cac88ea9"),
        &hex!("903638a4"),
        &hex!("c6b7f1b6"),
        &hex!("5a47ddc3"),
        &hex!("0dede6c4"),
        &hex!("a9059cbb"),
        &hex!("095ea7b3"),
        &hex!("ac9650d8"),
        &[],
    ];
    for function in functions {
        let rest = call.data.get(4..).expect("arguments");
        for data in [[function, rest].concat(), function.to_vec()] {
            for value in [U256::ZERO, U256::from(1)] {
                let other = Call {
                    data: data.clone().into(),
                    value,
                    ..call.clone()
                };
                let part = key.refused(&other).await;
                assert_eq!(part.as_deref(), Some("shape"), "{other:?}");
            }
        }
    }
}

#[tokio::test]
async fn without_its_name_in_the_entry_the_router_gets_nothing() {
    let key = Key::new(|entry| {
        entry.routers.retain(|router| *router != ExtraRouter::Aerodrome);
    });
    for pool in [
        Pool::Aerodrome(Curve::Volatile),
        Pool::AerodromeHops(Curve::Volatile, Curve::Volatile),
    ] {
        for quote in [NATIVE, spec().usdc] {
            for buys in [true, false] {
                let calls = made(key.wallet, pool, quote, buys, soon()).unwrap_or_default();
                for call in calls {
                    let expected = match call.purpose {
                        Purpose::Approve => "allowance",
                        _ => "contract",
                    };
                    assert_eq!(key.refused(&call).await.as_deref(), Some(expected), "{call:?}");
                }
            }
        }
    }
    // An entry that names another factory knows no pool of the built-in one.
    let other = Key::new(|entry| entry.contracts.aerodrome_factory = Some(STRANGER));
    let call = made(
        other.wallet,
        Pool::Aerodrome(Curve::Volatile),
        NATIVE,
        true,
        soon(),
    );
    let call = call.expect("calls").pop().expect("a swap");
    assert_eq!(other.refused(&call).await.as_deref(), Some("shape"));
}
