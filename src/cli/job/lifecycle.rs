//! `pause`, `resume`, `liquidate`, `remove`.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use crate::{
    app::{
        App, AppError, Target,
        jobs::{
            lifecycle::{self, Changed, LiquidateRequest, Note},
            sale::{self, Sale},
            selected::{Jobs, Kind},
        },
    },
    cli::{
        confirm::confirm,
        out::{Out, dollars, short},
        target::{TargetArgs, actor},
    },
    config::Settings,
    domain::{
        ids::AuditId,
        job::{JobStatus, Realm},
        span::Span,
        units::Usd,
    },
};

/// Jobs by name, or all of a kind.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// Jobs: token address, job number or ticker
    #[arg(value_name = "JOB", required_unless_present_any = ["all", "live", "paper", "status"])]
    jobs: Vec<String>,
    /// All jobs
    #[arg(long, conflicts_with_all = ["jobs", "live", "paper", "status"])]
    all: bool,
    /// All LIVE jobs
    #[arg(long, conflicts_with_all = ["jobs", "paper"])]
    live: bool,
    /// All paper jobs
    #[arg(long, conflicts_with = "jobs")]
    paper: bool,
    /// All jobs of this status
    #[arg(long, conflicts_with = "jobs", value_name = "STATUS", ignore_case = true)]
    status: Option<StatusArg>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum StatusArg {
    Running,
    Paused,
    Liquidating,
    Error,
}

impl From<StatusArg> for JobStatus {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Running => Self::Running,
            StatusArg::Paused => Self::Paused,
            StatusArg::Liquidating => Self::Liquidating,
            StatusArg::Error => Self::Error,
        }
    }
}

impl JobsArgs {
    /// Whether one job was named: then its line is the whole answer.
    fn is_one(&self) -> bool {
        self.jobs.len() == 1
    }
}

impl From<&JobsArgs> for Jobs {
    fn from(args: &JobsArgs) -> Self {
        if args.jobs.is_empty() {
            let realm = match (args.live, args.paper) {
                (true, _) => Some(Realm::Live),
                (_, true) => Some(Realm::Paper),
                _ => None,
            };
            return Self::Kind(Kind {
                realm,
                chain: args.chain.clone(),
                status: args.status.map(JobStatus::from),
            });
        }
        let target = |token: &String| Target {
            token: token.clone(),
            chain: args.chain.clone(),
        };
        Self::Named(args.jobs.iter().map(target).collect())
    }
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Jobs: token address, job number or ticker
    #[arg(value_name = "JOB", required_unless_present = "paused_by")]
    jobs: Vec<String>,
    /// Chain of the jobs, if several match
    #[arg(long)]
    chain: Option<String>,
    /// Resume the jobs that this pause stopped: the number that `pause` printed
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["jobs", "chain"])]
    paused_by: Option<i64>,
}

#[derive(Debug, Args)]
pub struct LiquidateArgs {
    #[command(flatten)]
    jobs: JobsArgs,
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
    #[command(flatten)]
    target: TargetArgs,
    /// Remove without asking for confirmation
    #[arg(long)]
    yes: bool,
}

pub async fn pause(settings: &Settings, out: Out, args: &JobsArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    show(
        out,
        &lifecycle::pause(&app, &args.into(), &actor()).await?,
        args.is_one(),
    )
}

pub async fn resume(settings: &Settings, out: Out, args: &ResumeArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    if let Some(pause) = args.paused_by {
        let resumed = lifecycle::resume_paused_by(&app, AuditId(pause), &actor()).await?;
        return show(out, &resumed, false);
    }
    let target = |token: &String| Target {
        token: token.clone(),
        chain: args.chain.clone(),
    };
    let jobs = Jobs::Named(args.jobs.iter().map(target).collect());
    show(
        out,
        &lifecycle::resume(&app, &jobs, &actor()).await?,
        args.jobs.len() == 1,
    )
}

pub async fn remove(settings: &Settings, out: Out, args: &RemoveArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    if !args.yes {
        confirm(
            out,
            &format!("Remove job {} for good? Its history stays.", args.target.token),
        )?;
    }
    let removed = lifecycle::remove(&app, &(&args.target).into(), &actor()).await?;
    show(out, &[removed], true)
}

pub async fn liquidate(settings: &Settings, out: Out, args: &LiquidateArgs) -> Result<(), AppError> {
    // Validated before anything is opened: a wrong number changes nothing.
    let request = LiquidateRequest::new(args.over, args.slices)?;
    let app = App::open(settings).await?;
    let jobs = (&args.jobs).into();
    if !args.yes {
        let sales = sale::preview(&app, &jobs).await?;
        if sales.iter().any(|sale| sale.realm == Realm::Live) {
            confirm(out, &question(&sales))?;
        }
    }
    let changed = lifecycle::liquidate(&app, &jobs, request, &actor()).await?;
    show(out, &changed, args.jobs.is_one())
}

/// What would be sold, and for about how much.
fn question(sales: &[Sale]) -> String {
    let mut text = String::from("Sell with real money:\n");
    let mut total = Some(Usd::ZERO);
    for sale in sales {
        let worth = match sale.worth_usd {
            Some(worth) => format!("about {} USD", dollars(worth)),
            None => "no price known yet".to_owned(),
        };
        let position = short(&sale.position.to_string(), 6);
        let (realm, chain) = (sale.realm.label(), &sale.chain);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  job {}: {position} {} ({realm} on {chain}), {worth}",
            sale.job, sale.symbol
        );
        total = total
            .zip(sale.worth_usd)
            .and_then(|(sum, worth)| sum.checked_add(worth).ok());
    }
    if let Some(total) = total.filter(|_| sales.len() > 1) {
        let _ = writeln!(
            text,
            "  in all about {} USD, before fees, price impact and gas",
            dollars(total)
        );
    }
    text.push_str("Continue?");
    text
}

/// Several jobs, and how to undo a pause of them.
#[derive(Debug, Serialize)]
struct Several<'a> {
    jobs: &'a [Changed],
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<AuditId>,
}

/// One job is shown by itself, several as a list.
fn show(out: Out, changed: &[Changed], one: bool) -> Result<(), AppError> {
    if let ([line], true) = (changed, one) {
        return out.show(line, text);
    }
    let pause = changed.iter().find_map(|line| line.pause);
    out.show(&Several { jobs: changed, pause }, |view| {
        if view.jobs.is_empty() {
            return "no job of this kind\n".to_owned();
        }
        let mut lines: Vec<String> = view.jobs.iter().map(text).collect();
        if let Some(pause) = view.pause {
            lines.push(format!("undo: lgi-mm resume --paused-by {pause}"));
        }
        lines.join("\n")
    })
}

fn text(line: &Changed) -> String {
    let note = line.note.map(|note| format!(" ({note})")).unwrap_or_default();
    let (job, symbol, realm, chain) = (line.job, &line.symbol, line.realm.label(), &line.chain);
    let job = format!("job {job} ({symbol}, {realm} on {chain})");
    match line.note {
        _ if line.changed => format!("{job}: {} -> {}{note}", line.before, line.after),
        Some(Note::NotFor(_) | Note::ChangedSince) => format!("{job}: {}{note}", line.after),
        _ => format!("{job}: {} already{note}", line.after),
    }
}
