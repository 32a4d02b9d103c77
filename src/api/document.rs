//! The OpenAPI document. Paths and request bodies come from the handlers (utoipa); answers are the views that the
//! command line prints as JSON, so their schemas are those of docs/schema and are not written a second time.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::domain::role::Role;

/// The schemas of docs/schema that answers refer to, by the command that prints them.
const VIEWS: [(&str, &str); 25] = [
    ("adopt", include_str!("../../docs/schema/adopt.json")),
    ("backtest", include_str!("../../docs/schema/backtest.json")),
    (
        "basket-start",
        include_str!("../../docs/schema/basket-start.json"),
    ),
    ("config-edit", include_str!("../../docs/schema/config-edit.json")),
    ("config-keys", include_str!("../../docs/schema/config-keys.json")),
    ("config-show", include_str!("../../docs/schema/config-show.json")),
    ("doctor", include_str!("../../docs/schema/doctor.json")),
    ("export", include_str!("../../docs/schema/export.json")),
    ("init", include_str!("../../docs/schema/init.json")),
    ("list", include_str!("../../docs/schema/list.json")),
    ("notify-list", include_str!("../../docs/schema/notify-list.json")),
    ("token-list", include_str!("../../docs/schema/token-list.json")),
    ("token-new", include_str!("../../docs/schema/token-new.json")),
    (
        "token-revoke",
        include_str!("../../docs/schema/token-revoke.json"),
    ),
    ("logs", include_str!("../../docs/schema/logs.json")),
    (
        "paper-wallet",
        include_str!("../../docs/schema/paper-wallet.json"),
    ),
    ("pause", include_str!("../../docs/schema/pause.json")),
    ("pnl", include_str!("../../docs/schema/pnl.json")),
    ("policy-show", include_str!("../../docs/schema/policy-show.json")),
    ("release", include_str!("../../docs/schema/release.json")),
    ("start", include_str!("../../docs/schema/start.json")),
    ("status", include_str!("../../docs/schema/status.json")),
    ("tick", include_str!("../../docs/schema/tick.json")),
    ("trades", include_str!("../../docs/schema/trades.json")),
    ("wallet-list", include_str!("../../docs/schema/wallet-list.json")),
];

/// The extension of an operation that says who may.
const ROLE: &str = "x-role";
/// Its value for an operation that needs no token.
const NOBODY: &str = "none";
/// Its value for an operation whose requests are signed.
const SIGNATURE: &str = "signature";
/// The path whose operations begin and end a session; a second one changes nothing, so they need no key.
const SESSION: &str = "/api/v1/session";

/// The extension of an operation that changes nothing although it has a body: it needs no key.
const QUESTION: &str = "x-question";

/// Who may do what: the least role of each operation, as the document says it.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles(HashMap<(Method, String), Needed>);

/// Least role of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// Anybody: who asks for a session has none.
    Nobody,
    /// Who has signed the request, which its handler checks.
    Signature,
    /// Holders of a token of this role, or of one above it.
    Role(Role),
}

impl Roles {
    /// The least role for a method of a path; `None`: there is no such operation.
    pub(super) fn needed(&self, method: &Method, path: &str) -> Option<Needed> {
        self.0.get(&(method.clone(), path.to_owned())).copied()
    }

    fn of(document: &Value) -> Self {
        let mut roles = HashMap::new();
        for (path, method, operation) in operations(document) {
            let role = operation[ROLE].as_str().and_then(|role| match role {
                NOBODY => Some(Needed::Nobody),
                SIGNATURE => Some(Needed::Signature),
                role => role.parse().ok().map(Needed::Role),
            });
            let method = method.to_ascii_uppercase().parse().ok();
            if let (Some(method), Some(role)) = (method, role) {
                roles.insert((method, path.to_owned()), role);
            }
        }
        Self(roles)
    }
}

/// Path, method and operation of each operation.
fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object();
    paths.into_iter().flatten().flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path, method, operation))
    })
}

/// The whole document, and who may do what.
pub(super) fn finished(collected: &utoipa::openapi::OpenApi) -> (String, Roles) {
    // Plain data: it always serialises.
    let mut document = serde_json::to_value(collected).unwrap_or_default();
    let roles = Roles::of(&document);
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                complete(path, method, operation);
            }
        }
    }
    let components = &mut document["components"];
    components["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer",
        "description": "A token of this API, which the command line creates and shows once" },
        "signature": { "type": "apiKey", "in": "header", "name": "webhook-signature",
        "description": "A signature by Standard Webhooks, with the secret of the signal in the settings" },
        "session": { "type": "apiKey", "in": "cookie", "name": "lgi-mm-9465",
        "description": "A session of the console; its name has the server's port. Each request also needs \
                        X-Lgi-Mm-Console with the key that opening it answered, a write the Origin of this server" } });
    components["parameters"] = json!({ "IdempotencyKey": { "name": "Idempotency-Key", "in": "header", "required": true,
        "description": "Any text of 1 to 100 printable characters. A request that is sent again with its key is carried out \
                        once, and gets the first answer; another request with the same key is refused",
        "schema": { "type": "string", "minLength": 1, "maxLength": 100 } } });
    if !components["schemas"].is_object() {
        components["schemas"] = json!({});
    }
    if let Some(schemas) = components["schemas"].as_object_mut() {
        for (name, text) in VIEWS {
            add_view(schemas, name, text);
        }
        // The command prints one object on each line.
        let lines = json!({ "type": "array", "items": { "$ref": "#/components/schemas/logs" } });
        schemas.insert("logs.lines".to_owned(), lines);
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    (text, roles)
}

/// What every operation has: a token, errors as problems, and a key if it writes.
fn complete(path: &str, method: &str, operation: &mut Value) {
    operation["security"] = match operation[ROLE].as_str() {
        Some(NOBODY) => json!([]),
        Some(SIGNATURE) => json!([{ "signature": [] }]),
        _ => json!([{ "token": [] }, { "session": [] }]),
    };
    operation["responses"]["default"] = json!({
        "description": "Why it was not done",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let signed = operation[ROLE] == SIGNATURE;
    let question = operation[QUESTION].as_bool() == Some(true);
    if method != "get" && path != SESSION && !signed && !question {
        let key = json!({ "$ref": "#/components/parameters/IdempotencyKey" });
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(key),
            None => operation["parameters"] = json!([key]),
        }
    }
}

/// Adds a schema of docs/schema, and its definitions next to it.
fn add_view(schemas: &mut Map<String, Value>, name: &str, text: &str) {
    let mut view: Value = serde_json::from_str(text).unwrap_or_default();
    refer(&mut view, &format!("#/components/schemas/{name}."));
    if let Some(root) = view.as_object_mut() {
        root.remove("$schema");
        let definitions = root.remove("$defs");
        for (part, schema) in definitions.iter().filter_map(Value::as_object).flatten() {
            schemas.insert(format!("{name}.{part}"), schema.clone());
        }
    }
    schemas.insert(name.to_owned(), view);
}

/// Makes references to definitions of the same file references to components.
fn refer(value: &mut Value, to: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(target) if name == "$ref" => *target = target.replace("#/$defs/", to),
                    other => refer(other, to),
                }
            }
        }
        Value::Array(members) => members.iter_mut().for_each(|member| refer(member, to)),
        _ => {}
    }
}
