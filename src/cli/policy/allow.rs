//! `policy allow`: the entry is shown, somebody says yes, then it is written.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use alloy_primitives::Address;
use clap::Args;
use rust_decimal::Decimal;
use serde_json::json;

use super::{described, live_jobs, need};
use crate::{
    chain::{
        NativePrice, OnchainPrices, Rpc,
        policy::{Entry, NamedContracts, PolicyBook, Quote, Reason, edit},
    },
    cli::{App, AppError, Out},
    config::Settings,
    domain::{
        span::Span,
        units::{Price, Usd},
    },
    ports::{Asset, Chain},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct AllowArgs {
    /// Job whose trades are allowed: token address, number or ticker
    job: Option<String>,
    /// Chain
    #[arg(long, conflicts_with = "job")]
    chain: Option<String>,
    /// Whose key signs
    #[arg(long, conflicts_with = "job")]
    wallet: Option<Address>,
    /// What may be traded, beside what is allowed already
    #[arg(long, conflicts_with = "job")]
    token: Vec<Address>,
    /// What may pay for it: native, wrapped or usdc
    #[arg(long, conflicts_with = "job", value_name = "native|wrapped|usdc")]
    quote: Vec<Quote>,
    /// Most that one buy may spend, USD
    #[arg(long, value_name = "USD")]
    max_trade_usd: Option<Decimal>,
    /// Most that all buys of 60 minutes may spend, USD
    #[arg(long, value_name = "USD")]
    max_hour_usd: Option<Decimal>,
    /// Most that all buys of a UTC day may spend, USD
    #[arg(long, value_name = "USD")]
    max_day_usd: Option<Decimal>,
    /// Most gas of one transaction, replacements included, USD
    #[arg(long, value_name = "USD")]
    max_gas_usd: Option<Decimal>,
    /// How far below its worth the least arrival of a swap may be, basis points [default of a new entry: 1000]
    #[arg(long, value_name = "BPS", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    max_loss_bps: Option<u32>,
    /// How long a transaction may stay valid [default of a new entry: 10m]
    #[arg(long, value_name = "DURATION")]
    max_deadline: Option<Span>,
    /// The native coin never counts less than this, USD [default of a new entry: a third of its price now]
    #[arg(long, value_name = "USD")]
    native_usd_min: Option<Decimal>,
    /// Write without a question
    #[arg(long)]
    yes: bool,
    /// Print the whole file as it would be, and write nothing
    #[arg(long, conflicts_with = "yes")]
    print: bool,
}

pub(super) async fn run(
    settings: &Settings,
    out: Out,
    book: &PolicyBook,
    args: &AllowArgs,
) -> Result<(), AppError> {
    let before = match book.policy() {
        Ok(policy) => policy.allow.clone(),
        Err(refusal) if refusal.reason == Reason::NoPolicy => vec![],
        Err(refusal) => return Err(AppError::Refused(refusal.detail)),
    };
    let mut entry = match &args.job {
        Some(job) => of_job(settings, &before, job).await?,
        None => of_flags(settings, &before, args).await?,
    };
    args.override_limits(&mut entry)?;
    if args.max_deadline.is_none() {
        // What this machine's own settings make must be signable.
        let needed = Span::from_secs(settings.trading.trade_deadline.std().as_secs().saturating_mul(2));
        entry.max_deadline = entry.max_deadline.max(needed);
    }
    let spec = settings.chain(&entry.chain)?;
    need::name_contracts(&mut entry, &spec);
    let path = book.path().to_owned();
    let text = edit::with_entry(&path, &entry)?;
    if args.print {
        return out.raw(&text);
    }
    if !args.yes {
        out.remark(&described(&entry));
        if !confirmed(&format!("Write this to {}?", path.display()))? {
            return Err(AppError::Refused("nothing was written".to_owned()));
        }
    }
    edit::write(&path, &text)?;
    let view = json!({ "file": path.display().to_string(), "entry": entry });
    out.show(&view, |_| {
        format!(
            "{}written to {}; running workers follow it from their next signature on\n",
            described(&entry),
            path.display()
        )
    })
}

/// Asks on a terminal; without one, `--yes` must say it.
fn confirmed(question: &str) -> Result<bool, AppError> {
    if !stdin().is_terminal() {
        return Err(AppError::Usage(
            "nothing was written: there is no terminal to ask on; look at it with --print, then give --yes"
                .to_owned(),
        ));
    }
    let io = |source| AppError::Io {
        what: "the terminal".to_owned(),
        source,
    };
    write!(stderr().lock(), "{question} [y/N] ").map_err(io)?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).map_err(io)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn known<'a>(before: &'a [Entry], chain: &str, wallet: Address) -> Option<&'a Entry> {
    before
        .iter()
        .find(|entry| entry.chain == chain && entry.wallet == wallet)
}

