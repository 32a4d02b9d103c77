//! Takes coins and tokens out of a live wallet: a transaction of the ledger's own, to an address that the policy names.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};
use serde::Serialize;
use serde_json::json;

use super::{
    actor::Actor,
    context::App,
    error::AppError,
    target, trail,
    trail::Action,
    wallets,
    whole::{Whole, checksum},
};
use crate::{
    chain::{LiveChain, agreed_token_info},
    domain::{
        Timestamp,
        chains::USDC_DECIMALS,
        ids::WithdrawalId,
        job::{Account, Realm, Token},
        pool::NATIVE,
        trade::TradeStatus,
        units::{Amount, NATIVE_DECIMALS, Usd},
    },
    engine::{
        EngineError,
        withdraw::{WithdrawError, WithdrawOrder, WithdrawPlan},
    },
    ports::QuoteError,
    store::{
        jobs::{self, Filter},
        withdrawals,
    },
};

/// How long a request waits for its confirmations; services, or the next request, carry it on.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks of a request that waits.
const LOOK: Duration = Duration::from_millis(500);
/// How many past withdrawals are listed.
const LISTED: i64 = 50;

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

/// A withdrawal on record.
#[derive(Debug, Serialize)]
pub struct WithdrawalView {
    pub withdrawal: WithdrawalId,
    pub chain: String,
    #[serde(serialize_with = "checksum")]
    pub wallet: Address,
    #[serde(serialize_with = "checksum")]
    pub receiver: Address,
    pub symbol: String,
    pub amount: Whole,
    pub status: TradeStatus,
    /// Whether its block is final.
    pub is_final: bool,
    /// The newest transaction that was signed for it.
    pub tx_hash: Option<B256>,
    pub gas_usd: Usd,
    /// What it waits for, or why it failed.
    pub note: Option<String>,
    pub created_at: Timestamp,
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

/// The address that is paid. A payment to a wrong address cannot be undone, so the checksum is required.
fn receiver(text: &str) -> Result<Address, AppError> {
    let wrong = |what: &str| {
        AppError::Usage(format!(
            "receiver {text} {what}: write the address as the receiving wallet shows it, 0x and 40 hexadecimal digits in upper \
             and lower case, which carry its checksum (EIP-55)"
        ))
    };
    let address = Address::from_str(text).map_err(|_| wrong("is not an address"))?;
    if address.is_zero() {
        return Err(wrong("is the zero address: what it gets is lost"));
    }
    if address.to_checksum(None) != text {
        return Err(wrong("has no checksum, or a wrong one"));
    }
    Ok(address)
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

/// What a withdrawal would pay and cost. Nothing is signed.
///
/// # Errors
/// [`AppError`] says what forbids it: the policy, a job that holds the tokens, a balance, the receiver.
pub async fn plan(app: &App, request: &WithdrawRequest) -> Result<Planned, AppError> {
    let to = receiver(&request.to)?;
    let live = app.live().chain(&request.chain)?.clone();
    let account = account(app, request)?;
    let token = token(app, &live, &account, &request.asset).await?;
    planned(app, account, token, request.amount.as_deref(), to).await
}

async fn planned(
    app: &App,
    account: Account,
    token: Token,
    amount: Option<&str>,
    to: Address,
) -> Result<Planned, AppError> {
    let wanted = amount.map(|text| Amount::from_whole(text, token.decimals));
    let wanted = wanted
        .transpose()
        .map_err(|error| AppError::Usage(error.to_string()))?;
    if wanted.is_some_and(Amount::is_zero) {
        return Err(AppError::Usage("amount 0: must be above 0".to_owned()));
    }
    if to == account.wallet || to == token.address {
        return Err(AppError::Usage(format!(
            "receiver {to} is the wallet itself or the token's contract: give another address"
        )));
    }
    let (decimals, symbol) = (token.decimals, token.symbol.clone());
    let order = WithdrawOrder {
        account,
        token,
        amount: wanted,
        to,
    };
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
        "receiver": planned.receiver.to_checksum(None),
    });
    trail::record(app, actor, Action::Withdraw, &subject, detail).await?;
    let engine = app.engine().await?;
    let id = engine.withdraw(planned.plan, actor.as_str()).await?;
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

async fn view(app: &App, id: WithdrawalId) -> Result<WithdrawalView, AppError> {
    let found = withdrawals::load(&app.pool, id).await?;
    Ok(WithdrawalView {
        withdrawal: found.id,
        chain: found.account.chain,
        wallet: found.account.wallet,
        receiver: found.receiver,
        symbol: found.symbol,
        amount: Whole::new(found.amount, found.decimals),
        status: found.status,
        is_final: found.is_final,
        tx_hash: found.signed.last().map(|signed| signed.hash),
        gas_usd: found.gas_usd,
        note: found.note,
        created_at: found.created_at,
    })
}

/// Past withdrawals, newest first.
///
/// # Errors
/// [`AppError`] if the database fails.
pub async fn list(app: &App) -> Result<Vec<WithdrawalView>, AppError> {
    let mut views = Vec::new();
    for id in withdrawals::newest(&app.pool, LISTED).await? {
        views.push(view(app, id).await?);
    }
    Ok(views)
}

/// Everything of a wallet that may be withdrawn now: quotes and jobs' tokens, the native coin last. What jobs hold
/// stays.
///
/// # Errors
/// [`AppError`] if the policy does not allow the receiver, or nothing is free.
pub async fn sweep(app: &App, request: &WithdrawRequest) -> Result<Vec<WithdrawRequest>, AppError> {
    let to = receiver(&request.to)?;
    let live = app.live().chain(&request.chain)?.clone();
    let account = account(app, request)?;
    let every = Filter {
        archived: true,
        ..Filter::default()
    };
    let jobs = jobs::list(&app.pool, &every).await?;
    let jobs = jobs.into_iter().filter(|job| job.account == account);
    let mut assets: Vec<Address> = jobs
        .flat_map(|job| [job.token.address, job.quote.address])
        .collect();
    assets.extend([live.spec.usdc, live.spec.wrapped_native]);
    assets.sort();
    assets.dedup();
    assets.retain(|asset| !asset.is_zero());
    assets.push(NATIVE);
    let (mut found, mut last) = (Vec::new(), None);
    for asset in assets {
        let asset = if asset == NATIVE {
            "native".to_owned()
        } else {
            asset.to_checksum(None)
        };
        let all = WithdrawRequest {
            asset,
            amount: None,
            to: to.to_checksum(None),
            ..request.clone()
        };
        match plan(app, &all).await {
            Ok(_) => found.push(all),
            Err(error @ AppError::Refused(_)) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    match (found.is_empty(), last) {
        (true, Some(error)) => Err(error),
        _ => Ok(found),
    }
}
