//! `docs/openapi.json` is the document that is served, and the document is whole.

use std::collections::BTreeSet;

use lgi_mm::api::openapi_document;
use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&openapi_document()).expect("JSON")
}

/// Method, path and operation.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("methods");
        methods
            .iter()
            .map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    });
    each.collect()
}

#[test]
fn the_openapi_file_is_what_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, openapi_document()).expect("the file");
    }
    let written = std::fs::read_to_string(path).expect("docs/openapi.json");
    assert!(
        written == openapi_document(),
        "UPDATE_DOCS=1 cargo test --features failpoints --test documents openapi writes it"
    );
}

#[test]
fn each_operation_says_who_may_and_how_it_fails_and_each_write_has_a_key() {
    let document = document();
    let operations = operations(&document);
    assert!(operations.len() > 15, "only {} operations", operations.len());
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations {
        let place = format!("{method} {path}");
        let role = operation["x-role"].as_str();
        // Who asks for a session has none.
        let open = place == "post /api/v1/session";
        let session = path == "/api/v1/session";
        // Who signs it needs neither a token nor a key: its webhook-id is one.
        let signed = place == "post /api/v1/signals/{name}";
        assert!(
            role.is_some_and(|role| role.parse::<lgi_mm::domain::role::Role>().is_ok()
                || open && role == "none"
                || signed && role == "signature"),
            "{place}: {role:?}"
        );
        let security = if open || signed {
            Value::Null
        } else {
            serde_json::json!([])
        };
        assert_eq!(operation["security"][0]["token"], security, "{place}");
        let problems = &operation["responses"]["default"]["content"]["application/problem+json"];
        assert!(problems.is_object(), "{place}");
        let summary = operation["summary"].as_str();
        assert!(summary.is_some_and(|summary| !summary.is_empty()), "{place}");
        assert!(
            names.insert(operation["operationId"].as_str().expect("a name")),
            "{place}"
        );
        let parameters = operation["parameters"].as_array();
        let key = parameters
            .into_iter()
            .flatten()
            .any(|parameter| parameter["$ref"] == "#/components/parameters/IdempotencyKey");
        // A question has a body and changes nothing.
        let question = operation["x-question"] == true;
        assert_eq!(
            key,
            method != "get" && !session && !signed && !question,
            "{place}"
        );
        let owners = ["get /api/v1/tokens"];
        assert_eq!(
            role == Some("viewer"),
            method == "get" && !owners.contains(&place.as_str()) || place == "delete /api/v1/session",
            "{place}"
        );
    }
}

#[test]
fn each_reference_of_the_openapi_file_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "only {}", found.len());
    for reference in found {
        let place = reference.strip_prefix('#').expect("a place of this document");
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}
