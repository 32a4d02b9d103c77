//! Days, weeks, months and years of a time zone, for figures that people look at by period.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};
use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{Timestamp, name::read_in_any_case, zone::Zone};

/// What time is divided into.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Calendar {
    /// From midnight to midnight.
    Day,
    /// From Monday on, as ISO 8601 counts them.
    Week,
    /// From the first of the month on.
    Month,
    /// From the first of January on.
    Year,
    /// All of time is one.
    #[default]
    All,
}

read_in_any_case!(Calendar);

/// One day, week, month or year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Interval {
    /// Its first day.
    pub first_day: NaiveDate,
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

impl Calendar {
    /// The day, week, month or year that an instant is in; `None` if time is not divided, and at the ends of time.
    #[must_use]
    pub fn interval(self, zone: Zone, instant: Timestamp) -> Option<Interval> {
        let found = self.interval_of(zone, self.first_day(zone.wall(instant).date())?)?;
        // Clocks that are put back over midnight show the last day once more.
        if found.until <= instant {
            return self.interval_of(zone, self.next(found.first_day)?);
        }
        Some(found)
    }

    fn interval_of(self, zone: Zone, first_day: NaiveDate) -> Option<Interval> {
        let next = self.next(first_day)?;
        Some(Interval {
            first_day,
            from: start_of(first_day, zone)?,
            until: start_of(next, zone)?,
        })
    }

    fn first_day(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => Some(date),
            Self::Week => {
                let days = date.weekday().num_days_from_monday();
                date.checked_sub_days(Days::new(days.into()))
            }
            Self::Month => date.with_day(1),
            Self::Year => date.with_day(1)?.with_month(1),
            Self::All => None,
        }
    }

    fn next(self, first_day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => first_day.checked_add_days(Days::new(1)),
            Self::Week => first_day.checked_add_days(Days::new(7)),
            Self::Month => first_day.checked_add_months(Months::new(1)),
            Self::Year => first_day.checked_add_months(Months::new(12)),
            Self::All => None,
        }
    }

    /// How people name it: `2026-01-31`, `2026-W05`, `2026-01`, `2026`.
    #[must_use]
    pub fn name(self, interval: &Interval) -> String {
        let first = interval.first_day;
        match self {
            Self::Day | Self::All => first.to_string(),
            Self::Week => first.format("%G-W%V").to_string(),
            Self::Month => first.format("%Y-%m").to_string(),
            Self::Year => first.format("%Y").to_string(),
        }
    }
}

