//! `replay`: re-runs a job's history with another configuration.

use crate::terminal::{TOKEN, Terminal};

/// A job that started two hours ago and has a sample of each minute since, all of one price.
async fn two_hours(terminal: &Terminal) {
    terminal.start(&["--set", "accumulate.dca_interval=4h"]);
    terminal.ok(&["tick", TOKEN]);
    terminal.ok(&["pause", TOKEN]);
    for sql in [
        "UPDATE jobs SET started_at = date_trunc('minute', now()) - interval '2 hours'",
        "INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
         SELECT chain, token, series, date_trunc('minute', now()) - minute * interval '1 minute', price,
                date_trunc('minute', now()) - minute * interval '1 minute' + interval '250 ms'
         FROM price_samples, generate_series(1, 120) AS minute
         WHERE bucket = (SELECT max(bucket) FROM price_samples)
         ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(sql).execute(&terminal.pool).await.expect(sql);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_would_have_done_stands_beside_what_it_did() {
    let terminal = Terminal::new().await;
    two_hours(&terminal).await;
    let replay = |more: &[&str]| -> serde_json::Value {
        let args = [&["replay", TOKEN, "--json"], more].concat();
        serde_json::from_str(&terminal.ok(&args)).expect("JSON")
    };
    let told = replay(&[
        "--set",
        "accumulate.dca_interval=1h",
        "--set",
        "accumulate.dca_amount_usd=20",
    ]);
    assert_eq!(told["did"]["buys"], 1);
    // An interval of four hours buys once in two hours, one of an hour at the first slot and an hour later.
    assert_eq!(told["unchanged"]["buys"], 1);
    assert_eq!(
        (&told["changed"]["buys"], &told["changed"]["spent_usd"]),
        (&2.into(), &"40".into())
    );
    // The same rules, price and costs: the same trade, to the last unit.
    for key in ["token_balance", "average_cost", "gas_usd", "spent_usd"] {
        assert_eq!(told["unchanged"][key], told["did"][key], "{key}");
    }
    assert_eq!(told["trades_changed"].as_array().map(Vec::len), Some(2));
    let text = terminal.ok(&["replay", "1", "--set", "accumulate.dca_interval=1h"]);
    for said in [
        "what it did",
        "replayed",
        "with the changes",
        "DCA",
        "ledger has kept",
    ] {
        assert!(text.contains(said), "{said} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decided_again_says_why() {
    let terminal = Terminal::new().await;
    let ran = terminal.run(&["replay", TOKEN]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    terminal.start(&[]);
    let ran = terminal.run(&["replay", TOKEN]);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("no price samples yet"), "{}", ran.stderr);
    two_hours(&terminal).await;
    let ran = terminal.run(&["replay", TOKEN, "--set", "accumulate.dca_amount=1"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("did you mean accumulate.dca_amount_usd?"),
        "{}",
        ran.stderr
    );
}
