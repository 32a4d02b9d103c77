//! Bad input that is named: two values for one key, misspelt names, and flags of times and of files to write.

use crate::{
    bad_input::check,
    terminal::{QUIET, Ran, TOKEN, Terminal},
};

fn set(pair: &str) -> [&str; 6] {
    ["start", TOKEN, "--mode", "accumulate", "--set", pair]
}

/// A flag and `--set` of one command that give one key two values: neither wins without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_flag_and_an_assignment_that_contradict_each_other_are_refused() {
    let terminal = Terminal::new().await;
    let order = |more: &[&'static str]| [&["order", "buy", TOKEN, "--symbol", "X"], more].concat();
    for (args, names) in [
        (
            order(&["--amount", "20", "--set", "order.amount_usd=30"]),
            ["--amount 20", "--set order.amount_usd=30"],
        ),
        (
            order(&["--amount", "20", "--set", "order.side=sell"]),
            ["an order to buy", "--set order.side=sell"],
        ),
        (
            order(&["--amount", "20", "--limit", "2", "--set", "order.limit_usd=3"]),
            ["--limit 2", "--set order.limit_usd=3"],
        ),
        (
            order(&[
                "--amount",
                "20",
                "--slices",
                "4",
                "--over",
                "1h",
                "--set",
                "order.slices=5",
            ]),
            ["--slices 4", "--set order.slices=5"],
        ),
        (
            order(&[
                "--amount",
                "20",
                "--slices",
                "4",
                "--over",
                "1h",
                "--set",
                "order.over=2h",
            ]),
            ["--over 1h", "--set order.over=2h"],
        ),
        (
            order(&[
                "--amount",
                "20",
                "--until",
                "2099-01-01",
                "--set",
                "order.until=2098-01-01",
            ]),
            ["--until 2099-01-01", "--set order.until=2098-01-01"],
        ),
    ] {
        let names = [names.as_slice(), &["contradict each other"]].concat();
        check(&terminal, &[(args.as_slice(), 2, names.as_slice())]).await;
    }
}

/// The same of the money of a job.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_and_an_assignment_that_contradict_each_other_are_refused() {
    let terminal = Terminal::new().await;
    let start = |more: &[&'static str]| [&["start", TOKEN, "--symbol", "X"], more].concat();
    let two = start(&[
        "--mode",
        "liquidity",
        "--budget",
        "100",
        "--set",
        "liquidity.budget_usd=50",
    ]);
    let names: &[&str] = &[
        "--budget 100",
        "--set liquidity.budget_usd=50",
        "contradict each other",
    ];
    check(&terminal, &[(two.as_slice(), 2, names)]).await;
    // The same value twice is one value, however it is written.
    let same = start(&[
        "--mode",
        "liquidity",
        "--budget",
        "100",
        "--set",
        "liquidity.budget_usd=100.0",
    ]);
    terminal.ok(&[same.as_slice(), &QUIET[..2]].concat());
}

/// A receiver that nobody has gets no message: it is refused where it is named.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_misspelt_in_the_settings_are_named_with_the_right_ones() {
    let terminal = Terminal::new().await;
    let slack = "kind = \"slack\"\nurl = \"http://127.0.0.1:9/key\"\n";
    terminal.file("lgi-mm.toml", &format!("[notify.receivers.phone]\n{slack}"));
    let receivers = |names: &'static str| [&set(names)[..], &["--symbol", "X"]].concat();
    for (pair, names) in [
        ("notify.receivers=phnoe", ["phnoe", "did you mean phone?"]),
        ("notify.receivers=phone,pager", ["pager", "there are phone"]),
    ] {
        check(&terminal, &[(receivers(pair).as_slice(), 2, &names)]).await;
    }
    checked_in_files(&terminal, slack).await;
    terminal.start(&["--set", "notify.receivers=phone"]);
    let edit: &[&str] = &["config", "edit", "1", "--set", "notify.receivers=fone"];
    check(
        &terminal,
        &[(edit, 2, &["notify.receivers = fone", "did you mean phone?"])],
    )
    .await;
    for (text, names) in [
        (
            format!("[notify.receivers.phone]\n{slack}event = [\"all\"]\n"),
            ["notify.receivers.phone.event", "did you mean events?"],
        ),
        (
            format!("[notify.receivers.phone]\n{slack}urll = \"\"\n"),
            ["notify.receivers.phone.urll", "did you mean url?"],
        ),
        (
            "[defaults.acumulate]\ndca_amount_usd = 5\n".to_owned(),
            [
                "defaults.acumulate.dca_amount_usd",
                "defaults.accumulate.dca_amount_usd",
            ],
        ),
        (
            "[defaults.accumulate]\ndca_amount = 5\n".to_owned(),
            [
                "defaults.accumulate.dca_amount",
                "did you mean defaults.accumulate.dca_amount_usd?",
            ],
        ),
        (
            "[worker]\nthreds = 4\n".to_owned(),
            ["worker.threds", "there is no such key"],
        ),
        (
            "[wroker]\nbatch = 4\n".to_owned(),
            ["wroker", "did you mean worker?"],
        ),
    ] {
        terminal.file("lgi-mm.toml", &text);
        check(&terminal, &[(&["list"], 2, &names)]).await;
    }
}

