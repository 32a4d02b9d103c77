//! Adds an entry to the policy: it is proposed first, so that the owner can review it, then written.

use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::json;
use tracing::info;

use super::{job::live_jobs, need};
use crate::{
    app::{
        actor::Actor,
        context::App,
        error::{AppError, ErrorKind},
        message::{Field, message},
        target::{Target, receiver},
        trail::{self, Action},
    },
    chain::{
        NativePrice, OnchainPrices, Rpc,
        policy::{Entry, MAX_DEADLINE, MAX_LOSS_BPS, NamedContracts, Quote, Reason, edit},
    },
    config::Settings,
    domain::{
        onchain::Asset,
        router::ExtraRouter as PolicyRouter,
        span::Span,
        units::{Price, Usd},
    },
    ports::Chain,
};

/// The subject of the entry.
#[derive(Debug)]
pub enum Subject {
    /// The needs of a job in the database.
    Job(Target),
    /// A key, its tokens and quotes; needs no database.
    Key {
        /// The chain.
        chain: String,
        /// Wallet of the key.
        wallet: Address,
        /// Tokens, in addition to those that are allowed already.
        tokens: Vec<Address>,
        /// Quotes that may pay for them.
        quotes: Vec<Quote>,
    },
}

/// Given limits; `None` keeps the current value, or derives one.
#[derive(Debug, Default)]
pub struct Limits {
    /// Maximum spend of one buy, USD.
    pub max_trade_usd: Option<Decimal>,
    /// Maximum spend of all buys in 60 minutes, USD.
    pub max_hour_usd: Option<Decimal>,
    /// Maximum spend of all buys in a UTC day, USD.
    pub max_day_usd: Option<Decimal>,
    /// Maximum gas of one transaction, replacements included, USD.
    pub max_gas_usd: Option<Decimal>,
    /// How far the minimum output of a swap may be below fair value, 0 to 10000 bps.
    pub max_loss_bps: Option<u32>,
    /// Longest validity of a transaction.
    pub max_deadline: Option<Span>,
    /// Lowest valuation of the native coin, USD.
    pub native_usd_min: Option<Decimal>,
}

/// A request for an entry.
#[derive(Debug)]
pub struct AllowRequest {
    /// The subject of the entry.
    pub subject: Subject,
    /// The limits.
    pub limits: Limits,
    /// Addresses that withdrawals may pay, with their checksum, in addition to those that are allowed already.
    pub withdraw_to: Vec<String>,
    /// Routers beyond Uniswap's, in addition to those that are allowed already.
    pub routers: Vec<PolicyRouter>,
}

/// An entry that is not written yet.
#[derive(Debug)]
pub struct Proposal {
    /// The policy file.
    pub file: PathBuf,
    /// The entry.
    pub entry: Entry,
    /// The whole file as it would be.
    pub text: String,
    /// The file that this was computed from; `None`: there was none.
    before: Option<String>,
}

/// An entry that was written.
#[derive(Debug, Serialize)]
pub struct Allowed {
    /// The entry.
    pub entry: Entry,
    /// The policy file.
    pub file: PathBuf,
}

