//! Tables as people and as other programs get them.

use crate::terminal::{QUIET, TOKEN, Terminal, settled};

/// A token whose price has seven zeros.
const TINY: &str = "0x4200000000000000000000000000000000000042";

/// Two jobs that bought, one of them in ERROR after a failed trade.
async fn two_jobs() -> Terminal {
    let terminal = Terminal::new().await;
    terminal.start(&["--set", "schedule.timezone=Asia/Tokyo"]);
    terminal.ok(&["tick", "1"]);
    terminal.ok(&["pause", "1"]);
    terminal.ok(&[
        "start",
        TINY,
        "--mode",
        "accumulate",
        "--set",
        "price.sources=[\"generated\"]",
        "--set",
        "price.generated.swing_pct=0",
        "--set",
        "price.generated.start_usd=0.00000010170019",
        "--symbol",
        "TINY",
    ]);
    terminal.ok(&["tick", "2"]);
    for sql in [
        "UPDATE jobs SET status = 'ERROR', status_before_stop = 'RUNNING', paused_by = NULL, failures_in_row = 5, last_error = 'slippage: the pool moved by 3 %' WHERE id = 2",
        "UPDATE job_slots SET next_slot = NULL, due_at = NULL WHERE job_id = 2",
    ] {
        sqlx::query(sql).execute(&terminal.pool).await.expect(sql);
    }
    terminal
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_fits_its_terminal_and_is_plain_elsewhere() {
    let terminal = two_jobs().await;
    let _settled = settled();
    for columns in [80, 100, 160] {
        let ran = terminal.at_columns(columns, &["list"], &[("NO_COLOR", "1")]);
        assert_eq!(ran.code, 0, "{}", ran.stdout);
        for line in ran.stdout.lines() {
            let width = line.chars().count();
            assert!(
                width <= usize::from(columns),
                "{width} of {columns} columns: {line}"
            );
        }
        insta::assert_snapshot!(format!("list_{columns}"), ran.stdout);
    }
    insta::assert_snapshot!("list_piped", terminal.ok(&["list"]));
    insta::assert_snapshot!("list_wide", terminal.ok(&["list", "-o", "wide"]));
}

/// What may never be dropped at 80 columns.
#[tokio::test(flavor = "multi_thread")]
async fn eighty_columns_keep_what_matters() {
    let terminal = two_jobs().await;
    let shown = terminal.at_columns(80, &["list"], &[]).stdout;
    let header = shown
        .lines()
        .find(|line| line.contains("token"))
        .expect("a header");
    for name in ["job", "realm", "token", "status", "price", "reason"] {
        assert!(header.contains(name), "{name}: {header}");
    }
    assert!(shown.contains("1.017e-7"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_get_tabs_and_nothing_else() {
    let terminal = two_jobs().await;
    for args in [
        vec!["list"],
        vec!["trades"],
        vec!["doctor"],
        vec!["config", "keys"],
        vec!["paper", "wallet"],
        vec!["reconcile"],
    ] {
        let piped = terminal.run(&args).stdout;
        for line in piped.lines() {
            assert!(!line.contains("  ") && !line.ends_with(' '), "{args:?}: {line:?}");
            assert!(!line.contains(['\x1b', '─', '│', '═']), "{args:?}: {line:?}");
        }
    }
    let list = terminal.ok(&["list"]);
    let fields: Vec<usize> = list.lines().map(|line| line.split('\t').count()).collect();
    assert_eq!(fields.len(), 3, "a header and two jobs: {list}");
    assert!(fields.iter().all(|count| *count == fields[0]), "{list}");
    // The same form on a terminal, if it is asked for.
    let asked = terminal.at_columns(40, &["list", "-o", "plain"], &[]).stdout;
    assert!(asked.contains(list.trim_end()), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_is_for_terminals_that_want_it() {
    let terminal = two_jobs().await;
    let red = "\x1b[38;5;1mERROR";
    for (variables, colored) in [
        (vec![], true),
        (vec![("NO_COLOR", "1")], false),
        (vec![("TERM", "dumb")], false),
        (vec![("CLICOLOR", "0")], false),
        (vec![("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true),
    ] {
        for args in [["list"].as_slice(), &["status", "2"]] {
            let shown = terminal.at_columns(200, args, &variables).stdout;
            assert_eq!(shown.contains(red), colored, "{args:?} {variables:?}: {shown}");
            assert_eq!(shown.contains('\x1b'), colored, "{args:?} {variables:?}: {shown}");
        }
    }
    assert!(!terminal.ok(&["list", "-o", "wide"]).contains('\x1b'));
    assert!(
        terminal
            .run_with(&["list", "-o", "wide"], "CLICOLOR_FORCE", "1")
            .stdout
            .contains(red)
    );
    let json = terminal
        .run_with(&["list", "--json"], "CLICOLOR_FORCE", "1")
        .stdout;
    assert!(!json.contains('\x1b'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_filtered_and_ordered() {
    let terminal = two_jobs().await;
    let jobs = |args: &[&str]| -> Vec<i64> {
        let json = terminal.ok(&[&["list", "-o", "json"], args].concat());
        let lines: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
        lines
            .iter()
            .map(|line| line["job"].as_i64().expect("a number"))
            .collect()
    };
    for (args, expected) in [
        (vec![], vec![2, 1]),
        (vec!["--sort", "job"], vec![1, 2]),
        (vec!["--sort", "price"], vec![1, 2]),
        (vec!["--sort", "token"], vec![1, 2]),
        (vec!["--sort", "status"], vec![2, 1]),
        (vec!["--status", "error"], vec![2]),
        (vec!["--status", "PAUSED"], vec![1]),
        (vec!["--token", "tiny"], vec![2]),
        (vec!["--token", TOKEN], vec![1]),
        (vec!["--token", "#1"], vec![1]),
        (vec!["--live"], vec![]),
        (vec!["--paper", "--chain", "base"], vec![2, 1]),
        (vec!["--chain", "ethereum"], vec![]),
    ] {
        assert_eq!(jobs(&args), expected, "{args:?}");
    }
    for bad in [["--sort", "size"], ["--status", "broken"], ["--token", "0xbbd9"]] {
        assert_eq!(
            terminal.run(&[&["list"], bad.as_slice()].concat()).code,
            2,
            "{bad:?}"
        );
    }
    assert_eq!(terminal.run(&["list", "--live", "--paper"]).code, 2);
    let watched = terminal.run(&["list", "--watch"]);
    assert_eq!(watched.code, 2);
    assert!(
        watched.stderr.contains("--watch needs a terminal"),
        "{}",
        watched.stderr
    );
}

/// Nobody works on a job: that is said, with since when and what to type, and no slot of the past is shown as if it
/// came.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_bot_does_not_look_alive() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let said = |args: &[&str]| {
        let ran = terminal.run(args);
        format!("{}{}", ran.stdout, ran.stderr)
    };
    let fresh = terminal.at_columns(160, &["list"], &[]).stdout;
    assert!(
        fresh.contains("NOTHING IS TRADING: no worker runs; start `lgi-mm daemon`"),
        "{fresh}"
    );
    assert!(!fresh.contains("was due"), "{fresh}");
    // Seven minutes later: the slot was not taken, and the worker that was there is silent.
    for sql in [
        "UPDATE job_slots SET next_slot = now() - interval '7 min', due_at = now() - interval '7 min'",
        "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen)
         VALUES ('dead-tick', 'lgi-mm:tick', 'PostgresStorage', now() - interval '6 min 50 s')",
    ] {
        sqlx::query(sql).execute(&terminal.pool).await.expect(sql);
    }
    for args in [["list", "-o", "wide"].as_slice(), &["status", "1"], &["list"]] {
        let text = said(args);
        assert!(
            text.contains("NOTHING IS TRADING: no worker since"),
            "{args:?}: {text}"
        );
        assert!(text.contains("(6 m "), "{args:?}: {text}");
        assert!(text.contains("`lgi-mm daemon`"), "{args:?}: {text}");
    }
    for args in [["list", "-o", "wide"].as_slice(), &["status", "1", "-o", "table"]] {
        let text = said(args);
        assert!(
            text.contains("was due ") && text.contains(", 7 m"),
            "{args:?}: {text}"
        );
    }
    let doctor = said(&["doctor"]);
    assert!(
        doctor.contains("none since ") && doctor.contains("1, the first since "),
        "{doctor}"
    );
    let status: serde_json::Value =
        serde_json::from_str(&terminal.ok(&["status", "1", "--json"])).expect("JSON");
    assert_eq!(status["dead"]["missing"], "worker");
    assert!(status["late_since"].is_string());
    // A worker is there again, and still nobody takes slots.
    sqlx::query("UPDATE apalis.workers SET last_seen = now() + interval '1 hour'")
        .execute(&terminal.pool)
        .await
        .expect("a worker");
    let text = said(&["list"]);
    assert!(
        text.contains("NOTHING IS TRADING: no scheduler runs; a slot was due"),
        "{text}"
    );
    // Nothing waits for anybody.
    terminal.ok(&["pause", "1"]);
    let text = said(&["list"]);
    assert!(!text.contains("NOTHING IS TRADING"), "{text}");
    // A job in ERROR is not tried again before its owner says so.
    sqlx::query("UPDATE jobs SET status = 'ERROR', status_before_stop = 'RUNNING', paused_by = NULL, failures_in_row = 5, last_error = 'no gas'")
        .execute(&terminal.pool)
        .await
        .expect("an error");
    let text = said(&["status", "1"]);
    assert!(
        text.contains("5 in a row: no gas") && !text.contains("next try"),
        "{text}"
    );
}

/// `timeout` stands for somebody who presses Ctrl-C.
#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_is_drawn_in_place_and_leaves_the_terminal_as_it_was() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let output = terminal.shell_on_terminal("timeout --foreground --signal=INT 4 PROGRAM list --watch 1");
    let frames = output.matches("\x1b[H").count();
    assert!(frames >= 2, "{frames} frames: {output:?}");
    assert_eq!(output.matches("\x1b[?1049h").count(), 1, "{output:?}");
    assert!(output.trim_end().ends_with("\x1b[?25h\x1b[?1049l"), "{output:?}");
    assert!(!output.contains("error"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_on_the_job_s_clock_unless_utc_is_wanted() {
    let terminal = Terminal::new().await;
    let args = [
        ["start", TOKEN, "--mode", "accumulate"].as_slice(),
        &QUIET,
        &[
            "--set",
            "schedule.timezone=Asia/Tokyo",
            "--set",
            "schedule.cron=0 9 1 1 *",
        ],
    ];
    terminal.ok(&args.concat());
    let wide = terminal.ok(&["list", "-o", "wide"]);
    assert!(wide.contains("-01-01 09:00 JST (in "), "{wide}");
    let wide = terminal.ok(&["list", "-o", "wide", "--utc"]);
    assert!(wide.contains("-01-01 00:00 UTC (in "), "{wide}");
    let json: serde_json::Value = serde_json::from_str(&terminal.ok(&["list", "--json"])).expect("JSON");
    let next = json[0]["next_slot"].as_str().expect("a slot");
    assert!(next.ends_with("-01-01T00:00:00Z"), "{next}");
}
