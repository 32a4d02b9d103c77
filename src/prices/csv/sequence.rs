//! The order of rows: their usual distance, and when a candle ends.

use std::{cmp::Reverse, collections::HashMap};

use super::layout::PriceRow;
use crate::domain::{Timestamp, span::Span};

/// Maximum number of different distances to count; a series with more has no regular spacing.
const SPACINGS_MAX: usize = 1_024;

/// Rows further apart than this share of the usual distance, in per cent, have a gap between them.
const GAP_PCT: u64 = 150;

/// How a row is ordered relative to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// After them, in the file's order.
    Next,
    /// At the time of the last one: the first row of an instant counts.
    Again,
    /// Out of order: the file is not sorted.
    OutOfOrder,
}

/// The order of rows that were read.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    newest_first: bool,
    last: Option<Timestamp>,
}

impl Order {
    /// No row was read yet.
    #[must_use]
    pub const fn new(newest_first: bool) -> Self {
        Self {
            newest_first,
            last: None,
        }
    }

    /// The place of the next row; rows that are not [`Place::Next`] do not count for those after them.
    pub fn place(&mut self, at: Timestamp) -> Place {
        let place = match self.last {
            Some(last) if last == at => Place::Again,
            Some(last) if (at < last) != self.newest_first => Place::OutOfOrder,
            _ => Place::Next,
        };
        if place == Place::Next {
            self.last = Some(at);
        }
        place
    }
}

/// Counts the distances between rows, milliseconds.
#[derive(Debug, Default)]
pub struct Spacings {
    counts: HashMap<u64, u64>,
    /// The distance of the last rows and its consecutive occurrences, not yet counted above.
    steady: (u64, u64),
}

impl Spacings {
    /// Counts the distance from one row to the next; returns it.
    pub fn add(&mut self, from: Timestamp, to: Timestamp) -> u64 {
        let millis = u64::try_from((to - from).num_milliseconds()).unwrap_or(0);
        if millis == self.steady.0 {
            self.steady.1 += 1;
        } else {
            self.count_steady();
            self.steady = (millis, 1);
        }
        millis
    }

    fn count_steady(&mut self) {
        let (millis, times) = self.steady;
        if times > 0 && (self.counts.len() < SPACINGS_MAX || self.counts.contains_key(&millis)) {
            *self.counts.entry(millis).or_default() += times;
        }
        self.steady.1 = 0;
    }

    /// The most common distance, the shortest of several; zero with fewer than two rows.
    pub fn usual(&mut self) -> Spacing {
        self.count_steady();
        let usual = self
            .counts
            .iter()
            .max_by_key(|(millis, count)| (**count, Reverse(**millis)));
        Spacing {
            usual: Span::from_millis(usual.map_or(0, |(millis, _)| *millis)),
            gap_millis: usual.map_or(u64::MAX, |(millis, _)| millis.saturating_mul(GAP_PCT) / 100),
        }
    }

    /// Number of distances that are gaps.
    #[must_use]
    pub fn gaps(&self, spacing: Spacing) -> u64 {
        let wide = self.counts.iter().filter(|(millis, _)| spacing.is_gap(**millis));
        wide.map(|(_, count)| count).sum()
    }
}

/// The usual distance between rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spacing {
    /// The distance.
    pub usual: Span,
    gap_millis: u64,
}

impl Spacing {
    /// No spacing, for rows that are not candles.
    pub const NONE: Self = Self {
        usual: Span::ZERO,
        gap_millis: u64::MAX,
    };

    /// Whether rows are missing between two rows this far apart.
    #[must_use]
    pub const fn is_gap(self, millis: u64) -> bool {
        millis > self.gap_millis
    }

    /// When a candle ends that begins at `at`: when the next begins, before a gap after the usual time. Months and days
    /// of a zone have no length of their own.
    #[must_use]
    pub fn end(self, at: Timestamp, next: Option<Timestamp>) -> Timestamp {
        let millis = |next: &Timestamp| u64::try_from((*next - at).num_milliseconds()).unwrap_or(0);
        next.filter(|next| !self.is_gap(millis(next)))
            .unwrap_or_else(|| self.usual.after(at))
    }
}

/// Moves candles, oldest first, from their beginning to their end.
#[derive(Debug)]
pub struct Ends {
    spacing: Spacing,
    held: Option<PriceRow>,
}

impl Ends {
    /// `spacing`: of candles that are to be moved, [`Spacing::NONE`] for all else.
    #[must_use]
    pub const fn new(spacing: Spacing) -> Self {
        Self { spacing, held: None }
    }

    /// Takes the next row; returns the one before it, or this one if candles are not moved.
    pub fn push(&mut self, row: PriceRow) -> Option<PriceRow> {
        if self.spacing == Spacing::NONE {
            return Some(row);
        }
        let before = self.held.replace(row)?;
        Some(self.moved(before, Some(row.at)))
    }

    /// The last row, if not yet returned.
    pub fn finish(self) -> Option<PriceRow> {
        let last = self.held?;
        Some(self.moved(last, None))
    }

    fn moved(&self, row: PriceRow, next: Option<Timestamp>) -> PriceRow {
        PriceRow {
            at: self.spacing.end(row.at, next),
            price: row.price,
        }
    }
}
