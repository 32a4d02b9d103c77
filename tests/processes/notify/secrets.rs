//! Wrong settings are named, and no secret is shown anywhere.

use std::process::Command;

use lgi_mm::config::Settings;
use serde_json::{Value, json};

use crate::notify::{
    inbox::{Answer, Inbox},
    world::{Courier, World, settings},
};

const TOKEN: &str = "8675309:hunter2hunter2hunter2";
const URL_KEY: &str = "T000-hunter2hunter2";
const KEY: &str = "hunter2hunter2hunter2hunter2";

/// What is written, the key that is named, and what is reported.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "[notify]\ntimout = \"1s\"",
        "notify.timout",
        "did you mean timeout",
    ),
    ("[notify]\ntimeout = \"0s\"", "notify.timeout", "100ms to 1m"),
    (
        "[notify]\ngive_up_after = \"1s\"",
        "notify.give_up_after",
        "1m to 30d",
    ),
    (
        "[notify.receivers.ops]\nkind = \"pager\"",
        "notify.receivers.ops.kind",
        "telegram",
    ),
    (
        "[notify.receivers.ops]\ntoken = \"hunter2\"",
        "notify.receivers.ops",
        "kind",
    ),
    (
        "[notify.receivers.ops]\nkind = \"slack\"\nurl = \"https://a\"\nurll = \"x\"",
        "notify.receivers.ops.urll",
        "a receiver of kind slack has no such key",
    ),
    (
        "[notify.receivers.ops]\nkind = \"slack\"\nurl = \"https://a\"\nurll = \"\"",
        "notify.receivers.ops.urll",
        "a receiver of kind slack has no such key",
    ),
    (
        "[notify.receivers.ops]\nkind = \"telegram\"\nchat_id = 1",
        "notify.receivers.ops.token",
        "token_file",
    ),
    (
        "[notify.receivers.ops]\nkind = \"telegram\"\ntoken = \"hunter2\"",
        "notify.receivers.ops.chat_id",
        "@channel",
    ),
    (
        "[notify.receivers.ops]\nkind = \"telegram\"\ntoken = 8675309\nchat_id = 1",
        "notify.receivers.ops.token",
        "text in quotes",
    ),
    (
        "[notify.receivers.ops]\nkind = \"telegram\"\ntoken = \"hunter2\"\ntoken_file = \"f\"\nchat_id = 1",
        "notify.receivers.ops.token",
        "not both",
    ),
    (
        "[notify.receivers.ops]\nkind = \"discord\"\nurl = \"https://a\"\nsecret = \"hunter2\"",
        "notify.receivers.ops.secret",
        "a receiver of kind discord has no such key",
    ),
    (
        "[notify.receivers.ops]\nkind = \"webhook\"\nurl = \"https://a\"",
        "notify.receivers.ops.secret",
        "secret_file",
    ),
    (
        "[notify.receivers.Ops]\nkind = \"discord\"\nurl = \"https://a\"",
        "notify.receivers.Ops",
        "1 to 32",
    ),
    (
        "[notify.receivers.all]\nkind = \"discord\"\nurl = \"https://a\"",
        "notify.receivers.all",
        "other than all",
    ),
    (
        "[notify.receivers.ops]\nkind = \"discord\"\nurl = \"https://a\"\nevents = [\"trade.won\"]",
        "notify.receivers.ops.events",
        "trade.filled",
    ),
    (
        "[notify.receivers.ops]\nkind = \"discord\"\nurl = \"https://a\"\nmin_interval = \"2h\"",
        "notify.receivers.ops.min_interval",
        "0s to 1h",
    ),
];

#[test]
fn wrong_settings_are_named_with_what_is_allowed() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("lgi-mm.toml");
    for (text, key, allowed) in WRONG {
        std::fs::write(&file, text).expect("a file");
        let said = Settings::load(Some(&file)).expect_err(text).to_string();
        assert!(said.contains(key) && said.contains(allowed), "{text}\n{said}");
        assert!(!said.contains("hunter2") && !said.contains("8675309"), "{said}");
    }
}

