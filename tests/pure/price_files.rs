//! Files of prices in the shapes that exchanges, price sites and spreadsheets write: the right prices at the right
//! instants, or a refusal that says why.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "an error in a test's set-up fails the test"
)]

mod refused;

use chrono::{DateTime, Utc};
use lgi_mm::{
    backtest::series::{CsvSeries, ReadOptions, Series, SeriesError},
    domain::config::RecordedConfig,
    prices::check_recorded,
};

/// Time and price of every row, and the warnings.
type Found = (Vec<(String, String)>, Vec<String>);

fn read(text: impl AsRef<[u8]>) -> Result<Found, String> {
    read_with(text, ReadOptions::default())
}

/// Time and price of every row, and the notes. The source `recorded` must take what a backtest takes.
fn read_with(text: impl AsRef<[u8]>, options: ReadOptions) -> Result<Found, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("p.csv");
    std::fs::write(&path, text).expect("a file");
    let recorded = check_recorded(&RecordedConfig {
        file: path.display().to_string(),
        speed: 1.into(),
        starts_at: None,
    });
    let opened: Result<CsvSeries, SeriesError> = CsvSeries::open(&path, options);
    if !options.skip_bad {
        assert_eq!(
            recorded.is_ok(),
            opened.is_ok(),
            "{recorded:?} {:?}",
            opened.err()
        );
    }
    let series = opened.map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    series
        .each(&mut |row| rows.push((row.at.to_rfc3339(), row.price.decimal().normalize().to_string())))
        .expect("rows");
    let summary = series.summary();
    let times = |at: DateTime<Utc>| at.to_rfc3339();
    assert_eq!(rows.first().map(|row| row.0.clone()), Some(times(summary.first)));
    assert_eq!(rows.last().map(|row| row.0.clone()), Some(times(summary.last)));
    Ok((rows, summary.warnings.clone()))
}

fn utc(text: &str) -> String {
    format!("{text}+00:00")
}

#[track_caller]
fn assert_rows(name: &str, text: impl AsRef<[u8]>, rows: &[(&str, &str)]) -> Vec<String> {
    let (found, said) = read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let expected: Vec<_> = rows
        .iter()
        .map(|(at, price)| (utc(at), (*price).to_owned()))
        .collect();
    assert_eq!(found, expected, "{name}");
    said
}

/// The hours of 5 March 2026 from 10:00 that candles of 9:00 and 10:00 end at.
const HOURS: [(&str, &str); 2] = [("2026-03-05T10:00:00", "2.25"), ("2026-03-05T11:00:00", "2.5")];
/// The days that candles of 4 and 5 March end at.
const DAYS: [(&str, &str); 2] = [("2026-03-05T00:00:00", "2.25"), ("2026-03-06T00:00:00", "2.5")];

#[test]
fn dumps_of_exchanges() {
    // 2026-03-05T09:00Z is 1772701200.
    for (name, text) in [
        (
            "Binance before 2025",
            "1772701200000,2,3,1,2.25,10,1772704799999,20,5,1,2,0\n\
             1772704800000,2,3,1,2.5,10,1772708399999,20,5,1,2,0\n",
        ),
        (
            "Binance since 2025, one file of both",
            "1772701200000,2,3,1,2.25,10,1772704799999,20,5,1,2,0\n\
             1772704800000000,2,3,1,2.5,10,1772708399999999,20,5,1,2,0\n",
        ),
        (
            "Binance with a header",
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,x,y,ignore\n\
             1772701200000,2,3,1,2.25,10,1772704799999,20,5,1,2,0\n\
             1772704800000,2,3,1,2.5,10,1772708399999,20,5,1,2,0\n",
        ),
        (
            "Kraken, seven columns",
            "1772701200,2,3,1,2.25,10,17\n1772704800,2,3,1,2.5,11,1772\n",
        ),
        (
            "Kraken, eight columns",
            "1772701200,2,3,1,2.25,2.1,10,17\n1772704800,2,3,1,2.5,2.2,11,3\n",
        ),
        (
            "TradingView",
            "time,open,high,low,close,Volume\n1772701200,2,3,1,2.25,10\n1772704800,2,3,1,2.5,10\n",
        ),
        (
            "TradingView, a zone",
            "time,open,high,low,close\n2026-03-05T10:00:00+01:00,2,3,1,2.25\n2026-03-05T11:00:00+01:00,2,3,1,2.5\n",
        ),
        (
            "CryptoDataDownload",
            "https://www.example.com\nunix,date,symbol,open,high,low,close,Volume X,Volume USD\n\
             1772704800000,2026-03-05 10:00:00,X/USD,2,3,1,2.5,10,20\n\
             1772701200000,2026-03-05 09:00:00,X/USD,2,3,1,2.25,10,20\n",
        ),
        (
            "GeckoTerminal",
            "timestamp,open,high,low,close,volume\n1772704800,2,3,1,2.5,9\n1772701200,2,3,1,2.25,9\n",
        ),
        (
            "MetaTrader",
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\n\
             2026.03.05\t09:00:00\t2\t3\t1\t2.25\t7\n2026.03.05\t10:00:00\t2\t3\t1\t2.5\t7\n",
        ),
        (
            "MetaTrader without a header",
            "2026.03.05,09:00,2,3,1,2.25,7\n2026.03.05,10:00,2,3,1,2.5,7\n",
        ),
        (
            "Date and Time",
            "Date,Time,Open,High,Low,Close\n20260305,0900,2,3,1,2.25\n20260305,1000,2,3,1,2.5\n",
        ),
    ] {
        assert_rows(name, text, &HOURS);
    }
    let half_hours = "Gmt time,Open,Close\n28.02.2026 23:00:00.000,2,2.25\n01.03.2026 00:00:00.000,2,2.5\n";
    assert_rows(
        "Dukascopy",
        half_hours,
        &[("2026-03-01T00:00:00", "2.25"), ("2026-03-01T01:00:00", "2.5")],
    );
}

