//! One message, independent of the kind of receiver.

use serde_json::{Value, json};

use crate::{
    domain::Timestamp,
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
