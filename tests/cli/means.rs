//! What a start says of money: what the job may spend, what the wallet holds, and whether its prices are real.

use crate::{
    pnl::json,
    terminal::{QUIET, TOKEN, Terminal},
};

fn start(args: &[&'static str]) -> Vec<&'static str> {
    let mut all = vec!["start", TOKEN, "--mode", "accumulate"];
    all.extend(args);
    all.extend(QUIET);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_says_what_the_job_may_spend_by_its_defaults() {
    let terminal = Terminal::new().await;
    let said = terminal.ok(&start(&[]));
    assert!(said.contains("until the position costs"), "{said}");
    assert!(said.contains("USD a day"), "{said}");
    assert!(!said.contains("the wallet holds"), "it has enough: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_holds_less_than_the_job_may_spend_is_named_at_the_start() {
    let terminal = Terminal::new().await;
    terminal.ok(&["paper", "fund", "--usdc", "12.5"]);
    let said = terminal.ok(&start(&["--set", "accumulate.max_accumulation_usd=40"]));
    assert!(
        said.contains("the wallet holds 12.5 USDC (12.5 USD), less than the 40 USD"),
        "{said}"
    );
    // An order to sell spends nothing; one to buy may spend all of its amount.
    terminal.ok(&["release", TOKEN]);
    terminal.ok(&["remove", TOKEN]);
    let mut buy = vec!["order", "buy", TOKEN, "--amount", "13"];
    buy.extend(QUIET);
    let said = terminal.ok(&buy);
    assert!(said.contains("less than the 13 USD"), "{said}");
    terminal.ok(&["remove", TOKEN]);
    terminal.ok(&["paper", "fund", "--usdc", "13"]);
    let said = terminal.ok(&buy);
    assert!(!said.contains("the wallet holds"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paper_job_that_would_ask_a_node_that_is_not_there_is_refused_by_name() {
    let terminal = Terminal::new().await;
    for source in ["onchain", "twap", "generated,onchain"] {
        let set = format!("price.sources={source}");
        let args = [
            "start",
            TOKEN,
            "--mode",
            "accumulate",
            "--symbol",
            "CLAWD",
            "--set",
            &set,
        ];
        let ran = terminal.run(&args);
        assert_eq!(ran.code, 2, "{}", ran.story());
        for word in ["price.sources", "rpc_urls", "base"] {
            assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
        }
    }
    assert_eq!(json(&terminal, &["list"]), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn profit_at_prices_of_no_market_says_so() {
    let terminal = Terminal::new().await;
    terminal.ok(&start(&[]));
    terminal.ok(&["tick", TOKEN]);
    let text = terminal.ok(&["pnl"]);
    assert!(text.contains("price of job 1: INVENTED"), "{text}");
    let found = json(&terminal, &["pnl"]);
    assert_eq!(
        found["realms"][0]["jobs"][0]["price_sources"][0], "generated",
        "{found}"
    );
    let logs = terminal.ok(&["logs", TOKEN]);
    assert!(logs.contains("command start"), "{logs}");
    assert!(!logs.contains(" order "), "a start is no order: {logs}");
}
