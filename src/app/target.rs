//! Which job a request means.

use alloy_primitives::Address;
use sqlx::PgPool;

use super::{
    context::App,
    error::{AppError, ErrorKind},
    name::JobName,
};
use crate::app::message::{Advice, Field, Message, message};
use crate::domain::{ids::JobId, job::Realm};
use crate::store::jobs::{self, Called, Filter, Job};

/// The job that a user means, as they wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Token address, job number (`7`, `#7` or `job:7`) or ticker.
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

/// The job that `target` means now, whatever its text means later: what is asked about and what is done are about the
/// same one.
///
/// # Errors
/// [`AppError`] if there is no such job, or the database does not answer.
pub async fn pinned(app: &App, target: &Target) -> Result<Target, AppError> {
    let job = find(&app.pool, target).await?;
    Ok(Target::anywhere(&format!("#{}", job.id)))
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

/// Reads an address that is paid. A payment to a wrong address cannot be undone, so the checksum is required.
///
/// # Errors
/// [`AppError::Usage`] says what is wrong with it.
pub(super) fn receiver(text: &str) -> Result<Address, AppError> {
    let wrong = |what: &str| {
        AppError::Usage(format!(
            "receiver {text} {what}: write the address as the receiving wallet shows it, 0x and 40 hexadecimal digits in upper \
             and lower case, which carry its checksum (EIP-55)"
        ))
    };
    let address = text.parse::<Address>().map_err(|_| wrong("is not an address"))?;
    if address.is_zero() {
        return Err(wrong("is the zero address: what it gets is lost"));
    }
    if address.to_checksum(None) != text {
        return Err(wrong("has no checksum, or a wrong one"));
    }
    Ok(address)
}

/// Whether a text is meant as an address.
pub(super) fn is_address(text: &str) -> bool {
    text.to_ascii_lowercase().starts_with("0x")
}

/// Finds the one job that is meant, among those that were not removed.
///
/// # Errors
/// [`AppError::NotFound`] if there is none, [`AppError::Usage`] if there are several or the text cannot be read.
pub(super) async fn find(pool: &PgPool, target: &Target) -> Result<Job, AppError> {
    let found = find_each(pool, std::slice::from_ref(target)).await?.pop();
    found.unwrap_or_else(|| {
        Err(AppError::Internal(
            "a job was looked for and not answered".to_owned(),
        ))
    })
}

/// The same for what concerns live jobs only: a paper job of the same name is meant only where there is no live one.
///
/// # Errors
/// See [`find`].
pub(super) async fn find_live(pool: &PgPool, target: &Target) -> Result<Job, AppError> {
    let mut live = jobs::list(pool, &Filter::default()).await?;
    live.retain(|job| job.account.realm == Realm::Live);
    match choose(&live, target) {
        Err(error) if error.kind() == ErrorKind::NotFound => find(pool, target).await,
        found => found,
    }
}

/// Finds the job that each target means, in their order.
///
/// # Errors
/// [`AppError`] if the jobs cannot be read; of a single target: see [`find`].
pub(super) async fn find_each(
    pool: &PgPool,
    targets: &[Target],
) -> Result<Vec<Result<Job, AppError>>, AppError> {
    let filter = match targets {
        [target] => candidates(target)?,
        // Read once for all of them.
        _ => Filter::default(),
    };
    let all = jobs::list(pool, &filter).await?;
    let mut found = Vec::with_capacity(targets.len());
    for target in targets {
        found.push(match choose(&all, target) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let removed = find_removed(pool, target).await?;
                Err(removed.as_ref().map_or(error, was_removed))
            }
            job => job,
        });
    }
    Ok(found)
}

/// The same, but a removed job if no other is meant: for its history.
///
/// # Errors
/// See [`find`].
pub(super) async fn find_ever(pool: &PgPool, target: &Target) -> Result<Job, AppError> {
    let all = jobs::list(pool, &candidates(target)?).await?;
    match choose(&all, target) {
        Err(error) if error.kind() == ErrorKind::NotFound => find_removed(pool, target).await?.ok_or(error),
        found => found,
    }
}

