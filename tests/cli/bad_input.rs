//! Bad input: a clear error that names field, value and fix, its exit code, and no partial effect.

use crate::terminal::{QUIET, TOKEN, Terminal};

/// Arguments, exit code, and what the error must name.
pub type Case<'a> = (&'a [&'a str], i32, &'a [&'a str]);

pub async fn check(terminal: &Terminal, cases: &[Case<'_>]) {
    for (args, code, names) in cases {
        let before = terminal.rows().await;
        let ran = terminal.run(args);
        assert_eq!(ran.code, *code, "{args:?}: {}", ran.stderr);
        for name in *names {
            assert!(
                ran.stderr.contains(name),
                "{args:?} does not name '{name}': {}",
                ran.stderr
            );
        }
        assert_eq!(terminal.rows().await, before, "{args:?} changed something");
    }
}

fn set(pair: &str) -> [&str; 6] {
    ["start", TOKEN, "--mode", "accumulate", "--set", pair]
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_that_cannot_be() {
    let terminal = Terminal::new().await;
    for (pair, names) in [
        (
            "accumulate.dca_amout_usd=5",
            vec![
                "accumulate.dca_amout_usd",
                "--set",
                "did you mean accumulate.dca_amount_usd",
            ],
        ),
        ("dca_amount_usd=5", vec!["dca_amount_usd", "no such key"]),
        (
            "accumulate.dca_amount_usd=lots",
            vec!["accumulate.dca_amount_usd", "--set", "lots"],
        ),
        (
            "accumulate.dca_amount_usd=-5",
            vec!["accumulate.dca_amount_usd", "-5"],
        ),
        (
            "accumulate.dca_amount_usd=0.5",
            vec!["accumulate.dca_amount_usd", "0.5", "min_trade_usd"],
        ),
        (
            "accumulate.dca_amount_usd=99999999999",
            vec!["accumulate.dca_amount_usd", "99999999999"],
        ),
        (
            "accumulate.dca_interval=4",
            vec!["accumulate.dca_interval", "'4'", "such as 90s"],
        ),
        (
            "accumulate.dip_buy_threshold_pct=100",
            vec!["accumulate.dip_buy_threshold_pct", "100"],
        ),
        (
            "accumulate.take_profit_sell_pct=0",
            vec!["accumulate.take_profit_sell_pct", "0"],
        ),
        ("liquidity.spread_pct=2", vec!["liquidity"]),
        (
            "schedule.cron=every minute",
            vec!["schedule.cron", "every minute", "such as"],
        ),
        ("schedule.cron=0 0 30 2 *", vec!["schedule.cron", "0 0 30 2 *"]),
        (
            "schedule.timezone=Mars/Olympus",
            vec!["schedule.timezone", "Mars/Olympus"],
        ),
        (
            "price.sources=[\"oracle\"]",
            vec!["price.sources", "oracle", "dexscreener"],
        ),
        ("price.sources=[]", vec!["price.sources"]),
        ("price.sources=[\"recorded\"]", vec!["price.recorded"]),
        (
            "limits.max_slippage_bps=10001",
            vec!["limits.max_slippage_bps", "10001"],
        ),
        (
            "limits.max_slippage_bps=1.5",
            vec!["limits.max_slippage_bps", "1.5"],
        ),
        ("limits.max_daily_spend_usd=5", vec!["max_daily_spend_usd", "5"]),
        ("nonsense", vec!["--set nonsense", "key=value"]),
    ] {
        check(&terminal, &[(&set(pair), 2, &names)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_mistakes_are_all_named_at_once() {
    let terminal = Terminal::new().await;
    terminal.file(
        "job.toml",
        "[accumulate]\ndip_windw = \"4h\"\ndca_interval = \"soon\"\n",
    );
    let mixed = [
        &["start", TOKEN, "--mode", "accumulate", "--config", "job.toml"],
        ["--set", "price.max_price_age=zzz", "--set", "limits.foo=1"].as_slice(),
    ]
    .concat();
    check(
        &terminal,
        &[(
            &mixed,
            2,
            &[
                "accumulate.dip_windw (from job.toml)",
                "accumulate.dca_interval (from job.toml)",
                "price.max_price_age (from --set)",
                "limits.foo (from --set)",
            ],
        )],
    )
    .await;
    terminal.file(
        "lgi-mm.toml",
        "[worker]\nthreads = 4\nconcurrency = \"many\"\n[log]\nformat = \"xml\"\n",
    );
    check(
        &terminal,
        &[(
            &["list"],
            2,
            &["worker.threads", "worker.concurrency", "log.format", "human"],
        )],
    )
    .await;
    terminal.file("lgi-mm.toml", "");
    let args = [
        set("accumulate.dip_buy_multiplier=1000").as_slice(),
        &["--set", "limits.max_slippage_bps=0"],
    ]
    .concat();
    check(
        &terminal,
        &[(
            &args,
            2,
            &["accumulate.dip_buy_multiplier", "limits.max_slippage_bps"],
        )],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_chains_and_numbers_that_cannot_be() {
    let terminal = Terminal::new().await;
    let checksum = "0xBBd9aDe16525acb4B336b6dAd3b9762901522B07";
    let usdc = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
    check(
        &terminal,
        &[
            (
                &["start", "0x12", "--mode", "accumulate"],
                2,
                &["0x12", "40 hexadecimal digits"],
            ),
            (
                &["start", checksum, "--mode", "accumulate"],
                2,
                &[checksum, "EIP-55", TOKEN],
            ),
            (&["start", usdc, "--mode", "accumulate"], 2, &["USDC itself"]),
            (&["start", TOKEN], 2, &["--mode accumulate"]),
            (
                &["start", TOKEN, "--mode", "gamble"],
                2,
                &["gamble", "accumulate"],
            ),
            (
                &["start", TOKEN, "--mode", "accumulate", "--chain", "solana"],
                2,
                &["--chain", "solana", "base"],
            ),
            (
                &["start", TOKEN, "--mode", "accumulate", "--decimals", "37"],
                2,
                &["--decimals 37", "0 to 36"],
            ),
            (
                &["start", TOKEN, "--mode", "accumulate", "--decimals", "300"],
                2,
                &["300"],
            ),
            (
                &["start", TOKEN, "--mode", "accumulate", "--symbol", ""],
                2,
                &["--symbol"],
            ),
            (
                &["start", TOKEN, "--mode", "liquidity", "--budget", "-1"],
                2,
                &["liquidity.budget_usd", "-1"],
            ),
            (
                &["start", TOKEN, "--mode", "accumulate", "--config", "absent.toml"],
                2,
                &["absent.toml", "check the path"],
            ),
            (&["trades", "--limit", "0"], 2, &["0"]),
            (&["demo", "--for", "1s"], 2, &["--for 1s", "5s to 24h"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_are_not_there_and_orders_that_are_not_allowed() {
    let terminal = Terminal::new().await;
    check(
        &terminal,
        &[
            (&["status", TOKEN], 3, &[TOKEN, "lgi-mm list"]),
            (&["pause", "7"], 3, &["7"]),
            (
                &["liquidate", TOKEN, "--over", "6h", "--slices", "0"],
                2,
                &["slices = 0"],
            ),
        ],
    )
    .await;
    terminal.start(&[]);
    check(
        &terminal,
        &[
            (&["remove", TOKEN], 4, &["RUNNING", "remove", "pause"]),
            (
                &["start", TOKEN, "--mode", "liquidity"],
                4,
                &["ACCUMULATE", "never changes"],
            ),
            (
                &["start", TOKEN, "--set", "accumulate.dca_amount_usd=77"],
                4,
                &["config edit"],
            ),
            (
                &["config", "edit", TOKEN, "--set", "accumulate.dca_amount_usd=-1"],
                2,
                &["accumulate.dca_amount_usd"],
            ),
            (&["config", "edit", TOKEN], 2, &["--set key=value"]),
            (
                &["liquidate", TOKEN, "--slices", "100001"],
                2,
                &["slices = 100001"],
            ),
        ],
    )
    .await;
    terminal.ok(&["liquidate", TOKEN]);
    check(
        &terminal,
        &[
            (&["start", TOKEN], 4, &["LIQUIDATING"]),
            (
                &["liquidate", TOKEN, "--over", "6h"],
                4,
                &["another plan", "0 of 1 slices", "lgi-mm pause 1"],
            ),
            (&["remove", TOKEN], 4, &["LIQUIDATING"]),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_that_do_not_fit() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    check(
        &terminal,
        &[
            (
                &[
                    "start",
                    TOKEN,
                    "--mode",
                    "accumulate",
                    "--symbol",
                    "\u{1b}[31mRED",
                ],
                2,
                &["--symbol", "printable", r"\u{1b}"],
            ),
            (
                &["start", TOKEN, "--decimals", "6"],
                4,
                &["18 decimals", "never changes"],
            ),
            (
                &["start", TOKEN, "--symbol", "OTHER"],
                4,
                &["CLAWD", "never changes"],
            ),
            (
                &["start", TOKEN, "--budget", "5"],
                2,
                &["--budget 5", "liquidity"],
            ),
            (&["status", ""], 2, &["token is empty"]),
            (&["status", "#CLAWD"], 3, &["#CLAWD"]),
            (&["export", "--out", "absent/x.csv"], 2, &["--out absent/x.csv"]),
            (&["db", "no-such-program"], 2, &["no-such-program", "installed"]),
            (
                &["worker", "--concurrency", "0"],
                2,
                &["--concurrency", "1..=256"],
            ),
            (
                &["paper", "fault", "gremlins"],
                2,
                &["gremlins", "revert", "stuck"],
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_json_when_json_is_asked_for() {
    let terminal = Terminal::new().await;
    let ran = terminal.run(&["status", "9", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).expect("JSON");
    assert_eq!((ran.code, &error["error"]["code"]), (3, &serde_json::json!(3)));
    assert!(ran.stdout.is_empty());
    for args in [&["status", "--json"][..], &["lists", "--json"]] {
        let ran = terminal.run(args);
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).expect("JSON");
        assert_eq!((ran.code, &error["error"]["code"]), (2, &serde_json::json!(2)));
        let message = error["error"]["message"].as_str().expect("a message");
        assert!(message.contains("Usage: lgi-mm"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_jobs_that_cannot_be() {
    let terminal = Terminal::new().await;
    check(
        &terminal,
        &[
            (
                &["start", TOKEN, "--mode", "accumulate", "--live"],
                2,
                &["base", "chains.base.rpc_urls", "ETH_RPC_URL"],
            ),
            (
                &[
                    "start",
                    TOKEN,
                    "--mode",
                    "accumulate",
                    "--live",
                    "--chain",
                    "moon",
                ],
                2,
                &["unknown chain 'moon'", "[chains.moon]", "chain_id"],
            ),
            (
                &["start", TOKEN, "--mode", "accumulate", "--quote", "ETH"],
                2,
                &["--quote ETH", "--live"],
            ),
        ],
    )
    .await;
}

/// Prices are kept once a minute: an average over less than five of them is never full.
#[tokio::test(flavor = "multi_thread")]
async fn an_average_that_its_samples_never_fill_is_refused() {
    let terminal = Terminal::new().await;
    let window = |over: &str| format!("liquidity.ma_window={over}");
    let short = window("299s");
    let start = |window: &str| {
        let mode = ["start", TOKEN, "--mode", "liquidity", "--set", window];
        [mode.as_slice(), &QUIET].concat().join("\n")
    };
    let (refused, allowed) = (start(&short), start(&window("5m")));
    let refused: Vec<&str> = refused.split('\n').collect();
    let names: &[&str] = &["liquidity.ma_window", "5m to 30d", "trading.sample_interval"];
    check(&terminal, &[(refused.as_slice(), 2, names)]).await;
    terminal.ok(&allowed.split('\n').collect::<Vec<_>>());
    let edit: &[&str] = &["config", "edit", "1", "--set", &short];
    check(&terminal, &[(edit, 2, names)]).await;
    // Samples that are kept more often fill it.
    let ran = terminal.run_with(edit, "LGI_MM__TRADING__SAMPLE_INTERVAL", "10s");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// A flag and `--set` of one command that give one key two values: neither wins without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_flag_and_an_assignment_that_contradict_each_other_are_refused() {
    let terminal = Terminal::new().await;
    let start = |more: &[&'static str]| [&["start", TOKEN, "--symbol", "X"], more].concat();
    let order = |more: &[&'static str]| [&["order", "buy", TOKEN, "--symbol", "X"], more].concat();
    for (args, names) in [
        (
            start(&[
                "--mode",
                "liquidity",
                "--budget",
                "100",
                "--set",
                "liquidity.budget_usd=50",
            ]),
            ["--budget 100", "--set liquidity.budget_usd=50"],
        ),
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

/// Every flag that takes a time, a length of time or a file to write: what is wrong with it is said by its name.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_time_and_a_file_that_cannot_be_written_are_named_with_their_flag() {
    let terminal = Terminal::new().await;
    terminal.file(
        "p.csv",
        "time,price\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,2\n",
    );
    let backtest = ["backtest", "--prices", "p.csv", "--mode", "accumulate"];
    let sweep = ["--sweep", "accumulate.dca_amount_usd=1..2:1"];
    let generated = ["prices", "--length", "1d"];
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
            "banana",
        ),
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
        (vec!["backup", "absent/x.dump"], "absent"),
        (vec!["man", "p.csv/pages"], "DIR p.csv/pages"),
        (
            vec!["service", "install", "--user", "--dir", "p.csv/units"],
            "--dir p.csv/units",
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
