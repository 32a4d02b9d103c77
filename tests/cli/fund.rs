//! `paper fund`: which tokens it knows, and what a sale on paper says when there are none.

use crate::{
    pnl::json,
    terminal::{QUIET, TOKEN, Terminal},
};

fn sale(decimals: &'static str) -> Vec<&'static str> {
    let mut args = vec!["order", "sell", TOKEN, "--tokens", "100", "--cost", "5"];
    args.extend(["--decimals", decimals, "--chain", "ethereum"]);
    args.extend(QUIET);
    args
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sale_without_tokens_advises_makes_it_possible() {
    for decimals in ["18", "6"] {
        let terminal = Terminal::new().await;
        let refused = terminal.run(&sale(decimals));
        assert_eq!(refused.code, 4, "{}", refused.story());
        let advised = refused.stderr.split('`').nth(1).expect("a command");
        let fund = advised.replace("AMOUNT", "150");
        let words: Vec<&str> = fund.split(' ').skip(1).collect();
        let shown = terminal.ok(&words);
        assert!(shown.contains("\t150\t"), "whole tokens: {shown}");
        let placed = terminal.ok(&sale(decimals));
        assert!(placed.contains("sells 100 CLAWD that cost 5 USD"), "{placed}");
        let held = json(&terminal, &["paper", "wallet", "--chain", "ethereum"]);
        let clawd = held.as_array().expect("a list").iter();
        let clawd: Vec<_> = clawd.filter(|line| line["asset"] == "CLAWD").collect();
        assert_eq!(clawd[0]["balance"], "150", "{held}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticker_is_one_of_a_paper_job_that_is_there_and_else_the_error_says_what_is_taken() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.ok(&["paper", "fund", "--token", "clawd=7"]);
    for (token, code, said) in [
        ("NONE=7", 2, "give the token's address"),
        ("0xbbd9=7", 2, "0x and 40 hexadecimal digits"),
        (
            "0xBBD9aDe16525acb4B336b6dAd3b9762901522B07=7",
            2,
            "fails its checksum",
        ),
        ("CLAWD=-7", 2, "CLAWD=-7"),
        ("CLAWD=0.0000000000000000001", 2, "CLAWD=0.0000000000000000001"),
    ] {
        let ran = terminal.run(&["paper", "fund", "--token", token]);
        assert!(
            ran.code == code && ran.stderr.contains(said),
            "{token}: {}",
            ran.story()
        );
    }
    let elsewhere = terminal.run(&["paper", "fund", "--chain", "ethereum", "--token", "CLAWD=7"]);
    assert!(
        elsewhere.stderr.contains("no paper job on ethereum"),
        "{}",
        elsewhere.stderr
    );
    terminal.ok(&["liquidate", "CLAWD"]);
    sqlx::query("UPDATE jobs SET status = 'IDLE', liquidation = NULL")
        .execute(&terminal.pool)
        .await
        .expect("sold");
    terminal.ok(&["remove", "CLAWD"]);
    let removed = terminal.run(&["paper", "fund", "--token", "CLAWD=8"]);
    assert_eq!(removed.code, 2, "an old ticker: {}", removed.story());
    terminal.ok(&["paper", "fund", "--token", &format!("{TOKEN}=8")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_negative_number_is_a_value_that_is_refused_by_its_name() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let other = "0x4200000000000000000000000000000000000042";
    for args in [
        &["paper", "fund", "--usdc", "-5"][..],
        &["paper", "fund", "--native", "-0.5"],
        &["init", TOKEN, "--amount", "-5"],
        &["liquidate", "CLAWD", "--slices", "-5"],
        &["start", other, "--mode", "liquidity", "--budget", "-5"],
        &["start", other, "--mode", "accumulate", "--decimals", "-5"],
        &["order", "sell", other, "--cost", "1", "--tokens", "-5"],
        &["adopt", "CLAWD", "-5", "--cost", "1"],
        &["release", "CLAWD", "-5"],
        &["prices", "--start-usd", "-5"],
        &["logs", "--limit", "-5"],
    ] {
        let ran = terminal.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.story());
        assert!(
            ran.stderr.contains("-5") || ran.stderr.contains("-0.5"),
            "{args:?}: {}",
            ran.stderr
        );
        for word in ["unexpected argument", "to pass '-"] {
            assert!(!ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
        }
    }
}
