//! Arithmetic in 512 bits, where no product of two ledger numbers can overflow.

use alloy_primitives::{U256, U512};
use rust_decimal::Decimal;

use super::{MoneyError, Rounding, TOKEN_DECIMALS_MAX};

/// The largest power of ten that fits 128 bits.
const POW10_NATIVE_MAX: u32 = 38;

pub(super) fn token_digits(decimals: u8) -> Result<u32, MoneyError> {
    if decimals > TOKEN_DECIMALS_MAX {
        Err(MoneyError::OutOfRange)
    } else {
        Ok(u32::from(decimals))
    }
}

pub(super) fn mantissa_of(value: Decimal) -> Result<u128, MoneyError> {
    u128::try_from(value.mantissa()).map_err(|_| MoneyError::Negative)
}

pub(super) fn pow10(exponent: u32) -> Result<U512, MoneyError> {
    // Two table-like native powers instead of eight wide squarings: this is on the path of every tick.
    let low = exponent.min(POW10_NATIVE_MAX);
    let high = exponent.saturating_sub(low);
    let native = |exponent| 10_u128.checked_pow(exponent).map(U512::from);
    match (native(low), native(high)) {
        (Some(power), _) if high == 0 => Ok(power),
        (Some(low), Some(high)) => low.checked_mul(high).ok_or(MoneyError::OutOfRange),
        _ => Err(MoneyError::OutOfRange),
    }
}

pub(super) fn wide(value: U256) -> U512 {
    U512::from(value)
}

pub(super) fn narrow(value: U512) -> Result<U256, MoneyError> {
    U256::checked_from_limbs_slice(value.as_limbs()).ok_or(MoneyError::OutOfRange)
}

pub(super) fn divide(numerator: U512, denominator: U512, rounding: Rounding) -> Result<U512, MoneyError> {
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
