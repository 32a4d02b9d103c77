//! What charts show, in bounded memory.

use super::result::{HoldRun, Point};
use crate::domain::{Timestamp, decision::HoldReason};

/// Every so many ticks; twice as many each time that there are too many.
#[derive(Debug)]
pub(super) struct Points {
    max: usize,
    stride: u64,
    until_next: u64,
    kept: Vec<Point>,
}

impl Points {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            max,
            stride: 1,
            until_next: 0,
            kept: Vec::new(),
        }
    }

    /// Counts a tick; whether it is one to keep.
    pub(super) const fn wants_next(&mut self) -> bool {
        if self.max == 0 {
            return false;
        }
        if self.until_next > 0 {
            self.until_next -= 1;
            return false;
        }
        self.until_next = self.stride - 1;
        true
    }

    pub(super) fn add(&mut self, point: Point) {
        if self.kept.len() >= self.max {
            let mut index = 0_usize;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride = self.stride.saturating_mul(2);
            self.until_next = self.stride - 1;
            // The tick at hand is in step with the wider stride only if an even number was kept before.
            if index % 2 == 1 {
                self.until_next = self.stride / 2 - 1;
                return;
            }
        }
        self.kept.push(point);
    }

    pub(super) fn end_with(&mut self, last: Point) {
        if self.max > 0 && self.kept.last().is_none_or(|kept| kept.at < last.at) {
            self.kept.push(last);
        }
    }

    pub(super) fn into_vec(self) -> Vec<Point> {
        self.kept
    }
}

/// Runs of equal holds.
#[derive(Debug)]
pub(super) struct Runs {
    max: usize,
    kept: Vec<HoldRun>,
    /// The last one is over: a trade came.
    over: bool,
}

impl Runs {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            max,
            kept: Vec::new(),
            over: false,
        }
    }

    pub(super) const fn interrupt(&mut self) {
        self.over = true;
    }

    pub(super) fn add(&mut self, slot: Timestamp, reason: HoldReason) {
        if self.max == 0 {
            return;
        }
        let over = std::mem::take(&mut self.over);
        if let Some(last) = self.kept.last_mut()
            && last.reason == reason
            && !over
        {
            last.to = slot;
            last.ticks += 1;
            return;
        }
        if self.kept.len() >= self.max {
            self.merge();
        }
        self.kept.push(HoldRun {
            reason,
            from: slot,
            to: slot,
            ticks: 1,
        });
    }

    /// Two neighbours each become one, under the reason of most of their ticks.
    fn merge(&mut self) {
        let merged = self.kept.chunks(2).filter_map(|pair| {
            let (first, last) = (pair.first()?, pair.last()?);
            let longer = if first.ticks >= last.ticks { first } else { last };
            let ticks = pair.iter().map(|run| run.ticks).sum();
            Some(HoldRun {
                reason: longer.reason,
                from: first.from,
                to: last.to,
                ticks,
            })
        });
        self.kept = merged.collect();
    }

    pub(super) fn into_vec(self) -> Vec<HoldRun> {
        self.kept
    }
}
