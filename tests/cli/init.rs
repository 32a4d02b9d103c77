//! `init`: from a token to a job file, by flags alone and on a terminal, and every line that it prints.

use chrono::Utc;

use crate::{
    gecko::{Gecko, POOL, TOKEN},
    terminal::Terminal,
};

/// Twenty days of hourly candles up to now.
fn recent() -> Vec<(i64, String)> {
    let now = Utc::now().timestamp();
    let row = |hour: i64| {
        let begin = now - now.rem_euclid(3_600) - hour * 3_600;
        let price = format!("0.00{:03}", 400 + hour % 20);
        (begin, format!("[{begin},{price},{price},{price},{price},10]"))
    };
    (1..480).map(row).collect()
}

/// A program whose price site is `gecko`.
async fn terminal(gecko: &Gecko) -> Terminal {
    let terminal = Terminal::new().await;
    let home = terminal.path("home");
    terminal.file(
        "lgi-mm.toml",
        &format!(
            "[database]\ndata_dir = \"{home}\"\n[geckoterminal]\nbase_url = \"{}\"\nrequests_per_minute = 60000\n\
             [wallet]\nkeystore_dir = \"{home}/keystore\"\n",
            gecko.url,
            home = home.display(),
        ),
    );
    terminal
}

/// The lines to type that a text has.
fn lines(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("  lgi-mm "));
    lines.map(|line| line.split(' ').collect()).collect()
}

