//! Which jobs an export or a list of trades is about. Removed jobs count: their history stays.

use std::collections::BTreeSet;

use crate::{
    app::{
        App, AppError, ErrorKind,
        message::{Advice, Field, message},
        target::address,
    },
    config::Settings,
    domain::{
        chains::CHAINS,
        ids::JobId,
        job::{Account, Realm},
        name::nearest,
    },
    store::moves::{self, Party},
};

/// Each filter that is given narrows the choice; none: all jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobChoice {
    /// Token address, job number (`7` or `#7`) or ticker.
    pub token: Option<String>,
    /// A job number.
    pub job: Option<JobId>,
    /// Chain name.
    pub chain: Option<String>,
    /// Paper or live.
    pub realm: Option<Realm>,
}

impl JobChoice {
    /// Whether all jobs are chosen.
    pub(in crate::app) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether some jobs are named. What belongs to a wallet and to no job is then left out.
    pub(in crate::app) const fn names_jobs(&self) -> bool {
        self.token.is_some() || self.job.is_some()
    }

    /// Whether a withdrawal of this account fits.
    pub(in crate::app) fn has_payouts_of(&self, account: &Account) -> bool {
        !self.names_jobs()
            && self.chain.as_ref().is_none_or(|chain| account.chain == *chain)
            && self.realm.is_none_or(|realm| account.realm == realm)
    }

    /// The filters as they were given, for messages.
    fn described(&self) -> String {
        let mut said = Vec::new();
        said.extend(self.token.clone());
        said.extend(self.job.map(|job| format!("job {job}")));
        said.extend(self.chain.as_ref().map(|chain| format!("on {chain}")));
        said.extend(self.realm.map(|realm| format!("({realm})")));
        said.join(" ")
    }

    /// The jobs that fit.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if a token or job is named and none fits; [`ErrorKind::BadInput`] for an unknown chain,
    /// or a name that several tokens have.
    pub(in crate::app) fn of<'a>(
        &self,
        parties: &'a [Party],
        settings: &Settings,
    ) -> Result<Vec<&'a Party>, AppError> {
        if let Some(chain) = &self.chain {
            known_chain(chain, parties, settings)?;
        }
        let named = match &self.token {
            Some(text) => Some(Named::read(text)?),
            None => None,
        };
        let fits = |party: &&Party| {
            named.as_ref().is_none_or(|named| named.fits(party))
                && self.job.is_none_or(|job| party.job == job)
                && self
                    .chain
                    .as_ref()
                    .is_none_or(|chain| party.account.chain == *chain)
        };
        let all: Vec<&Party> = parties.iter().filter(fits).collect();
        let found: Vec<&Party> = all
            .iter()
            .copied()
            .filter(|party| self.realm.is_none_or(|realm| party.realm() == realm))
            .collect();
        if found.is_empty() && (self.token.is_some() || self.job.is_some()) {
            return Err(self.none_fits(&all));
        }
        if self.token.is_some() {
            one_token(&found, &self.described())?;
        }
        Ok(found)
    }

    /// `others` fit but for their realm.
    fn none_fits(&self, others: &[&Party]) -> AppError {
        let described = self.described();
        if let Some(other) = others.first() {
            let (only, field) = match other.realm() {
                Realm::Paper => ("on paper", Field::Paper),
                Realm::Live => ("live", Field::Live),
            };
            return message![format!("no job for {described}: it trades {only}; give "), field]
                .error(ErrorKind::NotFound);
        }
        message![
            format!("no job for {described}, neither running nor removed; "),
            Advice::ListJobs,
            " shows the jobs, ",
            Advice::ListTrades,
            " all trades",
        ]
        .error(ErrorKind::NotFound)
    }
}

/// Refuses the name of a chain that nothing knows: a list of its jobs would be empty without a word.
///
/// # Errors
/// [`ErrorKind::BadInput`] names the known chains.
pub(in crate::app) async fn check_chain(app: &App, chain: Option<&str>) -> Result<(), AppError> {
    match chain.filter(|chain| app.settings.chain(chain).is_err()) {
        None => Ok(()),
        Some(chain) => known_chain(chain, &moves::parties(&app.pool).await?, &app.settings),
    }
}

/// A chain that has a job, or that settings or this program know.
fn known_chain(chain: &str, parties: &[Party], settings: &Settings) -> Result<(), AppError> {
    let used: BTreeSet<&str> = parties.iter().map(|party| party.account.chain.as_str()).collect();
    if used.contains(chain) || settings.chain(chain).is_ok() {
        return Ok(());
    }
    let mut known: BTreeSet<&str> = CHAINS.iter().map(|chain| chain.name).collect();
    known.extend(settings.chains.keys().map(String::as_str));
    known.extend(&used);
    let known: Vec<&str> = known.into_iter().collect();
    let near = nearest(chain, &known).map(|near| format!("did you mean {near}? "));
    let used = if used.is_empty() {
        "there is no job yet".to_owned()
    } else {
        format!(
            "there are jobs on: {}",
            used.into_iter().collect::<Vec<_>>().join(", ")
        )
    };
    let problem = format!(
        " {chain}: no such chain; {}known: {}; {used}",
        near.unwrap_or_default(),
        known.join(", ")
    );
    Err(message![Field::Chain, problem].bad_input())
}

/// What a name of a job may be.
enum Named {
    Address(alloy_primitives::Address),
    Number(JobId),
    /// A ticker, which may be all digits and then also a number.
    Ticker(String, Option<JobId>),
}

impl Named {
    fn read(text: &str) -> Result<Self, AppError> {
        if text.trim().is_empty() {
            return Err(AppError::Usage(
                "the token is empty: give an address, a job number or a ticker".to_owned(),
            ));
        }
        if text.to_ascii_lowercase().starts_with("0x") {
            return Ok(Self::Address(address(text)?));
        }
        if let Some(number) = text.strip_prefix('#').and_then(|number| number.parse().ok()) {
            return Ok(Self::Number(JobId(number)));
        }
        Ok(Self::Ticker(text.to_owned(), text.parse().ok().map(JobId)))
    }

    fn fits(&self, party: &Party) -> bool {
        match self {
            Self::Address(address) => party.token.address == *address,
            Self::Number(number) => party.job == *number,
            Self::Ticker(ticker, number) => {
                party.token.symbol.eq_ignore_ascii_case(ticker) || *number == Some(party.job)
            }
        }
    }
}

/// A ticker or an address is no name of a token: others may have it too, or have it on another chain.
fn one_token(found: &[&Party], named: &str) -> Result<(), AppError> {
    let tokens: BTreeSet<_> = found
        .iter()
        .map(|party| (party.account.chain.as_str(), party.token.address))
        .collect();
    if tokens.len() <= 1 {
        return Ok(());
    }
    let listed: Vec<String> = tokens
        .iter()
        .map(|(chain, address)| format!("{address} on {chain}"))
        .collect();
    let problem = format!(
        "{named} could be any of these tokens: {}; give the address, and ",
        listed.join(", ")
    );
    Err(message![problem, Field::Chain, ", or one job with ", Field::Job, " N"].bad_input())
}
