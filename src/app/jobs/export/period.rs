//! The period of an export: from when, until when, in which zone.
//!
//! A date without a time is that whole day in the zone. The start is included. So is the day of the end; an end that
//! has a time is the first instant that is not included any more. Two periods that follow each other share no row.

use chrono::Days;

use crate::{
    app::{
        AppError,
        message::{Field, message},
    },
    domain::{Timestamp, calendar::start_of, moment::Moment, zone::Zone},
};

/// From this instant, until before that one; none: no end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Period {
    /// Reads the two ends as a user writes them.
    ///
    /// # Errors
    /// [`AppError::Usage`] names the end that cannot be read, or that comes too early.
    pub fn read(from: Option<&str>, to: Option<&str>, zone: Option<&str>) -> Result<Self, AppError> {
        if zone.is_some() && from.is_none() && to.is_none() {
            return Err(message![
                Field::Zone,
                " says how ",
                Field::From,
                " and ",
                Field::To,
                " are read, and neither is given",
            ]
            .bad_input());
        }
        Self::read_in(from, to, zone.map_or(Ok(Zone::UTC), read_zone)?)
    }

    /// The same, of this zone.
    ///
    /// # Errors
    /// [`AppError::Usage`], as for [`Period::read`].
    pub(in crate::app::jobs) fn read_in(
        from: Option<&str>,
        to: Option<&str>,
        zone: Zone,
    ) -> Result<Self, AppError> {
        let first = from.map(|text| read(Field::From, text, zone)).transpose()?;
        let last = to.map(|text| read(Field::To, text, zone)).transpose()?;
        let period = Self {
            from: first.map(|end| end.starts),
            until: last.map(|end| end.ends),
        };
        if let (Some(from), Some(until)) = (period.from, period.until)
            && from >= until
        {
            return Err(message![
                Field::From,
                format!(" {} is not before the end of ", from.to_rfc3339()),
                Field::To,
                format!(" {}: the period is empty", until.to_rfc3339()),
            ]
            .bad_input());
        }
        Ok(period)
    }

    /// Whether this instant is in it.
    #[must_use]
    pub fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

pub(in crate::app::jobs) fn read_zone(text: &str) -> Result<Zone, AppError> {
    text.parse()
        .map_err(|error| message![Field::Zone, format!(" {text}: {error}")].bad_input())
}

/// A day, or an instant: a day has a first instant and one after its last.
struct End {
    starts: Timestamp,
    ends: Timestamp,
}

fn read(field: Field, text: &str, zone: Zone) -> Result<End, AppError> {
    let wrong = |what: &str| {
        message![
            field,
            format!(
                " {text}: {what}; write a day, 2026-01-31, or a time, 2026-01-31T18:30, which is read as one of {zone} ("
            ),
            Field::Zone,
            " names another) unless it has an offset: 2026-01-31T18:30Z, 2026-01-31T18:30+02:00",
        ]
        .bad_input()
    };
    match Moment::read(text, zone).map_err(|why| wrong(&why))? {
        Moment::Instant(instant) => Ok(End::at(instant)),
        Moment::Day(date) => {
            let next = date.checked_add_days(Days::new(1));
            let ends = next.and_then(|next| start_of(next, zone));
            let (starts, ends) = start_of(date, zone)
                .zip(ends)
                .ok_or_else(|| wrong("there is no such day"))?;
            Ok(End { starts, ends })
        }
    }
}

impl End {
    const fn at(instant: Timestamp) -> Self {
        Self {
            starts: instant,
            ends: instant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(from: Option<&str>, to: Option<&str>, zone: &str) -> String {
        let period = Period::read(from, to, Some(zone)).expect("a period");
        let end = from.map_or(period.until, |_| period.from);
        end.map(|end| end.to_rfc3339()).unwrap_or_default()
    }

    /// Days with a change of the clock, also at midnight: the first instant of the day and of the next one, found with
    /// Python's zoneinfo minute by minute.
    #[test]
    fn a_day_is_the_whole_day_of_its_zone() {
        for (day, zone, first, next) in [
            ("2026-01-01", "UTC", "2026-01-01T00:00", "2026-01-02T00:00"),
            (
                "2026-03-29",
                "Europe/Berlin",
                "2026-03-28T23:00",
                "2026-03-29T22:00",
            ),
            (
                "2026-10-25",
                "Europe/Berlin",
                "2026-10-24T22:00",
                "2026-10-25T23:00",
            ),
            (
                "2025-11-02",
                "America/Havana",
                "2025-11-02T04:00",
                "2025-11-03T05:00",
            ),
            (
                "2026-04-24",
                "Africa/Cairo",
                "2026-04-23T22:00",
                "2026-04-24T21:00",
            ),
            (
                "2018-11-04",
                "America/Sao_Paulo",
                "2018-11-04T03:00",
                "2018-11-05T02:00",
            ),
            (
                "2011-12-31",
                "Pacific/Apia",
                "2011-12-30T10:00",
                "2011-12-31T10:00",
            ),
            (
                "2026-04-05",
                "Australia/Lord_Howe",
                "2026-04-04T13:00",
                "2026-04-05T13:30",
            ),
            (
                "2026-07-01",
                "Asia/Kathmandu",
                "2026-06-30T18:15",
                "2026-07-01T18:15",
            ),
        ] {
            assert_eq!(
                ends(Some(day), None, zone),
                format!("{first}:00+00:00"),
                "{day} {zone}"
            );
            assert_eq!(
                ends(None, Some(day), zone),
                format!("{next}:00+00:00"),
                "{day} {zone}"
            );
        }
    }

    #[test]
    fn a_time_is_one_of_the_zone_unless_it_has_an_offset() {
        for (time, expected) in [
            ("2026-07-01T12:00", "2026-07-01T10:00:00+00:00"),
            ("2026-07-01 12:00", "2026-07-01T10:00:00+00:00"),
            ("2026-07-01T12:00:30.25", "2026-07-01T10:00:30.250+00:00"),
            ("2026-07-01T12:00Z", "2026-07-01T12:00:00+00:00"),
            ("2026-07-01T12:00:59Z", "2026-07-01T12:00:59+00:00"),
            ("2026-07-01T12:00-05:30", "2026-07-01T17:30:00+00:00"),
            ("2026-07-01T12:00:00+0200", "2026-07-01T10:00:00+00:00"),
            ("2026-10-25T02:30+01:00", "2026-10-25T01:30:00+00:00"),
        ] {
            assert_eq!(ends(Some(time), None, "Europe/Berlin"), expected, "{time}");
        }
    }

    #[test]
    fn what_is_no_day_and_no_time_is_refused_by_name() {
        for text in [
            "",
            "yesterday",
            "2026",
            "2026-1-1",
            "20260101",
            "01.02.2026",
            "2026-02-29",
            "2026-00-10",
            "2026-01-01T24:00",
            "2026-01-01T",
            "2026-01-01T12",
            "1767225600",
            "2026-01-01T12:00 Europe/Berlin",
            "２０２６-01-01",
        ] {
            let error = Period::read(None, Some(text), None).expect_err(text).to_string();
            assert!(error.contains(&format!("to {text}: ")), "{error}");
        }
    }
}
