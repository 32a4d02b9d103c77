//! Slots: when a job is due.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Timestamp, job::JobId, span::Span};

/// A cron line of 5 or 6 fields, read the way Unix cron reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronExpr(String);

impl TryFrom<String> for CronExpr {
    type Error = std::convert::Infallible;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(text))
    }
}

impl From<CronExpr> for String {
    fn from(cron: CronExpr) -> Self {
        cron.0
    }
}

/// The slot a claim runs, and how many were missed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The latest slot at or before now.
    pub slot: Timestamp,
    /// Slots between the first due one and `slot` that will never run.
    pub missed: u64,
    /// The first slot after now; `None` if the line has none left.
    pub next: Option<Timestamp>,
}

impl CronExpr {
    /// A slot each minute.
    #[must_use]
    pub fn every_minute() -> Self {
        Self("* * * * *".to_owned())
    }

    /// The first slot after `after`.
    #[must_use]
    pub fn next_after(&self, timezone: Tz, after: Timestamp) -> Option<Timestamp> {
        let _ = (timezone, after);
        None
    }

    /// Coalesces everything due from `due` (a slot at or before `now`) into one claim.
    #[must_use]
    pub fn claim(&self, timezone: Tz, due: Timestamp, now: Timestamp) -> Claim {
        let _ = now;
        Claim {
            slot: due,
            missed: 0,
            next: self.next_after(timezone, now),
        }
    }
}

/// How much later than its slot a tick starts: fixed for (`salt`, job, slot), uniform in [0, `max`).
#[must_use]
pub fn jitter(salt: &[u8], job: JobId, slot: Timestamp, max: Span) -> Span {
    let _ = (salt, job, slot, max);
    Span::ZERO
}
