//! Which columns of a file are time and price, and how it writes both.

use std::io::{self, Read};

use chrono::{TimeDelta, Utc};

use super::{
    names::{Named, named},
    number::{self, Decimals, shown},
    problem::{LayoutProblem, RowProblem},
    record::{Record, Records},
    time::{self, DayMonth, NoTime},
};
use crate::domain::{Timestamp, units::Price};

/// Tried in this order: a comma may also be a decimal separator.
const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];
/// Maximum number of column names in an error.
const NAMES_SHOWN: usize = 20;
/// Maximum number of lines above the table.
const LEAD_MAX: usize = 20;
/// How a line above the table begins that says where invented prices come from.
pub const INVENTED: &str = "# INVENTED prices";
/// How a line above the table begins that says whose prices these are, and where they come from.
pub const SOURCE: &str = "# Prices of";
/// Rows read to detect the order of the file.
const SAMPLE: usize = 500;
/// How far in the future a candle may end: a month that has just begun.
const CANDLE_MAX: TimeDelta = TimeDelta::days(31);

/// A row of a file: the price from this instant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRow {
    /// As in the file; for a candle, its start or its end.
    pub at: Timestamp,
    /// USD per whole token.
    pub price: Price,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeColumns {
    One(usize),
    /// A day and a time of day.
    Two(usize, usize),
}

impl TimeColumns {
    fn last(self) -> usize {
        match self {
            Self::One(index) => index,
            Self::Two(day, clock) => day.max(clock),
        }
    }
}

/// The columns of time and price, and their notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Rows are candles.
    pub candles: bool,
    /// The time is a candle's end.
    pub closes: bool,
    /// The newest row comes first.
    pub newest_first: bool,
    /// Assumptions and skipped lines, one sentence each.
    pub notes: Vec<String>,
    /// The file says that its prices are invented: [`INVENTED`].
    pub invented: bool,
    /// Rows begin below this line.
    above: u64,
    /// Columns of the header.
    width: Option<usize>,
    delimiter: u8,
    time: TimeColumns,
    price: usize,
    order: Option<DayMonth>,
    decimals: Option<Decimals>,
    /// A later time is refused.
    latest: Timestamp,
}

impl Layout {
    /// Whether a row's time is the beginning of its candle, whose close is known only at its end.
    #[must_use]
    pub const fn begins(&self) -> bool {
        self.candles && !self.closes
    }

    /// Detects the layout of a file: by its header or first row, and by as many rows as needed to tell how dates and
    /// decimals are written.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be read; inside, why its columns are unknown.
    pub fn detect(file: impl Read) -> io::Result<Result<Self, LayoutProblem>> {
        let mut records = Records::new(file);
        if let Some(format) = foreign(records.peek()?) {
            return Ok(Err(LayoutProblem::Format(format)));
        }
        let latest = Utc::now() + TimeDelta::days(1);
        let mut record = Record::default();
        let (mut layout, header) = match head(&mut records, &mut record, latest)? {
            Ok(found) => found,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut survey = Survey::default();
        let mut any = header.is_none() || records.next(layout.delimiter, &mut record)?;
        if let (Some(names), true) = (&header, any) {
            layout.choose_time(names, &record);
        }
        while any && survey.wants(&layout) {
            survey.look_at(&layout, &record);
            any = records.next(layout.delimiter, &mut record)?;
        }
        survey.conclude(&mut layout);
        Ok(Ok(layout))
    }

    /// Chooses one of a header's time columns by the first row.
    fn choose_time(&mut self, names: &Named, first: &Record) {
        let is_time = |index: usize| {
            first
                .get(index)
                .is_some_and(|field| looks_like_time(field, self.latest))
        };
        if let Some(close) = names.close_time.filter(|close| names.candles && is_time(*close)) {
            (self.time, self.closes) = (TimeColumns::One(close), true);
            return;
        }
        if let Some((day, clock)) = names.day_and_clock
            && names.time.is_some_and(|time| time == day || time == clock)
            && is_time(day)
        {
            let is_clock = |field: &[u8]| time::time_of_day(field).is_some();
            if first.get(clock).is_some_and(is_clock) {
                self.time = TimeColumns::Two(day, clock);
            } else if !is_time(clock) {
                self.time = TimeColumns::One(day);
            }
        }
    }

    /// Reads the rows of `source`, which is the whole file.
    pub fn rows<R: Read>(&self, source: R) -> Rows<'_, R> {
        Rows {
            layout: self,
            records: Records::new(source),
            record: Record::default(),
        }
    }

    fn time(&self, record: &Record) -> Result<Timestamp, (Vec<u8>, NoTime)> {
        let latest = if self.closes {
            self.latest + CANDLE_MAX
        } else {
            self.latest
        };
        let field = |index| record.get(index).unwrap_or_default();
        match self.time {
            TimeColumns::One(index) => time::price_time(field(index), self.order, latest)
                .map_err(|problem| (field(index).to_vec(), problem)),
            TimeColumns::Two(day, clock) => {
                let (day, clock) = (field(day), field(clock));
                time::price_time_of_two((day, clock), self.order, latest)
                    .map_err(|problem| ([day, b" ", clock].concat(), problem))
            }
        }
    }

