//! `--mode basket`: started from a file and from flags, seen, stopped, sold and removed.

mod backtest;
mod report;
mod sold;
mod together;

use crate::{pnl::json, terminal::Terminal};

const FIRST: &str = "0x0000000000000000000000000000000000000001";
const SECOND: &str = "0x0000000000000000000000000000000000000002";

fn start(token: &'static str, symbol: &'static str) -> [&'static str; 15] {
    [
        "start",
        token,
        "--symbol",
        symbol,
        "--mode",
        "basket",
        "--budget",
        "100",
        "--config",
        "index.toml",
        "--set",
        "price.generated.swing_pct=0",
        "--set",
        "limits.max_position_usd=0",
        "--quiet",
    ]
}

fn said(terminal: &Terminal, args: &[&str], expected: &[&str]) {
    let ran = terminal.run(args);
    for word in expected {
        assert!(
            ran.stdout.contains(word),
            "{args:?} said {}, not {word}",
            ran.story()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_started_from_a_file_buys_its_shares_and_is_stopped_and_sold_like_other_jobs() {
    let terminal = Terminal::new().await;
    terminal.file(
        "index.toml",
        "[price]\nsources = [\"generated\"]\n[basket]\nname = \"index\"\nmembers = 2\n",
    );
    let start = |token, symbol| start(token, symbol)[..14].to_vec();
    said(
        &terminal,
        &start(FIRST, "ONE"),
        &["job 1 (ONE, paper on base): started in mode BASKET"],
    );
    said(&terminal, &["tick", "ONE"], &["basket_incomplete"]);
    said(&terminal, &start(SECOND, "TWO"), &["started in mode BASKET"]);
    // Each knows the other by the price that it accepted last.
    said(&terminal, &["tick", "TWO"], &["trade 1"]);
    said(&terminal, &["tick", "ONE"], &["trade 2"]);
    for token in ["ONE", "TWO"] {
        said(&terminal, &["tick", token], &["basket_in_balance"]);
        said(&terminal, &["status", token], &["basket", "share of its basket"]);
    }
    let jobs = json(&terminal, &["list"]);
    assert_eq!(
        (&jobs[0]["mode"], &jobs[1]["mode"]),
        (&"BASKET".into(), &"BASKET".into())
    );
    said(&terminal, &["trades"], &["REBALANCE"]);
    said(&terminal, &["pause", "ONE", "TWO"], &["ONE", "TWO", "PAUSED"]);
    said(&terminal, &["resume", "ONE", "TWO"], &["RUNNING"]);
    let edit = ["config", "edit", "ONE", "--set", "basket.weight=3", "--yes"];
    said(&terminal, &edit, &["basket.weight"]);
    // A quarter is enough for the second: it sells, and what it gets is not the first one's before it is final.
    said(&terminal, &["tick", "TWO"], &["trade 3"]);
    said(&terminal, &["tick", "ONE"], &["basket_quote"]);
    sqlx::query("DELETE FROM fill_watches")
        .execute(&terminal.pool)
        .await
        .expect("final");
    said(
        &terminal,
        &["tick", "ONE"],
        &["basket_quote", "were moved from other members"],
    );
    said(&terminal, &["tick", "ONE"], &["trade 4"]);
    said(&terminal, &["liquidate", "ONE", "TWO", "--yes"], &["LIQUIDATING"]);
    for token in ["ONE", "TWO"] {
        terminal.run(&["tick", token]);
        terminal.run(&["tick", token]);
        said(&terminal, &["status", token], &["IDLE"]);
        said(&terminal, &["remove", token, "--yes"], &["removed"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_basket_cannot_do_is_refused_by_name() {
    let terminal = Terminal::new().await;
    let base = start(FIRST, "ONE");
    terminal.file("index.toml", "[price]\nsources = [\"generated\"]\n");
    for (key, says) in [
        ("basket.members=1", "2 to 100"),
        ("basket.weight=0", "above 0"),
        ("basket.band_pct=100", "up to 99"),
        ("basket.name=My Index", "a-z"),
    ] {
        let mut args = base[..14].to_vec();
        args.extend(["--set", key]);
        let ran = terminal.run(&args);
        assert!(
            ran.code == 2 && ran.stderr.contains(says),
            "{key}: {}",
            ran.story()
        );
    }
    terminal.file(
        "p.csv",
        "time,price\n2026-01-01T00:00:00Z,1\n2026-01-02T00:00:00Z,2\n",
    );
    let ran = terminal.run(&["backtest", "--prices", "p.csv", "--mode", "basket"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("--prices once for each member"),
        "{}",
        ran.story()
    );
    terminal.ok(&base[..14]);
    let ran = terminal.run(&["replay", "ONE"]);
    assert!(
        ran.code == 4 && ran.stderr.contains("member of a basket"),
        "{}",
        ran.story()
    );
}

/// What goes from one member to another is still its owner's: no token left, and nothing was earned.
#[tokio::test(flavor = "multi_thread")]
async fn quote_that_moves_within_a_basket_is_no_sale_and_no_loss_in_an_export() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    sqlx::query(
        "INSERT INTO adjustments (job_id, cycle, kind, quote_delta, cost_delta, note)
         VALUES (1, 1, 'withdraw', -5000000, -5, 'moved to job 2 of its basket')",
    )
    .execute(&terminal.pool)
    .await
    .expect("a move");
    let all = json(&terminal, &["export", "--all", "--format", "json"]);
    let rows = all["rows"].as_array().or(all.as_array()).expect("rows");
    let moved = rows
        .iter()
        .find(|row| row["note"].as_str().is_some_and(|note| note.starts_with("moved")));
    let moved = moved.unwrap_or_else(|| panic!("{all}"));
    assert_eq!(moved["kind"], "budget", "{moved}");
    for field in [
        "sent_amount",
        "received_amount",
        "cost_basis_average_usd",
        "cost_basis_fifo_usd",
        "realized_average_usd",
    ] {
        assert!(moved[field].is_null(), "{field}: {moved}");
    }
}
