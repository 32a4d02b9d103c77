//! Paths of the server's machine are for those who work on it: a viewer's answer has none.

use serde::Serialize;
use serde_json::Value;

use crate::{
    app::{AppError, tokens::Bearer},
    domain::role::Role,
};

/// What stands in the place of a path.
const HIDDEN: &str = "(a path of the machine)";

/// A view as its reader may see it.
pub(super) fn shown_to(bearer: &Bearer, view: &impl Serialize) -> Result<Value, AppError> {
    let mut view = serde_json::to_value(view).map_err(|error| AppError::Internal(error.to_string()))?;
    if bearer.role == Role::Viewer {
        hide(&mut view);
    }
    Ok(view)
}

fn hide(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_paths(text),
        Value::Array(all) => all.iter_mut().for_each(hide),
        Value::Object(members) => members.values_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A path begins with a slash, or `~/`, at the beginning of a word; paths of this API are none of the machine.
fn without_paths(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        let begins = before.is_whitespace() || "\"'`(=,".contains(before);
        let is_path =
            begins && (rest.starts_with('/') || rest.starts_with("~/")) && !rest.starts_with("/api/");
        let end = rest.find(ends).unwrap_or(rest.len());
        if is_path && end > 1 {
            shown.push_str(HIDDEN);
            rest = rest.get(end..).unwrap_or_default();
            before = ')';
        } else {
            shown.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
            before = next;
        }
    }
    shown
}

fn ends(letter: char) -> bool {
    letter.is_whitespace() || "\"'`),;&".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::without_paths;

    #[test]
    fn paths_are_hidden_and_all_else_stays() {
        for (text, expected) in [
            (
                "log /var/lib/lgi-mm/log, 3 jobs",
                "log (a path of the machine), 3 jobs",
            ),
            ("/root/.config", "(a path of the machine)"),
            (
                "in ~/.config/lgi-mm; see it",
                "in (a path of the machine); see it",
            ),
            ("cannot read '/a b'", "cannot read '(a path of the machine) b'"),
            (
                "postgres:///lgi?host=/run/pg&x=1",
                "postgres:///lgi?host=(a path of the machine)&x=1",
            ),
            ("postgres://u@h:5432/db", "postgres://u@h:5432/db"),
            ("buys / sells, 5 USD/day", "buys / sells, 5 USD/day"),
            ("`GET /api/v1/jobs`", "`GET /api/v1/jobs`"),
            ("docs/api.md", "docs/api.md"),
        ] {
            assert_eq!(without_paths(text), expected);
        }
    }
}
