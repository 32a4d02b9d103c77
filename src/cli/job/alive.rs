//! That nobody works on the jobs, since when, and what to type.

use crate::{
    app::jobs::alive::Dead,
    cli::out::{Clock, Hue, Look},
    domain::{Timestamp, zone::Zone},
};

/// One line for the owner.
pub fn banner(dead: Dead, now: Timestamp) -> String {
    let clock = Clock::of(Zone::UTC, now);
    let late = |since| {
        let (wall, distance) = (clock.wall(since), clock.distance(since));
        format!("a slot was due {wall}, {distance}")
    };
    let text = match dead {
        Dead::Worker {
            last_seen,
            late_since,
        } => {
            let seen = last_seen.map_or_else(
                || "no worker runs".to_owned(),
                |seen| format!("no worker since {} ({})", clock.wall(seen), clock.distance(seen)),
            );
            let late = late_since
                .map(|since| format!("; {}", late(since)))
                .unwrap_or_default();
            format!("NOTHING IS TRADING: {seen}{late}; start `lgi-mm daemon`")
        }
        Dead::Scheduler { late_since } => format!(
            "NOTHING IS TRADING: no scheduler runs; {}; start `lgi-mm daemon` or `lgi-mm scheduler`",
            late(late_since)
        ),
    };
    let look = Look::current();
    look.paint(&look.wrapped(&text, 0), Hue::Bad)
}
