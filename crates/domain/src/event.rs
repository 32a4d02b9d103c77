//! Events that receivers may be notified about.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::job::FAILING_AFTER;

/// How urgent an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Nothing to do.
    Info,
    /// Look at it when you have time: it is retried.
    Warning,
    /// Nothing gets better until you act.
    Critical,
}

/// Something that happened to a job, a trade or a signer. `docs/notifications.md` lists the payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
pub enum Event {
    /// A trade is final and its fill is in the ledger.
    #[strum(serialize = "trade.filled")]
    TradeFilled,
    /// A trade is final and nothing moved.
    #[strum(serialize = "trade.failed")]
    TradeFailed,
    /// A plan was given up before anything was signed, because its job was stopped. No failure.
    #[strum(serialize = "trade.dropped")]
    TradeDropped,
    /// A fill, or the transaction that failed a trade, was reorged out; the trade is open again.
    #[strum(serialize = "trade.reversed")]
    TradeReversed,
    /// What was sent for a trade is accepted again and again, and is in no block.
    #[strum(serialize = "trade.stuck")]
    TradeStuck,
    /// Too many consecutive failures: the job stops until it is resumed.
    #[strum(serialize = "job.error")]
    JobError,
    /// A liquidation is complete; the job is idle.
    #[strum(serialize = "job.liquidated")]
    JobLiquidated,
    /// The job's tokens cannot be sold, or only at a loss that is not allowed.
    #[strum(serialize = "job.unsellable")]
    JobUnsellable,
    /// A stop has sold; the job is paused, idle or continues, as `after_stop` says.
    #[strum(serialize = "job.stopped")]
    JobStopped,
    /// An order is filled, or its time is over; the job is idle.
    #[strum(serialize = "job.order_ended")]
    JobOrderEnded,
    /// A stop is due and something keeps it from selling.
    #[strum(serialize = "job.stop_blocked")]
    JobStopBlocked,
    /// Another pool tells the price of a job and is traded in from now on.
    #[strum(serialize = "job.pool_changed")]
    JobPoolChanged,
    /// The wallet, or the job's own quote, cannot pay for what the job would buy.
    #[strum(serialize = "job.no_funds")]
    JobNoFunds,
    /// The wallet cannot pay for gas.
    #[strum(serialize = "job.low_gas")]
    JobLowGas,
    /// A limit of the job has kept it from trading for long.
    #[strum(serialize = "job.limit_reached")]
    JobLimitReached,
    /// No source has given a usable price for a while.
    #[strum(serialize = "job.no_price")]
    JobNoPrice,
    /// Something else has kept the job from trading for long.
    #[strum(serialize = "job.held")]
    JobHeld,
    /// What kept the job from trading, and was sent, is over.
    #[strum(serialize = "job.recovered")]
    JobRecovered,
    /// A signer is halted: it signs nothing new until the owner has resolved it.
    #[strum(serialize = "signer.halted")]
    SignerHalted,
    /// No worker runs: nothing is evaluated and nothing is settled.
    #[strum(serialize = "service.no_worker")]
    NoWorker,
    /// No scheduler runs: slots are due and nobody claims them.
    #[strum(serialize = "service.no_scheduler")]
    NoScheduler,
    /// Who was missing, and was sent, runs again.
    #[strum(serialize = "service.recovered")]
    ServiceRecovered,
    /// What happened in a day or week.
    #[strum(serialize = "summary")]
    Summary,
}

/// A kind of process that an installation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Missing {
    /// None that evaluates slots and settles trades.
    #[strum(serialize = "no_worker")]
    Worker,
    /// None that claims slots.
    #[strum(serialize = "no_scheduler")]
    Scheduler,
}

impl Missing {
    /// Says that it is missing.
    #[must_use]
    pub const fn event(self) -> Event {
        match self {
            Self::Worker => Event::NoWorker,
            Self::Scheduler => Event::NoScheduler,
        }
    }
}

impl Event {
    /// Whether it belongs to a job; the others concern a wallet or the whole installation.
    #[must_use]
    pub const fn is_of_a_job(self) -> bool {
        !matches!(
            self,
            Self::SignerHalted | Self::NoWorker | Self::NoScheduler | Self::ServiceRecovered | Self::Summary
        )
    }

    /// How urgent it is. `failures_in_row`: how often the job has failed in a row, with this failure.
    #[must_use]
    pub const fn severity(self, failures_in_row: u32) -> Severity {
        match self {
            Self::TradeFilled
            | Self::TradeDropped
            | Self::JobLiquidated
            | Self::JobOrderEnded
            | Self::JobLimitReached
            | Self::JobPoolChanged
            | Self::JobRecovered
            | Self::ServiceRecovered
            | Self::Summary => Severity::Info,
            Self::TradeFailed if failures_in_row >= FAILING_AFTER => Severity::Critical,
            Self::TradeFailed
            | Self::TradeReversed
            | Self::TradeStuck
            | Self::JobStopped
            | Self::JobNoPrice
            | Self::JobHeld => Severity::Warning,
            Self::JobError
            | Self::JobUnsellable
            | Self::JobStopBlocked
            | Self::JobNoFunds
            | Self::JobLowGas
            | Self::SignerHalted
            | Self::NoWorker
            | Self::NoScheduler => Severity::Critical,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_trade_is_a_warning_and_repeated_or_final_failures_are_critical() {
        for (event, failures, severity) in [
            (Event::TradeFailed, 0, Severity::Warning),
            (Event::TradeFailed, 1, Severity::Warning),
            (Event::TradeFailed, 2, Severity::Warning),
            (Event::TradeFailed, 3, Severity::Critical),
            (Event::TradeFailed, 5, Severity::Critical),
            (Event::JobError, 5, Severity::Critical),
            (Event::SignerHalted, 0, Severity::Critical),
            (Event::JobUnsellable, 0, Severity::Critical),
            (Event::TradeReversed, 0, Severity::Warning),
            (Event::TradeStuck, 0, Severity::Warning),
            (Event::TradeFilled, 9, Severity::Info),
            (Event::TradeDropped, 9, Severity::Info),
            (Event::JobLiquidated, 9, Severity::Info),
            (Event::JobNoFunds, 0, Severity::Critical),
            (Event::JobStopBlocked, 0, Severity::Critical),
            (Event::JobStopped, 0, Severity::Warning),
            (Event::JobLowGas, 0, Severity::Critical),
            (Event::JobNoPrice, 0, Severity::Warning),
            (Event::JobHeld, 0, Severity::Warning),
            (Event::JobLimitReached, 0, Severity::Info),
            (Event::JobRecovered, 0, Severity::Info),
            (Event::JobPoolChanged, 0, Severity::Info),
            (Event::NoWorker, 0, Severity::Critical),
            (Event::NoScheduler, 0, Severity::Critical),
            (Event::ServiceRecovered, 0, Severity::Info),
            (Event::Summary, 0, Severity::Info),
        ] {
            assert_eq!(event.severity(failures), severity, "{event} {failures}");
        }
    }
}
