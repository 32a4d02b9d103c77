//! What each wallet holds, what of it is free, and how long it lasts at what its jobs spend.

use std::{collections::BTreeMap, time::Duration};

use alloy_primitives::{Address, U256};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::store::{Wallet, list as keys};
use crate::{
    app::{
        context::App,
        error::AppError,
        info,
        whole::{Whole, checksum},
    },
    config::Settings,
    domain::{
        chains::{self, USDC_DECIMALS},
        job::{Account, JobStatus, Realm, Token},
        onchain::Asset,
        pool::NATIVE,
        units::{Amount, MoneyError, NATIVE_DECIMALS},
    },
    engine::withdraw::{of_jobs, owned_as_wrapped},
    ports::{Chain, Markets},
    store::{
        jobs::{self, Filter, Job},
        room,
        spending::{self, Spending},
    },
};

/// Seconds.
const DAY: u64 = 86_400;
/// Longest wait for the nodes of a chain.
const PATIENCE: Duration = Duration::from_secs(10);
/// Wallets on chains that are asked at the same time: one silent chain keeps the others waiting no longer.
const AT_ONCE: usize = 8;

/// A wallet: one whose key is here, or one that a job of this ledger uses.
#[derive(Debug, Serialize)]
pub struct ListedWallet {
    /// Where it is on every chain.
    #[serde(serialize_with = "checksum")]
    pub address: Address,
    /// Whether its money is real.
    pub realm: Realm,
    /// A keystore file, or a key of a service; none: not on this machine, or simulated.
    pub keystore: Option<String>,
    /// What it holds, by chain.
    pub chains: Vec<WalletOnChain>,
}

/// What it holds on a chain.
#[derive(Debug, Serialize)]
pub struct WalletOnChain {
    /// The chain's name.
    pub chain: String,
    /// Jobs that are not idle.
    pub jobs: usize,
    /// What it holds or owes; the native coin first.
    pub assets: Vec<HeldAsset>,
    /// Why balances are not known.
    pub problem: Option<String>,
}

/// One asset. Amounts are in whole tokens, exact.
#[derive(Debug, Serialize)]
pub struct HeldAsset {
    /// Ticker.
    pub symbol: String,
    /// The token's address; zero for the native coin.
    #[serde(serialize_with = "checksum")]
    pub token: Address,
    /// None: not known.
    pub held: Option<Whole>,
    /// What jobs own of it: their tokens, and their budgets.
    pub of_jobs: Whole,
    /// What open trades and withdrawals may still take, and native coin that jobs keep for gas.
    pub reserved: Whole,
    /// The rest: what can be spent or taken out, before gas.
    pub free: Option<Whole>,
    /// What jobs spent a day in the last seven days, gas included, less what sales brought; none if nothing.
    pub spent_a_day: Option<Whole>,
    /// How long what is held and not reserved lasts at that, seconds.
    pub lasts_seconds: Option<u64>,
}

/// All wallets, and why more is not known.
#[derive(Debug)]
pub struct Holdings {
    /// Where keystores are.
    pub dir: std::path::PathBuf,
    /// First those whose key is here, then those that jobs use.
    pub wallets: Vec<ListedWallet>,
    /// Why the ledger says nothing.
    pub problem: Option<String>,
}

/// Lists wallets. Whatever does not answer, a database or a node, hides nothing else.
///
/// # Errors
/// [`AppError`] if the directory of keystores cannot be read.
pub async fn holdings(settings: &Settings) -> Result<Holdings, AppError> {
    let keys = keys(settings)?;
    let mut wallets: Vec<ListedWallet> = keys.wallets.iter().map(of_key).collect();
    // A private database is not made only to be empty.
    let problem = if info::has_database(settings) {
        match App::read(settings).await {
            Ok(app) => known(&app, &mut wallets).await.err(),
            Err(error) => Some(error),
        }
    } else {
        None
    };
    Ok(Holdings {
        dir: keys.dir,
        wallets,
        problem: problem.map(|error| error.to_string()),
    })
}

