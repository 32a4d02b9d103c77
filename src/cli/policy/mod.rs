//! `policy`: what the keys of this machine may sign with real money.

mod allow;
pub(super) mod need;

use std::path::Path;

use alloy_primitives::Address;
use clap::{Args, Subcommand};
use serde::Serialize;
use tracing::{info, warn};

use super::{App, AppError, Out, out::dollars, target};
use crate::{
    chain::policy::{Entry, PolicyBook, edit},
    config::Settings,
    domain::job::{JobStatus, Realm},
    ports::Chain,
    store::jobs::{self, Filter, Job},
};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// What each key of this machine may sign, and how much of its limits is used
    Show,
    /// Whether the policy of this machine allows what live jobs would do, and what is missing
    Check(CheckArgs),
    /// Allow a job's trades: show the entry, ask, then write it
    ///
    /// Run it on the machine whose worker holds the key. With a JOB, what it needs is worked out from its configuration;
    /// without one, flags say everything, and the database is not asked.
    Allow(Box<allow::AllowArgs>),
    /// Kill switch: sign nothing but cancels from now on, without a restart
    Stop(KeyArgs),
    /// Take the kill switch back
    Resume(KeyArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Token addresses, job numbers or tickers [default: all live jobs that are not idle]
    jobs: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// Only this wallet, on the chain of --chain [default: all]
    #[arg(long, requires = "chain")]
    wallet: Option<Address>,
    /// The chain of --wallet
    #[arg(long, requires = "wallet")]
    chain: Option<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    file: String,
    state: String,
    stop: bool,
    keys: Vec<KeyView>,
}

