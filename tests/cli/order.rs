//! `order`: placed, seen in status and list, filled, replaced and cancelled.

use serde_json::Value;

use crate::{
    pnl::json,
    terminal::{QUIET, TOKEN, Terminal},
};

/// An order for the token whose price is always 1.
fn order(args: &[&'static str]) -> Vec<&'static str> {
    let mut all = vec!["order"];
    all.extend(args);
    all.extend(QUIET);
    all
}

async fn all_final(terminal: &Terminal) {
    sqlx::query("DELETE FROM fill_watches")
        .execute(&terminal.pool)
        .await
        .expect("final");
}

fn said(terminal: &Terminal, args: &[&str], expected: &[&str]) {
    let out = terminal.ok(args);
    for word in expected {
        assert!(out.contains(word), "{args:?} said {out}, not {word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_of_nothing_is_no_order_at_any_price() {
    let terminal = Terminal::new().await;
    for flag in ["--limit", "--stop", "--trail"] {
        let place = order(&["buy", TOKEN, "--amount", "25", flag, "0"]);
        let ran = terminal.run(&place);
        assert!(
            ran.code == 2 && ran.stderr.contains(flag),
            "{flag}: {}",
            ran.stderr
        );
    }
    assert_eq!(json(&terminal, &["list"]), Value::Array(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_placed_filled_replaced_by_the_next_and_cancelled() {
    let terminal = Terminal::new().await;
    let place = order(&["buy", TOKEN, "--amount", "25", "--limit", "1.2"]);
    said(
        &terminal,
        &place,
        &["job 1 (CLAWD, paper on base): started in mode ORDER"],
    );
    said(
        &terminal,
        &["status", TOKEN],
        &["buys at 1.2", "or below", "0.00 of 25.00 USD spent"],
    );
    said(&terminal, &["tick", TOKEN], &["trade 1"]);
    said(
        &terminal,
        &["status", TOKEN],
        &["IDLE", "ended, 25.00 of 25.00 USD spent"],
    );
    assert_eq!(json(&terminal, &["list"])[0]["mode"], "ORDER");
    said(&terminal, &["trades"], &["LIMIT_ORDER"]);

    all_final(&terminal).await;
    let place = order(&[
        "buy",
        TOKEN,
        "--amount",
        "10",
        "--limit",
        "0.8",
        "--until",
        "2999-01-31",
    ]);
    said(&terminal, &place, &["job 2"]);
    let out = terminal.run(&["tick", TOKEN]);
    assert!(out.stdout.contains("order_price"), "{}", out.story());
    said(
        &terminal,
        &["status", TOKEN],
        &["0.8", "25 % away", "0.00 of 10.00 USD spent", "until"],
    );
    let next = &json(&terminal, &["status", TOKEN])["next"]["order"];
    assert_eq!(
        (
            &next["waits_for"],
            &next["at_usd"],
            &next["distance_pct"],
            &next["left_usd"]
        ),
        (&"limit".into(), &"0.8".into(), &"25".into(), &"10".into())
    );
    let listed = json(&terminal, &["list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    said(&terminal, &["remove", TOKEN], &["RUNNING -> removed"]);

    // The tokens of the first are the wallet's again.
    let place = order(&["sell", TOKEN, "--tokens", "all", "--cost", "25", "--stop", "1.1"]);
    said(&terminal, &place, &["job 3"]);
    let out = terminal.run(&["tick", TOKEN]);
    assert!(out.stdout.contains("order_unconfirmed"), "{}", out.story());
    said(&terminal, &["status", TOKEN], &["in the next slot too"]);
    said(&terminal, &["tick", TOKEN], &["trade 2"]);
    said(
        &terminal,
        &["status", TOKEN],
        &["IDLE", "ended, 0 CLAWD left to sell"],
    );
    let status = json(&terminal, &["status", TOKEN]);
    assert_eq!(status["next"]["order"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_says_what_to_do() {
    let terminal = Terminal::new().await;
    for (args, expected) in [
        (vec!["buy", TOKEN], "needs --amount"),
        (
            vec!["buy", TOKEN, "--amount", "10", "--cost", "1"],
            "has --amount alone",
        ),
        (vec!["sell", TOKEN, "--tokens", "10"], "--cost"),
        (vec!["sell", TOKEN, "--amount", "10"], "not --amount"),
        (
            vec!["sell", TOKEN, "--tokens", "10", "--cost", "1"],
            "0 can be adopted, and 10 were asked for",
        ),
        (
            vec!["buy", TOKEN, "--amount", "10", "--until", "soon"],
            "2026-12-31",
        ),
        (
            vec!["buy", TOKEN, "--amount", "10", "--until", "2020-01-01"],
            "is over",
        ),
        (
            vec!["buy", TOKEN, "--amount", "-10"],
            "order.amount_usd = -10 is not allowed",
        ),
        (
            vec!["buy", TOKEN, "--amount", "10", "--limit", "1", "--stop", "2"],
            "cannot be used with",
        ),
        (vec!["buy", TOKEN, "--amount", "10", "--slices", "2"], "--over"),
    ] {
        let ran = terminal.run(&order(&args));
        assert!(
            ran.code != 0 && ran.stderr.contains(expected),
            "{args:?}, not {expected}: {}",
            ran.story()
        );
    }
    assert_eq!(
        json(&terminal, &["list"]),
        Value::Array(vec![]),
        "nothing was placed"
    );
    terminal.start(&[]);
    let ran = terminal.run(&order(&["buy", TOKEN, "--amount", "10"]));
    assert!(
        ran.stderr
            .contains("job 1 (CLAWD, paper on base) trades this token already, in mode ACCUMULATE, RUNNING"),
        "{}",
        ran.story()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_an_ended_order_holds_are_named_with_what_they_had_cost() {
    let terminal = Terminal::new().await;
    terminal.ok(&order(&["buy", TOKEN, "--amount", "25", "--limit", "1.2"]));
    terminal.ok(&["tick", TOKEN]);
    all_final(&terminal).await;
    let adopted = terminal.run(&["adopt", TOKEN, "1", "--cost", "1"]);
    assert!(
        adopted.code == 4
            && adopted
                .stderr
                .contains("a start would place it again; run `lgi-mm remove 1`"),
        "{}",
        adopted.story()
    );
    let sale = order(&["sell", TOKEN, "--tokens", "all", "--cost", "3", "--limit", "9"]);
    said(
        &terminal,
        &sale,
        &[
            "takes the place of job 1, which holds 24.900075 CLAWD that cost 25 USD",
            "has the cost given here",
            "sells 24.900075 CLAWD that cost 3 USD",
        ],
    );
    let text = terminal.ok(&["status", TOKEN]);
    assert!(
        !text.contains("round trip") && !text.contains("daily limit") && !text.contains("a day"),
        "figures of buys: {text}"
    );
}
