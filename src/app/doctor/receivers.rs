//! Checks delivery of notifications by our own records, without sending; `lgi-mm notify test` sends one.

use super::check::{Check, CheckStatus};
use crate::app::message::{Advice, message};
use crate::{
    app::{context::App, error::AppError},
    config::Settings,
    store::deliveries,
};

const WHAT: &str = "receivers of messages";

pub(super) async fn examine(settings: &Settings, app: &App) -> Result<Vec<Check>, AppError> {
    let receivers = settings.notify.receivers();
    let mut unknown = deliveries::named_by_jobs(&app.pool).await?;
    unknown.retain(|name| receivers.iter().all(|receiver| receiver.name != *name));
    let mut bad = Vec::new();
    if !unknown.is_empty() {
        let seen = format!("jobs refer to {}", unknown.join(", "));
        let edit = Advice::Edit {
            job: None,
            assignment: "notify.receivers=..",
        };
        let fix = message!["not in these settings: add them, or run ", edit];
        bad.push(Check::bad(CheckStatus::Warn, "unknown receivers", seen, fix));
    }
    if receivers.is_empty() && bad.is_empty() {
        return Ok(vec![Check::ok(WHAT, "none in the settings")]);
    }
    let statuses = deliveries::statuses(&app.pool).await?;
    for receiver in &receivers {
        if let Err(error) = receiver.check().await {
            let fix = message![
                "messages wait until it can be read; then run ",
                Advice::TestNotifications,
            ];
            bad.push(Check::bad(CheckStatus::Fail, "receiver", error, fix));
        }
    }
    bad.extend(
        statuses
            .iter()
            .filter(|status| status.failures > 0)
            .map(|status| {
                let seen = format!(
                    "{}: {} messages wait; {}",
                    status.name,
                    status.waiting,
                    status.last_error.as_deref().unwrap_or_default()
                );
                let fix = message![
                    "waiting messages are sent once it works again; try ",
                    Advice::TestNotifications,
                ];
                Check::bad(CheckStatus::Warn, "receiver fails", seen, fix)
            }),
    );
    if bad.is_empty() {
        let names: Vec<String> = receivers.into_iter().map(|receiver| receiver.name).collect();
        bad.push(Check::ok(WHAT, names.join(", ")));
    }
    Ok(bad)
}
