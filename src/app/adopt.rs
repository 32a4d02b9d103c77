//! Takes over a wallet whose history this database does not know, and tokens that no job tracks.

use std::fmt;

use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{
    Actor, App, AppError,
    name::JobName,
    trail::{self, Action},
    whole::{Whole, checksum, shown},
};
use crate::app::message::{Advice, Field, message};
use crate::{
    domain::{
        ids::JobId,
        job::{Account, Realm},
        units::{NATIVE_DECIMALS, Rounding, Usd},
    },
    engine::adopt::Past,
};

/// What a wallet has done and holds, next to what this database knows.
#[derive(Debug, Serialize)]
pub struct WalletPast {
    #[serde(serialize_with = "checksum")]
    pub wallet: Address,
    pub chain: String,
    /// Number of the wallet's mined transactions.
    pub chain_nonce: u64,
    /// This database's next nonce; `None`: it did not know the wallet.
    pub our_nonce: Option<u64>,
    /// Native coins.
    pub native: Whole,
    /// Tokens that the wallet holds and no job tracks.
    pub unexplained: Vec<Unexplained>,
    /// What was done, a line each.
    pub done: Vec<String>,
}

/// Written `job 7: 12.5 CLAWD`.
#[derive(Debug)]
pub struct Unexplained {
    pub job: JobId,
    pub surplus: Whole,
    pub symbol: String,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}: {} {}", self.job, self.surplus, self.symbol)
    }
}

impl Serialize for Unexplained {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}

impl WalletPast {
    fn new(past: &Past, done: Vec<String>) -> Self {
        let unexplained = past.unexplained.iter().map(|found| Unexplained {
            job: found.job.id,
            surplus: Whole::new(found.surplus, found.job.token.decimals),
            symbol: found.job.token.symbol.clone(),
        });
        Self {
            wallet: past.account.wallet,
            chain: past.account.chain.clone(),
            chain_nonce: past.chain_nonce,
            our_nonce: past.ours,
            native: Whole::new(past.native, NATIVE_DECIMALS),
            unexplained: unexplained.collect(),
            done,
        }
    }
}

/// Reads a wallet's history without changing anything. Refused if this database knows all of it.
pub async fn past(app: &App, wallet: Address, chain: &str) -> Result<WalletPast, AppError> {
    Ok(WalletPast::new(&read(app, wallet, chain).await?, vec![]))
}

/// Takes over the history that the owner has seen; refused if the wallet has made transactions since. Jobs whose tokens
/// the ledger does not explain are paused first.
pub async fn adopt(app: &App, seen: &WalletPast, actor: &Actor) -> Result<WalletPast, AppError> {
    let past = read(app, seen.wallet, &seen.chain).await?;
    if past.chain_nonce != seen.chain_nonce {
        return Err(AppError::Refused(format!(
            "wallet {} has made {} transactions by now, but {} were shown; check again",
            seen.wallet, past.chain_nonce, seen.chain_nonce
        )));
    }
    let detail = json!({ "chain_nonce": past.chain_nonce, "our_nonce": past.ours });
    let subject = format!("wallet {} on {}", seen.wallet, seen.chain);
    trail::record(app, actor, Action::WalletAdopt, &subject, detail).await?;
    let done = app.engine().await?.adopt(&past, actor.as_str()).await?;
    Ok(WalletPast::new(&past, done))
}

async fn read(app: &App, wallet: Address, chain: &str) -> Result<Past, AppError> {
    app.live().chain(chain)?;
    let account = Account {
        realm: Realm::Live,
        chain: chain.to_owned(),
        wallet,
    };
    let past = app.engine().await?.past(&account).await?;
    if past.ours.is_some() && !past.is_unknown() {
        let problem =
            format!("this database knows every transaction of wallet {wallet}: there is nothing to adopt; ");
        return Err(message![problem, Advice::Reconcile, " shows what else differs"].refused());
    }
    Ok(past)
}

/// What the wallet of a job holds beyond what jobs track.
#[derive(Debug)]
pub struct Surplus {
    pub name: JobName,
    pub wallet: Address,
    pub amount: Whole,
}

/// What [`count_in`] would add to a job.
pub async fn surplus(app: &App, job: JobId) -> Result<Surplus, AppError> {
    let found = app.engine().await?.surplus(job).await?;
    Ok(Surplus {
        amount: Whole::new(found.surplus, found.job.token.decimals),
        wallet: found.job.account.wallet,
        name: JobName::from(&found.job),
    })
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct CountedIn {
    pub done: [String; 1],
}

/// Adds tokens that no job tracks to a job's position. `cost`: total in USD, 0 or more.
pub async fn count_in(app: &App, job: JobId, cost: Decimal, actor: &Actor) -> Result<CountedIn, AppError> {
    if cost.is_sign_negative() {
        let problem = format!(" {cost}: the total cost of the tokens in USD must be 0 or more");
        return Err(message![Field::Cost, problem].bad_input());
    }
    let cost = Usd::rounded(cost, Rounding::Up);
    let engine = app.engine().await?;
    Ok(CountedIn {
        done: [engine.count_in(job, cost, actor.as_str()).await?],
    })
}
