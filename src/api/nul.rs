//! NUL characters (U+0000) in requests. No name has one and PostgreSQL stores none, so a text with one is refused where
//! it enters, and is never a failure of the database.

use axum::http::{StatusCode, Uri};
use serde_json::Value;

use super::problem::Problem;
use crate::domain::foreign::Foreign;

/// How a NUL character is written in a URL.
const ENCODED: &str = "%00";

/// Characters of a field's name that are shown.
const FIELD_MAX: usize = 100;

/// Refuses a path or a query with a NUL character, and names the parameter.
pub(super) fn of_uri(uri: &Uri) -> Result<(), Problem> {
    if uri.path().contains(ENCODED) {
        return Err(refused(StatusCode::BAD_REQUEST, "the path"));
    }
    let pairs = uri.query().unwrap_or_default().split('&');
    match pairs.into_iter().find(|pair| pair.contains(ENCODED)) {
        None => Ok(()),
        Some(pair) => {
            let name = pair.split('=').next().unwrap_or_default();
            Err(refused(StatusCode::BAD_REQUEST, &format!("`{}`", shown(name))))
        }
    }
}

/// The same of a body.
pub(super) fn of_body(body: &Value) -> Result<(), Problem> {
    match found(body, "") {
        None => Ok(()),
        Some(field) if field.is_empty() => Err(refused(StatusCode::UNPROCESSABLE_ENTITY, "the body")),
        Some(field) => Err(refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("`{}`", shown(&field)),
        )),
    }
}

fn shown(name: &str) -> Foreign {
    Foreign::within(name, FIELD_MAX)
}

fn refused(status: StatusCode, field: &str) -> Problem {
    let detail =
        format!("{field} has a NUL character (U+0000): no name and no text may have one; leave it out");
    Problem::malformed(status, &detail)
}

/// The field that has one, such as `set[0]`.
fn found(value: &Value, field: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| field.to_owned()),
        Value::Array(all) => all
            .iter()
            .enumerate()
            .find_map(|(index, one)| found(one, &format!("{field}[{index}]"))),
        Value::Object(members) => members.iter().find_map(|(key, member)| {
            let below = if field.is_empty() {
                key.clone()
            } else {
                format!("{field}.{key}")
            };
            match key.contains('\0') {
                true => Some(below),
                false => found(member, &below),
            }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_field_with_a_nul_is_named_wherever_it_is() {
        for (body, expected) in [
            (json!({ "a": "b\u{0}c" }), Some("`a` has")),
            (json!({ "set": ["x=1", "y=\u{0}"] }), Some("`set[1]` has")),
            (
                json!({ "a": { "b": [{ "c": "\u{0}" }] } }),
                Some("`a.b[0].c` has"),
            ),
            (json!({ "a\u{0}": 1 }), Some("`a\u{fffd}` has")),
            (json!("\u{0}"), Some("the body has")),
            (json!({ "a": "%00", "b": 0, "c": null }), None),
        ] {
            let said = of_body(&body).err().map(|problem| problem.detail);
            match expected {
                None => assert_eq!(said, None, "{body}"),
                Some(start) => assert!(
                    said.as_deref().is_some_and(|text| text.starts_with(start)),
                    "{body}: {said:?}"
                ),
            }
        }
        for (uri, expected) in [
            ("/api/v1/jobs/%00", Some("the path has")),
            ("/api/v1/jobs/1?chain=a%00b", Some("`chain` has")),
            ("/api/v1/jobs?limit=1&%00=1", Some("`%00` has")),
            ("/api/v1/jobs/%2500?chain=%25", None),
        ] {
            let said = of_uri(&uri.parse().expect("a URI"))
                .err()
                .map(|problem| problem.detail);
            match expected {
                None => assert_eq!(said, None, "{uri}"),
                Some(start) => assert!(
                    said.as_deref().is_some_and(|text| text.starts_with(start)),
                    "{uri}: {said:?}"
                ),
            }
        }
    }
}
