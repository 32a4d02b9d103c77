//! Notations of times in files.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::cursor::Cursor;
use crate::domain::Timestamp;

/// Seconds reach this far (the year 5138), milliseconds a thousand times further, and so on.
const SECONDS_MAX: i64 = 100_000_000_000;
/// Smaller whole numbers are days of a spreadsheet: 20,000 is a day of 1954, 99,999 one of 2173. As Unix seconds all of
/// them are the first day of 1970.
const SERIALS: std::ops::Range<i64> = 20_000..100_000;
/// The beginning of 2009: no token had a price before.
pub const FIRST: Timestamp = match DateTime::from_timestamp(1_230_768_000, 0) {
    Some(first) => first,
    None => DateTime::UNIX_EPOCH,
};
/// Unix seconds of the year 2100: the bound where no latest time is given.
const FAR: i64 = 4_102_444_800;

/// The order of day and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayMonth {
    /// 28/01/2026.
    DayFirst,
    /// 01/28/2026.
    MonthFirst,
}

/// Why a field is not a valid time of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTime {
    /// Not a known notation.
    Notation,
    /// Day and month are ambiguous, and no row of the file decides.
    DayOrMonth,
    /// Scientific notation: digits are lost.
    Digits,
    /// Before the first price of any token.
    TooEarly(Timestamp),
    /// Later than tomorrow.
    TooLate(Timestamp),
}

/// Date or time as a user writes it: any of the notations of a file, of any year.
#[must_use]
pub fn instant(field: &[u8]) -> Option<Timestamp> {
    read(field, None, Timestamp::from_timestamp(FAR, 0)?).ok()
}

/// Reads a time that a price of a file can have. Without a zone it is UTC.
pub(super) fn price_time(
    field: &[u8],
    order: Option<DayMonth>,
    latest: Timestamp,
) -> Result<Timestamp, NoTime> {
    bounded(read(field, order, latest)?, latest)
}

/// The same for a date and a time of day in separate columns.
pub(super) fn price_time_of_two(
    (day, time): (&[u8], &[u8]),
    order: Option<DayMonth>,
    latest: Timestamp,
) -> Result<Timestamp, NoTime> {
    let midnight = read(day, order, latest)?;
    let time = time_of_day(time).ok_or(NoTime::Notation)?;
    bounded(midnight.checked_add_signed(time).ok_or(NoTime::Notation)?, latest)
}

fn bounded(at: Timestamp, latest: Timestamp) -> Result<Timestamp, NoTime> {
    if at < FIRST {
        return Err(NoTime::TooEarly(at));
    }
    if at > latest {
        return Err(NoTime::TooLate(at));
    }
    Ok(at)
}

/// The order of day and month that a field proves, if it is such a date.
pub(super) fn proven_order(field: &[u8]) -> Option<DayMonth> {
    let (first, second, _) = Cursor::new(field).day_and_month()?;
    match (first > 12, second > 12) {
        (true, false) => Some(DayMonth::DayFirst),
        (false, true) => Some(DayMonth::MonthFirst),
        _ => None,
    }
}

/// Whether the field is the last moment of a candle, such as 23:59:59.999 or 23:59:59.
pub(super) fn ends_a_minute(at: Timestamp) -> bool {
    at.timestamp().rem_euclid(60) == 59
        && (at.timestamp_subsec_millis() == 999 || at.timestamp_subsec_micros() == 0)
}

/// The instant from which a close is known: right after the last moment of its candle.
pub(super) fn known_from(close: Timestamp) -> Timestamp {
    if !ends_a_minute(close) {
        return close;
    }
    DateTime::from_timestamp(close.timestamp().saturating_add(1), 0).unwrap_or(close)
}

