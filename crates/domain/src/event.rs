//! Events that receivers may be notified about.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Something that happened to a job, a trade or a signer. `docs/notifications.md` lists the payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
pub enum Event {
    /// A trade is final and its fill is in the ledger.
    #[strum(serialize = "trade.filled")]
    TradeFilled,
    /// A trade is final and nothing moved.
    #[strum(serialize = "trade.failed")]
    TradeFailed,
    /// A fill, or the transaction that failed a trade, was reorged out; the trade is open again.
    #[strum(serialize = "trade.reversed")]
    TradeReversed,
    /// Too many consecutive failures: the job stops until it is resumed.
    #[strum(serialize = "job.error")]
    JobError,
    /// A liquidation is complete; the job is idle.
    #[strum(serialize = "job.liquidated")]
    JobLiquidated,
    /// The job's tokens cannot be sold, or only at a loss that is not allowed.
    #[strum(serialize = "job.unsellable")]
    JobUnsellable,
    /// A signer is halted: it signs nothing new until the owner has resolved it.
    #[strum(serialize = "signer.halted")]
    SignerHalted,
}
