//! Session settings: if the host of a client vanishes, its connection stays open, and a transaction it had begun would
//! keep its locks for over ten minutes. These settings end it within [`SILENCE_MAX`].

use std::time::Duration;

use futures::{StreamExt, stream::FuturesUnordered};
use sqlx::{
    Connection, PgConnection, PgPool, Postgres, Row, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tracing::{debug, info};

use super::{
    refusal::{Refusal, explain},
    server,
};

/// A peer that is silent for longer than this has lost its locks.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Server settings of a session. Unix sockets and loopback tolerate them. A transaction of ours is never idle for long:
/// no network call is made inside one.
const SETTINGS: [(&str, &str); 6] = [
    // A backend that waits for a command, in a transaction or not.
    ("idle_in_transaction_session_timeout", "20s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "2"),
    // A backend that sends an answer to a client that does not acknowledge it.
    ("tcp_user_timeout", "20000"),
    // A backend that works, or waits for a lock: it looks whether its client is still there.
    ("client_connection_check_interval", "5s"),
];

/// A setting that means nothing to the server: poolers keep the parameters of a connection to themselves.
const DIRECT: (&str, &str) = ("lgi_mm.connection", "direct");

/// SQLSTATEs of a server or pooler that does not accept settings at the start of a connection: a startup parameter that
/// a pooler refuses, a setting that does not exist, has another range, or is not ours to change.
const REFUSES_SETTINGS: [&str; 5] = ["08P01", "0A000", "42704", "22023", "42501"];

/// Where no session was served for this long, none of those that wait is counted on.
const UNSERVED_AFTER: Duration = Duration::from_secs(5);

/// Why no session can be opened, or none should be.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The server, or what is in between, refuses the connection.
    #[error("{}", explain(.0))]
    Refused(#[from] sqlx::Error),
    /// It answers, and is not what we need.
    #[error("{0}")]
    Unfit(Refusal),
}

/// How sessions of a process are opened.
#[derive(Debug, Clone)]
pub struct Sessions {
    options: PgConnectOptions,
    /// Settings are made by a statement after connecting, as far as the server accepts them.
    by_statement: bool,
    /// A pooler is in between.
    pooled: bool,
}

/// How many sessions a process can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// In addition to those that are open now.
    pub now: u32,
    /// If no other process had any.
    pub ever: u32,
}

/// The limits of the server, of the database and of the role, and what is left of each besides this session.
const ROOM: &str = "
    WITH open AS (SELECT datname, usename FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid()),
    allowed AS (
        SELECT current_setting('max_connections')::bigint - CASE WHEN r.rolsuper THEN 0 ELSE
                   current_setting('superuser_reserved_connections')::bigint
                   + coalesce(nullif(current_setting('reserved_connections', true), '')::bigint, 0) END AS server,
               CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper THEN d.datconnlimit END AS of_database,
               CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit END AS of_role
        FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = session_user
    )
    SELECT least(server, of_database, of_role) AS ever,
           least(server - (SELECT count(*) FROM open),
                 of_database - (SELECT count(*) FROM open WHERE datname = current_database()),
                 of_role - (SELECT count(*) FROM open WHERE usename = session_user)) AS now
    FROM allowed";

async fn room(connection: &mut PgConnection) -> Result<Room, sqlx::Error> {
    let row = sqlx::query(ROOM).fetch_one(connection).await?;
    let count = |value: i64| u32::try_from(value.max(0)).unwrap_or(u32::MAX);
    Ok(Room {
        now: count(row.try_get("now")?),
        ever: count(row.try_get("ever")?),
    })
}

impl Sessions {
    /// Connects once, to see that the server answers and how it takes our settings.
    ///
    /// # Errors
    /// [`ProbeError`], if the connection string cannot be read, the server does not answer, or it cannot be used.
    pub async fn probe(url: &str) -> Result<Self, ProbeError> {
        let plain: PgConnectOptions = url.parse()?;
        let options = with_settings(plain.clone());
        let (mut connection, sessions) = match PgConnection::connect_with(&options).await {
            Ok(mut connection) => {
                let pooled = !is_direct(&mut connection).await?;
                (connection, Self::new(options, false, pooled))
            }
            Err(error) if refuses_settings(&error) => {
                info!(
                    error = %explain(&error).what,
                    "the server takes no settings when it is connected to; they are made by statements"
                );
                let connection = PgConnection::connect_with(&plain).await?;
                (connection, Self::new(plain, true, true))
            }
            Err(error) => return Err(error.into()),
        };
        let unfit = server::unfit(&mut connection, &sessions.options).await?;
        connection.close().await?;
        unfit.map_or(Ok(sessions), |refusal| Err(ProbeError::Unfit(refusal)))
    }

    const fn new(options: PgConnectOptions, by_statement: bool, pooled: bool) -> Self {
        Self {
            options,
            by_statement,
            pooled,
        }
    }

    /// The same under a name that the server shows with each session, unless the connection string has one, or the
    /// server takes no settings.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        if self.options.get_application_name().is_none() && !self.by_statement {
            self.options = self.options.application_name(name);
        }
        self
    }

    /// How many sessions a process that would open up to `wanted` can have. A server tells; a pooler lets a client that
    /// it has no connection for wait without an answer, so behind one they are opened and closed again.
    ///
    /// # Errors
    /// [`sqlx::Error`], if the server does not answer.
    pub async fn room(&self, wanted: u32) -> Result<Room, sqlx::Error> {
        if self.pooled {
            let served = self.served(wanted).await;
            return Ok(Room {
                now: served,
                ever: served,
            });
        }
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let room = room(&mut connection).await?;
        connection.close().await?;
        Ok(room)
    }

    /// Opens up to `wanted` sessions, keeps them until no further one is served, and closes them all.
    async fn served(&self, wanted: u32) -> u32 {
        let mut opening: FuturesUnordered<_> = (0..wanted).map(|_| self.open()).collect();
        let mut served = Vec::new();
        while let Ok(Some(opened)) = tokio::time::timeout(UNSERVED_AFTER, opening.next()).await {
            served.extend(opened.ok());
        }
        let count = u32::try_from(served.len()).unwrap_or(u32::MAX);
        futures::future::join_all(served.into_iter().map(PgConnection::close)).await;
        count
    }

    /// A session that has answered: a pooler accepts clients before it has a server connection for them.
    async fn open(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        sqlx::raw_sql("SELECT 1").execute(&mut connection).await?;
        Ok(connection)
    }

    /// A pool of such sessions.
    ///
    /// # Errors
    /// [`sqlx::Error`], if the server does not answer.
    pub async fn pool(&self, pool: PgPoolOptions) -> Result<PgPool, sqlx::Error> {
        let pool = if self.by_statement {
            pool.after_connect(|connection, _| Box::pin(set(connection)))
        } else {
            pool
        };
        pool.connect_with(self.options.clone()).await
    }
}

