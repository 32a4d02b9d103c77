//! Takes coins and tokens out of a live wallet: a transaction of the ledger's own, to an address that the policy names.

mod record;
mod sweep;

use std::time::{Duration, Instant};

use alloy_primitives::Address;
use serde_json::json;

use self::record::view;
pub use self::{
    record::{WithdrawalView, list},
    sweep::sweep,
};
use super::{
    actor::Actor,
    context::App,
    error::AppError,
    given,
    target::{self, receiver},
    trail,
    trail::Action,
    wallets,
    whole::Whole,
};
use crate::{
    chain::{LiveChain, agreed_token_info},
    domain::{
        chains::USDC_DECIMALS,
        ids::WithdrawalId,
        job::{Account, Realm, Token},
        onchain::Asset,
        pool::NATIVE,
        trade::TradeStatus,
        units::{NATIVE_DECIMALS, Usd},
    },
    engine::{
        EngineError,
        withdraw::{WithdrawError, WithdrawOrder, WithdrawPlan},
    },
    ports::QuoteError,
    store::{
        jobs::{self, Filter},
        withdrawals::{self, Withdrawal},
    },
};

/// How long a request waits for its confirmations; services, or the next request, carry it on.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks of a request that waits.
const LOOK: Duration = Duration::from_millis(500);

/// What the owner asks for.
#[derive(Debug, Clone)]
pub struct WithdrawRequest {
    /// `ETH`, `USDC`, a token's address, or the ticker of a job's token.
    pub asset: String,
    /// In whole tokens; `None`: all that is free.
    pub amount: Option<String>,
    /// Who gets it, with its checksum.
    pub to: String,
    /// The wallet; `None`: that of the settings.
    pub wallet: Option<String>,
    /// Chain name.
    pub chain: String,
    /// A second request with the same key pays nothing.
    pub key: Option<String>,
}

/// What a request leads to.
#[derive(Debug)]
pub enum Asked {
    /// A request with the same key was carried out before: this is it.
    Before(Box<WithdrawalView>),
    /// It can be signed.
    Now(Box<Planned>),
}

/// A withdrawal that is not signed yet.
#[derive(Debug)]
pub struct Planned {
    pub chain: String,
    pub wallet: Address,
    pub receiver: Address,
    pub symbol: String,
    pub amount: Whole,
    /// What the wallet holds.
    pub held: Whole,
    /// What jobs hold of it, which stays.
    pub of_jobs: Whole,
    /// What gas may cost, USD.
    pub gas_usd: Usd,
    plan: WithdrawPlan,
}

impl From<WithdrawError> for AppError {
    fn from(error: WithdrawError) -> Self {
        match error {
            WithdrawError::Refused(why) => Self::Refused(why),
            WithdrawError::Engine(EngineError::Sign(refused)) => Self::Refused(refused.to_string()),
            WithdrawError::Engine(EngineError::Quote(QuoteError::Reverts(why))) => {
                Self::Refused(format!("the transfer would fail: {why}"))
            }
            WithdrawError::Engine(error) => Self::Engine(error),
        }
    }
}

fn account(app: &App, request: &WithdrawRequest) -> Result<Account, AppError> {
    let wallet = match &request.wallet {
        Some(wallet) => target::address(wallet)?,
        None => wallets::choose(&app.settings)?,
    };
    Ok(Account {
        realm: Realm::Live,
        chain: request.chain.clone(),
        wallet,
    })
}

/// The token that is meant.
async fn token(app: &App, live: &LiveChain, account: &Account, asked: &str) -> Result<Token, AppError> {
    let (spec, is) = (&live.spec, |name: &str| asked.eq_ignore_ascii_case(name));
    let wrapped = format!("W{}", spec.native_symbol);
    let token = |address, symbol: &str, decimals| Token {
        address,
        symbol: symbol.to_owned(),
        decimals,
    };
    if is(&spec.native_symbol) || is("native") {
        return Ok(token(NATIVE, &spec.native_symbol, NATIVE_DECIMALS));
    }
    if is(&wrapped) {
        return Ok(token(spec.wrapped_native, &wrapped, NATIVE_DECIMALS));
    }
    if is("USDC") {
        return Ok(token(spec.usdc, "USDC", USDC_DECIMALS));
    }
    let every = Filter {
        archived: true,
        ..Filter::default()
    };
    let by_address = target::is_address(asked)
        .then(|| target::address(asked))
        .transpose()?;
    let mut known: Vec<Token> = jobs::list(&app.pool, &every)
        .await?
        .into_iter()
        .filter(|job| job.account.realm == Realm::Live && job.account.chain == account.chain)
        .map(|job| job.token)
        .filter(|token| by_address.map_or_else(|| is(&token.symbol), |address| token.address == address))
        .collect();
    known.sort_by_key(|token| token.address);
    known.dedup_by_key(|token| token.address);
    match (known.as_slice(), by_address) {
        ([one], _) => Ok(one.clone()),
        (_, Some(address)) => {
            let info = agreed_token_info(&live.rpc, spec, address).await;
            let info = info.map_err(|error| AppError::Network(error.to_string()))?;
            let symbol = info.symbol.filter(|symbol| super::ticker::is_ticker(symbol));
            Ok(token(
                address,
                &symbol.unwrap_or_else(|| "token".to_owned()),
                info.decimals,
            ))
        }
        _ => Err(AppError::Usage(format!(
            "{asked} is no token of a job on {}: write {}, {wrapped}, USDC or a token's address",
            account.chain, spec.native_symbol
        ))),
    }
}

