//! Checks settings and policy: which files are in force, and what each key may sign.

use super::check::{Check, CheckStatus};
use crate::app::message::{Advice, message};
use crate::{
    app::{context::App, error::AppError, name::JobName, policy::need},
    config::Settings,
    domain::job::{JobStatus, Realm},
    store::jobs::{self, Filter},
};

pub(super) fn settings_file(settings: &Settings) -> Check {
    match &settings.origin {
        Some(path) => Check::ok("settings file", path.display()),
        None => Check::ok("settings file", "none: defaults and environment"),
    }
}

/// Empty without live jobs: paper needs no policy.
pub(super) async fn examine(app: &App) -> Result<Vec<Check>, AppError> {
    let (jobs, _) = jobs::readable(&app.pool, &Filter::default()).await?;
    let live = |job: &jobs::Job| job.account.realm == Realm::Live && job.status != JobStatus::Idle;
    let jobs: Vec<_> = jobs.into_iter().filter(live).collect();
    if jobs.is_empty() {
        return Ok(vec![]);
    }
    let book = app.live().policy();
    let policy = match book.policy() {
        Ok(policy) => policy,
        Err(refusal) => {
            let fix = message![
                "nothing is signed with real money: ",
                Advice::CheckPolicy,
                " prints what allows each job",
            ];
            return Ok(vec![Check::bad(CheckStatus::Fail, "policy", refusal.detail, fix)]);
        }
    };
    let mut checks = vec![Check::ok("policy", book.path().display())];
    let now = chrono::Utc::now();
    for entry in &policy.allow {
        let name = format!("{} on {}", entry.wallet, entry.chain);
        checks.push(match book.spent(&entry.chain, entry.wallet, now) {
            Ok(spent) => Check::ok(
                "policy of a key",
                format!(
                    "{name}: {} tokens, a buy at most {} USD; {} of {} USD used this hour, {} of {} USD today",
                    entry.tokens.len(),
                    entry.max_trade_usd,
                    spent.hour,
                    entry.max_hour_usd,
                    spent.day,
                    entry.max_day_usd
                ),
            ),
            Err(refusal) => Check::bad(
                CheckStatus::Fail,
                "policy of a key",
                format!("{name}: {}", refusal.detail),
                "nothing is bought until what was signed can be counted",
            ),
        });
    }
    for job in &jobs {
        let Ok(live) = app.live().chain(&job.account.chain) else {
            continue;
        };
        let lacks = need::lacks(&policy, job, &live.spec);
        if !lacks.is_empty() {
            checks.push(Check::bad(
                CheckStatus::Fail,
                "policy of a job",
                format!("{}: the policy lacks {}", JobName::from(job), lacks.join("; ")),
                message![
                    Advice::Allow(job.id),
                    " on the machine whose worker holds the key",
                ],
            ));
        }
    }
    Ok(checks)
}
