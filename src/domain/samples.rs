//! What is remembered of past prices: one sample an interval, the highest of a window, a time-weighted mean.
//!
//! The ledger keeps samples in a table and asks it; [`Samples`] keeps what can still matter and gives the same
//! answers (`samples_in_memory_answer_as_the_ledger_does`).

use std::collections::VecDeque;

use alloy_primitives::U256;
use rust_decimal::Decimal;

use super::{
    Timestamp,
    config::JobConfig,
    decision::{LastFills, MovingAverage},
    span::Span,
    units::Price,
};

/// No sample stands for more than this share of a window, so that a mean of full coverage rests on several.
pub const LONGEST_SHARE: i32 = 5;

/// What the samples of a window say, the given price included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Highest accepted price.
    pub high: Price,
    /// Time-weighted mean; `None` if not wanted or without samples.
    pub average: Option<MovingAverage>,
}

/// How far back a job looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookback {
    /// The recent high is looked for from here on.
    pub high_since: Timestamp,
    /// Length of the moving average's window; zero = not wanted.
    pub average_over: Span,
}

impl Lookback {
    /// What a job with these rules looks at when its price is of `observed_at`: the high since the last dip fill,
    /// at most one window back.
    #[must_use]
    pub fn of(config: &JobConfig, last: &LastFills, observed_at: Timestamp) -> Self {
        let (window, average_over) = match (&config.accumulate, &config.liquidity) {
            (Some(rules), _) => (rules.dip_window, Span::ZERO),
            (None, Some(rules)) => (rules.ma_window, rules.ma_window),
            (None, None) => (Span::ZERO, Span::ZERO),
        };
        let since = window.before(observed_at);
        Self {
            high_since: last.dip.map_or(since, |dip| since.max(dip)),
            average_over,
        }
    }
}

impl MovingAverage {
    /// The mean of prices of which `weighted` is the sum, each times the microseconds it stood, in units of
    /// 10^-28 USD; `held_micros` is the time that they stood together. Both digits past what a price holds and the
    /// coverage's past the fourth are cut. `None` if nothing stood.
    #[must_use]
    pub fn of(weighted: U256, held_micros: u64, window: Span) -> Option<Self> {
        let mean = weighted.checked_div(U256::from(held_micros))?;
        let price = Price::from_units(mean).ok()?;
        let window = window.std().as_micros();
        let share = u128::from(held_micros)
            .checked_mul(1_000_000)?
            .checked_div(window)?;
        let share = i64::try_from(share.min(1_000_000)).ok()?;
        Some(Self {
            price,
            coverage_pct: Decimal::new(share, 4).normalize(),
        })
    }
}

/// Samples of one series in memory: no more than a window of them, however long the series is. Instants never run
/// backwards, and neither does the beginning of the window.
#[derive(Debug, Clone)]
pub struct Samples {
    interval_micros: i64,
    window: Span,
    window_micros: i64,
    longest_micros: i64,
    last_bucket: Option<i64>,
    /// Samples that may still be the highest: each is higher than all after it.
    highs: VecDeque<(i64, Price)>,
    /// Samples that ended, oldest first, each with the time it stood.
    ended: VecDeque<Stood>,
    /// The newest sample: it stands still.
    standing: Option<(i64, Price)>,
    /// Of all of `ended`, in the units of [`MovingAverage::of`].
    weighted: U256,
    held_micros: i64,
}

/// A sample that has a successor.
#[derive(Debug, Clone, Copy)]
struct Stood {
    from: i64,
    until: i64,
    /// Units of 10^-28 USD.
    units: U256,
}

impl Stood {
    fn micros(&self) -> i64 {
        self.until.saturating_sub(self.from)
    }
}

impl Samples {
    /// Keeps one sample an `interval`, and the mean over `average_over` (zero = not wanted).
    #[must_use]
    pub fn new(interval: Span, average_over: Span) -> Self {
        let window_micros = micros(average_over);
        Self {
            interval_micros: micros(interval).max(1),
            window: average_over,
            window_micros,
            longest_micros: window_micros.checked_div(LONGEST_SHARE.into()).unwrap_or(0),
            last_bucket: None,
            highs: VecDeque::new(),
            ended: VecDeque::new(),
            standing: None,
            weighted: U256::ZERO,
            held_micros: 0,
        }
    }

    /// Looks back from an accepted price, then keeps it if it is the first of its interval.
    pub fn observe(&mut self, price: Price, observed_at: Timestamp, high_since: Timestamp) -> History {
        let at = observed_at.timestamp_micros();
        let history = History {
            high: self
                .high_since(high_since.timestamp_micros())
                .map_or(price, |high| high.max(price)),
            average: self.mean(at),
        };
        self.keep(price, at);
        history
    }

    fn high_since(&mut self, since: i64) -> Option<Price> {
        while self.highs.front().is_some_and(|(at, _)| *at < since) {
            self.highs.pop_front();
        }
        self.highs.front().map(|(_, price)| *price)
    }

    /// Samples before `at`; each stands until the next, never longer than its share of the window.
    fn mean(&mut self, at: i64) -> Option<MovingAverage> {
        if self.window_micros == 0 {
            return None;
        }
        let start = at.saturating_sub(self.window_micros);
        while let Some(oldest) = self.ended.front().filter(|oldest| oldest.until <= start) {
            self.weighted = self
                .weighted
                .checked_sub(weight(oldest.units, oldest.micros())?)?;
            self.held_micros = self.held_micros.saturating_sub(oldest.micros());
            self.ended.pop_front();
        }
        let (mut weighted, mut held) = (self.weighted, self.held_micros);
        // No two stand at one time: only the oldest can reach over the window's start.
        if let Some(oldest) = self.ended.front().filter(|oldest| oldest.from < start) {
            let outside = start.saturating_sub(oldest.from);
            weighted = weighted.checked_sub(weight(oldest.units, outside)?)?;
            held = held.saturating_sub(outside);
        }
        if let Some((from, price)) = self.standing {
            let until = at.min(from.saturating_add(self.longest_micros));
            let stood = until.saturating_sub(from.max(start)).max(0);
            weighted = weighted.checked_add(weight(price.units(), stood)?)?;
            held = held.saturating_add(stood);
        }
        MovingAverage::of(weighted, u64::try_from(held).ok()?, self.window)
    }

    fn keep(&mut self, price: Price, at: i64) {
        let bucket = at.div_euclid(self.interval_micros);
        if self.last_bucket.is_some_and(|last| bucket <= last) {
            return;
        }
        self.last_bucket = Some(bucket);
        while self.highs.back().is_some_and(|(_, lower)| *lower <= price) {
            self.highs.pop_back();
        }
        self.highs.push_back((at, price));
        if self.window_micros == 0 {
            return;
        }
        if let Some((from, before)) = self.standing.replace((at, price)) {
            let stood = Stood {
                from,
                until: at.min(from.saturating_add(self.longest_micros)),
                units: before.units(),
            };
            // A price times a window fits 256 bits with room for all of them.
            let sum =
                weight(stood.units, stood.micros()).and_then(|weight| self.weighted.checked_add(weight));
            if let Some(sum) = sum {
                self.weighted = sum;
                self.held_micros = self.held_micros.saturating_add(stood.micros());
                self.ended.push_back(stood);
            }
        }
    }
}

fn micros(span: Span) -> i64 {
    i64::try_from(span.std().as_micros()).unwrap_or(i64::MAX)
}

fn weight(units: U256, micros: i64) -> Option<U256> {
    units.checked_mul(U256::from(u64::try_from(micros).ok()?))
}
