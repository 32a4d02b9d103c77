//! `docs/metrics.md` is the table of metrics.

use std::collections::BTreeSet;

use lgi_mm::telemetry::{Kind, METRICS, page};

#[test]
fn the_page_of_metrics_is_the_table_of_metrics() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).expect("the page");
    }
    let written = std::fs::read_to_string(path).expect("docs/metrics.md");
    assert_eq!(
        written,
        page(),
        "UPDATE_DOCS=1 cargo test --test documents metrics writes it"
    );
}

#[test]
fn names_are_unique_and_end_as_prometheus_wants_them() {
    let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len(), "a name is used twice");
    for metric in METRICS {
        let counts = metric.name.ends_with("_total");
        assert_eq!(counts, metric.kind == Kind::Counter, "{}", metric.name);
        let in_name = ["seconds", "usd", "bytes", "tokens"].contains(&metric.unit);
        assert!(!in_name || metric.name.contains(metric.unit), "{}", metric.name);
        assert!(metric.name.starts_with("lgi_mm_"), "{}", metric.name);
    }
}
