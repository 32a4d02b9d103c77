//! What `status` says a job waits for.

use serde_json::{Value, json};

use crate::terminal::{QUIET, TOKEN, Terminal};

fn status(terminal: &Terminal) -> Value {
    serde_json::from_str(&terminal.ok(&["status", "1", "--json"])).expect("JSON")
}

/// The line of this name in the text.
fn line(terminal: &Terminal, name: &str) -> String {
    let text = terminal.ok(&["status", "1"]);
    let found = text.lines().find(|line| line.starts_with(name));
    found.expect(name).to_owned()
}

async fn change(terminal: &Terminal, sql: &'static str) {
    sqlx::query(sql).execute(&terminal.pool).await.expect(sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accumulating_job_names_the_prices_and_the_time_of_its_rules() {
    let terminal = Terminal::new().await;
    terminal.start(&["--set", "accumulate.take_profit_pct=25"]);
    terminal.ok(&["tick", "1"]);
    // 8 tokens for 6 USD: 0.75 each, and 25 % more are 0.9375.
    change(
        &terminal,
        "UPDATE jobs SET token_balance = 8000000000000000000, cost_basis = 6",
    )
    .await;
    let next = &status(&terminal)["next"];
    assert_eq!(
        next["take_profit"],
        json!({ "at_or_above_usd": "0.9375", "last_sale_usd": null, "not_before": null, "trails": null })
    );
    // A sale at 1.1 ten days ago, when a token had cost 0.7: 25 % more are 1.375.
    change(
        &terminal,
        "UPDATE jobs SET last_fills = last_fills || jsonb_build_object('take_profit', jsonb_build_object(
             'at', now() - interval '10 days', 'price', '1.1', 'average_cost', '0.7'))",
    )
    .await;
    let text = line(&terminal, "take profit");
    assert!(
        text.contains("at 1.375 or above: 25 % above the last sale at 1.1"),
        "{text}"
    );
    // A higher sample of an hour ago is the high; 10 % below it is a dip.
    change(
        &terminal,
        "INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
         SELECT chain, token, series, bucket - interval '1 hour', 1.3, observed_at - interval '1 hour'
         FROM price_samples",
    )
    .await;
    let next = &status(&terminal)["next"];
    assert_eq!(next["dip_buy"]["high_usd"], "1.3");
    assert_eq!(next["dip_buy"]["at_or_below_usd"], "1.17");
    // The price of the last slot, 1, was a dip already.
    assert_eq!(next["dip_buy"]["seen_once"], true);
    // With a dip bought in that slot, the high starts over.
    change(
        &terminal,
        "UPDATE jobs SET last_fills = last_fills || jsonb_build_object('dip',
             (SELECT max(observed_at) FROM price_samples))",
    )
    .await;
    let next = &status(&terminal)["next"];
    assert_eq!(next["dip_buy"]["high_usd"], "1");
    assert_eq!(next["dip_buy"]["seen_once"], false);
    assert!(
        next["dip_buy"]["not_before"].is_string(),
        "its cooldown of four hours"
    );
    assert!(next["dca"].is_string());
    let limit = &next["daily_limits"][0];
    assert_eq!(
        (&limit["used_usd"], &limit["most_usd"]),
        (&json!("10"), &json!("500"))
    );
    let reset = limit["resets_at"].as_str().expect("an instant");
    assert!(reset.ends_with("T00:00:00Z"), "{reset}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_buys_are_bound_to_prices_names_them() {
    let terminal = Terminal::new().await;
    terminal.start(&["--set", "accumulate.buy_below_usd=1.25"]);
    assert!(line(&terminal, "buys").ends_with("only at 1.25 or below"));
    let set = |pair: &str| terminal.ok(&["config", "edit", "1", "--set", pair]);
    set("accumulate.buy_above_usd=0.75");
    assert!(line(&terminal, "buys").ends_with("only from 0.75 to 1.25"));
    set("accumulate.buy_below_usd=0");
    assert!(line(&terminal, "buys").ends_with("only at 0.75 or above"));
    assert_eq!(
        status(&terminal)["next"]["buys_between"],
        json!({ "at_or_above_usd": "0.75", "at_or_below_usd": null })
    );
    set("accumulate.buy_above_usd=0");
    assert_eq!(status(&terminal)["next"]["buys_between"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_stops_names_the_price_of_each_and_what_follows() {
    let terminal = Terminal::new().await;
    terminal.start(&[
        "--set",
        "accumulate.stop_loss_pct=20",
        "--set",
        "accumulate.stop_price_usd=0.4",
        "--set",
        "accumulate.trailing_stop_pct=10",
    ]);
    let sold = "nothing to sell; nothing is bought at 0.4 or below: its own price";
    assert!(line(&terminal, "stop price").ends_with(sold));
    terminal.ok(&["tick", "1"]);
    // 8 tokens for 6 USD: 0.75 each, and 20 % less are 0.6. The price of the last slot is 1.
    change(
        &terminal,
        "UPDATE jobs SET token_balance = 8000000000000000000, cost_basis = 6",
    )
    .await;
    assert_eq!(
        status(&terminal)["next"]["stops"],
        json!([
            { "line": "high", "at_or_below_usd": "0.9", "from_usd": "1", "armed": true, "seen_once": false },
            { "line": "average_cost", "at_or_below_usd": "0.6", "from_usd": "0.75", "armed": true, "seen_once": false },
            { "line": "price", "at_or_below_usd": "0.4", "from_usd": null, "armed": true, "seen_once": false },
        ])
    );
    for (name, words) in [
        (
            "trailing stop",
            "sells all at 0.9 or below, in two slots in a row: 10 % below the high of 1; then paused",
        ),
        (
            "stop loss",
            "sells all at 0.6 or below, in two slots in a row: 20 % below the average cost of 0.75; then paused",
        ),
        (
            "stop price",
            "sells all at 0.4 or below, in two slots in a row: its own price; then paused",
        ),
    ] {
        let text = line(&terminal, name);
        assert!(text.ends_with(words), "{text}");
    }
    let set = |pair: &str| terminal.ok(&["config", "edit", "1", "--set", pair]);
    set("accumulate.stop_sells_pct=25");
    set("accumulate.after_stop=continue");
    let text = line(&terminal, "stop loss");
    assert!(
        text.contains("sells 25 % at 0.6") && text.ends_with("; then continues"),
        "{text}"
    );
    // It sold a minute ago, with the last buy before that.
    change(
        &terminal,
        "UPDATE jobs SET last_fills = jsonb_build_object('dca', now() - interval '1 hour', 'stop', now() - interval '1 minute')",
    )
    .await;
    assert!(line(&terminal, "after its stop").contains("buys nothing before"));
    assert!(line(&terminal, "stop loss").contains("nothing to sell; nothing is bought at 0.6 or below"));
    assert_eq!(
        status(&terminal)["next"]["stops"].as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_its_stop_has_paused_says_which_trade_it_was() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let paused = "UPDATE jobs SET status = 'PAUSED', status_before_stop = 'RUNNING', stopped_by = 7";
    change(&terminal, paused).await;
    let why = line(&terminal, "why not buying");
    assert!(why.contains("Its stop has sold (trade 7) and paused it"), "{why}");
    assert_eq!(status(&terminal)["stopped_by"], 7);
    terminal.ok(&["resume", "1"]);
    assert_eq!(status(&terminal)["stopped_by"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_mode_liquidity_names_the_prices_around_its_moving_average() {
    let terminal = Terminal::new().await;
    let mode = [
        "start",
        TOKEN,
        "--mode",
        "liquidity",
        "--set",
        "liquidity.ma_window=10m",
    ];
    terminal.ok(&[mode.as_slice(), QUIET.as_slice()].concat());
    terminal.ok(&["tick", "1"]);
    let text = line(&terminal, "moving average");
    assert!(text.contains("of its 10m; it trades from 80 % on"), "{text}");
    // A quarter of an hour at 1.25, one sample a minute.
    change(
        &terminal,
        "INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
         SELECT chain, token, series, bucket - i * interval '1 minute', 1.25, observed_at - i * interval '1 minute'
         FROM price_samples, generate_series(1, 15) i",
    )
    .await;
    change(&terminal, "UPDATE price_samples SET price = 1.25").await;
    // 500 tokens and 300 USD: 300 x 60/40 / 500 and 300 x 40/60 / 500.
    change(
        &terminal,
        "UPDATE jobs SET token_balance = 500000000000000000000, cost_basis = 500, quote_balance = 300000000",
    )
    .await;
    let next = &status(&terminal)["next"];
    assert_eq!(
        next["spread"],
        json!({ "buys_below_usd": "1.225", "sells_above_usd": "1.275", "moving_average_usd": "1.25",
                "not_before": null })
    );
    assert_eq!(next["rebalance"]["sells_above_usd"], "0.9");
    assert_eq!(next["rebalance"]["buys_below_usd"], "0.4");
    let text = line(&terminal, "spread trade");
    assert!(
        text.contains("buys below 1.225, sells above 1.275: moving average 1.25"),
        "{text}"
    );
    // An idle job waits for nothing.
    terminal.ok(&["liquidate", "1"]);
    let text = line(&terminal, "next slice");
    assert!(text.contains("due now"), "{text}");
    assert_eq!(status(&terminal)["next"]["spread"], Value::Null);
}
