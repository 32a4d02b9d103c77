//! The audit trail of writes that belong to no job.

use serde_json::Value;
use strum::IntoStaticStr;

use super::{actor::Actor, context::App, error::AppError};
use crate::store::trail::{self, TrailEntry};

/// What was done. The text is stored: renaming a variant needs a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Action {
    Backup,
    ConsoleLink,
    ConsoleOpen,
    Migrate,
    Prune,
    PaperFund,
    PaperFault,
    PaperFaultsClear,
    PolicyAllow,
    ReconcileApply,
    Restore,
    TokenNew,
    TokenRevoke,
    WalletAdopt,
    Withdraw,
}

/// Adds a row for a write before it is made. Only `migrate` records right after it, since before it there may be no
/// table; what it did is also in `_sqlx_migrations`.
pub(super) async fn record(
    app: &App,
    actor: &Actor,
    action: Action,
    subject: &str,
    detail: Value,
) -> Result<(), AppError> {
    let entry = TrailEntry {
        actor: actor.as_str(),
        action: action.into(),
        subject,
        detail: &detail,
    };
    Ok(trail::record(&app.pool, entry).await?)
}
