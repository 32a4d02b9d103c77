//! One message, independent of the kind of receiver.

use serde_json::{Value, json};

use crate::{
    domain::{
        Timestamp,
        event::{Event, Severity},
    },
    store::deliveries::{ClaimedDelivery, JobSummary},
};

/// The event of `lgi-mm notify test`.
pub const TEST: &str = "test";

/// One message, before a receiver's kind gives it a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The same at every attempt, so that a receiver can detect duplicates.
    pub id: String,
    /// The event's name.
    pub event: String,
    /// Version of the payload's format.
    pub version: u16,
    /// When the event happened.
    pub happened_at: Timestamp,
    /// The job, if the event belongs to one.
    pub job: Option<JobSummary>,
    /// The event's details.
    pub payload: Value,
}

impl Notice {
    /// The message about a claimed event for `receiver`.
    #[must_use]
    pub fn of(receiver: &str, claimed: ClaimedDelivery) -> Self {
        Self {
            id: format!("{}-{receiver}", claimed.delivery.outbox),
            event: claimed.event,
            version: claimed.payload_version,
            happened_at: claimed.happened_at,
            job: claimed.job,
            payload: claimed.payload,
        }
    }

    /// How urgent it is. An event of a newer version of this program may be anything.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.event.parse::<Event>() {
            Ok(event) => event.severity(self.failures_in_row()),
            Err(_) if self.event == TEST => Severity::Info,
            Err(_) => Severity::Warning,
        }
    }

    /// Consecutive failures that the event is about; 0 if it does not say.
    pub(super) fn failures_in_row(&self) -> u32 {
        let failures = self.payload.get("failures_in_row").and_then(Value::as_u64);
        u32::try_from(failures.unwrap_or_default()).unwrap_or(u32::MAX)
    }

    /// A message that only shows that messages arrive.
    #[must_use]
    pub fn test(receiver: &str, now: Timestamp) -> Self {
        Self {
            id: format!("{TEST}-{}-{receiver}", now.timestamp_millis()),
            event: TEST.to_owned(),
            version: 1,
            happened_at: now,
            job: None,
            payload: json!({}),
        }
    }
}
