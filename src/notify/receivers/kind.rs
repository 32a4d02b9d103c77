//! The list of kinds. A new one is a file next to this one, a variant here and its line below.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr, VariantArray};

use super::{
    discord::Discord,
    messenger::{Messenger, Setting},
    slack::Slack,
    telegram::Telegram,
    webhook::Webhook,
};

/// What a receiver is; the database and the settings store the name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, VariantArray, Serialize, Deserialize)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum ReceiverKind {
    /// A chat, through the bot API.
    Telegram,
    /// A channel's webhook, or a server that understands one.
    Discord,
    /// A channel's incoming webhook, or a server that understands one, such as Mattermost.
    Slack,
    /// A program of your own; JSON, signed.
    Webhook,
}

impl ReceiverKind {
    pub(crate) const fn messenger(self) -> &'static dyn Messenger {
        match self {
            Self::Telegram => &Telegram,
            Self::Discord => &Discord,
            Self::Slack => &Slack,
            Self::Webhook => &Webhook,
        }
    }

    /// The keys that `[notify.receivers.NAME]` has for this kind, besides `kind`, `events` and `min_interval`.
    #[must_use]
    pub fn settings(self) -> &'static [Setting] {
        self.messenger().settings()
    }
}
