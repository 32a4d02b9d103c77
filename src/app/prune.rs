//! Deletes expired rows on request.

use serde::Serialize;
use serde_json::json;

use super::{
    actor::Actor,
    context::App,
    error::AppError,
    trail::{self, Action},
};
use crate::retention::{self, Pass};

pub use crate::retention::Pruned;

/// What was deleted, or would be.
#[derive(Debug, Serialize)]
pub struct PruneView {
    /// Whether rows were only counted.
    pub dry_run: bool,
    /// Number of rows of each kind.
    pub rows: Pruned,
}

/// Counts the expired rows.
///
/// # Errors
/// [`AppError::Refused`] while another process prunes.
pub async fn count(app: &App) -> Result<PruneView, AppError> {
    pass(app, true).await
}

/// Deletes the expired rows. The audit row is written first, with the number of rows that had expired then.
///
/// # Errors
/// [`AppError::Refused`] while another process prunes; that process deletes all of them.
pub async fn prune(app: &App, actor: &Actor) -> Result<PruneView, AppError> {
    let expired = count(app).await?;
    trail::record(app, actor, Action::Prune, "database", json!(expired.rows)).await?;
    pass(app, false).await
}

async fn pass(app: &App, dry_run: bool) -> Result<PruneView, AppError> {
    match retention::prune(&app.pool, &app.settings.retention, dry_run).await? {
        Pass::Done(rows) => Ok(PruneView { dry_run, rows }),
        Pass::Busy => Err(AppError::Refused(
            "another process is pruning; it deletes all expired rows, so there is nothing left to do here"
                .to_owned(),
        )),
    }
}
