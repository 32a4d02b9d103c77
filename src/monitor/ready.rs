//! Readiness: whether this process could do its work now.

use std::time::{Duration, Instant};

use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{
    store::{StoreError, census},
    telemetry::is_down,
};

/// How long an answer is reused, so that frequent requests cost the database little.
const FRESH: Duration = Duration::from_secs(1);

/// A database that answers later counts as down.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why this process is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// No answer in time.
    #[error("the database does not answer")]
    Database,
    /// Migrations have not been run.
    #[error("the queue's tables cannot be read: {0}")]
    Queue(StoreError),
    /// Live jobs cannot trade.
    #[error("no node of {0} has answered for a minute")]
    Rpc(String),
}

/// Answers for `/readyz`, over a connection that trading does not use.
pub(super) struct Readiness {
    pool: PgPool,
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
        let answer = check(&self.pool).await.map_err(|missing| missing.to_string());
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

/// The database answers, the queue's tables exist, and no chain with live jobs is known to be down.
///
/// # Errors
/// [`NotReady`] names the first thing that failed.
async fn check(pool: &PgPool) -> Result<(), NotReady> {
    answered(sqlx::query("SELECT 1").execute(pool))
        .await?
        .map_err(|_| NotReady::Database)?;
    answered(census::queue_readable(pool))
        .await?
        .map_err(NotReady::Queue)?;
    let chains = answered(census::live_chains(pool))
        .await?
        .map_err(NotReady::Queue)?;
    match chains.into_iter().find(|chain| is_down(chain)) {
        Some(chain) => Err(NotReady::Rpc(chain)),
        None => Ok(()),
    }
}

async fn answered<T>(work: impl Future<Output = T>) -> Result<T, NotReady> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| NotReady::Database)
}
