//! Every calldata that our venue makes passes; any field of it changed does not.

mod aerodrome;
mod direct;
mod forks;
mod left;
mod mutate;
mod payments;
mod pools;

use std::sync::{Arc, atomic::AtomicU64};

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, B256, U256, aliases::U48};
use async_trait::async_trait;
use proptest::prelude::*;

use direct::{FORK, fork};
use pools::pools;

use super::{
    appraiser::{Appraiser, Worth},
    file::{Entry, NamedContracts, Quote},
    model::Intent,
    *,
};
use crate::{
    chain::{
        ChainSpec, LocalSigner,
        contracts::{Erc20, Periphery, Permit2, SwapRouter, UniversalRouter},
        dex::{calls::calls_for_tests, list::route},
    },
    domain::{
        onchain::{Call, Fees, SwapRequest, UnsignedTransaction},
        pool::{NATIVE, Pool},
        router::ExtraRouter,
        trade::Purpose,
        units::{Amount, Price, Usd},
    },
    ports::{SignError, Signer},
};

const TOKEN: Address = Address::repeat_byte(0x70);
const STRANGER: Address = Address::repeat_byte(0x66);
const COIN: u128 = 1_000_000_000_000_000_000;

/// Base, and a fork of V2.
fn spec() -> ChainSpec {
    ChainSpec::resolve("base", &direct::settings()).expect("built in")
}

fn usd(dollars: i64) -> Usd {
    Usd::new(dollars.into()).expect("dollars")
}

fn entry(wallet: Address) -> Entry {
    Entry {
        chain: "base".to_owned(),
        wallet,
        chain_id: None,
        tokens: vec![TOKEN],
        quotes: vec![Quote::Native, Quote::Wrapped, Quote::Usdc],
        max_trade_usd: usd(100),
        max_hour_usd: usd(100_000_000),
        max_day_usd: usd(100_000_000),
        max_gas_usd: usd(5),
        max_loss_bps: 1_000,
        max_deadline: "10m".parse().expect("a span"),
        native_usd_min: Price::new(700.into()).expect("a price"),
        withdraw_to: vec![],
        routers: ExtraRouter::BUILT_IN
            .into_iter()
            .chain([ExtraRouter::V2(fork())])
            .collect(),
        stop: false,
        contracts: NamedContracts {
            v2_routers: [(fork(), FORK)].into(),
            ..NamedContracts::default()
        },
    }
}

/// The coin is worth 2000, the token a dollar.
struct Fixed;

#[async_trait]
impl Appraiser for Fixed {
    async fn native_usd(&self) -> Result<Price, String> {
        Price::new(2_000.into()).map_err(|error| error.to_string())
    }

    async fn token_usd(&self, _: Address, _: Address, _: Option<Pool>) -> Result<Worth, String> {
        Ok(Worth {
            price: Price::ONE,
            decimals: 18,
        })
    }
}

struct Key {
    signer: PolicySigner,
    wallet: Address,
    nonce: AtomicU64,
    dir: tempfile::TempDir,
}

impl Key {
    fn new(change: impl FnOnce(&mut Entry)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let key = alloy::signers::local::PrivateKeySigner::from_bytes(&B256::repeat_byte(9)).expect("a key");
        let inner = LocalSigner::new(key, 8_453);
        let wallet = inner.address();
        let file = dir.path().join("policy.toml");
        let mut entry = entry(wallet);
        change(&mut entry);
        edit::write(&file, &edit::with_entry(&file, &entry).expect("a policy")).expect("a file");
        let book = Arc::new(PolicyBook::new(Place::Named(file), dir.path().join("state")));
        let signer = PolicySigner::new(Arc::new(inner), book, "base".to_owned(), 8_453, Arc::new(Fixed));
        Self {
            signer,
            wallet,
            nonce: AtomicU64::new(0),
            dir,
        }
    }

    async fn sign(&self, call: &Call) -> Result<(), SignError> {
        let nonce = self.nonce.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.sign_at(nonce, call, 1_000_000_000).await
    }

    async fn sign_at(&self, nonce: u64, call: &Call, max_fee_per_gas: u128) -> Result<(), SignError> {
        let unsigned = UnsignedTransaction {
            call: call.clone(),
            nonce,
            fees: Fees {
                max_fee_per_gas,
                max_priority_fee_per_gas: 1,
            },
        };
        self.signer.sign(&unsigned).await.map(|_| ())
    }

    /// The part of the policy that refuses.
    async fn refused(&self, call: &Call) -> Option<String> {
        let error = self.sign(call).await.err()?;
        let part = error.detail.rsplit("(policy: ").next()?;
        Some(part.trim_end_matches(')').to_owned())
    }
}

