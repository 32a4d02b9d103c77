//! Which token a start is for, as a person names it.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use crate::{
    app::{
        App, AppError, ErrorKind,
        message::{Advice, Field, message},
        name::JobName,
        target::{address, called, is_address},
    },
    domain::job::Realm,
    store::jobs::{self, Filter, Job},
};

/// Digits of an address.
const ADDRESS_DIGITS: usize = 40;

/// A token, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenName {
    Address(Address),
    /// Ticker or number of a job that trades or traded it.
    Job(String),
}

/// A token of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownToken {
    pub token: Address,
    pub chain: String,
    /// As its last job calls it.
    pub symbol: String,
    pub decimals: u8,
}

impl TokenName {
    /// # Errors
    /// [`AppError::Usage`] for an address that is none, and for no name.
    pub fn read(text: &str) -> Result<Self, AppError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AppError::Usage(
                "the token is empty: give an address, or the ticker or number of a job".to_owned(),
            ));
        }
        let digits = text.len() == ADDRESS_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_address(text) || digits {
            return Ok(Self::Address(address(text)?));
        }
        Ok(Self::Job(text.to_owned()))
    }
}

/// The token of the job that is named: of one that is there, else of one that was removed.
///
/// # Errors
/// [`ErrorKind::NotFound`] without such a job, [`ErrorKind::Refused`] if it is of the other realm,
/// [`ErrorKind::BadInput`] if several tokens are called so.
pub async fn known_token(
    app: &App,
    name: &str,
    chain: Option<&str>,
    realm: Realm,
) -> Result<KnownToken, AppError> {
    let filter = Filter {
        archived: true,
        called: Some(called(name)),
        chain: chain.map(str::to_owned),
        ..Filter::default()
    };
    let named = jobs::list(&app.pool, &filter).await?;
    let (mut found, other): (Vec<&Job>, Vec<&Job>) = named.iter().partition(|job| job.account.realm == realm);
    if found.iter().any(|job| job.archived_at.is_none()) {
        found.retain(|job| job.archived_at.is_none());
    }
    let tokens: BTreeSet<(&str, Address)> = found
        .iter()
        .map(|job| (job.account.chain.as_str(), job.token.address))
        .collect();
    match (found.last(), tokens.len(), other.last()) {
        (Some(job), 1, _) => Ok(KnownToken {
            token: job.token.address,
            chain: job.account.chain.clone(),
            symbol: job.token.symbol.clone(),
            decimals: job.token.decimals,
        }),
        (Some(_), ..) => Err(several(name, &tokens)),
        (None, _, Some(job)) => Err(of_the_other_realm(job)),
        (None, _, None) => {
            let on = chain.map(|chain| format!(" on {chain}")).unwrap_or_default();
            Err(message![
                format!("no job has or had {name}{on}; of a new token give the address; "),
                Advice::ListJobs,
                " shows the jobs",
            ]
            .error(ErrorKind::NotFound))
        }
    }
}

fn of_the_other_realm(job: &Job) -> AppError {
    let name = JobName::from(job);
    match job.account.realm {
        Realm::Live => message![
            format!("{name} trades with real money: give "),
            Field::Live,
            " to start it"
        ],
        Realm::Paper => message![
            format!("{name} trades on paper: leave out "),
            Field::Live,
            ", or give the token's address for a LIVE job"
        ],
    }
    .refused()
}

fn several(name: &str, tokens: &BTreeSet<(&str, Address)>) -> AppError {
    let listed: Vec<String> = tokens
        .iter()
        .map(|(chain, token)| format!("{token} on {chain}"))
        .collect();
    let problem = format!(
        "{name} could be any of these tokens: {}; give the address, and ",
        listed.join(", ")
    );
    message![problem, Field::Chain].bad_input()
}
