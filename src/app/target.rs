//! Which job a request means.

use alloy_primitives::Address;
use sqlx::PgPool;

use super::error::{AppError, ErrorKind};
use crate::app::message::{Advice, Field, message};
use crate::store::jobs::{self, Filter, Job};

/// The job that a user means, as they wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Token address, job number (`7` or `#7`) or ticker.
    pub token: String,
    /// Only jobs on this chain.
    pub chain: Option<String>,
}

impl Target {
    /// A job on whatever chain it is.
    #[must_use]
    pub fn anywhere(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            chain: None,
        }
    }
}

/// Reads an address. Mixed case carries a checksum (EIP-55), and a wrong one is a typing error.
///
/// # Errors
/// [`AppError::Usage`] says what is wrong with it.
pub fn address(text: &str) -> Result<Address, AppError> {
    let lower: Address = text.to_ascii_lowercase().parse().map_err(|_| {
        AppError::Usage(format!(
            "token {text} is not an address: write 0x and 40 hexadecimal digits"
        ))
    })?;
    if lower.is_zero() {
        return Err(AppError::Usage(format!(
            "token {text} is the zero address, where no token is; give the token's own address"
        )));
    }
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    let one_case = digits == digits.to_ascii_lowercase() || digits == digits.to_ascii_uppercase();
    let checksummed = lower.to_checksum(None);
    if one_case || checksummed.strip_prefix("0x") == Some(digits) {
        return Ok(lower);
    }
    Err(AppError::Usage(format!(
        "token {text} fails its checksum (EIP-55): a digit is wrong; if the digits are right, write {checksummed}"
    )))
}

/// Finds the one job that is meant.
///
/// # Errors
/// [`AppError::NotFound`] if there is none, [`AppError::Usage`] if there are several or the text cannot be read.
pub(super) async fn find(pool: &PgPool, target: &Target) -> Result<Job, AppError> {
    let text = target.token.as_str();
    if text.trim().is_empty() {
        return Err(AppError::Usage(
            "the token is empty: give an address, a job number or a ticker".to_owned(),
        ));
    }
    let by_address = if text.to_ascii_lowercase().starts_with("0x") {
        Some(address(text)?)
    } else {
        None
    };
    let filter = Filter {
        token: by_address,
        chain: target.chain.clone(),
        status: None,
    };
    let all = jobs::list(pool, &filter).await?;
    // A ticker may be a number too: #7 always means the job number.
    let only_number = text.strip_prefix('#');
    let number: Option<i64> = only_number.unwrap_or(text).parse().ok();
    let mut found: Vec<Job> = all
        .into_iter()
        .filter(|job| {
            by_address.is_some()
                || number.is_some_and(|number| job.id.0 == number)
                || (only_number.is_none() && job.token.symbol.eq_ignore_ascii_case(text))
        })
        .collect();
    match found.len() {
        0 => {
            let chain = target.chain.as_ref();
            let on = chain.map(|chain| format!(" on {chain}")).unwrap_or_default();
            Err(message![
                format!("no job for {text}{on}; "),
                Advice::ListJobs,
                " shows all, ",
                Advice::Start(by_address),
                " creates one",
            ]
            .error(ErrorKind::NotFound))
        }
        1 => Ok(found.remove(0)),
        _ => {
            let candidates: Vec<String> = found
                .iter()
                .map(|job| format!("{} ({} {})", job.id, job.token.symbol, job.account.chain))
                .collect();
            let problem = format!(
                "{text} could be any of these jobs: {}; give the job number as #N, or ",
                candidates.join(", ")
            );
            Err(message![problem, Field::Chain].bad_input())
        }
    }
}