    /// Time and price of a record.
    fn row(&self, record: &Record) -> Result<PriceRow, RowProblem> {
        if record.unclosed {
            return Err(RowProblem::Quote);
        }
        if self.width.is_some_and(|width| record.len() > width) {
            return Err(RowProblem::TooMany {
                found: record.len(),
                first: self.width.unwrap_or_default(),
            });
        }
        let needed = self.time.last().max(self.price) + 1;
        let price = record.get(self.price).filter(|_| self.time.last() < record.all());
        let price = price.ok_or_else(|| RowProblem::Columns {
            found: record.all(),
            needed,
        })?;
        let at = self
            .time(record)
            .map_err(|(field, problem)| RowProblem::of_time(shown(&field), problem))?;
        Ok(PriceRow {
            at: if self.closes { time::known_from(at) } else { at },
            price: number::price(price, self.decimals)?,
        })
    }
}

/// Rows of a file, in its order.
#[derive(Debug)]
pub struct Rows<'a, R> {
    layout: &'a Layout,
    records: Records<R>,
    record: Record,
}

/// A line number, as an editor counts, and its row.
pub type Line = (u64, Result<PriceRow, RowProblem>);

impl<R: Read> Rows<'_, R> {
    /// The next row; none at the end.
    ///
    /// # Errors
    /// [`io::Error`].
    pub fn next_row(&mut self) -> io::Result<Option<Line>> {
        loop {
            if !self.records.next(self.layout.delimiter, &mut self.record)? {
                return Ok(None);
            }
            if self.record.line > self.layout.above {
                return Ok(Some((self.record.line, self.layout.row(&self.record))));
            }
        }
    }
}

/// Recognises other formats by their first bytes; returns what to do with them.
fn foreign(first: &[u8]) -> Option<&'static str> {
    let text = first.trim_ascii_start();
    if first.starts_with(b"\xff\xfe")
        || first.starts_with(b"\xfe\xff")
        || first.iter().take(64).any(|b| *b == 0)
    {
        return Some(
            "UTF-16 or binary, not UTF-8 text: save it as 'CSV UTF-8', or convert it with iconv -f UTF-16 -t UTF-8",
        );
    }
    if first.starts_with(b"PK\x03\x04") || first.starts_with(b"\x1f\x8b") {
        return Some("compressed or a spreadsheet: unpack it, or export it as CSV");
    }
    if text.starts_with(b"{") || text.starts_with(b"[") {
        return Some("JSON: convert it to CSV with the columns time and price");
    }
    let html = text.get(..5).unwrap_or_default().to_ascii_lowercase();
    (text.starts_with(b"<!") || html.starts_with(b"<html") || html.starts_with(b"<?xml"))
        .then_some("a web page: download the CSV file itself")
}

fn looks_like_time(field: &[u8], latest: Timestamp) -> bool {
    time::price_time(field, None, latest) != Err(NoTime::Notation)
}

type Head = Result<(Layout, Option<Named>), LayoutProblem>;

/// Finds the header or the first row; lines above it are skipped.
fn head<R: Read>(records: &mut Records<R>, record: &mut Record, latest: Timestamp) -> io::Result<Head> {
    let mut notes = Vec::new();
    let mut invented = false;
    let mut first = None;
    while notes.len() < LEAD_MAX && records.next(b',', record)? {
        let mut problem = None;
        for delimiter in DELIMITERS {
            record.split(delimiter);
            match columns(record, delimiter, latest) {
                Ok((layout, names)) => {
                    let layout = Layout {
                        notes,
                        invented,
                        ..layout
                    };
                    return Ok(Ok((layout, names)));
                }
                // The line with the most columns is the most informative.
                Err(found) if record.len() > 1 || problem.is_none() => problem = Some(found),
                Err(_) => {}
            }
        }
        let raw = record.raw();
        let text = shown(raw);
        let above = raw.starts_with(b"#") || raw.starts_with(b"//") || text.contains("://");
        let bare = DELIMITERS.iter().all(|delimiter| !raw.contains(delimiter));
        let hint = raw.to_ascii_lowercase().starts_with(b"sep=");
        if !(above || bare || hint) {
            return Ok(Err(first.or(problem).unwrap_or(LayoutProblem::Empty)));
        }
        first = first.or(problem);
        if raw.starts_with(INVENTED.as_bytes()) {
            invented = true;
            notes.push(format!("the prices are INVENTED: {text}"));
        } else if raw.starts_with(SOURCE.as_bytes()) {
            notes.push(text.trim_start_matches("# ").to_owned());
        } else if !hint {
            notes.push(format!("line {} was skipped: {text}", record.line));
        }
    }
    Ok(Err(first.unwrap_or(LayoutProblem::Empty)))
}

