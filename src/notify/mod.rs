//! Messages to people and programs that are not looking: Telegram, Discord, Slack and signed webhooks.
//!
//! Events come from the outbox, which is written in the transaction that causes them. Each is handed to its receivers
//! once (`store::deliveries`), and each receiver takes it at its own pace: at least once, oldest first as far as that
//! goes, never faster than its limit. Nothing of this is ever waited for by trading: a courier has tasks of its own,
//! one for each receiver, and holds nothing in the database while it talks to the outside.
//!
//! Schedulers and daemons run it. They are few and there is always one, while workers come and go with the load; a
//! process of its own would be one more to run and to watch. Any number may run it at once.

mod courier;
mod send;
mod settings;
mod sign;
mod text;

use serde_json::{Value, json};

use crate::{
    domain::Timestamp,
    store::deliveries::{Claimed, ToldJob},
};

pub use courier::run;
pub use send::{Failed, Sender};
pub use settings::{NotifySettings, Receiver, ReceiverError, ReceiverKeys, ReceiverKind};
pub use sign::{Key, WeakKey};
pub use text::body;

/// The name of the event that `lgi-mm notify test` tells.
pub const TEST: &str = "test";

/// One message, before it gets the form of a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The same for every attempt: what comes twice can be told by it.
    pub id: String,
    /// What happened.
    pub event: String,
    /// Version of the payload's form.
    pub version: u16,
    /// When.
    pub happened_at: Timestamp,
    /// The job, if it is about one.
    pub job: Option<ToldJob>,
    /// Its details.
    pub payload: Value,
}

impl Notice {
    /// What a receiver is told of an event.
    #[must_use]
    pub fn of(receiver: &str, claimed: Claimed) -> Self {
        Self {
            id: format!("{}-{receiver}", claimed.attempt.outbox),
            event: claimed.event,
            version: claimed.payload_version,
            happened_at: claimed.happened_at,
            job: claimed.job,
            payload: claimed.payload,
        }
    }

    /// A message that says only that messages arrive.
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
