//! Why a command to a job was not carried out.

use crate::domain::{
    ids::TradeId,
    job::{JobId, TransitionRefused},
    liquidate::InvalidLiquidation,
};
use crate::store::StoreError;

/// A command that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The status does not allow it.
    #[error(transparent)]
    Refused(#[from] TransitionRefused),
    /// The position already has a job.
    #[error("this token already has a job in this account")]
    Exists,
    /// The job still has a trade that is not final.
    #[error("trade {0} of this job is not final yet; wait for it, or see `status`")]
    TradeOpen(TradeId),
    /// A trade of the job is open, or its fill or failure is not final yet.
    #[error(
        "trade {0} of this job is open, or not final on the chain yet: a reorg could still undo it; pause the job, let a \
         worker run for some minutes, then try again"
    )]
    InMotion(TradeId),
    /// Less is there than was asked for.
    #[error("this job owns {owned}; {asked} is more than that")]
    OwnsLess {
        /// What the job owns.
        owned: String,
        /// What was asked for.
        asked: String,
    },
    /// Between two cycles a job owns nothing.
    #[error(
        "this job is IDLE: it owns nothing until it is started; start it, pause it if it should not buy yet, then adopt"
    )]
    NoCycle,
    /// It is stopped, and not as it was when its owner looked at it.
    #[error(
        "it has changed since it was looked at, and nothing was done: look at it, then give the command again"
    )]
    Changed,
    /// The key of an order was used for another one.
    #[error("the key '{0}' was used for another order; give each order a key of its own")]
    KeyUsed(String),
    /// A sum that no figure of the ledger can hold.
    #[error("{0}")]
    OutOfRange(String),
    /// The job holds tokens of its last cycle: a reorganisation gave them back, or an order has bought them.
    #[error(
        "this job still holds {0} of its last cycle; `liquidate` sells them, `release` gives them to you"
    )]
    StillHolds(String),
    /// The token is what another job of the wallet pays with, or the other way round.
    #[error("job {0} of the same wallet pays with this token: its balance would be traded away")]
    QuoteOfAnother(JobId),
    /// The liquidation is out of range.
    #[error(transparent)]
    Liquidation(#[from] InvalidLiquidation),
    /// It does not fit to the other members of its basket.
    #[error(transparent)]
    Misfit(#[from] Box<crate::domain::basket::Misfit>),
    /// What the chain says, or does not say, forbids it.
    #[error("{0}")]
    Chain(String),
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CommandError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
