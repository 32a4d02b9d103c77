//! What changes, as it happens: which job and which trade, so that a face reads again what it shows.

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{context::App, error::AppError};
use crate::{
    domain::{
        Timestamp,
        ids::{JobId, TradeId},
    },
    store::changes::{self, ChangeRow},
};

/// Rows of one look.
const MOST: i64 = 5_000;

/// A row gets its number before its transaction commits: one that is missing for longer was rolled back.
const GAP: Duration = Duration::from_secs(60);

/// Something that changed.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// `event`, of a trade, a job or a process; or `order`, of a person.
    pub kind: String,
    /// Its number within its kind.
    pub id: i64,
    pub at: Timestamp,
    pub job: Option<JobId>,
    pub trade: Option<TradeId>,
    /// The event's name, such as `trade.filled`, or what was ordered.
    pub name: String,
}

/// All up to here is known; displayed as `12-34`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    event: i64,
    order: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.event, self.order)
    }
}

impl FromStr for Place {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        let place = text.split_once('-').and_then(|(event, order)| {
            Some(Self {
                event: number(event)?,
                order: number(order)?,
            })
        });
        let problem = || {
            AppError::Usage(format!(
                "{text} is no place in the events: give an id as it was sent"
            ))
        };
        place.ok_or_else(problem)
    }
}

impl From<ChangeRow> for Change {
    fn from(row: ChangeRow) -> Self {
        Self {
            kind: row.kind,
            id: row.id,
            at: row.at,
            job: row.job,
            trade: row.trade,
            name: row.name,
        }
    }
}

/// What has changed since a place; `None`: too much to list.
///
/// # Errors
/// [`AppError::Store`].
pub async fn since(app: &App, place: Place) -> Result<Option<Vec<Change>>, AppError> {
    let mut rows = changes::after(&app.pool, (place.event, place.order), MOST).await?;
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= MOST;
    // Events and orders as they happened.
    rows.sort_by_key(|row| row.at);
    Ok((!full).then(|| rows.into_iter().map(Change::from).collect()))
}

/// Watches for changes. Each is passed on once, also one whose transaction commits after those with greater numbers.
#[derive(Debug)]
pub struct Watch {
    event: Line,
    order: Line,
}

/// The rows of one kind.
#[derive(Debug, Default)]
struct Line {
    /// All up to this number were passed on, or do not exist.
    base: i64,
    /// Those beyond it that were passed on, and when.
    seen: BTreeMap<i64, Instant>,
}

impl Line {
    /// Whether this row is new.
    fn take(&mut self, id: i64, now: Instant) -> bool {
        if id <= self.base || self.seen.contains_key(&id) {
            return false;
        }
        self.seen.insert(id, now);
        true
    }

    /// Moves the base over what was passed on, and over gaps that nothing will fill.
    fn settle(&mut self, now: Instant) {
        while let Some(entry) = self.seen.first_entry() {
            let follows = *entry.key() == self.base.saturating_add(1);
            if !follows && now.duration_since(*entry.get()) < GAP {
                break;
            }
            self.base = *entry.key();
            entry.remove();
        }
    }
}

impl Watch {
    /// From now on.
    ///
    /// # Errors
    /// [`AppError::Store`].
    pub async fn begin(app: &App) -> Result<Self, AppError> {
        let (event, order) = changes::last(&app.pool).await?;
        let line = |base| Line {
            base,
            ..Line::default()
        };
        Ok(Self {
            event: line(event),
            order: line(order),
        })
    }

    /// All up to here was passed on: a client that resumes here misses nothing.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place {
            event: self.event.base,
            order: self.order.base,
        }
    }

    /// What was not passed on yet.
    ///
    /// # Errors
    /// [`AppError::Store`]; the next look finds it.
    pub async fn look(&mut self, app: &App) -> Result<Vec<Change>, AppError> {
        let place = self.place();
        let rows = changes::after(&app.pool, (place.event, place.order), MOST).await?;
        let now = Instant::now();
        let mut new = Vec::new();
        for row in rows {
            let line = match row.kind.as_str() {
                "event" => &mut self.event,
                _ => &mut self.order,
            };
            if line.take(row.id, now) {
                new.push(Change::from(row));
            }
        }
        self.event.settle(now);
        self.order.settle(now);
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_commits_late_is_passed_on_once_and_one_that_never_does_holds_nothing_up() {
        let (mut line, now) = (Line::default(), Instant::now());
        assert!(line.take(1, now) && line.take(3, now));
        line.settle(now);
        assert_eq!(line.base, 1, "2 may still commit");
        assert!(line.take(2, now) && !line.take(3, now));
        line.settle(now);
        assert_eq!((line.base, line.seen.len()), (3, 0));
        assert!(!line.take(2, now));
        assert!(line.take(5, now));
        line.settle(now + GAP);
        assert_eq!(line.base, 5, "4 was rolled back");
    }

    #[test]
    fn a_place_is_read_back_as_it_was_sent() {
        let place = Place { event: 12, order: 0 };
        assert_eq!(place.to_string().parse::<Place>().expect("a place"), place);
        for wrong in ["", "1", "1-", "-1-2", "1-2-3", "a-b"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
