//! SQL only: the ledger's rows, and the statements that guard them.

use sqlx::PgPool;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database was migrated by a later version of this program.
    #[error(
        "the database has migration {0}, which this version of lgi-mm does not know: it was made by a newer \
         version; install that version, or point DATABASE_URL at another database"
    )]
    NewerDatabase(i64),
    /// A migration failed; the database is as it was before that migration.
    #[error("migrating the database failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The queue's own tables could not be set up.
    #[error("setting up the queue's tables failed: {0}")]
    Queue(#[source] apalis_postgres::Error),
}

/// Brings the queue's schema and ours up to date. Safe to call from many processes at once.
///
/// # Errors
/// [`MigrateError`]; a database of a newer version is left alone.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    apalis_postgres::PostgresStorage::setup(pool).await.map_err(MigrateError::Queue)?;
    match MIGRATOR.run(pool).await {
        Err(sqlx::migrate::MigrateError::VersionMissing(version)) => Err(MigrateError::NewerDatabase(version)),
        other => Ok(other?),
    }
}
