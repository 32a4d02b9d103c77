//! Messages that no try delivers: given up at once where nothing helps, and when they are too old where their owner
//! can.

use std::process::Command;

use serde_json::{Value, json};

use crate::notify::{
    inbox::{Answer, Inbox},
    refusals::{receiver, refused},
    world::{Courier, World, settings},
};

/// Messages that are refused at every try.
const FOR_GOOD: &[(&str, u16, &str)] = &[
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}"#,
    ),
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 5"}"#,
    ),
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: message text is empty"}"#,
    ),
    (
        "telegram",
        413,
        r#"{"ok":false,"error_code":413,"description":"Request Entity Too Large"}"#,
    ),
    ("slack", 400, "invalid_payload"),
    ("slack", 400, "no_text"),
    (
        "discord",
        400,
        r#"{"message":"Invalid Form Body","code":50035,"errors":{"content":{"_errors":[{"code":"BASE_TYPE_MAX_LENGTH"}]}}}"#,
    ),
    (
        "discord",
        400,
        r#"{"message":"Message was blocked by automatic moderation","code":200000}"#,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_changes_is_refused_for_good() {
    for (kind, status, answer) in FOR_GOOD {
        let failed = refused(kind, *status, answer).await;
        let shown = format!("{kind} {status} {answer}: {failed:?}");
        assert!(
            failed.refused_for_good && !failed.needs_owner && !failed.receiver_is_down,
            "{shown}"
        );
        assert!(
            failed
                .error
                .contains("this message is refused at every try, and is given up"),
            "{shown}"
        );
    }
}

/// What a command says as JSON, with this receiver in its settings.
fn said(world: &World, inbox: &Inbox, args: &[&str]) -> Value {
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[notify.receivers.desk]\nkind = \"telegram\"\ntoken = \"31337:AAExxxxxxxxxxxxxxxx\"\nchat_id = -77001\napi_url = \"{}\"\n",
        inbox.url()
    );
    std::fs::write(dir.path().join("lgi-mm.toml"), text).expect("settings");
    let output = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .args(args)
        .env("DATABASE_URL", &world.db.url)
        .current_dir(dir.path())
        .output()
        .expect("our own program");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What doctor has seen of this, with its status.
fn seen(world: &World, inbox: &Inbox, what: &str) -> Option<String> {
    let checks = said(world, inbox, &["doctor", "--json"]);
    let checks = checks.as_array().or_else(|| checks["checks"].as_array());
    let check = checks
        .expect("checks")
        .iter()
        .find(|check| check["what"] == what)?;
    Some(format!("{} {}", check["status"], check["seen"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_refused_for_good_is_tried_once_and_named_and_others_pass() {
    let world = World::new().await;
    let inbox = Inbox::answering(|_, received| {
        let text = received.json()["text"].to_string();
        match text.contains("cycle 13") {
            true => Answer::Status(
                400,
                None,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}"#
                    .to_owned(),
            ),
            false => Answer::Ok,
        }
    })
    .await;
    let settings = settings(json!({ "desk": receiver("telegram", &inbox) }));
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    for cycle in [12, 13, 14] {
        world
            .event(Some(job), "job.liquidated", json!({ "cycle": cycle }))
            .await;
    }
    world
        .until(
            "all have ended",
            "SELECT count(*) = 3 FROM deliveries WHERE status <> 'waiting'",
        )
        .await;
    courier.end().await;
    assert_eq!(
        (world.count("delivered").await, world.count("given_up").await),
        (2, 1)
    );
    assert_eq!(inbox.received().len(), 3, "each is tried once");
    let failing: i32 = sqlx::query_scalar("SELECT failures FROM receivers")
        .fetch_one(world.pool())
        .await
        .expect("the receiver");
    assert_eq!(failing, 0, "it takes messages");
    let lost = seen(&world, &inbox, "messages given up").expect("a finding");
    assert!(
        lost.contains("WARN") && lost.contains("desk: 1 given up") && lost.contains("message is too long"),
        "{lost}"
    );
    assert_eq!(seen(&world, &inbox, "receiver fails"), None);
    let listed = said(&world, &inbox, &["notify", "list", "--json"]);
    assert_eq!(listed[0]["given_up_today"], 1);
    let why = listed[0]["given_up_error"].as_str().unwrap_or_default();
    assert!(
        why.contains("HTTP 400") && why.contains("refused at every try"),
        "{listed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_blocked_bot_waits_for_its_owner_and_is_given_up_by_name_when_it_is_too_old() {
    let world = World::new().await;
    let blocked = r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#;
    let inbox = Inbox::answering(move |_, _| Answer::Status(403, None, blocked.to_owned())).await;
    let settings = settings(json!({ "desk": receiver("telegram", &inbox) }));
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    world
        .until("it fails", "SELECT failures > 0 FROM receivers")
        .await;
    courier.end().await;
    let fails = seen(&world, &inbox, "receiver fails").expect("a finding");
    assert!(
        fails.contains("WARN")
            && fails.contains("1 messages wait")
            && fails.contains("unblock it in Telegram"),
        "{fails}"
    );
    assert_eq!(seen(&world, &inbox, "messages given up"), None);
    let old = "UPDATE deliveries SET happened_at = now() - interval '25 hours', next_attempt_at = now()";
    sqlx::query(old).execute(world.pool()).await.expect("it is old");
    let before = inbox.received().len();
    let courier = Courier::start(world.pool(), &settings);
    world
        .until(
            "it is given up",
            "SELECT count(*) = 1 FROM deliveries WHERE status = 'given_up'",
        )
        .await;
    courier.end().await;
    assert_eq!(inbox.received().len(), before, "it is not sent again");
    let lost = seen(&world, &inbox, "messages given up").expect("a finding");
    assert!(
        lost.contains("desk: 1 given up") && lost.contains("unblock it in Telegram"),
        "{lost}"
    );
}
