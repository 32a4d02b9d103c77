//! Which events are sent to which receivers.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::{event::Event, name::is_name};

/// The name that selects everything.
pub const ALL: &str = "all";

/// The events that are sent. Written as a list of names: `["all"]` is all, `[]` is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Names", into = "Vec<String>")]
pub enum EventChoice {
    /// Every event.
    #[default]
    All,
    /// Only these events.
    Only(Vec<Event>),
}

/// The receivers that are notified. Written as a list of names: `["all"]` is all, `[]` is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Names", into = "Vec<String>")]
pub enum ReceiverChoice {
    /// Every receiver.
    #[default]
    All,
    /// Only these receivers, whether or not any process has them.
    Only(Vec<String>),
}

/// One name may stand without brackets.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "write a list of names, such as [\"all\"] or [\"trade.failed\"]"
)]
enum Names {
    One(String),
    Many(Vec<String>),
}

impl From<Names> for Vec<String> {
    fn from(names: Names) -> Self {
        match names {
            // `job.error,trade.failed`, as a flag or a variable has it.
            Names::One(names) => names.split(',').map(|name| name.trim().to_owned()).collect(),
            Names::Many(names) => names,
        }
    }
}

/// An invalid list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChoice {
    /// No such event.
    #[error("there is no event '{name}'; there are {all} and {}", Event::VARIANTS.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), all = ALL)]
    Event {
        /// What was given.
        name: String,
    },
    /// No name of a receiver.
    #[error("'{name}' cannot be the name of a receiver; write 1 to 32 of a-z, 0-9, - and _, or {all}", all = ALL)]
    Receiver {
        /// What was given.
        name: String,
    },
    /// `all` together with other names.
    #[error("'{all}' stands alone; leave out the other names, or leave out '{all}'", all = ALL)]
    AllAndMore,
}

/// Whether a receiver may be called this.
#[must_use]
pub fn is_receiver_name(name: &str) -> bool {
    is_name(name) && name != ALL
}

impl TryFrom<Names> for EventChoice {
    type Error = InvalidChoice;

    fn try_from(names: Names) -> Result<Self, Self::Error> {
        Vec::from(names).try_into()
    }
}

impl TryFrom<Names> for ReceiverChoice {
    type Error = InvalidChoice;

    fn try_from(names: Names) -> Result<Self, Self::Error> {
        Vec::from(names).try_into()
    }
}

/// `None` for all; else what each name means.
fn chosen<T>(
    names: Vec<String>,
    one: impl Fn(String) -> Result<T, InvalidChoice>,
) -> Result<Option<Vec<T>>, InvalidChoice> {
    if names.iter().any(|name| name == ALL) {
        return if names.len() == 1 {
            Ok(None)
        } else {
            Err(InvalidChoice::AllAndMore)
        };
    }
    names.into_iter().map(one).collect::<Result<_, _>>().map(Some)
}

impl TryFrom<Vec<String>> for EventChoice {
    type Error = InvalidChoice;

    fn try_from(names: Vec<String>) -> Result<Self, Self::Error> {
        let one = |name: String| name.parse().map_err(|_| InvalidChoice::Event { name });
        Ok(chosen(names, one)?.map_or(Self::All, Self::Only))
    }
}

impl TryFrom<Vec<String>> for ReceiverChoice {
    type Error = InvalidChoice;

    fn try_from(names: Vec<String>) -> Result<Self, Self::Error> {
        let one = |name: String| {
            if is_receiver_name(&name) {
                Ok(name)
            } else {
                Err(InvalidChoice::Receiver { name })
            }
        };
        Ok(chosen(names, one)?.map_or(Self::All, Self::Only))
    }
}

impl From<EventChoice> for Vec<String> {
    fn from(choice: EventChoice) -> Self {
        match choice {
            EventChoice::All => vec![ALL.to_owned()],
            EventChoice::Only(events) => events.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<ReceiverChoice> for Vec<String> {
    fn from(choice: ReceiverChoice) -> Self {
        match choice {
            ReceiverChoice::All => vec![ALL.to_owned()],
            ReceiverChoice::Only(names) => names,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(names: &[&str]) -> Result<EventChoice, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.try_into().map_err(|error: InvalidChoice| error.to_string())
    }

    #[test]
    fn a_list_of_events_is_all_some_or_none_and_reads_back() {
        assert_eq!(events(&["all"]), Ok(EventChoice::All));
        assert_eq!(events(&[]), Ok(EventChoice::Only(vec![])));
        for names in [vec!["all"], vec![], vec!["trade.failed", "job.error"]] {
            let choice = events(&names).expect("known names");
            assert_eq!(Vec::<String>::from(choice), names);
        }
    }

    #[test]
    fn one_name_needs_no_brackets_and_no_number_is_a_name() {
        let read = |value| serde_json::from_value::<EventChoice>(value).map_err(|error| error.to_string());
        assert_eq!(read(serde_json::json!("all")), Ok(EventChoice::All));
        assert_eq!(
            read(serde_json::json!("job.error")),
            Ok(EventChoice::Only(vec![Event::JobError]))
        );
        for wrong in [
            serde_json::json!(7),
            serde_json::json!([7]),
            serde_json::json!({}),
        ] {
            let said = read(wrong).expect_err("no name");
            assert!(said.contains("a list of names"), "{said}");
        }
    }

    #[test]
    fn wrong_names_are_named_with_what_is_allowed() {
        let said = events(&["trade.won"]).expect_err("no such event");
        assert!(
            said.contains("'trade.won'") && said.contains("trade.filled"),
            "{said}"
        );
        let said = events(&["all", "job.error"]).expect_err("both");
        assert!(said.contains("stands alone"), "{said}");
        for name in ["Ops", "", "a b", "ops!", "x".repeat(33).as_str()] {
            let said = ReceiverChoice::try_from(vec![name.to_owned()]).expect_err("no name");
            assert!(said.to_string().contains("1 to 32"), "{said}");
        }
    }
}
