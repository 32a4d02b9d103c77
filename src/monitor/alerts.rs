//! Alertmanager's messages, written to the log: an alert that no receiver takes is still seen where its owner looks.

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use tracing::{error, info, warn};

use crate::domain::foreign::Foreign;

/// Bytes of a message that are read.
pub(super) const MESSAGE_MAX: usize = 256 << 10;

/// Alerts of one message that are logged, each in a line.
const LINES_MAX: usize = 20;

/// What we read of a message; its format has more.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    alerts: Vec<Alert>,
}

#[derive(Debug, Deserialize)]
struct Alert {
    #[serde(default)]
    status: String,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Debug, Default, Deserialize)]
struct Labels {
    #[serde(default)]
    alertname: String,
    #[serde(default)]
    severity: String,
}

#[derive(Debug, Default, Deserialize)]
struct Annotations {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    runbook_url: String,
}

/// Logs what arrived. Anyone who reaches the port may send it, so it is text of strangers and changes nothing.
pub(super) async fn log(Json(message): Json<Message>) -> StatusCode {
    for alert in message.alerts.iter().take(LINES_MAX) {
        line(alert);
    }
    let more = message.alerts.len().saturating_sub(LINES_MAX);
    if more > 0 {
        warn!(more, "further alerts in the same message");
    }
    StatusCode::NO_CONTENT
}

fn line(alert: &Alert) {
    let (name, summary) = (
        Foreign::new(&alert.labels.alertname),
        Foreign::new(&alert.annotations.summary),
    );
    let runbook = Foreign::new(&alert.annotations.runbook_url);
    match (alert.status.as_str(), alert.labels.severity.as_str()) {
        ("resolved", _) => info!(alert = %name, %summary, "alert resolved"),
        (_, "critical") => error!(alert = %name, %summary, %runbook, "alert: critical"),
        _ => warn!(alert = %name, %summary, %runbook, "alert"),
    }
}
