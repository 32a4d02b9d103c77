//! Checks that each signal of the settings has a secret that can be read and a job that it may act on.

use super::check::{Check, CheckStatus};
use crate::{
    app::{context::App, error::AppError, name::JobName},
    config::Settings,
    domain::{
        ids::JobId,
        job::{JobMode, Realm},
        signal::SignalAction,
    },
    store::jobs,
};

const WHAT: &str = "signals";

pub(super) async fn examine(settings: &Settings, app: &App) -> Result<Vec<Check>, AppError> {
    if settings.signals.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<JobId> = settings.signals.values().map(|signal| signal.job).collect();
    let found = jobs::by_ids(&app.pool, &ids).await?;
    let mut bad = Vec::new();
    for (name, signal) in &settings.signals {
        if let Err(error) = signal.key(name) {
            let fix = "the API is not served until it can be used; correct it, then start the server again";
            bad.push(Check::bad(CheckStatus::Fail, WHAT, error, fix));
        }
        let readable = found.iter().filter_map(|job| job.as_ref().ok());
        let job = readable
            .filter(|job| job.archived_at.is_none())
            .find(|job| job.id == signal.job);
        match job {
            None => {
                let seen = format!("{name} is for job {}, and there is no such job", signal.job);
                let fix = format!("set signals.{name}.job to the number of a job, or remove the section");
                bad.push(Check::bad(CheckStatus::Warn, WHAT, seen, fix));
            }
            Some(job) if job.account.realm == Realm::Live && !signal.live => {
                let seen = format!(
                    "{name} does nothing: {} trades with real money",
                    JobName::from(job)
                );
                let fix = format!("set signals.{name}.live = true if that is meant");
                bad.push(Check::bad(CheckStatus::Warn, WHAT, seen, fix));
            }
            Some(job) if signal.allow.contains(&SignalAction::Order) && job.mode != JobMode::Order => {
                let seen = format!(
                    "{name} may order, and {} has mode {}: only a job of mode {} is ordered again",
                    JobName::from(job),
                    job.mode,
                    JobMode::Order
                );
                let fix = format!(
                    "take order out of signals.{name}.allow, or set signals.{name}.job to an order's job"
                );
                bad.push(Check::bad(CheckStatus::Warn, WHAT, seen, fix));
            }
            Some(_) => {}
        }
    }
    if bad.is_empty() {
        let names: Vec<&str> = settings.signals.keys().map(String::as_str).collect();
        bad.push(Check::ok(WHAT, names.join(", ")));
    }
    Ok(bad)
}
