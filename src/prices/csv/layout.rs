//! Which columns of a file are time and price.

use std::io::{self, BufRead, BufReader, Read};

use csv::ByteRecord;

use super::{
    problem::{LayoutProblem, RowProblem},
    text,
};
use crate::domain::{Timestamp, units::Price};

const TIME_NAMES: [&str; 12] = [
    "time",
    "timestamp",
    "date",
    "datetime",
    "unix",
    "open time",
    "open_time",
    "opentime",
    "snapped_at",
    "ts",
    "date_time",
    "t",
];
const CLOSE_TIME_NAMES: [&str; 3] = ["close time", "close_time", "closetime"];
const PRICE_NAMES: [&str; 9] = [
    "price",
    "close",
    "price_usd",
    "usd",
    "priceusd",
    "close_price",
    "adj close",
    "value",
    "c",
];
const CLOSE_NAMES: [&str; 4] = ["close", "close_price", "adj close", "c"];
const OPEN_NAMES: [&str; 3] = ["open", "o", "open_price"];

/// A longer first line is no CSV of prices.
const LINE_MAX: u64 = 64 * 1_024;

/// A row of a file: the price from this instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRow {
    /// As the file has it: of a candle, its beginning or its end.
    pub at: Timestamp,
    /// USD per whole token.
    pub price: Price,
}

/// Where to find time and price in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The first line is a header.
    pub header: bool,
    /// Rows are candles.
    pub candles: bool,
    /// The time is a candle's end, by its column's name.
    pub closes: bool,
    delimiter: u8,
    time: usize,
    price: usize,
}

impl Layout {
    /// The layout of a file, from its first line.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be read; inside, why its columns are unknown.
    pub fn detect(file: impl Read) -> io::Result<Result<Self, LayoutProblem>> {
        let mut first = Vec::new();
        let mut reader = BufReader::new(file.take(LINE_MAX));
        while first.iter().all(u8::is_ascii_whitespace) {
            first.clear();
            if reader.read_until(b'\n', &mut first)? == 0 {
                break;
            }
        }
        Ok(Self::of(&first))
    }

    fn of(first: &[u8]) -> Result<Self, LayoutProblem> {
        let count = |delimiter: u8| first.iter().filter(|byte| **byte == delimiter).count();
        let delimiter = [b',', b';', b'\t']
            .into_iter()
            .rev()
            .max_by_key(|delimiter| count(*delimiter))
            .unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .from_reader(first);
        let mut record = ByteRecord::new();
        let read = reader
            .read_byte_record(&mut record)
            .map_err(|error| LayoutProblem::Malformed(error.to_string()))?;
        if !read {
            return Err(LayoutProblem::Empty);
        }
        let layout = |header, candles, closes, time, price| Self {
            header,
            candles,
            closes,
            delimiter,
            time,
            price,
        };
        if record.get(0).is_some_and(|field| text::instant(field).is_some()) {
            return match record.len() {
                2 => Ok(layout(false, false, false, 0, 1)),
                // Time, open, high, low, close, and whatever follows.
                5.. => Ok(layout(false, true, false, 0, 4)),
                columns => Err(LayoutProblem::NoHeader(columns)),
            };
        }
        let names: Vec<String> = record.iter().map(plain).collect();
        let find = |known: &[&str]| {
            known
                .iter()
                .find_map(|known| names.iter().position(|name| name == known))
        };
        let (time, closes) = match (find(&TIME_NAMES), find(&CLOSE_TIME_NAMES)) {
            (Some(time), _) => (Some(time), false),
            (None, Some(time)) => (Some(time), true),
            (None, None) => (None, false),
        };
        match (time, find(&PRICE_NAMES)) {
            (Some(time), Some(price)) => {
                // A close is the end of something, also where the rest of the candle was left out.
                let close = names
                    .get(price)
                    .is_some_and(|name| CLOSE_NAMES.contains(&name.as_str()));
                let candles = close || find(&OPEN_NAMES).is_some();
                Ok(layout(true, candles, closes, time, price))
            }
            _ => Err(LayoutProblem::Names(names.join(", "))),
        }
    }

    /// Reads the rows of `source`, its header included.
    pub fn reader<R: Read>(&self, source: R) -> csv::Reader<R> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .buffer_capacity(1 << 18)
            .from_reader(source)
    }

    /// Time and price of a record.
    ///
    /// # Errors
    /// [`RowProblem`] if it has none.
    pub fn row(&self, record: &ByteRecord) -> Result<PriceRow, RowProblem> {
        let field = |index: usize| {
            record
                .get(index)
                .map(<[u8]>::trim_ascii)
                .ok_or_else(|| RowProblem::Columns {
                    found: record.len(),
                    needed: self.time.max(self.price) + 1,
                })
        };
        let (time, price) = (field(self.time)?, field(self.price)?);
        let at = text::instant(time).ok_or_else(|| RowProblem::Time(text::shown(time)))?;
        Ok(PriceRow {
            at,
            price: text::price(price)?,
        })
    }
}

/// A column's name as it is compared: lower case, without quotes, units in brackets and a byte order mark.
fn plain(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name = name.trim_start_matches('\u{feff}').trim().trim_matches('"');
    let name = name.split(['(', '[']).next().unwrap_or_default();
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_or_by_place() {
        for (line, header, candles, closes, time, price) in [
            ("time,price\n", true, false, false, 0, 1),
            ("\u{feff}Price;Timestamp\n", true, false, false, 1, 0),
            (
                "\"unix\",\"date\",\"symbol\",\"open\",\"high\",\"low\",\"close\"\n",
                true,
                true,
                false,
                1,
                6,
            ),
            ("close_time\topen\tclose\n", true, true, true, 0, 2),
            ("Date (UTC),Close (USD)\n", true, true, false, 0, 1),
            ("1767225600,1.5", false, false, false, 0, 1),
            ("2026-01-01T00:00:00Z,1,2,0.5,1.5,900\n", false, true, false, 0, 4),
        ] {
            let layout = Layout::of(line.as_bytes()).expect(line);
            let found = (
                layout.header,
                layout.candles,
                layout.closes,
                layout.time,
                layout.price,
            );
            assert_eq!(found, (header, candles, closes, time, price), "{line}");
        }
    }

    #[test]
    fn columns_that_cannot_be_identified_are_refused_with_what_is_there() {
        for (line, said) in [
            ("when,how much\n", "when, how much"),
            ("1767225600,1,2\n", "3 columns and no header"),
            ("", "empty"),
        ] {
            let error = Layout::of(line.as_bytes()).expect_err(line);
            assert!(error.to_string().contains(said), "{error}");
            assert!(!error.unquoted().contains("how much"), "{error}");
        }
    }
}
