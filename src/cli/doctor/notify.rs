//! What keeps messages from their receivers. Nobody outside is asked: `lgi-mm notify test` does that.

use super::{Check, Verdict};
use crate::{
    cli::{App, AppError},
    config::Settings,
    store::deliveries,
};

const WHAT: &str = "receivers of messages";

pub(super) async fn examine(settings: &Settings, world: &App) -> Result<Vec<Check>, AppError> {
    let receivers = settings.notify.receivers();
    let mut unknown = deliveries::named_by_jobs(&world.pool).await?;
    unknown.retain(|name| receivers.iter().all(|receiver| receiver.name != *name));
    let mut bad = Vec::new();
    if !unknown.is_empty() {
        let seen = format!("jobs name {}", unknown.join(", "));
        let mend =
            "not in these settings: add it there, or `lgi-mm config edit JOB --set notify.receivers=..`";
        bad.push(Check::bad(Verdict::Warn, "unknown receivers", seen, mend));
    }
    if receivers.is_empty() && bad.is_empty() {
        return Ok(vec![Check::ok(WHAT, "none in the settings")]);
    }
    let statuses = deliveries::statuses(&world.pool).await?;
    for receiver in &receivers {
        if let Err(error) = receiver.check().await {
            let mend = "messages wait until it can be read; then try `lgi-mm notify test`";
            bad.push(Check::bad(Verdict::Fail, "receiver", error, mend));
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
                let mend = "what waits is sent when it works again; try `lgi-mm notify test`";
                Check::bad(Verdict::Warn, "receiver fails", seen, mend)
            }),
    );
    if bad.is_empty() {
        let names: Vec<String> = receivers.into_iter().map(|receiver| receiver.name).collect();
        bad.push(Check::ok(WHAT, names.join(", ")));
    }
    Ok(bad)
}
