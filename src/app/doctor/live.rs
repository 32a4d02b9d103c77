//! Checks nodes of configured chains and keys of wallets that live jobs use.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256};
use chrono::Utc;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    check::{Check, CheckStatus},
    forks, nodes, nonce, wallet_code,
};
use crate::app::message::{Advice, Field, message};
use crate::{
    app::{context::App, error::AppError, name::JobName},
    chain::{LiveChain, keystore::KeySource},
    domain::{
        config::Rules,
        job::{Account, JobStatus, Realm},
        onchain::{Asset, Checks, SwapRequest},
        pool::NATIVE,
        units::{Amount, Price, Rounding, Usd},
    },
    ports::Chain,
    store::jobs::{self, Filter, Job},
};

/// `allowance(address,address)`.
const ALLOWANCE: [u8; 4] = [0xdd, 0x62, 0xed, 0x3e];
/// Smallest test quote that shows whether there is a pool.
const PROBE_USD: Decimal = Decimal::ONE;

/// Size of the test quote: what the job buys, as a dollar may be less than one unit of a token of few decimals.
fn probe(rules: &Rules) -> Usd {
    let usual = match rules {
        Rules::Accumulate(rules) => rules.dca_amount_usd,
        Rules::Liquidity(rules) => rules.spread_trade_usd,
        Rules::Order(rules) => rules.part_usd(),
        Rules::Basket(rules) => rules.budget_usd,
    };
    usual.max(Usd::rounded(PROBE_USD, Rounding::Up))
}

pub(super) async fn examine(app: &App) -> Result<Vec<Check>, AppError> {
    let jobs = jobs::list(&app.pool, &Filter::default()).await?;
    let mut wallets: BTreeMap<(String, Address), Vec<Job>> = BTreeMap::new();
    for job in jobs {
        if job.account.realm == Realm::Live && job.status != JobStatus::Idle {
            let key = (job.account.chain.clone(), job.account.wallet);
            wallets.entry(key).or_default().push(job);
        }
    }
    let mut checks = Vec::new();
    for live in app.live().chains().values() {
        // The heads first: each node's lag is computed from them.
        let head = head(live).await;
        checks.extend(nodes::nodes(live).await);
        checks.push(nodes::agreement(live));
        checks.extend(nodes::broadcast(live).await);
        checks.push(head);
        checks.push(contracts(live).await);
        checks.extend(forks::check(live).await);
    }
    for ((chain, wallet), jobs) in wallets {
        checks.push(key(app.live().keys(), wallet).await);
        match app.live().chain(&chain) {
            Ok(live) => checks.extend(wallet_checks(app, live, wallet, &jobs).await?),
            Err(error) => checks.push(Check::bad(
                CheckStatus::Fail,
                "chain",
                error,
                "live jobs wait until it has one",
            )),
        }
    }
    Ok(checks)
}

/// Opens the key, which takes about a second, and rates the protection of its keystore.
async fn key(keys: &KeySource, wallet: Address) -> Check {
    let what = "keystore";
    if let Some(key) = keys.kms.get(&wallet) {
        return match key.open(wallet).await {
            Ok(_) => Check::ok(what, format!("{wallet} is held by {key}")),
            Err(error) => Check::bad(
                CheckStatus::Fail,
                what,
                error,
                "see [wallet.kms]; jobs of this wallet hold",
            ),
        };
    }
    let opened = keys.unlock(wallet).and_then(|_| keys.strength(wallet));
    match opened {
        Ok(Some((strength, true))) => Check::bad(
            CheckStatus::Warn,
            what,
            format!("{wallet} opens, but its password is cheap to brute-force ({strength})"),
            message![
                "move the money to a wallet of ",
                Advice::NewWallet,
                " (scrypt n=262144), or use a strong password",
            ],
        ),
        Ok(Some((strength, false))) => Check::ok(what, format!("{wallet} opens ({strength})")),
        Ok(None) => Check::ok(what, format!("{wallet} is given as a raw key")),
        Err(error) => Check::bad(
            CheckStatus::Fail,
            what,
            error,
            message![
                "jobs of this wallet hold; ",
                Advice::CheckWallets,
                " shows every wallet",
            ],
        ),
    }
}

