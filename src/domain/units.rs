//! Money and quantities. Token amounts are integers in base units; USD and prices are exact decimals.
//!
//! There is no float here, every operation is checked, and every rounding says its direction.

use std::{fmt, str::FromStr};

use alloy_primitives::{U256, U512};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// Digits after the point that a [`Usd`] keeps: fine enough for a trade of a millionth of a cent,
/// coarse enough that sums of 10^16 USD still fit the 96 bits of a [`Decimal`].
pub const USD_SCALE: u32 = 12;

/// Tokens with more decimals than this do not exist in practice and would overflow 512-bit products.
pub const TOKEN_DECIMALS_MAX: u8 = 36;

/// Which way a division that does not come out even is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Towards zero.
    Down,
    /// Away from zero.
    Up,
}

/// An operation on money that has no exact answer in range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result does not fit its type.
    #[error("the result is too large or too small to be represented exactly")]
    OutOfRange,
    /// A subtraction would go below zero base units.
    #[error("the subtraction goes below zero")]
    Negative,
    /// Division by zero.
    #[error("division by zero")]
    DivisionByZero,
}

/// A text that is not the number it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {expected}")]
pub struct ParseUnitError {
    text: String,
    expected: &'static str,
}

/// A token quantity in base units (wei for an 18-decimals token). Range: 0 to 2^256 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(U256);

impl Amount {
    /// Nothing.
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

    /// Whether this is no token at all.
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

    /// What this amount is worth at `price` per whole token, with [`USD_SCALE`] digits.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] beyond about 7.9 * 10^16 USD, or for more than [`TOKEN_DECIMALS_MAX`] decimals.
    pub fn value(self, decimals: u8, price: Price, rounding: Rounding) -> Result<Usd, MoneyError> {
        let Price(price) = price;
        let numerator = wide(self.0)
            .checked_mul(U512::from(mantissa_of(price)?))
            .and_then(|product| product.checked_mul(pow10(USD_SCALE).ok()?))
            .ok_or(MoneyError::OutOfRange)?;
        let denominator = pow10(price.scale().saturating_add(decimals_in_range(decimals)?))?;
        Usd::from_scaled(divide(numerator, denominator, rounding)?)
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

/// An amount of US dollars with at most [`USD_SCALE`] digits after the point. May be negative (a loss).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Usd(Decimal);

impl Usd {
    /// No money.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Takes a decimal as it is.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] if it has more than [`USD_SCALE`] digits after the point.
    pub fn new(value: Decimal) -> Result<Self, MoneyError> {
        let value = value.normalize();
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
        Self(value.round_dp_with_strategy(USD_SCALE, strategy).normalize())
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
        self.0
            .checked_mul(factor)
            .map(|product| Self::rounded(product, rounding))
            .ok_or(MoneyError::OutOfRange)
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
        let product = scaled.checked_mul(wide(part.0)).ok_or(MoneyError::OutOfRange)?;
        Self::from_scaled(divide(product, wide(whole.0), rounding)?)
    }

    /// How many base units this much money buys at `price` per whole token.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] for a negative value, [`MoneyError::OutOfRange`] past 2^256 - 1.
    pub fn to_amount(self, decimals: u8, price: Price, rounding: Rounding) -> Result<Amount, MoneyError> {
        let Price(price) = price;
        let numerator = U512::from(mantissa_of(self.0)?)
            .checked_mul(pow10(price.scale().saturating_add(decimals_in_range(decimals)?))?)
            .ok_or(MoneyError::OutOfRange)?;
        let denominator = U512::from(mantissa_of(price)?)
            .checked_mul(pow10(self.0.scale())?)
            .ok_or(MoneyError::OutOfRange)?;
        narrow(divide(numerator, denominator, rounding)?).map(Amount)
    }

    /// Whether this is more than nothing.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.0 > Decimal::ZERO
    }

    fn scaled(self) -> Result<u128, MoneyError> {
        let scaled = pow10(USD_SCALE.saturating_sub(self.0.scale()))?
            .checked_mul(U512::from(mantissa_of(self.0)?))
            .ok_or(MoneyError::OutOfRange)?;
        u128::try_from(scaled).map_err(|_| MoneyError::OutOfRange)
    }

    fn from_scaled(scaled: U512) -> Result<Self, MoneyError> {
        let mantissa = i128::try_from(scaled).map_err(|_| MoneyError::OutOfRange)?;
        Decimal::try_from_i128_with_scale(mantissa, USD_SCALE)
            .map(|value| Self(value.normalize()))
            .map_err(|_| MoneyError::OutOfRange)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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

/// US dollars for one whole token. Always greater than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Price(Decimal);

impl Price {
    /// One US dollar: the price of the dollar itself.
    pub const ONE: Self = Self(Decimal::ONE);

    /// A price of `value` USD.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] unless it is greater than zero.
    pub fn new(value: Decimal) -> Result<Self, MoneyError> {
        if value > Decimal::ZERO {
            Ok(Self(value.normalize()))
        } else {
            Err(MoneyError::Negative)
        }
    }

    /// USD per whole token.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// By how many per cent this price lies above `reference` (negative: below).
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] past the range of a [`Decimal`].
    pub fn percent_above(self, reference: Self) -> Result<Decimal, MoneyError> {
        self.0
            .checked_sub(reference.0)
            .ok_or(MoneyError::OutOfRange)?
            .checked_mul(Decimal::ONE_HUNDRED)
            .and_then(|difference| difference.checked_div(reference.0))
            .ok_or(MoneyError::OutOfRange)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<Decimal> for Price {
    type Error = MoneyError;

    fn try_from(value: Decimal) -> Result<Self, Self::Error> {
        Self::new(value)
    }
}

impl From<Price> for Decimal {
    fn from(value: Price) -> Self {
        value.0
    }
}

/// Refuses the sum or difference of `a` and `b` if the decimal type had to drop digits to hold it.
fn exact(result: Option<Decimal>, a: Decimal, b: Decimal) -> Result<Usd, MoneyError> {
    match result {
        Some(value) if value.scale() >= a.scale().max(b.scale()) || value.is_zero() => {
            Ok(Usd(value.normalize()))
        }
        _ => Err(MoneyError::OutOfRange),
    }
}

fn decimals_in_range(decimals: u8) -> Result<u32, MoneyError> {
    if decimals > TOKEN_DECIMALS_MAX {
        Err(MoneyError::OutOfRange)
    } else {
        Ok(u32::from(decimals))
    }
}

fn mantissa_of(value: Decimal) -> Result<u128, MoneyError> {
    u128::try_from(value.mantissa()).map_err(|_| MoneyError::Negative)
}

fn pow10(exponent: u32) -> Result<U512, MoneyError> {
    U512::from(10)
        .checked_pow(U512::from(exponent))
        .ok_or(MoneyError::OutOfRange)
}

fn wide(value: U256) -> U512 {
    U512::from(value)
}

fn narrow(value: U512) -> Result<U256, MoneyError> {
    U256::checked_from_limbs_slice(value.as_limbs()).ok_or(MoneyError::OutOfRange)
}

fn divide(numerator: U512, denominator: U512, rounding: Rounding) -> Result<U512, MoneyError> {
    if denominator.is_zero() {
        return Err(MoneyError::DivisionByZero);
    }
    let (quotient, remainder) = numerator.div_rem(denominator);
    match rounding {
        Rounding::Up if !remainder.is_zero() => {
            quotient.checked_add(U512::from(1)).ok_or(MoneyError::OutOfRange)
        }
        _ => Ok(quotient),
    }
}
