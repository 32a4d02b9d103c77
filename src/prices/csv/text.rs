//! Times and prices as files write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::problem::RowProblem;
use crate::domain::{Timestamp, units::Price};

/// Seconds reach this far (the year 5138), milliseconds a thousand times further, and so on.
const SECONDS_MAX: i64 = 100_000_000_000;

/// Longest piece of a bad field that is shown.
const SHOWN_MAX: usize = 40;

/// Unix seconds, milliseconds, microseconds or nanoseconds by their size, seconds with a fraction, RFC 3339, or a
/// date with or without a time, which then is UTC.
#[must_use]
pub fn instant(field: &[u8]) -> Option<Timestamp> {
    if let Some(number) = whole(field) {
        return of_number(number);
    }
    let text = std::str::from_utf8(field).ok()?;
    if let Some(instant) = plain(text) {
        return Some(instant);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    if let Ok(seconds) = text.parse::<Decimal>() {
        let micros = seconds.checked_mul(Decimal::from(1_000_000))?.trunc().to_i64()?;
        return DateTime::from_timestamp_micros(micros);
    }
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    let naive = [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ]
    .into_iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    naive.map(|naive| naive.and_utc()).or_else(|| {
        let offset = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z");
        offset.map(|time| time.with_timezone(&Utc)).ok()
    })
}

/// A whole number without a sign.
fn whole(field: &[u8]) -> Option<i64> {
    if field.is_empty() || field.len() > 19 {
        return None;
    }
    field.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn of_number(number: i64) -> Option<Timestamp> {
    if number < SECONDS_MAX {
        DateTime::from_timestamp(number, 0)
    } else if number < SECONDS_MAX * 1_000 {
        DateTime::from_timestamp_millis(number)
    } else if number < SECONDS_MAX * 1_000_000 {
        DateTime::from_timestamp_micros(number)
    } else {
        DateTime::from_timestamp_micros(number / 1_000)
    }
}

/// `2026-01-31`, or with a time of whole seconds after a blank or a T; Z or nothing behind it.
fn plain(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| whole(bytes.get(from..to)?).and_then(|n| u32::try_from(n).ok());
    let is = |at: usize, expected: &[u8]| bytes.get(at).is_some_and(|byte| expected.contains(byte));
    if !(is(4, b"-") && is(7, b"-")) {
        return None;
    }
    let year = i32::try_from(number(0, 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
    let ended = |at: usize| bytes.len() == at || (bytes.len() == at + 1 && is(at, b"Z"));
    if bytes.len() == 10 {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc());
    }
    if !(is(10, b" T") && is(13, b":") && is(16, b":") && ended(19)) {
        return None;
    }
    let time = date.and_hms_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?)?;
    Some(time.and_utc())
}

/// A decimal above zero, plain or in scientific notation.
pub(super) fn price(field: &[u8]) -> Result<Price, RowProblem> {
    let text = std::str::from_utf8(field).map_err(|_| RowProblem::NotText)?;
    if text.is_empty() {
        return Err(RowProblem::NoPrice);
    }
    let value: Decimal = text
        .parse()
        .or_else(|_| Decimal::from_scientific(text))
        .map_err(|_| RowProblem::Price(shown(field)))?;
    Price::new(value).map_err(|_| RowProblem::NotPositive(value))
}

/// The beginning of a field, fit for a terminal.
pub(super) fn shown(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_in_every_notation() {
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        for text in [
            "1769860800",
            "1769860800000",
            "1769860800000000",
            "1769860800000000000",
            "1769860800.0",
            "2026-01-31T12:00:00Z",
            "2026-01-31 12:00:00",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31 13:00:00+01:00",
            "2026-01-31 12:00:00 UTC",
            "2026-01-31T12:00:00.000Z",
        ] {
            assert_eq!(instant(text.as_bytes()), Some(noon), "{text}");
        }
        let midnight = noon - chrono::TimeDelta::hours(12);
        assert_eq!(instant(b"2026-01-31"), Some(midnight));
    }

    #[test]
    fn what_is_no_time_or_price_is_none() {
        for text in ["", "noon", "2026-13-01", "2026-02-30 00:00:00", "12:00", "-"] {
            assert_eq!(instant(text.as_bytes()), None, "{text}");
        }
        for text in ["", "-1", "0", "NaN", "1,5", "inf"] {
            assert!(price(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(price(b"1.2e-5").map(|p| p.to_string()), Ok("0.000012".to_owned()));
    }
}
