//! Every view, as text and as JSON.

use crate::terminal::{TOKEN, Terminal, settled};

/// Views of a job that has bought once, from a wallet of its own.
#[tokio::test(flavor = "multi_thread")]
async fn views_of_a_job_that_has_bought_once() {
    let terminal = Terminal::new().await;
    let _settled = settled();
    insta::assert_snapshot!("start", terminal.start(&[]));
    insta::assert_snapshot!("tick", terminal.ok(&["tick", TOKEN]));
    terminal.ok(&["pause", TOKEN]);
    insta::assert_snapshot!("tick_paused", terminal.ok(&["tick", "1"]));
    for (name, args) in [
        ("list", vec!["list"]),
        ("status", vec!["status", "clawd"]),
        ("trades", vec!["trades"]),
        ("export", vec!["export"]),
        ("config_show", vec!["config", "show", "1"]),
        ("config_keys", vec!["config", "keys"]),
        ("paper_wallet", vec!["paper", "wallet"]),
        ("paper_fault", vec!["paper", "fault"]),
        ("migrate", vec!["migrate"]),
        ("prune", vec!["prune", "--dry-run"]),
        ("reconcile", vec!["reconcile"]),
        ("scheduler_once", vec!["scheduler", "--once"]),
    ] {
        insta::assert_snapshot!(name, terminal.ok(&args));
        let json = terminal.ok(&[args.as_slice(), &["--json"]].concat());
        let parsed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        insta::assert_snapshot!(
            format!("{name}_json"),
            serde_json::to_string_pretty(&parsed).expect("JSON")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_nothing() {
    let terminal = Terminal::new().await;
    let _settled = settled();
    terminal.ok(&["paper", "fault", "late", "--times", "3", "--token", TOKEN]);
    insta::assert_snapshot!("paper_fault_ordered", terminal.ok(&["paper", "fault"]));
    insta::assert_snapshot!(
        "paper_fault_ordered_json",
        terminal.ok(&["paper", "fault", "--json"])
    );
    terminal.ok(&["paper", "fault", "--clear"]);
    insta::assert_snapshot!("list_empty", terminal.ok(&["list"]));
    insta::assert_snapshot!("trades_empty", terminal.ok(&["trades"]));
    insta::assert_snapshot!("doctor_fresh", terminal.run(&["doctor", "--json"]).story());
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_receivers() {
    let terminal = Terminal::new().await;
    let _settled = settled();
    insta::assert_snapshot!("notify_list_none", terminal.ok(&["notify", "list"]));
    insta::assert_snapshot!("notify_test_none", terminal.run(&["notify", "test"]).story());
    terminal.file(
        "lgi-mm.toml",
        "[notify.receivers.ops]\nkind = \"telegram\"\ntoken_file = \"absent\"\nchat_id = -1\nevents = [\"trade.failed\"]\n\
         [notify.receivers.fresh]\nkind = \"slack\"\nurl = \"http://127.0.0.1:9/key\"\n",
    );
    for sql in [
        "INSERT INTO outbox (event, payload, fanned_out_at) VALUES ('signer.halted', '{}', now())",
        "INSERT INTO receivers (name, kind, events, failures, failing_since, last_error)
         VALUES ('ops', 'telegram', '{trade.failed}', 3, now(), 'HTTP 401 Unauthorized: Unauthorized')",
        "INSERT INTO deliveries (outbox_id, receiver, happened_at) SELECT id, 'ops', now() FROM outbox",
        "INSERT INTO deliveries (outbox_id, receiver, happened_at, status, ended_at)
         SELECT id, 'dropped', now(), 'given_up', now() FROM outbox",
    ] {
        sqlx::query(sql).execute(&terminal.pool).await.expect(sql);
    }
    insta::assert_snapshot!("notify_list", terminal.ok(&["notify", "list"]));
    insta::assert_snapshot!("notify_list_json", terminal.ok(&["notify", "list", "--json"]));
    insta::assert_snapshot!("notify_test", terminal.run(&["notify", "test"]).story());
    insta::assert_snapshot!(
        "notify_test_unknown",
        terminal.run(&["notify", "test", "opps"]).story()
    );
    terminal.start(&["--set", "notify.receivers=[\"ops\"]"]);
    // A receiver that was removed from the settings since.
    sqlx::query("UPDATE jobs SET config = jsonb_set(config, '{notify,receivers}', '[\"ops\", \"opps\"]')")
        .execute(&terminal.pool)
        .await
        .expect("a configuration");
    let doctor = terminal.run(&["doctor", "--json"]);
    let checks: Vec<serde_json::Value> = serde_json::from_str(&doctor.stdout).expect("JSON");
    let receivers: Vec<&serde_json::Value> = checks
        .iter()
        .filter(|check| {
            check["what"]
                .as_str()
                .is_some_and(|what| what.contains("receiver"))
        })
        .collect();
    insta::assert_json_snapshot!("doctor_receivers", receivers);
}

/// The wallet's key was used elsewhere and its tokens were moved: the messages and the repairs.
#[tokio::test(flavor = "multi_thread")]
async fn views_of_a_reconciliation() {
    let terminal = Terminal::new().await;
    let _settled = settled();
    insta::assert_snapshot!("reconcile_nothing", terminal.ok(&["reconcile"]));
    terminal.start(&[]);
    terminal.ok(&["tick", TOKEN]);
    terminal.ok(&["pause", TOKEN]);
    for sql in [
        "UPDATE signers SET halted_at = now(), halted_reason = 'transaction 0xee in block 7 used nonce 0: this key is used elsewhere'",
        "UPDATE paper.balances SET amount = div(amount, 4) WHERE asset <> 'native' AND asset = (SELECT token_address FROM jobs)",
    ] {
        sqlx::query(sql).execute(&terminal.pool).await.expect(sql);
    }
    insta::assert_snapshot!("reconcile_differs", terminal.ok(&["reconcile"]));
    insta::assert_snapshot!("reconcile_differs_json", terminal.ok(&["reconcile", "--json"]));
    insta::assert_snapshot!("reconcile_apply", terminal.run(&["reconcile", "--apply"]).story());
    insta::assert_snapshot!("reconcile_again", terminal.ok(&["reconcile", "--apply"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_adds_up_to_the_position() {
    let terminal = Terminal::new().await;
    terminal.start(&["--set", "accumulate.dca_interval=1s"]);
    for _ in 0..3 {
        terminal.ok(&["tick", TOKEN]);
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    }
    let mut rows = csv::Reader::from_reader(std::io::Cursor::new(terminal.ok(&["export"])));
    let amounts: Vec<rust_decimal::Decimal> = rows
        .deserialize::<std::collections::HashMap<String, String>>()
        .map(|row| row.expect("a row")["base_amount"].parse().expect("an amount"))
        .collect();
    assert_eq!(amounts.len(), 3);
    let status: serde_json::Value =
        serde_json::from_str(&terminal.ok(&["status", "1", "--json"])).expect("JSON");
    let held: rust_decimal::Decimal = status["position"]
        .as_str()
        .expect("a position")
        .parse()
        .expect("an amount");
    assert_eq!(amounts.iter().sum::<rust_decimal::Decimal>(), held);
}
