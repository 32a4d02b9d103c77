//! The budgets of single nodes, and the list of nodes that they come with.

use std::collections::HashMap;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::problems::{Bounds, Problems};

/// The least budget in compute units a second: any single request fits into it.
const UNITS_MIN: u32 = 500;

/// `[[chains.NAME.rpc]]`: a node with a budget of its own.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFile {
    /// JSON-RPC URL.
    pub url: String,
    /// Most requests a second to it, 1 to 10000; `rpc_requests_per_second` unless given. Each request of a batch
    /// counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Most compute units a second, 500 to 10000000; no such limit unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_units_per_second: Option<u32>,
}

/// How fast one node may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Most requests a second.
    pub requests_per_second: u32,
    /// Most compute units a second; `None`: not counted.
    pub compute_units_per_second: Option<u32>,
}

impl Budget {
    /// For people.
    #[must_use]
    pub fn describe(&self) -> String {
        let requests = format!("at most {} requests", self.requests_per_second);
        match self.compute_units_per_second {
            Some(units) => format!("{requests} and {units} compute units a second"),
            None => format!("{requests} a second"),
        }
    }
}

/// Nodes by URL; those without an entry have the chain's usual budget.
pub type Budgets = HashMap<Url, Budget>;

/// All nodes, those of `[[chains.NAME.rpc]]` first, and the budgets of those that have their own. `usual`: requests a
/// second to every other node.
pub(super) fn nodes(
    problems: &mut Problems<'_>,
    own: &[NodeFile],
    urls: &[String],
    usual: u32,
) -> (Vec<Url>, Budgets) {
    let (mut found, mut budgets): (Vec<Url>, Budgets) = Default::default();
    for (index, node) in own.iter().enumerate() {
        let key = |name: &str| format!("rpc[{index}].{name}");
        let bounds = Bounds {
            default: usual,
            min: 1,
            max: 10_000,
        };
        let requests_per_second =
            problems.bounded(&key("requests_per_second"), node.requests_per_second, bounds);
        let compute_units_per_second = node.compute_units_per_second.map(|units| {
            let bounds = Bounds {
                default: UNITS_MIN,
                min: UNITS_MIN,
                max: 10_000_000,
            };
            problems.bounded(&key("compute_units_per_second"), Some(units), bounds)
        });
        let Some(url) = problems.url(&key("url"), &node.url) else {
            continue;
        };
        let budget = Budget {
            requests_per_second,
            compute_units_per_second,
        };
        if budgets.insert(url.clone(), budget).is_some() {
            let allowed = "each URL once in [[rpc]]";
            problems.found.refuse(&key("url"), "(not shown)", allowed);
        } else {
            found.push(url);
        }
    }
    for url in urls.iter().filter_map(|url| problems.url("rpc_urls", url)) {
        if !budgets.contains_key(&url) {
            found.push(url);
        }
    }
    (found, budgets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(url: &str, requests: Option<u32>, units: Option<u32>) -> NodeFile {
        NodeFile {
            url: url.to_owned(),
            requests_per_second: requests,
            compute_units_per_second: units,
        }
    }

    fn read(own: &[NodeFile], urls: &[&str]) -> Result<(Vec<Url>, Budgets), String> {
        let mut problems = Problems::new("base");
        let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
        let read = nodes(&mut problems, own, &urls, 20);
        problems.found.or_errors(read).map_err(|wrong| {
            let texts: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            texts.join("; ")
        })
    }

    #[test]
    fn nodes_with_a_budget_come_first_and_are_not_asked_twice() {
        let own = [
            node("https://a.example/key-a", Some(5), Some(660)),
            node("https://b.example", None, None),
        ];
        let (urls, budgets) = read(&own, &["https://c.example", "https://a.example/key-a"]).expect("allowed");
        let shown: Vec<&str> = urls.iter().map(Url::as_str).collect();
        assert_eq!(
            shown,
            [
                "https://a.example/key-a",
                "https://b.example/",
                "https://c.example/"
            ]
        );
        let budget = |url: usize| budgets.get(&urls[url]).map(Budget::describe);
        assert_eq!(
            budget(0).as_deref(),
            Some("at most 5 requests and 660 compute units a second")
        );
        assert_eq!(budget(1).as_deref(), Some("at most 20 requests a second"));
        assert_eq!(budget(2), None, "the chain's usual budget");
    }

    #[test]
    fn a_wrong_budget_names_its_node_by_number_and_shows_no_url() {
        let own = [
            node("https://a.example/secret", Some(0), Some(1)),
            node("https://a.example/secret", None, None),
            node("wss://b.example/secret", None, None),
        ];
        let said = read(&own, &[]).expect_err("all wrong");
        for key in [
            "chains.base.rpc[0].requests_per_second",
            "chains.base.rpc[0].compute_units_per_second",
            "chains.base.rpc[1].url",
            "chains.base.rpc[2].url",
        ] {
            assert!(said.contains(key), "{key}: {said}");
        }
        assert!(!said.contains("secret"), "{said}");
    }
}
