//! Prices, and conversions at a price.

use std::{cmp::Ordering, fmt};

use alloy_primitives::{U256, U512};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    amount::Amount,
    rounding::{MoneyError, Rounding, USD_SCALE},
    short,
    text::exact_decimal,
    usd::Usd,
    wide::{
        compare_products, compare_to_percent, divide, mantissa_of, narrow, normalized, pow10, power,
        token_digits, usd_units, wide,
    },
};

/// Most digits after the point that a price keeps.
const PRICE_SCALE_MAX: u32 = 28;

/// Beyond 10^20 USD, in units of 10^-18.
const SHORT_UNITS_MAX: u128 = 10_u128.pow(38);

/// US dollars for one whole token. Always greater than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "Decimal")]
pub struct Price(Decimal);

impl Ord for Price {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare_to(other.0)
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Price {
    /// One US dollar: the price of the dollar itself.
    pub const ONE: Self = Self(Decimal::ONE);

    /// A price of `value` USD.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] unless it is greater than zero.
    pub fn new(value: Decimal) -> Result<Self, MoneyError> {
        if value > Decimal::ZERO {
            Ok(Self(normalized(value)))
        } else {
            Err(MoneyError::Negative)
        }
    }

    /// USD per whole token.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// The price at which `amount` is worth `cost`, to as many digits as fit, rounded down.
    ///
    /// # Errors
    /// [`MoneyError::DivisionByZero`] without any amount, [`MoneyError::Negative`] unless the cost and the
    /// price are greater than zero, [`MoneyError::OutOfRange`] past the range of a [`Decimal`].
    pub fn of(cost: Usd, amount: Amount, decimals: u8) -> Result<Self, MoneyError> {
        Self::quotient(cost, amount, decimals, Rounding::Down)
    }

    /// The lowest price at which `amount` is worth `value` or more.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn for_value(value: Usd, amount: Amount, decimals: u8) -> Result<Self, MoneyError> {
        Self::quotient(value, amount, decimals, Rounding::Up)
    }

    fn quotient(cost: Usd, amount: Amount, decimals: u8, rounding: Rounding) -> Result<Self, MoneyError> {
        let cost = cost.decimal();
        let digits = PRICE_SCALE_MAX.saturating_add(token_digits(decimals)?);
        let numerator = U512::from(mantissa_of(cost)?)
            .checked_mul(pow10(digits)?)
            .ok_or(MoneyError::OutOfRange)?;
        let denominator = wide(amount.units())
            .checked_mul(pow10(cost.scale())?)
            .ok_or(MoneyError::OutOfRange)?;
        Self::fitted(divide(numerator, denominator, rounding)?, rounding)
    }

    /// `percent` per cent of this price.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] unless the percentage and the price are greater than zero,
    /// [`MoneyError::OutOfRange`] past the range of a [`Decimal`].
    pub fn percent(self, percent: Decimal, rounding: Rounding) -> Result<Self, MoneyError> {
        let product = wide(self.units())
            .checked_mul(U512::from(mantissa_of(percent)?))
            .ok_or(MoneyError::OutOfRange)?;
        let hundred = pow10(percent.scale().saturating_add(2))?;
        Self::fitted(divide(product, hundred, rounding)?, rounding)
    }

    /// The price of `units` of 10^-28 USD, without the last digits that a [`Decimal`] cannot hold.
    fn fitted(mut units: U512, rounding: Rounding) -> Result<Self, MoneyError> {
        let mut scale = PRICE_SCALE_MAX;
        loop {
            let fits = i128::try_from(units)
                .ok()
                .and_then(|mantissa| Decimal::try_from_i128_with_scale(mantissa, scale).ok());
            if let Some(price) = fits {
                return Self::new(price);
            }
            scale = scale.checked_sub(1).ok_or(MoneyError::OutOfRange)?;
            units = divide(units, U512::from(10), rounding)?;
        }
    }

    /// This price in units of 10^-28 USD, exact.
    #[must_use]
    pub fn units(self) -> U256 {
        let mantissa = U256::from(self.0.mantissa().unsigned_abs());
        let missing = PRICE_SCALE_MAX.saturating_sub(self.0.scale());
        // 96 bits times at most 94 bits fit 256.
        mantissa.saturating_mul(U256::from(10_u128.saturating_pow(missing)))
    }

    /// Digits after the point of [`Self::short_units`].
    pub const SHORT_UNIT_DIGITS: u32 = 18;

