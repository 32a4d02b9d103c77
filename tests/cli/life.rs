//! A job's life, command by command.

use crate::terminal::{QUIET, TOKEN, Terminal};

fn said(terminal: &Terminal, args: &[&str], expected: &str) {
    let out = terminal.ok(args);
    assert!(out.contains(expected), "{args:?} said {out}, not {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn start_pause_resume_liquidate_remove() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    said(&terminal, &["start", TOKEN], "is already running");
    said(&terminal, &["pause", TOKEN], "RUNNING -> PAUSED");
    said(&terminal, &["pause", TOKEN], "PAUSED already");
    said(
        &terminal,
        &["start", TOKEN, "--mode", "accumulate"],
        "PAUSED -> RUNNING",
    );
    said(&terminal, &["tick", TOKEN], "trade 1");
    said(&terminal, &["liquidate", TOKEN], "RUNNING -> LIQUIDATING");
    said(&terminal, &["pause", TOKEN], "LIQUIDATING -> PAUSED");
    said(&terminal, &["resume", TOKEN], "PAUSED -> LIQUIDATING");
    said(&terminal, &["tick", TOKEN], "trade 2");
    said(&terminal, &["status", TOKEN], "IDLE");
    said(&terminal, &["start", TOKEN], "started, cycle 2");
    said(&terminal, &["liquidate", TOKEN], "RUNNING -> LIQUIDATING");
    said(&terminal, &["tick", TOKEN], "hold: ");
    said(&terminal, &["status", TOKEN], "IDLE");
    said(&terminal, &["remove", TOKEN], "IDLE -> removed");
    said(&terminal, &["list"], "no jobs");
    said(&terminal, &["trades"], "LIQUIDATE");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_line_works_with_nothing_else_said_and_says_what_it_assumed() {
    let terminal = Terminal::new().await;
    let out = terminal.ok(&["start", TOKEN, "--mode", "accumulate"]);
    for expected in ["on paper", "18 decimals", "INVENTED prices", "cron '* * * * *'"] {
        assert!(out.contains(expected), "{out}");
    }
    said(&terminal, &["tick", TOKEN], "trade 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_of_configuration_override_each_other_exactly() {
    let terminal = Terminal::new().await;
    terminal.file(
        "lgi-mm.toml",
        "[defaults.accumulate]\ndca_amount_usd = 11.10\ndip_buy_multiplier = 3\n",
    );
    terminal.file(
        "job.toml",
        "[accumulate]\ndca_amount_usd = 12.345678901\ndca_schedule = \"0 9 * * *\"\n",
    );
    terminal.start(&["--config", "job.toml", "--set", "accumulate.take_profit_pct=12.5"]);
    let shown = terminal.ok(&["config", "show", TOKEN]);
    for expected in [
        "dca_amount_usd = \"12.345678901\"",
        "dip_buy_multiplier = \"3\"",
        "take_profit_pct = \"12.5\"",
        "dca_schedule = \"0 9 * * *\"",
    ] {
        assert!(shown.contains(expected), "{expected} is not in\n{shown}");
    }
    assert!(
        !shown.contains("dca_interval"),
        "the schedule takes the interval's place:\n{shown}"
    );
    said(
        &terminal,
        &["config", "edit", TOKEN, "--set", "accumulate.dca_interval=2h"],
        "version 2",
    );
    assert!(!terminal.ok(&["config", "show", TOKEN]).contains("dca_schedule"));
}

#[tokio::test(flavor = "multi_thread")]
async fn liquidity_begins_with_its_budget() {
    let terminal = Terminal::new().await;
    let args = [
        &["start", TOKEN, "--mode", "liquidity", "--budget", "250.5"],
        QUIET.as_slice(),
    ]
    .concat();
    terminal.ok(&args);
    let status: serde_json::Value =
        serde_json::from_str(&terminal.ok(&["status", TOKEN, "--json"])).expect("JSON");
    assert_eq!(status["quote_balance"], "250.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shown_configuration_reads_back() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let shown = terminal.ok(&["config", "show", TOKEN]);
    terminal.file("shown.toml", &shown);
    said(
        &terminal,
        &["config", "check", "shown.toml", "--mode", "accumulate"],
        "is a valid configuration",
    );
    said(
        &terminal,
        &["config", "edit", TOKEN, "--config", "shown.toml"],
        "nothing changed",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_user_count_where_there_are_none_here() {
    let terminal = Terminal::new().await;
    let home = terminal.path("home");
    std::fs::create_dir_all(home.join("lgi-mm")).expect("a directory");
    let text = "[worker]\nconcurrency = 0\n";
    std::fs::write(home.join("lgi-mm/lgi-mm.toml"), text).expect("a file");
    let ran = terminal.run_with(&["list"], "XDG_CONFIG_HOME", &home);
    assert!(
        ran.code == 2 && ran.stderr.contains("worker.concurrency"),
        "{}",
        ran.stderr
    );
    terminal.file("lgi-mm.toml", "[worker]\nconcurrency = 2\n");
    assert_eq!(terminal.run_with(&["list"], "XDG_CONFIG_HOME", &home).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn later_defaults_do_not_make_a_job_another_one() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.file("lgi-mm.toml", "[defaults.accumulate]\ndip_buy_multiplier = 3\n");
    let same = [
        "start",
        TOKEN,
        "--set",
        "accumulate.dca_amount_usd=10.00",
        "--decimals",
        "18",
    ];
    said(&terminal, &same, "is already running");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_changes_nothing_says_so() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.ok(&["pause", "1"]);
    let again: serde_json::Value =
        serde_json::from_str(&terminal.ok(&["pause", "1", "--json"])).expect("JSON");
    assert_eq!(
        (&again["after"], &again["changed"]),
        (&"PAUSED".into(), &false.into())
    );
    terminal.ok(&["liquidate", "1", "--over", "6h"]);
    said(
        &terminal,
        &["liquidate", "1", "--over", "6h", "--slices", "12"],
        "LIQUIDATING already",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticker_of_digits_is_not_mistaken_for_a_job_number() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let usual = "0x4200000000000000000000000000000000000006";
    let quiet = &super::terminal::QUIET[..4];
    terminal.ok(&[&["start", usual, "--mode", "accumulate", "--symbol", "1"], quiet].concat());
    let ran = terminal.run(&["pause", "1"]);
    let both = "1 could be any of these: job 1 (CLAWD, paper on base), job 2 (1, paper on base); give the job number, such \
                as job:1\n";
    assert!(ran.code == 2 && ran.stderr.ends_with(both), "{}", ran.stderr);
    said(&terminal, &["pause", "#1"], "job 1 (CLAWD, paper on base)");
    said(&terminal, &["pause", usual], "job 2 (1, paper on base)");
    said(&terminal, &["resume", "job:1"], "job 1 (CLAWD, paper on base)");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_ticker_is_no_formula() {
    let terminal = Terminal::new().await;
    let quiet = &super::terminal::QUIET[..4];
    terminal.ok(&[
        &["start", TOKEN, "--mode", "accumulate", "--symbol", "=1+1"],
        quiet,
    ]
    .concat());
    terminal.ok(&["tick", TOKEN]);
    let csv = terminal.ok(&["export"]);
    assert!(csv.contains(",'=1+1,") && !csv.contains(",=1+1,"), "{csv}");
    assert!(terminal.ok(&["export", "--json"]).contains("\"=1+1\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_by_hand_is_in_the_history_of_its_job() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.ok(&["tick", TOKEN]);
    let actors: Vec<String> =
        sqlx::query_scalar("SELECT actor FROM job_events WHERE action = 'tick' AND after ? 'slot'")
            .fetch_all(&terminal.pool)
            .await
            .expect("the history");
    assert_eq!(actors, ["cli:tester"]);
}
