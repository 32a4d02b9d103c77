//! The SQL of the Grafana dashboards, as Grafana would fill it in.

use serde_json::Value;

use crate::root;

/// The queries of every panel and annotation, for job 1 and the last hour.
pub fn sql_of_every_panel() -> Vec<String> {
    let dir = root().join("grafana/dashboards");
    let mut found = Vec::new();
    for file in std::fs::read_dir(dir).expect("dashboards").flatten() {
        let text = std::fs::read_to_string(file.path()).expect("a dashboard");
        collect(&serde_json::from_str(&text).expect("JSON"), &mut found);
    }
    assert!(found.len() >= 5, "{found:?}");
    found.iter().map(|query| filled(query)).collect()
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(sql) = fields.get("rawSql").and_then(Value::as_str) {
                found.push(sql.to_owned());
            }
            fields.values().for_each(|field| collect(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn filled(query: &str) -> String {
    let mut text = query.replace("$job", "1");
    while let Some(at) = text.find("$__timeFilter(") {
        let rest = &text[at + "$__timeFilter(".len()..];
        let (column, after) = rest.split_once(')').expect("a bracket");
        text = format!("{}{column} > now() - interval '1 hour'{after}", &text[..at]);
    }
    text
}
