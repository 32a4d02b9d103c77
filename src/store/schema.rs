//! Which schema a database has, and bringing it up to date.
//!
//! Only an explicit `migrate` changes the schema: a command that reads must not change a database under services of the
//! previous version, and the roles of services and readers could not.

use std::collections::HashMap;

use sqlx::{PgPool, migrate::Migrator};

use super::refusal::{explain, of_migration};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Grants to the roles of deploy/postgres/roles.sql, as far as they exist.
const GRANTS: &str = include_str!("sql/grants.sql");

const OURS: &str = "SELECT version, checksum, success FROM _sqlx_migrations";

/// SQLSTATE of a table, or a schema, that is not there.
const UNDEFINED: [&str; 2] = ["42P01", "3F000"];

/// What a database has of our tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// No table of ours.
    Missing,
    /// This many migrations are to run, 1 or more.
    Older(usize),
    /// What this version of the program needs.
    Current,
}

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database was migrated by a later version of this program.
    #[error(
        "the database has migration {0}, which this version of lgi-mm does not know: it was made by a newer \
         version; install that version, or point DATABASE_URL at another database"
    )]
    NewerDatabase(i64),
    /// Its first migrations are those of a build from before the first release.
    #[error(
        "the database was made by a build of lgi-mm from before its first release, and cannot be migrated: create a new \
         database (built-in: move its directory away; else DROP DATABASE and CREATE DATABASE), then run `lgi-mm migrate`"
    )]
    Unreleased,
    /// Nobody has migrated it, and who asks may not.
    #[error(
        "the database has no tables of lgi-mm; run `lgi-mm migrate` with a DATABASE_URL of the role that owns the \
         database, or point DATABASE_URL at another database"
    )]
    Missing,
    /// It is from before this version, and who asks may not change it.
    #[error(
        "the database is older than this version of lgi-mm: migrations to run: {0}; run `lgi-mm migrate`, with a \
         DATABASE_URL of the role that owns the database. Until then use the version that made it"
    )]
    Older(usize),
    /// A migration failed; the database is as it was before that migration.
    #[error("migrating the database failed: {}", of_migration(.0))]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The queue's own tables could not be set up.
    #[error("setting up the queue's tables failed: {}", of_queue(.0))]
    Queue(#[source] apalis_postgres::Error),
    /// Which migrations it has cannot be read.
    #[error("reading which migrations the database has failed: {}", explain(.0))]
    Unknown(#[source] sqlx::Error),
    /// The roles of services could not be given what they need.
    #[error(
        "granting the roles of services what they need failed: {}; run `lgi-mm migrate` as the role that owns the tables",
        explain(.0).what
    )]
    Grants(#[source] sqlx::Error),
}

/// Brings the queue's schema and ours up to date, then grants the roles of services what they need. Safe to call from
/// many processes at once.
///
/// # Errors
/// [`MigrateError`]; a database of a newer version is left alone.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    apalis_postgres::PostgresStorage::setup(pool)
        .await
        .map_err(MigrateError::Queue)?;
    if let Some(applied) = applied(pool, OURS).await? {
        to_run(&applied)?;
    }
    match MIGRATOR.run(pool).await {
        Err(sqlx::migrate::MigrateError::VersionMissing(version)) => {
            return Err(MigrateError::NewerDatabase(version));
        }
        other => other?,
    }
    sqlx::raw_sql(GRANTS)
        .execute(pool)
        .await
        .map_err(MigrateError::Grants)?;
    Ok(())
}

