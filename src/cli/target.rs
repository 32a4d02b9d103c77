//! Which job a command means.

use alloy_primitives::Address;
use clap::Args;
use sqlx::PgPool;

use super::CliError;
use crate::store::jobs::{self, Filter, Job};

#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Token address, job number or ticker
    pub(super) token: String,
    /// Only jobs on this chain
    #[arg(long)]
    pub(super) chain: Option<String>,
}

/// Reads an address. Mixed case carries a checksum (EIP-55), and a wrong one is a typing error.
pub(super) fn address(text: &str) -> Result<Address, CliError> {
    let lower: Address = text.to_ascii_lowercase().parse().map_err(|_| {
        CliError::Usage(format!(
            "token {text} is not an address: write 0x and 40 hexadecimal digits"
        ))
    })?;
    if lower.is_zero() {
        return Err(CliError::Usage(format!(
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
    Err(CliError::Usage(format!(
        "token {text} fails its checksum (EIP-55): a digit is wrong; if the digits are right, write {checksummed}"
    )))
}

/// Finds the one job that is meant.
pub(super) async fn find(pool: &PgPool, args: &TargetArgs) -> Result<Job, CliError> {
    let text = args.token.as_str();
    if text.trim().is_empty() {
        return Err(CliError::Usage(
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
        chain: args.chain.clone(),
        status: None,
    };
    let all = jobs::list(pool, &filter).await?;
    // A ticker may be a number too: #7 says which is meant.
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
        0 => Err(CliError::NotFound(format!(
            "no job for {text}{}; `lgi-mm list` shows all, `lgi-mm start {} --mode accumulate` makes one",
            args.chain
                .as_ref()
                .map(|chain| format!(" on {chain}"))
                .unwrap_or_default(),
            if by_address.is_some() { text } else { "ADDRESS" },
        ))),
        1 => Ok(found.remove(0)),
        _ => {
            let candidates: Vec<String> = found
                .iter()
                .map(|job| format!("{} ({} {})", job.id, job.token.symbol, job.account.chain))
                .collect();
            Err(CliError::Usage(format!(
                "{text} could be any of these jobs: {}; give the job number as #N, or --chain",
                candidates.join(", ")
            )))
        }
    }
}

/// Who gives a command, for a job's history.
pub(super) fn actor() -> String {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "unknown".to_owned());
    format!("cli:{user}")
}
