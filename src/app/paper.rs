//! The paper venue: its money, and faults for testing alerts and crashes.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    time::Duration,
};

use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{
    actor::Actor,
    context::App,
    error::AppError,
    target::{address, is_address},
    trail::{self, Action},
    whole::Whole,
};
use crate::app::message::{Advice, Field, message};
use crate::{
    domain::{
        Timestamp,
        chains::{self, ChainInfo, USDC_DECIMALS},
        job::{Realm, Token},
        onchain::Asset,
        span::Span,
        units::{Amount, NATIVE_DECIMALS},
    },
    paper::{ActiveFault, Fault, Funding, audit, default_wallet},
    store::{
        jobs::{self, Filter},
        moves,
    },
};

pub use crate::paper::FaultKind;

/// Decimals of a token that nobody knows: those of most, as a paper job assumes.
const USUAL_DECIMALS: u8 = 18;

/// New balances of the paper wallet, whole coins; `None` keeps a balance.
#[derive(Debug, Clone, Default)]
pub struct FundRequest {
    /// USDC.
    pub usdc: Option<Decimal>,
    /// The native coin.
    pub native: Option<Decimal>,
    /// Tokens.
    pub tokens: Vec<TokenFunds>,
    /// Decimals of tokens that no job trades or traded; none: 18.
    pub decimals: Option<u8>,
}

/// A new balance of a token: `0x..=1500.5`, or the ticker of a token that a paper job trades instead of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFunds {
    /// Address or ticker.
    token: String,
    /// Whole tokens.
    balance: String,
}

impl FromStr for TokenFunds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('=') {
            Some((token, balance)) if !token.is_empty() && !balance.is_empty() => Ok(Self {
                token: token.to_owned(),
                balance: balance.to_owned(),
            }),
            _ => Err(
                "write the token's address or ticker, = and the new balance, such as CLAWD=1500.5".to_owned(),
            ),
        }
    }
}

/// A fault to inject.
#[derive(Debug, Clone)]
pub struct FaultRequest {
    /// What goes wrong.
    pub kind: FaultKind,
    /// How often it strikes; `None`: until cleared.
    pub times: Option<u32>,
    /// Duration from now; `None`: until cleared.
    pub lasts: Option<Span>,
    /// Delay of answers, for [`FaultKind::Late`].
    pub delay: Span,
    /// Only for this token's address; none: for all.
    pub token: Option<String>,
}

/// One asset of the paper wallet, by the venue's own records. Amounts are in whole coins, or in base units if the
/// decimals are not known.
#[derive(Debug, Serialize)]
pub struct PaperBalance {
    /// Ticker; the token's address if no job trades it.
    pub asset: String,
    /// The token's address; none for the native coin.
    #[serde(serialize_with = "checksum_or_null")]
    pub token: Option<Address>,
    /// Decimals of whole coins; none if they are not known.
    pub decimals: Option<u8>,
    /// What it holds.
    pub balance: Whole,
    /// Received in swaps.
    pub received: Whole,
    /// Spent on swaps and gas.
    pub spent: Whole,
}

/// The paper wallet on a chain.
#[derive(Debug)]
pub struct PaperWallet {
    /// Its address.
    pub wallet: Address,
    /// The chain's name.
    pub chain: &'static str,
    /// Every asset it has ever held.
    pub balances: Vec<PaperBalance>,
}

/// A fault that can still strike.
#[derive(Debug, Serialize)]
pub struct FaultView {
    /// Its chain.
    pub chain: String,
    /// Delay of answers, milliseconds.
    #[serde(rename = "delay_ms", serialize_with = "milliseconds")]
    pub delay: Duration,
    /// The fault's number.
    pub id: i64,
    /// What goes wrong.
    #[serde(serialize_with = "crate::app::whole::shown")]
    pub kind: FaultKind,
    /// Remaining strikes; `None`: until cleared.
    pub remaining: Option<u64>,
    /// Only for this token.
    #[serde(serialize_with = "checksum_or_null")]
    pub token: Option<Address>,
    /// When it ends.
    pub until: Option<Timestamp>,
}

impl From<ActiveFault> for FaultView {
    fn from(fault: ActiveFault) -> Self {
        Self {
            chain: fault.chain,
            delay: fault.delay,
            id: fault.id,
            kind: fault.kind,
            remaining: fault.remaining,
            token: fault.token,
            until: fault.until,
        }
    }
}

fn milliseconds<S: Serializer>(delay: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
}

fn checksum_or_null<S: Serializer>(address: &Option<Address>, to: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => super::whole::checksum(address, to),
        None => to.serialize_none(),
    }
}

