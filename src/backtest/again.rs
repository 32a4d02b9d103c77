//! Replays the samples of a job.

use super::{result::SeriesSummary, series::Rows, setup::PricePoint};
use crate::domain::{Timestamp, config::ScheduleConfig, span::Span, units::Price};

/// A sample this soon after a slot and its jitter belongs to that slot: a tick starts shortly after its slot.
const TICK_START_MAX: Span = Span::from_secs(15);

/// The samples of a job as a series. A sample taken for a slot counts as that slot's price; otherwise every decision
/// would see the price of the previous slot. `None` without samples.
#[must_use]
pub fn rows_of(name: String, samples: &[(Timestamp, Price)], schedule: &ScheduleConfig) -> Option<Rows> {
    let mut rows: Vec<PricePoint> = Vec::with_capacity(samples.len());
    for (at, price) in samples {
        let earliest = schedule.jitter.before(TICK_START_MAX.before(*at));
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

    #[test]
    fn a_sample_belongs_to_the_latest_slot_before_it() {
        let instant = |text: &str| text.parse::<Timestamp>().expect("a time");
        let price = Price::ONE;
        let every_ten_seconds = ScheduleConfig {
            cron: "*/10 * * * * *".parse().expect("cron"),
            ..ScheduleConfig::default()
        };
        let samples = [
            (instant("2026-01-01T00:00:20.300Z"), price),
            (instant("2026-01-01T00:00:31Z"), price),
        ];
        let rows = rows_of("job".to_owned(), &samples, &every_ten_seconds).expect("rows");
        let at: Vec<Timestamp> = rows.rows.iter().map(|row| row.at).collect();
        assert_eq!(
            at,
            [instant("2026-01-01T00:00:20Z"), instant("2026-01-01T00:00:30Z")]
        );
    }
}
