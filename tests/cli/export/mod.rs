//! `export`: what moved, in every format, for any period. The expected values were worked out by hand and with Python's
//! fractions from the amounts in `ledger.sql`.

mod payouts;
mod refused;
mod tools;
mod trades;

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::{
    bad_input::check,
    terminal::{TOKEN, Terminal},
};

type Row = HashMap<String, String>;

async fn ledger() -> Terminal {
    let terminal = Terminal::new().await;
    let mut connection = terminal.pool.acquire().await.expect("a connection");
    sqlx::raw_sql(include_str!("ledger.sql"))
        .execute(&mut *connection)
        .await
        .expect("the ledger");
    terminal
}

fn parsed(text: &str) -> Vec<Row> {
    csv::Reader::from_reader(std::io::Cursor::new(text))
        .deserialize()
        .map(|row| row.expect("a row"))
        .collect()
}

fn export(terminal: &Terminal, args: &[&str]) -> Vec<Row> {
    parsed(&terminal.ok(&[&["export"], args].concat()))
}

fn fields(rows: &[Row], names: &[&str]) -> Vec<String> {
    let picked = |row: &Row| names.iter().map(|name| row[*name].clone()).collect::<Vec<_>>();
    rows.iter().map(|row| picked(row).join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_transaction_has_a_row_with_what_was_sent_received_and_paid() {
    let terminal = ledger().await;
    let names = [
        "at",
        "job",
        "kind",
        "sent_amount",
        "sent_currency",
        "received_amount",
        "received_currency",
        "fee_amount",
        "fee_currency",
        "gas_usd",
    ];
    assert_eq!(
        fields(&export(&terminal, &[]), &names),
        [
            "2026-01-31T23:30:00Z 1 trade 0.04 ETH 100 ACE 0.0001 ETH 0.25",
            "2026-02-01T00:30:00Z 1 trade 0.03 ETH 50 ACE 0.00012 ETH 0.3",
            "2026-02-01T12:00:00Z 2 trade 1.25 USDC 3.5 usdc 0.000001500000000001 ETH 0.00375",
            "2026-02-01T13:00:00Z 3 trade 10 USDC 5 ACE 0.001 ETH 2.5",
            "2026-02-02T00:00:02Z 1 gas     0.00005 ETH 0.125",
            "2026-02-02T00:00:04Z 1 trade 120 ACE 0.06 ETH 0.0002 ETH 0.5",
            "2026-02-02T23:59:50Z 1 gas     0.00009 ETH 0.225",
            "2026-02-03T23:59:50Z 1 gas     0.00002 ETH 0.05",
            "2026-02-05T00:00:00Z 1 trade 0.005 ETH 8 ACE 0.0001 ETH 0.25",
            "2026-02-07T00:00:00Z 1 adopt   10 ACE   ",
            "2026-02-08T00:00:00Z 1 withdraw 5 ACE     ",
            "2026-03-01T00:00:00Z 4 trade 0.002 WETH 7 '@SUM(A1) 0.003 ETH 7.5",
            "2026-03-02T00:00:00Z 4 trade 3 '@SUM(A1) 0.001 WETH 0.003 ETH 7.5",
            "2026-03-03T00:00:00Z 5 trade 0.01 ETH 0.0000002500000000000000001 ace 0.0001 ETH 0.25",
            "2026-03-04T00:00:00Z 5 trade 0.0000002500000000000000001 ace 0.00001 ETH 0.0001 ETH 0.25",
        ]
    );
    let identity = [
        "realm",
        "chain",
        "wallet",
        "token_address",
        "quote_currency",
        "quote_address",
    ];
    let wallet = "0x1111111111111111111111111111111111111111";
    let base = format!(
        "live base {wallet} 0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa ETH 0x0000000000000000000000000000000000000000"
    );
    let rows = fields(&export(&terminal, &[]), &identity);
    assert_eq!(rows[0], base);
    assert!(rows[3].starts_with(&format!("paper base {wallet} 0xaAaAaA")));
    assert!(rows[11].starts_with(&format!("live ethereum {wallet} 0xCcCCcc")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_has_its_gain_at_the_average_cost_and_by_the_oldest_lots() {
    let terminal = ledger().await;
    let names = [
        "kind",
        "cost_basis_average_usd",
        "realized_average_usd",
        "cost_basis_fifo_usd",
        "realized_fifo_usd",
    ];
    let rows = export(&terminal, &["--all", "--live"]);
    let gains: Vec<String> = fields(&rows, &names)
        .into_iter()
        .filter(|row| row.split(' ').skip(1).any(|cost| !cost.is_empty()))
        .collect();
    assert_eq!(
        gains,
        [
            "trade 140 10 130 20",
            "adopt 20  20 ",
            "withdraw 7.03125  7.5 ",
            "dust 60.46875 -60.46875 70 -70",
            "trade 2.142857142857 0.357142857143 2.142857142857 0.357142857143",
            "trade 25 -24.975 25 -24.975",
        ]
    );
    // What came before the period counts for the cost, and is not in the file.
    let late = export(
        &terminal,
        &["--job", "1", "--from", "2026-02-02", "--to", "2026-02-02"],
    );
    assert_eq!(
        fields(&late, &names),
        ["gas    ", "trade 140 10 130 20", "gas    "]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_there_is_what_moved_nothing_too() {
    let terminal = ledger().await;
    let names = [
        "kind",
        "status",
        "sent_amount",
        "fee_amount",
        "base_amount",
        "note",
    ];
    let usual = export(&terminal, &["--job", "1"]);
    let all = export(&terminal, &["--job", "1", "--all"]);
    let more: Vec<String> = fields(&all, &names)
        .into_iter()
        .filter(|row| !fields(&usual, &names).contains(row))
        .collect();
    assert_eq!(
        more,
        [
            "budget    0 budget of the cycle",
            "trade FAILED   1 '=failed",
            "trade FAILED   1 '=failed",
            "trade FAILED   1 '=failed",
            "trade PENDING   1 ",
            "dust    43 dust",
        ]
    );
    let notes = fields(&usual, &["kind", "note"]);
    for note in ["gas approve", "gas reverted swap: =failed", "gas cancel: =failed"] {
        assert!(notes.iter().any(|row| row == note), "{note}: {notes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_filters() {
    let terminal = ledger().await;
    for (args, jobs) in [
        (&["--live"] as &[&str], "1245"),
        (&["--paper"], "3"),
        (&["--chain", "ethereum"], "4"),
        (&["--chain", "base"], "1235"),
        (&["--chain", "base", "--paper"], "3"),
        (&["--job", "5"], "5"),
        (&["--job", "#4"], "4"),
        (&["4"], "4"),
        (&["@sum(a1)"], "4"),
        (&["0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], "13"),
        (&["0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "--live"], "1"),
        (&["--chain", "arbitrum"], ""),
        (&["--from", "2026-03-02T00:00Z"], "45"),
        (&["--to", "2026-03-01T01:00+01:00"], "123"),
        (&["--to", "2026-02-01", "--zone", "Asia/Tokyo"], "123"),
        (
            &[
                "--from",
                "2026-02-01 21:00",
                "--to",
                "2026-02-01 21:01",
                "--zone",
                "Asia/Tokyo",
            ],
            "2",
        ),
        (
            &[
                "--from",
                "2026-02-01 20:59",
                "--to",
                "2026-02-01 21:00",
                "--zone",
                "Asia/Tokyo",
            ],
            "",
        ),
    ] {
        let numbers = |rows: &[Row]| {
            let mut found: Vec<String> = rows.iter().map(|row| row["job"].clone()).collect();
            found.sort();
            found.dedup();
            found.concat()
        };
        assert_eq!(numbers(&export(&terminal, args)), jobs, "{args:?}");
        let trades = terminal.ok(&[&["trades", "--json"], args].concat());
        let trades: Vec<serde_json::Value> = serde_json::from_str(&trades).expect("JSON");
        let mut listed: Vec<String> = trades.iter().map(|trade| trade["job"].to_string()).collect();
        listed.sort();
        listed.dedup();
        // A trade of which only the gas lies in the period is listed when it ended.
        assert_eq!(listed.concat(), jobs, "trades {args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_that_follow_each_other_share_no_row_and_miss_none() {
    let terminal = ledger().await;
    let whole = terminal.ok(&["export", "--all"]);
    assert_eq!(terminal.ok(&["export", "--all"]), whole);
    for (zone, cut, last) in [
        ("UTC", "2026-02-01", "2026-01-31"),
        ("Europe/Berlin", "2026-02-02", "2026-02-01"),
        ("UTC", "2026-02-02T00:00:04", "2026-02-02T00:00:04"),
        ("America/New_York", "2026-02-03T19:00", "2026-02-03T19:00"),
    ] {
        let first = terminal.ok(&["export", "--all", "--to", last, "--zone", zone]);
        let second = terminal.ok(&["export", "--all", "--from", cut, "--zone", zone]);
        let (_, rows) = second.split_once('\n').expect("a header");
        assert_eq!(format!("{first}{rows}"), whole, "{zone} {cut}");
        assert!(
            first.lines().count() > 1 && rows.lines().count() > 1,
            "{zone} {cut}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_the_rows_of_the_csv_file() {
    let terminal = ledger().await;
    let json = terminal.ok(&["export", "--format", "json", "--all"]);
    assert_eq!(terminal.ok(&["--json", "export", "--all"]), json);
    let json: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&json).expect("JSON");
    let rows = export(&terminal, &["--all"]);
    assert_eq!(json.len(), rows.len());
    for (object, row) in json.iter().zip(&rows) {
        assert_eq!(object.len(), row.len());
        for (key, value) in object {
            let text = match value {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) if text.starts_with(['=', '@']) => format!("'{text}"),
                serde_json::Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            assert_eq!(text, row[key], "{key}");
        }
    }
    let nothing = terminal.ok(&["export", "--format", "json", "--chain", "arbitrum"]);
    assert_eq!(nothing, "[]\n");
}

/// Gas of a real run, over all rows: what the wallet paid, to the last wei.
#[tokio::test(flavor = "multi_thread")]
async fn the_gas_of_a_run_adds_up_to_what_the_wallet_paid() {
    let terminal = Terminal::new().await;
    terminal.start(&["--set", "accumulate.dca_interval=1s"]);
    let native = async |terminal: &Terminal| -> Decimal {
        let sql = "SELECT amount / 1e18 FROM paper.balances WHERE asset = 'native'";
        sqlx::query_scalar(sql)
            .fetch_one(&terminal.pool)
            .await
            .expect("a balance")
    };
    terminal.ok(&["tick", TOKEN]);
    let after_one = native(&terminal).await;
    let first: Decimal = export(&terminal, &[])[0]["fee_amount"].parse().expect("a number");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    terminal.ok(&["paper", "fault", "revert", "--times", "1"]);
    terminal.ok(&["tick", TOKEN]);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    terminal.ok(&["liquidate", TOKEN]);
    terminal.ok(&["tick", TOKEN]);
    let rows = export(&terminal, &[]);
    assert_eq!(fields(&rows, &["kind"]), ["trade", "gas", "trade"]);
    let sum = |name: &str| -> Decimal {
        let numbers = rows
            .iter()
            .map(|row| row[name].parse::<Decimal>().expect("a number"));
        numbers.sum()
    };
    assert_eq!(sum("fee_amount") - first, after_one - native(&terminal).await);
    let in_ledger: Decimal = sqlx::query_scalar("SELECT sum(gas_usd)::numeric FROM trades")
        .fetch_one(&terminal.pool)
        .await
        .expect("gas");
    assert_eq!(sum("gas_usd"), in_ledger);
}
