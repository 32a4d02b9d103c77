//! A duration in human form: `90s`, `4h`, `1d 12h`.

use std::{fmt, str::FromStr, time::Duration};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A length of time, whole milliseconds, at most 100 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(into = "String")]
pub struct Span(Duration);

/// A text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a length of time; write it with units, such as 90s, 15m, 4h or 7d, up to 100 years")]
pub struct ParseSpanError(String);

impl Span {
    /// Zero.
    pub const ZERO: Self = Self(Duration::ZERO);
    const MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3_600);

    /// `secs` seconds, capped at 100 years.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self::capped(Duration::from_secs(secs))
    }

    /// `millis` milliseconds, capped at 100 years.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self::capped(Duration::from_millis(millis))
    }

    const fn capped(duration: Duration) -> Self {
        if duration.as_secs() < Self::MAX.as_secs() {
            Self(duration)
        } else {
            Self(Self::MAX)
        }
    }

    /// Converts to the standard library's type.
    #[must_use]
    pub const fn std(self) -> Duration {
        self.0
    }

    /// Converts to chrono's type.
    #[must_use]
    pub fn delta(self) -> TimeDelta {
        // A span is at most 100 years, which chrono holds; the fallback cannot be reached.
        TimeDelta::from_std(self.0).unwrap_or(TimeDelta::MAX)
    }

    /// Both, one after the other, capped at 100 years.
    #[must_use]
    pub const fn saturating_add(self, more: Self) -> Self {
        Self::capped(self.0.saturating_add(more.0))
    }

    /// Half of it, rounded down to a nanosecond.
    #[must_use]
    pub fn halved(self) -> Self {
        Self(self.0.checked_div(2).unwrap_or_default())
    }

    /// Whether this is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Whether `now` is at least this long after `last`.
    #[inline]
    #[must_use]
    pub fn has_passed(self, last: Timestamp, now: Timestamp) -> bool {
        // Whole seconds decide, unless they are next to each other: this is on the path of every tick.
        let seconds = now.timestamp().saturating_sub(last.timestamp());
        let left = seconds.saturating_sub_unsigned(self.0.as_secs());
        if !(0..=1).contains(&left) {
            return left > 1;
        }
        let passed = now.signed_duration_since(last).to_std();
        passed.is_ok_and(|passed| passed >= self.0)
    }

    /// The instant this long after `instant`, capped at the end of time.
    #[must_use]
    pub fn after(self, instant: Timestamp) -> Timestamp {
        instant
            .checked_add_signed(self.delta())
            .unwrap_or(Timestamp::MAX_UTC)
    }

    /// The instant this long before `instant`, capped at the beginning of time.
    #[must_use]
    pub fn before(self, instant: Timestamp) -> Timestamp {
        instant
            .checked_sub_signed(self.delta())
            .unwrap_or(Timestamp::MIN_UTC)
    }

    /// Whether at least this much time lies between `since` and `now`.
    #[must_use]
    pub fn passed(self, since: Timestamp, now: Timestamp) -> bool {
        self.after(since) <= now
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days at most: no reader expects a "month" of 30.44 days.
        let secs = self.0.as_secs();
        let parts = [
            (secs / 86_400, "d"),
            (secs / 3_600 % 24, "h"),
            (secs / 60 % 60, "m"),
            (secs % 60, "s"),
            (u64::from(self.0.subsec_millis()), "ms"),
        ];
        if self.is_zero() {
            return f.write_str("0s");
        }
        let mut separator = "";
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count}{unit}")?;
            separator = " ";
        }
        Ok(())
    }
}

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseSpanError(text.to_owned());
        let parsed = humantime::parse_duration(text.trim()).map_err(|_| error())?;
        let whole_millis = parsed.subsec_nanos().is_multiple_of(1_000_000);
        if parsed <= Self::MAX && whole_millis {
            Ok(Self(parsed))
        } else {
            Err(error())
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

/// A bare number gets the same answer as any other text without a unit.
struct SpanVisitor;

impl serde::de::Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as 90s, 15m, 4h or 7d")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Span, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Span, E> {
        self.visit_str(&number.to_string())
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["90s", "15m", "4h", "7d", "1d 12h", "250ms", "0s"] {
            let span: Span = text.parse().expect(text);
            assert_eq!(
                span.to_string().parse::<Span>().expect("reads back"),
                span,
                "{text}"
            );
        }
    }

    #[test]
    fn a_span_is_shown_in_units_people_write() {
        for (text, shown) in [
            ("90d", "90d"),
            ("36h", "1d 12h"),
            ("3600s", "1h"),
            ("1500ms", "1s 500ms"),
            ("0s", "0s"),
        ] {
            assert_eq!(text.parse::<Span>().expect(text).to_string(), shown);
        }
    }

    #[test]
    fn a_bare_number_or_a_wild_one_is_refused() {
        for text in ["", "4", "-1h", "4 parsecs", "900years", "1ns"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
