//! Writes a backup.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::{Elsewhere, dumps, elsewhere};
use crate::{
    app::{
        actor::Actor,
        context::App,
        error::AppError,
        message::{Field, message},
        trail::{self, Action},
    },
    dump::{Dump, DumpError},
    store::{
        self, MigrateError, Schema,
        integrity::{self, Depth},
        server, tenants,
    },
    version,
};

/// A backup that was made.
#[derive(Debug, Serialize)]
pub struct BackupView {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The version of this program.
    pub version: &'static str,
    /// The server's version.
    pub server: String,
    /// Jobs in it, removed ones included.
    pub jobs: i64,
    /// Trades in it.
    pub trades: i64,
    /// What is not in it.
    pub elsewhere: Vec<Elsewhere>,
}

/// Writes the whole ledger to `file`, consistently, while services run. The file gets its name when it is whole.
///
/// # Errors
/// [`AppError::HalfFilled`] for a ledger that is not whole; an error if the file is there and `replace` is not given,
/// or cannot be written.
pub async fn backup(app: &App, actor: &Actor, file: &Path, replace: bool) -> Result<BackupView, AppError> {
    let schema = store::schema_of(&app.pool).await?;
    if schema == Schema::Missing {
        return Err(MigrateError::Missing.into());
    }
    if schema == Schema::Current {
        let missing = integrity::missing(&app.pool, Depth::Full).await?;
        if !missing.is_empty() {
            return Err(AppError::HalfFilled(missing));
        }
    }
    let dumps = dumps(app).await?;
    // In the backup itself, so that it says of which version it is.
    if server::takes_writes(&app.pool).await? {
        let detail = json!({ "version": version::FULL });
        trail::record(app, actor, Action::Backup, "database", detail).await?;
    }
    let mut server = String::new();
    let made = dumps.make(file, replace, async |dump: &Dump| {
        server = dump.contents.server().unwrap_or_default().to_owned();
        whole(dump, schema)
    });
    let path = match made.await {
        Err(AppError::Advised { .. }) if !replace && file.exists() => {
            return Err(message![
                format!("{} exists already; choose another name, or give ", file.display()),
                Field::Force,
                " to replace it",
            ]
            .refused());
        }
        other => other?,
    };
    let (jobs, trades) = tenants::counts(&app.pool).await?;
    Ok(BackupView {
        bytes: std::fs::metadata(&path).map_or(0, |found| found.len()),
        file: path,
        version: version::FULL,
        server,
        jobs,
        trades,
        elsewhere: elsewhere(&app.settings)?,
    })
}

/// Refuses a dump that lacks a part of the ledger. An older schema has other parts; its tables are there all the same.
pub(super) fn whole(dump: &Dump, schema: Schema) -> Result<(), AppError> {
    let missing = if schema == Schema::Current {
        dump.contents.lacks(integrity::parts())
    } else {
        let tables = [
            "jobs",
            "job_slots",
            "trades",
            "transactions",
            "attempts",
            "fills",
            "signers",
        ];
        let missing = tables
            .into_iter()
            .filter(|table| !dump.contents.has_table("public", table));
        missing.map(|table| format!("table public.{table}")).collect()
    };
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!("it lacks {}", integrity::shown(missing).join(", "));
    let path = dump.path.clone();
    Err(DumpError::NotWhole { path, why }.into())
}
