//! The samples of a job, decided again.

use super::{PricePoint, result::SeriesSummary, series::Rows};
use crate::domain::{Timestamp, config::ScheduleConfig, span::Span, units::Price};

/// A sample this soon after a slot, and its jitter, was taken for it: a tick starts a little after its slot.
const TICK_START_MAX: Span = Span::from_secs(15);

/// The samples of a job as a series: one that was taken for a slot counts as that slot's price, or every decision would
/// see the price of the slot before. `None` without samples.
#[must_use]
pub fn rows_of(name: String, samples: &[(Timestamp, Price)], schedule: &ScheduleConfig) -> Option<Rows> {
    let mut rows: Vec<PricePoint> = Vec::with_capacity(samples.len());
    for (at, price) in samples {
        let earliest = schedule.jitter.before(TICK_START_MAX.before(*at));
        let slot = schedule
            .cron
            .next_after(schedule.timezone, Span::from_millis(1).before(earliest));
        let at = slot.filter(|slot| slot <= at).unwrap_or(*at);
        if rows.last().is_none_or(|last| last.at < at) {
            rows.push(PricePoint { at, price: *price });
        }
    }
    let (first, last) = (rows.first()?.at, rows.last()?.at);
    Some(Rows {
        summary: SeriesSummary {
            name,
            rows: u64::try_from(rows.len()).unwrap_or(u64::MAX),
            first,
            last,
            spacing: Span::ZERO,
            candles: false,
            gaps: 0,
            longest_gap: None,
            duplicates: 0,
            skipped: 0,
            warnings: Vec::new(),
        },
        rows,
    })
}
