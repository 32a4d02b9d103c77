//! Session settings: if the host of a client vanishes, its connection stays open, and a transaction it had begun would
//! keep its locks for over ten minutes. These settings end it within [`SILENCE_MAX`].

use std::time::Duration;

use sqlx::{
    PgConnection, PgPool, Postgres, Transaction,
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

/// SQLSTATEs of a server or pooler that does not accept settings at the start of a connection: a startup parameter that
/// a pooler refuses, a setting that does not exist, has another range, or is not ours to change.
const REFUSES_SETTINGS: [&str; 5] = ["08P01", "0A000", "42704", "22023", "42501"];

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
}

impl Sessions {
    /// Connects once, to see that the server answers and how it takes our settings.
    ///
    /// # Errors
    /// [`ProbeError`], if the connection string cannot be read, the server does not answer, or it cannot be used.
    pub async fn probe(url: &str) -> Result<Self, ProbeError> {
        use sqlx::Connection;

        let plain: PgConnectOptions = url.parse()?;
        let options = with_settings(plain.clone());
        let (mut connection, sessions) = match PgConnection::connect_with(&options).await {
            Ok(connection) => (connection, Self::new(options, false)),
            Err(error) if refuses_settings(&error) => {
                info!(
                    error = %explain(&error).what,
                    "the server takes no settings when it is connected to; they are made by statements"
                );
                let connection = PgConnection::connect_with(&plain).await?;
                (connection, Self::new(plain, true))
            }
            Err(error) => return Err(error.into()),
        };
        let unfit = server::unfit(&mut connection, &sessions.options).await?;
        connection.close().await?;
        unfit.map_or(Ok(sessions), |refusal| Err(ProbeError::Unfit(refusal)))
    }

    const fn new(options: PgConnectOptions, by_statement: bool) -> Self {
        Self {
            options,
            by_statement,
        }
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
    options.options(ours)
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
    }
}