/// The first instant of a day: where clocks skip midnight, the instant at which they do; where midnight comes twice,
/// the first of the two.
#[must_use]
pub fn start_of(date: NaiveDate, zone: Zone) -> Option<Timestamp> {
    zone.instant(date.and_time(NaiveTime::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(by: Calendar, zone: &str, at: &str) -> (String, String, String) {
        let found = by
            .interval(zone.parse().expect("a zone"), at.parse().expect("an instant"))
            .expect("in range");
        let shown = |instant: Timestamp| instant.format("%Y-%m-%dT%H:%M").to_string();
        (by.name(&found), shown(found.from), shown(found.until))
    }

    type Case = (
        Calendar,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    );

    /// Found with Python's zoneinfo and `date.isocalendar`, minute by minute.
    const CASES: &[Case] = &[
        (
            Calendar::Day,
            "UTC",
            "2026-01-31T23:59:59Z",
            "2026-01-31",
            "2026-01-31T00:00",
            "2026-02-01T00:00",
        ),
        (
            Calendar::Day,
            "UTC",
            "2026-02-01T00:00:00Z",
            "2026-02-01",
            "2026-02-01T00:00",
            "2026-02-02T00:00",
        ),
        (
            Calendar::Day,
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            "2026-03-29",
            "2026-03-28T23:00",
            "2026-03-29T22:00",
        ),
        (
            Calendar::Month,
            "Europe/Berlin",
            "2026-03-31T22:30:00Z",
            "2026-04",
            "2026-03-31T22:00",
            "2026-04-30T22:00",
        ),
        (
            Calendar::Month,
            "America/New_York",
            "2026-03-01T04:59:00Z",
            "2026-02",
            "2026-02-01T05:00",
            "2026-03-01T05:00",
        ),
        // ISO weeks at the ends of years: 2026 has 53, and 2024-12-30 begins 2025.
        (
            Calendar::Week,
            "UTC",
            "2027-01-03T12:00:00Z",
            "2026-W53",
            "2026-12-28T00:00",
            "2027-01-04T00:00",
        ),
        (
            Calendar::Week,
            "UTC",
            "2024-12-30T00:00:00Z",
            "2025-W01",
            "2024-12-30T00:00",
            "2025-01-06T00:00",
        ),
        (
            Calendar::Year,
            "Asia/Kathmandu",
            "2025-12-31T18:15:00Z",
            "2026",
            "2025-12-31T18:15",
            "2026-12-31T18:15",
        ),
        // Midnight is skipped in Cairo, comes twice in Havana, and a whole day was skipped in Apia.
        (
            Calendar::Day,
            "Africa/Cairo",
            "2026-04-23T22:00:00Z",
            "2026-04-24",
            "2026-04-23T22:00",
            "2026-04-24T21:00",
        ),
        (
            Calendar::Day,
            "America/Havana",
            "2025-11-02T05:30:00Z",
            "2025-11-02",
            "2025-11-02T04:00",
            "2025-11-03T05:00",
        ),
        (
            Calendar::Day,
            "Pacific/Apia",
            "2011-12-30T09:59:00Z",
            "2011-12-29",
            "2011-12-29T10:00",
            "2011-12-30T10:00",
        ),
        (
            Calendar::Day,
            "Pacific/Apia",
            "2011-12-30T10:00:00Z",
            "2011-12-31",
            "2011-12-30T10:00",
            "2011-12-31T10:00",
        ),
        // Put back at midnight: the hour before it comes twice, and is the day before both times.
        (
            Calendar::Day,
            "America/Sao_Paulo",
            "2018-02-18T02:30:00Z",
            "2018-02-17",
            "2018-02-17T02:00",
            "2018-02-18T03:00",
        ),
        // Put back a minute after midnight: what is shown again is no second end of the day before.
        (
            Calendar::Day,
            "America/St_Johns",
            "2010-11-07T02:45:00Z",
            "2010-11-07",
            "2010-11-07T02:30",
            "2010-11-08T03:30",
        ),
    ];

    #[test]
    fn an_instant_is_in_the_period_that_its_zone_s_clocks_show() {
        for (by, zone, at, name, from, until) in CASES {
            let expected = ((*name).to_owned(), (*from).to_owned(), (*until).to_owned());
            assert_eq!(interval(*by, zone, at), expected, "{by} {zone} {at}");
        }
    }

    /// Each instant is in one interval, and the next one begins where it ends.
    #[test]
    fn intervals_follow_each_other_without_a_gap() {
        for zone in [
            "Europe/Berlin",
            "America/Havana",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Africa/Cairo",
        ] {
            let zone: Zone = zone.parse().expect("a zone");
            for by in [Calendar::Day, Calendar::Week, Calendar::Month, Calendar::Year] {
                let mut at: Timestamp = "2009-12-31T12:00:00Z".parse().expect("an instant");
                let end: Timestamp = "2012-01-03T00:00:00Z".parse().expect("an instant");
                while at < end {
                    let found = by.interval(zone, at).expect("in range");
                    assert!(found.from <= at && at < found.until, "{by} {zone} {at} {found:?}");
                    let last = found.until.checked_sub_signed(chrono::TimeDelta::seconds(1));
                    assert_eq!(
                        by.interval(zone, last.expect("in range")),
                        Some(found),
                        "{by} {zone}"
                    );
                    at = found.until;
                }
            }
        }
    }
}
