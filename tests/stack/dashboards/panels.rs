//! What can be said of a dashboard without running anything.

use std::collections::BTreeSet;

use lgi_mm::telemetry::METRICS;
use serde_json::{Value, json};

use crate::dashboards::{dashboards, panels, promql};

const RUNBOOK: &str = include_str!("../../../docs/runbook.md");

/// Name and text of each section of the runbook.
fn sections() -> Vec<(&'static str, String)> {
    let sections = RUNBOOK.split("\n## ").skip(1);
    let parts = sections.map(|section| section.split_once('\n').expect("a heading"));
    parts
        .map(|(name, text)| (name, format!("{}\n", text.trim())))
        .collect()
}

#[test]
fn every_dashboard_can_be_provisioned_anywhere() {
    let mut uids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        assert_eq!(dashboard["uid"], json!(format!("lgi-mm-{name}")));
        assert!(uids.insert(dashboard["uid"].to_string()));
        assert!(
            dashboard["__inputs"].is_null() && dashboard["id"].is_null(),
            "{name}"
        );
        let links = dashboard["links"].to_string();
        assert!(
            links.contains("/d/lgi-mm-runbook"),
            "{name}: no link to the runbook"
        );
        if name == "runbook" {
            continue;
        }
        let variables = dashboard["templating"]["list"].as_array().expect("variables");
        assert!(variables.iter().any(|one| one["name"] == "datasource"), "{name}");
        let annotations = dashboard["annotations"].to_string();
        assert!(
            annotations.contains("ALERTS{alertstate"),
            "{name}: no firing alerts"
        );
        let text = dashboard.to_string();
        assert!(
            !text.contains("\"uid\":\"lgi-mm-prometheus\""),
            "{name}: a fixed data source"
        );
    }
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit() {
    for (name, dashboard) in dashboards() {
        let mut ids = BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().expect("a title");
            assert!(
                ids.insert(panel["id"].to_string()),
                "{name}: {title}: its number is taken"
            );
            let description = panel["description"].as_str().unwrap_or_default();
            assert!(description.len() > 20, "{name}: {title}: no description");
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
            assert!(
                panel["type"] == "text" || unit.is_some(),
                "{name}: {title}: no unit"
            );
        }
    }
}

/// Names that look like ours.
fn named(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("lgi_mm_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_query_names_only_metrics_that_the_program_exports() {
    for (dashboard, panel, query) in all_promql() {
        for name in named(&query) {
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(&name);
            let known = METRICS.iter().any(|metric| metric.name == family);
            assert!(known, "{dashboard}: {panel}: {name} is not exported");
        }
        let known =
            named(&query).len() + usize::from(query.contains("ALERTS{")) + usize::from(query.contains("up{"));
        assert!(known > 0, "{dashboard}: {panel}: {query}");
        let ranges = query
            .split('[')
            .skip(1)
            .map(|rest| rest.split(']').next().expect("a range"));
        for range in ranges {
            assert!(
                range == "$__rate_interval" || range == "24h",
                "{dashboard}: {panel}: [{range}] does not follow the zoom"
            );
        }
    }
}

fn all_promql() -> Vec<(String, String, String)> {
    let all = dashboards().into_iter();
    all.flat_map(|(name, dashboard)| {
        let queries = promql(&dashboard).into_iter();
        queries
            .map(move |(panel, query)| (name.clone(), panel, query))
            .collect::<Vec<_>>()
    })
    .collect()
}

/// The dashboard with a panel for each section; a section keeps its panel's number, which links name.
fn runbook_of(sections: &[(&str, String)], before: &Value) -> Value {
    let number = |title: &str| {
        panels(before)
            .find(|panel| panel["title"] == *title)
            .and_then(|panel| panel["id"].as_u64())
    };
    let mut unused = panels(before)
        .filter_map(|panel| panel["id"].as_u64())
        .max()
        .unwrap_or(0);
    let texts = sections.iter().zip(0u32..).map(|((title, text), place)| {
        let id = number(title).unwrap_or_else(|| {
            unused += 1;
            unused
        });
        json!({
            "id": id,
            "type": "text",
            "title": title,
            "description": format!("Section {title} of docs/runbook.md."),
            "gridPos": {"x": place % 2 * 12, "y": place / 2 * 12, "w": 12, "h": 12},
            "options": {"mode": "markdown", "content": text},
        })
    });
    let mut runbook = before.clone();
    runbook["panels"] = texts.collect();
    runbook
}

#[test]
fn the_runbook_dashboard_is_the_runbook() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/dashboards/runbook.json");
    let read = || -> Value {
        let text = std::fs::read_to_string(path).expect("a runbook");
        serde_json::from_str(&text).expect("JSON")
    };
    let runbook = runbook_of(&sections(), &read());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{runbook:#}\n")).expect("the dashboard");
    }
    assert!(
        read() == runbook,
        "UPDATE_DOCS=1 cargo test --test stack runbook writes it"
    );
}

#[test]
fn links_lead_to_sections_of_the_runbook() {
    let all = dashboards();
    let (_, runbook) = all.iter().find(|(name, _)| name == "runbook").expect("a runbook");
    let mut links_seen = 0;
    for (name, dashboard) in &all {
        for link in panels(dashboard).flat_map(|panel| panel["links"].as_array().into_iter().flatten()) {
            let title = link["title"].as_str().expect("a title");
            let Some(alert) = title.strip_prefix("Runbook: ") else {
                continue;
            };
            let panel = panels(runbook).find(|panel| panel["title"] == *alert);
            let number = &panel.expect("a section")["id"];
            let url = format!("/d/lgi-mm-runbook?viewPanel=panel-{number}");
            assert_eq!(link["url"], json!(url), "{name}: {title}");
            links_seen += 1;
        }
    }
    assert!(links_seen > 0);
}
