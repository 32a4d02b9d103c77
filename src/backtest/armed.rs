//! Since when, and until when, stops and trailing rules were armed.

use strum::VariantArray;

use super::result::{ArmedRange, ArmedRule};
use crate::domain::{Timestamp, decision::Reason};

const RULES: usize = ArmedRule::VARIANTS.len();

/// Ranges of all rules; their number is bounded.
#[derive(Debug)]
pub(super) struct Ranges {
    open: [Option<Timestamp>; RULES],
    done: Vec<ArmedRange>,
    max: usize,
}

impl Ranges {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            open: [None; RULES],
            done: Vec::new(),
            max,
        }
    }

    /// After a tick: whether each rule is armed now, in the order of [`ArmedRule`], and which rule has sold.
    pub(super) fn see(&mut self, at: Timestamp, armed: [bool; RULES], sold: Option<Reason>) {
        let rules = ArmedRule::VARIANTS.iter().zip(armed).zip(&mut self.open);
        for ((rule, armed), open) in rules {
            let fired = sold == Some(rule.sells_as());
            if let Some(from) = open.filter(|_| fired || !armed) {
                *open = None;
                if self.done.len() < self.max {
                    self.done.push(ArmedRange {
                        rule: *rule,
                        from,
                        to: at,
                        fired,
                    });
                }
            }
            if armed && open.is_none() {
                *open = Some(at);
            }
        }
    }

    /// All of them, by their beginning; what is still armed ends with the run.
    pub(super) fn finish(mut self, end: Option<Timestamp>) -> Vec<ArmedRange> {
        if let Some(end) = end {
            self.see(end, [false; RULES], None);
        }
        self.done.sort_by_key(|range| (range.from, range.rule));
        self.done
    }
}
