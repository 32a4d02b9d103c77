//! Readiness: whether this process could do its work now.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{PgPool, postgres::PgPoolOptions};

/// How long an answer serves further requests: readiness costs the database little, however often it is asked for.
const FRESH: Duration = Duration::from_secs(1);

/// A database that answers later than this does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an answer of a node says something about it.
const RECENT: Duration = Duration::from_secs(60);

/// When each chain's nodes last answered this process, and when they last did not.
static NODES: LazyLock<Mutex<BTreeMap<String, Node>>> = LazyLock::new(Mutex::default);

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    answered: Option<Instant>,
    failed: Option<Instant>,
}

/// Notes how a round trip to a node of `chain` ended.
pub fn note_rpc(chain: &str, answered: bool) {
    let mut nodes = NODES.lock().unwrap_or_else(PoisonError::into_inner);
    let node = nodes.entry(chain.to_owned()).or_default();
    let last = if answered {
        &mut node.answered
    } else {
        &mut node.failed
    };
    *last = Some(Instant::now());
}

impl Node {
    /// Only failures lately: a chain that nobody asked is not known to be down.
    fn is_down(self) -> bool {
        let recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() < RECENT);
        recent(self.failed) && !recent(self.answered)
    }
}

/// What keeps a process from its work.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// No answer in time.
    #[error("the database does not answer")]
    Database,
    /// Migrations have not been run.
    #[error("the queue's tables cannot be read: {0}")]
    Queue(sqlx::Error),
    /// Live jobs cannot trade.
    #[error("no node of {0} has answered for a minute")]
    Rpc(String),
}

/// Answers for `/readyz`, over a connection that trading does not use.
pub(super) struct Readiness {
    pool: PgPool,
    /// The last answer. Locked while the database is asked, so that many requests are one question.
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

/// The database answers, the queue is there, and each chain with live jobs answered lately, if this process asked it.
///
/// # Errors
/// [`NotReady`] names the first thing that failed.
async fn check(pool: &PgPool) -> Result<(), NotReady> {
    answered(sqlx::query("SELECT 1").execute(pool))
        .await?
        .map_err(|_| NotReady::Database)?;
    let queue = "SELECT 1 FROM apalis.jobs LEFT JOIN apalis.workers ON false LIMIT 1";
    answered(sqlx::query(queue).execute(pool))
        .await?
        .map_err(NotReady::Queue)?;
    let live =
        "SELECT DISTINCT chain FROM jobs WHERE realm = 'live' AND archived_at IS NULL AND status <> 'IDLE'";
    let chains: Vec<String> = answered(sqlx::query_scalar(live).fetch_all(pool))
        .await?
        .map_err(NotReady::Queue)?;
    let nodes = NODES.lock().unwrap_or_else(PoisonError::into_inner);
    match chains
        .into_iter()
        .find(|chain| nodes.get(chain).is_some_and(|node| node.is_down()))
    {
        Some(chain) => Err(NotReady::Rpc(chain)),
        None => Ok(()),
    }
}

async fn answered<T>(work: impl Future<Output = T>) -> Result<T, NotReady> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| NotReady::Database)
}
