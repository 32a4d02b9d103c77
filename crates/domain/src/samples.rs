//! Samples of past prices: one per interval, the highest of a window, a time-weighted mean.
//!
//! The ledger queries samples in a table; [`Samples`] keeps the relevant ones in memory and gives the same
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

/// Samples are compared with each other when this many are new, or when the highest is wanted: most are then lower than
/// one after them, and are never stored.
const FRESH_MAX: usize = 64;

/// The shortest window of a moving average that samples fill which are kept this far apart.
#[must_use]
pub fn shortest_window(sample_interval: Span) -> Span {
    let millis = u64::try_from(sample_interval.std().as_millis()).unwrap_or(u64::MAX);
    Span::from_millis(millis.saturating_mul(LONGEST_SHARE.unsigned_abs().into()))
}

/// Summary of the samples of a window, the given price included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Highest accepted price.
    pub high: Price,
    /// Time-weighted mean; `None` if not wanted or without samples.
    pub average: Option<MovingAverage>,
}

/// A tick's query of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The recent high is looked for from here on.
    pub high_since: Timestamp,
    /// A price accepted earlier confirms nothing: slots were missed, or the job was paused.
    pub previous_since: Timestamp,
    /// Length of the moving average's window; zero = not wanted.
    pub average_over: Span,
}

impl HistoryQuery {
    /// The query of a job with these rules when its price is of `observed_at`: the high since the last dip fill,
    /// at most one window back.
    #[must_use]
    pub fn of(config: &JobConfig, last: &LastFills, observed_at: Timestamp) -> Self {
        let look_back = config.rules.look_back();
        let since = look_back.high.before(observed_at);
        Self {
            high_since: last.dip.map_or(since, |dip| since.max(dip)),
            // Twice the window: a job whose slots are a window apart finds its previous price just outside of one.
            previous_since: look_back.high.before(since),
            average_over: look_back.average,
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
    /// When the interval after that of the last kept sample begins.
    next_at: i64,
    /// Samples that may still be the highest: each is higher than all after it.
    highs: VecDeque<Kept>,
    /// Samples after those, not yet compared.
    fresh: Vec<Kept>,
    /// Samples that ended, oldest first, each with the time it stood.
    ended: VecDeque<Stood>,
    /// The newest sample, still open.
    standing: Option<(i64, Price)>,
    /// Prices of all of `ended`, each times its microseconds.
    weighted: Sum,
    held_micros: i64,
}

/// A price, and the same as a whole number if it has few enough digits: that is quicker to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct High {
    /// The price.
    pub price: Price,
    /// The price in units of [`Price::SHORT_UNIT_DIGITS`].
    pub units: Option<u128>,
}

impl High {
    /// Both forms of a price.
    #[must_use]
    pub fn of(price: Price) -> Self {
        Self {
            price,
            units: price.short_units(),
        }
    }

    fn is_at_most(&self, other: &Self) -> bool {
        match (self.units, other.units) {
            (Some(own), Some(other)) => own <= other,
            _ => self.price <= other.price,
        }
    }
}

/// A sample, and its instant. The instant comes last, so that a sample is copied as it was written, which is quicker.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Kept {
    high: High,
    at: i64,
}

/// A sample that has a successor.
#[derive(Debug, Clone, Copy)]
struct Stood {
    from: i64,
    until: i64,
    price: Price,
}

impl Stood {
    const fn micros(&self) -> i64 {
        self.until.saturating_sub(self.from)
    }
}

/// A sum of prices times microseconds, exact in both forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// In the units of [`Price::short_units`], while all prices have few enough digits.
    Short(u128),
    /// In the units of [`Price::units`].
    Long(U256),
}

impl Sum {
    /// In the units of [`MovingAverage::of`].
    fn units(self) -> Option<U256> {
        match self {
            Self::Short(sum) => U256::from(sum).checked_mul(U256::from(Price::SHORT_UNITS)),
            Self::Long(sum) => Some(sum),
        }
    }

    fn plus(self, price: Price, micros: i64) -> Option<Self> {
        match self {
            Self::Short(sum) => sum.checked_add(short_weight(price, micros)?).map(Self::Short),
            Self::Long(sum) => sum.checked_add(weight(price, micros)?).map(Self::Long),
        }
    }

