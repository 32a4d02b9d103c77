//! The slots of a backtest.

use crate::domain::{Timestamp, config::JobConfig, schedule::CronExpr, zone::Zone};

/// Iterates over the slots of a job, in microseconds since 1970.
#[derive(Debug)]
pub(super) struct Slots {
    cron: CronExpr,
    timezone: Zone,
    /// Interval between slots, if it is constant; zero if not.
    step: i64,
    /// [`Self::NONE`] if there is none.
    next: i64,
}

impl Slots {
    /// Slots from 1970 to the end of 2089 are a step apart; others are searched.
    const STEPS_UNTIL: u64 = 3_786_000_000_000_000;

    /// After every slot.
    const NONE: i64 = i64::MAX;

    pub(super) fn new(config: &JobConfig) -> Self {
        let (cron, timezone) = (config.schedule.cron.clone(), config.schedule.timezone);
        Self {
            step: cron
                .step(timezone)
                .and_then(|step| i64::try_from(step.std().as_micros()).ok())
                .unwrap_or(0),
            cron,
            timezone,
            next: Self::NONE,
        }
    }

    pub(super) fn start(&mut self, at: Timestamp) {
        let next = self.cron.next_after(self.timezone, at);
        self.next = next.map_or(Self::NONE, |next| next.timestamp_micros());
    }

    /// Begins with the first slot after a job's start, as for a real job. Without one the series decides: its first
    /// price may be traded at, so a slot at that instant counts.
    pub(super) fn begin(&mut self, started_at: Option<Timestamp>, first: Timestamp) {
        self.start(started_at.unwrap_or_else(|| instant(first.timestamp_micros() - 1)));
    }

    /// The next slot, if it is before `end`.
    #[inline]
    pub(super) fn next_before(&mut self, end: i64) -> Option<i64> {
        let slot = self.next;
        if slot >= end {
            return None;
        }
        if self.step > 0 && slot.cast_unsigned() < Self::STEPS_UNTIL {
            self.next = slot + self.step;
        } else {
            self.start(instant(slot));
        }
        Some(slot)
    }
}

/// Converts microseconds since 1970, which came from an instant, back to one.
pub(super) fn instant(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}
