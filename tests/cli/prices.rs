//! `prices`: a generated series that never changes.

use crate::terminal::{Ran, TOKEN, Terminal, program};

fn prices(args: &[&str]) -> Ran {
    let all: Vec<&str> = ["prices"].into_iter().chain(args.iter().copied()).collect();
    Ran::of(&program(&all).output().expect("our own program runs"))
}

#[test]
fn the_same_arguments_give_the_same_prices_for_ever() {
    let args = ["--for", "3h", "--every", "1h", "--seed", "7"];
    let ran = prices(&args);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        ran.stdout,
        "# INVENTED prices: generated; seed 7; mean 1 USD; swings of 40 % in about 40d\ntime,price\n2026-01-01T00:00:00Z,0.8271296168\n2026-01-01T01:00:00Z,0.8271510388\n2026-01-01T02:00:00Z,0.8277683256\n\
         2026-01-01T03:00:00Z,0.828937864\n"
    );
    assert_eq!(prices(&args).stdout, ran.stdout);
    assert_ne!(
        prices(&["--for", "3h", "--every", "1h", "--seed", "8"]).stdout,
        ran.stdout
    );
}

#[test]
fn a_file_gets_every_row_and_its_name_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("prices.csv");
    let ran = prices(&[
        "--out",
        file.to_str().expect("a path"),
        "--for",
        "90d",
        "--every",
        "1h",
    ]);
    assert!(
        ran.code == 0 && ran.stderr.contains("2161 generated prices written to"),
        "{}",
        ran.stderr
    );
    let text = std::fs::read_to_string(&file).expect("the file");
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!((rows.len(), rows[1]), (2163, "time,price"));
    assert!(rows[0].starts_with("# INVENTED prices: "), "{}", rows[0]);
    assert!(rows[2162].starts_with("2026-04-01T00:00:00Z,"), "{}", rows[2162]);

    let path = file.to_str().expect("a path");
    let again = prices(&["--out", path, "--for", "2h"]);
    assert!(
        again.code == 4 && again.stderr.contains("--force"),
        "{}",
        again.story()
    );
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), text);
    let replaced = prices(&["--out", path, "--force", "--for", "2h"]);
    assert_eq!(replaced.code, 0, "{}", replaced.story());
    let rows = std::fs::read_to_string(&file).expect("the file").lines().count();
    assert!(rows < 20, "{rows}");
    assert_eq!(prices(&["--out", "/dev/null", "--for", "2h"]).code, 0);
}

#[test]
fn a_series_that_cannot_be_is_refused() {
    for (args, named) in [
        (["--every", "0s"], vec!["--every 0s", "longer than 0"]),
        (
            ["--every", "1ms"],
            vec!["more than 20000000 rows", "longer --every"],
        ),
        (["--swing-pct", "95"], vec!["price.generated.swing_pct", "95"]),
        (["--start-usd", "0"], vec!["price.generated.start_usd", "0"]),
        (["--period", "1s"], vec!["price.generated.period", "1s"]),
        (["--out", "/nowhere/prices.csv"], vec!["/nowhere/prices.csv"]),
    ] {
        let ran = prices(&args);
        assert!(ran.code != 0 && ran.stdout.is_empty(), "{args:?}");
        for name in named {
            assert!(
                ran.stderr.contains(name),
                "{args:?} does not name {name:?}: {}",
                ran.stderr
            );
        }
    }
}

#[test]
fn a_series_that_would_end_after_tomorrow_says_where_to_begin() {
    let args = ["--for", "4000d", "--every", "10d"];
    let ran = prices(&args);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    let advised = ran.stderr.split("use --from ").nth(1).expect("advice");
    let from = advised.split_whitespace().next().expect("a time");
    let ran = prices(&[&args[..], &["--from", from]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // What it writes, a backtest reads.
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("p.csv");
    std::fs::write(&file, ran.stdout).expect("a file");
    let args = [
        "backtest",
        "--mode",
        "accumulate",
        "--prices",
        file.to_str().expect("a path"),
    ];
    let ran = Ran::of(&program(&args).output().expect("our own program runs"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_series_that_no_reader_takes_is_not_written() {
    for (args, said) in [
        (
            &["--from", "2008-12-31T23:59:59Z", "--for", "10d", "--every", "1d"][..],
            "--from 2008-12-31 23:59:59 UTC: before 2009-01-01",
        ),
        (&["--for", "9000d", "--every", "10d"][..], "use a shorter --for"),
    ] {
        let ran = prices(args);
        assert!(ran.code == 2 && ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_does_not_start_on_a_file_that_cannot_be_read() {
    let terminal = Terminal::new().await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("p.csv");
    let set = format!("price.recorded.file={}", file.display());
    let prices = ["--set", "price.sources=[\"recorded\"]", "--set", &set];
    let start = [
        &["start", TOKEN, "--mode", "accumulate", "--symbol", "TT"][..],
        &prices,
    ]
    .concat();
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    for (text, said) in [
        (None, "No such file"),
        (
            Some("when,much\n1,2\n"),
            "line 1 is neither a row of time and price nor a header",
        ),
        (
            Some("time,price\n5,1\n"),
            "line 2: the time was read as 1970-01-01T00:00:05Z",
        ),
        (
            Some("time,price\n2026-01-01,1\n2026-01-02,oops\n"),
            "line 3: no price",
        ),
    ] {
        text.map(write);
        let ran = terminal.run(&start);
        assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
        for said in [said, "price.recorded.file", "cannot be used"] {
            assert!(ran.stderr.contains(said), "no {said} in {}", ran.stderr);
        }
    }
    terminal.start(&[]);
    let edit = [&["config", "edit", TOKEN][..], &prices].concat();
    let ran = terminal.run(&edit);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    write("time,price\n1767312000000,2\n1767225600000,1\n");
    terminal.ok(&edit);
}
