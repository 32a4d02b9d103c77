//! Where the rules of time zones are read from: the directory that `TZDIR` names, or else the newer of the system's tz
//! database and the bundled copy. Governments change their clocks on short notice: an old copy is an hour off.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use chrono::{Datelike as _, Months, NaiveDate};

use crate::domain::zone;

/// Where systems keep the tz database.
const DIRECTORIES: [&str; 5] = [
    "/usr/share/zoneinfo",
    "/etc/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/var/db/timezone/zoneinfo",
];

/// The largest zone file has some kilobytes; `tzdata.zi` has a hundred.
const FILE_MAX: u64 = 1 << 20;

/// Where this process reads zones from.
static IN_USE: LazyLock<ZoneRules> = LazyLock::new(|| {
    let named = std::env::var_os("TZDIR").filter(|dir| !dir.is_empty());
    let system = DIRECTORIES.iter().map(PathBuf::from).find(|dir| dir.is_dir());
    ZoneRules::choose(named.map(PathBuf::from), system)
});

/// A copy of the tz database, chosen once when the process starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRules {
    /// Its directory; `None` for the bundled copy.
    pub directory: Option<PathBuf>,
    /// Its version, if the copy names one.
    pub version: Option<Version>,
    /// Why no other copy is used.
    pub why: String,
    /// `TZDIR` names this directory, but it cannot be used.
    pub unusable: Option<PathBuf>,
}

/// A release of the tz database: the year and a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    year: i32,
    /// Of more letters (after `z`) the longer is later.
    length: usize,
    letters: String,
}

/// Lets zones be read from the copy in use. Called before any configuration is read.
pub fn install() {
    if let Some(directory) = IN_USE.directory.clone() {
        zone::install(Box::new(move |name| read(&directory.join(name))));
    }
}

/// The copy in use.
#[must_use]
pub fn in_use() -> &'static ZoneRules {
    &IN_USE
}

impl ZoneRules {
    /// `named` by `TZDIR` always wins over the `system`'s; the bundled copy is used if it is newer than that.
    #[must_use]
    pub fn choose(named: Option<PathBuf>, system: Option<PathBuf>) -> Self {
        let unusable = named.clone().filter(|dir| !dir.is_dir());
        if let Some(directory) = named.filter(|dir| dir.is_dir()) {
            return Self {
                version: version_of(&directory),
                directory: Some(directory),
                why: "named by TZDIR".to_owned(),
                unusable,
            };
        }
        let bundled = Version::parse(zone::bundled_version());
        let (directory, version, why) = match system.map(|dir| (version_of(&dir), dir)) {
            None => (None, bundled, "this system has none".to_owned()),
            Some((Some(old), dir)) if bundled.as_ref().is_some_and(|bundled| old < *bundled) => {
                (None, bundled, format!("{} is older: {old}", dir.display()))
            }
            Some((version, dir)) => (Some(dir), version, "the system's".to_owned()),
        };
        Self {
            directory,
            version,
            why,
            unusable,
        }
    }

    /// Zones whose file in this copy is damaged; the bundled one is used for them.
    #[must_use]
    pub fn damaged(&self) -> Vec<&'static str> {
        let Some(directory) = &self.directory else {
            return Vec::new();
        };
        zone::bundled_names()
            .filter(|name| read(&directory.join(name)).is_some_and(|data| !zone::is_readable(name, &data)))
            .collect()
    }
}

impl fmt::Display for ZoneRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{version}")?,
            None => f.write_str("version unknown")?,
        }
        match &self.directory {
            Some(directory) => write!(f, " in {} ({})", directory.display(), self.why),
            None => write!(f, ", bundled ({})", self.why),
        }
    }
}

impl Version {
    /// `2026a`; what distributors append (`2026a-rearguard`) does not count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let year = text.get(..4)?;
        let letters: String = text
            .get(4..)?
            .chars()
            .take_while(char::is_ascii_lowercase)
            .collect();
        (year.chars().all(|c| c.is_ascii_digit()) && !letters.is_empty()).then_some(())?;
        Some(Self {
            year: year.parse().ok()?,
            length: letters.len(),
            letters,
        })
    }

    /// Whether it was released more than a year before `today`. The letter tells the month only roughly: some six
    /// releases are spread over a year.
    #[must_use]
    pub fn is_older_than_a_year(&self, today: NaiveDate) -> bool {
        let place = self
            .letters
            .bytes()
            .next()
            .map_or(0, |letter| u32::from(letter.saturating_sub(b'a')));
        let month = place.saturating_mul(2).saturating_add(2).min(12);
        let released = NaiveDate::from_ymd_opt(self.year, month, 1);
        let year_later = released.and_then(|day| day.checked_add_months(Months::new(12)));
        year_later.map_or(today.year() > self.year, |later| later < today)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.year, self.letters)
    }
}

/// Two files that name the version: of the database itself, and of macOS.
fn version_of(directory: &Path) -> Option<Version> {
    let text =
        |name: &str| read(&directory.join(name)).map(|data| String::from_utf8_lossy(&data).into_owned());
    let source = text("tzdata.zi").and_then(|text| {
        let line = text.lines().next()?.strip_prefix("# version ")?;
        Version::parse(line.trim())
    });
    source.or_else(|| Version::parse(text("+VERSION")?.trim()))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
    file?;
    let mut data = Vec::new();
    File::open(path)
        .ok()?
        .take(FILE_MAX)
        .read_to_end(&mut data)
        .ok()?;
    Some(data)
}
