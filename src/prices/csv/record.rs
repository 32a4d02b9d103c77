//! Records of a CSV file, each with the line that an editor shows.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
};

/// Longer lines are cut, which makes them bad rows.
const LINE_MAX: usize = 64 * 1_024;
/// A quoted field spans at most this many lines: a stray quote must not swallow the rest of the file.
const QUOTED_LINES_MAX: u64 = 20;
/// Bytes per read.
const BUFFER: usize = 1 << 18;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// One record: its fields without quotes and surrounding blanks.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Line of its first field, from 1.
    pub(super) line: u64,
    /// A quote that is opened and never closed.
    pub(super) unclosed: bool,
    /// The lines of the record as they are.
    raw: Vec<u8>,
    fields: Vec<u8>,
    /// The end of each field in `fields`.
    ends: Vec<usize>,
}

impl Record {
    /// A field, by its index from 0.
    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.fields.get(start..end).map(trim)
    }

    /// Number of fields, without empty ones at the end.
    pub(super) fn len(&self) -> usize {
        let all = self.ends.len();
        let empty = |index: &usize| self.get(*index).is_none_or(<[u8]>::is_empty);
        all - (0..all).rev().take_while(empty).count()
    }

    /// Number of fields, with empty ones at the end.
    pub(super) const fn all(&self) -> usize {
        self.ends.len()
    }

    /// The first line as it is.
    pub(super) fn raw(&self) -> &[u8] {
        trim(&self.raw)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Splits the record at `delimiter`. False if a quote is still open at its end.
    pub(super) fn split(&mut self, delimiter: u8) -> bool {
        self.fields.clear();
        self.ends.clear();
        if !self.raw.contains(&b'"') {
            for field in self.raw.split(|byte| *byte == delimiter) {
                self.fields.extend_from_slice(field);
                self.ends.push(self.fields.len());
            }
            return true;
        }
        let (mut begins, mut quoted) = (true, false);
        let mut bytes = self.raw.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if quoted {
                if byte != b'"' {
                    self.fields.push(byte);
                } else if bytes.next_if_eq(&b'"').is_some() {
                    self.fields.push(b'"');
                } else {
                    quoted = false;
                }
            } else if byte == delimiter {
                self.ends.push(self.fields.len());
                begins = true;
            } else if byte == b'"' && begins {
                (begins, quoted) = (false, true);
            } else {
                begins = begins && byte == b' ';
                self.fields.push(byte);
            }
        }
        self.ends.push(self.fields.len());
        !quoted
    }
}

/// Trimmed, the no-break space of spreadsheets included.
fn trim(mut field: &[u8]) -> &[u8] {
    loop {
        let before = field.len();
        field = field.trim_ascii();
        field = field.strip_prefix(b"\xc2\xa0").unwrap_or(field);
        field = field.strip_suffix(b"\xc2\xa0").unwrap_or(field);
        if field.len() == before {
            return field;
        }
    }
}

/// Reads records. Lines end with LF, CR LF or CR, as editors count them.
#[derive(Debug)]
pub(super) struct Records<R> {
    source: BufReader<R>,
    lines: u64,
    after_cr: bool,
    line: Vec<u8>,
    /// Lines that were read as the rest of a quote that is never closed: they are rows of their own.
    again: VecDeque<Vec<u8>>,
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source: BufReader::with_capacity(BUFFER, source),
            lines: 0,
            after_cr: false,
            line: Vec::new(),
            again: VecDeque::new(),
        }
    }

    /// The first bytes, not yet read.
    pub(super) fn peek(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    /// Reads the next record that has any text, split at `delimiter`. False at the end.
    pub(super) fn next(&mut self, delimiter: u8, record: &mut Record) -> io::Result<bool> {
        loop {
            if !self.next_line()? {
                return Ok(false);
            }
            record.line = self.lines;
            record.unclosed = false;
            record.raw.clear();
            record.raw.extend_from_slice(&self.line);
            let mut taken = Vec::new();
            while !record.split(delimiter) {
                if self.lines - record.line >= QUOTED_LINES_MAX || !self.next_line()? {
                    self.lines = record.line;
                    for line in taken.into_iter().rev() {
                        self.again.push_front(line);
                    }
                    record.unclosed = true;
                    return Ok(true);
                }
                taken.push(self.line.clone());
                record.raw.push(b'\n');
                record.raw.extend_from_slice(&self.line);
            }
            if record.len() > 0 {
                return Ok(true);
            }
        }
    }

    fn next_line(&mut self) -> io::Result<bool> {
        if let Some(line) = self.again.pop_front() {
            self.line = line;
            self.lines += 1;
            return Ok(true);
        }
        self.line.clear();
        let mut any = false;
        loop {
            let buffer = self.source.fill_buf()?;
            if std::mem::take(&mut self.after_cr) && buffer.first() == Some(&b'\n') {
                self.source.consume(1);
                continue;
            }
            if buffer.is_empty() {
                self.lines += u64::from(any);
                return Ok(any);
            }
            any = true;
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let text = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = LINE_MAX.saturating_sub(self.line.len()).min(text.len());
            self.line.extend_from_slice(text.get(..room).unwrap_or_default());
            let Some(end) = end else {
                let read = buffer.len();
                self.source.consume(read);
                continue;
            };
            self.after_cr = buffer.get(end) == Some(&b'\r');
            self.source.consume(end + 1);
            self.lines += 1;
            if self.lines == 1 && self.line.starts_with(BOM) {
                self.line.drain(..BOM.len());
            }
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, delimiter: u8) -> Vec<(u64, Vec<String>)> {
        let mut records = Records::new(text.as_bytes());
        let mut record = Record::default();
        let mut all = Vec::new();
        while records.next(delimiter, &mut record).expect("memory") {
            let fields = record
                .iter()
                .map(|field| String::from_utf8_lossy(field).into_owned());
            all.push((record.line, fields.collect()));
        }
        all
    }

    #[test]
    fn lines_are_those_of_an_editor_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["\u{feff}a,b", "", "1,2", "\"x", "y\",4", " ", ",,", "5 , 6,,"].join(end);
            let found = records(&text, b',');
            let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
            assert_eq!(lines, [1, 3, 4, 8], "{end:?}");
            assert_eq!(found[0].1, ["a", "b"]);
            assert_eq!(found[2].1, ["x\ny", "4"]);
            assert_eq!(found[3].1, ["5", "6"]);
        }
    }

    #[test]
    fn quotes_hold_delimiters_and_quotes() {
        let found = records("\"1,5\";\"say \"\"x\"\"\"; 7\" ;\n", b';');
        assert_eq!(found[0].1, ["1,5", "say \"x\"", "7\""]);
        let stray = "\"open,1\n".to_owned() + &"1,2\n".repeat(50);
        let found = records(&stray, b',');
        let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(
            lines,
            (1..=51).collect::<Vec<u64>>(),
            "only the line with the quote is lost"
        );
        assert_eq!(found[50].1, ["1", "2"]);
    }
}
