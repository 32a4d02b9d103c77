//! First pass over a file: finds errors and measures the spacing of rows.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    options::{CandleTime, ReadOptions, within},
    problems::{NAMED_MAX, Problem, Problems},
};
use crate::{
    backtest::result::{Interval, SeriesSummary},
    domain::{Timestamp, span::Span},
    prices::csv::{Layout, Order, Place, PriceRow, Spacing, Spacings, shown},
};

pub(super) struct Checks {
    pub(super) bad: Problems,
    duplicates: Problems,
    newest_first: bool,
    order: Order,
    rows: u64,
    first: Option<Timestamp>,
    last: Option<(u64, PriceRow)>,
    /// The second row, and the one before the last, in the file's order.
    second: Option<Timestamp>,
    before_last: Option<Timestamp>,
    spacings: Spacings,
    /// The longest intervals, each with its line and start; the shortest of them on top.
    widest: BinaryHeap<Reverse<(u64, u64, Timestamp)>>,
}

/// Result of the first pass.
pub(super) struct Checked {
    pub(super) summary: SeriesSummary,
    /// Of candles whose time is their beginning.
    pub(super) spacing: Spacing,
}

impl Checks {
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            bad: Problems::default(),
            duplicates: Problems::default(),
            newest_first: layout.newest_first,
            order: Order::new(layout.newest_first),
            rows: 0,
            first: None,
            last: None,
            second: None,
            before_last: None,
            spacings: Spacings::default(),
            widest: BinaryHeap::new(),
        }
    }

    /// Checks a row's position; returns the problem, if any.
    pub(super) fn row(&mut self, line: u64, row: PriceRow, options: &ReadOptions) -> Result<(), String> {
        if !within(row.at, options) {
            return Ok(());
        }
        let place = self.order.place(row.at);
        if let Some((last_line, last)) = self.last {
            match place {
                Place::Again => {
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
                Place::OutOfOrder => {
                    return Err(format!(
                        "{} comes after {}: out of order",
                        shown(row.at),
                        shown(last.at)
                    ));
                }
                Place::Next => {}
            }
            if self.newest_first {
                self.distance(last_line, row.at, last.at);
            } else {
                self.distance(line, last.at, row.at);
            }
            self.second.get_or_insert(row.at);
            self.before_last = Some(last.at);
        }
        self.rows += 1;
        self.first.get_or_insert(row.at);
        self.last = Some((line, row));
        Ok(())
    }

    fn distance(&mut self, line: u64, from: Timestamp, to: Timestamp) {
        let millis = self.spacings.add(from, to);
        let narrowest = self.widest.peek().map_or(0, |Reverse((millis, ..))| *millis);
        if self.widest.len() < NAMED_MAX || millis > narrowest {
            self.widest.push(Reverse((millis, line, from)));
            if self.widest.len() > NAMED_MAX {
                self.widest.pop();
            }
        }
    }

    /// `None` without rows.
    pub(super) fn finish(mut self, name: &str, layout: &Layout, options: &ReadOptions) -> Option<Checked> {
        let (mut first, mut last) = (self.first?, self.last?.1.at);
        let measured = self.spacings.usual();
        let begins = layout.begins() && options.candle_time == CandleTime::Open;
        let spacing = if begins { measured } else { Spacing::NONE };
        let mut after_first = self.second;
        if self.newest_first {
            std::mem::swap(&mut first, &mut last);
            after_first = self.before_last;
        }
        let mut widest = self.widest.into_vec();
        widest.retain(|Reverse((millis, ..))| measured.is_gap(*millis));
        widest.sort();
        let longest_gap = widest.first().map(|Reverse((millis, _, from))| Interval {
            from: spacing.end(*from, None),
            to: spacing.end(Span::from_millis(*millis).after(*from), None),
        });
        let named = widest
            .into_iter()
            .map(|Reverse((millis, line, from))| Problem {
                line,
                what: format!(
                    "{} after {}, usual is {}",
                    Span::from_millis(millis),
                    shown(from),
                    measured.usual
                ),
            })
            .collect();
        let gaps = Problems {
            count: self.spacings.gaps(measured),
            named,
        };
        let mut warnings = layout.notes.clone();
        warnings.extend(warned(&self.duplicates, &gaps, &self.bad));
        Some(Checked {
            summary: SeriesSummary {
                name: name.to_owned(),
                rows: self.rows,
                first: if spacing == Spacing::NONE {
                    first
                } else {
                    spacing.end(first, after_first)
                },
                last: spacing.end(last, None),
                spacing: measured.usual,
                candles: layout.candles,
                invented: layout.invented,
                gaps: gaps.count,
                longest_gap,
                duplicates: self.duplicates.count,
                skipped: self.bad.count,
                warnings,
            },
            spacing,
        })
    }
}

fn warned(duplicates: &Problems, gaps: &Problems, skipped: &Problems) -> Vec<String> {
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