fn read(field: &[u8], order: Option<DayMonth>, latest: Timestamp) -> Result<Timestamp, NoTime> {
    if let Some(number) = whole(field) {
        return of_number(number, field, latest).ok_or(NoTime::Notation);
    }
    if let Some(instant) = plain(field) {
        return Ok(instant);
    }
    if let Some(split) = field.iter().position(|byte| matches!(byte, b'.' | b','))
        && let (Some(number), Some(fraction)) = (
            field.get(..split).and_then(whole),
            field
                .get(split + 1..)
                .filter(|digits| digits.iter().all(u8::is_ascii_digit)),
        )
    {
        return with_fraction(number, fraction).ok_or(NoTime::Notation);
    }
    if scientific(field) {
        return Err(NoTime::Digits);
    }
    written(field, order)
}

fn scientific(field: &[u8]) -> bool {
    let digits = |byte: &u8| byte.is_ascii_digit() || b".,+-eE".contains(byte);
    field.first().is_some_and(u8::is_ascii_digit)
        && field.iter().all(digits)
        && field.iter().any(|byte| matches!(byte, b'e' | b'E'))
}

/// A whole number without a sign.
pub(super) fn whole(field: &[u8]) -> Option<i64> {
    if field.is_empty() || field.len() > 19 {
        return None;
    }
    field.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Unix time by its size, a day of a spreadsheet, or digits of a date where Unix time would be 1970 or the far future.
fn of_number(number: i64, digits: &[u8], latest: Timestamp) -> Option<Timestamp> {
    let future = number < SECONDS_MAX && number > latest.timestamp();
    let compact = matches!(digits.len(), 8 | 12 | 14) || (digits.len() == 10 && future);
    if compact && let Some(at) = compact_time(digits) {
        return Some(at);
    }
    if SERIALS.contains(&number) {
        return serial(number, 0);
    }
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

/// The number of a spreadsheet's day, and seconds after its midnight.
fn serial(days: i64, seconds: i64) -> Option<Timestamp> {
    let zero = NaiveDate::from_ymd_opt(1899, 12, 30)?;
    let day = zero.checked_add_days(Days::new(u64::try_from(days).ok()?))?;
    day.and_hms_opt(0, 0, 0)?
        .and_utc()
        .checked_add_signed(TimeDelta::seconds(seconds))
}

fn with_fraction(number: i64, fraction: &[u8]) -> Option<Timestamp> {
    // Nine digits: billionths of a day, second or millisecond.
    let billionths = (0..9).fold(0_i64, |sum, index| {
        sum * 10 + fraction.get(index).map_or(0, |digit| i64::from(digit - b'0'))
    });
    if SERIALS.contains(&number) {
        // A spreadsheet's fractions are rounded: to the nearest second.
        return serial(number, (billionths * 86_400 + 500_000_000) / 1_000_000_000);
    }
    let (at, nanos) = if number < SECONDS_MAX {
        (DateTime::from_timestamp(number, 0)?, billionths)
    } else if number < SECONDS_MAX * 1_000 {
        (DateTime::from_timestamp_millis(number)?, billionths / 1_000)
    } else {
        (of_number(number, &[], at_far()?)?, 0)
    };
    at.checked_add_signed(TimeDelta::microseconds(nanos / 1_000))
}

fn at_far() -> Option<Timestamp> {
    DateTime::from_timestamp(FAR, 0)
}

/// `20260131`, with hours, minutes and seconds behind it or not.
fn compact_time(digits: &[u8]) -> Option<Timestamp> {
    let part = |from: usize, to: usize| {
        let number = digits.get(from..to).map_or(Some(0), whole)?;
        u32::try_from(number).ok()
    };
    let year = i32::try_from(part(0, 4)?).ok()?;
    if !(1_900..2_200).contains(&year) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year, part(4, 6)?, part(6, 8)?)?;
    Some(
        date.and_hms_opt(part(8, 10)?, part(10, 12)?, part(12, 14)?)?
            .and_utc(),
    )
}

/// `2026-01-31`, or with a time of whole seconds after a blank or a T; Z or nothing behind it. The usual case, quickly.
fn plain(bytes: &[u8]) -> Option<Timestamp> {
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

/// A date, and behind it a time and a zone or nothing.
fn written(field: &[u8], order: Option<DayMonth>) -> Result<Timestamp, NoTime> {
    let mut cursor = Cursor::new(field);
    let date = match cursor.date() {
        Some(date) => date,
        None => {
            let (first, second, year) = cursor.day_and_month().ok_or(NoTime::Notation)?;
            let order = order
                .or_else(|| proven_order(field))
                .or((first == second).then_some(DayMonth::DayFirst));
            let (day, month) = match order.ok_or(NoTime::DayOrMonth)? {
                DayMonth::DayFirst => (first, second),
                DayMonth::MonthFirst => (second, first),
            };
            NaiveDate::from_ymd_opt(year, month, day).ok_or(NoTime::Notation)?
        }
    };
    cursor.skip(b" T,_");
    let (time, offset) = if cursor.is_at_end() {
        (NaiveTime::MIN, TimeDelta::zero())
    } else {
        let time = cursor.time().ok_or(NoTime::Notation)?;
        (time, cursor.zone().ok_or(NoTime::Notation)?)
    };
    if !cursor.is_at_end() {
        return Err(NoTime::Notation);
    }
    let at: DateTime<Utc> = date.and_time(time).and_utc();
    at.checked_sub_signed(offset).ok_or(NoTime::Notation)
}

/// A time of day in a column of its own: how long after midnight.
pub(super) fn time_of_day(field: &[u8]) -> Option<TimeDelta> {
    let compact = whole(field)
        .filter(|_| field.len() <= 6)
        .map(|number| match field.len() {
            // H or HH; HHMM; HHMMSS, also without its leading zero.
            1 | 2 => number * 10_000,
            3 | 4 => number * 100,
            _ => number,
        });
    if let Some(number) = compact {
        let part = |divisor: i64| u32::try_from(number / divisor % 100).ok();
        let time = NaiveTime::from_hms_opt(part(10_000)?, part(100)?, part(1)?)?;
        return Some(time - NaiveTime::MIN);
    }
    let mut cursor = Cursor::new(field);
    let time = cursor.time()?;
    let offset = cursor.zone()?;
    cursor.is_at_end().then_some(time - NaiveTime::MIN - offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn digits_are_read_by_their_number() {
        let noon = at("2026-01-31T12:00:00Z");
        // Ten digits are seconds, unless those would be later than tomorrow.
        let tomorrow = at("2026-12-01T00:00:00Z");
        assert_eq!(read(b"2026013112", None, tomorrow).ok(), Some(noon));
        assert_eq!(read(b"1769860800", None, tomorrow).ok(), Some(noon));
        let early = at("2026-01-31T00:12:00Z");
        for text in [
            "20260131 001200",
            "20260131T001200Z",
            "20260131 0012",
            "20260131001200",
        ] {
            assert_eq!(instant(text.as_bytes()), Some(early), "{text}");
        }
    }

    #[test]
    fn one_instant_in_every_notation() {
        let noon = at("2026-01-31T12:00:00Z");
        for text in [
            "1769860800",
            "1769860800000",
            "1769860800000000",
            "1769860800000000000",
            "1769860800.0",
            "1769860800000.0",
            "46053.5",
            "46053,5",
            "20260131120000",
            "202601311200",
            "20260131 12:00",
            "20260131T120000Z",
            "20260131 120000",
            "20260131 1200",
            "2026-01-31T12:00:00Z",
            "2026-01-31 12:00:00",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00",
            "2026-1-31 12:00",
            "2026/01/31 12:00",
            "2026.01.31 12:00",
            "2026-01-31T12:00Z",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31T13:00:00+0100",
            "2026-01-31 13:00:00+01",
            "2026-01-31 06:30:00.000 -05:30",
            "2026-01-31 12:00:00 UTC",
            "2026-01-31 12:00:00 +0000 UTC",
            "2026-01-31 12:00:00 GMT",
            "2026-01-31T12:00:00.000Z",
            "31/01/2026 12:00",
            "01/31/2026 12:00",
            "1/31/2026 12:00:00 PM",
            "31.01.2026 12:00:00.000",
            "31-01-2026, 12:00",
            "Jan 31, 2026 12:00 PM",
            "31 January 2026 12:00",
            "31-Jan-2026 12:00",
            "2026-01-31 12-PM",
        ] {
            assert_eq!(instant(text.as_bytes()), Some(noon), "{text}");
        }
        let midnight = noon - TimeDelta::hours(12);
        for text in [
            "2026-01-31",
            "20260131",
            "46053",
            "Jan 31, 2026",
            "Jan 31 2026",
            "1/31/2026 12:00 am",
        ] {
            assert_eq!(instant(text.as_bytes()), Some(midnight), "{text}");
        }
        for (day, time) in [
            ("20260131", "120000"),
            ("2026.01.31", "12:00"),
            ("2026-01-31", "1200"),
            ("31.01.2026", "12:00:00"),
            ("46053", "12:00"),
        ] {
            let both = (day.as_bytes(), time.as_bytes());
            assert_eq!(price_time_of_two(both, None, noon), Ok(noon), "{day} {time}");
        }
        assert_eq!(time_of_day(b"0"), Some(TimeDelta::zero()));
        assert_eq!(time_of_day(b"93000"), Some(TimeDelta::minutes(570)));
    }

    #[test]
    fn fractions_of_a_spreadsheets_day_are_seconds() {
        for (text, time) in [
            ("46050.0416666667", "2026-01-28T01:00:00Z"),
            ("46050.00069", "2026-01-28T00:01:00Z"),
            ("46050.999988426", "2026-01-28T23:59:59Z"),
        ] {
            assert_eq!(instant(text.as_bytes()), Some(at(time)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "noon",
            "2026-13-01",
            "2026-02-30 00:00:00",
            "12:00",
            "-",
            "2026-01-31 12:00 EST",
            "2026-01-31 25:00",
            "31/31/2026",
            "28/01/26",
            "2026-01-31 12:00:00 1",
        ] {
            assert_eq!(instant(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_or_cannot_be_is_named() {
        let latest = at("2026-11-29T00:00:00Z");
        let read = |text: &str, order| price_time(text.as_bytes(), order, latest);
        assert_eq!(read("03/04/2026", None), Err(NoTime::DayOrMonth));
        assert_eq!(
            read("03/04/2026", Some(DayMonth::DayFirst)),
            Ok(at("2026-04-03T00:00:00Z"))
        );
        assert_eq!(
            read("03/04/2026", Some(DayMonth::MonthFirst)),
            Ok(at("2026-03-04T00:00:00Z"))
        );
        assert_eq!(read("1.76986E+12", None), Err(NoTime::Digits));
        assert_eq!(
            read("1000000", None),
            Err(NoTime::TooEarly(at("1970-01-12T13:46:40Z")))
        );
        assert_eq!(
            read("2008-12-31 23:59:59", None),
            Err(NoTime::TooEarly(at("2008-12-31T23:59:59Z")))
        );
        assert_eq!(read("2009-01-01", None), Ok(at("2009-01-01T00:00:00Z")));
        assert_eq!(
            read("2026-11-29 00:00:01", None),
            Err(NoTime::TooLate(at("2026-11-29T00:00:01Z")))
        );
    }

    #[test]
    fn a_close_is_known_right_after_its_candle() {
        for (close, known) in [
            ("2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00Z"),
            ("2026-01-31T23:59:59.999999Z", "2026-02-01T00:00:00Z"),
            ("2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z"),
            ("2026-01-31T23:00:00Z", "2026-01-31T23:00:00Z"),
            ("2026-01-31T23:00:30.5Z", "2026-01-31T23:00:30.5Z"),
        ] {
            assert_eq!(known_from(at(close)), at(known), "{close}");
        }
    }
}