/// An answer that repeats the whole request, as debugging proxies do.
fn echo(_: usize, received: &crate::notify::inbox::Received) -> Answer {
    let secret = if received.path.starts_with("/bot") {
        TOKEN
    } else {
        KEY
    };
    let said = format!("{} {:?} {secret}", received.path, received.headers);
    Answer::Status(500, None, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_logs_errors_tables_or_output() {
    let (world, inbox) = (World::new().await, Inbox::answering(echo).await);
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).expect("a file");
    };
    file("token", &format!("{TOKEN}\n"));
    file("key", KEY);
    file(
        "lgi-mm.toml",
        &format!(
            "[notify.receivers.telegram]\nkind = \"telegram\"\ntoken_file = \"token\"\nchat_id = 1\napi_url = \"{url}\"\n\
             [notify.receivers.hook]\nkind = \"webhook\"\nurl = \"{url}/{URL_KEY}\"\nsecret_file = \"key\"\n\
             [notify.receivers.slack]\nkind = \"slack\"\nurl = \"http://127.0.0.1:9/{URL_KEY}\"\n\
             [notify.receivers.gone]\nkind = \"discord\"\nurl_file = \"absent\"\n",
            url = inbox.url()
        ),
    );
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        command
            .args(args)
            .env("DATABASE_URL", &world.db.url)
            .env("LGI_MM__METRICS__LISTEN", "off")
            .env("RUST_LOG", "trace")
            .current_dir(dir.path());
        command
    };
    let log = dir.path().join("log");
    let mut scheduler = run(&["scheduler"])
        .stderr(std::fs::File::create(&log).expect("a log"))
        .spawn()
        .expect("our own program");
    world.until_registered(4).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    world
        .until(
            "all have failed",
            "SELECT count(*) = 4 FROM receivers WHERE failures > 0",
        )
        .await;
    let mut said = String::new();
    for args in [
        vec!["notify", "list"],
        vec!["notify", "list", "--json"],
        vec!["notify", "test"],
        vec!["notify", "test", "hook", "--json"],
        vec!["doctor", "--json"],
    ] {
        let output = run(&args).output().expect("our own program");
        said += &String::from_utf8_lossy(&output.stdout);
        said += &String::from_utf8_lossy(&output.stderr);
    }
    scheduler.kill().expect("killed");
    scheduler.wait().expect("an end");
    said += &std::fs::read_to_string(&log).expect("a log");
    let errors: Vec<String> = sqlx::query_scalar("SELECT last_error FROM receivers")
        .fetch_all(world.pool())
        .await
        .expect("errors");
    said += &errors.join("\n");
    assert!(said.contains("500 Internal Server Error"), "{said}");
    assert!(
        said.contains("absent") && said.contains("cannot be read"),
        "{said}"
    );
    for secret in [TOKEN, KEY, URL_KEY, "hunter2"] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_replaced_in_its_file_counts_at_once() {
    let world = World::new().await;
    let inbox = Inbox::answering(|_, received| {
        if received.path.starts_with("/bot2:new/") {
            Answer::Ok
        } else {
            Answer::Status(
                401,
                None,
                r#"{"ok":false,"description":"Unauthorized"}"#.to_owned(),
            )
        }
    })
    .await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("token");
    std::fs::write(&file, "1:old").expect("a file");
    let settings = settings(json!({ "chat": {
        "kind": "telegram", "token_file": file, "chat_id": "@ops", "api_url": inbox.url(), "min_interval": "0s",
    }}));
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    inbox.until(1).await;
    std::fs::write(&file, "2:new").expect("a file");
    world
        .until(
            "it arrives",
            "SELECT count(*) = 1 FROM deliveries WHERE status = 'delivered'",
        )
        .await;
    courier.end().await;
}
