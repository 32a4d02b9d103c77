//! Carries a command out and words its answer.

use super::{
    command::{self, Command, HELP},
    words::{self, Chat},
};
use crate::{
    app::{
        App, AppError, Target,
        chat::{Reply, Said},
        jobs::{
            export::{JobChoice, Period},
            lifecycle::{self, LiquidateRequest, Report},
            list::{self, ListRequest, Page, SortBy},
            overview::overview,
            pnl::{self, PnlRequest},
            sale::{self, Resumable, Trader},
            selected::{Jobs, Kind},
            status, tick, trades,
        },
        target,
    },
    domain::{brief, ids::JobId, span::Span},
};

/// Jobs, and trades, of one answer.
const PAGE: i64 = 20;

pub(super) async fn answer(app: &App, said: Said) -> Reply {
    let command = match command::read(&said.text) {
        Ok(command) => command,
        Err(problem) => return Reply::Text(problem),
    };
    if said.role < command.needs() {
        let (role, needed) = (said.role, command.needs());
        return Reply::Text(format!("You are {role} here, and this needs {needed}."));
    }
    carried_out(app, command, &said)
        .await
        .unwrap_or_else(|error| Reply::Text(words::described(&error)))
}

async fn carried_out(app: &App, command: Command, said: &Said) -> Result<Reply, AppError> {
    let text = match command {
        Command::Help => HELP.to_owned(),
        Command::Status => words::glance(&overview(app).await?),
        Command::Jobs(after) => jobs(app, after).await?,
        Command::Job(job) => words::job(&seen(app, job).await?),
        Command::Why(job) => words::why(&seen(app, job).await?),
        Command::Pnl => words::pnl(&pnl::pnl(app, &PnlRequest::default()).await?),
        Command::Trades(job) => traded(app, job).await?,
        Command::Pause(job) => words::changed(lifecycle::pause(app, &one(job), &said.actor).await?),
        Command::PauseAll => paused(lifecycle::pause(app, &Jobs::Kind(Kind::default()), &said.actor).await?),
        Command::Resume(job) => return resumed(app, job, said).await,
        Command::Tick(job) => return ticked(app, job, said).await,
        Command::Liquidate(job) => return sold(app, job, said).await,
    };
    Ok(Reply::Text(text))
}

fn named(job: JobId) -> Target {
    Target::anywhere(&format!("#{job}"))
}

fn one(job: JobId) -> Jobs {
    Jobs::Named(vec![named(job)])
}

async fn seen(app: &App, job: JobId) -> Result<status::Status, AppError> {
    let mut status = status::status(app, &named(job)).await?;
    status.why.write(&Chat);
    Ok(status)
}

async fn jobs(app: &App, after: JobId) -> Result<String, AppError> {
    let request = ListRequest {
        sort: SortBy::Job,
        page: Some(Page {
            after,
            // One more says whether there are more.
            limit: PAGE.saturating_add(1),
        }),
        ..ListRequest::default()
    };
    let mut lines = list::list(app, &request).await?.lines;
    let more = i64::try_from(lines.len()).is_ok_and(|found| found > PAGE);
    if more {
        lines.pop();
    }
    Ok(words::jobs(&lines, more))
}

async fn traded(app: &App, job: Option<JobId>) -> Result<String, AppError> {
    let choice = JobChoice {
        job,
        ..JobChoice::default()
    };
    let lines = trades::page(app, &choice, Period::read(None, None, None)?, (None, PAGE / 2)).await?;
    Ok(words::trades(&lines))
}

/// A number that undoes it is of use on the command line.
fn paused(report: Report) -> String {
    let undo = report
        .pause
        .map(|pause| format!("\nlgi-mm undoes this as pause {pause}."));
    let stopped = report.jobs.iter().filter(|line| line.changed).count();
    let mut text = format!("{stopped} jobs are paused.\n");
    text.push_str(&words::changed(report));
    text + &undo.unwrap_or_default()
}

/// What would be done with real money, unless a code has confirmed exactly this.
fn unconfirmed(what: &str, traders: &[Trader], said: &Said) -> Option<Reply> {
    let each = traders
        .iter()
        .map(|trader| format!("{}, from wallet {}", trader.name, trader.wallet.to_checksum(None)));
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        return None;
    }
    ask(
        format!("{what} with real money: {}", each.join("; ")),
        vec![],
        said,
    )
}

fn ask(would: String, shown: Vec<String>, said: &Said) -> Option<Reply> {
    (said.confirmed.as_deref() != Some(would.as_str())).then_some(Reply::Confirm { would, shown })
}

async fn resumed(app: &App, job: JobId, said: &Said) -> Result<Reply, AppError> {
    let jobs = Jobs::Named(vec![target::pinned(app, &named(job)).await?]);
    let Resumable { traders, seen } = sale::resumable(app, &jobs).await?;
    if let Some(question) = unconfirmed("continue", &traders, said) {
        return Ok(question);
    }
    let report = lifecycle::resume(app, &jobs, Some(&seen), &said.actor).await?;
    Ok(Reply::Text(words::changed(report)))
}

async fn ticked(app: &App, job: JobId, said: &Said) -> Result<Reply, AppError> {
    let target = target::pinned(app, &named(job)).await?;
    let trader = sale::trader(app, &target).await?;
    if let Some(question) = unconfirmed("evaluate a slot", trader.as_slice(), said) {
        return Ok(question);
    }
    // Its actor has the number of the message: another process may have begun it when the lock of this one was lost.
    let ticked = tick::tick_once(app, &target, &said.actor).await?;
    Ok(Reply::Text(match ticked {
        Some(ticked) => words::ticked(&ticked),
        None => format!("This was begun already: /job {job} shows how the job is."),
    }))
}

/// A sale cannot be undone on paper either, so it always takes a code.
async fn sold(app: &App, job: JobId, said: &Said) -> Result<Reply, AppError> {
    let request = LiquidateRequest::new(Span::ZERO, None)?;
    let target = target::pinned(app, &named(job)).await?;
    let jobs = Jobs::Named(vec![target]);
    let sales = sale::preview(app, &jobs).await?;
    let (would, shown) = match sales.first() {
        Some(sale) => (
            format!("sell {} {} of {}", sale.position, sale.name.symbol, sale.name),
            sale.worth_usd.map(|worth| {
                format!(
                    "It is worth about {} USD, before fees, price impact and gas.",
                    brief::usd(worth)
                )
            }),
        ),
        None => {
            let name = words::name(&seen(app, job).await?.line);
            (
                format!("sell all that {name} holds by then; it holds nothing that it could sell now"),
                None,
            )
        }
    };
    if let Some(question) = ask(would, shown.into_iter().collect(), said) {
        return Ok(question);
    }
    let report = lifecycle::liquidate(app, &jobs, request, &said.actor).await?;
    Ok(Reply::Text(words::changed(report)))
}
