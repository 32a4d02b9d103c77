//! The Grafana dashboards: what every panel has, what every query names, and that each of them answers.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod live;
mod panels;

use std::path::Path;

use serde_json::Value;

/// Every dashboard, by file name.
pub fn dashboards() -> Vec<(String, Value)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/dashboards");
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .expect("dashboards")
        .map(|entry| {
            let path = entry.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a dashboard");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

/// Panels that show something: rows are headings.
pub fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().expect("panels");
    panels.iter().filter(|panel| panel["type"] != "row")
}

/// Every PromQL of a dashboard, annotations included, with where it is.
pub fn promql(dashboard: &Value) -> Vec<(String, String)> {
    let targets = panels(dashboard).flat_map(|panel| {
        let title = panel["title"].as_str().expect("a title");
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.filter_map(move |target| Some((title.to_owned(), target["expr"].as_str()?.to_owned())))
    });
    let annotations = dashboard["annotations"]["list"].as_array().into_iter().flatten();
    let annotations = annotations
        .filter_map(|one| Some((one["name"].as_str()?.to_owned(), one["expr"].as_str()?.to_owned())));
    targets.chain(annotations).collect()
}

/// Every SQL of a dashboard, annotations included, with where it is.
pub fn sql(dashboard: &Value) -> Vec<(String, String)> {
    let targets = panels(dashboard).flat_map(|panel| {
        let title = panel["title"].as_str().expect("a title");
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.filter_map(move |target| Some((title.to_owned(), target["rawSql"].as_str()?.to_owned())))
    });
    let annotations = dashboard["annotations"]["list"].as_array().into_iter().flatten();
    let annotations = annotations.filter_map(|one| {
        Some((
            one["name"].as_str()?.to_owned(),
            one["target"]["rawSql"].as_str()?.to_owned(),
        ))
    });
    targets.chain(annotations).collect()
}
