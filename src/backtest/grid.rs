//! The configurations of a sweep: ranges `KEY=A..B:STEP`, crossed with each other. Steps are exact.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;

use crate::domain::span::Span;

/// Maximum number of configurations of one sweep.
pub const CONFIGURATIONS_MAX: usize = 10_000;

/// One key and the values it takes, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The dotted key.
    pub key: String,
    /// Its values, in the form of `--set`.
    pub values: Vec<String>,
}

/// Keys crossed with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    axes: Vec<Axis>,
}

/// One configuration of a grid: the index of its value on each axis.
pub type Place = Vec<usize>;

/// An invalid sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// Not of the form `KEY=A..B:STEP`.
    #[error(
        "write KEY=FROM..TO:STEP, such as accumulate.dip_buy_threshold_pct=5..20:2.5 or accumulate.dca_interval=4h..24h:4h"
    )]
    Form,
    /// Neither a number nor a length of time.
    #[error(
        "{value:?} is neither a number nor a length of time such as 90m; FROM, TO and STEP must all be the one or all the other"
    )]
    Value {
        /// The part that cannot be read.
        value: String,
    },
    /// An endless or empty range.
    #[error("STEP must be above 0 and FROM not above TO")]
    Direction,
    /// A key that is given twice.
    #[error("{key} is given twice; a key has one range")]
    Twice {
        /// The key.
        key: String,
    },
    /// Too many configurations.
    #[error("{sizes} make more than {CONFIGURATIONS_MAX} configurations; use larger steps or fewer keys")]
    TooMany {
        /// Number of values of each key.
        sizes: String,
    },
}

/// Unit of a range.
#[derive(Clone, Copy)]
enum Unit {
    Number,
    Time,
}

impl Unit {
    /// The value, exact; times in milliseconds.
    fn read(self, text: &str) -> Option<Decimal> {
        match self {
            Self::Number => Decimal::from_str_exact(text).ok(),
            Self::Time => {
                let span: Span = text.parse().ok()?;
                u64::try_from(span.std().as_millis()).ok().map(Decimal::from)
            }
        }
    }

    fn write(self, value: Decimal) -> Option<String> {
        match self {
            Self::Number => Some(value.normalize().to_string()),
            Self::Time => u64::try_from(value)
                .ok()
                .map(|millis| Span::from_millis(millis).to_string()),
        }
    }
}

impl FromStr for Axis {
    type Err = GridError;

    fn from_str(text: &str) -> Result<Self, GridError> {
        let form = || GridError::Form;
        let (key, range) = text.split_once('=').ok_or_else(form)?;
        let (from, rest) = range.split_once("..").ok_or_else(form)?;
        let (to, step) = rest.split_once(':').ok_or_else(form)?;
        let [key, from, to, step] = [key, from, to, step].map(str::trim);
        if [key, from, to, step].contains(&"") {
            return Err(form());
        }
        let unit = if Unit::Number.read(from).is_some() {
            Unit::Number
        } else {
            Unit::Time
        };
        let read = |part: &str| {
            unit.read(part).ok_or_else(|| GridError::Value {
                value: part.to_owned(),
            })
        };
        let (low, high, width) = (read(from)?, read(to)?, read(step)?);
        if width <= Decimal::ZERO || low > high {
            return Err(GridError::Direction);
        }
        let mut values = Vec::new();
        let mut next = Some(low);
        while let Some(value) = next.filter(|value| *value <= high) {
            if values.len() >= CONFIGURATIONS_MAX {
                return Err(GridError::TooMany {
                    sizes: format!("{key} (more than {CONFIGURATIONS_MAX})"),
                });
            }
            let written = unit.write(value);
            values.push(written.ok_or_else(form)?);
            next = value.checked_add(width).filter(|sum| *sum > value);
        }
        Ok(Self {
            key: key.to_owned(),
            values,
        })
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.key, self.values.len())
    }
}

impl Grid {
    /// Crosses the axes.
    ///
    /// # Errors
    /// [`GridError::Twice`], [`GridError::TooMany`].
    pub fn new(axes: Vec<Axis>) -> Result<Self, GridError> {
        for (i, axis) in axes.iter().enumerate() {
            if axes
                .iter()
                .skip(i.saturating_add(1))
                .any(|other| other.key == axis.key)
            {
                return Err(GridError::Twice {
                    key: axis.key.clone(),
                });
            }
        }
        let size = axes
            .iter()
            .try_fold(1_usize, |size, axis| size.checked_mul(axis.values.len()));
        if size.is_none_or(|size| size > CONFIGURATIONS_MAX) {
            let sizes: Vec<String> = axes.iter().map(Axis::to_string).collect();
            return Err(GridError::TooMany {
                sizes: sizes.join(" x "),
            });
        }
        Ok(Self { axes })
    }

    /// The keys, in the order given.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Every configuration; the last axis changes fastest.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        self.axes.iter().fold(vec![Place::new()], |places, axis| {
            places
                .iter()
                .flat_map(|place| {
                    (0..axis.values.len()).map(|index| {
                        let mut longer = place.clone();
                        longer.push(index);
                        longer
                    })
                })
                .collect()
        })
    }

    /// The values of one configuration, in the order of the axes.
    #[must_use]
    pub fn values(&self, place: &[usize]) -> Vec<String> {
        self.axes
            .iter()
            .zip(place)
            .filter_map(|(axis, index)| axis.values.get(*index).cloned())
            .collect()
    }

    /// One configuration, in the form of `--set`.
    #[must_use]
    pub fn assignments(&self, place: &[usize]) -> Vec<String> {
        self.axes
            .iter()
            .zip(self.values(place))
            .map(|(axis, value)| format!("{}={value}", axis.key))
            .collect()
    }
}