/// Balances of the paper wallet. A wallet that was never used is created with the settings' money.
///
/// # Errors
/// [`AppError`] for an unknown chain, or a database that fails.
pub async fn wallet(app: &App, chain: &str) -> Result<PaperWallet, AppError> {
    shown(app, known_chain(chain)?, &BTreeMap::new()).await
}

/// The wallet, where `given` are the decimals of tokens that no job knows.
async fn shown(
    app: &App,
    known: &'static ChainInfo,
    given: &BTreeMap<Address, u8>,
) -> Result<PaperWallet, AppError> {
    // Adding zero creates the wallet.
    let nothing = Funding::Add(Amount::ZERO);
    let paper = app.paper().await?;
    paper
        .fund(known.name, default_wallet(), Asset::Native, nothing)
        .await?;
    let held = audit::net_balances(&app.pool, Some(known.name), default_wallet()).await?;
    // Of the jobs that trade or traded it; the venue itself knows no tickers.
    let parties = moves::parties(&app.pool).await?;
    let tokens = parties
        .iter()
        .filter(|party| party.account.chain == known.name)
        .flat_map(|party| [&party.token, &party.quote]);
    let ticker = |token: Address| {
        let found = tokens.clone().find(|known| known.address == token);
        found.map(|found| (found.symbol.clone(), found.decimals))
    };
    let balances = held.iter().map(|net| {
        let (named, token) = match net.asset {
            Asset::Native => (Some((known.native_symbol.to_owned(), NATIVE_DECIMALS)), None),
            Asset::Token(token) if token == known.usdc => {
                (Some(("USDC".to_owned(), USDC_DECIMALS)), Some(token))
            }
            Asset::Token(token) => (ticker(token), Some(token)),
        };
        let decimals = named.as_ref().map(|(_, decimals)| *decimals);
        let decimals = decimals.or_else(|| given.get(&token?).copied());
        let whole = |amount: Amount| Whole::new(amount, decimals.unwrap_or(0));
        let address = || token.map_or_else(String::new, |token| token.to_checksum(None));
        PaperBalance {
            asset: named.map_or_else(address, |(symbol, _)| symbol),
            token,
            decimals,
            balance: whole(net.balance),
            received: whole(net.received),
            spent: whole(net.spent),
        }
    });
    Ok(PaperWallet {
        wallet: default_wallet(),
        chain: known.name,
        balances: balances.collect(),
    })
}

/// Sets balances of the paper wallet.
///
/// # Errors
/// [`AppError`] for an unknown chain, an amount with too many digits, or a database that fails.
pub async fn fund(
    app: &App,
    chain: &str,
    request: &FundRequest,
    actor: &Actor,
) -> Result<PaperWallet, AppError> {
    let known = known_chain(chain)?;
    // Both are checked before one is written.
    let usdc = request
        .usdc
        .map(|whole| Money::new(Field::Usdc, whole, USDC_DECIMALS));
    let native = request
        .native
        .map(|whole| Money::new(Field::Native, whole, NATIVE_DECIMALS));
    let (usdc, native) = (usdc.transpose()?, native.transpose()?);
    let (mut funds, mut given) = (Vec::new(), BTreeMap::new());
    for (token, decimals, money) in tokens(app, known, request).await? {
        given.insert(token, decimals);
        funds.push((Asset::Token(token), money));
    }
    funds.extend(usdc.map(|money| (Asset::Token(known.usdc), money)));
    funds.extend(native.map(|money| (Asset::Native, money)));
    let paper = app.paper().await?;
    for (asset, money) in funds {
        let detail = json!({ "asset": money.name, "balance": money.whole });
        trail::record(app, actor, Action::PaperFund, known.name, detail).await?;
        paper
            .fund(known.name, default_wallet(), asset, Funding::Set(money.units))
            .await?;
    }
    shown(app, known, &given).await
}

/// New balances of tokens.
async fn tokens(
    app: &App,
    chain: &ChainInfo,
    request: &FundRequest,
) -> Result<Vec<(Address, u8, Money)>, AppError> {
    if request.tokens.is_empty() {
        return Ok(vec![]);
    }
    let on_chain = Filter {
        chain: Some(chain.name.to_owned()),
        ..Filter::default()
    };
    let traded = jobs::list(&app.pool, &on_chain).await?;
    let traded: Vec<Token> = traded
        .into_iter()
        .filter(|job| job.account.realm == Realm::Paper)
        .map(|job| job.token)
        .collect();
    // A token keeps its decimals: jobs of both realms, and removed ones, say them.
    let ever = moves::parties(&app.pool).await?;
    let decimals = |address: Address| {
        let of_chain = ever.iter().filter(|party| party.account.chain == chain.name);
        of_chain
            .flat_map(|party| [&party.token, &party.quote])
            .find(|token| token.address == address)
            .map(|token| token.decimals)
    };
    let funds = request.tokens.iter().map(|given| {
        let address = named(chain, &traded, &given.token)?;
        let known = decimals(address).or(request.decimals);
        let decimals = known.unwrap_or(USUAL_DECIMALS);
        Ok((address, decimals, of_token(address, decimals, given)?))
    });
    funds.collect()
}

