//! Tasks of the queue. They carry ids only: everything else is read from the ledger when a task runs, because a task
//! may come twice, late, or after a crash.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Timestamp,
    ids::{FillId, JobId, TradeId, WithdrawalId},
};

/// Queue of tick tasks.
pub const TICKS: &str = "lgi-mm:ticks";

/// Queue of settle tasks.
pub const SETTLES: &str = "lgi-mm:settles";

/// All queues.
pub const QUEUES: [&str; 2] = [TICKS, SETTLES];

/// Evaluate one slot of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickTask {
    /// The job.
    pub job: JobId,
    /// The nominal instant.
    pub slot: Timestamp,
}

/// Continue what is not final yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettleTask {
    /// An open trade.
    Trade {
        /// Trade id.
        trade: TradeId,
    },
    /// Fills that may still be reorged out, many at once: on most chains nothing has changed.
    Watch {
        /// Their numbers.
        fills: Vec<FillId>,
    },
    /// A withdrawal that is not final.
    Withdrawal {
        /// The withdrawal to look at.
        withdrawal: WithdrawalId,
    },
    /// Failures that may still be reorged out.
    WatchFailures {
        /// Their trades' numbers.
        failures: Vec<TradeId>,
    },
}