/// The layout by a header, or by a first row without one.
fn columns(
    record: &Record,
    delimiter: u8,
    latest: Timestamp,
) -> Result<(Layout, Option<Named>), LayoutProblem> {
    let layout = |above, candles, time, price| Layout {
        candles,
        closes: false,
        newest_first: false,
        notes: Vec::new(),
        invented: false,
        above,
        width: None,
        delimiter,
        time,
        price,
        order: None,
        decimals: None,
        latest,
    };
    let (line, width) = (record.line, Some(record.all()));
    let field = |index| record.get(index).unwrap_or_default();
    if looks_like_time(field(0), latest) {
        let clock = field(1).contains(&b':') && time::time_of_day(field(1)).is_some();
        let (time, columns, above) = if clock {
            (TimeColumns::Two(0, 1), record.len().saturating_sub(1), line - 1)
        } else {
            (TimeColumns::One(0), record.len(), line - 1)
        };
        let skipped = usize::from(clock);
        return match columns {
            2 => {
                let layout = layout(above, false, time, 1 + skipped);
                Ok((Layout { width, ..layout }, None))
            }
            5.. => {
                // Time, open, high, low, close, and whatever follows: with Binance a volume and the end.
                let mut layout = layout(above, true, time, 4 + skipped);
                layout.width = width;
                let read = |index| time::price_time(field(index), None, latest + CANDLE_MAX);
                if let (Ok(begins), Ok(ends)) = (read(0), read(6))
                    && !clock
                    && begins < ends
                    && ends - begins <= CANDLE_MAX
                {
                    (layout.time, layout.closes) = (TimeColumns::One(6), true);
                }
                Ok((layout, None))
            }
            columns => Err(LayoutProblem::NoHeader { line, columns }),
        };
    }
    let found = named(record.iter());
    let time = found.and_then(|found| found.time.or(found.close_time));
    if let (Some(names), Some(time)) = (found, time) {
        let closes = names.time.is_none();
        let found = layout(line, names.candles || closes, TimeColumns::One(time), names.price);
        return Ok((
            Layout {
                closes,
                width,
                ..found
            },
            Some(names),
        ));
    }
    let names: Vec<String> = record.iter().take(NAMES_SHOWN).map(shown).collect();
    Err(LayoutProblem::Names {
        line,
        names: names.join(", "),
    })
}

/// What the rows show about notation and order.
#[derive(Debug, Default)]
struct Survey {
    rows: usize,
    order: Option<DayMonth>,
    decimals: Option<Decimals>,
    /// A date that may start with the day or the month.
    open_date: bool,
    times: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Survey {
    /// Whether the next row may still change the layout.
    fn wants(&self, layout: &Layout) -> bool {
        self.rows < SAMPLE
            || (layout.delimiter != b',' && self.decimals.is_none())
            || (self.open_date && self.order.is_none())
    }

    fn look_at(&mut self, layout: &Layout, record: &Record) {
        let field = |index| record.get(index).unwrap_or_default();
        let (time, clock) = match layout.time {
            TimeColumns::One(index) => (field(index), &b""[..]),
            TimeColumns::Two(day, clock) => (field(day), field(clock)),
        };
        self.order = self.order.or_else(|| time::proven_order(time));
        self.decimals = self.decimals.or_else(|| Decimals::proven_by(field(layout.price)));
        if self.rows < SAMPLE {
            let read = time::price_time(time, None, layout.latest);
            self.open_date = self.open_date || read == Err(NoTime::DayOrMonth);
            self.times.push((time.to_vec(), clock.to_vec()));
        }
        self.rows += 1;
    }

    fn conclude(self, layout: &mut Layout) {
        (layout.order, layout.decimals) = (self.order, self.decimals);
        let latest = layout.latest + CANDLE_MAX;
        let times: Vec<Timestamp> = self
            .times
            .iter()
            .filter_map(|(day, clock)| match layout.time {
                TimeColumns::One(_) => time::price_time(day, self.order, latest).ok(),
                TimeColumns::Two(..) => time::price_time_of_two((day, clock), self.order, latest).ok(),
            })
            .collect();
        let (mut up, mut down) = (0, 0);
        for pair in times.windows(2) {
            if let [first, second] = pair {
                up += usize::from(first < second);
                down += usize::from(first > second);
            }
        }
        layout.newest_first = down > up;
        if layout.newest_first {
            layout
                .notes
                .push("the newest row comes first: the file was read from its end".to_owned());
        }
        let last_moments = !times.is_empty() && times.iter().all(|at| time::ends_a_minute(*at));
        if layout.candles && !layout.closes && last_moments && (times.len() > 1 || self.times.len() == 1) {
            layout.closes = true;
        }
        if layout.decimals == Some(Decimals::Comma) {
            layout
                .notes
                .push("decimals begin with a comma: 1,5 was read as 1.5".to_owned());
        }
        if self.open_date
            && let Some(order) = self.order
        {
            layout.notes.push(match order {
                DayMonth::DayFirst => "dates are day, month, year: 03/04 was read as 3 April".to_owned(),
                DayMonth::MonthFirst => "dates are month, day, year: 03/04 was read as 4 March".to_owned(),
            });
        }
    }
}
