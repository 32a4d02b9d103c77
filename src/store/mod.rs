//! SQL only: the ledger's rows, and the statements that guard them.

mod columns;
mod event;
mod face;
pub mod integrity;
mod job;
pub mod pools;
pub mod rate_limits;
pub mod refusal;
pub mod retention;
pub mod schema;
pub mod server;
pub mod session;
mod signer;
pub mod tenants;
mod tick;
mod trade;
pub mod trail;
pub mod v4_pools;
mod view;

pub(in crate::store) use event::outbox;
pub use event::{announced, deliveries};
pub use face::{chat, requests, sessions, signals, tokens};
pub use job::{
    adoption, basket, bulk, jobs, known, members, memory, orders, placed, samples, slots, together,
    zone_rules,
};
pub(in crate::store) use job::{earned, leaving, pocket, version};
pub use signer::{foreign, gaps, next, release, repairs, room, seen, signers, turns};
pub use tick::{history, ticks};
pub use trade::{
    dropped, dust, endings, evidence, failure_watches, fill_watches, gas, ordered, sales, stuck, submission,
    trades, withdrawals,
};
pub(in crate::store) use trade::{liquidated, stopped};
pub use view::{alive, census, changes, glance, logs, moves, payouts, pnl, spending, views};

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

    /// Whether a text of the request holds a character that PostgreSQL does not store: a NUL. The database is sound.
    #[must_use]
    pub fn is_unstorable(&self) -> bool {
        let code = match self {
            Self::Database(sqlx::Error::Database(error)) => error.code(),
            _ => None,
        };
        code.is_some_and(|code| matches!(code.as_ref(), "22021" | "22P05"))
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
