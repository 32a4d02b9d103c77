//! Scales, rounding and errors of all units.

/// Digits after the point that a `Usd` keeps: fine enough for a trade of a millionth of a cent,
/// coarse enough that sums of 10^16 USD still fit the 96 bits of a `Decimal`.
pub const USD_SCALE: u32 = 12;

/// Tokens with more decimals than this do not exist in practice and would overflow 512-bit products.
pub const TOKEN_DECIMALS_MAX: u8 = 36;

/// Digits of the native coin of every EVM chain.
pub const NATIVE_DECIMALS: u8 = 18;

/// A whole in basis points.
pub const BPS: u32 = 10_000;

/// Rounding direction of an inexact division.
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

/// Text that is not the expected number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {expected}")]
pub struct ParseUnitError {
    pub(super) text: String,
    pub(super) expected: &'static str,
}