    /// Units of [`Self::units`] in one of [`Self::short_units`].
    pub const SHORT_UNITS: u64 = 10_000_000_000;

    /// This price in units of 10^-18 USD, exact; `None` if it has more digits, or is past 10^20 USD.
    #[must_use]
    pub fn short_units(self) -> Option<u128> {
        let missing = Self::SHORT_UNIT_DIGITS.checked_sub(self.0.scale())?;
        let units = match short::scaled(self.0, missing) {
            Some(units) => units,
            None => u128::try_from(self.0.mantissa())
                .ok()?
                .checked_mul(power(missing)?)?,
        };
        (units < SHORT_UNITS_MAX).then_some(units)
    }

    /// The price of `units` of 10^-28 USD; digits that do not fit are cut.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] for none, [`MoneyError::OutOfRange`] past the range of a [`Decimal`].
    pub fn from_units(units: U256) -> Result<Self, MoneyError> {
        Self::fitted(wide(units), Rounding::Down)
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

impl Price {
    /// How this price compares with `percent` per cent of `reference`, exactly.
    #[inline]
    #[must_use]
    pub fn compare_to_percent_of(self, percent: Decimal, reference: Self) -> Ordering {
        short::compare_to_percent(self.0, percent, reference.0).unwrap_or_else(|| {
            let units = self.0.mantissa().unsigned_abs();
            compare_to_percent(units, self.0.scale(), percent, reference.0)
        })
    }

    /// How this price compares with an amount of USD, as decimals do, several times quicker.
    #[inline]
    #[must_use]
    pub fn compare_to(self, usd: Decimal) -> Ordering {
        short::compare(self.0, usd).unwrap_or_else(|| self.0.cmp(&usd))
    }
}

impl Amount {
    /// What this amount is worth at `price` per whole token, with [`USD_SCALE`](super::USD_SCALE) digits.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] beyond about 7.9 * 10^16 USD, or for more than
    /// [`TOKEN_DECIMALS_MAX`](super::TOKEN_DECIMALS_MAX) decimals.
    pub fn value(self, decimals: u8, price: Price, rounding: Rounding) -> Result<Usd, MoneyError> {
        let price = price.decimal();
        let digits = price.scale().saturating_add(token_digits(decimals)?);
        Usd::from_scaled(usd_units(self.units(), mantissa_of(price)?, digits, rounding)?)
    }

    /// The same for comparisons only, which rules make at every tick.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] beyond about 3.4 * 10^26 USD, or for more than
    /// [`TOKEN_DECIMALS_MAX`](super::TOKEN_DECIMALS_MAX) decimals.
    pub fn worth(self, decimals: u8, price: Price, rounding: Rounding) -> Result<Worth, MoneyError> {
        let price = price.decimal();
        let digits = price.scale().saturating_add(token_digits(decimals)?);
        usd_units(self.units(), mantissa_of(price)?, digits, rounding).map(Worth)
    }

    /// How what this amount is worth, rounded down as [`Self::worth`] does, compares with `percent` per cent of a cost.
    ///
    /// # Errors
    /// As [`Self::worth`].
    #[inline]
    pub fn compare_worth_to_percent(
        self,
        decimals: u8,
        price: Price,
        percent: Decimal,
        cost: Usd,
    ) -> Result<Ordering, MoneyError> {
        let own = (self.units(), token_digits(decimals)?);
        match short::compare_worth_to_percent(own, price.decimal(), percent, cost.decimal()) {
            Some(found) => Ok(found),
            None => self.compare_any_worth_to_percent(decimals, price, percent, cost),
        }
    }

    /// The same for numbers of any length.
    #[cold]
    fn compare_any_worth_to_percent(
        self,
        decimals: u8,
        price: Price,
        percent: Decimal,
        cost: Usd,
    ) -> Result<Ordering, MoneyError> {
        let worth = self.worth(decimals, price, Rounding::Down)?;
        Ok(worth.compare_to_percent_of_cost(percent, cost))
    }
}

/// 100 less `percent`; exact, or `None`.
#[inline]
#[must_use]
pub fn below_hundred(percent: Decimal) -> Option<Decimal> {
    match short::below_hundred(percent) {
        None => any_below_hundred(percent),
        short => short,
    }
}

/// 100 and `percent`; exact, or `None`.
#[inline]
#[must_use]
pub fn above_hundred(percent: Decimal) -> Option<Decimal> {
    match short::above_hundred(percent) {
        None => any_above_hundred(percent),
        short => short,
    }
}

#[cold]
fn any_below_hundred(percent: Decimal) -> Option<Decimal> {
    Decimal::ONE_HUNDRED.checked_sub(percent)
}

#[cold]
fn any_above_hundred(percent: Decimal) -> Option<Decimal> {
    Decimal::ONE_HUNDRED.checked_add(percent)
}

/// US dollars in units of the last digit that [`Usd`] keeps; never negative. Quicker than [`Usd`], and only compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Worth(u128);

impl Worth {
    /// Sum.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] past 2^128 - 1 units.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.0
            .checked_add(other.0)
            .map(Self)
            .ok_or(MoneyError::OutOfRange)
    }

    /// How this compares with `percent` per cent of a cost, exactly.
    #[must_use]
    pub fn compare_to_percent_of_cost(self, percent: Decimal, cost: Usd) -> Ordering {
        compare_to_percent(self.0, USD_SCALE, percent, cost.decimal())
    }

    /// How this compares with `percent` per cent of `whole`, exactly.
    #[must_use]
    pub fn compare_to_percent_of(self, percent: Decimal, whole: Self) -> Ordering {
        // A share below zero is below every worth.
        if percent < Decimal::ZERO && whole.0 > 0 {
            return Ordering::Greater;
        }
        let factors = (percent.mantissa().unsigned_abs(), whole.0);
        compare_products(self.0, factors, percent.scale().saturating_add(2), 0)
    }
}

impl Usd {
    /// How many base units this much money buys at `price` per whole token.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] for a negative value, [`MoneyError::OutOfRange`] past 2^256 - 1.
    pub fn to_amount(self, decimals: u8, price: Price, rounding: Rounding) -> Result<Amount, MoneyError> {
        self.share_to_amount((1, 1), decimals, price, rounding)
    }