/// What a withdrawal would pay and cost, or the one that a request with the same key made. Nothing is signed.
///
/// # Errors
/// [`AppError`] says what forbids it: the policy, a job that holds the tokens, a balance, the receiver, or another
/// request with the same key.
pub async fn ask(app: &App, request: &WithdrawRequest) -> Result<Asked, AppError> {
    let order = order(app, request).await?;
    if let Some(key) = &order.key
        && let Some(id) = withdrawals::of_key(&app.pool, &order.account, key).await?
    {
        let before = withdrawals::load(&app.pool, id).await?;
        same(&before, &order, key)?;
        return Ok(Asked::Before(Box::new(drive(app, id).await?)));
    }
    Ok(Asked::Now(Box::new(planned(app, order).await?)))
}

/// What a withdrawal would pay and cost. Nothing is signed.
///
/// # Errors
/// [`AppError`] says what forbids it.
pub async fn plan(app: &App, request: &WithdrawRequest) -> Result<Planned, AppError> {
    let order = order(app, request).await?;
    planned(app, order).await
}

/// A key names one request: what differs from it was meant to be another.
fn same(before: &Withdrawal, order: &WithdrawOrder, key: &str) -> Result<(), AppError> {
    let amount = if before.takes_all {
        order.amount.is_none()
    } else {
        order.amount == Some(before.amount)
    };
    if amount && before.asset == Asset::of(order.token.address) && before.receiver == order.to {
        return Ok(());
    }
    Err(AppError::Refused(format!(
        "withdrawal {} was ordered with the key {key}: {} {} to {}{}; nothing more was recorded. Give another order a key of its own",
        before.id,
        Whole::new(before.amount, before.decimals),
        before.symbol,
        before.receiver,
        if before.takes_all {
            ", all that was free"
        } else {
            ""
        },
    )))
}

async fn order(app: &App, request: &WithdrawRequest) -> Result<WithdrawOrder, AppError> {
    let to = receiver(&request.to)?;
    let key = given::key(request.key.as_deref())?;
    let live = app.live().chain(&request.chain)?.clone();
    let account = account(app, request)?;
    let token = token(app, &live, &account, &request.asset).await?;
    let amount = request
        .amount
        .as_deref()
        .map(|text| given::tokens(text, &token))
        .transpose()?;
    if to == account.wallet || to == token.address {
        return Err(AppError::Usage(format!(
            "receiver {to} is the wallet itself or the token's contract: give another address"
        )));
    }
    Ok(WithdrawOrder {
        account,
        token,
        amount,
        to,
        key,
    })
}

async fn planned(app: &App, order: WithdrawOrder) -> Result<Planned, AppError> {
    let (decimals, symbol, to) = (order.token.decimals, order.token.symbol.clone(), order.to);
    let plan = app.engine().await?.plan_withdrawal(&order).await?;
    let whole = |amount| Whole::new(amount, decimals);
    Ok(Planned {
        chain: order.account.chain,
        wallet: order.account.wallet,
        receiver: to,
        symbol,
        amount: whole(plan.amount),
        held: whole(plan.held),
        of_jobs: whole(plan.of_jobs),
        gas_usd: plan.gas_usd,
        plan,
    })
}

/// Signs and records a planned withdrawal, sends it and waits a while for its confirmations.
///
/// # Errors
/// [`AppError`]; if nothing was recorded. Once it is, services carry it on, whatever happens to this process.
pub async fn withdraw(app: &App, planned: Planned, actor: &Actor) -> Result<WithdrawalView, AppError> {
    let subject = format!("wallet {} on {}", planned.wallet, planned.chain);
    let detail = json!({
        "asset": planned.plan.order.token.address, "symbol": planned.symbol, "amount": planned.amount.to_string(),
        "receiver": planned.receiver.to_checksum(None), "key": planned.plan.order.key,
    });
    trail::record(app, actor, Action::Withdraw, &subject, detail).await?;
    let order = planned.plan.order.clone();
    let id = app.engine().await?.withdraw(planned.plan, actor.as_str()).await?;
    if let Some(key) = &order.key {
        // Another process may have used the key since.
        same(&withdrawals::load(&app.pool, id).await?, &order, key)?;
    }
    drive(app, id).await
}

/// Carries a withdrawal on for a while.
async fn drive(app: &App, id: WithdrawalId) -> Result<WithdrawalView, AppError> {
    let engine = app.engine().await?;
    let begun = Instant::now();
    loop {
        // A failed step is noted in its row, and made again.
        let _ = engine.drive_withdrawal(id).await;
        let view = view(app, id).await?;
        if view.status != TradeStatus::Submitted || begun.elapsed() > PATIENCE {
            return Ok(view);
        }
        tokio::time::sleep(LOOK).await;
    }
}
