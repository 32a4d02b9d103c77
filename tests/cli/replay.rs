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
    assert!(ran.stderr.contains("has no price samples"), "{}", ran.stderr);
    two_hours(&terminal).await;
    let ran = terminal.run(&["replay", TOKEN, "--set", "accumulate.dca_amount=1"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("did you mean accumulate.dca_amount_usd?"),
        "{}",
        ran.stderr
    );
}

/// The job starts at a full minute, its first price is seen 33 seconds later: by a tick that was late for its slot.
#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_not_known_before_it_was_seen() {
    let terminal = Terminal::new().await;
    terminal.start(&["--set", "schedule.cron=*/15 * * * * *"]);
    terminal.ok(&["tick", TOKEN]);
    terminal.ok(&["pause", TOKEN]);
    for sql in [
        "UPDATE jobs SET started_at = date_trunc('minute', now()) - interval '10 minutes'",
        "INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
         SELECT chain, token, series, date_trunc('minute', seen), 2, seen
         FROM (SELECT DISTINCT chain, token, series FROM price_samples) AS sampled,
              (SELECT started_at + secs * interval '1 second' AS seen
               FROM jobs, unnest(ARRAY[33, 60.2, 120.2]) AS secs) AS instants",
        "DELETE FROM price_samples WHERE price <> 2",
    ] {
        sqlx::query(sql).execute(&terminal.pool).await.expect(sql);
    }
    let started: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("SELECT started_at FROM jobs")
        .fetch_one(&terminal.pool)
        .await
        .expect("a job");
    let told = terminal.ok(&["replay", TOKEN, "--json", "--set", "schedule.cron=*/5 * * * * *"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    // The first slot after the price was seen, of a schedule of 15 and of one of 5 seconds.
    for (run, seconds) in [("trades_unchanged", 45), ("trades_changed", 35)] {
        let slot = told[run][0]["slot"].as_str().expect(run);
        let slot: chrono::DateTime<chrono::Utc> = slot.parse().expect("a time");
        assert_eq!(slot - started, chrono::TimeDelta::seconds(seconds), "{run}");
    }
}
