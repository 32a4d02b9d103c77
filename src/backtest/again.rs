//! Replays the samples of a job.

use super::{result::SeriesSummary, series::Rows, setup::PricePoint};
use crate::domain::{Timestamp, config::ScheduleConfig, span::Span, units::Price};

/// A sample this soon after a slot and its jitter is the price that the slot's tick saw. A later one was seen by a late
/// tick or by another job's, and a decision on time could not see it.
pub const TICK_MAX: Span = Span::from_secs(2);

/// The samples of a job as a series. Each is known from when it was seen. That of a slot's own tick is seen a moment
/// after the slot and counts as the slot's price; otherwise every decision would see the price of the previous slot.
/// `None` without samples.
#[must_use]
pub fn rows_of(name: String, samples: &[(Timestamp, Price)], schedule: &ScheduleConfig) -> Option<Rows> {
    let mut rows: Vec<PricePoint> = Vec::with_capacity(samples.len());
    for (at, price) in samples {
        let earliest = schedule.jitter.before(TICK_MAX.before(*at));
        // The latest slot in that time: an earlier one would use a price from its future.
        let next = |after| schedule.cron.next_after(schedule.timezone, after);
        let mut slot = next(Span::from_millis(1).before(earliest)).filter(|slot| slot <= at);
        while let Some(later) = slot.and_then(next).filter(|slot| slot <= at) {
            slot = Some(later);
        }
        let at = slot.unwrap_or(*at);
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
            invented: false,
            gaps: 0,
            longest_gap: None,
            duplicates: 0,
            skipped: 0,
            warnings: Vec::new(),
        },
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(cron: &str, jitter: Span, samples: &[&str]) -> Vec<String> {
        let schedule = ScheduleConfig {
            cron: cron.parse().expect("cron"),
            jitter,
            ..ScheduleConfig::default()
        };
        let at = |text: &&str| {
            format!("2026-01-01T{text}Z")
                .parse::<Timestamp>()
                .expect("a time")
        };
        let samples: Vec<_> = samples.iter().map(|text| (at(text), Price::ONE)).collect();
        let rows = rows_of("job".to_owned(), &samples, &schedule).expect("rows");
        let shown = |row: &PricePoint| row.at.format("%H:%M:%S%.f").to_string();
        rows.rows.iter().map(shown).collect()
    }

    #[test]
    fn a_sample_belongs_to_the_slot_whose_tick_saw_it() {
        let none = Span::ZERO;
        for (cron, jitter, samples, rows) in [
            (
                "*/10 * * * * *",
                none,
                ["00:00:20.300", "00:00:31"],
                ["00:00:20", "00:00:30"],
            ),
            (
                "* * * * * *",
                none,
                ["00:00:20.300", "00:00:21.9"],
                ["00:00:20", "00:00:21"],
            ),
            // Seen by a late tick, or by that of another job: not known at the slot.
            (
                "*/15 * * * * *",
                none,
                ["00:04:14", "00:05:03"],
                ["00:04:14", "00:05:03"],
            ),
            (
                "* * * * *",
                none,
                ["00:04:02", "00:05:02.001"],
                ["00:04:00", "00:05:02.001"],
            ),
            // Seen before any slot that is near.
            (
                "0 * * * *",
                none,
                ["00:59:59.9", "01:00:00.1"],
                ["00:59:59.900", "01:00:00"],
            ),
            (
                "* * * * *",
                Span::from_secs(20),
                ["00:04:21", "00:05:23"],
                ["00:04:00", "00:05:23"],
            ),
        ] {
            assert_eq!(placed(cron, jitter, &samples), rows, "{cron} {samples:?}");
        }
    }
}
