//! Signals that are refused: not signed, not in time, not allowed.

use std::os::unix::fs::PermissionsExt;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::json;

use super::sender::{BYTES, Signed, asked, count, secret, serve, status};
use crate::server::{Served, quiet_job};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_in_time_by_its_secret_is_refused_in_the_same_words_for_any_name() {
    let served = serve(r#"["pause"]"#).await;
    quiet_job(&served, 1);
    let (now, pause) = (chrono::Utc::now().timestamp(), json!({ "action": "pause" }));
    let good = Signed::new("breakout", "a", &pause);
    let changed = |change: &dyn Fn(&mut Signed)| {
        let mut message = good.clone();
        change(&mut message);
        message
    };
    let unsigned = [
        changed(&|m| m.signature = String::new()),
        changed(&|m| m.signature = m.signature.replace("v1,", "v1a,")),
        changed(&|m| m.signature = format!("v1,{}", STANDARD.encode([0_u8; 32]))),
        changed(&|m| m.body = json!({ "action": "resume" }).to_string()),
        changed(&|m| m.id = "b".to_owned()),
        changed(&|m| m.timestamp += 1),
        changed(&|m| m.name = "unknown".to_owned()),
        changed(&|m| m.name = "BREAKOUT".to_owned()),
    ];
    let mut answers = Vec::new();
    for message in &unsigned {
        let answer = message.send(&served).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(
        answers.len(),
        1,
        "an answer tells whether a name exists: {answers:?}"
    );
    for (at, id) in [(now - 301, "old"), (now + 330, "early")] {
        let stale = Signed::at("breakout", id, at, &pause).send(&served).await;
        assert_eq!(stale.status, StatusCode::UNAUTHORIZED, "{stale:?}");
        assert!(stale.text.contains("webhook-timestamp is"), "{stale:?}");
    }
    let large = json!({ "action": "pause", "text": "x".repeat(70_000) });
    let large = Signed::new("breakout", "large", &large).send(&served).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE, "{large:?}");
    for body in [
        json!([]),
        json!({}),
        json!({ "action": "liquidate" }),
        json!({ "action": 1 }),
    ] {
        let bad = Signed::new("breakout", "bad", &body).send(&served).await;
        assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad:?}");
    }
    assert_eq!(status(&served, 1).await, "RUNNING", "nothing was done");
    assert_eq!(count(&served, "SELECT count(*) FROM signals").await, 0);
    // An hour before the limit is early enough, and other members are for the sender.
    let body = json!({ "action": "pause", "ticker": "CLAWDUSD", "price": 0.0123 });
    let late = Signed::at("breakout", "late", now - 240, &body)
        .send(&served)
        .await;
    assert_eq!(
        (late.status, status(&served, 1).await),
        (StatusCode::OK, "PAUSED".into()),
        "{late:?}"
    );
    let log = served.log();
    assert!(log.contains("a signal was received"), "{log}");
    let encoded = STANDARD.encode(BYTES);
    for shown in [encoded.as_str(), std::str::from_utf8(BYTES).expect("text"), "v1,"] {
        assert!(!log.contains(shown), "{shown} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_does_only_what_it_is_allowed_and_undoes_no_pause_but_its_own() {
    let served = serve(r#"["resume","pause"]"#).await;
    quiet_job(&served, 1);
    let refused = asked(&served, "breakout", "a", "tick").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert!(
        refused.text.contains("allow in the settings is [resume, pause]"),
        "{refused:?}"
    );
    served.cli(&["pause", "1"]);
    let refused = asked(&served, "breakout", "b", "resume").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert!(refused.text.contains("cli:tester"), "{refused:?}");
    // The owner resumes. The signal is delivered again, and refused again: it had its answer.
    served.cli(&["resume", "1"]);
    assert_eq!(asked(&served, "breakout", "b", "resume").await.text, refused.text);
    assert_eq!(
        asked(&served, "breakout", "c", "pause").await.status,
        StatusCode::OK
    );
    sqlx::query("UPDATE jobs SET status = 'ERROR' WHERE id = 1")
        .execute(&served.db.pool)
        .await
        .expect("an error");
    // Nor in two steps.
    for (id, action) in [("d", "resume"), ("e", "pause"), ("f", "resume")] {
        let refused = asked(&served, "breakout", id, action).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{action}: {refused:?}");
        assert_eq!(status(&served, 1).await, "ERROR");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_pauses_what_a_signal_has_paused_keeps_it_paused() {
    let served = serve(r#"["resume","pause"]"#).await;
    quiet_job(&served, 1);
    for (number, pause) in [&["pause", "1"][..], &["pause", "--all"], &["pause", "--paper"]]
        .into_iter()
        .enumerate()
    {
        let (paused, resumed) = (format!("p{number}"), format!("r{number}"));
        assert_eq!(
            asked(&served, "breakout", &paused, "pause").await.status,
            StatusCode::OK
        );
        assert_eq!(status(&served, 1).await, "PAUSED");
        served.cli(pause);
        // Another pause of the signal makes it no pause of its own.
        assert_eq!(
            asked(&served, "breakout", &format!("again{number}"), "pause")
                .await
                .status,
            StatusCode::OK
        );
        let refused = asked(&served, "breakout", &resumed, "resume").await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{pause:?}: {refused:?}");
        assert!(refused.text.contains("cli:tester"), "{refused:?}");
        assert_eq!(status(&served, 1).await, "PAUSED");
        served.cli(&["resume", "1"]);
    }
    // Its own it undoes as before.
    assert_eq!(
        asked(&served, "breakout", "own", "pause").await.status,
        StatusCode::OK
    );
    assert_eq!(
        asked(&served, "breakout", "undo", "resume").await.status,
        StatusCode::OK
    );
    assert_eq!(status(&served, 1).await, "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_real_money_takes_signals_only_if_the_settings_say_so() {
    let secret = secret();
    let served = Served::with(&[
        ("LGI_MM__SIGNALS__PAPER__JOB", "1"),
        ("LGI_MM__SIGNALS__PAPER__ALLOW", r#"["pause"]"#),
        ("LGI_MM__SIGNALS__PAPER__SECRET", &secret),
        ("LGI_MM__SIGNALS__REAL__JOB", "1"),
        ("LGI_MM__SIGNALS__REAL__ALLOW", r#"["pause"]"#),
        ("LGI_MM__SIGNALS__REAL__SECRET", &secret),
        ("LGI_MM__SIGNALS__REAL__LIVE", "true"),
        ("LGI_MM__SIGNALS__GONE__JOB", "99"),
        ("LGI_MM__SIGNALS__GONE__ALLOW", r#"["pause"]"#),
        ("LGI_MM__SIGNALS__GONE__SECRET", &secret),
    ])
    .await;
    quiet_job(&served, 1);
    // Its row is all that is asked: nothing is signed here.
    for sql in [
        "ALTER TABLE jobs DISABLE TRIGGER jobs_identity_is_fixed",
        "UPDATE jobs SET realm = 'live'",
    ] {
        sqlx::query(sql)
            .execute(&served.db.pool)
            .await
            .expect("a live job");
    }
    let refused = asked(&served, "paper", "a", "pause").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert!(refused.text.contains("signals.paper.live"), "{refused:?}");
    assert_eq!(status(&served, 1).await, "RUNNING");
    let gone = asked(&served, "gone", "a", "pause").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "{gone:?}");
    let paused = asked(&served, "real", "a", "pause").await;
    assert_eq!(
        (paused.status, status(&served, 1).await),
        (StatusCode::OK, "PAUSED".into()),
        "{paused:?}"
    );
}

#[test]
fn a_secret_that_can_be_guessed_or_read_by_none_serves_nothing_and_is_not_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let serve = |variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        let ran = command
            .env_clear()
            .env("HOME", dir.path())
            .env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none")
            .env("LGI_MM__SIGNALS__BREAKOUT__JOB", "1")
            .envs(variables.iter().copied())
            .arg("list")
            .current_dir(dir.path())
            .output()
            .expect("a run");
        String::from_utf8_lossy(&ran.stderr).into_owned()
    };
    let allow = ("LGI_MM__SIGNALS__BREAKOUT__ALLOW", r#"["pause"]"#);
    for (variables, says) in [
        (vec![allow], "secret_file: it is missing"),
        (
            vec![allow, ("LGI_MM__SIGNALS__BREAKOUT__SECRET", "hunter2")],
            "7 bytes can be guessed",
        ),
        (
            vec![
                ("LGI_MM__SIGNALS__BREAKOUT__ALLOW", "[]"),
                ("LGI_MM__SIGNALS__BREAKOUT__SECRET", "hunter2hunter2hunter2"),
            ],
            "at least one of",
        ),
        (vec![("LGI_MM__SIGNALS__BREAKOUT__ALLOW", r#"["sell"]"#)], "sell"),
        (vec![], "allow"),
    ] {
        let said = serve(&variables);
        assert!(
            said.contains(says) && !said.contains("hunter2"),
            "{variables:?}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_a_signal_whose_secret_or_job_is_missing() {
    let served = serve(r#"["pause"]"#).await;
    quiet_job(&served, 1);
    let examined = |variables: &[(&str, &str)]| {
        let mut doctor = std::process::Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        doctor
            .args(["doctor"])
            .env("DATABASE_URL", &served.db.url)
            .envs(variables.iter().copied());
        let ran = doctor.output().expect("a run");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    let (job, allow) = (
        "LGI_MM__SIGNALS__BREAKOUT__JOB",
        "LGI_MM__SIGNALS__BREAKOUT__ALLOW",
    );
    let pause = (allow, r#"["pause"]"#);
    let file = ("LGI_MM__SIGNALS__BREAKOUT__SECRET_FILE", "/nowhere/secret");
    let missing = examined(&[(job, "1"), pause, file]);
    assert!(missing.contains("/nowhere/secret"), "{missing}");
    let text = secret();
    let given = ("LGI_MM__SIGNALS__BREAKOUT__SECRET", text.as_str());
    let gone = examined(&[(job, "7"), pause, given]);
    assert!(
        gone.contains("there is no such job") && !gone.contains(&text),
        "{gone}"
    );
    let order = examined(&[(job, "1"), (allow, r#"["pause", "order"]"#), given]);
    assert!(
        order.contains("breakout may order") && order.contains("has mode ACCUMULATE"),
        "{order}"
    );
    // The same rule as for a key of TLS.
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("secret");
    std::fs::write(&path, &text).expect("a secret");
    let kept = (
        "LGI_MM__SIGNALS__BREAKOUT__SECRET_FILE",
        path.to_str().expect("a path"),
    );
    for (mode, refused) in [(0o600, false), (0o640, false), (0o644, true), (0o642, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        let said = examined(&[(job, "1"), pause, kept]);
        assert_eq!(said.contains("chmod o= it"), refused, "{mode:o}: {said}");
    }
    let whole = examined(&[(job, "1"), pause, given]);
    assert!(
        !whole.contains("signals.breakout") && whole.contains("breakout"),
        "{whole}"
    );
}

/// Who shares an address with a sender takes nothing of its signal, or of another.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_sender_starves_no_other() {
    let secret = secret();
    let served = Served::with(&[
        ("LGI_MM__SIGNALS__BREAKOUT__JOB", "1"),
        ("LGI_MM__SIGNALS__BREAKOUT__ALLOW", r#"["pause"]"#),
        ("LGI_MM__SIGNALS__BREAKOUT__SECRET", &secret),
        ("LGI_MM__SIGNALS__OTHER__JOB", "1"),
        ("LGI_MM__SIGNALS__OTHER__ALLOW", r#"["pause"]"#),
        ("LGI_MM__SIGNALS__OTHER__SECRET", &secret),
    ])
    .await;
    quiet_job(&served, 1);
    let pause = json!({ "action": "pause" });
    // What nobody has signed, from the address of the senders.
    let forged = |n: usize| {
        let mut message = Signed::new("breakout", &format!("f{n}"), &pause);
        message.signature = format!("v1,{}", STANDARD.encode([0_u8; 32]));
        message
    };
    let flood = (0..400).map(|n| {
        let message = forged(n);
        let served = &served;
        async move { message.send(served).await.status }
    });
    // Of more connections at a time than it serves the server closes some.
    let answers: Vec<StatusCode> = futures::stream::iter(flood).buffer_unordered(16).collect().await;
    assert!(answers.contains(&StatusCode::TOO_MANY_REQUESTS), "{answers:?}");
    let real = asked(&served, "breakout", "real", "pause").await;
    assert_eq!(real.status, StatusCode::OK, "{real:?}");
    let other = asked(&served, "other", "one", "pause").await;
    assert_eq!(other.status, StatusCode::OK, "{other:?}");
}