#[derive(Debug, Serialize)]
struct KeyView {
    #[serde(flatten)]
    entry: Entry,
    /// Signed in the last 60 minutes, USD; none: what was signed cannot be read.
    hour_used_usd: Option<String>,
    /// Signed on this UTC day, USD.
    day_used_usd: Option<String>,
    /// Why what was signed cannot be read.
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Checked {
    job: i64,
    symbol: String,
    chain: String,
    wallet: String,
    allowed: bool,
    /// What the policy lacks.
    lacks: Vec<String>,
    /// What allows it.
    command: Option<String>,
}

pub(super) async fn run(settings: &Settings, out: Out, command: &PolicyCommand) -> Result<(), AppError> {
    let book = settings.policy()?;
    match command {
        PolicyCommand::Show => show(&book, out),
        PolicyCommand::Check(args) => check(settings, out, args).await,
        PolicyCommand::Allow(args) => allow::run(settings, out, &book, args).await,
        PolicyCommand::Stop(args) => set_stop(&book, out, args, true),
        PolicyCommand::Resume(args) => set_stop(&book, out, args, false),
    }
}

fn show(book: &PolicyBook, out: Out) -> Result<(), AppError> {
    let policy = book
        .policy()
        .map_err(|refusal| AppError::Refused(refusal.detail))?;
    let now = chrono::Utc::now();
    let keys = policy.allow.iter().map(|entry| {
        let spent = book.spent(&entry.chain, entry.wallet, now);
        KeyView {
            entry: entry.clone(),
            hour_used_usd: spent.as_ref().ok().map(|spent| spent.hour.to_string()),
            day_used_usd: spent.as_ref().ok().map(|spent| spent.day.to_string()),
            problem: spent.err().map(|refusal| refusal.detail),
        }
    });
    let view = Shown {
        file: book.path().display().to_string(),
        state: book.journal().dir().display().to_string(),
        stop: policy.stop,
        keys: keys.collect(),
    };
    out.show(&view, shown)
}

fn shown(view: &Shown) -> String {
    let mut text = format!(
        "policy {}\nwhat was signed is counted in {}\n",
        view.file, view.state
    );
    if view.stop {
        text.push_str("STOPPED: only cancels are signed; `lgi-mm policy resume` lets it go on\n");
    }
    if view.keys.is_empty() {
        text.push_str("no key may sign anything; `lgi-mm policy allow JOB` allows a job's trades\n");
    }
    for key in &view.keys {
        text.push('\n');
        text.push_str(&described(&key.entry));
        match (&key.hour_used_usd, &key.day_used_usd) {
            (Some(hour), Some(day)) => text.push_str(&format!(
                "  used: {hour} USD in the last hour, {day} USD today (UTC)\n"
            )),
            _ => text.push_str(&format!(
                "  used: unknown, so nothing is bought: {}\n",
                key.problem.as_deref().unwrap_or_default()
            )),
        }
    }
    text
}

/// An entry for people.
fn described(entry: &Entry) -> String {
    let mut text = format!("wallet {} on {}", entry.wallet, entry.chain);
    if entry.stop {
        text.push_str(": STOPPED, only cancels are signed");
    }
    let list = |items: Vec<String>| {
        if items.is_empty() {
            "nothing".to_owned()
        } else {
            items.join(", ")
        }
    };
    let tokens = list(entry.tokens.iter().map(ToString::to_string).collect());
    let quotes = list(entry.quotes.iter().map(ToString::to_string).collect());
    text.push_str(&format!(
        "\n  may trade {tokens}\n  against {quotes}\n  \
         a buy spends at most {} USD, an hour {} USD, a day {} USD; a sale is not limited in size\n  \
         gas of a transaction at most {} USD; what arrives at least {} % of its worth; valid for {} at most\n  \
         the native coin counts at least {} USD\n",
        dollars(entry.max_trade_usd),
        dollars(entry.max_hour_usd),
        dollars(entry.max_day_usd),
        dollars(entry.max_gas_usd),
        rust_decimal::Decimal::new(10_000_i64.saturating_sub(entry.max_loss_bps.into()), 2).normalize(),
        entry.max_deadline,
        entry.native_usd_min,
    ));
    let at = entry.contracts();
    let named = [
        ("permit2", entry.contracts.permit2, at.permit2),
        (
            "universal router",
            entry.contracts.universal_router,
            at.universal_router,
        ),
        ("swap router", entry.contracts.swap_router, at.swap_router),
        (
            "wrapped native",
            entry.contracts.wrapped_native,
            at.wrapped_native,
        ),
        ("usdc", entry.contracts.usdc, at.usdc),
    ];
    for (name, given, address) in named {
        if given.is_some() {
            text.push_str(&format!("  {name} {address}, as this entry says\n"));
        }
    }
    text
}

/// Live jobs that a policy is for: those that are named, else all that are not idle.
async fn live_jobs(world: &App, named: &[String]) -> Result<Vec<Job>, AppError> {
    if named.is_empty() {
        let (jobs, _) = jobs::readable(&world.pool, &Filter::default()).await?;
        let live = |job: &Job| job.account.realm == Realm::Live && job.status != JobStatus::Idle;
        return Ok(jobs.into_iter().filter(live).collect());
    }
    let mut found = Vec::new();
    for token in named {
        let args = target::TargetArgs {
            token: token.clone(),
            chain: None,
        };
        let job = crate::app::target::find(&world.pool, &(&args).into()).await?;
        if job.account.realm == Realm::Paper {
            return Err(AppError::Usage(format!(
                "job {} is on paper, which no policy is for",
                job.id
            )));
        }
        found.push(job);
    }
    Ok(found)
}

/// What the policy lacks for a job, and the command that allows it; none: it is allowed.
pub(super) async fn missing(world: &App, job: &Job) -> Option<(Vec<String>, Option<String>)> {
    let book = world.live().policy();
    let Ok(live) = world.live().chain(&job.account.chain) else {
        return Some((
            vec![format!("no node of {} in the settings", job.account.chain)],
            None,
        ));
    };
    let (lacks, before) = match book.policy() {
        Ok(policy) => {
            let before = policy.entry(&job.account.chain, job.account.wallet).cloned();
            (need::lacks(&policy, job, &live.spec), before)
        }
        Err(refusal) => (vec![refusal.detail], None),
    };
    if lacks.is_empty() {
        return None;
    }
    // The price only makes the command complete.
    let native = live.chain.usd_price(crate::ports::Asset::Native).await;
    let command = native.ok().map(|native| {
        let wanted = need::entry_for(job, &live.spec, native.price);
        let mut entry = need::beside(before.as_ref(), wanted);
        // What is allowed already need not be said again.
        entry.tokens = vec![job.token.address];
        entry.quotes = need::quote_of(job.quote.address, &live.spec)
            .into_iter()
            .collect();
        need::command(&entry)
    });
    Some((lacks, command))
}

/// What a worker says of its policy at its start: without live jobs, nothing.
pub(super) async fn say(world: &App) -> Result<(), AppError> {
    let jobs = live_jobs(world, &[]).await?;
    if jobs.is_empty() {
        return Ok(());
    }
    let book = world.live().policy();
    let policy = match book.policy() {
        Ok(policy) => policy,
        Err(refusal) => {
            warn!(detail = refusal.detail, "nothing is signed with real money");
            return Ok(());
        }
    };
    info!(file = %book.path().display(), state = %book.journal().dir().display(), "policy read");
    for job in jobs {
        let Ok(live) = world.live().chain(&job.account.chain) else {
            continue;
        };
        let lacks = need::lacks(&policy, &job, &live.spec).join("; ");
        if !lacks.is_empty() {
            warn!(job = %job.id, lacks, "the policy does not allow what this job would do; see `lgi-mm policy check`");
        }
    }
    Ok(())
}

async fn check(settings: &Settings, out: Out, args: &CheckArgs) -> Result<(), AppError> {
    let world = App::open(settings).await?;
    let mut checked = Vec::new();
    for job in live_jobs(&world, &args.jobs).await? {
        let missing = missing(&world, &job).await;
        let (lacks, command) = missing.clone().unwrap_or_default();
        checked.push(Checked {
            job: job.id.0,
            symbol: job.token.symbol,
            chain: job.account.chain,
            wallet: job.account.wallet.to_checksum(None),
            allowed: missing.is_none(),
            lacks,
            command,
        });
    }
    let refused = checked.iter().filter(|job| !job.allowed).count();
    out.show(&checked, |jobs| {
        if jobs.is_empty() {
            return "no live jobs\n".to_owned();
        }
        jobs.iter().map(checked_line).collect()
    })?;
    if refused == 0 {
        Ok(())
    } else {
        Err(AppError::Problems(refused))
    }
}

fn checked_line(job: &Checked) -> String {
    let head = format!("job {} ({} on {})", job.job, job.symbol, job.chain);
    if job.allowed {
        return format!("{head}: allowed\n");
    }
    let mut text = format!(
        "{head}: nothing is signed for it; the policy lacks: {}\n",
        job.lacks.join("; ")
    );
    if let Some(command) = &job.command {
        text.push_str(&format!("  {command}\n"));
    }
    text
}

fn set_stop(book: &PolicyBook, out: Out, args: &KeyArgs, stop: bool) -> Result<(), AppError> {
    let path = book.path().to_owned();
    let of = args.chain.as_deref().zip(args.wallet);
    if !stop && !path.exists() {
        return Err(AppError::Refused(format!(
            "there is no policy at {}",
            path.display()
        )));
    }
    let text = edit::with_stop(&path, of, stop)?;
    edit::write(&path, &text)?;
    let whose = of.map_or_else(
        || "every wallet".to_owned(),
        |(chain, wallet)| format!("wallet {wallet} on {chain}"),
    );
    let view = serde_json::json!({ "file": path.display().to_string(), "stop": stop, "whose": whose });
    out.show(&view, |_| said(&path, &whose, stop))
}

fn said(path: &Path, whose: &str, stop: bool) -> String {
    let what = if stop {
        "only cancels are signed from now on; what was sent before may still be mined. `lgi-mm policy resume` takes it back"
    } else {
        "signed again as the policy allows"
    };
    format!("{whose}: {what}\n  {}\n", path.display())
}
