//! The configuration of the run, key by key, with differences from the defaults.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::html::{cell, escape, table};
use crate::{
    backtest::result::SetupSummary,
    domain::config::{JobConfig, KEYS},
    paper::PaperSettings,
};

/// Settings of the paper venue that affect a backtest.
const COSTS: &[(&str, &str)] = &[
    ("fee_bps", "The pool's fee, basis points of each trade"),
    (
        "slippage_bps",
        "How far below the quote a trade fills, basis points",
    ),
    ("impact_bps", "How far a trade moves the price, basis points"),
    ("gas_units", "Gas that one trade uses"),
    ("base_fee_gwei", "Base fee of a block"),
    ("tip_gwei", "Tip in addition to the base fee"),
    ("native_price_usd", "USD per native coin, for gas"),
    ("wallet_usd", "Initial USD of the wallet"),
    ("native", "Initial native coins of the wallet, for gas"),
];

/// The job's keys, then the venue's.
pub(super) fn tables(setup: &SetupSummary) -> String {
    let (ran, default) = (leaves(&setup.config), leaves(&JobConfig::for_mode(setup.mode)));
    // The series replaces every price source.
    let idle = |key: &str| key.starts_with("price.generated.") || key.starts_with("price.recorded.");
    let rows: Vec<(String, Vec<String>)> = KEYS
        .iter()
        .filter(|key| !idle(key.name))
        .filter_map(|key| Some((key, ran.get(key.name)?)))
        .map(|(key, value)| row(key.name, value, default.get(key.name) != Some(value), key.about))
        .collect();
    let (ran, default) = (leaves(&setup.costs), leaves(&PaperSettings::default()));
    let costs: Vec<(String, Vec<String>)> = COSTS
        .iter()
        .filter_map(|(key, about)| Some((key, about, ran.get(*key)?)))
        .map(|(key, about, value)| {
            row(
                &format!("paper.{key}"),
                value,
                default.get(*key) != Some(value),
                about,
            )
        })
        .collect();
    let header = ["Key", "Value", "What it means"];
    format!(
        "{}<h3>What a trade costs</h3>{}",
        table("config", &header, &rows),
        table("config", &header, &costs)
    )
}

fn row(key: &str, value: &str, differs: bool, about: &str) -> (String, Vec<String>) {
    let class = if differs { "set" } else { "" };
    let key = format!("<td class=\"key\">{}</td>", escape(key));
    (class.to_owned(), vec![key, cell(value), cell(about)])
}

/// Every dotted key with its value as text.
fn leaves(value: &impl Serialize) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    // A configuration is plain data: it always serialises.
    collect("", &serde_json::to_value(value).unwrap_or_default(), &mut found);
    found
}

fn collect(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                collect(&path, member, found);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            found.insert(path.to_owned(), items.join(", "));
        }
        value => {
            found.insert(path.to_owned(), plain(value));
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