    /// The same for a share of this money, numerator and denominator: rounded once, so that a token of few base units
    /// loses no unit to the share.
    ///
    /// # Errors
    /// As [`Self::to_amount`].
    pub fn share_to_amount(
        self,
        share: (u32, u32),
        decimals: u8,
        price: Price,
        rounding: Rounding,
    ) -> Result<Amount, MoneyError> {
        let price = price.decimal();
        let numerator = U512::from(mantissa_of(self.decimal())?)
            .checked_mul(pow10(price.scale().saturating_add(token_digits(decimals)?))?)
            .and_then(|product| product.checked_mul(U512::from(share.0)))
            .ok_or(MoneyError::OutOfRange)?;
        let denominator = U512::from(mantissa_of(price)?)
            .checked_mul(pow10(self.decimal().scale())?)
            .and_then(|product| product.checked_mul(U512::from(share.1)))
            .ok_or(MoneyError::OutOfRange)?;
        narrow(divide(numerator, denominator, rounding)?).map(Amount::new)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = exact_decimal(deserializer)?;
        Self::new(value)
            .map_err(|_| serde::de::Error::custom(format_args!("{value} is not a price: it must be above 0")))
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

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_worth_compares_as_its_value_does(
            tokens: u32, quote: u32, cents in 1_u32..1_000_000, hundredths in -20_000_i32..=20_000, near: bool,
        ) {
            let price = Price::new(Decimal::new(cents.into(), 2)).expect("above zero");
            let of = |units: u32, price| {
                let amount = Amount::new(U256::from(units));
                let worth = amount.worth(6, price, Rounding::Down).expect("in range");
                (worth, amount.value(6, price, Rounding::Down).expect("in range").decimal())
            };
            let ((token, token_value), (rest, rest_value)) = (of(tokens, price), of(quote, Price::ONE));
            let (whole, value) = (token.checked_add(rest).expect("in range"), token_value + rest_value);
            // Next to the bound, or anywhere.
            let percent = match value.is_zero() || !near {
                true => Decimal::new(hundredths.into(), 2),
                false => (token_value / value * Decimal::ONE_HUNDRED).round_dp(2),
            };
            let expected = (token_value * Decimal::ONE_HUNDRED).cmp(&(value * percent));
            prop_assert_eq!(token.compare_to_percent_of(percent, whole), expected);
            let cost = Usd::new(value).expect("USD");
            prop_assert_eq!(token.compare_to_percent_of_cost(percent, cost), expected);
        }
    }
}
