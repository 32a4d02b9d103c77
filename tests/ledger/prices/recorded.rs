use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    backtest::series::{CsvSeries, ReadOptions, Series},
    domain::{
        config::{PriceConfig, RecordedConfig, SourceName},
        price::{Answer, Observation},
    },
    prices::PriceBook,
};
use rust_decimal::Decimal;
use tempfile::TempDir;

use crate::prices::{ask, at, local_book, sources, token};

/// The first row of [`SERIES`], and when it is current for a job that started later.
const FIRST: &str = "2026-01-01T00:00:00Z";
const STARTED: &str = "2026-03-01T12:00:00Z";
const SERIES: &str = "time,price\n\
                      2026-01-01T00:00:00Z,1.00\n\
                      1767225660, 1.50\n\
                      2026-01-01T01:02:00+01:00,1.2e-3\n\
                      1767225720.5,0.25\n\
                      1767225780,0.5\n";

struct File {
    _dir: TempDir,
    path: PathBuf,
}

fn file(text: impl AsRef<[u8]>) -> File {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("series.csv");
    std::fs::write(&path, text).expect("a file");
    File { _dir: dir, path }
}

fn config(path: &Path, speed: &str, starts_at: Option<&str>) -> PriceConfig {
    PriceConfig {
        recorded: Some(RecordedConfig {
            file: path.display().to_string(),
            speed: speed.parse().expect("a decimal"),
            starts_at: starts_at.map(at),
        }),
        ..sources(&[SourceName::Recorded])
    }
}

async fn seen(book: &PriceBook, config: &PriceConfig, now: DateTime<Utc>) -> Answer {
    ask(book, config, token(1), now).await
}

fn row(price: &str, observed_at: DateTime<Utc>) -> Answer {
    Ok(Observation {
        source: SourceName::Recorded,
        price_usd: price.parse().expect("a decimal"),
        observed_at,
    })
}

#[tokio::test]
async fn the_last_row_at_or_before_now_is_current() {
    let book = local_book();
    let file = file(SERIES);
    for (speed, starts_at) in [
        ("1", None),
        ("1", Some(STARTED)),
        ("60", Some(STARTED)),
        ("0.5", None),
    ] {
        let config = config(&file.path, speed, starts_at);
        let start = at(starts_at.unwrap_or(FIRST));
        let speed: Decimal = speed.parse().expect("a decimal");
        // Recorded milliseconds since the first row -> real instant.
        let real = |recorded_ms: i64| {
            let micros = Decimal::from(recorded_ms * 1_000) / speed;
            start + TimeDelta::microseconds(i64::try_from(micros).expect("microseconds"))
        };
        for (now, price, row_ms) in [
            (0, "1", 0),
            (59_940, "1", 0),
            (60_000, "1.5", 60_000),
            (119_940, "1.5", 60_000),
            (120_000, "0.0012", 120_000),
            (120_480, "0.0012", 120_000),
            (120_500, "0.25", 120_500),
            (180_000, "0.5", 180_000),
        ] {
            // Half a recorded second at 60 is no whole microsecond; ask right behind it.
            let behind = TimeDelta::microseconds(i64::from(now == 120_500 && speed > Decimal::TEN));
            let answer = seen(&book, &config, real(now) + behind).await;
            assert_eq!(answer, row(price, real(row_ms)), "{now} ms at {speed}");
        }
    }
}