#[tokio::test]
async fn by_flags_alone_it_tells_what_a_buy_costs_writes_a_job_and_its_lines_work() {
    let gecko = Gecko::start(recent());
    let terminal = terminal(&gecko).await;
    let ran = terminal.run(&[
        "init",
        TOKEN,
        "--amount",
        "25",
        "--interval",
        "12h",
        "--most",
        "900",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for told in [
        "DEGEN, Degen: 0x4ed4E862860beD51a9570b96d89aF5E1B0Efefed on base, 18 decimals",
        "5,123,457 USD deep: DEGEN / WETH 0.3% on uniswap-v3-base",
        POOL,
        // Twice 0.30 % and 0.10 % of 25 are 0.20; gas is 2 * 150,000 * 0.011 gwei at 3,000 USD, 0.0099.
        "a buy of 25.00 USD and a sale right after it cost 0.21 USD, 0.84 %: 0.20 fees and price impact",
        "an estimate: no node of the chain is configured",
        "mode accumulate over",
        "job written to degen.toml, prices to degen.prices.csv",
        "chains.base.rpc_urls",
    ] {
        assert!(ran.stdout.contains(told), "{told}: {}", ran.stdout);
    }
    let job = std::fs::read_to_string(terminal.path("degen.toml")).expect("the job");
    for key in [
        "dca_amount_usd = 25 ",
        "dca_interval = \"12h\"",
        "max_accumulation_usd = 900 ",
    ] {
        assert!(job.contains(key), "{key}: {job}");
    }
    let lines = lines(&ran.stdout);
    assert_eq!(lines.len(), 6, "{}", ran.stdout);
    for line in &lines {
        let ran = match line.as_slice() {
            ["daemon"] => terminal.run(&["daemon", "--help"]),
            ["wallet", "new"] => terminal.run_with(line, "LGI_MM_WALLET_PASSWORD", "a password of tests"),
            ["policy", "allow", token] => {
                // Its job is not there yet; but the line is complete.
                let allow = terminal.run(line);
                assert!(
                    allow.code != 0 && token.eq_ignore_ascii_case(TOKEN),
                    "{}",
                    allow.story()
                );
                continue;
            }
            [.., "--live"] => {
                let live = terminal.run(line);
                assert!(
                    live.stderr.contains("rpc_urls"),
                    "its need is named: {}",
                    live.stderr
                );
                continue;
            }
            _ => terminal.run(line),
        };
        assert_eq!(ran.code, 0, "{line:?}: {}", ran.stderr);
    }
    let listed = terminal.ok(&["list"]);
    assert!(listed.contains("DEGEN"), "{listed}");
    let config = terminal.ok(&["config", "show", "DEGEN"]);
    assert!(config.contains("25") && config.contains("900"), "{config}");
}

#[tokio::test]
async fn a_file_that_is_there_is_never_replaced() {
    let gecko = Gecko::start(recent());
    let terminal = terminal(&gecko).await;
    terminal.file("degen.toml", "mine");
    let ran = terminal.run(&["init", TOKEN]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("degen.toml is there already"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        std::fs::read_to_string(terminal.path("degen.toml")).expect("it"),
        "mine"
    );
    let other = terminal.run(&["init", TOKEN, "--out", "second.toml"]);
    assert_eq!(other.code, 0, "{}", other.stderr);
    terminal.file("third.prices.csv", "mine");
    assert_eq!(terminal.run(&["init", TOKEN, "--out", "third.toml"]).code, 4);
    assert!(!terminal.path("third.toml").exists());
}

#[tokio::test]
async fn without_a_terminal_nothing_is_asked_and_what_is_missing_or_wrong_is_named() {
    let gecko = Gecko::start(recent());
    let terminal = terminal(&gecko).await;
    for (args, code, told) in [
        (vec!["init"], 2, "lgi-mm init ADDRESS"),
        (vec!["init", "degen"], 2, "is not an address"),
        (vec!["init", TOKEN, "--chain", "solana"], 2, "--chain"),
        (vec!["init", TOKEN, "--amount", "0"], 2, "must be more than 0"),
        (
            vec!["init", TOKEN, "--amount", "50", "--most", "20"],
            2,
            "max_accumulation_usd",
        ),
        (vec!["init", TOKEN, "--interval", "0s"], 2, "dca_interval"),
    ] {
        let ran = terminal.run(&args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
        assert!(!terminal.path("degen.toml").exists(), "{args:?}");
    }
}

#[tokio::test]
async fn without_the_price_site_it_says_so_and_goes_on() {
    let gecko = Gecko::start(vec![]);
    let terminal = terminal(&gecko).await;
    terminal.file("lgi-mm.toml", "[geckoterminal]\nbase_url = \"http://127.0.0.1:9\"\ntimeout = \"1s\"\nrequests_per_minute = 60000\n[database]\ndata_dir = \"here\"\n");
    let ran = terminal.run(&["init", TOKEN, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let view: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(view["backtest"], serde_json::Value::Null);
    assert!(
        view["remarks"][0]
            .as_str()
            .expect("a remark")
            .contains("name and pools were not found")
    );
    let start = view["paper"][0].as_str().expect("a line").to_owned();
    let words: Vec<&str> = start.split(' ').skip(1).collect();
    assert_eq!(terminal.run(&words).code, 0, "{start}");
}

#[tokio::test]
async fn on_a_terminal_it_asks_for_what_was_not_given_and_asks_again_after_nonsense() {
    let gecko = Gecko::start(recent());
    let terminal = terminal(&gecko).await;
    let typed = format!("degen\n{TOKEN}\nlots\n40\n6h\n\n");
    let ran = terminal.on_a_terminal(&["init"], &typed);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    for told in [
        "Token address:",
        "is not an address",
        "USD of one buy [10]:",
        "write an amount of USD such as 25",
        "Time between two buys [1d]:",
        "Most USD in the position [4000]:",
        "job written to degen.toml",
    ] {
        assert!(ran.stdout.contains(told), "{told}: {}", ran.stdout);
    }
    let job = std::fs::read_to_string(terminal.path("degen.toml")).expect("the job");
    for key in [
        "dca_amount_usd = 40 ",
        "dca_interval = \"6h\"",
        "max_accumulation_usd = 4000 ",
    ] {
        assert!(job.contains(key), "{key}: {job}");
    }
}