/// What the database has; changes nothing.
///
/// # Errors
/// [`MigrateError`] if it is newer, or its migrations are not those of this program.
pub async fn schema(pool: &PgPool) -> Result<Schema, MigrateError> {
    let Some(ours) = applied(pool, OURS).await? else {
        return Ok(Schema::Missing);
    };
    let mut to_run = to_run(&ours)?;
    let queue = "SELECT version, checksum, success FROM apalis._sqlx_migrations";
    match applied(pool, queue).await {
        Ok(applied) => {
            let migrator = apalis_postgres::PostgresStorage::migrations();
            to_run += missing(&migrator, &applied.unwrap_or_default())?;
        }
        // A role that only reads the ledger has nothing to do with the queue.
        Err(MigrateError::Unknown(error)) if is_denied(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(if to_run == 0 {
        Schema::Current
    } else {
        Schema::Older(to_run)
    })
}

/// What a dump has of our tables, by the rows of its `_sqlx_migrations` (version, checksum, success).
///
/// # Errors
/// [`MigrateError`] if it is newer, or its migrations are not those of this program.
pub fn schema_of_rows(rows: impl Iterator<Item = (i64, Vec<u8>, bool)>) -> Result<Schema, MigrateError> {
    let applied: Applied = rows.map(|(version, sum, done)| (version, (sum, done))).collect();
    Ok(match (applied.is_empty(), to_run(&applied)?) {
        (true, _) => Schema::Missing,
        (_, 0) => Schema::Current,
        (_, older) => Schema::Older(older),
    })
}

type Applied = HashMap<i64, (Vec<u8>, bool)>;

/// Version, checksum and success of each; none if there is no such table.
async fn applied(pool: &PgPool, sql: &'static str) -> Result<Option<Applied>, MigrateError> {
    // Not checked when we are compiled: these tables are sqlx's, in a database that may have none of them.
    let rows = sqlx::query_as::<_, (i64, Vec<u8>, bool)>(sql)
        .fetch_all(pool)
        .await;
    match rows {
        Ok(rows) => Ok(Some(
            rows.into_iter()
                .map(|(version, sum, done)| (version, (sum, done)))
                .collect(),
        )),
        Err(sqlx::Error::Database(error))
            if error
                .code()
                .is_some_and(|code| UNDEFINED.contains(&code.as_ref())) =>
        {
            Ok(None)
        }
        Err(error) => Err(MigrateError::Unknown(error)),
    }
}

/// How many of our migrations are to run.
fn to_run(applied: &Applied) -> Result<usize, MigrateError> {
    match missing(&MIGRATOR, applied) {
        Err(MigrateError::Migration(sqlx::migrate::MigrateError::VersionMismatch(_))) => {
            Err(MigrateError::Unreleased)
        }
        other => other,
    }
}

/// How many migrations of `migrator` are to run.
fn missing(migrator: &Migrator, applied: &Applied) -> Result<usize, MigrateError> {
    use sqlx::migrate::MigrateError::{Dirty, VersionMismatch};
    let mut to_run = 0;
    for known in migrator
        .iter()
        .filter(|one| !one.migration_type.is_down_migration())
    {
        match applied.get(&known.version) {
            None => to_run += 1,
            Some((_, false)) => return Err(Dirty(known.version).into()),
            Some((sum, true)) if *sum != *known.checksum => return Err(VersionMismatch(known.version).into()),
            Some(_) => {}
        }
    }
    let unknown = applied
        .keys()
        .filter(|version| !migrator.version_exists(**version))
        .max();
    unknown.map_or(Ok(to_run), |version| Err(MigrateError::NewerDatabase(*version)))
}

/// Whether there is a live job that is not archived, whatever else is in its row.
///
/// # Errors
/// [`sqlx::Error`].
pub async fn any_live(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM jobs WHERE realm = 'live' AND archived_at IS NULL) AS "live!""#
    );
    found.fetch_one(pool).await
}

/// The role that we are, and whether it is a superuser.
///
/// # Errors
/// [`sqlx::Error`].
pub async fn role(pool: &PgPool) -> Result<(String, bool), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT rolname::text AS "name!", rolsuper AS "is_super!" FROM pg_roles WHERE rolname = current_user"#
    );
    let row = row.fetch_one(pool).await?;
    Ok((row.name, row.is_super))
}

fn of_queue(error: &apalis_postgres::Error) -> String {
    match error {
        apalis_postgres::Error::Database(error) => explain(error).to_string(),
        other => other.to_string(),
    }
}

fn is_denied(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("42501"))
}