#[tokio::test]
async fn before_the_first_row_and_after_the_last_there_is_no_price() {
    let book = local_book();
    let file = file(SERIES);
    for (speed, starts_at, now, wanted) in [
        (
            "1",
            None,
            "2025-12-31T23:59:59.999Z",
            "the series starts at 2026-01-01 00:00:00 UTC",
        ),
        (
            "1",
            None,
            "2026-01-01T00:03:00.001Z",
            "the series ended with its row of 2026-01-01 00:03:00 UTC",
        ),
        (
            "2",
            Some(STARTED),
            "2026-03-01T11:59:59Z",
            "the series starts at 2026-03-01 12:00:00 UTC",
        ),
        (
            "2",
            Some(STARTED),
            "2026-03-01T12:01:31Z",
            "the series ended with its row of 2026-01-01 00:03:00 UTC",
        ),
        // Faster than any calendar reaches: once a crash, now simply the end.
        ("1000000", None, "2026-12-01T00:00:00Z", "the series ended"),
        (
            "1000000",
            Some(STARTED),
            "9999-12-31T00:00:00Z",
            "the series ended",
        ),
    ] {
        let missing = seen(&book, &config(&file.path, speed, starts_at), at(now)).await;
        let error = missing.expect_err("no price").to_string();
        assert!(error.contains(wanted), "{now} at {speed}: {error}");
        assert!(
            error.starts_with("recorded: ") && error.contains("series.csv"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_row_keeps_its_instant_however_late_it_is_looked_at() {
    let book = local_book();
    let file = file("1767225600,1\n1767225610,2\n1767226600,3\n");
    let config = config(&file.path, "3", Some(STARTED));
    let mut instants = Vec::new();
    for millis in [3_334, 3_500, 4_001, 100_007] {
        let answer = seen(&book, &config, at(STARTED) + TimeDelta::milliseconds(millis)).await;
        instants.push(answer.expect("a price").observed_at);
    }
    instants.dedup();
    assert_eq!(instants, [at("2026-03-01T12:00:03.333333Z")]);
}

#[tokio::test]
async fn a_bad_file_says_where_and_what() {
    let book = local_book();
    for (text, wanted) in [
        ("", "the file is empty"),
        ("time,price\n", "no rows"),
        (
            "1767225600,1\nsoon,2\n",
            "line 2: no time: Unix seconds or milliseconds, or such as 2026-01-31T12:00:00Z",
        ),
        (
            "time,price\n\n1767225600,1\n1767225605,costly\n",
            "line 4: no price: a number such as 0.0123",
        ),
        ("1767225600,1\n1767225605,\n", "line 2: no price"),
        (
            "1767225600,1\n1767225605,NaN\n",
            "line 2: no price: a number such as 0.0123",
        ),
        (
            "1767225600,1\n1767225605,-2\n",
            "line 2: a price of -2: prices are above zero",
        ),
        (
            "1767225600,1\n1767225605,0.0\n",
            "line 2: a price of 0.0: prices are above zero",
        ),
        (
            "1767225600,1\n1767225609,1\n1767225605,1\n",
            "line 3: 2026-01-01 00:00:05 UTC is before the row before it: out of order",
        ),
        (
            "1767225600,1\n1767225609\n",
            "line 2: 1 columns, where 2 are needed",
        ),
        ("1767225600,1,5\n", "line 1: 3 columns and no header"),
        (
            "when,how much\n1767225600,1\n",
            "line 1 is neither a row of time and price nor a header",
        ),
        ("1767225600,1\ntime,price\n", "line 2: no time"),
        ("1767225600,1\n99999999999999999999,2\n", "line 2: no time"),
    ] {
        let file = file(text);
        let error = seen(&book, &config(&file.path, "1", None), at(STARTED)).await;
        let error = error.expect_err("no price").to_string();
        let wanted = format!("recorded: {}: {wanted}", file.path.display());
        assert!(
            error.starts_with(&wanted),
            "{text:?}\n got {error}\nwant {wanted}"
        );
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_and_files_that_are_not_there_are_named() {
    let book = local_book();
    let broken = file(b"1767225600,1\n1767225605,\xff\n");
    let error = seen(&book, &config(&broken.path, "1", None), at(STARTED)).await;
    assert!(
        error
            .expect_err("no price")
            .to_string()
            .contains("line 2: not UTF-8")
    );
    let gone = Path::new("/nowhere/prices.csv");
    let error = seen(&book, &config(gone, "1", None), at(STARTED)).await;
    let error = error.expect_err("no price").to_string();
    assert!(error.contains("/nowhere/prices.csv: No such file"), "{error}");
}

#[tokio::test]
async fn what_spreadsheets_write_is_read() {
    let book = local_book();
    for text in [
        "\u{feff}Time,Price\r\n1767225600,1\r\n1767225605,2\r\n",
        "\"1767225600\",\"1\"\n\"1767225605\",\"2\"",
        "1767225600, 1\n\n1767225605, 2\n\n",
    ] {
        let file = file(text);
        let answer = seen(&book, &config(&file.path, "1", None), at("2026-01-01T00:00:05Z")).await;
        assert_eq!(answer, row("2", at("2026-01-01T00:00:05Z")), "{text:?}");
    }
}

/// Files of every notation and layout, each with the same two prices: what a backtest takes, the source takes.
#[tokio::test]
async fn what_a_backtest_reads_is_read_alike() {
    let book = local_book();
    let noon = at("2026-01-31T12:00:00Z");
    let texts = [
        "1769860800,1\n1769860860,2\n",
        "1769860800000,1\n1769860860000,2\n",
        "1769860800000000,1\n1769860860000000,2\n",
        "1769860800000000000,1\n1769860860000000000,2\n",
        "1769860800.0,1\n1769860860.0,2\n",
        "2026-01-31T12:00:00Z,1\n2026-01-31T12:01:00Z,2\n",
        "2026-01-31 12:00:00,1\n2026-01-31 12:01:00,2\n",
        "2026-01-31T12:00:00,1\n2026-01-31T12:01:00,2\n",
        "2026-01-31 12:00,1\n2026-01-31 12:01,2\n",
        "2026-01-31T13:00:00+01:00,1\n2026-01-31T13:01:00+01:00,2\n",
        "2026-01-31 13:00:00+01:00,1\n2026-01-31 13:01:00+01:00,2\n",
        "2026-01-31 12:00:00 UTC,1\n2026-01-31 12:01:00 UTC,2\n",
        "price;snapped_at\n1;2026-01-31 12:00\n2;2026-01-31 12:01\n",
        "Date (UTC)\tPrice (USD)\n2026-01-31 12:00\t1\n2026-01-31 12:01\t2\n",
        "time,price\n1769860800,1\n1769860800,9\n1769860860,2\n",
        // Candles: a close is known at the end of its minute, whether the time is the beginning or the end.
        "2026-01-31 11:59,8,9,7,1,0\n2026-01-31 12:00,1,2,1,2,0\n",
        "open_time,open,close\n2026-01-31 11:59,8,1\n2026-01-31 12:00,1,2\n",
        "close_time,open,close\n2026-01-31 12:00,8,1\n2026-01-31 12:01,1,2\n",
    ];
    for text in texts {
        let file = file(text);
        let mut rows = Vec::new();
        let series = CsvSeries::open(&file.path, ReadOptions::default()).expect(text);
        series
            .each(&mut |row| rows.push((row.at, row.price.decimal())))
            .expect(text);
        let minute = TimeDelta::minutes(1);
        let expected = [(noon, Decimal::ONE), (noon + minute, Decimal::TWO)];
        assert_eq!(rows, expected, "{text}");
        let config = config(&file.path, "1", None);
        for (at, price_usd) in rows {
            let seen = seen(&book, &config, at).await.expect(text);
            assert_eq!((seen.observed_at, seen.price_usd), (at, price_usd), "{text}");
        }
    }
}

#[tokio::test]
async fn a_changed_file_is_read_again_and_an_unchanged_one_is_not() {
    let file = file("1767225600,1\n1767225700,1\n");
    let config = config(&file.path, "1", None);
    let book = local_book();
    let now = at("2026-01-01T00:00:50Z");
    let price = |book: PriceBook, config: PriceConfig| async move {
        let price = ask(&book, &config, token(1), now)
            .await
            .map(|seen| seen.price_usd);
        (book, price)
    };
    let (book, first) = price(book, config.clone()).await;
    assert_eq!(first, Ok(Decimal::ONE));

    let written = std::fs::metadata(&file.path)
        .and_then(|data| data.modified())
        .expect("a time");
    std::fs::write(&file.path, "1767225600,2\n1767225700,2\n").expect("written");
    let set = |time| {
        let handle = std::fs::File::options()
            .write(true)
            .open(&file.path)
            .expect("a file");
        handle.set_modified(time).expect("a time");
    };
    set(written);
    let (book, same) = price(book, config.clone()).await;
    assert_eq!(
        same,
        Ok(Decimal::ONE),
        "nothing tells the file from the one that was read"
    );

    set(written + std::time::Duration::from_secs(1));
    let (book, newer) = price(book, config.clone()).await;
    assert_eq!(newer, Ok(Decimal::TWO));

    std::fs::remove_file(&file.path).expect("removed");
    let (_, gone) = price(book, config).await;
    assert!(gone.is_err(), "a file that is gone has no price");
}

#[tokio::test]
async fn the_sample_series_is_valid_and_has_a_dip_and_a_recovery() {
    let book = local_book();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/weth-like.csv");
    let config = config(&path, "1", None);
    let mut prices = Vec::new();
    for hour in 0..48 {
        let now = at("2026-01-05T00:00:00Z") + TimeDelta::hours(hour);
        prices.push(seen(&book, &config, now).await.expect("a price").price_usd);
    }
    let (high, low) = (
        prices.iter().max().expect("a high"),
        prices.iter().min().expect("a low"),
    );
    assert!(high / low > Decimal::new(115, 2), "{low} to {high}");
    let last = prices.last().expect("a last");
    assert!(last / low > Decimal::new(105, 2), "{low} recovers to {last}");
}