async fn head(live: &LiveChain) -> Check {
    let longest = live.chain.max_head_age();
    match live.chain.head().await {
        Ok(head) => {
            let age = (Utc::now() - head.time).num_seconds();
            let seen = format!("block {} of {}, {age} s old", head.number, live.spec.name);
            if longest.after(head.time) >= Utc::now() {
                Check::ok("newest block", seen)
            } else {
                let fix = "the chain has halted, the node is behind, or this machine's clock is wrong: nothing is traded until fixed";
                Check::bad(CheckStatus::Fail, "newest block", seen, fix)
            }
        }
        Err(error) => Check::bad(
            CheckStatus::Fail,
            "newest block",
            error,
            "no node answers; nothing is traded until one does",
        ),
    }
}

/// Money sent to an address without code is lost.
async fn contracts(live: &LiveChain) -> Check {
    let known = live.spec.contracts.named();
    let used: Vec<_> = known
        .into_iter()
        .filter(|(_, address)| !address.is_zero())
        .collect();
    let requests: Vec<_> = used
        .iter()
        .map(|(_, address)| ("eth_getCode", json!([address, "latest"])))
        .collect();
    let what = "contracts";
    let answers = match live.rpc.batch(&requests).await {
        Ok(answers) => answers,
        Err(error) => return Check::bad(CheckStatus::Fail, what, error, "no node answers"),
    };
    let has_code = |answer: &Value| answer.as_str().is_some_and(|code| code.len() > 2);
    let empty: Vec<String> = used
        .iter()
        .zip(answers)
        .filter(|(_, answer)| !answer.as_ref().is_ok_and(has_code))
        .map(|((name, address), _)| format!("{name} {address}"))
        .collect();
    if empty.is_empty() {
        return Check::ok(what, format!("{} on {} have code", used.len(), live.spec.name));
    }
    let fix = format!(
        "nothing is deployed there: fix [chains.{}.contracts]",
        live.spec.name
    );
    Check::bad(CheckStatus::Fail, what, empty.join(", "), fix)
}

async fn wallet_checks(
    app: &App,
    live: &LiveChain,
    wallet: Address,
    jobs: &[Job],
) -> Result<Vec<Check>, AppError> {
    let account = Account {
        realm: Realm::Live,
        chain: live.spec.name.clone(),
        wallet,
    };
    let mut checks = vec![
        nonce::check(app, live, &account).await?,
        wallet_code::check(live, wallet).await,
        gas(live, wallet, jobs).await,
    ];
    checks.extend(nodes::swallowed(app, live, &account).await?);
    for job in jobs {
        checks.push(pool(live, job).await);
        checks.push(holding(live, job).await);
        checks.push(allowances(live, job).await);
    }
    Ok(checks)
}

/// Gas for one trade of the most expensive job, plus the reserve.
async fn gas(live: &LiveChain, wallet: Address, jobs: &[Job]) -> Check {
    let what = "native balance";
    let balance = live.chain.balances(wallet, &[Asset::Native]).await;
    let balance = match balance {
        Ok(balances) => balances.first().copied().unwrap_or_default(),
        Err(error) => return Check::bad(CheckStatus::Fail, what, error, "no node answers"),
    };
    let symbol = &live.spec.native_symbol;
    let seen = format!("{} {symbol} in {wallet}", balance.to_whole(18));
    let reserve = jobs.iter().map(|job| job.config.limits.gas_reserve).max();
    let needed =
        reserve.map(|coins| Usd::rounded(coins, Rounding::Up).to_amount(18, Price::ONE, Rounding::Up));
    match needed {
        Some(Ok(needed)) if balance <= needed => Check::bad(
            CheckStatus::Fail,
            what,
            seen,
            format!(
                "send it more {symbol}: {} are kept as limits.gas_reserve",
                needed.to_whole(18)
            ),
        ),
        _ => Check::ok(what, seen),
    }
}

