//! A value that a key does not allow, and the checks that find it.

use std::fmt::Display;

use rust_decimal::Decimal;

use super::sections::LimitsConfig;
use crate::{foreign::Foreign, job::JobMode, span::Span, units::Usd};

/// Largest amount of USD in a configuration; more is taken for a typing error.
pub(super) const USD_MAX: i64 = 1_000_000_000;
pub(super) const DAY: u64 = 24 * 60 * 60;

/// A value that a key does not allow, or a key that is missing or must not be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}{} {allowed}", said(value.as_deref()))]
pub struct InvalidConfig {
    /// The dotted key, such as `accumulate.dca_amount_usd`.
    pub key: String,
    /// The given value; none: the key as such is the mistake.
    pub value: Option<String>,
    /// The accepted values, or what is wrong with the key.
    pub allowed: String,
}

/// What stands between a key and what is allowed.
fn said(value: Option<&str>) -> String {
    match value {
        None => ":".to_owned(),
        // Nothing to see without quotes.
        Some(blank) if blank.trim().is_empty() => format!(" = \"{}\" is not allowed:", Foreign::new(blank)),
        Some(value) => format!(" = {} is not allowed:", Foreign::new(value)),
    }
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
            value: Some(value.to_string()),
            allowed: allowed.to_string(),
        });
    }

    /// Adds a key that is missing, or must not be there. `why` is a sentence about it.
    pub fn refuse_key(&mut self, key: &str, why: impl Display) {
        self.found.push(InvalidConfig {
            key: format!("{}{key}", self.prefix),
            value: None,
            allowed: why.to_string(),
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

/// Meaning of zero for a limit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ZeroIs {
    NoLimit,
    Zero,
}

impl Validator {
    pub(super) fn money(&mut self, key: &str, value: Usd) {
        self.above_zero(key, value.decimal(), USD_MAX.into());
    }

    pub(super) fn money_or_off(&mut self, key: &str, value: Usd) {
        let holds = value >= Usd::ZERO && value.decimal() <= Decimal::from(USD_MAX);
        self.require(holds, key, value, format_args!("0 (no limit) to {USD_MAX}"));
    }

    /// `value` must not be above what another key allows.
    pub(super) fn at_most(&mut self, key: &str, value: Usd, limit_key: &str, limit: Usd, zero: ZeroIs) {
        let unlimited = limit == Usd::ZERO && zero == ZeroIs::NoLimit;
        self.require(
            unlimited || value <= limit,
            key,
            value,
            format_args!("at most {limit_key} ({limit})"),
        );
    }

    /// A regular buy must be able to happen at all under the limits.
    pub(super) fn buy_fits(&mut self, (key, money): (&str, Usd), limits: &LimitsConfig) {
        self.require(
            money >= limits.min_trade_usd,
            key,
            money,
            format_args!("at least limits.min_trade_usd ({})", limits.min_trade_usd),
        );
        for (limit_key, limit) in [
            ("limits.max_daily_spend_usd", limits.max_daily_spend_usd),
            ("limits.max_position_usd", limits.max_position_usd),
        ] {
            self.at_most(key, money, limit_key, limit, ZeroIs::NoLimit);
        }
    }

    /// A job has the table of its own mode and of no other. `table` is the mode of a table, `present` whether it is
    /// there.
    pub(super) fn section(&mut self, table: JobMode, present: bool, mode: JobMode) {
        if present && mode != table {
            let own = mode.section();
            let why = format_args!(
                "a job of mode {mode} has the section {own} and no other of this kind; remove the keys of {}",
                table.section()
            );
            self.refuse_key(table.section(), why);
        } else if !present && mode == table {
            let why = format_args!("this section is missing, and a job of mode {mode} needs it");
            self.refuse_key(table.section(), why);
        }
    }
}
