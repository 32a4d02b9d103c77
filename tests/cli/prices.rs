//! `prices`: a generated series that never changes.

use crate::terminal::{Ran, program};

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
        "time,price\n2026-01-01T00:00:00Z,0.8271296168\n2026-01-01T01:00:00Z,0.8271510388\n2026-01-01T02:00:00Z,0.8277683256\n\
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
    assert_eq!((rows.len(), rows[0]), (2162, "time,price"));
    assert!(rows[2161].starts_with("2026-04-01T00:00:00Z,"), "{}", rows[2161]);
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
