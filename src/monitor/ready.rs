//! Readiness: whether this process could do its work now.

use std::time::{Duration, Instant};

use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{
    store::{
        StoreError, census,
        refusal::{READ_ONLY, explain},
        server,
    },
    telemetry::{inability, is_down},
};

/// How long an answer is reused, so that frequent requests cost the database little.
const FRESH: Duration = Duration::from_secs(1);

/// A database that answers later counts as down.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why this process is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// No answer in time.
    #[error(
        "the database does not answer within {} s: it is down, or it or its pooler serves no more connections; see \
         `lgi-mm doctor`, and docs/scale-out.md for how many a process needs", PATIENCE.as_secs()
    )]
    Silent,
    /// It refuses.
    #[error("the database does not answer as it should: {}", explain(.0))]
    Database(sqlx::Error),
    /// No slot could be claimed or recorded.
    #[error("{READ_ONLY}")]
    ReadOnly,
    /// Work waits for a connection.
    #[error(
        "work waits for a connection to the database: {open} of {most} are open or being opened, and none was free within \
         {} s; raise the connections that the server or its pooler allows, or lower database.pool_max",
        PATIENCE.as_secs()
    )]
    Waiting {
        /// Connections of the pool.
        open: u32,
        /// Most of them.
        most: u32,
    },
    /// What was tried last failed.
    #[error("{0}")]
    Unable(String),
    /// Migrations have not been run.
    #[error("the queue's tables cannot be read: {0}")]
    Queue(StoreError),
    /// Live jobs cannot trade.
    #[error("no node of {0} has answered for a minute")]
    Rpc(String),
}

/// Answers for `/readyz`, over a connection that trading does not use: an answer must not wait for the work.
pub(super) struct Readiness {
    pool: PgPool,
    work: PgPool,
    /// The last answer. Locked during the query, so that concurrent requests share one.
    last: tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    /// Asks the database of `pool`; nothing is opened yet.
    pub(super) fn new(pool: &PgPool) -> Self {
        let own = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with((*pool.connect_options()).clone());
        Self {
            pool: own,
            work: pool.clone(),
            last: tokio::sync::Mutex::default(),
        }
    }

    /// As [`check`]; an answer serves for a second.
    ///
    /// # Errors
    /// What is missing, for people.
    pub(super) async fn check(&self) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = check(&self.pool, &self.work)
            .await
            .map_err(|missing| missing.to_string());
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

/// The database answers and takes writes, work gets a connection, the queue's tables exist, the last try to claim or
/// record slots did not fail, and no chain with live jobs is known to be down.
///
/// # Errors
/// [`NotReady`] names the first thing that failed.
async fn check(pool: &PgPool, work: &PgPool) -> Result<(), NotReady> {
    if !answered(server::takes_writes(pool)).await?.map_err(refused)? {
        return Err(NotReady::ReadOnly);
    }
    match tokio::time::timeout(PATIENCE, work.acquire()).await {
        Ok(Ok(free)) => drop(free),
        Ok(Err(sqlx::Error::PoolTimedOut)) | Err(_) => {
            return Err(NotReady::Waiting {
                open: work.size(),
                most: work.options().get_max_connections(),
            });
        }
        Ok(Err(error)) => return Err(NotReady::Database(error)),
    }
    answered(census::queue_readable(pool))
        .await?
        .map_err(NotReady::Queue)?;
    let chains = answered(census::live_chains(pool))
        .await?
        .map_err(NotReady::Queue)?;
    if let Some(chain) = chains.into_iter().find(|chain| is_down(chain)) {
        return Err(NotReady::Rpc(chain));
    }
    inability().map_or(Ok(()), |unable| Err(NotReady::Unable(unable)))
}

fn refused(error: sqlx::Error) -> NotReady {
    match error {
        sqlx::Error::PoolTimedOut => NotReady::Silent,
        other => NotReady::Database(other),
    }
}

async fn answered<T>(work: impl Future<Output = T>) -> Result<T, NotReady> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| NotReady::Silent)
}