/// Computes the entry and writes nothing. `app` is needed only for [`Subject::Job`].
///
/// # Errors
/// [`AppError`] for a missing or invalid limit, a policy that cannot be trusted, no such job, or a node that
/// does not answer.
pub async fn propose(
    settings: &Settings,
    app: Option<&App>,
    request: &AllowRequest,
) -> Result<Proposal, AppError> {
    let book = settings.policy()?;
    // Read first: an edit that comes after this, such as the kill switch, is noticed by `write`.
    let seen = content(book.path());
    let before = match book.policy() {
        Ok(policy) => policy.allow.clone(),
        Err(refusal) if refusal.reason == Reason::NoPolicy => vec![],
        Err(refusal) => return Err(refusal.into()),
    };
    let limits = &request.limits;
    let receivers = request.withdraw_to.iter().map(|to| receiver(to));
    let receivers: Vec<Address> = receivers.collect::<Result<_, _>>()?;
    let mut entry = match (&request.subject, app) {
        (Subject::Job(job), Some(app)) => of_job(app, &before, job).await?,
        (Subject::Job(_), None) => {
            return Err(AppError::Internal("a job's entry needs the database".to_owned()));
        }
        (
            Subject::Key {
                chain,
                wallet,
                tokens,
                quotes,
            },
            _,
        ) => match known(&before, chain, *wallet) {
            Some(entry) => {
                let mut entry = entry.clone();
                need::extend(&mut entry.tokens, tokens);
                need::extend(&mut entry.quotes, quotes);
                entry
            }
            None => Entry {
                tokens: tokens.clone(),
                quotes: quotes.clone(),
                ..new_entry(settings, chain, *wallet, limits).await?
            },
        },
    };
    need::extend(&mut entry.withdraw_to, &receivers);
    need::extend(&mut entry.routers, &request.routers);
    limits.override_in(&mut entry)?;
    if limits.max_deadline.is_none() {
        // Transactions built from this machine's own settings must be signable.
        let needed = Span::from_secs(settings.trading.trade_deadline.std().as_secs().saturating_mul(2));
        entry.max_deadline = entry.max_deadline.max(needed);
    }
    let spec = settings.chain(&entry.chain)?;
    need::name_contracts(&mut entry, &spec);
    let file = book.path().to_owned();
    let text = edit::with_entry(&file, &entry)?;
    Ok(Proposal {
        file,
        entry,
        text,
        before: seen,
    })
}

fn content(file: &Path) -> Option<String> {
    std::fs::read_to_string(file).ok()
}

/// Writes a proposed entry. It applies to running workers from their next signature on.
///
/// `app`: where the audit row goes, if the command has a database open.
///
/// # Errors
/// [`AppError::Refused`] if the file was changed since the entry was proposed: writing the proposal would undo that
/// change, such as a `policy stop`. [`AppError`] if the file cannot be written.
pub async fn write(app: Option<&App>, proposal: Proposal, actor: &Actor) -> Result<Allowed, AppError> {
    let Proposal {
        file,
        entry,
        text,
        before,
    } = proposal;
    if content(&file) != before {
        return Err(AppError::Refused(format!(
            "{} was changed in the meantime, and nothing was written: run the command again to review the entry",
            file.display()
        )));
    }
    if let Some(app) = app {
        let detail = json!({ "file": file.display().to_string(), "entry": entry });
        let subject = format!("wallet {} on {}", entry.wallet, entry.chain);
        trail::record(app, actor, Action::PolicyAllow, &subject, detail).await?;
    }
    edit::write(&file, &text)?;
    info!(actor = actor.as_str(), file = %file.display(), wallet = %entry.wallet, chain = entry.chain, "policy entry written");
    Ok(Allowed { entry, file })
}

fn known<'a>(before: &'a [Entry], chain: &str, wallet: Address) -> Option<&'a Entry> {
    before
        .iter()
        .find(|entry| entry.chain == chain && entry.wallet == wallet)
}

async fn of_job(app: &App, before: &[Entry], job: &Target) -> Result<Entry, AppError> {
    let jobs = live_jobs(app, std::slice::from_ref(job)).await?;
    let job = jobs
        .first()
        .ok_or_else(|| AppError::NotFound(format!("no job for {}", job.token)))?;
    let live = app.live().chain(&job.account.chain)?;
    let native = live.chain.usd_price(Asset::Native).await;
    let native = native.map_err(|error| AppError::Network(format!("the native coin's price: {error}")))?;
    let wanted = need::entry_for(job, &live.spec, native.price);
    Ok(need::merged(
        known(before, &job.account.chain, job.account.wallet),
        wanted,
    ))
}

/// An entry with the given limits and no tokens.
async fn new_entry(
    settings: &Settings,
    chain: &str,
    wallet: Address,
    limits: &Limits,
) -> Result<Entry, AppError> {
    let needed = |field: Field, value: Option<Decimal>| {
        let value = value.ok_or_else(|| {
            message![field, " is required for a new entry; limits have no defaults",].bad_input()
        })?;
        usd(field, value)
    };
    Ok(Entry {
        chain: chain.to_owned(),
        wallet,
        chain_id: None,
        tokens: vec![],
        quotes: vec![],
        max_trade_usd: needed(Field::MaxTradeUsd, limits.max_trade_usd)?,
        max_hour_usd: needed(Field::MaxHourUsd, limits.max_hour_usd)?,
        max_day_usd: needed(Field::MaxDayUsd, limits.max_day_usd)?,
        max_gas_usd: needed(Field::MaxGasUsd, limits.max_gas_usd)?,
        max_loss_bps: limits.max_loss_bps.unwrap_or(MAX_LOSS_BPS),
        max_deadline: limits.max_deadline.unwrap_or(MAX_DEADLINE),
        native_usd_min: match limits.native_usd_min {
            Some(least) => price(least)?,
            None => need::least_native(native_now(settings, chain).await?),
        },
        withdraw_to: vec![],
        routers: vec![],
        stop: false,
        contracts: NamedContracts::default(),
    })
}

