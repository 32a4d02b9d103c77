//! What the owner took out, in the books: neither a sale nor a loss, and its gas is a cost.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Row, export, fields, ledger, parsed};
use crate::terminal::Terminal;

const RECEIVER: &str = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE";

async fn taken() -> Terminal {
    let terminal = ledger().await;
    let mut connection = terminal.pool.acquire().await.expect("a connection");
    sqlx::raw_sql(include_str!("payouts.sql"))
        .execute(&mut *connection)
        .await
        .expect("the withdrawals");
    terminal
}

/// The rows of withdrawals, by the column that says so.
fn of_withdrawals(rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter()
        .filter(|row| !row["withdrawal"].is_empty())
        .collect()
}

fn json_of(terminal: &Terminal, args: &[&str]) -> Value {
    serde_json::from_str(&terminal.ok(&[args, &["--json"]].concat())).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_is_a_row_that_sells_nothing_and_pays_its_gas() {
    let terminal = taken().await;
    let rows = export(&terminal, &[]);
    let all: Vec<String> = rows.iter().map(|row| row["at"].clone()).collect();
    assert!(all.is_sorted(), "{all:?}");
    let names = [
        "kind",
        "withdrawal",
        "job",
        "status",
        "sent_amount",
        "sent_currency",
        "received_amount",
        "fee_amount",
        "fee_currency",
        "gas_usd",
        "quote_usd",
        "realized_average_usd",
        "failure_kind",
    ];
    let paid = of_withdrawals(rows);
    assert_eq!(
        fields(&paid, &names),
        [
            "payout 1  EXECUTED 1.5 ETH  0.000021 ETH 0.0525 3750.25  ",
            "payout 2  EXECUTED 25 USDC  0.00004 ETH 0.1 25  ",
            "payout 3  EXECUTED 7 ACE  0.00004 ETH 0.1   ",
            "gas 4      0.00003 ETH 0.075   reverted",
            "gas 5      0.00002 ETH 0.05   cancelled",
        ]
    );
    assert_eq!(
        fields(&paid, &["note"]),
        [
            format!("to {RECEIVER}"),
            format!("to {RECEIVER}"),
            format!("to {RECEIVER}"),
            format!("reverted transfer; to {RECEIVER}; nothing was paid"),
            format!("cancel; to {RECEIVER}; not mined for a day"),
        ]
    );
    assert!(
        paid[0]["link"].starts_with("https://basescan.org/tx/0x"),
        "{:?}",
        paid[0]
    );
    let open = of_withdrawals(export(&terminal, &["--all"]));
    assert_eq!(fields(&open[5..], &names), ["payout 6  SUBMITTED         "]);
    assert_eq!(fields(&open[5..], &["base_amount", "symbol"]), ["4 ETH"]);
    // It belongs to a wallet: neither a job's nor paper's books have it, another period and chain have not either.
    for without in [
        ["--job", "1"].as_slice(),
        &["0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa", "--live"],
        &["--paper"],
        &["--chain", "ethereum"],
        &["--to", "2026-01-31"],
    ] {
        assert!(
            of_withdrawals(export(&terminal, without)).is_empty(),
            "{without:?}"
        );
    }
    let one = of_withdrawals(export(&terminal, &["--from", "2026-02-09", "--to", "2026-02-09"]));
    assert_eq!(fields(&one, &["withdrawal"]), ["2"]);
}

/// Balances by currency as a tool adds them up; all that came in less all that went out and was paid.
#[tokio::test(flavor = "multi_thread")]
async fn tax_tools_see_what_left_the_wallet_as_withdrawals_with_their_fees() {
    let terminal = taken().await;
    let of = |tool: &str, description: &str| {
        let rows = parsed(&terminal.ok(&["export", "--format", tool]));
        rows.into_iter()
            .filter(|row| row[description].contains("withdrawal "))
            .collect::<Vec<Row>>()
    };
    let koinly = [
        "Sent Amount",
        "Sent Currency",
        "Received Amount",
        "Fee Amount",
        "Fee Currency",
        "Net Worth Amount",
        "Label",
    ];
    assert_eq!(
        fields(&of("koinly", "Description"), &koinly),
        [
            "1.5 ETH  0.000021 ETH  ",
            "25.0 USDC  0.00004 ETH  ",
            "7.0 ACE  0.00004 ETH  ",
            "0.00003 ETH    0.075 cost",
            "0.00002 ETH    0.05 cost",
        ]
    );
    // CoinTracking takes the fee out of the sold amount, or of a row of its own.
    let tracking = ["Type", "Sell Amount", "Sell Currency", "Fee", "Trade-Group"];
    assert_eq!(
        fields(&of("cointracking", "Comment"), &tracking),
        [
            "Withdrawal 1.500021 ETH 0.000021 withdrawals",
            "Withdrawal 25 USDC  withdrawals",
            "Other Fee 0.00004 ETH  withdrawals",
            "Withdrawal 7 ACE  withdrawals",
            "Other Fee 0.00004 ETH  withdrawals",
            "Other Fee 0.00003 ETH  withdrawals",
            "Other Fee 0.00002 ETH  withdrawals",
        ]
    );
    let tracker = parsed(&terminal.ok(&["export", "--format", "cointracker"]));
    let out: Decimal = tracker
        .iter()
        .filter(|row| {
            row["Sent Currency"] == "ETH"
                && row["Received Currency"].is_empty()
                && row["Fee Amount"] == "0.000021"
        })
        .map(|row| row["Sent Quantity"].parse::<Decimal>().expect("a number"))
        .sum();
    assert_eq!(out, Decimal::new(15, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn pnl_shows_what_was_taken_out_next_to_the_net_and_counts_its_gas() {
    let terminal = ledger().await;
    let before = json_of(&terminal, &["pnl", "--live", "--by", "day"]);
    assert_eq!(before["realms"][0]["taken_out"], Value::Null);
    drop(terminal);
    let terminal = taken().await;
    let after = json_of(&terminal, &["pnl", "--live", "--by", "day"]);
    let (was, is) = (&before["realms"][0], &after["realms"][0]);
    let taken = &is["taken_out"];
    assert_eq!(taken["withdrawals"], 3);
    assert_eq!(taken["value_usd"], Value::Null, "ACE has no price feed");
    assert_eq!(taken["gas_usd"], "0.3775");
    assert_eq!(
        taken["assets"],
        json!([
            { "chain": "base", "symbol": "USDC", "amount": "25", "value_usd": "25" },
            { "chain": "base", "symbol": "ACE", "amount": "7", "value_usd": null },
            { "chain": "base", "symbol": "ETH", "amount": "1.5", "value_usd": "3750.25" },
        ])
    );
    let number = |value: &Value| {
        value
            .as_str()
            .expect("a text")
            .parse::<Decimal>()
            .expect("a number")
    };
    let gas = Decimal::new(3775, 4);
    assert_eq!(
        number(&is["total"]["gas_usd"]) - number(&was["total"]["gas_usd"]),
        gas
    );
    assert_eq!(
        number(&was["total"]["net_usd"]) - number(&is["total"]["net_usd"]),
        gas
    );
    assert_eq!(is["total"]["realized_usd"], was["total"]["realized_usd"]);
    assert_eq!(is["jobs"], was["jobs"], "no job's figures move");
    let parts: Decimal = is["periods"]
        .as_array()
        .expect("days")
        .iter()
        .map(|day| number(&day["gas_usd"]))
        .sum();
    assert_eq!(parts, number(&is["total"]["gas_usd"]), "each day has its part");
    let of_job = json_of(&terminal, &["pnl", "--live", "--job", "1"]);
    assert_eq!(of_job["realms"][0]["taken_out"], Value::Null);
    let shown = terminal.ok(&["pnl", "--live"]);
    assert!(
        shown.contains("withdrawals") && shown.contains("taken out, not part of net: 25 USDC on base (25.00 USD), 7 ACE on base, 1.5 ETH on base (3750.25 USD)"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_each_withdrawal_when_it_was_ordered_and_how_it_ended() {
    let terminal = taken().await;
    let said = terminal.ok(&["logs", "--since", "2026-01-01", "--limit", "1000"]);
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(" withdrawal ") || line.contains(" payout "))
        .collect();
    assert_eq!(lines.len(), 11, "six orders and five ends: {said}");
    for expected in [
        format!(
            "LIVE base withdrawal 1  withdrawal SUBMITTED: 1.5 ETH to {}",
            RECEIVER
        ),
        format!(
            "LIVE base withdrawal 1  payout EXECUTED: 1.5 ETH (3750.25 USD) to {}, gas 0.05 USD",
            RECEIVER
        ),
        "payout FAILED: 2 ETH to".to_owned(),
    ] {
        assert!(
            lines.iter().any(|line| line.contains(&expected)),
            "{expected}\n{said}"
        );
    }
    let bought = ": bought 100 ACE for 0.04 ETH (100.00 USD), gas 0.25 USD";
    assert!(said.contains(bought), "{said}");
    let of_job = terminal.ok(&["logs", "1", "--since", "2026-01-01"]);
    assert!(
        !of_job.contains("payout") && of_job.contains("bought"),
        "{of_job}"
    );
}
