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
