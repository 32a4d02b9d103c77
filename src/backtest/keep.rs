//! Runs of equal holds for charts, in bounded memory.

use super::result::HoldRun;
use crate::domain::{Timestamp, decision::HoldReason};

/// Number of neighbouring runs that are merged first.
const NEIGHBOURS: usize = 16;

/// Runs of equal holds.
#[derive(Debug)]
pub(super) struct Runs {
    max: usize,
    kept: Vec<HoldRun>,
    /// A trade has ended the last run.
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

    /// Merges neighbouring runs with the same reason until half of the room is free. No tick is lost: a run
    /// then counts the ticks with its reason between two instants; other reasons may occur in between.
    fn merge(&mut self) {
        let mut neighbours = NEIGHBOURS;
        while self.kept.len() > self.max / 2 && neighbours <= self.max.saturating_mul(2) {
            self.kept = self.kept.chunks(neighbours).flat_map(by_reason).collect();
            neighbours = neighbours.saturating_mul(2);
        }
    }

    pub(super) fn into_vec(self) -> Vec<HoldRun> {
        self.kept
    }
}

/// One run for each reason, ordered by first tick.
fn by_reason(runs: &[HoldRun]) -> Vec<HoldRun> {
    let mut merged: Vec<HoldRun> = Vec::new();
    for run in runs {
        match merged.iter_mut().find(|other| other.reason == run.reason) {
            Some(same) => {
                same.to = run.to;
                same.ticks += run.ticks;
            }
            None => merged.push(*run),
        }
    }
    merged
}