/// The token that is meant: an address, or the ticker of a token that a paper job trades.
fn named(chain: &ChainInfo, traded: &[Token], text: &str) -> Result<Address, AppError> {
    if is_address(text) {
        return address(text);
    }
    let called = traded
        .iter()
        .filter(|token| token.symbol.eq_ignore_ascii_case(text));
    let found: BTreeSet<Address> = called.map(|token| token.address).collect();
    match (found.first(), found.len()) {
        (Some(only), 1) => Ok(*only),
        (Some(_), _) => {
            let listed: Vec<String> = found.iter().map(Address::to_string).collect();
            let problem = format!(
                " {text}: paper jobs on {} trade several tokens of this name: {}; give the address",
                chain.name,
                listed.join(", ")
            );
            Err(message![Field::Token, problem].bad_input())
        }
        (None, _) => {
            let problem = format!(
                " {text}: no paper job on {} trades a token of this name; give the token's address, 0x and 40 hexadecimal \
                 digits, or the ticker of a job that ",
                chain.name
            );
            Err(message![Field::Token, problem, Advice::ListJobs, " shows"].bad_input())
        }
    }
}

fn of_token(address: Address, decimals: u8, given: &TokenFunds) -> Result<Money, AppError> {
    let units = Amount::from_whole(&given.balance, decimals).map_err(|error| {
        let problem = format!(" {}={}: {error}", given.token, given.balance);
        message![Field::Token, problem].bad_input()
    })?;
    Ok(Money {
        name: address.to_checksum(None),
        whole: given.balance.clone(),
        units,
    })
}

/// A requested amount.
struct Money {
    /// For the audit.
    name: String,
    whole: String,
    units: Amount,
}

impl Money {
    fn new(name: Field, whole: Decimal, decimals: u8) -> Result<Self, AppError> {
        let units = Amount::from_whole(&whole.to_string(), decimals)
            .map_err(|error| message![name, format!(" {whole}: {error}")].bad_input())?;
        Ok(Self {
            name: name.to_string(),
            whole: whole.to_string(),
            units,
        })
    }
}

/// The faults of every chain that can still strike. `chain` is the one that the request is about.
///
/// # Errors
/// [`AppError`] for an unknown chain, or if the database fails.
pub async fn faults(app: &App, chain: &str) -> Result<Vec<FaultView>, AppError> {
    known_chain(chain)?;
    let active = app.paper().await?.faults().list().await?;
    Ok(active.into_iter().map(FaultView::from).collect())
}

/// Makes the venue misbehave on a chain.
///
/// # Errors
/// [`AppError`] for an unknown chain, a token that is no address, or a database that fails.
pub async fn add_fault(
    app: &App,
    chain: &str,
    request: &FaultRequest,
    actor: &Actor,
) -> Result<(), AppError> {
    let known = known_chain(chain)?;
    let token = request.token.as_deref();
    let fault = Fault {
        token: token.map(address).transpose()?,
        count: request.times,
        lasts: request.lasts,
        delay: request.delay,
        ..Fault::new(request.kind, known.name)
    };
    let paper = app.paper().await?;
    let detail = json!({
        "kind": request.kind.to_string(), "times": request.times, "lasts": request.lasts, "delay": request.delay,
        "token": request.token,
    });
    trail::record(app, actor, Action::PaperFault, known.name, detail).await?;
    paper.faults().add(&fault).await?;
    Ok(())
}

/// Removes all faults of a chain.
///
/// # Errors
/// [`AppError`] for an unknown chain, or a database that fails.
pub async fn clear_faults(app: &App, chain: &str, actor: &Actor) -> Result<(), AppError> {
    let known = known_chain(chain)?;
    let paper = app.paper().await?;
    trail::record(app, actor, Action::PaperFaultsClear, known.name, json!({})).await?;
    paper.faults().clear(Some(known.name)).await?;
    Ok(())
}

fn known_chain(name: &str) -> Result<&'static ChainInfo, AppError> {
    chains::find(name).map_err(|error| message![Field::Chain, format!(": {error}")].bad_input())
}
