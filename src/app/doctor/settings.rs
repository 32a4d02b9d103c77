//! Whether the services have read the settings file that this command has read.

use super::check::{Check, CheckStatus};
use crate::{
    app::{context::App, error::AppError},
    config::{NO_FILE, Settings},
    store::alive,
};

const WHAT: &str = "settings of the services";

/// Nothing where no service is connected, or none says which file it has read.
pub(super) async fn examine(settings: &Settings, app: &App) -> Result<Option<Check>, AppError> {
    let connected = alive::connected(&app.pool).await?;
    if connected.is_empty() {
        return Ok(None);
    }
    let others: Vec<String> = connected
        .iter()
        .filter(|service| service.settings != settings.fingerprint)
        .map(|service| format!("{} read {}", service.service, file(&service.settings)))
        .collect();
    if others.is_empty() {
        return Ok(Some(Check::ok(WHAT, "as this command's")));
    }
    let seen = format!(
        "{}; this command read {}",
        others.join(", "),
        file(&settings.fingerprint)
    );
    Ok(Some(Check::bad(
        CheckStatus::Warn,
        WHAT,
        seen,
        "settings are read at start: restart the services, or run commands with the services' file (LGI_MM_SETTINGS); the \
         number is the beginning of what sha256sum prints of a file",
    )))
}

fn file(fingerprint: &str) -> String {
    if fingerprint == NO_FILE {
        "no file".to_owned()
    } else {
        format!("file {fingerprint}")
    }
}
