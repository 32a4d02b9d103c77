//! What an evaluated tick returns.

use crate::domain::{decision::HoldReason, ids::TradeId};
use crate::engine::error::EngineError;

pub use crate::store::ticks::Tick;

/// The result of one tick.
#[derive(Debug)]
pub struct TickResult {
    /// The tick.
    pub tick: Tick,
    /// Its outcome; after an error nothing was recorded and the tick may be retried.
    pub outcome: Result<TickOutcome, EngineError>,
}

/// What a tick did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TickOutcome {
    /// It held.
    Held {
        /// The reason it held.
        reason: HoldReason,
        /// Figures or messages that explain the reason.
        detail: Option<String>,
    },
    /// A plan was frozen as this trade.
    Traded {
        /// The trade.
        trade: TradeId,
    },
    /// The slot was decided before.
    AlreadyRecorded {
        /// The trade of the slot, if it has one.
        trade: Option<TradeId>,
    },
    /// There is no such job.
    NoSuchJob,
}