    fn minus(self, price: Price, micros: i64) -> Option<Self> {
        match self {
            Self::Short(sum) => sum.checked_sub(short_weight(price, micros)?).map(Self::Short),
            Self::Long(sum) => sum.checked_sub(weight(price, micros)?).map(Self::Long),
        }
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
            next_at: i64::MIN,
            highs: VecDeque::new(),
            fresh: Vec::new(),
            ended: VecDeque::new(),
            standing: None,
            weighted: Sum::Short(0),
            held_micros: 0,
        }
    }

    /// Summarises the samples before an accepted price, then keeps the price if it is the first of its interval.
    pub fn observe(&mut self, price: Price, observed_at: Timestamp, high_since: Timestamp) -> History {
        let at = observed_at.timestamp_micros();
        let high = self.high_since(high_since.timestamp_micros());
        let history = History {
            high: high.map_or(price, |high| high.price.max(price)),
            average: self.mean(at),
        };
        self.keep(High::of(price), at);
        history
    }

    /// The highest sample since an instant, microseconds since 1970. Later queries never start earlier.
    pub fn high_since(&mut self, since: i64) -> Option<High> {
        self.compare_fresh();
        while self.highs.front().is_some_and(|kept| kept.at < since) {
            self.highs.pop_front();
        }
        self.highs.front().map(|kept| kept.high)
    }

    /// Takes those of the fresh samples to the highs that are higher than all after them.
    fn compare_fresh(&mut self) {
        let Some(last) = self.fresh.last() else {
            return;
        };
        let (mut highest, mut kept) = (last.high, self.fresh.len().saturating_sub(1));
        for place in (0..kept).rev() {
            if let Some(Kept { high, .. }) = self.fresh.get(place)
                && !high.is_at_most(&highest)
            {
                highest = *high;
                kept = kept.saturating_sub(1);
                self.fresh.swap(place, kept);
            }
        }
        while self
            .highs
            .back()
            .is_some_and(|lower| lower.high.is_at_most(&highest))
        {
            self.highs.pop_back();
        }
        self.highs.extend(self.fresh.drain(kept..));
        self.fresh.clear();
    }

    fn mean(&mut self, at: i64) -> Option<MovingAverage> {
        let (weighted, held) = self.weighted_until(at)?;
        MovingAverage::of(weighted.units()?, u64::try_from(held).ok()?, self.window)
    }

    /// Samples before `at`: the sum of their prices, each times the microseconds that it stood in the window, and the
    /// microseconds that they stood together. Each stands until the next, never longer than its share of the window.
    pub fn weighted_until(&mut self, at: i64) -> Option<(Sum, i64)> {
        if self.window_micros == 0 {
            return None;
        }
        let start = at.saturating_sub(self.window_micros);
        while let Some(oldest) = self.ended.front().filter(|oldest| oldest.until <= start) {
            self.weighted = self.weighted.minus(oldest.price, oldest.micros())?;
            self.held_micros = self.held_micros.saturating_sub(oldest.micros());
            self.ended.pop_front();
        }
        let (mut weighted, mut held) = (self.weighted, self.held_micros);
        // No two stand at one time: only the oldest can reach over the window's start.
        if let Some(oldest) = self.ended.front().filter(|oldest| oldest.from < start) {
            let outside = start.saturating_sub(oldest.from);
            weighted = weighted.minus(oldest.price, outside)?;
            held = held.saturating_sub(outside);
        }
        if let Some((from, price)) = self.standing {
            let until = at.min(from.saturating_add(self.longest_micros));
            let stood = until.saturating_sub(from.max(start)).max(0);
            weighted = weighted.plus(price, stood)?;
            held = held.saturating_add(stood);
        }
        Some((weighted, held))
    }

    /// Keeps an accepted price, if it is the first of its interval.
    #[inline]
    pub fn keep(&mut self, new: High, at: i64) {
        if at < self.next_at {
            return;
        }
        self.next_at = self.interval_after(at);
        if self.fresh.len() >= FRESH_MAX {
            self.compare_fresh();
        }
        self.fresh.push(Kept { high: new, at });
        if self.window_micros > 0 {
            self.stand(new, at);
        }
    }

    /// Ends the open sample, and opens this one.
    fn stand(&mut self, new: High, at: i64) {
        if !self.is_short(&new) && matches!(self.weighted, Sum::Short(_)) {
            self.lengthen();
        }
        if let Some((from, price)) = self.standing.replace((at, new.price)) {
            let until = at.min(from.saturating_add(self.longest_micros));
            let stood = Stood { from, until, price };
            // A price times a window fits both forms, for every window.
            if let Some(sum) = self.weighted.plus(price, stood.micros()) {
                self.weighted = sum;
                self.held_micros = self.held_micros.saturating_add(stood.micros());
                self.ended.push_back(stood);
            }
        }
    }

    /// When the interval after that of `at` begins; most samples are of the next one, which needs no division.
    fn interval_after(&self, at: i64) -> i64 {
        let next = self.next_at.saturating_add(self.interval_micros);
        if at < next {
            return next;
        }
        let intervals = at.div_euclid(self.interval_micros).saturating_add(1);
        intervals.saturating_mul(self.interval_micros)
    }

    /// Whether windows full of this price fit the short sum.
    fn is_short(&self, price: &High) -> bool {
        let window = u128::from(self.window_micros.unsigned_abs()).saturating_mul(4);
        price.units.and_then(|units| units.checked_mul(window)).is_some()
    }

    /// The same sum in the notation that holds every price.
    fn lengthen(&mut self) {
        let all = self.ended.iter().try_fold(Sum::Long(U256::ZERO), |sum, stood| {
            sum.plus(stood.price, stood.micros())
        });
        self.weighted = all.unwrap_or(Sum::Long(U256::ZERO));
    }
}

fn micros(span: Span) -> i64 {
    i64::try_from(span.std().as_micros()).unwrap_or(i64::MAX)
}

fn weight(price: Price, micros: i64) -> Option<U256> {
    price.units().checked_mul(U256::from(u64::try_from(micros).ok()?))
}

fn short_weight(price: Price, micros: i64) -> Option<u128> {
    price.short_units()?.checked_mul(u128::try_from(micros).ok()?)
}
