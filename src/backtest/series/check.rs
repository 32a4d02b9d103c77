//! First pass over a file: finds errors and measures the spacing of rows.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::{
    options::{CandleTime, ReadOptions, within},
    problems::{NAMED_MAX, Problem, Problems},
};
use crate::{
    backtest::{
        result::{Interval, SeriesSummary},
        setup::PricePoint,
    },
    domain::{Timestamp, span::Span},
};

/// Maximum number of different intervals to count; a series with more has no regular spacing.
const SPACINGS_MAX: usize = 1_024;

/// Rows further apart than this share of the usual interval, in per cent, have a gap between them.
const GAP_PCT: u64 = 150;

#[derive(Default)]
pub(super) struct Checks {
    pub(super) bad: Problems,
    duplicates: Problems,
    rows: u64,
    first: Option<Timestamp>,
    last: Option<PricePoint>,
    /// Number of occurrences of each interval, milliseconds.
    spacings: HashMap<u64, u64>,
    /// The interval of the last rows and its consecutive occurrences, not yet counted above.
    steady: (u64, u64),
    /// The longest intervals, each with its line and start; the shortest of them on top.
    widest: BinaryHeap<Reverse<(u64, u64, Timestamp)>>,
}

/// Result of the first pass.
pub(super) struct Checked {
    pub(super) summary: SeriesSummary,
    pub(super) shift: Span,
}

impl Checks {
    /// Checks a row's position; returns the problem, if any.
    pub(super) fn row(&mut self, line: u64, row: PricePoint, options: &ReadOptions) -> Result<(), String> {
        if !within(row.at, options) {
            return Ok(());
        }
        if let Some(last) = self.last {
            if row.at < last.at {
                return Err(format!(
                    "{} comes after {}: out of order",
                    shown(row.at),
                    shown(last.at)
                ));
            }
            if row.at == last.at {
                self.duplicates.add(line, || {
                    let other = if row.price == last.price {
                        ""
                    } else {
                        " with another price"
                    };
                    format!("{} again{other}; the first row counts", shown(row.at))
                });
                return Ok(());
            }
            self.distance(line, last.at, row.at);
        }
        self.rows += 1;
        self.first.get_or_insert(row.at);
        self.last = Some(row);
        Ok(())
    }

    fn distance(&mut self, line: u64, from: Timestamp, to: Timestamp) {
        let millis = u64::try_from((to - from).num_milliseconds()).unwrap_or(0);
        if millis == self.steady.0 {
            self.steady.1 += 1;
        } else {
            self.count_steady();
            self.steady = (millis, 1);
        }
        let narrowest = self.widest.peek().map_or(0, |Reverse((millis, ..))| *millis);
        if self.widest.len() < NAMED_MAX || millis > narrowest {
            self.widest.push(Reverse((millis, line, from)));
            if self.widest.len() > NAMED_MAX {
                self.widest.pop();
            }
        }
    }

    fn count_steady(&mut self) {
        let (millis, times) = self.steady;
        if times > 0 && (self.spacings.len() < SPACINGS_MAX || self.spacings.contains_key(&millis)) {
            *self.spacings.entry(millis).or_default() += times;
        }
    }

    /// `None` without rows.
    pub(super) fn finish(mut self, name: &str, candles: bool, options: &ReadOptions) -> Option<Checked> {
        self.count_steady();
        let (first, last) = (self.first?, self.last?.at);
        let usual = self
            .spacings
            .iter()
            .max_by_key(|(millis, count)| (**count, Reverse(**millis)));
        let spacing = Span::from_millis(usual.map_or(0, |(millis, _)| *millis));
        let gap_millis = usual.map_or(u64::MAX, |(millis, _)| millis.saturating_mul(GAP_PCT) / 100);
        let wide = self.spacings.iter().filter(|(millis, _)| **millis > gap_millis);
        let count = wide.map(|(_, count)| count).sum();
        let mut widest = self.widest.into_vec();
        widest.retain(|Reverse((millis, ..))| *millis > gap_millis);
        widest.sort();
        let longest_gap = widest.first().map(|Reverse((millis, _, from))| Interval {
            from: *from,
            to: Span::from_millis(*millis).after(*from),
        });
        let named = widest
            .into_iter()
            .map(|Reverse((millis, line, from))| Problem {
                line,
                what: format!(
                    "{} after {}, usual is {spacing}",
                    Span::from_millis(millis),
                    shown(from)
                ),
            })
            .collect();
        let gaps = Problems { count, named };
        let shift = if candles && options.candle_time == CandleTime::Open {
            spacing
        } else {
            Span::ZERO
        };
        Some(Checked {
            summary: SeriesSummary {
                name: name.to_owned(),
                rows: self.rows,
                first: shift.after(first),
                last: shift.after(last),
                spacing,
                candles,
                gaps: gaps.count,
                longest_gap: longest_gap.map(|gap| Interval {
                    from: shift.after(gap.from),
                    to: shift.after(gap.to),
                }),
                duplicates: self.duplicates.count,
                skipped: self.bad.count,
                warnings: warnings(&self.duplicates, &gaps, &self.bad),
            },
            shift,
        })
    }
}

fn warnings(duplicates: &Problems, gaps: &Problems, skipped: &Problems) -> Vec<String> {
    [
        (gaps, "gaps, longest first"),
        (duplicates, "rows with a duplicate time"),
        (skipped, "rows skipped"),
    ]
    .into_iter()
    .filter(|(problems, _)| problems.count > 0)
    .map(|(problems, what)| format!("{} {what}:{problems}", problems.count))
    .collect()
}

fn shown(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
