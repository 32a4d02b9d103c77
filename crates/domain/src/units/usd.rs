//! US dollars.

use std::fmt;

use alloy_primitives::{U256, U512};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    amount::Amount,
    rounding::{MoneyError, Rounding, USD_SCALE},
    text::exact_decimal,
    wide::{divide, mantissa_of, normalized, pow10, usd_units, wide},
};

/// An amount of US dollars with at most [`USD_SCALE`] digits after the point. May be negative (a loss).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(into = "Decimal")]
pub struct Usd(Decimal);

impl Usd {
    /// Zero.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Takes a decimal as it is.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] if it has more than [`USD_SCALE`] digits after the point.
    pub fn new(value: Decimal) -> Result<Self, MoneyError> {
        let value = normalized(value);
        if value.scale() > USD_SCALE {
            Err(MoneyError::OutOfRange)
        } else {
            Ok(Self(value))
        }
    }

    /// Takes a decimal, rounded to [`USD_SCALE`] digits.
    #[must_use]
    pub fn rounded(value: Decimal, rounding: Rounding) -> Self {
        let strategy = match rounding {
            Rounding::Down => RoundingStrategy::ToZero,
            Rounding::Up => RoundingStrategy::AwayFromZero,
        };
        Self(normalized(value.round_dp_with_strategy(USD_SCALE, strategy)))
    }

    /// The value as a plain decimal.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// Sum.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] if the sum would lose digits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        exact(self.0.checked_add(other.0), self.0, other.0)
    }

    /// Difference; may go below zero.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] if the difference would lose digits.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        exact(self.0.checked_sub(other.0), self.0, other.0)
    }

    /// Product with a plain factor (a multiplier, or a percentage divided by 100).
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] past the range of a [`Decimal`].
    pub fn times(self, factor: Decimal, rounding: Rounding) -> Result<Self, MoneyError> {
        // Multiplied as integers: the decimal type would round a long product its own way first.
        let (own, other) = (self.0.mantissa().unsigned_abs(), factor.mantissa().unsigned_abs());
        let digits = self.0.scale().saturating_add(factor.scale());
        let scaled = usd_units(U256::from(own), other, digits, rounding)?;
        let Self(magnitude) = Self::from_scaled(scaled)?;
        if self.0.is_sign_negative() == factor.is_sign_negative() {
            Ok(Self(magnitude))
        } else {
            Self::ZERO.checked_sub(Self(magnitude))
        }
    }

    /// `percent` per cent of this value.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] past the range of a [`Decimal`].
    pub fn percent(self, percent: Decimal, rounding: Rounding) -> Result<Self, MoneyError> {
        let factor = percent
            .checked_div(Decimal::ONE_HUNDRED)
            .ok_or(MoneyError::OutOfRange)?;
        self.times(factor, rounding)
    }

    /// `self * part / whole`: the share of this value that `part` is of `whole`.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] for a negative value, [`MoneyError::DivisionByZero`], [`MoneyError::OutOfRange`].
    pub fn share(self, part: Amount, whole: Amount, rounding: Rounding) -> Result<Self, MoneyError> {
        let scaled = U512::from(self.scaled()?);
        let product = scaled
            .checked_mul(wide(part.units()))
            .ok_or(MoneyError::OutOfRange)?;
        let share = divide(product, wide(whole.units()), rounding)?;
        Self::from_scaled(u128::try_from(share).map_err(|_| MoneyError::OutOfRange)?)
    }

    /// Whether this is above zero.
    #[inline]
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.0.is_sign_positive() && !self.0.is_zero()
    }

    fn scaled(self) -> Result<u128, MoneyError> {
        let scaled = pow10(USD_SCALE.saturating_sub(self.0.scale()))?
            .checked_mul(U512::from(mantissa_of(self.0)?))
            .ok_or(MoneyError::OutOfRange)?;
        u128::try_from(scaled).map_err(|_| MoneyError::OutOfRange)
    }

    /// `scaled` units of the last digit that USD keeps.
    pub(super) fn from_scaled(scaled: u128) -> Result<Self, MoneyError> {
        let mantissa = i128::try_from(scaled).map_err(|_| MoneyError::OutOfRange)?;
        Decimal::try_from_i128_with_scale(mantissa, USD_SCALE)
            .map(|value| Self(normalized(value)))
            .map_err(|_| MoneyError::OutOfRange)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = exact_decimal(deserializer)?;
        Self::new(value).map_err(|_| {
            serde::de::Error::custom(format_args!(
                "{value} has more than {USD_SCALE} digits after the point"
            ))
        })
    }
}

impl TryFrom<Decimal> for Usd {
    type Error = MoneyError;

    fn try_from(value: Decimal) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Usd> for Decimal {
    fn from(value: Usd) -> Self {
        value.0
    }
}

/// Refuses the sum or difference of `a` and `b` if the decimal type had to drop digits to hold it.
fn exact(result: Option<Decimal>, a: Decimal, b: Decimal) -> Result<Usd, MoneyError> {
    match result {
        Some(value) if value.scale() >= a.scale().max(b.scale()) || value.is_zero() => {
            Ok(Usd(normalized(value)))
        }
        _ => Err(MoneyError::OutOfRange),
    }
}
