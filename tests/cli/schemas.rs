//! docs/schema: each command with `--json` has a JSON Schema, and all JSON that the tests of this program see fits it.
#![expect(clippy::panic, reason = "a schema or an output that is wrong fails the test")]

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use lgi_mm::cli::Cli;
use regex::Regex;
use serde_json::{Value, json};

/// Commands that print no JSON of ours: services, another program's output, a script, a protocol.
const NO_JSON: [&str; 6] = ["completions", "daemon", "db", "mcp", "serve", "worker"];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

fn schema(name: &str) -> Option<Value> {
    let text = std::fs::read_to_string(directory().join(format!("{name}.json"))).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// What a value lacks, each with its place. A keyword that is not known here is an error: nothing is skipped.
fn problems(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut wrong = |what: String| found.push(format!("{place}: {what}"));
    let mut below = Vec::new();
    for (keyword, wanted) in schema.as_object().expect("a schema") {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" => {}
            "$ref" => {
                let name = wanted
                    .as_str()
                    .and_then(|path| path.strip_prefix("#/$defs/"))
                    .expect("a definition");
                below.extend(problems(root, &root["$defs"][name], value, place));
            }
            "type" if !fits_type(wanted, value) => wrong(format!("{value} is no {wanted}")),
            "enum" if !wanted.as_array().expect("values").contains(value) => {
                wrong(format!("{value} is none of {wanted}"));
            }
            "pattern" => {
                let pattern = Regex::new(wanted.as_str().expect("a pattern")).expect("a pattern");
                if value.as_str().is_some_and(|text| !pattern.is_match(text)) {
                    wrong(format!("{value} does not match {wanted}"));
                }
            }
            "minimum" if value.as_i64() < wanted.as_i64() && value.is_i64() => {
                wrong(format!("{value} is too small"))
            }
            "maximum" if value.as_i64() > wanted.as_i64() => wrong(format!("{value} is too large")),
            "required" => {
                for name in wanted.as_array().expect("names").iter().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        wrong(format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in wanted.as_object().expect("properties") {
                    if let Some(value) = value.get(name) {
                        below.extend(problems(root, schema, value, &format!("{place}.{name}")));
                    }
                }
            }
            "additionalProperties" if wanted.is_object() => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    below.extend(problems(root, wanted, value, &format!("{place}.{name}")));
                }
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    below.extend(problems(root, wanted, value, &format!("{place}[{index}]")));
                }
            }
            "anyOf" => {
                let choices = wanted.as_array().expect("choices");
                let each: Vec<_> = choices
                    .iter()
                    .map(|choice| problems(root, choice, value, place))
                    .collect();
                if each.iter().all(|problems| !problems.is_empty()) {
                    wrong(format!("fits no choice: {each:?}"));
                }
            }
            "type" | "enum" | "minimum" | "maximum" | "additionalProperties" => {}
            other => panic!("{place}: the keyword {other} is not known to this test"),
        }
    }
    found.extend(below);
    found
}

fn fits_type(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(choices) => choices.iter().any(|choice| fits_type(choice, value)),
        wanted => match wanted.as_str().expect("a type") {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("the type {other}"),
        },
    }
}

/// Integers that a JavaScript program would round, with their places.
fn unsafe_numbers(value: &Value, place: &str) -> Vec<String> {
    match value {
        Value::Number(number) if number.as_u64().is_some_and(|number| number > 1 << 53) => {
            vec![place.to_owned()]
        }
        Value::Array(values) => values
            .iter()
            .enumerate()
            .flat_map(|(index, value)| unsafe_numbers(value, &format!("{place}[{index}]")))
            .collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| unsafe_numbers(value, &format!("{place}.{name}")))
            .collect(),
        _ => vec![],
    }
}

fn check(name: &str, text: &str) {
    let schema = schema(name).unwrap_or_else(|| panic!("docs/schema/{name}.json is missing"));
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    let mut problems = problems(&schema, &schema, &value, "$");
    problems.extend(
        unsafe_numbers(&value, "$")
            .into_iter()
            .map(|place| format!("{place}: beyond 2^53")),
    );
    assert!(
        problems.is_empty(),
        "docs/schema/{name}.json does not describe what is printed:\n{}\n{text}",
        problems.join("\n")
    );
}

