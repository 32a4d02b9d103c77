//! Swaps that are one call of a router: their fields, and forks of V2, whose routers take such calls.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, B256, Bytes, U256, hex};

use super::{Key, STRANGER, made, soon, spec};
use crate::{
    chain::{
        ChainFile,
        contracts::{Aerodrome, V2Router},
        v2_forks::ForkFile,
    },
    domain::{
        fork::ForkName,
        onchain::Call,
        pool::{NATIVE, Pool},
        router::ExtraRouter,
        trade::Purpose,
    },
};

/// The router of a fork of V2.
pub(super) const FORK: Address = Address::repeat_byte(0xf0);

pub(super) fn fork() -> ForkName {
    "fork".parse().expect("a name")
}

/// Settings that name it.
pub(super) fn settings() -> ChainFile {
    let file = ForkFile {
        factory: Address::repeat_byte(0xfa),
        router: FORK,
        init_code_hash: B256::ZERO,
        fee_bps: 25,
    };
    ChainFile {
        v2_forks: [(fork().to_string(), file)].into(),
        ..ChainFile::default()
    }
}

/// The fields of a call, whichever it is.
#[derive(Default)]
pub(super) struct Fields {
    /// Zero where the attached coin says it.
    pub(super) amount: U256,
    pub(super) least: U256,
    /// Aerodrome's way.
    pub(super) routes: Vec<Aerodrome::Route>,
    /// The way of V2's forks.
    pub(super) path: Vec<Address>,
    pub(super) to: Address,
    pub(super) deadline: U256,
}

/// The same call with other fields; `None`: it is none of these routers.
pub(super) fn with(data: &Bytes, change: impl Fn(&mut Fields)) -> Option<Bytes> {
    macro_rules! changed {
        ($call:expr, $way:ident $(, $amount:ident)?) => {{
            let mut call = $call;
            let mut fields = Fields {
                $(amount: call.$amount,)?
                least: call.amountOutMin,
                $way: call.$way,
                to: call.to,
                deadline: call.deadline,
                ..Fields::default()
            };
            change(&mut fields);
            $(call.$amount = fields.amount;)?
            (call.amountOutMin, call.$way) = (fields.least, fields.$way);
            (call.to, call.deadline) = (fields.to, fields.deadline);
            Some(call.abi_encode().into())
        }};
    }
    use Aerodrome as A;
    use V2Router as V;
    if let Ok(call) = A::swapExactETHForTokensSupportingFeeOnTransferTokensCall::abi_decode(data) {
        changed!(call, routes)
    } else if let Ok(call) = A::swapExactTokensForETHSupportingFeeOnTransferTokensCall::abi_decode(data) {
        changed!(call, routes, amountIn)
    } else if let Ok(call) = A::swapExactTokensForTokensSupportingFeeOnTransferTokensCall::abi_decode(data) {
        changed!(call, routes, amountIn)
    } else if let Ok(call) = V::swapExactETHForTokensSupportingFeeOnTransferTokensCall::abi_decode(data) {
        changed!(call, path)
    } else if let Ok(call) = V::swapExactTokensForETHSupportingFeeOnTransferTokensCall::abi_decode(data) {
        changed!(call, path, amountIn)
    } else {
        let call = V::swapExactTokensForTokensSupportingFeeOnTransferTokensCall::abi_decode(data);
        changed!(call.ok()?, path, amountIn)
    }
}

/// Every swap that the venue makes in a pair of the fork.
fn swaps(key: &Key) -> Vec<Call> {
    let (spec, mut swaps) = (spec(), vec![]);
    for quote in [NATIVE, spec.wrapped_native, spec.usdc] {
        for buys in [true, false] {
            let calls = made(key.wallet, Pool::V2Fork(fork()), quote, buys, soon());
            swaps.extend(calls.and_then(|mut calls| calls.pop()));
        }
    }
    assert_eq!(swaps.len(), 6);
    swaps
}

fn changed(call: &Call, change: impl Fn(&mut Fields)) -> Call {
    Call {
        data: with(&call.data, change).expect("ours"),
        ..call.clone()
    }
}

