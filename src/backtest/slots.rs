//! The slots of a backtest.

use crate::domain::{Timestamp, config::JobConfig, schedule::CronExpr, zone::Zone};

/// Iterates over the slots of a job, in microseconds since 1970.
#[derive(Debug)]
pub(super) struct Slots {
    cron: CronExpr,
    timezone: Zone,
    /// Interval between slots, if it is constant.
    step: Option<i64>,
    next: Option<i64>,
}

impl Slots {
    /// The end of 2089: later slots are searched.
    const STEPS_UNTIL: i64 = 3_786_000_000_000_000;

    pub(super) fn new(config: &JobConfig) -> Self {
        let (cron, timezone) = (config.schedule.cron.clone(), config.schedule.timezone);
        Self {
            step: cron
                .step(timezone)
                .and_then(|step| i64::try_from(step.std().as_micros()).ok()),
            cron,
            timezone,
            next: None,
        }
    }

    pub(super) fn start(&mut self, at: Timestamp) {
        let next = self.cron.next_after(self.timezone, at);
        self.next = next.map(|next| next.timestamp_micros());
    }

    /// Begins with the first slot after a job's start, as for a real job. Without one the series decides: its first
    /// price may be traded at, so a slot at that instant counts.
    pub(super) fn begin(&mut self, started_at: Option<Timestamp>, first: Timestamp) {
        self.start(started_at.unwrap_or_else(|| instant(first.timestamp_micros() - 1)));
    }

    /// The next slot, if it is not after `last`.
    pub(super) fn next_until(&mut self, last: i64) -> Option<i64> {
        let slot = self.next.filter(|slot| *slot <= last)?;
        match self.step {
            Some(step) if (0..Self::STEPS_UNTIL).contains(&slot) => self.next = Some(slot + step),
            _ => self.start(instant(slot)),
        }
        Some(slot)
    }
}

/// Converts microseconds since 1970, which came from an instant, back to one.
pub(super) fn instant(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}
