//! A value that a key does not allow, and the checks that find it.

use std::fmt::Display;

use rust_decimal::Decimal;

use crate::{foreign::Foreign, span::Span};

/// A value that a key does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {} is not allowed: {allowed}", Foreign::new(value))]
pub struct InvalidConfig {
    /// The dotted key, such as `accumulate.dca_amount_usd`.
    pub key: String,
    /// The given value.
    pub value: String,
    /// The accepted values.
    pub allowed: String,
}

/// Collects values that are not allowed, so that all are reported and not only the first.
#[derive(Debug, Default)]
pub struct Validator {
    prefix: String,
    found: Vec<InvalidConfig>,
}

impl Validator {
    /// Keys given to it are below `prefix`, such as `paper`.
    #[must_use]
    pub fn below(prefix: &str) -> Self {
        Self {
            prefix: format!("{prefix}."),
            found: Vec::new(),
        }
    }

    /// Adds a value that is not allowed.
    pub fn refuse(&mut self, key: &str, value: impl Display, allowed: impl Display) {
        self.found.push(InvalidConfig {
            key: format!("{}{key}", self.prefix),
            value: value.to_string(),
            allowed: allowed.to_string(),
        });
    }

    /// Adds the value unless `holds`.
    pub fn require(&mut self, holds: bool, key: &str, value: impl Display, allowed: impl Display) {
        if !holds {
            self.refuse(key, value, allowed);
        }
    }

    /// `min` to `max`, both allowed.
    pub fn range<T: PartialOrd + Display>(&mut self, key: &str, value: T, min: T, max: T) {
        let holds = min <= value && value <= max;
        self.require(holds, key, value, format_args!("{min} to {max}"));
    }

    /// The same for seconds.
    pub fn span(&mut self, key: &str, value: Span, min_secs: u64, max_secs: u64) {
        self.range(key, value, Span::from_secs(min_secs), Span::from_secs(max_secs));
    }

    /// Above zero, up to `max`.
    pub fn above_zero(&mut self, key: &str, value: Decimal, max: Decimal) {
        let holds = value > Decimal::ZERO && value <= max;
        self.require(holds, key, value, format_args!("above 0, up to {max}"));
    }

    /// Adds the errors of another validator.
    pub fn extend(&mut self, found: impl IntoIterator<Item = InvalidConfig>) {
        self.found.extend(found);
    }

    /// Every error found.
    #[must_use]
    pub fn into_found(self) -> Vec<InvalidConfig> {
        self.found
    }

    /// `value`, if there are no errors.
    ///
    /// # Errors
    /// Every error found.
    pub fn or_errors<T>(self, value: T) -> Result<T, Vec<InvalidConfig>> {
        if self.found.is_empty() {
            Ok(value)
        } else {
            Err(self.found)
        }
    }
}
