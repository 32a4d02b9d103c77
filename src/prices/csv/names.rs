//! Names of columns, as exchanges, price sites and spreadsheets write them.

const DATE_NAMES: [&str; 3] = ["date", "day", "dateutc"];
const CLOCK_NAMES: [&str; 3] = ["time", "timeutc", "hour"];
const TIME_NAMES: [&str; 25] = [
    "unix",
    "unixtime",
    "unixtimestamp",
    "timestamp",
    "timestampms",
    "time",
    "timems",
    "date",
    "datetime",
    "dateutc",
    "timeutc",
    "utctime",
    "gmttime",
    "opentime",
    "opendate",
    "timeopen",
    "starttime",
    "timestart",
    "timeperiodstart",
    "snappedat",
    "ts",
    "t",
    "day",
    "epoch",
    "start",
];
const CLOSE_TIME_NAMES: [&str; 6] = [
    "closetime",
    "closedate",
    "timeclose",
    "endtime",
    "timeend",
    "timeperiodend",
];
const PRICE_NAMES: [&str; 13] = [
    "price",
    "close",
    "priceusd",
    "usd",
    "usdprice",
    "closeprice",
    "priceclose",
    "closeusd",
    "closingprice",
    "last",
    "adjclose",
    "value",
    "c",
];
const CLOSE_NAMES: [&str; 8] = [
    "close",
    "closeprice",
    "priceclose",
    "closeusd",
    "closingprice",
    "last",
    "adjclose",
    "c",
];
const OPEN_NAMES: [&str; 5] = ["open", "o", "openprice", "priceopen", "openusd"];

/// Brackets behind a name that change nothing: units of time, UTC and the dollar.
const BRACKETS: [&str; 10] = ["usd", "usdt", "usdc", "us$", "$", "utc", "gmt", "s", "ms", "unix"];

/// The columns of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    /// A point in time, or the start of a candle.
    pub(super) time: Option<usize>,
    /// The end of a candle.
    pub(super) close_time: Option<usize>,
    /// A day and a time of day in columns of their own, perhaps.
    pub(super) day_and_clock: Option<(usize, usize)>,
    pub(super) price: usize,
    pub(super) candles: bool,
}

/// The columns by a header's names; `None` without a time or a price.
pub(super) fn named<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<Named> {
    let names: Vec<String> = fields.map(plain).collect();
    let find = |known: &[&str]| {
        known
            .iter()
            .find_map(|known| names.iter().position(|name| name == known))
    };
    let price = find(&PRICE_NAMES)?;
    let (time, close_time) = (find(&TIME_NAMES), find(&CLOSE_TIME_NAMES));
    time.or(close_time)?;
    // A close belongs to a candle, also where the file has no other column of it.
    let close = names
        .get(price)
        .is_some_and(|name| CLOSE_NAMES.contains(&name.as_str()));
    Some(Named {
        time,
        close_time,
        day_and_clock: find(&DATE_NAMES).zip(find(&CLOCK_NAMES)),
        price,
        candles: close || find(&OPEN_NAMES).is_some(),
    })
}

/// A normalised name: lower-case letters and digits only, without a known unit in brackets.
fn plain(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).to_lowercase();
    let name = name.trim().trim_start_matches('<').trim_end_matches('>');
    let known = match name.split_once(['(', '[']) {
        Some((before, unit)) if BRACKETS.contains(&unit.trim_end_matches([')', ']']).trim()) => before,
        _ => name,
    };
    known
        .chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-' | '.' | '"' | '\''))
        .collect()
}
