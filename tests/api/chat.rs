//! Commands from a chat.

use serde_json::json;

use crate::{
    server::{Served, quiet_job},
    telegram::{TOKEN, Telegram},
};

const VIEWER: i64 = 11;
const OPERATOR: i64 = 22;
const OWNER: i64 = 33;
const STRANGER: i64 = 44;

/// Settings of a server with a chat, as variables.
fn variables(telegram: &Telegram, dir: &std::path::Path) -> Vec<(String, String)> {
    let file = dir.join("lgi-mm.toml");
    let text = format!(
        "[notify]\ndeliver = false\n[notify.receivers.ops]\nkind = \"telegram\"\ntoken = \"{TOKEN}\"\nchat_id = -100\napi_url = \"{}\"\n\
         [notify.chat]\nreceiver = \"ops\"\nviewers = [{VIEWER}]\noperators = [{OPERATOR}]\nowners = [{OWNER}]\n",
        telegram.url
    );
    std::fs::write(&file, text).expect("settings");
    vec![("LGI_MM_SETTINGS".to_owned(), file.display().to_string())]
}

struct Chatting {
    telegram: Telegram,
    dir: tempfile::TempDir,
}

impl Chatting {
    async fn new() -> Self {
        Self {
            telegram: Telegram::start().await,
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    async fn serve(&self, db: testkit::TestDb, more: &[(&str, &str)]) -> Served {
        let variables = variables(&self.telegram, self.dir.path());
        let given = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = given.chain(more.iter().copied()).collect();
        Served::on(db, &all).await
    }
}

async fn actions(served: &Served) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT actor || ' ' || action FROM job_events WHERE actor LIKE 'telegram:%' ORDER BY id",
    )
    .fetch_all(&served.db.pool)
    .await
    .expect("the audit")
}

