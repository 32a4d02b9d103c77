//! Runs one job over rows in chronological order.

use super::{
    current::Current,
    job::Job,
    result::RunResult,
    setup::{Detail, PricePoint, Setup},
    slots::{Slots, instant},
    tally::Tally,
};
use crate::domain::{Timestamp, decision::HoldReason};

/// Runs `setup` over `rows`, in chronological order.
#[must_use]
pub fn run(setup: &Setup, detail: Detail, rows: impl IntoIterator<Item = PricePoint>) -> RunResult {
    let mut runner = Runner::new(setup, detail);
    for row in rows {
        runner.feed(row);
    }
    runner.finish()
}

/// A run of one job over a series. Its memory does not grow with the series, apart from kept trades.
#[derive(Debug)]
pub struct Runner {
    job: Job,
    slots: Slots,
    starts_at: Option<Timestamp>,
    started: bool,
    current: Option<Current>,
    tally: Tally,
}

impl Runner {
    /// A run before its first row.
    #[must_use]
    pub fn new(setup: &Setup, detail: Detail) -> Self {
        let mut job = Job::new(setup);
        // A chart of the moving average needs it at each tick, the quiet ones included.
        job.in_full = detail.points_max > 0 && !setup.config.rules.look_back().average.is_zero();
        Self {
            tally: Tally::new(job.position, detail),
            slots: Slots::new(&setup.config),
            starts_at: setup.starts_at,
            started: false,
            current: None,
            job,
        }
    }

    /// The same run without shortcuts: every tick is evaluated in full. Same result, slower.
    #[must_use]
    pub fn in_full(setup: &Setup, detail: Detail) -> Self {
        let mut runner = Self::new(setup, detail);
        runner.job.in_full = true;
        runner
    }

    /// Takes the next row, later than all before it: evaluates every slot from the previous row up to this one.
    pub fn feed(&mut self, row: PricePoint) {
        let new = Current::of(row);
        if !self.started {
            if self.starts_at.is_some_and(|starts_at| row.at < starts_at) {
                self.current = Some(new);
                return self.job.look_at(row);
            }
            self.start(row.at);
        }
        if let Some(current) = &self.current {
            while let Some(slot) = self.slots.next_before(new.micros) {
                self.job.tick(slot, current, &mut self.tally);
            }
        } else {
            self.hold_before(new.micros);
        }
        self.current = Some(new);
    }

    /// Ends the series: evaluates the slots up to its last row.
    #[must_use]
    pub fn finish(mut self) -> RunResult {
        if let (Some(last), true) = (self.current, self.started) {
            while let Some(slot) = self.slots.next_before(last.micros + 1) {
                self.job.tick(slot, &last, &mut self.tally);
            }
        }
        self.tally.finish(&self.job.position)
    }

    fn start(&mut self, first: Timestamp) {
        let at = self.starts_at.unwrap_or(first);
        self.started = true;
        self.job.started_at = at;
        self.job.quiet = self.job.quiet_now();
        self.slots.begin(self.starts_at, first);
        self.tally.start(at);
    }

    /// Before the first row there is no price.
    fn hold_before(&mut self, end: i64) {
        while let Some(slot) = self.slots.next_before(end) {
            let (slot, position) = (instant(slot), &self.job.position);
            self.tally.held(slot, HoldReason::PriceMissing, None, position);
        }
    }
}
