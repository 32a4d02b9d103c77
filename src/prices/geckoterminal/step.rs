//! Lengths of candles that the API gives.

use std::str::FromStr;

use crate::domain::span::Span;

/// Length of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::VariantArray)]
pub enum Step {
    /// One minute.
    #[strum(serialize = "1m")]
    Minute,
    /// Five minutes.
    #[strum(serialize = "5m")]
    Minutes5,
    /// A quarter of an hour.
    #[strum(serialize = "15m")]
    Minutes15,
    /// One hour.
    #[strum(serialize = "1h")]
    Hour,
    /// Four hours.
    #[strum(serialize = "4h")]
    Hours4,
    /// Half a day.
    #[strum(serialize = "12h")]
    Hours12,
    /// One day.
    #[strum(serialize = "1d")]
    Day,
}

impl Step {
    /// A step of this length; `None` if the API has none.
    #[must_use]
    pub fn of(span: Span) -> Option<Self> {
        <Self as strum::VariantArray>::VARIANTS
            .iter()
            .copied()
            .find(|step| step.span() == span)
    }

    /// Its length.
    #[must_use]
    pub fn span(self) -> Span {
        Span::from_secs(self.secs().unsigned_abs())
    }

    pub(super) const fn secs(self) -> i64 {
        let minutes = match self {
            Self::Minute => 1,
            Self::Minutes5 => 5,
            Self::Minutes15 => 15,
            Self::Hour => 60,
            Self::Hours4 => 4 * 60,
            Self::Hours12 => 12 * 60,
            Self::Day => 24 * 60,
        };
        minutes * 60
    }

    pub(super) const fn timeframe(self) -> &'static str {
        match self {
            Self::Minute | Self::Minutes5 | Self::Minutes15 => "minute",
            Self::Hour | Self::Hours4 | Self::Hours12 => "hour",
            Self::Day => "day",
        }
    }

    pub(super) const fn aggregate(self) -> u32 {
        match self {
            Self::Minute | Self::Hour | Self::Day => 1,
            Self::Hours4 => 4,
            Self::Minutes5 => 5,
            Self::Hours12 => 12,
            Self::Minutes15 => 15,
        }
    }
}

/// The step that a text names: `60m` and `1h` are the same.
///
/// # Errors
/// Which steps there are.
pub fn parse(text: &str) -> Result<Step, String> {
    let known = Step::from_str(text).ok().or_else(|| Step::of(text.parse().ok()?));
    known.ok_or_else(|| "allowed are 1m, 5m, 15m, 1h, 4h, 12h and 1d".to_owned())
}