/// What the venue makes of one swap, fifty dollars' worth; `None`: the pool is none for these.
fn made(wallet: Address, pool: Pool, quote: Address, buys: bool, deadline: u64) -> Option<Vec<Call>> {
    let spec = spec();
    let quote_amount = if quote == spec.usdc {
        U256::from(50_000_000)
    } else {
        U256::from(COIN / 40)
    };
    let token_amount = U256::from(50 * COIN);
    let (token_in, token_out, amount_in, least) = if buys {
        (quote, TOKEN, quote_amount, token_amount)
    } else {
        (TOKEN, quote, token_amount, quote_amount)
    };
    let route = route(&spec, pool, token_in, token_out)?;
    let request = SwapRequest {
        wallet,
        token_in,
        token_out,
        amount_in: Amount::new(amount_in),
        amount_out_fair: Amount::ZERO,
        fair_rest: 0,
        pool: None,
        prove_sell: false,
        checks: crate::domain::onchain::Checks::none(),
    };
    let least = least * U256::from(95) / U256::from(100);
    let mut calls = calls_for_tests(&spec, &request, &route, least, deadline)?;
    for call in &mut calls {
        call.gas_limit = 200_000;
    }
    Some(calls)
}

fn soon() -> u64 {
    u64::try_from(chrono::Utc::now().timestamp()).expect("after 1970") + 120
}

/// Every way our venue has to swap.
fn ways(wallet: Address) -> Vec<Vec<Call>> {
    let spec = spec();
    let mut ways = Vec::new();
    for pool in pools() {
        for quote in [NATIVE, spec.wrapped_native, spec.usdc] {
            for buys in [true, false] {
                ways.extend(made(wallet, pool, quote, buys, soon()));
            }
        }
    }
    assert!(ways.len() >= 50, "{}", ways.len());
    ways
}

#[tokio::test]
async fn every_calldata_our_venue_makes_is_signed() {
    let key = Key::new(|_| {});
    for calls in ways(key.wallet) {
        for call in calls {
            let signed = key.sign(&call).await;
            assert!(signed.is_ok(), "{signed:?}: {call:?}");
        }
    }
    assert!(key.sign(&Call::cancel(key.wallet)).await.is_ok());
}

/// A changed word of calldata is either refused, or still within the entry: it never pays another address.
#[tokio::test]
async fn no_word_of_any_calldata_can_be_changed_in_a_strangers_favour() {
    let key = Key::new(|_| {});
    let (mut changed, mut signed) = (0, 0);
    for calls in ways(key.wallet) {
        for call in calls {
            let words = call.data.len().saturating_sub(4) / 32;
            for word in 0..words {
                let mut other = call.clone();
                let mut data = other.data.to_vec();
                data[4 + word * 32..][..32].copy_from_slice(STRANGER.into_word().as_slice());
                if data == other.data.to_vec() {
                    continue;
                }
                other.data = data.into();
                changed += 1;
                let intent = Intent::read(&other, key.wallet, &entry(key.wallet).contracts());
                if key.refused(&other).await.is_none() {
                    signed += 1;
                    // What is left: a higher minimum, an unlike pool for the same pair, a shorter way of saying
                    // nothing.
                    let Ok(intent) = intent else {
                        panic!("signed and not understood: {other:?}")
                    };
                    match intent {
                        Intent::Swap(swap) => {
                            let sides = [swap.token_in, swap.token_out];
                            assert!(sides.contains(&TOKEN) && !sides.contains(&STRANGER), "{swap:?}");
                        }
                        Intent::Allow(allow) => assert_ne!(allow.spender, STRANGER),
                        Intent::Pay(payment) => assert_ne!(payment.to, STRANGER),
                        Intent::Cancel => {}
                    }
                }
            }
        }
    }
    assert!(changed > 400 && signed * 5 < changed, "{signed} of {changed}");
}

#[tokio::test]
async fn allowances_are_for_routers_and_have_a_bound() {
    let key = Key::new(|_| {});
    let spec = spec();
    let approve = |to: Address, spender: Address, amount: U256| Call {
        purpose: Purpose::Approve,
        to,
        data: Erc20::approveCall { spender, amount }.abi_encode().into(),
        value: U256::ZERO,
        gas_limit: 60_000,
    };
    let permit = |token: Address, spender: Address, expiration: u64| Call {
        data: Permit2::approveCall {
            token,
            spender,
            amount: alloy_primitives::aliases::U160::from(7),
            expiration: U48::from(expiration),
        }
        .abi_encode()
        .into(),
        ..approve(spec.contracts.permit2, spender, U256::ZERO)
    };
    let (permit2, router) = (spec.contracts.permit2, spec.contracts.universal_router);
    let (seven, most) = (U256::from(7), U256::from(COIN) * U256::from(COIN));
    for (call, expected) in [
        (approve(TOKEN, permit2, seven), None),
        (approve(TOKEN, permit2, U256::ZERO), None),
        (approve(TOKEN, spec.contracts.swap_router, most), None),
        (permit(TOKEN, router, soon()), None),
        (approve(TOKEN, STRANGER, seven), Some("allowance")),
        (approve(TOKEN, STRANGER, U256::ZERO), Some("allowance")),
        (approve(STRANGER, permit2, seven), Some("token")),
        (approve(TOKEN, permit2, U256::MAX), Some("allowance")),
        (approve(spec.usdc, permit2, U256::from(100_000_000)), None),
        (
            approve(spec.usdc, permit2, U256::from(100_000_001)),
            Some("trade"),
        ),
        (permit(TOKEN, STRANGER, soon()), Some("allowance")),
        (permit(TOKEN, router, soon() + 3_600), Some("deadline")),
        (permit(STRANGER, router, soon()), Some("token")),
    ] {
        assert_eq!(key.refused(&call).await.as_deref(), expected, "{call:?}");
    }
    // A plain transfer, a payment, a call that says nothing.
    let transfer = Call {
        data: [
            &[0xa9, 0x05, 0x9c, 0xbb][..],
            STRANGER.into_word().as_slice(),
            &[0; 32],
        ]
        .concat()
        .into(),
        ..approve(TOKEN, permit2, seven)
    };
    let payment = Call {
        value: U256::from(1),
        ..Call::cancel(STRANGER)
    };
    for (call, expected) in [
        (transfer, "shape"),
        (payment, "shape"),
        (Call::cancel(STRANGER), "contract"),
        (Call::cancel(NATIVE), "contract"),
    ] {
        assert_eq!(key.refused(&call).await.as_deref(), Some(expected), "{call:?}");
    }
}

