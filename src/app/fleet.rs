//! What runs and what waits: processes, queues, messages and signers, as metrics count them.

use std::collections::BTreeMap;

use super::{context::App, error::AppError};
use crate::{
    domain::{
        Timestamp,
        ids::TradeId,
        job::{Account, Realm},
    },
    runner::tasks::{SETTLES, TICKS},
    store::{
        self, StoreError,
        alive::{self, Connected},
        census::{self, Fleet},
        repairs,
    },
};

/// What runs and what waits.
#[derive(Debug)]
pub struct Running {
    /// The database's clock.
    pub now: Timestamp,
    pub totals: Fleet,
    /// Services that are connected to the database, each combination of service and settings once.
    pub services: Vec<Connected>,
    pub queues: Vec<Queue>,
    /// Jobs by status.
    pub jobs: BTreeMap<String, i64>,
}

/// One queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    pub name: String,
    /// Tasks that wait for a worker.
    pub pending: i64,
    /// Tasks that a worker has.
    pub running: i64,
    /// Tasks that were given up.
    pub killed: i64,
    /// How long the oldest due task has waited, seconds.
    pub oldest_seconds: f64,
}

/// The queue's name without our prefix.
fn label_of(queue: &str) -> String {
    queue.split_once(':').map_or(queue, |(_, name)| name).to_owned()
}

/// Reads what runs. A fixed number of statements, whatever there is.
///
/// # Errors
/// [`AppError::Store`].
pub async fn running(app: &App) -> Result<Running, AppError> {
    let mut connection = app.pool.acquire().await.map_err(StoreError::from)?;
    let names: Vec<String> = [TICKS, SETTLES].map(label_of).into();
    let counts = census::queues(&mut connection, &names).await?;
    let of = |queue: &str, status: &str| {
        let found = counts
            .iter()
            .find(|count| count.queue == queue && count.status == status);
        found.map_or((0, 0.0), |count| (count.tasks, count.oldest_age))
    };
    let queues = names.iter().map(|name| {
        let (pending, oldest_seconds) = of(name, "pending");
        Queue {
            name: name.clone(),
            pending,
            running: of(name, "running").0,
            killed: of(name, "killed").0,
            oldest_seconds,
        }
    });
    let mut jobs = BTreeMap::new();
    for count in census::job_counts(&mut connection).await? {
        *jobs.entry(count.status).or_insert(0) += count.jobs;
    }
    Ok(Running {
        totals: census::fleet(&mut connection).await?,
        queues: queues.collect(),
        jobs,
        services: alive::connected(&app.pool).await?.into_iter().collect(),
        now: store::now(&app.pool).await?,
    })
}

/// Nonces and halts of a wallet on a chain.
#[derive(Debug)]
pub struct Signer {
    pub account: Account,
    /// The nonce that the next transaction takes.
    pub next_nonce: u64,
    /// Why nothing is signed with it.
    pub halted: Option<String>,
    /// Trades with a nonce of it that are not final.
    pub open_trades: Vec<TradeId>,
}

/// Every wallet that signs for this ledger, halted ones first, then live ones.
///
/// # Errors
/// [`AppError::Store`].
pub async fn signers(app: &App) -> Result<Vec<Signer>, AppError> {
    let rows = repairs::signers(&app.pool).await?.into_iter();
    let mut signers: Vec<Signer> = rows
        .map(|row| Signer {
            account: row.account,
            next_nonce: row.next_nonce,
            halted: row.halted,
            open_trades: row.open_trades,
        })
        .collect();
    signers.sort_by_key(|signer| (signer.halted.is_none(), signer.account.realm == Realm::Paper));
    Ok(signers)
}
