//! Restores a backup.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use serde_json::json;

use super::{Elsewhere, backup::whole, dumps, elsewhere};
use crate::{
    app::{
        actor::Actor,
        context::App,
        error::{AppError, ErrorKind},
        message::message,
        trail::{self, Action},
    },
    config::Settings,
    dump::Dump,
    store::{
        self, MigrateError, Schema,
        integrity::{self, Depth},
        signers,
        tenants::{self, Holds},
    },
    version,
};

/// A session of our own that is closing is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a live wallet signs nothing after a restore.
const HALTED: &str =
    "the database was restored from a backup: the wallet may have traded since; run reconcile";

/// A backup that was restored.
#[derive(Debug, Serialize)]
pub struct RestoreView {
    /// The file.
    pub file: PathBuf,
    /// When the backup was made, as PostgreSQL wrote it.
    pub made: String,
    /// Whether its tables were brought up to this version.
    pub migrated: bool,
    /// Jobs in it, removed ones included.
    pub jobs: i64,
    /// Trades in it.
    pub trades: i64,
    /// Live wallets that sign nothing until they are reconciled.
    pub halted: Vec<HaltedWallet>,
    /// What was not in it.
    pub elsewhere: Vec<Elsewhere>,
}

/// A wallet that signs nothing yet.
#[derive(Debug, Serialize)]
pub struct HaltedWallet {
    /// The chain.
    pub chain: String,
    /// Its address.
    pub wallet: String,
}

/// Restores a backup into a database that holds nothing yet. Every live wallet is halted until it is reconciled: what
/// it did since the backup is not in the ledger.
///
/// # Errors
/// [`AppError`] if the file is no whole backup of this program or of a newer version, or if the database holds
/// something or is in use; the database is then as it was.
pub async fn restore(settings: &Settings, actor: &Actor, file: &Path) -> Result<RestoreView, AppError> {
    let app = App::unmigrated(settings).await?;
    let dumps = dumps(&app).await?;
    let dump = dumps.open(file).await?;
    let schema = schema_in(&dump).await?;
    whole(&dump, schema)?;
    alone(&app).await?;
    make_room(&app).await?;
    dumps.restore(&dump).await?;
    store::migrate(&app.pool).await?;
    let missing = integrity::missing(&app.pool, Depth::Full).await?;
    if !missing.is_empty() {
        return Err(AppError::HalfFilled(missing));
    }
    let halted = signers::halt_live(&app.pool, HALTED).await?;
    let made = dump.contents.made().unwrap_or("an unknown time").to_owned();
    let detail = json!({ "file": file.display().to_string(), "made": made, "version": version::FULL });
    trail::record(&app, actor, Action::Restore, "database", detail).await?;
    let (jobs, trades) = tenants::counts(&app.pool).await?;
    let wallet = |(chain, wallet)| HaltedWallet { chain, wallet };
    Ok(RestoreView {
        file: dump.path,
        made,
        migrated: schema != Schema::Current,
        jobs,
        trades,
        halted: halted.into_iter().map(wallet).collect(),
        elsewhere: elsewhere(settings)?,
    })
}

/// Which schema the backup has.
async fn schema_in(dump: &Dump) -> Result<Schema, AppError> {
    let path = dump.path.display();
    if !dump.contents.has_table("public", "_sqlx_migrations")
        || !dump.contents.has_table("public", "installation")
    {
        let said = format!("{path} is a dump of another program: it has no ledger of lgi-mm");
        return Err(message![said].bad_input());
    }
    let rows = dump.rows("public", "_sqlx_migrations").await?;
    let applied = rows.iter().filter_map(|row| migration(row));
    match store::schema::schema_of_rows(applied) {
        Ok(Schema::Missing) => {
            Err(message![format!("{path} does not say of which version it is; use another backup")].bad_input())
        }
        Ok(schema) => Ok(schema),
        Err(MigrateError::NewerDatabase(version)) => Err(message![format!(
            "{path} was made by a newer version of lgi-mm: this one does not know its migration {version}; install that \
             version, then restore"
        )]
        .bad_input()),
        Err(MigrateError::Unreleased) => Err(message![format!(
            "{path} was made by a build of lgi-mm from before its first release, and cannot be used by this version"
        )]
        .bad_input()),
        Err(other) => Err(other.into()),
    }
}

/// Version, checksum and success of a row of `_sqlx_migrations`: version, description, installed_on, success, checksum,
/// execution_time.
fn migration(row: &[String]) -> Option<(i64, Vec<u8>, bool)> {
    let sum = row.get(4)?.trim_start_matches('\\').strip_prefix('x')?;
    let sum = alloy_primitives::hex::decode(sum).ok()?;
    Some((row.first()?.parse().ok()?, sum, row.get(3)? == "t"))
}

/// Refuses a database that another process uses.
async fn alone(app: &App) -> Result<(), AppError> {
    let begun = std::time::Instant::now();
    loop {
        let others = tenants::others(&app.pool).await?;
        if others.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            let said = format!(
                "other programs use the database: {}; stop every scheduler, worker and daemon on it, and close psql; if a pooler \
                 keeps its sessions open, set DATABASE_URL to the server itself",
                others.join(", ")
            );
            return Err(message![said].refused());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Refuses a database that holds something; removes the tables of one in which nobody has given an order.
async fn make_room(app: &App) -> Result<(), AppError> {
    let elsewhere = match &app.server {
        Some(server) => format!(
            "to restore all the same, move the database away (mv {0} {0}.before) while nothing of lgi-mm runs, then restore again",
            server.directory().display()
        ),
        None => "to restore all the same, create an empty database and set DATABASE_URL to it".to_owned(),
    };
    match tenants::holds(&app.pool).await? {
        Holds::Nothing => Ok(()),
        Holds::NewLedger => Ok(tenants::clear_new_ledger(&app.pool).await?),
        Holds::Ledger { jobs, trades, named } => {
            let more = if jobs > named.len().try_into().unwrap_or(i64::MAX) {
                ", .."
            } else {
                ""
            };
            let named = match named.as_slice() {
                [] => String::new(),
                named => format!(": job {}{more}", named.join(", job ")),
            };
            let said = format!(
                "the database is not empty: jobs: {jobs}, trades: {trades}{named}; a backup is never merged into a \
                 ledger; {elsewhere}"
            );
            Err(message![said].error(ErrorKind::Refused))
        }
        Holds::Foreign(tables) => {
            let said = format!(
                "the database is not empty: it has {}; {elsewhere}",
                tables.join(", ")
            );
            Err(message![said].error(ErrorKind::Refused))
        }
    }
}