#[tokio::test]
async fn gas_is_capped_for_every_signature_and_a_stop_leaves_only_cancels() {
    let key = Key::new(|_| {});
    let cancel = Call::cancel(key.wallet);
    // 21000 gas at 119 gwei are 4.998 dollars, at 120 gwei 5.04.
    key.sign_at(1, &cancel, 119_000_000_000).await.expect("within");
    let expensive = key
        .sign_at(1, &cancel, 120_000_000_000)
        .await
        .expect_err("past the cap");
    assert!(expensive.detail.contains("(policy: gas)"), "{expensive}");
    let swap = made(key.wallet, pools()[0], NATIVE, true, soon())
        .expect("calls")
        .pop()
        .expect("a swap");
    key.sign_at(2, &swap, 1_000_000_000).await.expect("a buy");
    let file = key.dir.path().join("policy.toml");
    let text = edit::with_stop(&file, None, true).expect("a policy");
    edit::write(&file, &text).expect("written");
    let stopped = key.sign_at(2, &swap, 2_000_000_000).await.expect_err("stopped");
    assert!(stopped.detail.contains("(policy: stopped)"), "{stopped}");
    key.sign_at(2, &cancel, 2_000_000_000).await.expect("a cancel");
}

proptest! {
    /// No bytes at all make the reader panic, and none that are not ours are understood as a swap to a stranger.
    #[test]
    fn reading_never_panics(data in proptest::collection::vec(any::<u8>(), 0..600), which in 0_usize..5) {
        let spec = spec();
        let selectors = [
            UniversalRouter::executeCall::SELECTOR,
            SwapRouter::multicallCall::SELECTOR,
            Erc20::approveCall::SELECTOR,
            Permit2::approveCall::SELECTOR,
            Periphery::multicallCall::SELECTOR,
        ];
        let to = [
            spec.contracts.universal_router,
            spec.contracts.swap_router,
            TOKEN,
            spec.contracts.permit2,
            spec.contracts.pancake_v3_router,
        ];
        let call = Call {
            purpose: Purpose::Swap,
            to: to[which],
            data: [&selectors[which][..], &data].concat().into(),
            value: U256::from(5),
            gas_limit: 1,
        };
        let _ = Intent::read(&call, STRANGER, &entry(STRANGER).contracts());
    }
}

#[test]
fn a_policy_says_what_is_wrong_with_it_and_has_no_silent_limits() {
    let good = "[[allow]]\nchain = \"base\"\nwallet = \"0x0707070707070707070707070707070707070707\"\ntokens = []\n\
                quotes = [\"usdc\"]\nmax_trade_usd = 12.5\nmax_hour_usd = 100\nmax_day_usd = 150\nmax_gas_usd = 4\n\
                native_usd_min = 900\n";
    let entry = Policy::read(good).expect("a policy").allow[0].clone();
    assert_eq!((entry.max_loss_bps, entry.stop), (1_000, false));
    for (bad, says) in [
        (good.replace("max_day_usd = 150\n", ""), "max_day_usd"),
        (good.replace("max_trade_usd", "max_trades_usd"), "max_trades_usd"),
        (good.replace("= 12.5", "= 0"), "max_trade_usd = 0"),
        (good.replace("\"usdc\"", "\"doge\""), "doge"),
        (good.replace("\"base\"", "\"elsewhere\""), "not built in"),
        (good.replace("native_usd_min = 900\n", ""), "native_usd_min"),
        (format!("{good}{good}"), "two entries"),
        (format!("stopp = true\n{good}"), "stopp"),
    ] {
        let wrong = Policy::read(&bad).expect_err(&bad);
        assert!(wrong.contains(says), "{wrong}");
    }
}
