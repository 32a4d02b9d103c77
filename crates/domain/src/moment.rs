//! Days and times as a person writes them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::{
    Timestamp,
    calendar::start_of,
    zone::{Reading, Zone},
};

/// Formats of a time with an offset, and without one.
const WITH_ZONE: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
const WITHOUT_ZONE: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];

/// A day or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A day of the zone, without a time.
    Day(NaiveDate),
    /// An instant.
    Instant(Timestamp),
}

impl Moment {
    /// Reads `2026-01-31`, `2026-01-31T18:30` or `2026-01-31 18:30:05` as of `zone`, and `2026-01-31T18:30+02:00`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str, zone: Zone) -> Result<Self, String> {
        if let Some(date) = date(text) {
            return date
                .map(Self::Day)
                .ok_or_else(|| "there is no such day".to_owned());
        }
        let text = text.trim().replacen(' ', "T", 1);
        let fixed = WITH_ZONE
            .iter()
            .find_map(|format| DateTime::parse_from_str(&text, format).ok());
        if let Some(instant) = fixed {
            return Ok(Self::Instant(instant.to_utc()));
        }
        let local = WITHOUT_ZONE
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
        let local = local.ok_or("this is no day and no time")?;
        match zone.reading(local).ok_or("this is out of range")? {
            Reading::Once(instant) => Ok(Self::Instant(instant)),
            Reading::Skipped { .. } => Err(format!(
                "there is no such time in {zone}, where the clock skips it"
            )),
            Reading::Twice { .. } => Err(format!(
                "this time comes twice in {zone}, where the clock is turned back"
            )),
        }
    }

    /// The instant, or the first one of the day; `None` at the ends of time.
    #[must_use]
    pub fn begins(self, zone: Zone) -> Option<Timestamp> {
        match self {
            Self::Day(day) => start_of(day, zone),
            Self::Instant(instant) => Some(instant),
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
