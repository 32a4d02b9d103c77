//! Between the database's types and the domain's. Amounts travel as text, because NUMERIC(78,0) holds more
//! digits than a decimal type does.

use std::str::FromStr;

use alloy_primitives::{Address, B256, U256};
use rust_decimal::Decimal;

use super::StoreError;
use crate::domain::config::JobConfig;
use crate::domain::foreign::Foreign;
use crate::domain::units::{Amount, MoneyError, Price, Rounding, Usd};

/// Digits of a price (28) and of a microsecond in seconds (6).
const PRICE_MICROS_DIGITS: u8 = 34;

/// A column that does not hold what its constraint promises.
fn corrupt(column: &'static str, value: impl ToString) -> StoreError {
    StoreError::Corrupt {
        column,
        value: value.to_string(),
    }
}

pub(super) fn amount(column: &'static str, text: &str) -> Result<Amount, StoreError> {
    text.parse().map_err(|_| corrupt(column, text))
}

pub(super) fn address(column: &'static str, text: &str) -> Result<Address, StoreError> {
    text.parse().map_err(|_| corrupt(column, text))
}

pub(super) fn price(column: &'static str, value: Decimal) -> Result<Price, StoreError> {
    Price::new(value).map_err(|_| corrupt(column, value))
}

pub(super) fn usd(column: &'static str, value: Decimal) -> Result<Usd, StoreError> {
    Usd::new(value).map_err(|_: MoneyError| corrupt(column, value))
}

pub(super) fn hash(column: &'static str, bytes: &[u8]) -> Result<B256, StoreError> {
    B256::try_from(bytes).map_err(|_| corrupt(column, alloy_primitives::hex::encode(bytes)))
}

pub(super) fn unsigned<T: TryFrom<i64>>(column: &'static str, value: i64) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_| corrupt(column, value))
}

pub(super) fn to_i64<T: TryInto<i64> + Copy + ToString>(
    column: &'static str,
    value: T,
) -> Result<i64, StoreError> {
    value.try_into().map_err(|_| corrupt(column, value))
}

pub(super) fn word<T: FromStr>(column: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| corrupt(column, text))
}

pub(super) fn json<T: serde::de::DeserializeOwned>(
    column: &'static str,
    value: serde_json::Value,
) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|error| corrupt(column, error))
}

/// The same of its text.
pub(super) fn json_text<T: serde::de::DeserializeOwned>(
    column: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| corrupt(column, error))?;
    json(column, value)
}

pub(super) fn to_json<T: serde::Serialize>(
    column: &'static str,
    value: &T,
) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(value).map_err(|error| corrupt(column, error))
}

/// A sum of prices times seconds, exact, in units of 10^-28 USD times a microsecond.
pub(super) fn price_micros(column: &'static str, text: &str) -> Result<U256, StoreError> {
    let digits = Amount::from_whole(text, PRICE_MICROS_DIGITS).map_err(|_| corrupt(column, text))?;
    Ok(digits.units())
}

/// Longest text that a column keeps, characters.
const TEXT_CHARS_MAX: usize = 2_000;

/// Text as a column takes it: what came from outside was cleaned where it entered; this is the second wall.
pub(super) fn clean_text(said: &str) -> String {
    Foreign::within(said, TEXT_CHARS_MAX).into_string()
}

/// Row numbers as an array parameter takes them.
pub(super) fn numbers<T: Copy + Into<i64>>(ids: &[T]) -> Vec<i64> {
    ids.iter().map(|id| (*id).into()).collect()
}

/// Lower-case, as every address column is.
pub(super) fn lower(address: Address) -> String {
    format!("{address:#x}")
}

/// A sum of money that a view shows; digits past the ledger's scale are cut.
pub(super) fn usd_cut(value: Decimal) -> Usd {
    Usd::rounded(value, Rounding::Down)
}

/// How far back the rules of this configuration look, whole seconds rounded up: retention keeps younger samples.
pub(super) fn look_back_secs(config: &JobConfig) -> Result<i64, StoreError> {
    let millis = config.look_back().std().as_millis();
    to_i64("jobs.look_back_secs", millis.div_ceil(1_000))
}