#[tokio::test]
async fn a_fork_is_signed_for_only_in_the_shapes_that_our_venue_makes() {
    let key = Key::new(|_| {});
    let wrapped = spec().wrapped_native;
    for call in swaps(&key) {
        key.sign(&call).await.expect("as our venue makes it");
        for to in [STRANGER, FORK, Address::ZERO, Address::with_last_byte(1)] {
            let other = changed(&call, |fields| fields.to = to);
            assert_eq!(
                key.refused(&other).await.as_deref(),
                Some("recipient"),
                "{other:?}"
            );
        }
        let mut wrong = vec![
            changed(&call, |fields| fields.path.clear()),
            changed(&call, |fields| fields.path.truncate(1)),
            changed(&call, |fields| fields.path.insert(1, STRANGER)),
            changed(&call, |fields| {
                let there = fields.path.clone();
                fields.path.extend(there);
            }),
            Call {
                data: [call.data.as_ref(), &[0; 32]].concat().into(),
                ..call.clone()
            },
        ];
        if call.value.is_zero() {
            wrong.push(changed(&call, |fields| fields.amount = U256::ZERO));
            wrong.push(Call {
                value: U256::from(1),
                ..call.clone()
            });
        } else {
            wrong.push(changed(&call, |fields| fields.path[0] = STRANGER));
            wrong.push(Call {
                value: U256::ZERO,
                ..call.clone()
            });
        }
        for other in wrong {
            assert_eq!(key.refused(&other).await.as_deref(), Some("shape"), "{other:?}");
        }
        // Through the wrapped coin is a way that V2's routers have.
        if call.value.is_zero() && !with(&call.data, |_| {}).expect("ours").is_empty() {
            let through = changed(&call, |fields| {
                if !fields.path.contains(&wrapped) {
                    fields.path.insert(1, wrapped);
                }
            });
            key.sign(&through).await.expect("the same sides");
        }
    }
}

/// Swaps that compare what leaves the pair, swaps for an exact output, liquidity: none is ours.
#[tokio::test]
async fn every_other_function_of_a_forks_router_is_refused() {
    let key = Key::new(|_| {});
    let call = swaps(&key).remove(0);
    let functions: [&[u8]; 9] = [
        &hex!("38ed1739"),
        &hex!("7ff36ab5"),
        &hex!("18cbafe5"),
        &hex!("8803dbee"),
        &hex!("f305d719"),
        &hex!("baa2abde"),
        &hex!("a9059cbb"),
        &hex!("095ea7b3"),
        &[],
    ];
    for function in functions {
        let rest = call.data.get(4..).expect("arguments");
        for data in [[function, rest].concat(), function.to_vec()] {
            let other = Call {
                data: data.into(),
                ..call.clone()
            };
            assert_eq!(key.refused(&other).await.as_deref(), Some("shape"), "{other:?}");
        }
    }
}

#[tokio::test]
async fn a_fork_that_the_entry_does_not_name_with_an_address_gets_nothing() {
    let unnamed = Key::new(|entry| entry.routers = ExtraRouter::BUILT_IN.to_vec());
    let elsewhere = Key::new(|entry| {
        entry.contracts.v2_routers = [(fork(), STRANGER)].into();
    });
    for key in [unnamed, elsewhere] {
        for buys in [true, false] {
            let calls = made(key.wallet, Pool::V2Fork(fork()), NATIVE, buys, soon());
            for call in calls.expect("calls") {
                let expected = match call.purpose {
                    Purpose::Approve => "allowance",
                    _ => "contract",
                };
                assert_eq!(key.refused(&call).await.as_deref(), Some(expected), "{call:?}");
            }
        }
    }
    // An entry that names a fork without its address is no policy.
    let text = |contracts: &str| {
        format!(
            "[[allow]]\nchain = \"base\"\nwallet = \"{STRANGER}\"\ntokens = []\nquotes = []\nmax_trade_usd = 1\n\
             max_hour_usd = 1\nmax_day_usd = 1\nmax_gas_usd = 1\nnative_usd_min = 1\nrouters = [\"v2:fork\"]\n{contracts}"
        )
    };
    let refused = super::super::Policy::read(&text("")).expect_err("no address");
    assert!(
        refused.contains("routers names v2:fork: give its address in contracts.v2_routers.fork"),
        "{refused}"
    );
    let named = format!("[allow.contracts.v2_routers]\nfork = \"{FORK}\"\n");
    super::super::Policy::read(&text(&named)).expect("a policy");
}
