//! The files for tax tools: columns as published, and each row read as the tool reads it.

use std::collections::{BTreeMap, HashSet};

use rust_decimal::Decimal;

use super::{Row, ledger, parsed};
use crate::terminal::Terminal;

const PAGE: &str = include_str!("../../../docs/export.md");

/// What a wallet has more or less of, by currency, as a tool adds it up.
type Balances = BTreeMap<String, Decimal>;

/// What the live jobs of the ledger moved, on all chains.
fn moved() -> Balances {
    [
        // Sent and received, less the gas of ten transactions on base and of two on ethereum.
        ("ETH", "-0.031871500000000001"),
        ("ACE", "43"),
        ("USDC", "-1.25"),
        ("usdc-bbbbbbbb", "3.5"),
        ("WETH", "-0.001"),
        ("'@SUM(A1)", "4"),
        ("ace-abababab", "0"),
    ]
    .into_iter()
    .map(|(currency, amount)| (currency.to_owned(), amount.parse().expect("a number")))
    .collect()
}

/// The columns as the tool publishes them, which `docs/export.md` quotes.
fn published(tool: &str) -> &'static str {
    let (_, block) = PAGE
        .split_once(&format!("```{tool}\n"))
        .expect("the page quotes the tool's columns");
    block.lines().next().expect("a line of columns")
}

fn file(terminal: &Terminal, tool: &str) -> Vec<Row> {
    let text = terminal.ok(&["export", "--format", tool]);
    assert_eq!(text.lines().next(), Some(published(tool)), "{tool}");
    assert!(!text.contains("PAPER") && !text.contains("paper"), "{text}");
    parsed(&text)
}

/// A plain number: digits, and a point with digits behind it if `point`; never a sign, an exponent or a group.
fn number(text: &str, least: usize, most: usize) -> Decimal {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.chars().all(|digit| digit.is_ascii_digit());
    assert!(!whole.is_empty() && digits(whole) && digits(fraction), "{text}");
    assert!((least..=most).contains(&fraction.len()), "{text}");
    text.parse().expect("a number")
}

/// The amount and currency of a side: both, or neither.
fn side(row: &Row, names: (&str, &str), digits: (usize, usize)) -> Option<(String, Decimal)> {
    let (amount, currency) = (&row[names.0], &row[names.1]);
    assert_eq!(amount.is_empty(), currency.is_empty(), "{row:?}");
    (!amount.is_empty()).then(|| {
        let amount = number(amount, digits.0, digits.1);
        assert!(!amount.is_zero(), "{row:?}");
        (currency.clone(), amount)
    })
}

fn put(balances: &mut Balances, side: Option<(String, Decimal)>, sign: Decimal) {
    if let Some((currency, amount)) = side {
        *balances.entry(currency).or_default() += sign * amount;
    }
}

