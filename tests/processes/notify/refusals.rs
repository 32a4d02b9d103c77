//! Answers that no retry changes: each is named with what to do, and a group that has moved is followed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use lgi_mm::notify::{Failed, Notice, Sender};
use serde_json::{Value, json};

use crate::notify::{
    inbox::{Answer, Inbox},
    world::{Courier, SECRET, World, settings},
};

/// Kind, status, answer, and what is reported.
const PERMANENT: &[(&str, u16, &str, &str)] = &[
    (
        "telegram",
        401,
        r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#,
        "set notify.receivers.desk.token",
    ),
    (
        "telegram",
        404,
        r#"{"ok":false,"error_code":404,"description":"Not Found"}"#,
        "set notify.receivers.desk.token",
    ),
    (
        "telegram",
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#,
        "unblock it",
    ),
    (
        "telegram",
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the supergroup chat"}"#,
        "add the bot to the chat",
    ),
    (
        "telegram",
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot is not a member of the channel chat"}"#,
        "add the bot to the chat",
    ),
    (
        "telegram",
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot can't initiate conversation with a user"}"#,
        "write /start",
    ),
    (
        "telegram",
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: something new"}"#,
        "check the bot's rights",
    ),
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
        "check notify.receivers.desk.chat_id",
    ),
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: not enough rights to send text messages to the chat"}"#,
        "let it write there",
    ),
    (
        "telegram",
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: TOPIC_CLOSED"}"#,
        "set another notify.receivers.desk.chat_id",
    ),
    (
        "telegram",
        404,
        r#"{"ok":false,"error_code":404,"description":"Not Found: chat not found"}"#,
        "check notify.receivers.desk.chat_id",
    ),
    ("slack", 410, "channel_is_archived", "the channel is archived"),
    (
        "slack",
        404,
        "no_service",
        "create a new one and set notify.receivers.desk.url",
    ),
    (
        "slack",
        403,
        "invalid_token",
        "create a new one and set notify.receivers.desk.url",
    ),
    ("slack", 403, "action_prohibited", "an administrator"),
    ("slack", 404, "channel_not_found", "the channel was deleted"),
    ("slack", 400, "user_not_found", "is gone"),
    ("slack", 403, "some_new_word", "check notify.receivers.desk.url"),
    (
        "discord",
        404,
        r#"{"message":"Unknown Webhook","code":10015}"#,
        "the webhook was deleted",
    ),
    (
        "discord",
        401,
        r#"{"message":"Invalid Webhook Token","code":50027}"#,
        "copy its URL again",
    ),
    (
        "discord",
        400,
        r#"{"message":"Webhooks posted to forum channels must have a thread_name or thread_id","code":220001}"#,
        "thread_id",
    ),
    (
        "discord",
        401,
        r#"{"message":"401: Unauthorized","code":0}"#,
        "check notify.receivers.desk.url",
    ),
    ("webhook", 410, "", "gone for good"),
    (
        "webhook",
        404,
        "<html>no such page</html>",
        "nothing is at this address",
    ),
    ("webhook", 403, "", "refuses this URL"),
    ("webhook", 405, "", "does not accept POST"),
    ("webhook", 308, "", "redirects are not followed"),
    ("slack", 302, "", "redirects are not followed"),
];

/// What a retry may change, or what concerns one message only.
const PASSING: &[(&str, u16, &str, bool)] = &[
    (
        "telegram",
        400,
        r#"{"description":"Bad Request: something new"}"#,
        false,
    ),
    (
        "telegram",
        500,
        r#"{"description":"Internal Server Error"}"#,
        true,
    ),
    (
        "telegram",
        429,
        r#"{"description":"Too Many Requests: retry after 3","parameters":{"retry_after":3}}"#,
        true,
    ),
    ("slack", 400, "something_new", false),
    ("slack", 500, "rollup_error", true),
    (
        "discord",
        400,
        r#"{"message":"Invalid Form Body","code":50035}"#,
        false,
    ),
    ("discord", 503, "", true),
    ("webhook", 413, "", false),
    ("webhook", 408, "", true),
];

