//! Every alert has a section in the runbook and tests of its own, and no section is left over.

use std::{collections::BTreeSet, fs, path::Path};

use lgi_mm::telemetry::METRICS;

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

#[test]
fn every_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on() {
    let rules = rules();
    for (alert, rule) in alerts().iter().zip(rules.split("- alert: ").skip(1)) {
        for part in ["expr: ", "labels: {severity: ", "summary: ", "description: "] {
            assert!(rule.contains(part), "{part} of {alert}");
        }
        let link = format!("runbook_url: docs/runbook.md#{}", alert.to_lowercase());
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
            assert!(known(word) || base.is_some_and(known), "{word} in the {place}");
        }
    }
}