/// Begins a transaction. The caller may be dropped meanwhile, as a worker's task is that lost its lease. The driver
/// would then return the connection to the pool with the transaction open but not counted: what others write over it
/// later would be rolled back with it. So a task of its own begins the transaction; if the caller is gone, it is rolled
/// back.
///
/// # Errors
/// As [`PgPool::begin`].
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// Adds our settings to those of the connection string, which stay as they are.
fn with_settings(options: PgConnectOptions) -> PgConnectOptions {
    let given = options.get_options().unwrap_or_default().to_owned();
    let ours = SETTINGS.into_iter().filter(|(name, _)| !given.contains(name));
    options.options(ours).options([DIRECT])
}

/// Whether our parameters have reached the server. A simple query: the sessions of a pooler may be shared.
async fn is_direct(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let sql = "SELECT current_setting('lgi_mm.connection', true) AS connection";
    let row = sqlx::raw_sql(sql).fetch_one(connection).await?;
    let seen: Option<String> = row.try_get("connection")?;
    Ok(seen.as_deref() == Some(DIRECT.1))
}

fn refuses_settings(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| REFUSES_SETTINGS.contains(&code.as_ref())),
        _ => false,
    }
}

/// Makes the settings one by one; those that the server does not know are left out.
async fn set(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for (name, value) in SETTINGS {
        let statement = sqlx::AssertSqlSafe(format!("SET {name} = '{value}'"));
        match sqlx::raw_sql(statement).execute(&mut *connection).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) => debug!(
                name,
                error = error.message(),
                "a setting of the session is refused"
            ),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_connection_string_stay() {
        let url = "postgres://bob@db/x?options=-c%20idle_in_transaction_session_timeout%3D5s";
        let options = with_settings(url.parse().expect("a URL"));
        let options = options.get_options().expect("options");
        assert!(
            options.contains("idle_in_transaction_session_timeout=5s"),
            "{options}"
        );
        assert!(
            !options.contains("idle_in_transaction_session_timeout=20s"),
            "{options}"
        );
        assert!(options.contains("-c tcp_user_timeout=20000"), "{options}");
        assert!(options.contains("-c lgi_mm.connection=direct"), "{options}");
    }
}