/// Lists wallets through the database that this process has open.
///
/// # Errors
/// [`AppError`] if the directory of keystores cannot be read.
pub async fn holdings_of(app: &App) -> Result<Holdings, AppError> {
    let keys = keys(&app.settings)?;
    let mut wallets: Vec<ListedWallet> = keys.wallets.iter().map(of_key).collect();
    let problem = known(app, &mut wallets).await.err();
    Ok(Holdings {
        dir: keys.dir,
        wallets,
        problem: problem.map(|error| error.to_string()),
    })
}

/// A wallet whose key is here.
fn of_key(wallet: &Wallet) -> ListedWallet {
    ListedWallet {
        address: wallet.address,
        realm: Realm::Live,
        keystore: Some(wallet.keystore.clone()),
        chains: Vec::new(),
    }
}

/// Adds what the ledger, the paper venue and the nodes know.
async fn known(app: &App, wallets: &mut Vec<ListedWallet>) -> Result<(), AppError> {
    let jobs = jobs::list(&app.pool, &Filter::default()).await?;
    let spent = spending::recently(&app.pool).await?;
    let mut accounts: Vec<Account> = jobs.iter().map(|job| job.account.clone()).collect();
    for wallet in wallets.iter() {
        accounts.extend(app.live().chains().keys().map(|chain| Account {
            realm: Realm::Live,
            chain: chain.clone(),
            wallet: wallet.address,
        }));
    }
    accounts.sort_by(|one, other| {
        let place = |account: &Account| {
            (
                account.realm == Realm::Paper,
                account.chain.clone(),
                account.wallet,
            )
        };
        place(one).cmp(&place(other))
    });
    accounts.dedup();
    let (jobs, spent) = (&jobs, &spent);
    let asked = accounts
        .clone()
        .into_iter()
        .map(|account| async move { on_chain(app, &account, jobs, spent).await });
    let found: Vec<WalletOnChain> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    for (account, found) in accounts.into_iter().zip(found) {
        let of =
            |wallet: &&mut ListedWallet| wallet.address == account.wallet && wallet.realm == account.realm;
        match wallets.iter_mut().find(of) {
            Some(wallet) => wallet.chains.push(found),
            None => wallets.push(ListedWallet {
                address: account.wallet,
                realm: account.realm,
                keystore: None,
                chains: vec![found],
            }),
        }
    }
    Ok(())
}

/// What a wallet may hold: coins that pay, and what its jobs trade; the native coin first.
fn assets(app: &App, account: &Account, jobs: &[Job]) -> Vec<Token> {
    let token = |address, symbol: &str, decimals| Token {
        address,
        symbol: symbol.to_owned(),
        decimals,
    };
    let mut tokens: BTreeMap<Address, Token> = BTreeMap::new();
    let live = app
        .live()
        .chain(&account.chain)
        .ok()
        .filter(|_| account.realm == Realm::Live);
    let symbol = match (live, chains::find(&account.chain)) {
        (Some(live), _) => live.spec.native_symbol.clone(),
        (None, Ok(known)) => known.native_symbol.to_owned(),
        (None, Err(_)) => "native".to_owned(),
    };
    tokens.insert(NATIVE, token(NATIVE, &symbol, NATIVE_DECIMALS));
    if let Some(live) = live {
        let wrapped = format!("W{symbol}");
        let spec = &live.spec;
        tokens.insert(spec.usdc, token(spec.usdc, "USDC", USDC_DECIMALS));
        tokens.insert(
            spec.wrapped_native,
            token(spec.wrapped_native, &wrapped, NATIVE_DECIMALS),
        );
    }
    for job in jobs.iter().filter(|job| job.account == *account) {
        for used in [&job.quote, &job.token] {
            tokens.entry(used.address).or_insert_with(|| used.clone());
        }
    }
    tokens.into_values().collect()
}

