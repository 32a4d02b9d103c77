//! `start` and `order` by the name of a job, with a key, and without what they need.

use crate::{
    pnl::json,
    terminal::{QUIET, TOKEN, Terminal},
};

fn with_quiet<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &QUIET[..4]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_started_again_by_its_number_or_ticker_as_messages_say() {
    let terminal = Terminal::new().await;
    terminal.start(&["--chain", "ethereum"]);
    for name in ["1", "#1", "job:1", "clawd", TOKEN] {
        terminal.ok(&["pause", "1"]);
        let args = match name {
            TOKEN => vec!["start", name, "--chain", "ethereum"],
            _ => vec!["start", name],
        };
        let said = terminal.ok(&args);
        assert!(
            said.starts_with("job 1 (CLAWD, paper on ethereum): PAUSED -> RUNNING"),
            "{name}: {said}"
        );
    }
    terminal.ok(&["liquidate", "1"]);
    sqlx::query("UPDATE jobs SET status = 'IDLE', liquidation = NULL")
        .execute(&terminal.pool)
        .await
        .expect("sold");
    assert!(terminal.ok(&["status", "1"]).contains("`start` begins a cycle"));
    assert!(terminal.ok(&["start", "1"]).contains("started, cycle 2"));
    for (args, code, said) in [
        (
            &["start", "7"][..],
            3,
            "of a new token give the address; `lgi-mm list` shows the jobs",
        ),
        (
            &["start", "CLAWD", "--chain", "base"],
            3,
            "no job has or had CLAWD on base",
        ),
        (
            &["start", "CLAWD", "--live"],
            4,
            "job 1 (CLAWD, paper on ethereum) trades on paper",
        ),
        (&["start", "0xbbd9"], 2, "0x and 40 hexadecimal digits"),
        (&["start", " "], 2, "the token is empty"),
    ] {
        let ran = terminal.run(args);
        assert!(
            ran.code == code && ran.stderr.contains(said),
            "{args:?}: {}",
            ran.story()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_removed_job_keeps_its_name_and_needs_a_mode_again() {
    let terminal = Terminal::new().await;
    terminal.ok(&with_quiet(&[
        "order",
        "buy",
        TOKEN,
        "--symbol",
        "CLAWD",
        "--decimals",
        "9",
        "--amount",
        "5",
    ]));
    terminal.ok(&["remove", "1"]);
    let ran = terminal.run(&["start", "1"]);
    assert!(ran.code == 2 && ran.stderr.contains("--mode"), "{}", ran.story());
    let said = terminal.ok(&with_quiet(&["start", "CLAWD", "--mode", "accumulate"]));
    assert!(said.contains("job 2 (CLAWD, paper on base)"), "{said}");
    assert!(!said.contains("decimals ("), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_a_key_is_placed_once() {
    let terminal = Terminal::new().await;
    let buy = |amount: &'static str| {
        let args = [
            "order", "buy", TOKEN, "--symbol", "CLAWD", "--limit", "0.5", "--key", "k", "--amount", amount,
        ];
        with_quiet(&args)
    };
    let first = terminal.ok(&buy("25"));
    let again = terminal.ok(&buy("25"));
    assert!(
        first.contains("job 1")
            && again.contains("job 1 (CLAWD, paper on base): was placed with this key before"),
        "{again}"
    );
    let other = terminal.run(&buy("26"));
    assert!(
        other.code == 4 && other.stderr.contains("the key 'k'"),
        "{}",
        other.story()
    );
    // It stays placed when it has been removed.
    terminal.ok(&["remove", "1"]);
    let again = terminal.ok(&buy("25"));
    assert!(again.contains("nothing was placed now"), "{again}");
    assert_eq!(json(&terminal, &["list"]), serde_json::json!([]));
    let sell = |tokens: &'static str, key: &'static str| {
        let args = [
            "order", "sell", TOKEN, "--symbol", "CLAWD", "--limit", "5", "--cost", "0", "--key", key,
            "--tokens", tokens,
        ];
        with_quiet(&args)
    };
    terminal.ok(&["paper", "fund", "--token", &format!("{TOKEN}=10")]);
    terminal.ok(&sell("all", "s"));
    for tokens in ["all", "10"] {
        let again = terminal.ok(&sell(tokens, "s"));
        assert!(
            again.contains("job 2") && again.contains("nothing was placed now"),
            "{again}"
        );
    }
    for (tokens, key) in [("9", "s"), ("10", "k")] {
        let other = terminal.run(&sell(tokens, key));
        assert!(
            other.code == 4 && other.stderr.contains("the key"),
            "{}",
            other.story()
        );
    }
    let long = "x".repeat(101);
    let ran = terminal.run(&["order", "buy", TOKEN, "--amount", "5", "--key", &long]);
    assert!(
        ran.code == 2 && ran.stderr.contains("1 to 100 printable"),
        "{}",
        ran.story()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_no_default_amount() {
    let terminal = Terminal::new().await;
    let ran = terminal.run(&with_quiet(&["start", TOKEN, "--mode", "order"]));
    assert_eq!(ran.code, 2, "{}", ran.story());
    let advised = ran
        .stderr
        .split('`')
        .nth(1)
        .expect("a command")
        .replace("USD", "5");
    assert_eq!(json(&terminal, &["list"]), serde_json::json!([]));
    let words: Vec<&str> = advised.split(' ').skip(1).collect();
    let said = terminal.ok(&with_quiet(&words));
    assert!(said.contains("it buys for 5 USD in all"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_order_held_is_told_and_comes_back_by_what_is_told() {
    let terminal = Terminal::new().await;
    terminal.ok(&with_quiet(&[
        "order", "buy", TOKEN, "--symbol", "CLAWD", "--amount", "25",
    ]));
    terminal.ok(&["tick", "1"]);
    sqlx::query("DELETE FROM fill_watches")
        .execute(&terminal.pool)
        .await
        .expect("final");
    let held = json(&terminal, &["status", "1"])["position"].clone();
    let held = held.as_str().expect("an amount");
    let asked = terminal.on_a_terminal(&["remove", "1"], "n\n").stdout;
    for told in [
        &held[..4],
        "cost 25",
        "stay in the paper wallet",
        "no job counts or sells them any more",
        "[y/N]",
    ] {
        assert!(asked.contains(told), "{told}: {asked}");
    }
    // An order that still waits is asked about as well.
    sqlx::query("UPDATE jobs SET status = 'RUNNING', stopped_by = NULL")
        .execute(&terminal.pool)
        .await
        .expect("it runs");
    let asked = terminal.on_a_terminal(&["remove", "1"], "n\n").stdout;
    assert!(
        asked.contains("[y/N]") && asked.contains("nothing was changed"),
        "{asked}"
    );
    let said = terminal.ok(&["remove", "1"]);
    let adopt = said.split('`').nth(1).expect("a command").replace("JOB", "2");
    terminal.start(&[]);
    let words: Vec<&str> = adopt.split(' ').skip(1).collect();
    terminal.ok(&words);
    let status = json(&terminal, &["status", "2"]);
    assert_eq!(
        (&status["position"], &status["cost_basis_usd"]),
        (&held.into(), &"25".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_undo_of_a_pause_is_found_again() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let other = "0x4200000000000000000000000000000000000042";
    terminal.ok(&with_quiet(&[
        "start",
        other,
        "--mode",
        "accumulate",
        "--symbol",
        "TWO",
    ]));
    let said = terminal.ok(&["pause", "--all"]);
    let undo = said.lines().last().expect("a line").trim_start_matches("undo: ");
    for args in [
        &["list", "-o", "wide"][..],
        &["status", "1", "-o", "table"],
        &["logs"],
    ] {
        let shown = terminal.ok(args);
        assert!(shown.contains(&format!("`{undo}`")), "{args:?}: {shown}");
    }
    let words: Vec<&str> = undo.split(' ').skip(1).collect();
    terminal.ok(&words);
    for args in [&["list", "-o", "wide"][..], &["status", "1", "-o", "table"]] {
        assert!(!terminal.ok(args).contains("--paused-by"), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_is_spread_says_in_how_many_parts() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let said = terminal.ok(&["liquidate", "1", "--over", "6h"]);
    assert!(
        said.contains("in 12 parts over 6h") && said.contains("no worker is running"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_not_replayed() {
    let terminal = Terminal::new().await;
    terminal.ok(&with_quiet(&[
        "order", "buy", TOKEN, "--symbol", "CLAWD", "--amount", "25",
    ]));
    terminal.ok(&["tick", "1"]);
    let ran = terminal.run(&["replay", "1"]);
    assert!(
        ran.code == 4 && ran.stderr.contains("is one order"),
        "{}",
        ran.story()
    );
}