fn is_time(text: &str, format: &str) {
    let time = chrono::NaiveDateTime::parse_from_str(text, format).expect("a time");
    assert_eq!(time.format(format).to_string(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn koinly_reads_the_file_and_comes_to_the_same_balances() {
    let terminal = ledger().await;
    let digits = (1, 36);
    let (mut balances, mut costs) = (Balances::new(), 0);
    for row in file(&terminal, "koinly") {
        is_time(&row["Date"], "%Y-%m-%d %H:%M:%S");
        let sent = side(&row, ("Sent Amount", "Sent Currency"), digits);
        let received = side(&row, ("Received Amount", "Received Currency"), digits);
        let fee = side(&row, ("Fee Amount", "Fee Currency"), digits);
        let worth = side(&row, ("Net Worth Amount", "Net Worth Currency"), digits);
        assert!(sent.is_some() || received.is_some(), "{row:?}");
        assert!(worth.is_none_or(|(currency, _)| currency == "USD"));
        if row["Label"] == "cost" {
            assert!(received.is_none() && fee.is_none(), "{row:?}");
            costs += 1;
        } else {
            assert_eq!(row["Label"], "");
        }
        assert!(row["Description"].contains("token "), "{row:?}");
        assert!(row["TxHash"].is_empty() || row["TxHash"].len() == 66);
        put(&mut balances, sent, -Decimal::ONE);
        put(&mut balances, received, Decimal::ONE);
        put(&mut balances, fee, -Decimal::ONE);
    }
    assert_eq!((balances, costs), (moved(), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn cointracker_reads_the_file_and_comes_to_the_same_balances() {
    let terminal = ledger().await;
    let digits = (0, 8);
    let mut balances = Balances::new();
    let rows = file(&terminal, "cointracker");
    for row in &rows {
        is_time(&row["Date"], "%m/%d/%Y %H:%M:%S");
        let sent = side(row, ("Sent Quantity", "Sent Currency"), digits);
        let received = side(row, ("Received Quantity", "Received Currency"), digits);
        let fee = side(row, ("Fee Amount", "Fee Currency"), digits);
        assert!(sent.is_some() || received.is_some(), "{row:?}");
        assert_eq!(row["Tag"], "");
        put(&mut balances, sent, -Decimal::ONE);
        put(&mut balances, received, Decimal::ONE);
        put(&mut balances, fee, -Decimal::ONE);
    }
    // The ninth digit was cut, in each row at most once an amount.
    let cut = Decimal::new(3 * i64::try_from(rows.len()).expect("few"), 8);
    let exact = moved();
    assert_eq!(
        balances.keys().collect::<Vec<_>>(),
        exact.keys().collect::<Vec<_>>()
    );
    for (currency, amount) in balances {
        assert!((amount - exact[&currency]).abs() <= cut, "{currency} {amount}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cointracking_reads_the_file_and_comes_to_the_same_balances() {
    let terminal = ledger().await;
    let digits = (0, 36);
    let (mut balances, mut ids) = (Balances::new(), HashSet::new());
    let mut kinds = BTreeMap::<String, usize>::new();
    for row in file(&terminal, "cointracking") {
        is_time(&row["Date"], "%Y-%m-%d %H:%M:%S");
        let bought = side(&row, ("Buy Amount", "Buy Currency"), digits);
        let sold = side(&row, ("Sell Amount", "Sell Currency"), digits);
        // Shown, and taken from no balance: it is contained in a side of its own coin.
        if let Some((currency, fee)) = side(&row, ("Fee", "Fee Currency"), digits) {
            let contained = sold
                .as_ref()
                .is_some_and(|(coin, sold)| *coin == currency && *sold > fee);
            assert!(contained || row["Buy Currency"] == currency, "{row:?}");
        }
        let sides = (bought.is_some(), sold.is_some());
        match row["Type"].as_str() {
            "Trade" => assert_eq!(sides, (true, true), "{row:?}"),
            "Deposit" => assert_eq!(sides, (true, false), "{row:?}"),
            "Withdrawal" | "Other Fee" => assert_eq!(sides, (false, true), "{row:?}"),
            kind => panic!("CoinTracking has no type {kind}"),
        }
        assert!(row["Exchange"].starts_with("lgi-mm ") && row["Trade-Group"].starts_with("job "));
        assert!(
            row["Tx-ID"].is_empty() || ids.insert(row["Tx-ID"].clone()),
            "{row:?}"
        );
        *kinds.entry(row["Type"].clone()).or_default() += 1;
        put(&mut balances, bought, Decimal::ONE);
        put(&mut balances, sold, -Decimal::ONE);
    }
    assert_eq!(balances, moved());
    let counted: Vec<(&str, usize)> = kinds
        .iter()
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    // Three gas rows, and four trades whose gas is a third coin or more than what came in.
    assert_eq!(
        counted,
        [("Deposit", 1), ("Other Fee", 7), ("Trade", 9), ("Withdrawal", 1)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_trades_get_into_no_books_unasked() {
    let terminal = ledger().await;
    for tool in ["koinly", "cointracker", "cointracking"] {
        let live = terminal.run(&["export", "--format", tool]);
        assert!(
            live.stderr.contains("--paper exports the simulated ones"),
            "{}",
            live.stderr
        );
        assert_eq!(live.stdout, terminal.ok(&["export", "--format", tool, "--live"]));
        let paper = terminal.run(&["export", "--format", tool, "--paper"]);
        assert!(paper.stderr.contains("simulated"), "{}", paper.stderr);
        assert!(paper.stdout.lines().count() > 1);
        if tool != "cointracker" {
            let rows = paper.stdout.lines().skip(1);
            assert!(
                rows.into_iter().all(|row| row.contains("PAPER")),
                "{}",
                paper.stdout
            );
        }
    }
}
