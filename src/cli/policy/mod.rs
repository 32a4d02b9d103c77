//! `policy`: controls what the keys of this machine may sign.

mod allow;
mod entry;

use alloy_primitives::Address;
use clap::{Args, Subcommand};

use entry::described;

use super::{out::Out, target::actor, wording::CommandLine};
use crate::{
    app::{
        App, AppError, Target,
        policy::{self, JobPolicy, PolicyKey, PolicyView, Stopped},
    },
    config::Settings,
};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Show what each key of this machine may sign, and the current usage of its limits
    Show,
    /// Check whether the policy of this machine allows the trades of live jobs, and show what is missing
    Check(CheckArgs),
    /// Allow a job's trades: show the entry, ask for confirmation, then write it
    ///
    /// Run it on the machine whose worker holds the key. With a JOB, the entry is derived from the job's
    /// configuration; without one, flags give all values and no database is needed.
    Allow(Box<allow::AllowArgs>),
    /// Kill switch: from now on sign only cancels; no restart needed
    Stop(KeyArgs),
    /// Reset the kill switch
    Resume(KeyArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Token addresses, job numbers or tickers [default: all live jobs that are not idle]
    jobs: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// Only this wallet, on --chain [default: all]
    #[arg(long, requires = "chain")]
    wallet: Option<Address>,
    /// Chain of --wallet
    #[arg(long, requires = "wallet")]
    chain: Option<String>,
}

pub(super) async fn run(settings: &Settings, out: Out, command: &PolicyCommand) -> Result<(), AppError> {
    match command {
        PolicyCommand::Show => out.show(&policy::show(settings)?, shown),
        PolicyCommand::Check(args) => check(settings, out, args).await,
        PolicyCommand::Allow(args) => allow::run(settings, out, args).await,
        PolicyCommand::Stop(args) => set_stop(settings, out, args, true),
        PolicyCommand::Resume(args) => set_stop(settings, out, args, false),
    }
}

fn shown(view: &PolicyView) -> String {
    let mut text = format!(
        "policy {}\nsigning journal {}\n",
        view.file.display(),
        view.state.display()
    );
    if view.stop {
        text.push_str("STOPPED: only cancels are signed; `lgi-mm policy resume` resets it\n");
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

async fn check(settings: &Settings, out: Out, args: &CheckArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    let named: Vec<Target> = args.jobs.iter().map(|job| Target::anywhere(job)).collect();
    let mut checked = policy::check(&app, &named).await?;
    for command in checked.iter_mut().filter_map(|job| job.command.as_mut()) {
        command.write(&CommandLine);
    }
    out.show(&checked, |jobs| {
        if jobs.is_empty() {
            return "no live jobs\n".to_owned();
        }
        jobs.iter().map(checked_line).collect()
    })?;
    match checked.iter().filter(|job| !job.allowed).count() {
        0 => Ok(()),
        refused => Err(AppError::Problems(refused)),
    }
}

fn checked_line(job: &JobPolicy) -> String {
    let head = format!("job {} ({}, LIVE on {})", job.job, job.symbol, job.chain);
    if job.allowed {
        return format!("{head}: allowed\n");
    }
    let mut text = format!(
        "{head}: not allowed, nothing is signed for it; the policy lacks: {}\n",
        job.lacks.join("; ")
    );
    if let Some(command) = &job.command {
        text.push_str(&format!("  {command}\n"));
    }
    text
}

fn set_stop(settings: &Settings, out: Out, args: &KeyArgs, stop: bool) -> Result<(), AppError> {
    let key = args.chain.clone().zip(args.wallet);
    let key = key.map(|(chain, wallet)| PolicyKey { chain, wallet });
    let stopped = policy::set_stop(settings, key.as_ref(), stop, &actor())?;
    out.show(&stopped, stop_text)
}

fn stop_text(view: &Stopped) -> String {
    let what = if view.stop {
        "only cancels are signed from now on; what was sent before may still be mined. `lgi-mm policy resume` resets it"
    } else {
        "signing resumed, as the policy allows"
    };
    format!("{}: {what}\n  {}\n", view.whose, view.file.display())
}