#[tokio::test(flavor = "multi_thread")]
async fn people_whom_the_settings_name_read_and_command_within_their_role_and_nobody_else_does() {
    let chatting = Chatting::new().await;
    let served = chatting
        .serve(testkit::db().await, &[("RUST_LOG", "trace")])
        .await;
    quiet_job(&served, 1);
    let telegram = &chatting.telegram;
    for (text, shows) in [
        ("/start", "/liquidate N"),
        ("/status", "paper: 1 jobs"),
        ("/jobs", "job 1 (T1, paper on base): RUNNING"),
        ("/job 1", "job 1 (T1, paper on base): ACCUMULATE, RUNNING"),
        ("/why@some_bot #1", "job 1 (T1, paper on base): RUNNING"),
        ("/pnl", "Nothing was traded yet."),
        ("/trades", "There are no trades."),
        ("/job 99", "99"),
        ("/job", "needs the number of a job"),
        ("hello", "I know no such command"),
        ("/pause 1", "You are viewer here, and this needs operator"),
        ("/liquidate 1", "You are viewer here, and this needs owner"),
    ] {
        let answer = telegram.asked(VIEWER, text).await;
        assert!(answer.contains(shows), "{text}: {answer}");
    }
    let answer = telegram.asked(OPERATOR, "/pause 1").await;
    assert!(
        answer.contains("job 1 (T1, paper on base): RUNNING -> PAUSED"),
        "{answer}"
    );
    let answer = telegram.asked(OPERATOR, "/resume 1").await;
    assert!(answer.contains("PAUSED -> RUNNING"), "{answer}");
    let answer = telegram.asked(OPERATOR, "/tick 1").await;
    assert!(
        answer.contains("job 1 (T1, paper on base): trade 1 has ended"),
        "{answer}"
    );
    let answer = telegram.asked(OPERATOR, "/pause all").await;
    assert!(
        answer.contains("1 jobs are paused.") && answer.contains("undoes this as pause"),
        "{answer}"
    );
    let done = actions(&served).await;
    let people: Vec<bool> = done
        .iter()
        .map(|row| row.starts_with(&format!("telegram:{OPERATOR}#")))
        .collect();
    assert_eq!(people, [true; 4], "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_other_words_and_late_ones_command_nothing_and_no_secret_is_in_the_log() {
    let chatting = Chatting::new().await;
    let served = chatting
        .serve(testkit::db().await, &[("RUST_LOG", "trace")])
        .await;
    quiet_job(&served, 1);
    served.cli(&["pause", "1"]);
    let telegram = &chatting.telegram;
    let seen = telegram.said().len();
    for more in [json!({}), json!({ "chat": { "id": -100, "type": "supergroup" } })] {
        telegram.write_with(STRANGER, "/resume 1", more);
    }
    // Another one's words, a group that is not the receiver's, a bot, a person who hides behind a channel, and no text.
    telegram.write_with(
        OWNER,
        "/resume 1",
        json!({ "forward_origin": { "type": "hidden_user" } }),
    );
    telegram.write_with(
        OWNER,
        "/resume 1",
        json!({ "chat": { "id": -200, "type": "group" } }),
    );
    telegram.write_with(
        OWNER,
        "/resume 1",
        json!({ "from": { "id": OWNER, "is_bot": true } }),
    );
    telegram.write_with(OWNER, "/resume 1", json!({ "sender_chat": { "id": -300 } }));
    telegram.write_with(OWNER, "/resume 1", json!({ "text": null }));
    telegram.until(seen).await;
    // Written while nothing read it.
    telegram.write_with(
        OWNER,
        "/resume 1",
        json!({ "date": chrono::Utc::now().timestamp() - 700 }),
    );
    let said = telegram.until(seen + 1).await;
    assert_eq!(said.len(), seen + 1, "strangers are not answered: {said:#?}");
    assert!(said[seen].1.contains("more than ten minutes ago"), "{said:#?}");
    assert_eq!(actions(&served).await, Vec::<String>::new());
    assert!(
        served.log().contains("\"person\":44"),
        "an owner finds out their number"
    );
    for secret in ["hunter2", TOKEN] {
        assert!(!served.log().contains(secret), "a secret is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_takes_a_code_of_one_person_one_order_one_chat_and_one_use() {
    let chatting = Chatting::new().await;
    let served = chatting.serve(testkit::db().await, &[]).await;
    quiet_job(&served, 1);
    quiet_job(&served, 2);
    served.cli(&["tick", "1"]);
    let telegram = &chatting.telegram;
    let code = |answer: &str| {
        let (_, rest) = answer
            .split_once("To do it, send ")
            .unwrap_or_else(|| panic!("{answer}"));
        rest[..6].to_owned()
    };
    let none = "No order waits for this code";
    let asked = telegram.asked(OWNER, "/liquidate 1").await;
    assert!(
        asked.contains("This would sell") && asked.contains("job 1 (T1, paper on base)"),
        "{asked}"
    );
    // Another person's, and a wrong one, which takes the order away.
    assert!(telegram.asked(OPERATOR, &code(&asked)).await.contains(none));
    let wrong = if code(&asked) == "000000" {
        "000001"
    } else {
        "000000"
    };
    assert!(telegram.asked(OWNER, wrong).await.contains(none));
    assert!(
        telegram.asked(OWNER, &code(&asked)).await.contains(none),
        "one guess"
    );
    // A later order replaces an earlier one.
    let first = telegram.asked(OWNER, "/liquidate 1").await;
    let second = telegram.asked(OWNER, "/liquidate 2").await;
    if code(&first) != code(&second) {
        assert!(telegram.asked(OWNER, &code(&first)).await.contains(none));
    }
    // In time only.
    let late = telegram.asked(OWNER, "/liquidate 1").await;
    let past = "UPDATE chat_codes SET expires_at = now() - interval '1 s'";
    sqlx::query(past)
        .execute(&served.db.pool)
        .await
        .expect("time passes");
    assert!(telegram.asked(OWNER, &code(&late)).await.contains(none));
    assert_eq!(
        actions(&served).await,
        Vec::<String>::new(),
        "nothing was sold so far"
    );
    // What would be sold has changed: another code.
    let asked = telegram.asked(OWNER, "/liquidate 1").await;
    let renamed = "UPDATE jobs SET token_symbol = 'T9' WHERE id = 1";
    sqlx::query(renamed)
        .execute(&served.db.pool)
        .await
        .expect("another name");
    let again = telegram.asked(OWNER, &code(&asked)).await;
    assert!(again.contains("This would sell"), "{again}");
    let sold = telegram.asked(OWNER, &code(&again)).await;
    assert!(sold.contains("RUNNING -> LIQUIDATING"), "{sold}");
    assert!(telegram.asked(OWNER, &code(&again)).await.contains(none), "once");
    assert_eq!(actions(&served).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_is_carried_out_once_and_answered_wherever_the_reader_dies_and_however_many_there_are() {
    let chatting = Chatting::new().await;
    let telegram = &chatting.telegram;
    for place in ["chat_taken", "chat_done"] {
        let db = testkit::db().await;
        let pool = db.pool.clone();
        let mut doomed = chatting.serve(db, &[("LGI_MM_FAILPOINT", place)]).await;
        quiet_job(&doomed, 1);
        let before = telegram.said().len();
        telegram.write(OPERATOR, "/pause 1");
        // It dies, and another one takes over.
        doomed.until_dead().await;
        let (one, two) = (
            chatting.serve(doomed.database(), &[]).await,
            chatting.serve(doomed.database(), &[]).await,
        );
        let said = telegram.until(before + 1).await;
        assert_eq!(said.len(), before + 1, "{said:#?}");
        let answer = &said[before].1;
        let expected = if place == "chat_taken" {
            "RUNNING -> PAUSED"
        } else {
            "This was begun"
        };
        assert!(answer.contains(expected), "{place}: {answer}");
        assert_eq!(actions(&one).await.len(), 1, "{place}");
        // An answer that was not taken is sent again.
        telegram.breaks(2);
        telegram.write(OPERATOR, "/resume 1");
        let said = telegram.until(before + 2).await;
        assert!(said[before + 1].1.contains("PAUSED -> RUNNING"), "{said:#?}");
        let open: i64 = sqlx::query_scalar("SELECT count(*) FROM chat_commands WHERE sent_at IS NULL")
            .fetch_one(&pool)
            .await
            .expect("commands");
        assert!(open <= 1, "{open}");
        drop((one, two));
    }
    assert_eq!(telegram.polls_max(), 1, "one at a time");
}

/// A process that only loses its lock still carries the tick out: who takes the lock over must not begin it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_tick_whose_reader_loses_only_its_lock_is_carried_out_once() {
    let chatting = Chatting::new().await;
    let telegram = &chatting.telegram;
    // Its trade is not final for a while.
    let slow = [("LGI_MM__PAPER__BLOCK_TIME", "4s")];
    let one = chatting.serve(testkit::db().await, &slow).await;
    quiet_job(&one, 1);
    let two = chatting.serve(one.database(), &slow).await;
    telegram.write(OPERATOR, "/tick 1");
    for _ in 0..500 {
        if !actions(&one).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1835859971
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let cut: i64 = sqlx::query_scalar(cut)
        .fetch_one(&one.db.pool)
        .await
        .expect("the lock");
    assert_eq!(cut, 1, "one process reads");
    let said = telegram.until(1).await;
    assert!(said[0].1.contains("trade 1 has ended"), "{said:#?}");
    // Long enough for either of them to take the lock.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(telegram.said().len(), 1, "one answer: {:#?}", telegram.said());
    assert_eq!(actions(&one).await.len(), 1, "one tick");
    let trades: i64 = sqlx::query_scalar("SELECT count(*) FROM trades")
        .fetch_one(&one.db.pool)
        .await
        .expect("trades");
    assert_eq!(trades, 1);
    // Two processes that begin one command at the same instant.
    let since = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let begin = || {
        lgi_mm::store::chat::tick_once(
            &one.db.pool,
            lgi_mm::domain::ids::JobId(1),
            "telegram:22#77",
            since,
        )
    };
    let begun = futures::future::join_all((0..8).map(|_| begin())).await;
    let begun = begun.into_iter().filter_map(|slot| slot.expect("an answer"));
    assert_eq!(begun.count(), 1);
    drop(two);
}

/// Only the sending of its answer fails, once.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_tick_that_could_not_be_sent_is_sent_again() {
    let chatting = Chatting::new().await;
    let telegram = &chatting.telegram;
    let served = chatting.serve(testkit::db().await, &[]).await;
    quiet_job(&served, 1);
    telegram.breaks(1);
    telegram.write(OPERATOR, "/tick 1");
    let said = telegram.until(1).await;
    assert!(said[0].1.contains("trade 1 has ended"), "{said:#?}");
    assert_eq!(actions(&served).await.len(), 1, "one tick");
}

/// Whether the process that took a tick still carries it out is not known: its author hears of its death later.
#[tokio::test(flavor = "multi_thread")]
async fn a_tick_whose_process_died_is_answered_once_it_cannot_be_under_way() {
    let chatting = Chatting::new().await;
    let telegram = &chatting.telegram;
    let mut doomed = chatting
        .serve(testkit::db().await, &[("LGI_MM_FAILPOINT", "chat_done")])
        .await;
    quiet_job(&doomed, 1);
    telegram.write(OPERATOR, "/tick 1");
    doomed.until_dead().await;
    let heir = chatting.serve(doomed.database(), &[]).await;
    assert!(telegram.asked(OPERATOR, "/job 1").await.contains("ACCUMULATE"));
    assert_eq!(telegram.said().len(), 1, "{:#?}", telegram.said());
    let past = "UPDATE chat_commands SET taken_at = taken_at - interval '76 s' WHERE answer IS NULL";
    let past = sqlx::query(past)
        .execute(&heir.db.pool)
        .await
        .expect("time passes");
    assert_eq!(past.rows_affected(), 1);
    let said = telegram.until(2).await;
    assert!(said[1].1.contains("not begun again"), "{said:#?}");
    assert_eq!(actions(&heir).await.len(), 1, "one tick");
}

/// Doctor and the list of receivers say who may command, and whether the bot answers.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_command_from_a_chat_and_whether_its_bot_answers_is_shown() {
    let chatting = Chatting::new().await;
    let served = chatting.serve(testkit::db().await, &[]).await;
    let viewer = served.token("viewer");
    let listed = served.get(&viewer, "/api/v1/receivers").await.json();
    let may = "through ops, from 1 viewer, 1 operator, 1 owner";
    assert_eq!(listed[0]["commands"], may, "{listed}");
    let chat = |checks: serde_json::Value| {
        let found = checks.as_array().expect("checks").iter();
        let mut found = found
            .filter(|check| check["what"] == "commands from a chat")
            .cloned();
        found.next().expect("a check")
    };
    let check = chat(served.get(&viewer, "/api/v1/doctor").await.json());
    assert_eq!(check["status"], "OK", "{check}");
    assert!(
        check["seen"].as_str().is_some_and(|seen| seen.contains(may)),
        "{check}"
    );
    // What PostgreSQL cannot store does not stop the reader.
    let answer = chatting.telegram.asked(VIEWER, "/job \u{0}").await;
    assert!(answer.contains("number of a job"), "{answer}");
    let file = chatting.dir.path().join("lgi-mm.toml");
    let text = std::fs::read_to_string(&file).expect("settings");
    std::fs::write(&file, text.replace(TOKEN, "8675309:revokedrevokedrevoked")).expect("settings");
    let other = Served::on(
        served.database(),
        &[("LGI_MM_SETTINGS", file.to_str().expect("a path"))],
    )
    .await;
    let check = chat(other.get(&viewer, "/api/v1/doctor").await.json());
    assert_eq!(check["status"], "FAIL", "{check}");
    assert!(
        check["seen"]
            .as_str()
            .is_some_and(|seen| seen.contains("HTTP 401")),
        "{check}"
    );
    assert!(
        !other.log().contains("taking commands from a chat"),
        "{}",
        other.log()
    );
    assert!(
        served.log().contains("taking commands from a chat"),
        "{}",
        served.log()
    );
}
