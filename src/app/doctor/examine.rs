//! All checks of an installation, in the order in which they are shown.

use std::collections::BTreeSet;

use super::{
    check::{Check, CheckStatus},
    database, live, policy, receivers, settings as files, signals, zones,
};
use crate::{
    app::{
        context::{App, redacted},
        error::AppError,
        health::{self, Answering},
        message::{Advice, message},
        name::JobName,
    },
    config::{self, Settings},
    domain::{Timestamp, config::SourceName, job::JobStatus},
    ports::{PriceRequest, Prices},
    store::{
        self, StoreError,
        jobs::{self, Filter},
        refusal::explain,
        views::{self, Health},
    },
};

/// A larger clock difference affects slots and price ages.
const SKEW_MAX_SECS: f64 = 5.0;

/// Checks this installation: database, services, keys, policy, nodes, price sources and receivers. It changes nothing.
///
/// # Errors
/// [`AppError`] if the database fails during the checks; a database that cannot be opened is a failed check.
pub async fn doctor(settings: &Settings) -> Result<Vec<Check>, AppError> {
    let mut checks = all(settings).await?;
    // What needs attention comes first.
    checks.sort_by_key(|check| std::cmp::Reverse(check.status));
    Ok(checks)
}

/// Checks the installation of this process, through the database that it has open.
///
/// # Errors
/// [`AppError`] if the database fails during the checks.
pub async fn doctor_of(app: &App) -> Result<Vec<Check>, AppError> {
    let mut checks = examine(&app.settings, app).await?;
    checks.sort_by_key(|check| std::cmp::Reverse(check.status));
    Ok(checks)
}

async fn all(settings: &Settings) -> Result<Vec<Check>, AppError> {
    match App::read(settings).await {
        // A table that is missing fails the checks that read it.
        Ok(app) => match examine(settings, &app).await {
            Err(error @ (AppError::Store(_) | AppError::Migrate(_))) => {
                Ok(vec![database::whole(&app).await?, unusable(&error)])
            }
            other => other,
        },
        Err(error) => Ok(vec![unusable(&error)]),
    }
}

/// The message of an error is what was found, then what to do.
fn unusable(error: &AppError) -> Check {
    if let AppError::Store(StoreError::Database(error)) = error {
        let cause = explain(error);
        let fix = cause.remedy.unwrap_or("see the server's log");
        return Check::bad(CheckStatus::Fail, "database", cause.what, fix);
    }
    if let AppError::Unreachable { url, cause } = error {
        let fix = cause.remedy.unwrap_or("see the server's log");
        let seen = format!("{}; DATABASE_URL is {url}", cause.what);
        return Check::bad(CheckStatus::Fail, "database", seen, fix);
    }
    let message = error.to_string();
    let (seen, fix) = message
        .split_once("; ")
        .unwrap_or((&message, "see the server's log"));
    Check::bad(CheckStatus::Fail, "database", seen, fix)
}

async fn examine(settings: &Settings, app: &App) -> Result<Vec<Check>, AppError> {
    let health = views::health(&app.pool, chrono::Utc::now()).await?;
    let place = match &app.server {
        Some(server) => format!("private server, log {}", server.log_path().display()),
        None => redacted(&app.url),
    };
    let mut checks = vec![
        Check::ok(
            "database",
            format!("PostgreSQL {}, {place}", health.server_version),
        ),
        Check::ok("schema", "up to date"),
        policy::settings_file(settings),
        clock(&health),
        zones::examine(config::zones::in_use(), chrono::Utc::now().date_naive()),
        workers(&health),
    ];
    checks.extend(files::examine(settings, app).await?);
    checks.extend(backlog(&health));
    checks.extend(stopped(&health));
    checks.extend(policy::examine(app).await?);
    checks.extend(database::examine(settings, app).await?);
    checks.extend(live::examine(app).await?);
    checks.extend(sources(app).await?);
    checks.extend(receivers::examine(settings, app).await?);
    checks.extend(signals::examine(settings, app).await?);
    checks.push(metrics_address(settings).await);
    Ok(checks)
}

