//! The list of trades: how much of it is shown, and in which order.

use serde_json::Value;

use super::ledger;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_cut_says_how_many_there_are_and_its_footer_once() {
    let terminal = ledger().await;
    let all: Vec<Value> =
        serde_json::from_str(&terminal.ok(&["--json", "trades", "--limit", "1000"])).expect("JSON");
    assert!(all.len() > 4, "{}", all.len());
    let cut = terminal.ok(&["trades", "--limit", "2", "-o", "wide"]);
    assert!(
        cut.contains(&format!("the newest 2 of {}; --limit shows more", all.len())),
        "{cut}"
    );
    assert_eq!(cut.matches("USD; realised is before gas").count(), 1, "{cut}");
    let whole = terminal.ok(&["trades", "--limit", &all.len().to_string(), "-o", "wide"]);
    assert!(!whole.contains("the newest"), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_are_sorted_by_what_was_asked_and_by_number_where_that_is_equal() {
    let terminal = ledger().await;
    let sorted = |by: &str| -> Vec<Value> {
        serde_json::from_str(&terminal.ok(&["--json", "trades", "--limit", "1000", "--sort", by]))
            .expect("JSON")
    };
    let numbers =
        |rows: &[Value]| -> Vec<i64> { rows.iter().filter_map(|row| row["trade"].as_i64()).collect() };
    let newest = numbers(&sorted("trade"));
    assert!(newest.is_sorted_by(|one, next| one > next), "{newest:?}");
    for (by, field) in [("gas", "gas_usd"), ("price", "price_usd"), ("value", "quote_usd")] {
        let rows = sorted(by);
        let keys: Vec<(Option<rust_decimal::Decimal>, i64)> = rows
            .iter()
            .map(|row| {
                (
                    row[field].as_str().and_then(|text| text.parse().ok()),
                    row["trade"].as_i64().expect("a number"),
                )
            })
            .collect();
        assert!(keys.is_sorted_by(|one, next| one > next), "{by}: {keys:?}");
        assert_eq!(rows.len(), newest.len(), "{by}");
    }
    let realised = sorted("realised");
    let sides: Vec<bool> = realised
        .iter()
        .map(|row| row["side"] == "SELL" && row["status"] == "EXECUTED")
        .collect();
    assert!(
        sides.is_sorted_by(|one, next| one >= next),
        "sales first: {sides:?}"
    );
    let tokens: Vec<String> = sorted("token")
        .iter()
        .map(|row| row["symbol"].as_str().unwrap_or_default().to_lowercase())
        .collect();
    assert!(tokens.is_sorted(), "{tokens:?}");
}
