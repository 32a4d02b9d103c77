//! `[notify]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::receiver::{Receiver, ReceiverSettings};
use crate::domain::{
    config::InvalidConfig,
    notice::{ALL, is_receiver_name},
    span::Span,
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
    /// `[notify.receivers.NAME]`
    pub receivers: BTreeMap<String, ReceiverSettings>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            deliver: true,
            give_up_after: Span::from_secs(24 * 3_600),
            timeout: Span::from_secs(10),
            receivers: BTreeMap::new(),
        }
    }
}

impl NotifySettings {
    /// Wrong values of receivers.
    #[must_use]
    pub fn problems(&self) -> Vec<InvalidConfig> {
        let mut wrong = Vec::new();
        for (name, settings) in &self.receivers {
            let section = format!("notify.receivers.{name}");
            if !is_receiver_name(name) {
                wrong.push(InvalidConfig {
                    key: section.clone(),
                    value: name.clone(),
                    allowed: format!("a name of 1 to 32 of a-z, 0-9, - and _, other than {ALL}"),
                });
            }
            settings.problems(&mut |key, value, allowed| {
                wrong.push(InvalidConfig {
                    key: format!("{section}.{key}"),
                    value: value.to_owned(),
                    allowed: allowed.to_owned(),
                });
            });
        }
        wrong
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
