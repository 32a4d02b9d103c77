//! Every alert has a section in the runbook and tests of its own, and no section is left over.

use std::{collections::BTreeSet, fs, path::Path};

use lgi_mm::telemetry::{Kind, METRICS};

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file")
}

fn rules() -> String {
    text("deploy/prometheus/rules/lgi-mm.yml")
}

fn alerts() -> Vec<String> {
    let rules = rules();
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn every_alert_has_a_section_and_no_section_is_orphaned() {
    let runbook = text("docs/runbook.md");
    let sections: Vec<&str> = runbook
        .split("\n## ")
        .skip(1)
        .map(|section| section.lines().next().expect("a heading"))
        .collect();
    let alerts = alerts();
    assert!(alerts.len() >= 15, "{alerts:?}");
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(set(&sections), alerts.iter().cloned().collect());
    for section in runbook.split("\n## ").skip(1) {
        for part in ["**Meaning.**", "**Look at**", "**Do**"] {
            assert!(section.contains(part), "{part} in {section}");
        }
    }
    for link in runbook.split("](#").skip(1) {
        let anchor = link.split(')').next().expect("an anchor");
        assert!(
            alerts.iter().any(|alert| alert.to_lowercase() == anchor),
            "{anchor}"
        );
    }
}

/// Where the runbook is: an external label of Prometheus, else the dashboard of the Compose stack.
const PAGE: &str = "{{ with $externalLabels.lgi_mm_runbook }}{{ . }}{{ else }}http://127.0.0.1:3000/d/lgi-mm-runbook{{ end }}";

/// The panel of an alert's section on the dashboard *Runbook*.
fn panel(alert: &str) -> u64 {
    let dashboard = text("grafana/dashboards/runbook.json");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let panel = panels.iter().find(|panel| panel["title"] == alert);
    panel
        .and_then(|panel| panel["id"].as_u64())
        .unwrap_or_else(|| panic!("no panel for {alert}: UPDATE_DOCS=1 cargo test --test stack runbook"))
}

/// A failed trade that is retried wakes nobody; one that stopped its job, or fails again and again, does.
#[test]
fn one_failed_trade_is_a_warning_and_repeated_or_final_failures_are_critical() {
    let rules = rules();
    let severity = |alert: &str| {
        let (_, rule) = rules
            .split_once(&format!("- alert: {alert}\n"))
            .unwrap_or_else(|| panic!("no {alert}"));
        let (_, rest) = rule.split_once("severity: ").expect("a severity");
        rest.split('}').next().expect("a severity").to_owned()
    };
    assert_eq!(severity("TradeFailed"), "warning");
    for alert in ["TradesKeepFailing", "JobInError", "SignerHalted", "StuckTrade"] {
        assert_eq!(severity(alert), "critical", "{alert}");
    }
}

/// Old values of counters raise nothing: what that means is tested for each alert on a counter, and no other counts.
#[test]
fn every_alert_on_a_counter_is_tested_against_restarts_gaps_and_moves() {
    let tests = text("deploy/prometheus/tests/counters.yml");
    let cases = [
        "the first event of a series that is born at one",
        "the first event of a process that starts at zero",
        "several events of a series that is born in a known process",
        "a second event",
        "an old value",
        "an old value when Prometheus comes back from a gap",
        "an event while Prometheus was away is notified when it is back",
        "an old value that a new Prometheus sees for the first time",
        "a restart of the process",
        "a restart of the process and an event",
        "a series that moves to another instance",
    ];
    let mut found = 0;
    for (alert, rule) in alerts().iter().zip(rules().split("- alert: ").skip(1)) {
        let expr = rule.split("labels:").next().expect("an expression");
        let counts = METRICS.iter().any(|metric| {
            metric.kind == Kind::Counter && expr.contains(&format!("increase({}", metric.name))
        });
        if counts {
            found += 1;
            for case in cases {
                let name = format!("- name: {alert}, {case}\n");
                assert!(tests.contains(&name), "{name}");
            }
        }
    }
    assert_eq!(found, 4, "alerts on counters");
}

#[test]
fn every_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on() {
    let rules = rules();
    for (alert, rule) in alerts().iter().zip(rules.split("- alert: ").skip(1)) {
        for part in ["expr: ", "labels: {severity: ", "summary: ", "description: "] {
            assert!(rule.contains(part), "{part} of {alert}");
        }
        let panel = panel(alert);
        let anchor = alert.to_lowercase();
        let link = format!("runbook_url: '{PAGE}?viewPanel=panel-{panel}#{anchor}'");
        assert!(rule.contains(&link), "{link}");
    }
}

#[test]
fn every_alert_is_tested_to_fire_and_to_stay_silent() {
    let tests = text("deploy/prometheus/tests/trading.yml") + &text("deploy/prometheus/tests/fleet.yml");
    for alert in alerts() {
        assert!(tests.contains(&format!("name: {alert} fires")), "{alert}");
        // It fires always: that is what it is for.
        let silent = alert == "DeadMansSwitch" || tests.contains(&format!("name: {alert} stays silent"));
        assert!(silent, "{alert}");
    }
}

#[test]
fn rules_and_runbook_use_only_metrics_that_exist() {
    for (place, text) in [("rules", rules()), ("runbook", text("docs/runbook.md"))] {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
        for word in words.filter(|word| word.starts_with("lgi_mm_")) {
            let base = word
                .strip_suffix("_bucket")
                .or_else(|| word.strip_suffix("_count"));
            let known = |name: &str| METRICS.iter().any(|metric| metric.name == name);
            let label = word == "lgi_mm_runbook";
            assert!(
                label || known(word) || base.is_some_and(known),
                "{word} in the {place}"
            );
        }
    }
}