#[test]
fn exports_of_price_sites() {
    for (name, text) in [
        (
            "Yahoo",
            "Date,Open,High,Low,Close,Adj Close,Volume\n2026-03-04,2,3,1,2.25,9,5\n2026-03-05,2,3,1,2.5,9,5\n",
        ),
        (
            "CoinMarketCap",
            "timeOpen;timeClose;timeHigh;timeLow;name;open;high;low;close;volume;marketCap;timestamp\n\
             \"2026-03-05T00:00:00.000Z\";\"2026-03-05T23:59:59.999Z\";\"2026-03-05T05:00:00.000Z\";\"2026-03-05T06:00:00.000Z\";\"1\";2;3;1;2.5;9;9;\"2026-03-05T23:59:59.999Z\"\n\
             \"2026-03-04T00:00:00.000Z\";\"2026-03-04T23:59:59.999Z\";\"2026-03-04T05:00:00.000Z\";\"2026-03-04T06:00:00.000Z\";\"1\";2;3;1;2.25;9;9;\"2026-03-04T23:59:59.999Z\"\n",
        ),
        (
            "CoinMarketCap, cut to two columns",
            "timestamp,close\n2026-03-04T23:59:59.999Z,2.25\n2026-03-05T23:59:59.999Z,2.5\n",
        ),
        (
            "Investing.com",
            "\"Date\",\"Price\",\"Open\",\"High\",\"Low\",\"Vol.\",\"Change %\"\n\
             \"Mar 05, 2026\",\"2.50\",\"2\",\"3\",\"1\",\"1.2K\",\"1%\"\n\
             \"Mar 04, 2026\",\"2.25\",\"2\",\"3\",\"1\",\"1.2K\",\"1%\"\n",
        ),
        ("digits", "date,open,close\n20260304,2,2.25\n20260305,2,2.5\n"),
        (
            "a spreadsheet's days",
            "Date;Open;Close\n46085;2;2,25\n46086;2;2,5\n",
        ),
    ] {
        assert_rows(name, text, &DAYS);
    }
    assert_rows(
        "CoinGecko",
        "snapped_at,price,market_cap,total_volume\n2026-03-04 00:00:00 UTC,9.5e-06,1,2\n2026-03-05 00:00:00 UTC,1.02E-05,1,2\n",
        &[
            ("2026-03-04T00:00:00", "0.0000095"),
            ("2026-03-05T00:00:00", "0.0000102"),
        ],
    );
}

#[test]
fn candles_end_where_the_next_begins_and_before_a_gap_after_the_usual_time() {
    assert_rows(
        "months",
        "date,close\n2026-01-01,1\n2026-02-01,2\n2026-03-01,3\n2026-04-01,4\n",
        &[
            ("2026-02-01T00:00:00", "1"),
            ("2026-03-01T00:00:00", "2"),
            ("2026-04-01T00:00:00", "3"),
            ("2026-05-02T00:00:00", "4"),
        ],
    );
    assert_rows(
        "days of Berlin: 25 October has 25 hours",
        "time,open,close\n2026-10-23T00:00:00+02:00,1,1\n2026-10-24T00:00:00+02:00,1,2\n\
         2026-10-25T00:00:00+02:00,1,3\n2026-10-26T00:00:00+01:00,1,4\n2026-10-29T00:00:00+01:00,1,5\n",
        &[
            ("2026-10-23T22:00:00", "1"),
            ("2026-10-24T22:00:00", "2"),
            ("2026-10-25T23:00:00", "3"),
            ("2026-10-26T23:00:00", "4"),
            ("2026-10-29T23:00:00", "5"),
        ],
    );
}

const POINTS: [(&str, &str); 3] = [
    ("2026-03-04T00:00:00", "1.5"),
    ("2026-03-05T00:00:00", "1234.5"),
    ("2026-03-06T00:00:00", "0.125"),
];

