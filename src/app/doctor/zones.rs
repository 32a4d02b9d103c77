//! Which copy of the tz database is in use, and whether it may be out of date.

use chrono::NaiveDate;

use super::check::{Check, CheckStatus};
use crate::config::zones::ZoneRules;

const WHAT: &str = "time zone rules";

pub(super) fn examine(rules: &ZoneRules, today: NaiveDate) -> Check {
    let warn = |seen: String, fix: &str| Check::bad(CheckStatus::Warn, WHAT, seen, fix);
    if let Some(directory) = &rules.unusable {
        let seen = format!("{rules}; TZDIR names no directory: {}", directory.display());
        return warn(
            seen,
            "unset TZDIR, or name a directory of zone files, and restart every service",
        );
    }
    let damaged = rules.damaged();
    if !damaged.is_empty() {
        let seen = format!(
            "{rules}; the bundled rules are used for damaged files: {}",
            damaged.join(", ")
        );
        return warn(
            seen,
            "reinstall the package tzdata of this system, and restart every service",
        );
    }
    match &rules.version {
        Some(version) if version.is_older_than_a_year(today) => warn(
            format!("{rules}; older than a year"),
            "update the package tzdata of this system (or what TZDIR names), or lgi-mm itself, and restart every service",
        ),
        _ => Check::ok(WHAT, rules),
    }
}
