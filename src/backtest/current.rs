//! A row of a series in the forms that a tick compares.

use std::num::NonZero;

use super::setup::PricePoint;

/// The last row, with its instant and price as integers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Current {
    pub(super) row: PricePoint,
    pub(super) micros: i64,
    pub(super) units: Option<NonZero<u128>>,
}

impl Current {
    pub(super) fn of(row: PricePoint) -> Self {
        Self {
            row,
            micros: row.at.timestamp_micros(),
            units: row.price.short_units().and_then(NonZero::new),
        }
    }
}