/// The removed job that is meant: the last one that fits.
async fn find_removed(pool: &PgPool, target: &Target) -> Result<Option<Job>, AppError> {
    let filter = Filter {
        archived: true,
        ..candidates(target)?
    };
    let mut all = jobs::list(pool, &filter).await?;
    all.retain(|job| job.archived_at.is_some());
    Ok(matching(&all, target)?.pop().cloned())
}

fn was_removed(job: &Job) -> AppError {
    let name = JobName::from(job);
    message![
        format!("{name} was removed; its history stays: "),
        Advice::ListTrades
    ]
    .refused()
}

/// Reads no more jobs than a target may mean: among ten thousand, one is found at once.
fn candidates(target: &Target) -> Result<Filter, AppError> {
    let text = target.token.as_str();
    let token = is_address(text).then(|| address(text)).transpose()?;
    Ok(Filter {
        token,
        called: token.is_none().then(|| called(text)),
        ..Filter::default()
    })
}

/// The jobs that have this ticker or number.
pub(super) fn called(text: &str) -> Called {
    let only_number = only_number(text);
    Called {
        symbol: only_number.is_none().then(|| text.to_owned()),
        number: only_number.unwrap_or(text).parse().ok().map(JobId),
    }
}

/// A ticker may be a number too: #7 and job:7 always mean the job number.
fn only_number(text: &str) -> Option<&str> {
    text.strip_prefix('#').or_else(|| text.strip_prefix("job:"))
}

/// Jobs that fit a target.
fn matching<'a>(all: &'a [Job], target: &Target) -> Result<Vec<&'a Job>, AppError> {
    let text = target.token.as_str();
    if text.trim().is_empty() {
        return Err(AppError::Usage(
            "the token is empty: give an address, a job number or a ticker".to_owned(),
        ));
    }
    let by_address = is_address(text).then(|| address(text)).transpose()?;
    let only_number = only_number(text);
    let number: Option<i64> = only_number.unwrap_or(text).parse().ok();
    let fits = |job: &&Job| {
        target
            .chain
            .as_ref()
            .is_none_or(|chain| job.account.chain == *chain)
            && match by_address {
                Some(address) => job.token.address == address,
                None => {
                    number.is_some_and(|number| job.id.0 == number)
                        || (only_number.is_none() && job.token.symbol.eq_ignore_ascii_case(text))
                }
            }
    };
    Ok(all.iter().filter(fits).collect())
}

fn choose(all: &[Job], target: &Target) -> Result<Job, AppError> {
    let found = matching(all, target)?;
    let text = &target.token;
    match found.as_slice() {
        [] => {
            let chain = target.chain.as_ref();
            let on = chain.map(|chain| format!(" on {chain}")).unwrap_or_default();
            let by_address = address(text).ok();
            Err(message![
                format!("no job for {text}{on}; "),
                Advice::ListJobs,
                " shows all, ",
                Advice::Start(by_address),
                " creates one",
            ]
            .error(ErrorKind::NotFound))
        }
        [job] => Ok((*job).clone()),
        [first, ..] => {
            let candidates: Vec<String> = found.iter().map(|job| JobName::from(*job).to_string()).collect();
            // A number by itself is taken for a ticker too, if there is one.
            let number = match text.parse::<i64>() {
                Ok(_) => format!("job:{}", first.id),
                Err(_) => first.id.to_string(),
            };
            let problem = format!(
                "{text} could be any of these: {}; give the job number, such as {number}",
                candidates.join(", ")
            );
            let other_chain = found.iter().any(|job| job.account.chain != first.account.chain);
            if target.chain.is_none() && other_chain {
                return Err(message![problem, ", or ", Field::Chain].bad_input());
            }
            Err(Message::from(problem).bad_input())
        }
    }
}