/// Checks what the program printed, if JSON was asked for.
pub fn validate(args: &[&str], code: i32, stdout: &str, stderr: &str) {
    if !args.contains(&"--json") {
        return;
    }
    let words: Vec<&str> = args
        .iter()
        .copied()
        .filter(|arg| *arg != "--json")
        .take(2)
        .collect();
    let known = |name: &String| directory().join(format!("{name}.json")).exists();
    let names = [words.join("-"), (*words.first().unwrap_or(&"")).to_owned()];
    match names.into_iter().find(known) {
        // Without a token they are CSV.
        Some(name) if name == "prices" && !args.contains(&"--token") => {}
        // What may never end is one object a line.
        Some(name) if name == "logs" => stdout.lines().for_each(|line| check(&name, line)),
        Some(name) if !stdout.trim().is_empty() => check(&name, stdout),
        _ => {}
    }
    if code != 0 && stderr.trim_start().starts_with('{') {
        check("error", stderr);
    }
}

/// Commands that can be given, as `config-show`.
fn commands(command: &clap::Command, prefix: &str, found: &mut Vec<String>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let name = format!("{prefix}{}", below.get_name());
        if below.has_subcommands() {
            commands(below, &format!("{name}-"), found);
        } else if below.get_name() != "help" {
            found.push(name);
        }
    }
}

#[test]
fn each_command_with_json_has_a_schema_and_each_schema_a_command() {
    let mut expected = vec!["error".to_owned()];
    commands(&Cli::command(), "", &mut expected);
    expected.retain(|name| !NO_JSON.contains(&name.as_str()));
    expected.sort();
    let mut found: Vec<String> = std::fs::read_dir(directory())
        .expect("docs/schema")
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .to_str()?
                .strip_suffix(".json")
                .map(str::to_owned)
        })
        .collect();
    found.sort();
    assert_eq!(
        found, expected,
        "docs/schema has a file for each command that prints JSON"
    );
}

#[test]
fn each_schema_is_one_and_refers_to_what_it_defines() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    for entry in std::fs::read_dir(directory()).expect("docs/schema") {
        let path = entry.expect("a file").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let schema = schema(name).expect(name);
        assert_eq!(
            schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{name}"
        );
        assert!(
            schema["title"].is_string() && schema["description"].is_string(),
            "{name}"
        );
        let mut found = Vec::new();
        references(&schema, &mut found);
        for reference in found {
            let name = reference.strip_prefix("#/$defs/").expect("a definition");
            assert!(
                schema["$defs"][name].is_object(),
                "{}: {reference}",
                path.display()
            );
        }
    }
}

/// The check itself finds what is wrong.
#[test]
fn what_does_not_fit_is_found() {
    let schema = json!({
        "type": "object", "required": ["job"],
        "properties": {
            "job": { "type": "integer", "minimum": 1 },
            "usd": { "$ref": "#/$defs/Usd" },
            "next": { "anyOf": [{ "type": "null" }, { "type": "array", "items": { "enum": ["a"] } }] },
        },
        "$defs": { "Usd": { "type": "string", "pattern": "^[0-9.]+$" } },
    });
    let wrong = |value: Value| problems(&schema, &schema, &value, "$").len();
    assert_eq!(
        wrong(json!({ "job": 7, "usd": "1.5", "next": ["a"], "more": 1 })),
        0
    );
    for value in [
        json!({}),
        json!({ "job": "7" }),
        json!({ "job": 0 }),
        json!({ "job": 1.5 }),
        json!({ "job": 7, "usd": 1.5 }),
        json!({ "job": 7, "usd": "1e5" }),
        json!({ "job": 7, "next": ["b"] }),
        json!([]),
    ] {
        assert_eq!(wrong(value.clone()), 1, "{value}");
    }
    assert_eq!(
        unsafe_numbers(&json!({ "a": [9_007_199_254_740_993_u64] }), "$"),
        ["$.a[0]"]
    );
}
