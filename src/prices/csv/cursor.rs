//! Parses a date from left to right.

use chrono::{NaiveDate, NaiveTime, TimeDelta};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The rest of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) const fn new(field: &'a [u8]) -> Self {
        Self(field)
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Skips any of these characters.
    pub(super) fn skip(&mut self, characters: &[u8]) {
        while let [first, rest @ ..] = self.0
            && characters.contains(first)
        {
            self.0 = rest;
        }
    }

    fn eat(&mut self, characters: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        characters.contains(first).then(|| self.0 = rest)?;
        Some(*first)
    }

    /// A number of this many digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(least..=most).contains(&digits) {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    fn word(&mut self) -> Option<String> {
        let letters = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let (word, rest) = self
            .0
            .split_at_checked(letters)
            .filter(|(word, _)| !word.is_empty())?;
        self.0 = rest;
        Some(String::from_utf8_lossy(word).to_lowercase())
    }

    /// A month by its English name, or three letters of it.
    fn month(&mut self) -> Option<u32> {
        let word = self.word()?;
        let index = MONTHS
            .iter()
            .position(|month| word.len() >= 3 && month.starts_with(&word))?;
        u32::try_from(index + 1).ok()
    }

    /// Tries to parse; on failure nothing is consumed.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut ahead = *self;
        let value = read(&mut ahead)?;
        *self = ahead;
        Some(value)
    }

    fn year(&mut self) -> Option<i32> {
        self.number(4, 4).and_then(|year| i32::try_from(year).ok())
    }

    /// A date that can be read in one way only: the year first, or the month by name.
    pub(super) fn date(&mut self) -> Option<NaiveDate> {
        self.attempt(|c| {
            let year = c.year()?;
            let separator = c.eat(b"-/.")?;
            let month = c.number(1, 2)?;
            c.eat(&[separator])?;
            NaiveDate::from_ymd_opt(year, month, c.number(1, 2)?)
        })
        .or_else(|| {
            self.attempt(|c| {
                let digits = c.number(8, 8)?;
                let year = i32::try_from(digits / 10_000).ok()?;
                NaiveDate::from_ymd_opt(year, digits / 100 % 100, digits % 100)
            })
        })
        .or_else(|| {
            self.attempt(|c| {
                let day = c.number(1, 2)?;
                c.skip(b" -");
                let month = c.month()?;
                c.skip(b" -,.");
                NaiveDate::from_ymd_opt(c.year()?, month, day)
            })
        })
        .or_else(|| {
            self.attempt(|c| {
                let month = c.month()?;
                c.skip(b" .-");
                let day = c.number(1, 2)?;
                c.skip(b" ,-");
                NaiveDate::from_ymd_opt(c.year()?, month, day)
            })
        })
    }

    /// Two numbers and a year: day and month, or month and day.
    pub(super) fn day_and_month(&mut self) -> Option<(u32, u32, i32)> {
        self.attempt(|c| {
            let first = c.number(1, 2)?;
            let separator = c.eat(b"-/.")?;
            let second = c.number(1, 2)?;
            c.eat(&[separator])?;
            Some((first, second, c.year()?))
        })
    }

    /// A time of day: hours and minutes, with seconds, a fraction and AM or PM or without.
    pub(super) fn time(&mut self) -> Option<NaiveTime> {
        let before = self.0.len();
        let (hour, minute, second, micros) = match self.attempt(|c| c.number(4, 6)) {
            // HHMMSS by its digits: 001200 is twelve minutes past midnight.
            Some(number) if before - self.0.len() > 4 => {
                (number / 10_000, number / 100 % 100, number % 100, 0)
            }
            Some(number) => (number / 100, number % 100, 0, 0),
            None => self.attempt(Self::with_colons)?,
        };
        let half = self.attempt(|c| {
            c.skip(b" -");
            c.word().filter(|word| word == "am" || word == "pm")
        });
        let hour = match half {
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some(half) => hour % 12 + if half == "pm" { 12 } else { 0 },
            None => hour,
        };
        NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
    }

    fn with_colons(&mut self) -> Option<(u32, u32, u32, u32)> {
        let hour = self.number(1, 2)?;
        if self.eat(b":").is_none() {
            // An hour alone needs AM or PM.
            let mut ahead = *self;
            ahead.skip(b" -");
            return ahead
                .word()
                .filter(|word| word == "am" || word == "pm")
                .map(|_| (hour, 0, 0, 0));
        }
        let minute = self.number(2, 2)?;
        if self.eat(b":").is_none() {
            return Some((hour, minute, 0, 0));
        }
        let second = self.number(2, 2)?;
        let mut micros = 0;
        if self.eat(b".,").is_some() {
            let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, rest) = self.0.split_at_checked(digits)?;
            micros = (0..6).fold(0, |sum, index| {
                sum * 10 + fraction.get(index).map_or(0, |digit| u32::from(digit - b'0'))
            });
            self.0 = rest;
        }
        Some((hour, minute, second, micros))
    }

    /// The offset from UTC. Names of other zones are refused: their offset changes over the year.
    pub(super) fn zone(&mut self) -> Option<TimeDelta> {
        self.skip(b" ");
        let signed = |c: &mut Self| {
            let minus = c.eat(b"+-")? == b'-';
            let hours = match c.attempt(|c| c.number(4, 4)) {
                Some(both) => (both / 100, both % 100),
                None => {
                    let hours = c.number(1, 2)?;
                    let minutes = c.eat(b":").map(|_| c.number(2, 2));
                    (hours, minutes.unwrap_or(Some(0))?)
                }
            };
            let minutes = i64::from(hours.0 * 60 + hours.1);
            (hours.0 <= 14 && hours.1 < 60)
                .then(|| TimeDelta::minutes(if minus { -minutes } else { minutes }))
        };
        let offset = self.attempt(signed);
        self.skip(b" ");
        let named = self.attempt(|c| {
            c.word()
                .filter(|word| ["z", "utc", "gmt"].contains(&word.as_str()))
        });
        match (offset, named) {
            (Some(offset), None) => Some(offset),
            (Some(offset), Some(_)) => offset.is_zero().then_some(offset),
            (None, _) => Some(TimeDelta::zero()),
        }
    }
}