/// Queries the chain's node; needs no database.
async fn native_now(settings: &Settings, chain: &str) -> Result<Price, AppError> {
    let spec = std::sync::Arc::new(settings.chain(chain)?.with_rpc()?);
    let rpc = Rpc::new(&spec).map_err(|error| AppError::Network(error.to_string()))?;
    let answer = OnchainPrices::new(rpc, spec).native_usd().await;
    answer.map(|known| known.price).map_err(|error| {
        let problem = format!("the native coin's price: {error}; give ");
        message![problem, Field::NativeUsdMin, ", about a third of it"].error(ErrorKind::Network)
    })
}

fn usd(field: Field, value: Decimal) -> Result<Usd, AppError> {
    let wrong = || {
        message![
            field,
            format!(" {value}: must be an amount of US dollars above 0"),
        ]
        .bad_input()
    };
    Usd::new(value)
        .ok()
        .filter(|usd| usd.is_positive())
        .ok_or_else(wrong)
}

fn price(value: Decimal) -> Result<Price, AppError> {
    Price::new(value)
        .map_err(|_| message![Field::NativeUsdMin, format!(" {value}: must be a price above 0"),].bad_input())
}

impl Limits {
    fn override_in(&self, entry: &mut Entry) -> Result<(), AppError> {
        for (field, given, place) in [
            (Field::MaxTradeUsd, self.max_trade_usd, &mut entry.max_trade_usd),
            (Field::MaxHourUsd, self.max_hour_usd, &mut entry.max_hour_usd),
            (Field::MaxDayUsd, self.max_day_usd, &mut entry.max_day_usd),
            (Field::MaxGasUsd, self.max_gas_usd, &mut entry.max_gas_usd),
        ] {
            if let Some(given) = given {
                *place = usd(field, given)?;
            }
        }
        entry.max_loss_bps = self.max_loss_bps.unwrap_or(entry.max_loss_bps);
        entry.max_deadline = self.max_deadline.unwrap_or(entry.max_deadline);
        if let Some(least) = self.native_usd_min {
            entry.native_usd_min = price(least)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::policy::Policy;

    const POLICY: &str = r#"
[[allow]]
chain = "base"
wallet = "0x0101010101010101010101010101010101010101"
tokens = ["0x0202020202020202020202020202020202020202"]
quotes = ["usdc"]
max_trade_usd = "20"
max_hour_usd = "40"
max_day_usd = "100"
max_gas_usd = "2"
native_usd_min = "800"
"#;

    #[tokio::test]
    async fn an_entry_that_was_reviewed_before_a_stop_does_not_undo_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("policy.toml");
        std::fs::write(&file, POLICY).expect("a policy");
        let entry = Policy::read(POLICY).expect("a policy").allow.remove(0);
        let reviewed = || Proposal {
            text: edit::with_entry(&file, &entry).expect("a text"),
            before: Some(POLICY.to_owned()),
            file: file.clone(),
            entry: entry.clone(),
        };
        let actor = Actor::new("test", "owner");
        let (late, in_time) = (reviewed(), reviewed());
        let stopped = edit::with_stop(&file, None, true).expect("a text");
        edit::write(&file, &stopped).expect("stopped");
        let refused = write(None, late, &actor).await.expect_err("the file changed");
        assert!(
            refused.to_string().contains("was changed in the meantime"),
            "{refused}"
        );
        assert_eq!(content(&file).as_deref(), Some(stopped.as_str()));
        std::fs::write(&file, POLICY).expect("as it was");
        write(None, in_time, &actor).await.expect("nothing changed");
    }
}
