//! Token quantities.

use std::{fmt, str::FromStr};

use alloy_primitives::{U256, U512};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    rounding::{MoneyError, ParseUnitError, Rounding},
    wide::{divide, narrow, pow10, wide},
};

/// A token quantity in base units (wei for an 18-decimals token). Range: 0 to 2^256 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(U256);

impl Amount {
    /// Zero.
    pub const ZERO: Self = Self(U256::ZERO);

    /// An amount of `units` base units.
    #[must_use]
    pub const fn new(units: U256) -> Self {
        Self(units)
    }

    /// The number of base units.
    #[must_use]
    pub const fn units(self) -> U256 {
        self.0
    }

    /// Whether this is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Sum.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] past 2^256 - 1.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or(MoneyError::OutOfRange)
    }

    /// Difference.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] if `other` is larger.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_sub(other.0).map(Self).ok_or(MoneyError::Negative)
    }

    /// Difference, zero if `other` is larger.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self * numerator / denominator`, the product taken in 512 bits.
    ///
    /// # Errors
    /// [`MoneyError::DivisionByZero`], or [`MoneyError::OutOfRange`] if the quotient is past 2^256 - 1.
    pub fn mul_div(self, numerator: U256, denominator: U256, rounding: Rounding) -> Result<Self, MoneyError> {
        let product = wide(self.0)
            .checked_mul(wide(numerator))
            .ok_or(MoneyError::OutOfRange)?;
        narrow(divide(product, wide(denominator), rounding)?).map(Self)
    }

    /// `percent` per cent of this amount, rounded down.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] for a negative percentage, [`MoneyError::OutOfRange`] past 2^256 - 1.
    pub fn percent(self, percent: Decimal) -> Result<Self, MoneyError> {
        let mantissa = u128::try_from(percent.mantissa()).map_err(|_| MoneyError::Negative)?;
        let denominator = pow10(percent.scale())?
            .checked_mul(U512::from(100))
            .ok_or(MoneyError::OutOfRange)?;
        self.mul_div(U256::from(mantissa), narrow(denominator)?, Rounding::Down)
    }

    /// This amount as a decimal text of whole tokens, exact, without trailing zeros.
    #[must_use]
    pub fn to_whole(self, decimals: u8) -> String {
        let decimals = usize::from(decimals);
        let digits = format!(
            "{:0>width$}",
            self.0.to_string(),
            width = decimals.saturating_add(1)
        );
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction}")
        }
    }

    /// Reads a decimal text of whole tokens, such as `1.5`, exactly.
    ///
    /// # Errors
    /// [`ParseUnitError`] for anything but digits with at most `decimals` of them after one point.
    pub fn from_whole(text: &str, decimals: u8) -> Result<Self, ParseUnitError> {
        let error = || ParseUnitError {
            text: text.to_owned(),
            expected: "a token amount such as 1.5, with no more digits than the token has",
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let decimals = usize::from(decimals);
        if whole.is_empty()
            || fraction.len() > decimals
            || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit())
        {
            return Err(error());
        }
        format!("{whole}{fraction:0<decimals$}")
            .parse::<U256>()
            .map(Self)
            .map_err(|_| error())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Amount {
    type Err = ParseUnitError;

    /// Base units, digits only.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseUnitError {
            text: text.to_owned(),
            expected: "a whole number of base units",
        };
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        text.parse().map(Self).map_err(|_| error())
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
