//! `[notify]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    chat::ChatSettings,
    receiver::{Receiver, ReceiverSettings},
};
use crate::domain::{
    config::{InvalidConfig, Validator},
    notice::{ALL, is_receiver_name},
    span::Span,
    summary::SummaryEvery,
    trouble::Patience,
};

/// `[notify]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifySettings {
    /// Whether a scheduler or daemon with these settings delivers.
    pub deliver: bool,
    /// A message that its receiver did not take for this long is given up, 1m to 30d.
    pub give_up_after: Span,
    /// Longest wait for a receiver's answer, 100ms to 1m.
    pub timeout: Span,
    /// A job that has had no usable price for this long is reported, 0s to 30d.
    pub no_price_after: Span,
    /// A job that a limit or anything else has kept from trading for this long is reported, 0s to 30d.
    pub held_after: Span,
    /// How often a summary of what happened is announced: off, daily or weekly.
    pub summary: SummaryEvery,
    /// `[notify.chat]`
    pub chat: ChatSettings,
    /// `[notify.receivers.NAME]`
    pub receivers: BTreeMap<String, ReceiverSettings>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        let patience = Patience::default();
        Self {
            deliver: true,
            give_up_after: Span::from_secs(24 * 3_600),
            timeout: Span::from_secs(10),
            no_price_after: patience.price,
            held_after: patience.held,
            summary: SummaryEvery::Off,
            chat: ChatSettings::default(),
            receivers: BTreeMap::new(),
        }
    }
}

impl NotifySettings {
    /// Wrong values of receivers.
    #[must_use]
    pub fn problems(&self) -> Vec<InvalidConfig> {
        let mut found = Validator::below("notify.receivers");
        for (name, settings) in &self.receivers {
            found.require(
                is_receiver_name(name),
                name,
                name,
                format_args!("a name of 1 to 32 of a-z, 0-9, - and _, other than {ALL}"),
            );
            let mut own = Validator::below(&format!("notify.receivers.{name}"));
            settings.check(&mut own);
            found.extend(own.into_found());
        }
        let mut chat = Validator::below("notify.chat");
        let named = self.receivers.get(&self.chat.receiver);
        self.chat.check(named.map(|receiver| receiver.kind), &mut chat);
        found.extend(chat.into_found());
        found.into_found()
    }

    /// The receiver whose bot takes commands; `None`: no chat commands anything.
    #[must_use]
    pub fn chat_receiver(&self) -> Option<Receiver> {
        let name = &self.chat.receiver;
        self.receivers.get(name).map(|settings| settings.receiver(name))
    }

    /// How long something may block a job before its owner is notified.
    #[must_use]
    pub const fn patience(&self) -> Patience {
        Patience {
            price: self.no_price_after,
            held: self.held_after,
        }
    }

    /// All receivers, by name.
    #[must_use]
    pub fn receivers(&self) -> Vec<Receiver> {
        self.receivers
            .iter()
            .map(|(name, settings)| settings.receiver(name))
            .collect()
    }
}
