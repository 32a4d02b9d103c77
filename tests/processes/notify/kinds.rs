//! Every kind of receiver is complete: settings, messages, database, example and docs.

use lgi_mm::{
    domain::event::Event,
    notify::{Form, NotifySettings, Receiver, ReceiverKind},
};
use serde_json::{Value, json};
use strum::VariantArray;

use crate::notify::{messages::notice, world::World};

/// Values, one of which fits any key of any kind.
const SAMPLES: [&str; 3] = [
    "https://example.com/hook/hunter2hunter2",
    "8675309:hunter2hunter2",
    "-100",
];

fn load(receiver: &Value) -> NotifySettings {
    let settings = json!({ "receivers": { "ops": receiver } });
    serde_json::from_value(settings).expect("settings")
}

/// Settings of a kind that work, with every required key.
pub(crate) async fn sample(kind: ReceiverKind) -> Value {
    let keys: Vec<&str> = kind
        .settings()
        .iter()
        .filter(|setting| !matches!(setting.form, Form::Optional(_)))
        .map(|setting| setting.key)
        .collect();
    let all = u32::try_from(keys.len()).expect("few keys");
    for choice in 0..SAMPLES.len().pow(all) {
        let mut settings = json!({ "kind": kind });
        let mut rest = choice;
        for key in &keys {
            settings[*key] = json!(SAMPLES[rest % SAMPLES.len()]);
            rest /= SAMPLES.len();
        }
        let loaded = load(&settings);
        if loaded.problems().is_empty() && loaded.receivers()[0].check().await.is_ok() {
            return settings;
        }
    }
    panic!("{kind}: no sample fits its keys; add one to SAMPLES");
}

pub(crate) async fn receiver(kind: ReceiverKind) -> Receiver {
    load(&sample(kind).await).receivers().remove(0)
}

fn problem(settings: &Value) -> String {
    let problems = load(settings).problems();
    problems.first().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn every_kind_requires_its_keys_and_refuses_those_of_others() {
    for kind in ReceiverKind::VARIANTS {
        let works = sample(*kind).await;
        for setting in kind.settings() {
            if matches!(setting.form, Form::Optional(_)) {
                continue;
            }
            let mut less = works.clone();
            less.as_object_mut().expect("a table").remove(setting.key);
            let said = problem(&less);
            let key = format!("notify.receivers.ops.{}", setting.key);
            assert!(said.contains(&key), "{kind}: {said}");
        }
        let foreign = ReceiverKind::VARIANTS
            .iter()
            .flat_map(|other| other.settings())
            .map(|setting| setting.key)
            .chain(["urll"])
            .filter(|key| kind.settings().iter().all(|setting| setting.key != *key));
        for key in foreign {
            let mut more = works.clone();
            more[key] = json!("hunter2");
            let said = problem(&more);
            let expected = format!("a receiver of kind {kind} has no such key");
            assert!(said.contains(&expected), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[tokio::test]
async fn debug_output_of_receivers_shows_no_secret() {
    for kind in ReceiverKind::VARIANTS {
        let settings = load(&sample(*kind).await);
        let said = format!("{settings:?} {:?}", settings.receivers());
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn every_kind_has_a_body_for_every_event() {
    for kind in ReceiverKind::VARIANTS {
        let receiver = receiver(*kind).await;
        for event in Event::VARIANTS {
            let body = receiver.body(&notice(&event.to_string(), "CLAWD", json!({})));
            assert!(body.is_object(), "{kind}: {body}");
        }
    }
}

#[tokio::test]
async fn the_database_knows_every_kind() {
    let world = World::new().await;
    for kind in ReceiverKind::VARIANTS {
        sqlx::query("INSERT INTO receivers (name, kind, events) VALUES ($1, $1, '{all}')")
            .bind(kind.to_string())
            .execute(world.pool())
            .await
            .unwrap_or_else(|error| panic!("{kind} is not in the CHECK of receivers.kind: {error}"));
    }
}

#[test]
fn the_example_and_the_docs_name_every_kind_and_the_example_every_key() {
    let example = include_str!("../../../lgi-mm.example.toml");
    let docs = include_str!("../../../docs/notifications.md").to_lowercase();
    for kind in ReceiverKind::VARIANTS {
        let name = kind.to_string();
        assert!(docs.contains(&name), "{name} is not in docs/notifications.md");
        assert!(example.contains(&name), "{name} is not in the example");
        for setting in kind.settings() {
            let mut keys = vec![setting.key.to_owned()];
            if matches!(setting.form, Form::Secret { .. }) {
                keys.push(format!("{}_file", setting.key));
            }
            for key in keys {
                assert!(
                    example.contains(&format!("\n# {key} = ")),
                    "{key} is not in the example"
                );
            }
        }
    }
    for key in ["kind", "events", "min_interval"] {
        assert!(
            example.contains(&format!("\n# {key} = ")),
            "{key} is not in the example"
        );
    }
}
