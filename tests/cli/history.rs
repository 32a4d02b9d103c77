//! `prices --token`: real history, from a local server in GeckoTerminal's shape.

use std::path::Path;

use crate::{
    gecko::{Answer, Gecko, POOL, TOKEN, pool},
    terminal::{Ran, program},
};

const HOUR: i64 = 3_600;
/// 2026-03-01 00:00 UTC, by `date -u -d 2026-03-01 +%s`.
const MARCH: i64 = 1_772_323_200;

fn prices(gecko: &Gecko, home: &Path, args: &[&str]) -> Ran {
    let all: Vec<&str> = ["prices", "--token", TOKEN]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    let ran = program(&all)
        .env("LGI_MM_DATA_DIR", home)
        .env("LGI_MM__GECKOTERMINAL__BASE_URL", &gecko.url)
        .env("LGI_MM__GECKOTERMINAL__REQUESTS_PER_MINUTE", "60000")
        .current_dir(home)
        .output();
    let ran = Ran::of(&ran.expect("our own program runs"));
    crate::schemas::validate(&all, ran.code, &ran.stdout, &ran.stderr);
    ran
}

/// A candle of one hour whose prices end in the number of the hour.
fn row(hour: i64) -> (i64, String) {
    let begin = MARCH + hour * HOUR;
    let price = format!("0.00{:04}", 4_000 + hour % 1_000);
    (begin, format!("[{begin},{price},{price},{price},{price},1200.5]"))
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_history_is_written_oldest_first_and_each_price_has_the_time_at_which_its_candle_closed() {
    let gecko = Gecko::start((0..5).map(row).collect());
    let home = home();
    let ran = prices(
        &gecko,
        home.path(),
        &["--from", "2026-03-01", "--to", "2026-03-01 04:00"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // The candle that begins at midnight closes at one; that of 04:00 is beyond the end.
    assert_eq!(
        ran.stdout,
        format!(
            "# Prices of 0x4ed4E862860beD51a9570b96d89aF5E1B0Efefed on base from GeckoTerminal; pool {POOL}; last prices of candles \
             of 1h\ntime,price\n2026-03-01T01:00:00Z,0.004\n2026-03-01T02:00:00Z,0.004001\n2026-03-01T03:00:00Z,0.004002\n\
             2026-03-01T04:00:00Z,0.004003\n"
        )
    );
    for told in [
        "4 prices of DEGEN on base",
        "5,123,457 USD deep",
        "no gaps",
        "uniswap-v3-base",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
}

#[test]
fn closed_candles_are_asked_for_once_and_a_longer_history_asks_only_for_the_rest() {
    let gecko = Gecko::start((0..2_500).map(row).collect());
    let home = home();
    let end = ["--to", "2026-05-01", "--out", "prices.csv", "--force"];
    let first = prices(
        &gecko,
        home.path(),
        &[&["--from", "2026-04-01"], &end[..]].concat(),
    );
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(gecko.asked().len(), 1, "{:?}", gecko.asked());
    let file = std::fs::read_to_string(home.path().join("prices.csv")).expect("the file");
    // From the midnight at which a candle closed to the last: 30 days of 24 hours, and one.
    assert_eq!(file.lines().count(), 2 + 721);
    let again = prices(
        &gecko,
        home.path(),
        &[&["--from", "2026-04-01"], &end[..]].concat(),
    );
    assert_eq!((again.code, gecko.asked().len()), (0, 1));
    assert!(again.stderr.contains("on disk already"), "{}", again.stderr);
    let longer = prices(
        &gecko,
        home.path(),
        &[&["--from", "2026-03-05"], &end[..]].concat(),
    );
    assert_eq!((longer.code, gecko.asked().len()), (0, 2), "{:?}", gecko.asked());
    let file = std::fs::read_to_string(home.path().join("prices.csv")).expect("the file");
    assert_eq!(file.lines().count(), 2 + 57 * 24 + 1);
    // Before the first candle there is nothing, and that is asked for once as well.
    for _ in 0..2 {
        let all = prices(
            &gecko,
            home.path(),
            &[&["--from", "2026-01-01"], &end[..]].concat(),
        );
        assert_eq!((all.code, gecko.asked().len()), (0, 3), "{:?}", gecko.asked());
        assert!(all.stderr.contains("begins 2026-03-01 00:00Z"), "{}", all.stderr);
    }
}

#[test]
fn a_run_that_fails_half_way_is_continued_and_a_torn_file_is_read_up_to_its_last_whole_page() {
    let gecko = Gecko::start((0..2_500).map(row).collect());
    let home = home();
    let args = [
        "--from",
        "2026-03-01",
        "--to",
        "2026-05-25",
        "--out",
        "prices.csv",
    ];
    gecko.script.lock().expect("script").extend([
        // The first page is whole; then the server is gone for all tries.
        Answer::Rows("[1779577200,0.005,0.005,0.005,0.005,1]"),
        Answer::Status(
            400,
            None,
            r#"{"errors":[{"status":"400","title":"Something\u001b[31m odd"}]}"#,
        ),
    ]);
    let failed = prices(&gecko, home.path(), &args);
    assert_eq!(failed.code, 7, "{}", failed.stderr);
    assert!(failed.stderr.contains("HTTP 400"), "{}", failed.stderr);
    assert!(!failed.stderr.contains('\u{1b}'), "{:?}", failed.stderr);
    // A crash while a page was written.
    let kept = home
        .path()
        .join(format!("cache/prices/geckoterminal/base/{POOL}-{TOKEN}-1h"));
    let whole = std::fs::read_to_string(&kept).expect("what is kept");
    std::fs::write(&kept, format!("{whole}1779573600,0.1\n17795700")).expect("a torn file");
    let before = gecko.asked().len();
    let ran = prices(&gecko, home.path(), &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let next = &gecko.asked()[before];
    assert!(next.contains(" 1779577200 "), "continues where it was: {next}");
    let file = std::fs::read_to_string(home.path().join("prices.csv")).expect("the file");
    assert!(!file.contains(",0.1\n"), "a torn page was read");
    assert!(file.contains("2026-05-24T00:00:00Z,0.005\n"), "{file}");
}

#[test]
fn holes_repeated_rows_bad_rows_and_exponents_are_told_and_none_is_invented() {
    let gecko = Gecko::start(vec![]);
    gecko.script.lock().expect("script").push_back(Answer::Rows(
        "[1772352000,1.5e-9,1.5e-9,1.5e-9,1.5e-9,2],[1772352000,9,9,9,9,2],[1772348400,null,1,1,null,0],\
         [1772344800,2,3,2,5,1],[1772341200,0,0,0,0,0],[1772337600],\"x\",\
         [1772326800,0.000000001234567890123456789,0.000000001234567890123456789,0.000000001234567890123456789,\
         0.000000001234567890123456789,1],[1772323200,\"0.5\",\"0.6\",\"0.4\",\"0.55\",\"1\"]",
    ));
    let home = home();
    let ran = prices(
        &gecko,
        home.path(),
        &["--from", "2026-03-01 00:30", "--to", "2026-03-01 12:00"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows: Vec<&str> = ran.stdout.lines().skip(2).collect();
    assert_eq!(
        rows,
        [
            "2026-03-01T01:00:00Z,0.55",
            "2026-03-01T02:00:00Z,0.000000001234567890123456789",
            "2026-03-01T09:00:00Z,0.0000000015",
        ]
    );
    for told in [
        "6 candles without a trade in 1 gaps, the longest 2026-03-01 02:00Z to 2026-03-01 09:00Z",
        "5 rows of the source have no usable time or price",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
}

#[test]
fn a_429_is_waited_for_as_the_server_asks_and_a_long_wait_is_said() {
    let gecko = Gecko::start((0..5).map(row).collect());
    let home = home();
    let args = ["--from", "2026-03-01", "--to", "2026-03-01 04:00"];
    gecko.script.lock().expect("script").extend([
        Answer::Status(429, Some(("retry-after", "1")), "slow down"),
        Answer::Status(503, None, "<html>bad gateway</html>"),
    ]);
    let begun = std::time::Instant::now();
    let ran = prices(&gecko, home.path(), &args);
    // Two that failed, the one that answers, and whether there is anything before the first candle.
    assert_eq!((ran.code, gecko.asked().len()), (0, 4), "{}", ran.stderr);
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
    let patient = tempfile::tempdir().expect("a directory");
    let again = Answer::Status(429, Some(("retry-after", "900")), "slow down");
    gecko.script.lock().expect("script").push_back(again);
    let ran = prices(&gecko, patient.path(), &args);
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("allows no request for another"),
        "{}",
        ran.stderr
    );
    // Nor does another process ask before that.
    let asked = gecko.seen.lock().expect("seen").len();
    assert_eq!(prices(&gecko, patient.path(), &args).code, 7);
    assert_eq!(gecko.seen.lock().expect("seen").len(), asked);
}

#[test]
fn answers_that_are_none_are_refused_in_words() {
    for (answer, told) in [
        (
            Answer::Status(200, None, "<!doctype html><title>hello</title>"),
            "not a list of candles",
        ),
        (Answer::Status(403, None, "<html>go away</html>"), "HTTP 403"),
        (Answer::Status(404, None, "{}"), "knows no pool"),
        (Answer::Huge(5 * 1024 * 1024), "larger than 4194304 bytes"),
        (
            Answer::Status(
                200,
                None,
                r#"{"data":{"attributes":{"ohlcv_list":[]}},"meta":{"base":{"address":"0x0000000000000000000000000000000000000001"},"quote":{"address":"0x0000000000000000000000000000000000000002"}}}"#,
            ),
            "does not trade this token",
        ),
        (Answer::Rows(""), "has no candle"),
    ] {
        let gecko = Gecko::start(vec![]);
        gecko.script.lock().expect("script").push_back(answer);
        let home = home();
        let ran = prices(
            &gecko,
            home.path(),
            &["--from", "2026-03-01", "--to", "2026-03-02"],
        );
        assert!(ran.code == 7 || ran.code == 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
}

#[test]
fn the_deepest_pool_that_trades_the_token_is_chosen_and_a_pool_may_be_named() {
    let gecko = Gecko::start((0..5).map(row).collect());
    let other = "0x2222222222222222222222222222222222222222";
    let v4 = "0xd8e4a2a6c5d8b1f0e5a4c3b2a1908f7e6d5c4b3a2918070605040302010fedcb";
    *gecko.pools.lock().expect("pools") = serde_json::json!([
        pool(POOL, "90000", "2026-02-20T00:00:00Z", TOKEN),
        // More money, but of another token.
        pool("0x3333333333333333333333333333333333333333", "9e9", "2020-01-01T00:00:00Z", other),
        // No address may lead out of the directory of what is kept.
        pool("../../../../etc/passwd", "9e9", "2020-01-01T00:00:00Z", TOKEN),
        pool(v4, "100000.5", "2026-02-25T00:00:00Z", TOKEN),
        pool("0x4444444444444444444444444444444444444444", "50000", "2024-06-01T00:00:00Z", TOKEN),
        {"attributes": null},
    ]);
    let home = home();
    let span = ["--from", "2026-02-01", "--to", "2026-03-01 04:00"];
    let ran = prices(&gecko, home.path(), &span);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(gecko.asked()[0].contains(v4), "{:?}", gecko.asked());
    assert!(ran.stderr.contains(&format!("--pool {POOL}")), "{}", ran.stderr);
    let named = prices(&gecko, home.path(), &[&span[..], &["--pool", POOL]].concat());
    assert_eq!(named.code, 0, "{}", named.stderr);
    assert!(gecko.asked().last().expect("asked").contains(POOL));
}

#[test]
fn each_step_is_asked_for_in_the_source_s_words() {
    for (step, asked) in [
        ("1m", "minute 1"),
        ("5m", "minute 5"),
        ("15m", "minute 15"),
        ("60m", "hour 1"),
        ("4h", "hour 4"),
        ("12h", "hour 12"),
        ("1d", "day 1"),
    ] {
        let gecko = Gecko::start(vec![row(-30), row(-48)]);
        let home = home();
        let span = ["--from", "2026-02-25", "--to", "2026-03-01", "--step", step];
        prices(&gecko, home.path(), &span);
        let first = gecko.asked().into_iter().next().expect("a request");
        assert!(
            first.contains(&format!("/ohlcv/{asked} {MARCH} 1000 usd {TOKEN}")),
            "{first}"
        );
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_it_is() {
    let gecko = Gecko::start(vec![]);
    let home = home();
    for (args, told) in [
        (
            vec!["--step", "2h"],
            "allowed are 1m, 5m, 15m, 1h, 4h, 12h and 1d",
        ),
        (vec!["--chain", "solana"], "solana"),
        (vec!["--pool", "0x12"], "64 for a V4 pool"),
        (
            vec!["--from", "2026-03-02", "--to", "2026-03-01"],
            "give an earlier --from",
        ),
        (
            vec!["--from", "2020-01-01", "--step", "1m"],
            "give a longer --step",
        ),
        (vec!["--seed", "3"], "--seed"),
    ] {
        let ran = prices(&gecko, home.path(), &args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    assert!(gecko.seen.lock().expect("seen").is_empty());
    let unknown = prices(&gecko, home.path(), &["--chain", "polygon"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.contains("knows no token") && unknown.stderr.contains("polygon_pos"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_backtest_reads_the_file_and_says_where_the_prices_come_from() {
    let gecko = Gecko::start((0..400).map(row).collect());
    let home = home();
    let fetched = prices(
        &gecko,
        home.path(),
        &["--to", "2026-03-15", "--out", "prices.csv"],
    );
    assert_eq!(fetched.code, 0, "{}", fetched.stderr);
    let args = ["backtest", "--prices", "prices.csv", "--mode", "accumulate"];
    let ran = Ran::of(&program(&args).current_dir(home.path()).output().expect("it runs"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("Prices of 0x4ed4E862"), "{}", ran.stdout);
    assert!(
        !ran.stdout.contains("was skipped") && !ran.stdout.contains("INVENTED"),
        "{}",
        ran.stdout
    );
}

#[test]
fn json_has_the_facts_and_prices_as_texts() {
    let gecko = Gecko::start((0..3).map(row).collect());
    let home = home();
    let ran = prices(
        &gecko,
        home.path(),
        &["--from", "2026-03-01", "--to", "2026-03-01 02:00", "--json"],
    );
    let view: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        view["prices"][1],
        serde_json::json!({"time": "2026-03-01T02:00:00Z", "price": "0.004001"})
    );
    assert_eq!((&view["rows"], &view["step"]), (&2.into(), &"1h".into()));
    assert_eq!(view["pool"]["depth_usd"], "5123456.78");
}
