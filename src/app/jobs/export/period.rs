//! The period of an export: from when, until when, in which zone.
//!
//! A date without a time is that whole day in the zone. The start is included. So is the day of the end; an end that
//! has a time is the first instant that is not included any more. Two periods that follow each other share no row.

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz as Zone;

use crate::{app::AppError, domain::Timestamp};

/// What may be written before a time of day.
const WITH_ZONE: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
const WITHOUT_ZONE: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];

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
            return Err(AppError::Usage(
                "--zone says how --from and --to are read, and neither is given".to_owned(),
            ));
        }
        let zone = zone.map_or(Ok(Zone::UTC), read_zone)?;
        let first = from.map(|text| read("--from", text, zone)).transpose()?;
        let last = to.map(|text| read("--to", text, zone)).transpose()?;
        let period = Self {
            from: first.map(|end| end.starts),
            until: last.map(|end| end.ends),
        };
        if let (Some(from), Some(until)) = (period.from, period.until)
            && from >= until
        {
            return Err(AppError::Usage(format!(
                "--from {} is not before the end of --to {}: the period is empty",
                from.to_rfc3339(),
                until.to_rfc3339()
            )));
        }
        Ok(period)
    }

    /// Whether this instant is in it.
    #[must_use]
    pub fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

fn read_zone(text: &str) -> Result<Zone, AppError> {
    text.parse().map_err(|error| {
        AppError::Usage(format!(
            "--zone {text}: {error}; give an IANA time zone, such as Europe/Berlin, or UTC"
        ))
    })
}

/// A day, or an instant: a day has a first instant and one after its last.
struct End {
    starts: Timestamp,
    ends: Timestamp,
}

fn read(flag: &str, text: &str, zone: Zone) -> Result<End, AppError> {
    let wrong = |what: &str| {
        AppError::Usage(format!(
            "{flag} {text}: {what}; write a day, 2026-01-31, or a time, 2026-01-31T18:30, which is one of --zone (UTC if \
             it is not given) unless it has an offset: 2026-01-31T18:30Z, 2026-01-31T18:30+02:00"
        ))
    };
    if let Some(date) = date(text) {
        let day = date.and_then(|date| {
            Some((
                start_of(date, zone)?,
                start_of(date.checked_add_days(Days::new(1))?, zone)?,
            ))
        });
        let (starts, ends) = day.ok_or_else(|| wrong("there is no such day"))?;
        return Ok(End { starts, ends });
    }
    let text = text.trim().replacen(' ', "T", 1);
    let fixed = WITH_ZONE
        .iter()
        .find_map(|format| DateTime::parse_from_str(&text, format).ok());
    if let Some(instant) = fixed {
        return Ok(End::at(instant.to_utc()));
    }
    let local = WITHOUT_ZONE
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
    let local = local.ok_or_else(|| wrong("this is no day and no time"))?;
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) => Ok(End::at(instant.to_utc())),
        LocalResult::None => Err(wrong(&format!(
            "there is no such time in {zone}, where the clock skips it"
        ))),
        LocalResult::Ambiguous(..) => Err(wrong(&format!(
            "this time comes twice in {zone}, where the clock is turned back"
        ))),
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

/// `None`: it does not look like a date alone; `Some(None)`: there is no such date.
fn date(text: &str) -> Option<Option<NaiveDate>> {
    let text = text.trim();
    let shape: String = text
        .chars()
        .map(|character| {
            if character.is_ascii_digit() {
                '0'
            } else {
                character
            }
        })
        .collect();
    (shape == "0000-00-00").then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
}

/// The first instant of a day: where the clock skips midnight, it is the instant to which it skips; where midnight comes
/// twice, the first one.
fn start_of(date: NaiveDate, zone: Zone) -> Option<Timestamp> {
    let midnight = date.and_time(NaiveTime::MIN);
    if let Some(instant) = zone.from_local_datetime(&midnight).earliest() {
        return Some(instant.to_utc());
    }
    // Changes of a zone lie on whole minutes; the longest one skipped a day.
    (1..=2 * 24 * 60).find_map(|minutes| {
        let later = midnight.checked_add_signed(TimeDelta::minutes(minutes))?;
        Some(zone.from_local_datetime(&later).earliest()?.to_utc())
    })
}
