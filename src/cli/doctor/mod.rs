//! `doctor`: what is wrong with this installation, and how to mend it.

mod database;
mod live;
mod nonce;
mod notify;
mod policy;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{App, AppError, Out, out::table};
use crate::{
    config::Settings,
    domain::{config::SourceName, job::JobStatus},
    ports::{PriceRequest, Prices},
    store::{
        self,
        jobs::{self, Filter},
        views::{self, Health},
    },
};

/// A difference of clocks that slots and price ages would notice.
const SKEW_MAX_SECS: f64 = 5.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Check {
    verdict: Verdict,
    what: &'static str,
    seen: String,
    mend: Option<String>,
}

impl Check {
    fn ok(what: &'static str, seen: impl ToString) -> Self {
        Self {
            verdict: Verdict::Ok,
            what,
            seen: seen.to_string(),
            mend: None,
        }
    }

    fn bad(verdict: Verdict, what: &'static str, seen: impl ToString, mend: impl ToString) -> Self {
        Self {
            verdict,
            what,
            seen: seen.to_string(),
            mend: Some(mend.to_string()),
        }
    }

    /// OK if `count` is zero.
    fn none(what: &'static str, count: i64, verdict: Verdict, mend: &str) -> Self {
        if count == 0 {
            Self::ok(what, "none")
        } else {
            Self::bad(verdict, what, count, mend)
        }
    }
}

pub(super) async fn run(settings: &Settings, out: Out) -> Result<(), AppError> {
    let checks = match App::read(settings).await {
        Ok(world) => examine(settings, &world).await?,
        Err(error) => vec![Check::bad(Verdict::Fail, "database", &error, "see the message")],
    };
    let failed = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Fail)
        .count();
    out.show(&checks, |checks| {
        let rows = checks.iter().map(|check| {
            let verdict = format!("{:?}", check.verdict).to_uppercase();
            vec![
                verdict,
                check.what.to_owned(),
                check.seen.clone(),
                check.mend.clone().unwrap_or_default(),
            ]
        });
        table(&["", "check", "seen", "how to mend it"], rows)
    })?;
    if failed == 0 {
        Ok(())
    } else {
        Err(AppError::Problems(failed))
    }
}

async fn examine(settings: &Settings, world: &App) -> Result<Vec<Check>, AppError> {
    let health = views::health(&world.pool, chrono::Utc::now()).await?;
    let place = match &world.server {
        Some(server) => format!("private server, log {}", server.log_path().display()),
        None => crate::app::redacted(&world.url),
    };
    let mut checks = vec![
        Check::ok(
            "database",
            format!("PostgreSQL {}, {place}", health.server_version),
        ),
        Check::ok("schema", "up to date"),
        policy::settings_file(settings),
        clock(&health),
        workers(&health),
        Check::none(
            "slots due and not claimed for 2 min",
            health.slots_unclaimed,
            Verdict::Fail,
            "no scheduler runs: start `lgi-mm daemon` or `lgi-mm scheduler`",
        ),
        Check::none(
            "slots handed out and not decided for 2 min",
            health.slots_stuck,
            Verdict::Fail,
            "no worker runs or all are overloaded: start `lgi-mm worker`, or more of them",
        ),
        Check::none(
            "open trades nobody looked at for 2 min",
            health.trades_overdue,
            Verdict::Fail,
            "start `lgi-mm daemon`; open trades are carried on from where they are",
        ),
        Check::none(
            "trades open for 10 min",
            health.trades_old,
            Verdict::Warn,
            "see `lgi-mm status TOKEN`: it shows what the venue answers",
        ),
        Check::none(
            "tasks given up",
            health.tasks_killed,
            Verdict::Warn,
            "see last_result in apalis.jobs; their slots are handed out again by themselves",
        ),
    ];
    let in_error: Vec<String> = health.jobs_in_error.iter().map(ToString::to_string).collect();
    checks.push(if in_error.is_empty() {
        Check::ok("jobs in ERROR", "none")
    } else {
        let mend = "see `lgi-mm status JOB`, mend the cause, then `lgi-mm resume JOB`";
        Check::bad(Verdict::Fail, "jobs in ERROR", in_error.join(", "), mend)
    });
    checks.extend(health.halted.iter().map(|(address, reason)| {
        let mend = "nothing is signed with this key until its nonce is explained; restore the newer database, or use another wallet";
        Check::bad(Verdict::Fail, "halted signer", format!("{address}: {reason}"), mend)
    }));
    checks.extend(policy::examine(world).await?);
    checks.extend(database::examine(settings, world).await?);
    checks.extend(live::examine(world).await?);
    checks.extend(sources(world).await?);
    checks.extend(notify::examine(settings, world).await?);
    checks.push(metrics_address(settings));
    Ok(checks)
}

fn metrics_address(settings: &Settings) -> Check {
    match settings.metrics_address() {
        Some(address) if !address.ip().is_loopback() => Check::bad(
            Verdict::Warn,
            "metrics address",
            address,
            "metrics have no password: listen on 127.0.0.1, or put something in front",
        ),
        Some(address) => Check::ok("metrics address", address),
        None => Check::ok("metrics address", "off"),
    }
}

fn clock(health: &Health) -> Check {
    let skew = health.clock_skew_secs;
    if skew.abs() <= SKEW_MAX_SECS {
        return Check::ok("clock", format!("{skew:.1} s from the database's"));
    }
    let mend = "set the time of this machine or of the database's (NTP); slots follow the database's clock";
    Check::bad(
        Verdict::Warn,
        "clock",
        format!("{skew:.1} s from the database's"),
        mend,
    )
}

fn workers(health: &Health) -> Check {
    if health.workers_alive > 0 {
        return Check::ok("workers", format!("{} queues served", health.workers_alive));
    }
    Check::bad(
        Verdict::Warn,
        "workers",
        "none",
        "jobs trade while `lgi-mm daemon` runs",
    )
}

/// Asks every source that a running job uses, once.
async fn sources(world: &App) -> Result<Vec<Check>, AppError> {
    let filter = Filter {
        status: Some(JobStatus::Running),
        ..Filter::default()
    };
    let jobs = jobs::list(&world.pool, &filter).await?;
    let book = world.prices()?;
    let now = store::now(&world.pool).await?;
    let requests: Vec<PriceRequest<'_>> = jobs
        .iter()
        .map(|job| PriceRequest {
            chain: &job.account.chain,
            token: job.token.address,
            quote: job.quote.address,
            pool: job.config.venue.pool,
            decimals: Some(job.token.decimals),
            config: &job.config.price,
        })
        .collect();
    let answers = book.answers(&requests, now).await;
    let mut problems = BTreeSet::new();
    let mut asked: BTreeSet<SourceName> = BTreeSet::new();
    for (job, answers) in jobs.iter().zip(answers) {
        asked.extend(&job.config.price.sources);
        for missing in answers.into_iter().filter_map(Result::err) {
            problems.insert(format!("job {}: {missing}", job.id));
        }
    }
    if problems.is_empty() {
        let names: Vec<String> = asked.iter().map(ToString::to_string).collect();
        return Ok(vec![Check::ok(
            "price sources",
            if names.is_empty() {
                "none in use".to_owned()
            } else {
                names.join(", ")
            },
        )]);
    }
    let mend =
        "the job holds until the source answers; another: `lgi-mm config edit JOB --set price.sources=..`";
    Ok(problems
        .into_iter()
        .map(|problem| Check::bad(Verdict::Fail, "price source", problem, mend))
        .collect())
}
