//! SQL only: the ledger's rows, and the statements that guard them.

pub mod adoption;
pub mod alive;
pub mod announced;
pub mod bulk;
pub mod census;
mod columns;
pub mod deliveries;
pub mod dropped;
pub mod dust;
mod earned;
pub mod endings;
pub mod evidence;
pub mod failure_watches;
pub mod fill_watches;
pub mod foreign;
pub mod gaps;
pub mod gas;
pub mod history;
pub mod integrity;
pub mod jobs;
pub mod logs;
pub mod memory;
pub mod moves;
pub mod orders;
mod outbox;
pub mod payouts;
pub mod pnl;
mod pocket;
pub mod pools;
pub mod rate_limits;
pub mod refusal;
pub mod release;
pub mod repairs;
pub mod retention;
pub mod sales;
pub mod samples;
pub mod schema;
pub mod seen;
pub mod server;
pub mod session;
pub mod signers;
pub mod slots;
pub mod spending;
pub mod stuck;
pub mod tenants;
pub mod ticks;
pub mod trades;
pub mod trail;
pub mod turns;
pub mod v4_pools;
pub mod views;
pub mod withdrawals;
pub mod zone_rules;

use sqlx::PgPool;

use crate::domain::ids::TradeId;

pub use schema::{MigrateError, Schema, migrate, schema as schema_of};

/// Channel on which a changed job or a new open trade wakes the schedulers.
pub const WAKE_CHANNEL: &str = "lgi_mm_wake";

/// The ledger did not answer, or holds an impossible value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer.
    #[error("database: {}", refusal::explain(.0))]
    Database(#[from] sqlx::Error),
    /// A column holds what no constraint should have let in.
    #[error("the database holds an impossible {column}: {value}; was it edited by hand?")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// A statement for a whole slice failed; each of its ticks may be tried again.
    #[error("the slice was not evaluated: {0}")]
    SliceFailed(String),
    /// No such job.
    #[error("no such job: {0}")]
    NoSuchJob(String),
    /// No such trade.
    #[error("no such trade: {0}")]
    NoSuchTrade(TradeId),
}

impl StoreError {
    /// The constraint that refused a row, if that is what happened.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }
}

/// The database's clock: the engine's only one.
///
/// # Errors
/// [`StoreError::Database`].
pub async fn now(pool: &PgPool) -> Result<crate::domain::Timestamp, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
        .fetch_one(pool)
        .await?)
}