#[test]
fn decimals_separators_and_dates_of_all_countries() {
    for (name, text) in [
        (
            "semicolons",
            "date;price\n2026-03-04;1,5\n2026-03-05;1.234,5\n2026-03-06;0,125\n",
        ),
        (
            "tabs",
            "date\tprice\n2026-03-04\t1,5\n2026-03-05\t1234,5\n2026-03-06\t0,125\n",
        ),
        (
            "no header",
            "2026-03-04;1,5\n2026-03-05;1234,5\n2026-03-06;0,125\n",
        ),
        (
            "bars",
            "date|price\n2026-03-04|1.5\n2026-03-05|1,234.5\n2026-03-06|.125\n",
        ),
        (
            "quoted",
            "date,price\n2026-03-04,\"1,5\"\n2026-03-05,\"1.234,5\"\n2026-03-06,\"0,125\"\n",
        ),
        (
            "dollars",
            "date,price\n2026-03-04,$1.50\n2026-03-05,\"$1,234.50\"\n2026-03-06,$0.125\n",
        ),
        (
            "Swiss",
            "date;price\n2026-03-04;1.5\n2026-03-05;1'234.5\n2026-03-06;0.125\n",
        ),
        (
            "sep",
            "sep=;\ndate;price\n2026-03-04;1,5\n2026-03-05;1 234,5\n2026-03-06;0,125\n",
        ),
        (
            "days first, told by a row far below",
            "date;price\n04.03.2026;1,5\n05.03.2026;1234,5\n06.03.2026;0,125\n",
        ),
        (
            "CR, blank lines, delimiters at the end",
            "\u{feff}date,price,,\r2026-03-04,1.5,,\r\r2026-03-05,1234.5,,\r,,,\r2026-03-06,0.125,,\r",
        ),
        (
            "comments",
            "# made by hand\n# of March\ntime,price\n2026-03-04,1.5\n2026-03-05,1234.5\n2026-03-06,0.125\n",
        ),
    ] {
        if name == "days first, told by a row far below" {
            let more = "07.03.2026;1,5\n08.03.2026;1,5\n";
            let error = read(text.to_owned() + more).expect_err(name);
            assert!(
                error.contains("'04.03.2026': day and month may be either"),
                "{error}"
            );
            let (rows, said) = read(text.to_owned() + more + "28.03.2026;1,5\n").expect(name);
            assert_eq!(rows[0], (utc("2026-03-04T00:00:00"), "1.5".to_owned()));
            assert!(
                said.iter().any(|said| said.contains("day, month, year")),
                "{said:?}"
            );
            continue;
        }
        let said = assert_rows(name, text, &POINTS);
        assert!(said.len() <= 2, "{said:?}");
    }
    let months_first = "date,price\n03/04/2026,1.5\n03/05/2026,2\n03/31/2026,3\n";
    let (rows, _) = read(months_first).expect("months first");
    assert_eq!(rows[0].0, utc("2026-03-04T00:00:00"));
}

#[test]
fn the_newest_row_may_come_first_and_that_is_said() {
    let text = "date,price\n2026-03-06,0.125\n2026-03-06,7\n2026-03-05,1234.5\n2026-03-04,1.5\n";
    let said = assert_rows("newest first", text, &POINTS);
    assert!(said[0].contains("the newest row comes first"), "{said:?}");
    assert!(
        said[1].contains("line 3: 2026-03-06T00:00:00Z again with another price"),
        "{said:?}"
    );
    // A row out of order in it is named, a gap has the line of the row after it.
    let text = "time,price\n2026-03-09,1\n2026-03-08,1\n2026-03-02,1\n2026-03-01,1\n2026-03-07,1\n2026-02-28,1\n2026-02-27,1\n";
    let error = read(text).expect_err("out of order");
    assert!(
        error.contains("line 6: 2026-03-07T00:00:00Z comes after 2026-03-01T00:00:00Z"),
        "{error}"
    );
    let options = ReadOptions {
        skip_bad: true,
        ..ReadOptions::default()
    };
    let (rows, said) = read_with(text, options).expect("without it");
    assert_eq!(rows.len(), 6);
    assert!(
        said.iter()
            .any(|said| said.contains("line 3: 6d after 2026-03-02T00:00:00Z")),
        "{said:?}"
    );
}

#[test]
fn lines_are_those_of_an_editor() {
    for end in ["\n", "\r\n", "\r"] {
        let text = [
            "\u{feff}https://example.com/x",
            "time,price,note",
            "2026-03-04,1,\"two",
            "lines\"",
            "",
            "2026-03-05,none,",
            "2026-03-06,1,",
            "2026-03-06,2,",
            "2026-03-09,1,",
        ]
        .join(end);
        let error = read(&text).expect_err("a bad row");
        assert!(
            error.contains("\n  line 6: 'none' is no price"),
            "{end:?} {error}"
        );
        let (_, said) = read(text.replace("none", "1")).expect("rows");
        let said = said.join("\n");
        for line in ["line 1 was skipped", "line 8: 2026-03-06", "line 9: 3d after"] {
            assert!(said.contains(line), "{end:?}: no {line} in {said}");
        }
    }
}
