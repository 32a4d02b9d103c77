//! `[notify.chat]`: who may command jobs from a chat.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::receivers::ReceiverKind;
use crate::domain::{config::Validator, role::Role};

/// `[notify.chat]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChatSettings {
    /// The Telegram receiver whose bot takes commands; empty: none does.
    pub receiver: String,
    /// Numbers of people who may look.
    pub viewers: Vec<i64>,
    /// Numbers of people who may also pause, resume and tick.
    pub operators: Vec<i64>,
    /// Numbers of people who may also liquidate.
    pub owners: Vec<i64>,
}

impl ChatSettings {
    fn all(&self) -> [(&'static str, Role, &[i64]); 3] {
        [
            ("viewers", Role::Viewer, &self.viewers),
            ("operators", Role::Operator, &self.operators),
            ("owners", Role::Owner, &self.owners),
        ]
    }

    /// What a person may do; `None`: nothing.
    #[must_use]
    pub fn role(&self, person: i64) -> Option<Role> {
        let lists = self.all();
        let found = lists.iter().find(|(_, _, people)| people.contains(&person));
        found.map(|(_, role, _)| *role)
    }

    /// Who may give commands, in words: through which receiver, and how many people of which role.
    #[must_use]
    pub fn summary(&self) -> String {
        let people: Vec<String> = self
            .all()
            .iter()
            .filter(|(_, _, people)| !people.is_empty())
            .map(|(_, role, people)| match people.len() {
                1 => format!("1 {role}"),
                several => format!("{several} {role}s"),
            })
            .collect();
        format!("through {}, from {}", self.receiver, people.join(", "))
    }

    /// `kind`: that of the receiver that it names, if there is one.
    pub(super) fn check(&self, kind: Option<ReceiverKind>, found: &mut Validator) {
        let mut seen = BTreeSet::new();
        for (key, _, people) in self.all() {
            for person in people {
                found.require(
                    *person > 0 && seen.insert(*person),
                    key,
                    person,
                    "numbers of people, above 0, each in one list only; a person's number is in the log when they write to the bot",
                );
            }
        }
        if self.receiver.is_empty() {
            let allowed = "set if anybody may give commands: the name of a receiver of kind telegram";
            return found.require(seen.is_empty(), "receiver", "", allowed);
        }
        found.require(
            kind == Some(ReceiverKind::Telegram),
            "receiver",
            &self.receiver,
            "the name of a receiver of kind telegram: [notify.receivers.NAME]",
        );
        found.require(
            !seen.is_empty(),
            "owners",
            "[]",
            "at least one person in viewers, operators or owners; without receiver nobody commands from a chat",
        );
    }
}