/// `config check` refuses what `start` and `config edit` would, in the same words, wherever the name is written.
async fn checked_in_files(terminal: &Terminal, slack: &str) {
    terminal.file(
        "wrong.toml",
        "[notify]\nreceivers = [\"phone\", \"fone\", \"pager\"]\n",
    );
    terminal.file("right.toml", "[notify]\nreceivers = [\"phone\"]\n");
    terminal.file("plain.toml", "[accumulate]\ndca_amount_usd = 25\n");
    let start = terminal.run(&[
        "start",
        TOKEN,
        "--mode",
        "accumulate",
        "--symbol",
        "X",
        "--config",
        "wrong.toml",
    ]);
    let told: Vec<&str> = start
        .stderr
        .lines()
        .filter(|line| line.contains("notify.receivers"))
        .collect();
    assert_eq!(told.len(), 2, "{}", start.stderr);
    let check_file: &[&str] = &["config", "check", "--mode", "accumulate", "wrong.toml"];
    check(terminal, &[(check_file, 2, &told)]).await;
    let right: &[&str] = &["config", "check", "--mode", "accumulate", "right.toml"];
    terminal.ok(right);
    // In the defaults of the settings.
    let plain: &[&str] = &["config", "check", "--mode", "accumulate", "plain.toml"];
    terminal.ok(plain);
    let defaults = format!("[defaults.notify]\nreceivers = [\"phnoe\"]\n[notify.receivers.phone]\n{slack}");
    terminal.file("lgi-mm.toml", &defaults);
    check(
        terminal,
        &[(plain, 2, &["notify.receivers = phnoe", "did you mean phone?"])],
    )
    .await;
    // One that another process has.
    sqlx::query("INSERT INTO receivers (name, kind, events) VALUES ('phnoe', 'slack', '{all}')")
        .execute(&terminal.pool)
        .await
        .expect("a receiver");
    terminal.ok(plain);
    // Without a database none is made, and these settings are all there is.
    let home = tempfile::tempdir().expect("a directory");
    let mut alone = terminal.command(plain);
    let alone = alone.env_remove("DATABASE_URL").env("HOME", home.path()).output();
    let alone = Ran::of(&alone.expect("our own program runs"));
    assert!(
        alone.code == 2 && alone.stderr.contains("did you mean phone?"),
        "{}",
        alone.story()
    );
    assert_eq!(home.path().read_dir().expect("a directory").count(), 0);
    sqlx::query("DELETE FROM receivers")
        .execute(&terminal.pool)
        .await
        .expect("none");
    terminal.file("lgi-mm.toml", &format!("[notify.receivers.phone]\n{slack}"));
}