async fn pool(live: &LiveChain, job: &Job) -> Check {
    let what = "pool";
    let amount = match live.chain.usd_price(Asset::of(job.quote.address)).await {
        Ok(known) => probe(&job.config.rules).to_amount(job.quote.decimals, known.price, Rounding::Up),
        Err(error) => {
            return Check::bad(
                CheckStatus::Fail,
                what,
                error,
                "no price for the job's quote token",
            );
        }
    };
    let request = SwapRequest {
        wallet: job.account.wallet,
        token_in: job.quote.address,
        token_out: job.token.address,
        amount_in: amount.unwrap_or_default(),
        amount_out_fair: Amount::ZERO,
        fair_rest: 0,
        pool: job.config.venue.pool,
        prove_sell: false,
        checks: Checks::none(),
    };
    let name = format!("{} / {}", job.token.symbol, job.quote.symbol);
    match live.venue.quote(&request).await {
        Ok(_) => Check::ok(what, format!("{name} quotes")),
        Err(error) => {
            let edit = Advice::Edit {
                job: Some(job.id),
                assignment: "venue.pool=..",
            };
            let fix = message![
                "the job holds: pin a pool with ",
                edit,
                ", or start it with another ",
                Field::Quote,
            ];
            Check::bad(CheckStatus::Fail, what, format!("{name}: {error}"), fix)
        }
    }
}

/// The wallet must hold at least what the job's ledger says.
async fn holding(live: &LiveChain, job: &Job) -> Check {
    let what = "position";
    let tracked = job.position.token_balance;
    match live
        .chain
        .balances(job.account.wallet, &[Asset::Token(job.token.address)])
        .await
    {
        Ok(balances) if balances.first().is_some_and(|held| *held >= tracked) => Check::ok(
            what,
            format!(
                "{} {} of {} are there",
                tracked.to_whole(job.token.decimals),
                job.token.symbol,
                JobName::from(job)
            ),
        ),
        Ok(balances) => Check::bad(
            CheckStatus::Fail,
            what,
            format!(
                "{} tracks {} {}, the wallet holds {}",
                JobName::from(job),
                tracked.to_whole(job.token.decimals),
                job.token.symbol,
                balances
                    .first()
                    .copied()
                    .unwrap_or_default()
                    .to_whole(job.token.decimals)
            ),
            message!["another program moved them: run ", Advice::Reconcile],
        ),
        Err(error) => Check::bad(CheckStatus::Fail, what, error, "no node answers"),
    }
}

/// Allowances are exact and used up by their trade; a leftover one belongs to a trade that never swapped.
async fn allowances(live: &LiveChain, job: &Job) -> Check {
    let contracts = &live.spec.contracts;
    let mut asked = Vec::new();
    for token in [&job.token, &job.quote]
        .into_iter()
        .filter(|token| token.address != NATIVE)
    {
        for spender in [
            contracts.permit2,
            contracts.swap_router,
            contracts.pancake_v3_router,
            contracts.slipstream_router,
            contracts.slipstream_caps_router,
            contracts.slipstream_v3_router,
            contracts.aerodrome_router,
        ]
        .into_iter()
        .chain(live.spec.v2_forks.iter().map(|fork| fork.router))
        {
            if !spender.is_zero() {
                asked.push((token, spender));
            }
        }
    }
    let requests: Vec<_> = asked
        .iter()
        .map(|(token, spender)| {
            let owner = job.account.wallet.into_word();
            let data: Bytes = [&ALLOWANCE[..], owner.as_slice(), spender.into_word().as_slice()]
                .concat()
                .into();
            (
                "eth_call",
                json!([{ "to": token.address, "data": data }, "latest"]),
            )
        })
        .collect();
    let what = "allowances";
    let answers = match live.rpc.batch(&requests).await {
        Ok(answers) => answers,
        Err(error) => return Check::bad(CheckStatus::Fail, what, error, "no node answers"),
    };
    let is_left = |answer: &Value| {
        let units: Option<U256> = answer.as_str().and_then(|text| text.parse().ok());
        units.is_some_and(|units| !units.is_zero())
    };
    let left: Vec<String> = asked
        .iter()
        .zip(answers)
        .filter(|(_, answer)| answer.as_ref().is_ok_and(is_left))
        .map(|((token, spender), _)| format!("{} to {spender}", token.symbol))
        .collect();
    if left.is_empty() {
        return Check::ok(what, format!("none left over by {}", JobName::from(job)));
    }
    let fix = "the next trade replaces it with its own exact one; expected while a trade is open";
    Check::bad(CheckStatus::Warn, what, left.join(", "), fix)
}