fn moment(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Jobs that no scheduler takes.
fn unclaimed(health: &Health) -> Check {
    let what = "slots due and not claimed for 2 min";
    let Some(since) = health.unclaimed_since else {
        return Check::ok(what, "none");
    };
    Check::bad(
        CheckStatus::Fail,
        what,
        format!("{}, the first since {}", health.slots_unclaimed, moment(since)),
        message![
            "no scheduler is running: start ",
            Advice::Daemon,
            " or ",
            Advice::RunScheduler,
        ],
    )
}

/// Work that waits for longer than it should.
fn backlog(health: &Health) -> [Check; 5] {
    [
        unclaimed(health),
        Check::none(
            "slots dispatched and not decided for 2 min",
            health.slots_stuck,
            CheckStatus::Fail,
            message![
                "no worker is running, or all are overloaded: start (more) ",
                Advice::RunWorker,
                " processes",
            ],
        ),
        Check::none(
            "open trades not checked for 2 min",
            health.trades_overdue,
            CheckStatus::Fail,
            message![
                "start ",
                Advice::Daemon,
                "; it resumes open trades where they stopped",
            ],
        ),
        Check::none(
            "trades open for 10 min",
            health.trades_old,
            CheckStatus::Warn,
            message!["see ", Advice::Status, ": it shows the venue's answers"],
        ),
        Check::none(
            "tasks given up",
            health.tasks_killed,
            CheckStatus::Warn,
            "see last_result in apalis.jobs; their slots are dispatched again automatically",
        ),
    ]
}

/// Jobs and signers that need their owner.
fn stopped(health: &Health) -> Vec<Check> {
    let in_error = &health.jobs_in_error;
    let mut checks = vec![if in_error.is_empty() {
        Check::ok("jobs in ERROR", "none")
    } else {
        let fix = message!["see ", Advice::Status, ", fix the cause, then ", Advice::Resume];
        Check::bad(CheckStatus::Fail, "jobs in ERROR", in_error.join(", "), fix)
    }];
    checks.extend(health.halted.iter().map(|(address, reason)| {
        let fix = "nothing is signed with this key until its nonce is explained; restore the newer database, or use another wallet";
        Check::bad(CheckStatus::Fail, "halted signer", format!("{address}: {reason}"), fix)
    }));
    checks
}

async fn metrics_address(settings: &Settings) -> Check {
    let what = "metrics address";
    let Some(address) = settings.metrics_address() else {
        return Check::ok(what, "off");
    };
    let seen = match health::who_answers(address).await {
        Answering::Another(said) => {
            return Check::bad(
                CheckStatus::Fail,
                what,
                format!("{address}: another program has it ({said})"),
                "services cannot serve metrics and health checks there: set metrics.listen to a free address, or to off",
            );
        }
        Answering::Service => format!("{address}, a service of lgi-mm answers"),
        Answering::Nobody => format!("{address}, nothing listens there now"),
    };
    if address.ip().is_loopback() {
        return Check::ok(what, seen);
    }
    let fix = "metrics have no password: listen on 127.0.0.1, or put an authenticating proxy in front";
    Check::bad(CheckStatus::Warn, what, seen, fix)
}

fn clock(health: &Health) -> Check {
    let skew = health.clock_skew_secs;
    if skew.abs() <= SKEW_MAX_SECS {
        return Check::ok("clock", format!("{skew:.1} s from the database's"));
    }
    let fix = "set the time of this machine or of the database's (NTP); slots follow the database's clock";
    Check::bad(
        CheckStatus::Warn,
        "clock",
        format!("{skew:.1} s from the database's"),
        fix,
    )
}

fn workers(health: &Health) -> Check {
    if health.workers_alive > 0 {
        let seen = format!(
            "processes: {}, queues served: {}",
            health.workers_alive, health.queues_served
        );
        return Check::ok("workers", seen);
    }
    let since = health
        .worker_seen
        .map(moment)
        .map(|seen| format!(" since {seen}"));
    Check::bad(
        CheckStatus::Warn,
        "workers",
        format!("none{}", since.unwrap_or_default()),
        message!["jobs trade while ", Advice::Daemon, " runs"],
    )
}

/// Queries every source that a running job uses, once.
async fn sources(app: &App) -> Result<Vec<Check>, AppError> {
    let filter = Filter {
        status: Some(JobStatus::Running),
        ..Filter::default()
    };
    let jobs = jobs::list(&app.pool, &filter).await?;
    let book = app.prices()?;
    let now = store::now(&app.pool).await?;
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
            problems.insert(format!("{}: {missing}", JobName::from(job)));
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
    let edit = Advice::Edit {
        job: None,
        assignment: "price.sources=..",
    };
    let fix = message!["the job holds until the source answers; to change it: ", edit];
    Ok(problems
        .into_iter()
        .map(|problem| Check::bad(CheckStatus::Fail, "price source", problem, fix.clone()))
        .collect())
}