pub fn receiver(kind: &str, inbox: &Inbox) -> Value {
    let mut settings = json!({ "kind": kind, "min_interval": "0s" });
    match kind {
        "telegram" => {
            settings["token"] = json!("31337:AAExxxxxxxxxxxxxxxx");
            settings["chat_id"] = json!(-77_001);
            settings["api_url"] = json!(inbox.url());
        }
        _ => settings["url"] = json!(format!("{}/hooks/keykeykey", inbox.url())),
    }
    if kind == "webhook" {
        settings["secret"] = json!(SECRET);
    }
    settings
}

pub async fn refused(kind: &str, status: u16, answer: &str) -> Failed {
    let answer = answer.to_owned();
    let inbox = Inbox::answering(move |_, _| Answer::Status(status, None, answer.clone())).await;
    let settings = settings(json!({ "desk": receiver(kind, &inbox) }));
    let sender = Sender::new(settings.timeout).expect("a client");
    let notice = Notice::test("desk", chrono::Utc::now());
    let refused = sender.send(&settings.receivers()[0], &notice).await;
    refused.expect_err("it does not accept the message")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_retry_changes_is_named_with_what_to_do() {
    for (kind, status, answer, remedy) in PERMANENT {
        let failed = refused(kind, *status, answer).await;
        let shown = format!("{kind} {status} {answer}: {failed:?}");
        assert!(failed.error.contains(remedy), "{shown}");
        assert!(failed.error.contains(&status.to_string()), "{shown}");
        assert!(failed.needs_owner && failed.receiver_is_down, "{shown}");
        assert!(!failed.error.contains("keykeykey"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_retry_may_change_is_retried_soon() {
    for (kind, status, answer, down) in PASSING {
        let failed = refused(kind, *status, answer).await;
        let shown = format!("{kind} {status} {answer}: {failed:?}");
        assert!(
            !failed.needs_owner && failed.receiver_is_down == *down && !failed.refused_for_good,
            "{shown}"
        );
        assert!(
            failed.quiet_for.is_none_or(|pause| pause.as_secs() == 3),
            "{shown}"
        );
    }
}

/// As Telegram answers for a group that became a supergroup: by the new number.
fn moving(from: &str, to: i64, chat: &Value) -> Answer {
    if *chat == json!(from) {
        let body = json!({
            "ok": false, "error_code": 400,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": { "migrate_to_chat_id": to },
        });
        Answer::Status(400, None, body.to_string())
    } else {
        Answer::Ok
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_moved_gets_its_messages_at_its_new_place() {
    let world = World::new().await;
    let inbox =
        Inbox::answering(|_, received| moving("-77001", -1_002_000_000_077, &received.json()["chat_id"]))
            .await;
    let settings = settings(json!({ "desk": receiver("telegram", &inbox) }));
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    world
        .until(
            "it arrives",
            "SELECT count(*) = 1 FROM deliveries WHERE status = 'delivered'",
        )
        .await;
    let chats: Vec<Value> = inbox
        .received()
        .iter()
        .map(|received| received.json()["chat_id"].clone())
        .collect();
    assert_eq!(chats, [json!("-77001"), json!("-1002000000077")]);
    let paths: Vec<String> = inbox
        .received()
        .iter()
        .map(|received| received.path.clone())
        .collect();
    assert!(
        paths.iter().all(|path| path == &paths[0]),
        "the same token: {paths:?}"
    );
    courier.end().await;
    // The owner is shown the line to change.
    let sender = Sender::new(settings.timeout).expect("a client");
    let notice = Notice::test("desk", chrono::Utc::now());
    let delivered = sender.send(&settings.receivers()[0], &notice).await;
    let advice = delivered.expect("delivered").advice.expect("an advice");
    assert!(
        advice.contains("set notify.receivers.desk.chat_id = -1002000000077"),
        "{advice}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_followed_once_and_only_from_a_group_to_a_group() {
    let notice = Notice::test("desk", chrono::Utc::now());
    // Round and round, and a group that would become a person.
    for (chat, to) in [
        (json!(-77_001), -77_001),
        (json!(-77_001), 4_711),
        (json!("@channel"), -1_002_000_000_078),
    ] {
        let from = chat.as_str().map_or_else(|| chat.to_string(), str::to_owned);
        let inbox = Inbox::answering(move |_, _| moving(&from, to, &json!(from))).await;
        let mut telegram = receiver("telegram", &inbox);
        telegram["chat_id"] = chat.clone();
        let settings = settings(json!({ "desk": telegram }));
        let sender = Sender::new(settings.timeout).expect("a client");
        let failed = sender.send(&settings.receivers()[0], &notice).await;
        let failed = failed.expect_err("it is not followed");
        assert_eq!(inbox.received().len(), 1, "{chat} to {to}");
        assert!(
            failed
                .error
                .contains(&format!("set notify.receivers.desk.chat_id = {to}")),
            "{failed:?}"
        );
    }
    // A new place that moves again, or does not let the bot write.
    let inbox = Inbox::answering(|place, _| {
        moving(
            "a",
            -1_002_000_000_000 - i64::try_from(place).unwrap_or(0),
            &json!("a"),
        )
    })
    .await;
    let settings = settings(json!({ "desk": receiver("telegram", &inbox) }));
    let sender = Sender::new(settings.timeout).expect("a client");
    let failed = sender.send(&settings.receivers()[0], &notice).await;
    let failed = failed.expect_err("one hop");
    assert_eq!(inbox.received().len(), 2);
    assert!(
        failed.error.contains("-1002000000001") && failed.needs_owner,
        "{failed:?}"
    );
}

/// Not lost, not retried in a loop: it waits, and is sent when the remedy was applied and the pause is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_waits_for_the_owner_and_is_sent_ever_less_often() {
    let world = World::new().await;
    let admitted = Arc::new(AtomicBool::new(false));
    let bot = admitted.clone();
    let inbox = Inbox::answering(move |_, _| {
        let kicked = r#"{"description":"Forbidden: bot was kicked from the group chat"}"#;
        if bot.load(Ordering::SeqCst) {
            Answer::Ok
        } else {
            Answer::Status(403, None, kicked.to_owned())
        }
    })
    .await;
    let settings = settings(json!({ "desk": receiver("telegram", &inbox) }));
    Courier::register(&world, &settings, 1).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    world.filled(job).await;
    let courier = Courier::start(world.pool(), &settings);
    world
        .until(
            "the first failure",
            "SELECT failures > 0 AND last_error LIKE '%add the bot to the chat%' FROM receivers",
        )
        .await;
    courier.end().await;
    // After half a day of failures.
    for sql in [
        "UPDATE deliveries SET attempts = 20, next_attempt_at = now()",
        "UPDATE receivers SET next_send_at = now()",
    ] {
        sqlx::query(sql).execute(world.pool()).await.expect(sql);
    }
    let before = inbox.received().len();
    let courier = Courier::start(world.pool(), &settings);
    world
        .until(
            "it is left alone for an hour",
            "SELECT next_send_at > now() + interval '50 min' FROM receivers",
        )
        .await;
    assert_eq!(
        (inbox.received().len(), world.count("waiting").await),
        (before + 1, 2)
    );
    admitted.store(true, Ordering::SeqCst);
    for sql in [
        "UPDATE deliveries SET next_attempt_at = now()",
        "UPDATE receivers SET next_send_at = now()",
    ] {
        sqlx::query(sql).execute(world.pool()).await.expect(sql);
    }
    world
        .until(
            "both arrive",
            "SELECT count(*) = 2 FROM deliveries WHERE status = 'delivered'",
        )
        .await;
    courier.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notify_test_shows_the_remedy_and_the_move() {
    let gone = Inbox::answering(|_, _| Answer::Status(410, None, "channel_is_archived".to_owned())).await;
    let moved =
        Inbox::answering(|_, received| moving("-77001", -1_002_000_000_079, &received.json()["chat_id"]))
            .await;
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[notify.receivers.gone]\nkind = \"slack\"\nurl = \"{}/hooks/keykeykey\"\n\
         [notify.receivers.moved]\nkind = \"telegram\"\ntoken = \"31337:AAExxxxxxxxxxxxxxxx\"\nchat_id = -77001\napi_url = \"{}\"\n",
        gone.url(),
        moved.url()
    );
    std::fs::write(dir.path().join("lgi-mm.toml"), text).expect("settings");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    let output = command
        .args(["notify", "test"])
        .current_dir(dir.path())
        .output()
        .await
        .expect("our own program");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success(), "one of two does not accept: {said}");
    for part in [
        "gone: HTTP 410 Gone: channel_is_archived; the channel is archived",
        "moved: accepted the message, but the group is now -1002000000079: set notify.receivers.moved.chat_id = -1002000000079",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("keykeykey"), "{said}");
}
