//! Selections and files that are refused.

use super::*;

type Case = (&'static [&'static str], i32, &'static [&'static str]);

const REFUSED: &[Case] = &[
    (
        &["export", "--chain", "bse"],
        2,
        &["--chain bse", "base, ethereum"],
    ),
    (
        &["trades", "--chain", "bse"],
        2,
        &["--chain bse", "base, ethereum"],
    ),
    (&["export", "NONE"], 3, &["NONE", "lgi-mm list"]),
    (&["export", "--job", "77"], 3, &["job 77"]),
    (&["export", "--job", "x"], 2, &["--job", "'x'", "lgi-mm list"]),
    (&["export", "--job", "1", "--paper"], 3, &["job 1", "paper"]),
    (&["export", "ace"], 2, &["0xaAaAaA", "0xABaBaB", "--job N"]),
    (&["export", "--live", "--paper"], 2, &["--live", "--paper"]),
    (
        &["export", "--from", "01/02/2026"],
        2,
        &["--from 01/02/2026", "2026-01-31"],
    ),
    (
        &["export", "--to", "2026-02-30"],
        2,
        &["--to 2026-02-30", "no such day"],
    ),
    (
        &["export", "--from", "2026-02-01T25:00"],
        2,
        &["--from 2026-02-01T25:00"],
    ),
    (
        &["export", "--from", "2026-03-01", "--to", "2026-02-01"],
        2,
        &["--from 2026-03-01", "empty"],
    ),
    (
        &[
            "export",
            "--from",
            "2026-03-01T00:00Z",
            "--to",
            "2026-03-01T00:00Z",
        ],
        2,
        &["empty"],
    ),
    (&["export", "--zone", "UTC"], 2, &["--zone", "--from"]),
    (
        &["export", "--zone", "Mars/Olympus", "--from", "2026-01-01"],
        2,
        &["--zone Mars/Olympus"],
    ),
    (&["export", "--format", "xls"], 2, &["xls", "koinly"]),
    (
        &["--json", "export", "--format", "koinly"],
        2,
        &["--json", "koinly"],
    ),
    (
        &["export", "--format", "cointracker", "--all"],
        2,
        &["--all", "cointracker"],
    ),
    // Job 3 trades on paper, job 1 live.
    (
        &["export", "--format", "koinly", "--job", "3"],
        3,
        &["job 3", "trades on paper", "--paper"],
    ),
    (
        &["trades", "--paper", "--job", "1"],
        3,
        &["job 1", "trades live", "--live"],
    ),
    (&["export", "--out", "."], 2, &["--out .", "directory"]),
    (
        &["export", "--from", "2026-03-29 02:30", "--zone", "Europe/Berlin"],
        2,
        &["--from 2026-03-29 02:30", "Europe/Berlin", "skips"],
    ),
    (
        &["export", "--from", "2026-10-25T02:30", "--zone", "Europe/Berlin"],
        2,
        &["comes twice", "Europe/Berlin"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_that_cannot_be_is_refused_by_name() {
    let terminal = ledger().await;
    check(&terminal, REFUSED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_complete_or_as_it_was() {
    let terminal = ledger().await;
    terminal.file("books.csv", "old");
    let failed = terminal.run(&["export", "--out", "books.csv", "--chain", "bse", "--force"]);
    assert_eq!(failed.code, 2);
    let kept = terminal.run(&["export", "--out", "books.csv"]);
    assert!(
        kept.code == 4 && kept.stderr.contains("--force"),
        "{}",
        kept.story()
    );
    assert_eq!(
        std::fs::read_to_string(terminal.path("books.csv")).expect("a file"),
        "old"
    );
    let ran = terminal.run(&["export", "--out", "books.csv", "--force"]);
    assert!(
        ran.stderr.contains("15 rows written to books.csv"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        std::fs::read_to_string(terminal.path("books.csv")).expect("a file"),
        terminal.ok(&["export"])
    );
    let left: Vec<_> = std::fs::read_dir(terminal.path("books.csv").parent().expect("a folder"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["books.csv"]);
}
