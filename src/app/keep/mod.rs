//! Backups of the ledger, and restoring them.

mod backup;
mod places;
mod restore;

use std::io;

pub use backup::{BackupView, backup};
pub use places::{Elsewhere, elsewhere};
pub use restore::{RestoreView, restore};

use crate::{
    app::{
        context::App,
        database,
        error::{AppError, ErrorKind},
        message::message,
    },
    dump::{DumpError, Dumps},
    store::tenants,
};

/// The database as PostgreSQL's own programs reach it.
async fn dumps(app: &App) -> Result<Dumps, AppError> {
    Ok(Dumps {
        environment: database::libpq(&app.url)?,
        server: tenants::server_major(&app.pool).await?,
    })
}

impl From<DumpError> for AppError {
    fn from(error: DumpError) -> Self {
        let kind = match &error {
            DumpError::NoDump(_) | DumpError::NotWhole { .. } | DumpError::NewerFormat { .. } => {
                ErrorKind::BadInput
            }
            // A path that no backup can be written to, or read from.
            DumpError::File { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::PermissionDenied
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::IsADirectory
                        | io::ErrorKind::ReadOnlyFilesystem
                        | io::ErrorKind::InvalidInput
                ) =>
            {
                ErrorKind::BadInput
            }
            DumpError::File { .. } => ErrorKind::Internal,
            DumpError::Exists(_) => ErrorKind::Refused,
            DumpError::Program(_) | DumpError::Failed { .. } => ErrorKind::Database,
        };
        message![error.to_string()].error(kind)
    }
}
