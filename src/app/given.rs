//! Amounts and keys of requests, as a person gives them.

use crate::{
    app::{
        AppError,
        message::{Field, message},
    },
    domain::{job::Token, units::Amount},
};

/// Longest key of a request.
const KEY_MAX: usize = 100;

/// A number of whole tokens, above zero.
///
/// # Errors
/// [`AppError::Usage`] names the amount and what is allowed.
pub(in crate::app) fn tokens(text: &str, token: &Token) -> Result<Amount, AppError> {
    let wrong = |why: &str| {
        AppError::Usage(format!(
            "amount {text}: {why}; give whole {} above 0, such as 12.5, with at most {} digits after the point",
            token.symbol, token.decimals
        ))
    };
    let amount =
        Amount::from_whole(text, token.decimals).map_err(|_| wrong("is not an amount of this token"))?;
    if amount.is_zero() {
        return Err(wrong("is nothing"));
    }
    Ok(amount)
}

/// A key that makes a request which is sent twice happen once.
///
/// # Errors
/// [`AppError`] if it is empty, too long, or not printable.
pub(in crate::app) fn key(key: Option<&str>) -> Result<Option<String>, AppError> {
    let Some(key) = key else { return Ok(None) };
    let length = key.chars().count();
    if (1..=KEY_MAX).contains(&length) && !key.chars().any(char::is_control) {
        return Ok(Some(key.to_owned()));
    }
    let problem = format!(" must have 1 to {KEY_MAX} printable characters; this one has {length}");
    Err(message![Field::Key, problem].bad_input())
}
