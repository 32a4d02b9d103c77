//! load -> decide -> record -> act.
//!
//! The engine evaluates *slices* of (job, slot) and carries open trades on, one step at a time. Every call may
//! be repeated, by anybody, at any moment: what was recorded is found and carried on, never done again.

pub mod adopt;
mod believe;
mod evaluate;
mod facts;
mod failures;
mod finish;
mod foreign;
mod keys;
pub(crate) mod market;
mod observe;
mod proof;
pub mod reconcile;
mod recover;
mod sale;
mod settle;
mod submit;
mod turn;
mod watch;

use std::sync::Arc;

use sqlx::PgPool;

use crate::{
    domain::{decision::HoldReason, ids::TradeId, span::Span},
    ports::{Markets, Prices},
    store::{StoreError, fills::BookError, memory::JobMemory},
};

pub use crate::store::ticks::Tick;
pub use settle::{Progress, SWALLOWED_SENDS};

/// What the engine was told about time and patience.
#[derive(Debug, Clone, Copy)]
pub struct EngineSettings {
    /// One price sample is kept per interval.
    pub sample_interval: Span,
    /// A frozen plan that got no nonce by then is given up.
    pub plan_lifetime: Span,
    /// Calldata is refused by the chain this long after it was made.
    pub trade_deadline: Span,
    /// An open trade is looked at again after this long.
    pub check_interval: Span,
    /// Most transactions of one signer that are open at once.
    pub pipeline_max: i64,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            sample_interval: Span::from_secs(60),
            plan_lifetime: Span::from_secs(60),
            trade_deadline: Span::from_secs(120),
            check_interval: Span::from_secs(1),
            pipeline_max: 16,
        }
    }
}

/// Stateless: all it knows is in the database. What it remembers of jobs only saves reading a row again that has not
/// changed.
#[derive(Clone)]
pub struct Engine {
    pool: PgPool,
    prices: Arc<dyn Prices>,
    markets: Arc<dyn Markets>,
    settings: EngineSettings,
    memory: Arc<JobMemory>,
    dry_sales: Arc<sale::DrySales>,
}

/// What became of one tick.
#[derive(Debug)]
pub struct TickResult {
    /// Which.
    pub tick: Tick,
    /// What.
    pub outcome: Result<Outcome, EngineError>,
}

/// What a tick did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing, because.
    Held {
        /// The named reason.
        reason: HoldReason,
        /// What was seen, for people.
        detail: Option<String>,
    },
    /// A plan was frozen as this trade.
    Traded {
        /// Its number.
        trade: TradeId,
    },
    /// The slot was decided before; its trade, if it has one, was carried on.
    AlreadyRecorded {
        /// Its number.
        trade: Option<TradeId>,
    },
    /// There is no such job.
    NoSuchJob,
}

/// A step that could not be done now. Nothing is half done; the step may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fill does not fit the ledger.
    #[error(transparent)]
    Book(BookError),
    /// No way to trade for this account.
    #[error(transparent)]
    Market(#[from] crate::ports::NoMarket),
    /// The chain could not be asked.
    #[error(transparent)]
    Rpc(#[from] crate::ports::RpcError),
    /// The venue gave no calldata.
    #[error(transparent)]
    Quote(#[from] crate::ports::QuoteError),
    /// The key could not be used.
    #[error(transparent)]
    Sign(#[from] crate::ports::SignError),
    /// The ledger contradicts itself.
    #[error("trade {trade}: {source}")]
    Illegal {
        /// The trade.
        trade: TradeId,
        /// How.
        source: crate::domain::trade::IllegalTrade,
    },
    /// A number left its range.
    #[error("trade arithmetic: {0}")]
    Money(#[from] crate::domain::units::MoneyError),
}

impl From<BookError> for EngineError {
    fn from(error: BookError) -> Self {
        match error {
            BookError::Store(error) => Self::Store(error),
            error => Self::Book(error),
        }
    }
}

impl Engine {
    /// An engine on this ledger, these prices and these markets.
    #[must_use]
    pub fn new(
        pool: PgPool,
        prices: Arc<dyn Prices>,
        markets: Arc<dyn Markets>,
        settings: EngineSettings,
    ) -> Self {
        Self {
            pool,
            prices,
            markets,
            settings,
            memory: Arc::default(),
            dry_sales: Arc::default(),
        }
    }

    /// The ledger's pool.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }
}
