//! `backtest`: what it shows, and what it says about files that cannot be used.

use std::fmt::Write;

use crate::terminal::{Ran, program};

/// Runs the program without any database, in a directory with these files.
fn run(files: &[(&str, &str)], args: &[&str]) -> (Ran, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    let output = program(&[&["backtest"], args].concat())
        .current_dir(dir.path())
        .env("HOME", dir.path())
        .output();
    (Ran::of(&output.expect("our own program runs")), dir)
}

/// Six days of hours: down by a third in two days, up by four fifths in four.
fn hours() -> String {
    let mut csv = "time,price\n".to_owned();
    for hour in 0..144_i64 {
        let cents = if hour < 48 {
            30_000 - 200 * hour
        } else {
            20_400 + 150 * (hour - 48)
        };
        writeln!(
            csv,
            "{},{}.{:02}",
            1_767_225_600 + 3_600 * hour,
            cents / 100,
            cents % 100
        )
        .expect("text");
    }
    csv
}

const JOB: &str = "[accumulate]\ndca_interval = \"12h\"\ntake_profit_pct = 30\n";

#[test]
fn a_table_and_json_and_trades() {
    let hours = hours();
    let files = [("prices.csv", hours.as_str()), ("job.toml", JOB)];
    let args = [
        "--prices",
        "prices.csv",
        "--config",
        "job.toml",
        "--trades",
        "trades.csv",
    ];
    let (ran, dir) = run(&files, &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!("backtest", ran.story());
    let trades = std::fs::read_to_string(dir.path().join("trades.csv")).expect("trades");
    insta::assert_snapshot!("backtest_trades", trades);
    let (ran, _) = run(
        &files,
        &["--prices", "prices.csv", "--config", "job.toml", "--json"],
    );
    let mut parsed: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let all = parsed["trades"].as_array().expect("trades").len();
    assert_eq!(all, trades.lines().count() - 1);
    // The whole configuration is snapshot elsewhere, and points are many.
    for (key, most) in [("points", 1), ("trades", 1), ("holds", 2)] {
        parsed[key].as_array_mut().expect("a list").truncate(most);
    }
    for key in ["config", "costs"] {
        parsed["setup"][key].take();
    }
    insta::assert_snapshot!(
        "backtest_json",
        serde_json::to_string_pretty(&parsed).expect("JSON")
    );
}

#[test]
fn liquidity_over_candles() {
    let mut csv = "timestamp;open;high;low;close\n".to_owned();
    for (minute, price) in (0..600_i64).map(|minute| (minute, 1_000 + (minute * 7 % 120 - 60).abs() * 2)) {
        let millis = (1_767_225_600 + 60 * minute) * 1_000;
        writeln!(csv, "{millis};1;9;0.1;{price}").expect("text");
    }
    let args = [
        "--prices",
        "p.csv",
        "--mode",
        "liquidity",
        "--set",
        "liquidity.ma_window=1h",
    ];
    let (ran, _) = run(&[("p.csv", &csv)], &args);
    insta::assert_snapshot!("backtest_liquidity", ran.story());
}

#[test]
fn one_series_in_every_notation_is_one_series() {
    let rows = [
        (0, "2026-01-01", "1.50"),
        (1, "2026-01-02", "1.75"),
        (2, "2026-01-03", "1.25"),
        (3, "2026-01-04", "2.0"),
    ];
    let midnight = |day: i64| 1_767_225_600 + 86_400 * day;
    let lines = |line: &dyn Fn(i64, &str, &str) -> String| -> String {
        rows.iter()
            .map(|(day, date, price)| line(*day, date, price) + "\n")
            .collect()
    };
    let seconds = |day: i64, price: &str| format!("{},{price}", midnight(day));
    let files = [
        lines(&|day, _, price| seconds(day, price)),
        "Time, Price\n".to_owned() + &lines(&|day, _, price| seconds(day, price)),
        "price;unix\r\n".to_owned() + &lines(&|day, _, price| format!("{price};{}\r", midnight(day) * 1_000)),
        "\"date\",\"symbol\",\"price\"\n".to_owned()
            + &lines(&|_, date, price| format!("\"{date}\",\"X\",\"{price}\"")),
        "\u{feff}timestamp\tvalue\n".to_owned()
            + &lines(&|_, date, price| format!("{date}T01:00:00+01:00\t{price}")),
        "date,price\n".to_owned() + &lines(&|_, date, price| format!("{date} 00:00:00 UTC,{price}000e0")),
    ];
    let told: Vec<String> = files
        .iter()
        .map(|file| {
            let (ran, _) = run(&[("p.csv", file)], &["--prices", "p.csv", "--mode", "accumulate"]);
            assert_eq!(ran.code, 0, "{file}\n{}", ran.stderr);
            ran.stdout
        })
        .collect();
    for (file, other) in files.iter().zip(&told) {
        assert_eq!(other, &told[0], "{file}");
    }
}

#[test]
fn every_bad_row_is_named_and_may_be_left_out() {
    let good = |row: i64| format!("{},1\n", 1_767_225_600 + 60 * row);
    let mut csv = "time,price\n".to_owned() + &good(0) + "noon,1\n" + &good(2) + &good(1);
    csv += "1767225780,-4\n1767225840\n1767225900,many\n";
    csv += &(good(6) + &good(6) + &good(60));
    let (ran, _) = run(&[("p.csv", &csv)], &["--prices", "p.csv", "--mode", "accumulate"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!("backtest_bad_rows", ran.stderr);
    let args = [
        "--prices",
        "p.csv",
        "--mode",
        "accumulate",
        "--skip-bad",
        "--json",
    ];
    let (ran, _) = run(&[("p.csv", &csv)], &args);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    insta::assert_snapshot!(
        "backtest_skipped",
        serde_json::to_string_pretty(&told["series"]).expect("JSON")
    );
    // Hundreds are not all printed.
    let bad = "time,price\n".to_owned() + &"x,1\n".repeat(500);
    let (ran, _) = run(&[("p.csv", &bad)], &["--prices", "p.csv", "--mode", "accumulate"]);
    assert!(ran.stderr.contains("500 rows cannot be used"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("line 21: ") && !ran.stderr.contains("line 22: "),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.ends_with("and 480 more\n"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_run_says_what_to_do() {
    let csv = "time,price\n1767225600,1\n1767225660,2\n";
    for (args, said) in [
        (vec!["--prices", "p.csv"], "--mode accumulate, liquidity or order"),
        (
            vec!["--prices", "none.csv", "--mode", "accumulate"],
            "cannot read none.csv",
        ),
        (
            vec!["--prices", "when.csv", "--mode", "accumulate"],
            "when, much; write a header",
        ),
        (
            vec!["--prices", "empty.csv", "--mode", "accumulate"],
            "the file is empty",
        ),
        (
            vec![
                "--prices",
                "p.csv",
                "--mode",
                "accumulate",
                "--from",
                "2027-01-01",
            ],
            "no rows between --from and --to",
        ),
        (
            vec!["--prices", "p.csv", "--mode", "accumulate", "--from", "soon"],
            "2026-01-31T12:00:00Z",
        ),
        (
            vec!["--prices", "p.csv", "--set", "accumulate.dca=1"],
            "did you mean accumulate.dca_",
        ),
        (
            vec!["--prices", "p.csv", "--set", "liquidity.spread_pct=99"],
            "liquidity.spread_pct = 99 is not allowed",
        ),
        (
            vec!["--prices", "p.csv", "--mode", "accumulate", "--decimals", "37"],
            "37",
        ),
        (
            vec![
                "--prices",
                "p.csv",
                "--mode",
                "accumulate",
                "--trades",
                "no/where.csv",
            ],
            "--trades no/where.csv: its directory is not there",
        ),
    ] {
        let files = [
            ("p.csv", csv),
            ("when.csv", "when,much\n1,2\n"),
            ("empty.csv", ""),
        ];
        let (ran, _) = run(&files, &args);
        assert_eq!(ran.code, 2, "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?} said {}", ran.stderr);
    }
}
