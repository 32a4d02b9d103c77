//! How often the owner gets a summary, and of which period.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantArray};

use crate::{
    Timestamp,
    calendar::{Calendar, Interval},
    zone::Zone,
};

/// How often a summary is announced. Days and weeks are those of UTC; a week begins on Monday.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, VariantArray, Serialize, Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum SummaryEvery {
    /// Never.
    #[default]
    Off,
    /// After each day.
    Daily,
    /// After each week.
    Weekly,
}

impl SummaryEvery {
    const fn calendar(self) -> Option<Calendar> {
        match self {
            Self::Off => None,
            Self::Daily => Some(Calendar::Day),
            Self::Weekly => Some(Calendar::Week),
        }
    }

    /// The last period that has ended by `now`, and its name: `2026-01-31`, `2026-W05`.
    #[must_use]
    pub fn ended(self, now: Timestamp) -> Option<(String, Interval)> {
        let calendar = self.calendar()?;
        let current = calendar.interval(Zone::UTC, now)?;
        let before = current.from.checked_sub_signed(chrono::TimeDelta::seconds(1))?;
        let ended = calendar.interval(Zone::UTC, before)?;
        Some((calendar.name(&ended), ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_of_the_last_day_or_week_that_is_over() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        for (every, now, name, from, until) in [
            (
                SummaryEvery::Daily,
                "2026-11-29T00:00:00Z",
                "2026-11-28",
                "2026-11-28T00:00:00Z",
                "2026-11-29T00:00:00Z",
            ),
            (
                SummaryEvery::Daily,
                "2026-11-28T23:59:59Z",
                "2026-11-27",
                "2026-11-27T00:00:00Z",
                "2026-11-28T00:00:00Z",
            ),
            (
                SummaryEvery::Weekly,
                "2026-11-30T00:00:00Z",
                "2026-W48",
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                SummaryEvery::Weekly,
                "2026-11-29T23:59:59Z",
                "2026-W47",
                "2026-11-16T00:00:00Z",
                "2026-11-23T00:00:00Z",
            ),
        ] {
            let (named, period) = every.ended(at(now)).expect("a period");
            assert_eq!(
                (named.as_str(), period.from, period.until),
                (name, at(from), at(until)),
                "{now}"
            );
        }
        assert_eq!(SummaryEvery::Off.ended(at("2026-11-29T00:00:00Z")), None);
    }
}
