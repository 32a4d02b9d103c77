//! The audit trail of commands that belong to no job.

use crate::terminal::{TOKEN, Terminal};

#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
struct Row {
    actor: String,
    action: String,
    subject: String,
}

async fn rows(terminal: &Terminal) -> Vec<Row> {
    sqlx::query_as("SELECT actor, action, subject FROM audit ORDER BY id")
        .fetch_all(&terminal.pool)
        .await
        .expect("the audit")
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_belong_to_no_job_have_an_audit_row_each_and_reading_has_none() {
    let terminal = Terminal::new().await;
    for args in [
        vec!["paper", "wallet"],
        vec!["paper", "fault"],
        vec!["reconcile"],
        vec!["reconcile", "--apply"],
        vec!["prune", "--dry-run"],
        vec!["notify", "list"],
        vec!["list"],
    ] {
        terminal.ok(&args);
    }
    assert_eq!(rows(&terminal).await, vec![]);
    let writes = [
        (vec!["paper", "fund", "--usdc", "12.5"], "paper_fund", "base"),
        (
            vec!["paper", "fault", "revert", "--times", "2", "--token", TOKEN],
            "paper_fault",
            "base",
        ),
        (vec!["paper", "fault", "--clear"], "paper_faults_clear", "base"),
        (vec!["prune"], "prune", "database"),
        (vec!["migrate"], "migrate", "database"),
    ];
    let mut expected = Vec::new();
    for (args, action, subject) in writes {
        terminal.ok(&args);
        expected.push(Row {
            actor: "cli:tester".to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
        });
        assert_eq!(rows(&terminal).await, expected, "{args:?}");
    }
    let detail: serde_json::Value =
        sqlx::query_scalar("SELECT detail FROM audit WHERE action = 'paper_fund'")
            .fetch_one(&terminal.pool)
            .await
            .expect("a detail");
    assert_eq!(detail, serde_json::json!({ "asset": "usdc", "balance": "12.5" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fund_command_with_one_bad_amount_changes_nothing() {
    let terminal = Terminal::new().await;
    let before = terminal.ok(&["paper", "wallet"]);
    let ran = terminal.run(&[
        "paper",
        "fund",
        "--usdc",
        "1",
        "--native",
        "0.1234567890123456789",
    ]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(terminal.ok(&["paper", "wallet"]), before);
    assert_eq!(rows(&terminal).await, vec![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_of_the_audit_is_ever_changed_or_deleted() {
    let terminal = Terminal::new().await;
    terminal.ok(&["prune"]);
    for sql in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let refused = sqlx::query(sql).execute(&terminal.pool).await;
        let error = refused.expect_err("it is append-only").to_string();
        assert!(error.contains("audit is append-only"), "{error}");
    }
}

/// The history of a job is read by programs: its JSON is a format, not what a type prints for debugging.
#[tokio::test(flavor = "multi_thread")]
async fn orders_to_a_job_are_in_its_history_as_tagged_json() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.ok(&["pause", TOKEN]);
    terminal.ok(&["resume", TOKEN]);
    terminal.ok(&["liquidate", TOKEN, "--over", "1h", "--slices", "3"]);
    let events: Vec<(String, serde_json::Value, serde_json::Value)> = sqlx::query_as(
        "SELECT action, before, after FROM job_events WHERE action IN ('pause', 'resume', 'liquidate') ORDER BY id",
    )
    .fetch_all(&terminal.pool)
    .await
    .expect("the history");
    let expected = [
        (
            "pause",
            serde_json::json!({ "status": "RUNNING" }),
            // 1: the first row of `audit`, whose undo is `resume --paused-by 1`.
            serde_json::json!({ "transition": { "to": "PAUSED" }, "order": { "command": "pause" }, "paused_by": 1 }),
        ),
        (
            "resume",
            serde_json::json!({ "status": "PAUSED" }),
            serde_json::json!({ "transition": { "to": "RUNNING" }, "order": { "command": "resume" } }),
        ),
        (
            "liquidate",
            serde_json::json!({ "status": "RUNNING" }),
            serde_json::json!({
                "transition": { "to": "LIQUIDATING" },
                "order": { "command": "liquidate", "over": "1h", "slices": 3 },
            }),
        ),
    ];
    let expected = expected.map(|(action, before, after)| (action.to_owned(), before, after));
    assert_eq!(events, expected);
}