/// Every flag that takes a time or a length of time: what is wrong with it is said by its name.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_time_is_named_with_its_flag() {
    let terminal = Terminal::new().await;
    terminal.file(
        "p.csv",
        "time,price\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,2\n",
    );
    let backtest = ["backtest", "--prices", "p.csv", "--mode", "accumulate"];
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["logs", "--since", "banana"], "--since banana"),
        (vec!["trades", "--from", "banana"], "--from banana"),
        (vec!["trades", "--to", "banana"], "--to banana"),
        (
            vec!["trades", "--from", "2026-01-01", "--zone", "Mars"],
            "--zone Mars",
        ),
        (vec!["pnl", "--from", "banana"], "--from banana"),
        (vec!["export", "--to", "2026-02-30"], "--to 2026-02-30"),
        ([&backtest[..], &["--from", "banana"]].concat(), "--from"),
        (vec!["prices", "--from", "banana"], "--from"),
        (vec!["prices", "--every", "banana"], "--every"),
        (
            vec![
                "token",
                "new",
                "--role",
                "viewer",
                "--name",
                "a",
                "--expires",
                "banana",
            ],
            "--expires",
        ),
        (vec!["liquidate", "1", "--over", "banana"], "--over"),
        (
            vec!["order", "buy", TOKEN, "--amount", "5", "--until", "banana"],
            "--until banana",
        ),
    ];
    for (args, names) in &cases {
        check(&terminal, &[(args.as_slice(), 2, &[*names])]).await;
    }
    let since = terminal.run(&["logs", "--since", "banana"]).stderr;
    assert!(
        !since.contains("--from") && since.contains("such as 2h"),
        "{since}"
    );
}

/// The same of every flag and argument that takes a file to write.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_named_with_its_flag() {
    let terminal = Terminal::new().await;
    terminal.file(
        "p.csv",
        "time,price\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,2\n",
    );
    let backtest = ["backtest", "--prices", "p.csv", "--mode", "accumulate"];
    let sweep = ["--sweep", "accumulate.dca_amount_usd=1..2:1"];
    let generated = ["prices", "--for", "1d"];
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (
            [&generated[..], &["--out", "absent/x.csv"]].concat(),
            "--out absent/x.csv",
        ),
        ([&generated[..], &["--out", "."]].concat(), "--out ."),
        (vec!["export", "--out", "absent/x.csv"], "--out absent/x.csv"),
        (
            [&backtest[..], &["--trades", "absent/x.csv"]].concat(),
            "--trades absent/x.csv",
        ),
        (
            [&backtest[..], &["--report", "absent/x.html"]].concat(),
            "--report absent/x.html",
        ),
        (
            [&backtest[..], &sweep, &["--csv", "absent/x.csv"]].concat(),
            "--csv absent/x.csv",
        ),
        (
            vec!["init", TOKEN, "--out", "absent/x.toml"],
            "--out absent/x.toml",
        ),
        (vec!["man", "p.csv/pages"], "DIR p.csv/pages"),
        (
            vec!["service", "install", "--user", "--dir", "p.csv/units"],
            "--dir p.csv/units",
        ),
    ];
    for (args, names) in &cases {
        check(&terminal, &[(args.as_slice(), 2, &[*names])]).await;
    }
    // Its row of the audit is written first, so that it is in the backup.
    let ran = terminal.run(&["backup", "absent/x.dump"]);
    assert!(ran.code == 2 && ran.stderr.contains("absent"), "{}", ran.story());
}

/// Words of a list in any case of letters.
#[tokio::test(flavor = "multi_thread")]
async fn words_are_read_in_any_case_and_who_has_no_name_has_a_number() {
    let terminal = Terminal::new().await;
    let mode = ["start", TOKEN, "--mode", "ACCUMULATE"];
    terminal.ok(&[mode.as_slice(), QUIET.as_slice()].concat());
    assert!(terminal.ok(&["list", "--status", "Running"]).contains("CLAWD"));
    check(
        &terminal,
        &[(
            &["list", "--chain", "bsae"],
            2,
            &["--chain bsae", "did you mean base?"],
        )],
    )
    .await;
    let paused = terminal.run_with(&["pause", "1"], "USER", "");
    assert_eq!(paused.code, 0, "{}", paused.stderr);
    let actor: String = sqlx::query_scalar("SELECT actor FROM job_events WHERE action = 'pause'")
        .fetch_one(&terminal.pool)
        .await
        .expect("an event");
    assert!(actor.starts_with("cli:uid:"), "{actor}");
    let nothing = terminal.run(&["pause", "--status", "paused", "--json"]);
    assert_eq!(nothing.code, 0, "{}", nothing.stderr);
    assert!(
        nothing.stdout.contains("\"matched\": 1")
            && nothing.stdout.contains("nothing was changed: 1 job fits"),
        "{}",
        nothing.stdout
    );
}
