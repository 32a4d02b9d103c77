//! Instants for people: on the clock of a zone, with the date and the distance.

use chrono::TimeDelta;

use super::look::Look;
use crate::domain::{Timestamp, zone::Zone};

/// To the second, UTC.
pub fn moment(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// An instant, or a dash for `None`; UTC.
pub fn when(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), moment)
}

/// A clock: a zone, and the instant that counts as now.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zone: Zone,
    now: Timestamp,
}

impl Clock {
    /// The clock of `zone`, or UTC if the user wants that.
    pub fn of(zone: Zone, now: Timestamp) -> Self {
        let zone = if Look::current().utc { Zone::UTC } else { zone };
        Self { zone, now }
    }

    /// `2026-11-30 09:00:00 EST`
    pub fn full(self, time: Timestamp) -> String {
        let wall = self.zone.wall(time).format("%Y-%m-%d %H:%M:%S");
        format!("{wall} {}", self.zone.abbreviation(time))
    }

    /// `tomorrow 09:00 EST (in 21 h)`, `2026-12-24 09:00 EST (in 25 d)`, `14:58 UTC (3 m ago)`
    pub fn near(self, time: Timestamp) -> String {
        format!("{} ({})", self.wall(time), self.distance(time))
    }

    /// `tomorrow 09:00 EST`
    pub fn wall(self, time: Timestamp) -> String {
        let (wall, today) = (self.zone.wall(time), self.zone.wall(self.now).date());
        // Seconds only where there are any, and where they matter.
        let close = (time - self.now).abs() < TimeDelta::hours(1) && time.timestamp() % 60 != 0;
        let clock = wall.format(if close { "%H:%M:%S" } else { "%H:%M" });
        let days = wall.date().signed_duration_since(today).num_days();
        let day = match days {
            0 => String::new(),
            1 => "tomorrow ".to_owned(),
            -1 => "yesterday ".to_owned(),
            _ => wall.format("%Y-%m-%d ").to_string(),
        };
        format!("{day}{clock} {}", self.zone.abbreviation(time))
    }

    /// `in 3 h 52 m`, `7 m ago`
    pub fn distance(self, time: Timestamp) -> String {
        let apart = time - self.now;
        if apart >= TimeDelta::zero() {
            format!("in {}", length(apart))
        } else {
            format!("{} ago", length(apart))
        }
    }
}

/// The two largest units of a length of time, further ones cut: `3 h 52 m`.
fn length(time: TimeDelta) -> String {
    let seconds = time.num_seconds().abs();
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0);
    let parts: Vec<String> = units
        .iter()
        .skip(first.unwrap_or(3))
        .take(2)
        .enumerate()
        .filter(|(place, (count, _))| *place == 0 || *count > 0)
        .map(|(_, (count, unit))| format!("{count} {unit}"))
        .collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    /// Offsets and abbreviations as `zdump -v` prints them.
    #[test]
    fn instants_are_on_the_zone_s_clock_with_date_and_distance() {
        let zone = |name: &str| name.parse::<Zone>().expect(name);
        for (name, now, time, near) in [
            (
                "UTC",
                "2026-11-29T11:06:00Z",
                "2026-11-29T14:58:00Z",
                "14:58 UTC (in 3 h 52 m)",
            ),
            (
                "America/New_York",
                "2026-11-29T17:00:00Z",
                "2026-11-30T14:00:00Z",
                "tomorrow 09:00 EST (in 21 h)",
            ),
            // The same instant is today in Tokyo and yesterday in New York.
            (
                "Asia/Tokyo",
                "2026-07-01T01:00:00Z",
                "2026-06-30T16:00:00Z",
                "01:00 JST (9 h ago)",
            ),
            (
                "America/New_York",
                "2026-07-01T04:30:00Z",
                "2026-06-30T16:00:00Z",
                "yesterday 12:00 EDT (12 h 30 m ago)",
            ),
            (
                "Asia/Kathmandu",
                "2026-01-01T00:00:00Z",
                "2026-01-05T00:00:30Z",
                "2026-01-05 05:45 +0545 (in 4 d)",
            ),
            (
                "UTC",
                "2026-11-29T11:00:00Z",
                "2026-11-29T11:00:05Z",
                "11:00:05 UTC (in 5 s)",
            ),
            (
                "UTC",
                "2026-11-29T11:00:00Z",
                "2026-11-29T11:00:00Z",
                "11:00 UTC (in 0 s)",
            ),
            // Clocks are put back at 06:00 UTC: 01:30 comes twice.
            (
                "America/New_York",
                "2026-11-01T05:30:00Z",
                "2026-11-01T06:30:00Z",
                "01:30 EST (in 1 h)",
            ),
        ] {
            let clock = Clock {
                zone: zone(name),
                now: at(now),
            };
            assert_eq!(clock.near(at(time)), near, "{name} {now} {time}");
        }
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        for (seconds, shown) in [
            (0, "0 s"),
            (59, "59 s"),
            (-61, "1 m 1 s"),
            (3_600, "1 h"),
            (3_659, "1 h"),
            (90_061, "1 d 1 h"),
        ] {
            assert_eq!(length(TimeDelta::seconds(seconds)), shown);
        }
    }
}
