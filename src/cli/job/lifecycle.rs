//! `pause`, `resume`, `liquidate`, `remove`.

use clap::Args;
use serde::Serialize;

use super::{
    questions::{remove_question, resume_question, sell_question},
    selection::{JobsArgs, named},
};
use crate::{
    app::{
        App, AppError,
        jobs::{
            lifecycle::{self, Changed, LiquidateRequest, Report},
            sale::{self, Trader},
            selected::Jobs,
        },
    },
    cli::{
        confirm::{asks, confirm},
        exit::Exit,
        out::Out,
        target::actor,
        wording::{CommandLine, described},
    },
    config::Settings,
    domain::{ids::AuditId, job::Realm, span::Span},
};

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Jobs: token address, job number or ticker
    #[arg(value_name = "JOB", required_unless_present = "paused_by")]
    jobs: Vec<String>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
    /// Undo a pause of several jobs, by the number that `pause` printed: jobs that it stopped, and whose status has not
    /// changed since, are as they were before
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["jobs", "chain"])]
    paused_by: Option<i64>,
    /// Resume jobs that trade with real money without asking for confirmation
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub struct LiquidateArgs {
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    sale: SaleArgs,
}

/// How to sell.
#[derive(Debug, Args)]
pub struct SaleArgs {
    /// Spread the selling over this long, such as 6h
    #[arg(long, default_value = "0s")]
    over: Span,
    /// Number of sells [default: 1, or 12 with --over]
    #[arg(long)]
    slices: Option<u32>,
    /// Sell without asking for confirmation
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// Jobs: token address, job number or ticker
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<String>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
    /// Remove without asking for confirmation
    #[arg(long)]
    yes: bool,
}

pub async fn pause(settings: &Settings, out: Out, args: &JobsArgs) -> Result<(), AppError> {
    stop(settings, out, &args.into()).await
}

/// Stops new trades of one job, several, or all of a kind.
pub async fn stop(settings: &Settings, out: Out, jobs: &Jobs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    let report = lifecycle::pause(&app, jobs, &actor()).await?;
    show(out, report, jobs.is_one())
}

pub async fn resume(settings: &Settings, out: Out, args: &ResumeArgs) -> Result<(), AppError> {
    let Some(pause) = args.paused_by else {
        let jobs = named(&args.jobs, args.chain.as_deref());
        return resume_all(settings, out, &jobs, args.yes).await;
    };
    let app = App::open(settings).await?;
    if asks(out, args.yes) {
        agreed(out, &sale::resumable_after(&app, AuditId(pause)).await?)?;
    }
    let report = lifecycle::resume_paused_by(&app, AuditId(pause), &actor()).await?;
    show(out, report, false)
}

/// Continues one job or several after a pause or an error. `yes`: without asking for those that trade with real money.
pub async fn resume_all(settings: &Settings, out: Out, jobs: &Jobs, yes: bool) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    let mut seen = None;
    if asks(out, yes) {
        let resumable = sale::resumable(&app, jobs).await?;
        agreed(out, &resumable.traders)?;
        seen = Some(resumable.seen);
    }
    let report = lifecycle::resume(&app, jobs, seen.as_ref(), &actor()).await?;
    show(out, report, jobs.is_one())
}

fn agreed(out: Out, traders: &[Trader]) -> Result<(), AppError> {
    if traders.is_empty() {
        return Ok(());
    }
    confirm(out, &resume_question(traders))
}

pub async fn remove(settings: &Settings, out: Out, args: &RemoveArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    let jobs = named(&args.jobs, args.chain.as_deref());
    if asks(out, args.yes) {
        let removable = sale::removable(&app, &jobs).await?;
        if !removable.is_empty() {
            confirm(out, &remove_question(&removable))?;
        }
    }
    let report = lifecycle::remove(&app, &jobs, &actor()).await?;
    show(out, report, jobs.is_one())
}

pub async fn liquidate(settings: &Settings, out: Out, args: &LiquidateArgs) -> Result<(), AppError> {
    sell(settings, out, &(&args.jobs).into(), &args.sale).await
}

/// Sells all of these jobs, after a question where one trades with real money.
pub(super) async fn sell(
    settings: &Settings,
    out: Out,
    jobs: &Jobs,
    sale: &SaleArgs,
) -> Result<(), AppError> {
    // Validated before anything is opened: a wrong number changes nothing.
    let request = LiquidateRequest::new(sale.over, sale.slices)?;
    let app = App::open(settings).await?;
    if asks(out, sale.yes) {
        let sales = sale::preview(&app, jobs).await?;
        if sales.iter().any(|sale| sale.name.realm == Realm::Live) {
            confirm(out, &sell_question(sales, request.parts()))?;
        }
    }
    let report = lifecycle::liquidate(&app, jobs, request, &actor()).await?;
    show(out, report, jobs.is_one())
}

/// Several jobs, and how to undo a pause of them.
#[derive(Debug, Serialize)]
struct Several<'a> {
    jobs: &'a [Changed],
    refused: Vec<RefusedLine>,
    matched: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<AuditId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
}

/// A job that could not follow.
#[derive(Debug, Serialize)]
struct RefusedLine {
    /// As it was named, or `job 3 (CLAWD, LIVE on base)`.
    job: String,
    code: u8,
    message: String,
}

/// One named job is shown by itself, several as a list.
fn show(out: Out, mut report: Report, one: bool) -> Result<(), AppError> {
    for note in report.jobs.iter_mut().filter_map(|line| line.note.as_mut()) {
        note.write(&CommandLine);
    }
    match (report.jobs.as_slice(), one, report.refused.pop()) {
        (_, true, Some(refused)) => return Err(refused.error),
        ([line], true, None) => return out.show(line, text),
        (_, _, last) => report.refused.extend(last),
    }
    let refused = report.refused.iter().map(|refused| RefusedLine {
        job: refused.name.clone(),
        code: Exit::of(&refused.error).code(),
        message: described(&refused.error),
    });
    let several = Several {
        jobs: &report.jobs,
        refused: refused.collect(),
        matched: report.matched,
        nothing: report.nothing().map(|why| why.rendered(&CommandLine)),
        pause: report.pause,
        undo: report
            .pause
            .map(|pause| format!("lgi-mm resume --paused-by {pause}")),
    };
    out.show(&several, lines)?;
    report.failure().map_or(Ok(()), Err)
}

fn lines(view: &Several<'_>) -> String {
    let done = view.jobs.iter().map(text);
    // Most messages begin with the job's name themselves.
    let refused = view.refused.iter().map(|line| {
        if line.message.contains(&line.job) {
            line.message.clone()
        } else {
            format!("{}: {}", line.job, line.message)
        }
    });
    let undo = view.undo.iter().map(|undo| format!("undo: {undo}"));
    let nothing = view.nothing.iter().cloned();
    let lines: Vec<String> = done.chain(refused).chain(nothing).chain(undo).collect();
    lines.join("\n")
}

fn text(line: &Changed) -> String {
    let note = line
        .note
        .as_ref()
        .map(|note| format!(" ({note})"))
        .unwrap_or_default();
    let Changed {
        name, before, after, ..
    } = line;
    if line.changed {
        format!("{name}: {before} -> {after}{note}")
    } else if line.already {
        format!("{name}: {after} already{note}")
    } else {
        format!("{name}: {after}{note}")
    }
}