async fn on_chain(
    app: &App,
    account: &Account,
    jobs: &[Job],
    spent: &[Spending],
) -> Result<WalletOnChain, AppError> {
    let tokens = assets(app, account, jobs);
    let asked: Vec<Asset> = tokens.iter().map(|token| Asset::of(token.address)).collect();
    let balances = tokio::time::timeout(PATIENCE, balances(app, account, &asked)).await;
    let (held, problem): (Vec<Option<Amount>>, _) = match balances {
        Ok(Ok(held)) => (held.into_iter().map(Some).collect(), None),
        Ok(Err(problem)) => (vec![None; asked.len()], Some(problem)),
        Err(_) => {
            let problem = format!("no node answered within {} s", PATIENCE.as_secs());
            (vec![None; asked.len()], Some(problem))
        }
    };
    let mut connection = app.pool.acquire().await.map_err(crate::store::StoreError::from)?;
    let reserved = room::room(&mut *connection, account).await?.reserved;
    let at_work = jobs
        .iter()
        .filter(|job| job.account == *account && job.status != JobStatus::Idle)
        .count();
    let native = tokens
        .iter()
        .zip(&held)
        .find(|(token, _)| token.address == NATIVE);
    let native = native.and_then(|(_, held)| *held).unwrap_or_default();
    let live = app.live().chain(&account.chain).ok();
    let wrapped = live
        .filter(|_| account.realm == Realm::Live)
        .map(|live| live.spec.wrapped_native);
    let mut found = Vec::new();
    for (token, held) in tokens.iter().zip(held) {
        let asset = Asset::of(token.address);
        let (owned, kept) = of_jobs(jobs, account, asset)?;
        let as_wrapped = owned_as_wrapped(jobs, account, (asset, wrapped), native)?;
        let owned = owned
            .checked_add(as_wrapped)
            .map_err(|error| AppError::Internal(error.to_string()))?;
        let open = reserved.get(&asset).copied().unwrap_or_default();
        let rate = spent
            .iter()
            .find(|spent| spent.account == *account && spent.asset == asset);
        let line = HeldAsset::new(token, held, (owned, open, kept), rate.filter(|_| at_work > 0))?;
        // What a wallet never had says nothing.
        let is_nothing = held.is_none_or(Amount::is_zero)
            && owned.is_zero()
            && open.is_zero()
            && line.spent_a_day.is_none();
        if token.address == NATIVE || !is_nothing {
            found.push(line);
        }
    }
    Ok(WalletOnChain {
        chain: account.chain.clone(),
        jobs: at_work,
        assets: found,
        problem,
    })
}

async fn balances(app: &App, account: &Account, assets: &[Asset]) -> Result<Vec<Amount>, String> {
    let answer = match account.realm {
        Realm::Live => {
            let live = app
                .live()
                .chain(&account.chain)
                .map_err(|error| error.to_string())?;
            let chain: &dyn Chain = live.chain.as_ref();
            chain.balances(account.wallet, assets).await
        }
        Realm::Paper => {
            let paper = app.paper().await.map_err(|error| error.to_string())?;
            let market = paper.market(account).await.map_err(|error| error.to_string())?;
            market.chain.balances(account.wallet, assets).await
        }
    };
    answer.map_err(|error| error.to_string())
}

impl HeldAsset {
    fn new(
        token: &Token,
        held: Option<Amount>,
        (owned, open, kept): (Amount, Amount, Amount),
        spent: Option<&Spending>,
    ) -> Result<Self, AppError> {
        let whole = |units| Whole::new(units, token.decimals);
        let range = |error: MoneyError| AppError::Internal(error.to_string());
        let reserved = if token.address == NATIVE {
            open.checked_add(kept).map_err(range)?
        } else {
            open
        };
        let free = held.map(|held| held.saturating_sub(owned).saturating_sub(reserved));
        let rate = spent.and_then(|spent| Some((spent.spent?, spent.seconds)));
        let a_day = rate.and_then(|(units, seconds)| {
            let day = units.checked_mul(U256::from(DAY))?;
            day.checked_div(U256::from(seconds))
        });
        let lasts = rate.zip(held).and_then(|((units, seconds), held)| {
            let left = held.saturating_sub(open).units();
            let lasts = left.checked_mul(U256::from(seconds))?.checked_div(units)?;
            Some(u64::try_from(lasts).unwrap_or(u64::MAX))
        });
        Ok(Self {
            symbol: token.symbol.clone(),
            token: token.address,
            held: held.map(whole),
            of_jobs: whole(owned),
            reserved: whole(reserved),
            free: free.map(whole),
            spent_a_day: a_day.map(|units| whole(Amount::new(units))),
            lasts_seconds: lasts,
        })
    }
}
