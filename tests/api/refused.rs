//! Answers to a chat that Telegram does not take: for good, or for now.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    server::{Served, quiet_job},
    telegram::{TOKEN, Telegram},
};

const VIEWER: i64 = 11;

async fn serve(telegram: &Telegram, dir: &std::path::Path) -> Served {
    let file = dir.join("lgi-mm.toml");
    let text = format!(
        "[notify]\ndeliver = false\n[notify.receivers.ops]\nkind = \"telegram\"\ntoken = \"{TOKEN}\"\nchat_id = -100\n\
         api_url = \"{}\"\n[notify.chat]\nreceiver = \"ops\"\nviewers = [{VIEWER}]\n",
        telegram.url
    );
    std::fs::write(&file, text).expect("settings");
    let settings = file.display().to_string();
    let served = Served::on(testkit::db().await, &[("LGI_MM_SETTINGS", &settings)]).await;
    quiet_job(&served, 1);
    served
}

/// As the Bot API says it.
fn error(status: u16, description: &str) -> Value {
    json!({ "ok": false, "error_code": status, "description": description })
}

/// Commands whose answer is still to be sent.
async fn open(served: &Served) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM chat_commands WHERE sent_at IS NULL")
        .fetch_one(&served.db.pool)
        .await
        .expect("commands")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_refused_for_good_is_tried_once_and_keeps_no_command_waiting() {
    let (telegram, dir) = (Telegram::start().await, tempfile::tempdir().expect("a directory"));
    let served = serve(&telegram, dir.path()).await;
    for (status, description) in [
        (400, "Bad Request: message is too long"),
        (400, "Bad Request: can't parse entities: unsupported start tag"),
        (400, "Bad Request: chat not found"),
        (403, "Forbidden: bot was blocked by the user"),
        (404, "Not Found: chat not found"),
        (413, "Request Entity Too Large"),
        (422, "Unprocessable Entity"),
    ] {
        let before = telegram.tries().len();
        telegram.refuses(status, error(status, description));
        telegram.write(VIEWER, "/status");
        let answer = telegram.asked(VIEWER, "/jobs").await;
        assert!(answer.contains("job 1 (T1"), "{status} {description}: {answer}");
        assert_eq!(telegram.tries().len(), before + 2, "{status} {description}");
        let told = served
            .log()
            .lines()
            .filter(|line| line.contains(description))
            .count();
        assert_eq!(told, 1, "{status} {description}: {}", served.log());
    }
    assert_eq!(open(&served).await, 0);
    assert_eq!(telegram.said().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_refused_for_now_is_sent_once_telegram_takes_it_and_not_before_it_wants_to() {
    let (telegram, dir) = (Telegram::start().await, tempfile::tempdir().expect("a directory"));
    let served = serve(&telegram, dir.path()).await;
    let mut busy = error(429, "Too Many Requests: retry after 4");
    busy["parameters"] = json!({ "retry_after": 4 });
    for (status, body, least) in [
        (429, busy, Duration::from_secs(4)),
        (500, error(500, "Internal Server Error"), Duration::ZERO),
        (503, json!({}), Duration::ZERO),
    ] {
        let before = telegram.tries().len();
        telegram.refuses(status, body);
        let answer = telegram.asked(VIEWER, "/status").await;
        assert!(answer.contains("paper: 1 jobs"), "{status}: {answer}");
        let tries = telegram.tries();
        assert_eq!(tries.len(), before + 2, "{status}");
        let apart = tries[before + 1] - tries[before];
        assert!(apart >= least, "{status}: {apart:?}");
    }
    assert_eq!(open(&served).await, 0);
}