/// What the job in the database needs; whoever says yes sees it first.
async fn of_job(settings: &Settings, before: &[Entry], job: &str) -> Result<Entry, AppError> {
    let world = App::open(settings).await?;
    let jobs = live_jobs(&world, &[job.to_owned()]).await?;
    let job = jobs
        .first()
        .ok_or_else(|| AppError::NotFound(format!("no job for {job}")))?;
    let live = world.live().chain(&job.account.chain)?;
    let native = live.chain.usd_price(Asset::Native).await;
    let native = native.map_err(|error| AppError::Network(format!("the native coin's price: {error}")))?;
    let wanted = need::entry_for(job, &live.spec, native.price);
    Ok(need::beside(
        known(before, &job.account.chain, job.account.wallet),
        wanted,
    ))
}

async fn of_flags(settings: &Settings, before: &[Entry], args: &AllowArgs) -> Result<Entry, AppError> {
    let (Some(chain), Some(wallet)) = (&args.chain, args.wallet) else {
        return Err(AppError::Usage(
            "give a JOB, or --chain and --wallet with --token, --quote and limits; `lgi-mm policy check` prints the whole \
             command"
                .to_owned(),
        ));
    };
    if let Some(entry) = known(before, chain, wallet) {
        let mut entry = entry.clone();
        need::extend(&mut entry.tokens, &args.token);
        need::extend(&mut entry.quotes, &args.quote);
        return Ok(entry);
    }
    let needed = |flag: &str, value: Option<Decimal>| {
        let value = value.ok_or_else(|| {
            AppError::Usage(format!("--{flag}: a new entry needs it; no limit has a default"))
        })?;
        usd(flag, value)
    };
    Ok(Entry {
        chain: chain.clone(),
        wallet,
        chain_id: None,
        tokens: args.token.clone(),
        quotes: args.quote.clone(),
        max_trade_usd: needed("max-trade-usd", args.max_trade_usd)?,
        max_hour_usd: needed("max-hour-usd", args.max_hour_usd)?,
        max_day_usd: needed("max-day-usd", args.max_day_usd)?,
        max_gas_usd: needed("max-gas-usd", args.max_gas_usd)?,
        max_loss_bps: args.max_loss_bps.unwrap_or(1_000),
        max_deadline: args.max_deadline.unwrap_or(Span::from_secs(600)),
        native_usd_min: match args.native_usd_min {
            Some(least) => price(least)?,
            None => need::least_native(native_now(settings, chain).await?),
        },
        stop: false,
        contracts: NamedContracts::default(),
    })
}

/// Asked of the chain's node; no database is needed.
async fn native_now(settings: &Settings, chain: &str) -> Result<Price, AppError> {
    let spec = std::sync::Arc::new(settings.chain(chain)?.with_rpc()?);
    let rpc = Rpc::new(&spec).map_err(|error| AppError::Network(error.to_string()))?;
    let told = OnchainPrices::new(rpc, spec).native_usd().await;
    told.map(|told| told.price).map_err(|error| {
        AppError::Network(format!(
            "the native coin's price: {error}; give --native-usd-min, about a third of it"
        ))
    })
}

fn usd(flag: &str, value: Decimal) -> Result<Usd, AppError> {
    let wrong = || AppError::Usage(format!("--{flag} {value}: an amount of US dollars above 0"));
    Usd::new(value)
        .ok()
        .filter(|usd| usd.is_positive())
        .ok_or_else(wrong)
}

fn price(value: Decimal) -> Result<Price, AppError> {
    Price::new(value).map_err(|_| AppError::Usage(format!("--native-usd-min {value}: a price above 0")))
}

impl AllowArgs {
    /// What is given stands as it is given.
    fn override_limits(&self, entry: &mut Entry) -> Result<(), AppError> {
        for (flag, given, place) in [
            ("max-trade-usd", self.max_trade_usd, &mut entry.max_trade_usd),
            ("max-hour-usd", self.max_hour_usd, &mut entry.max_hour_usd),
            ("max-day-usd", self.max_day_usd, &mut entry.max_day_usd),
            ("max-gas-usd", self.max_gas_usd, &mut entry.max_gas_usd),
        ] {
            if let Some(given) = given {
                *place = usd(flag, given)?;
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
