//! How messages name a job: with its realm and chain, so that LIVE and paper never look alike.

use std::fmt;

use serde::Serialize;

use crate::{
    domain::{ids::JobId, job::Realm},
    store::{bulk::Named, jobs::Job},
};

/// A job's name; displayed as `job 3 (CLAWD, LIVE on base)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct JobName {
    pub job: JobId,
    pub symbol: String,
    pub realm: Realm,
    pub chain: String,
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            job,
            symbol,
            realm,
            chain,
        } = self;
        write!(f, "job {job} ({symbol}, {} on {chain})", realm.label())
    }
}

impl From<&Job> for JobName {
    fn from(job: &Job) -> Self {
        Self {
            job: job.id,
            symbol: job.token.symbol.clone(),
            realm: job.account.realm,
            chain: job.account.chain.clone(),
        }
    }
}

impl From<Named> for JobName {
    fn from(named: Named) -> Self {
        let Named {
            job,
            symbol,
            realm,
            chain,
        } = named;
        Self {
            job,
            symbol,
            realm,
            chain,
        }
    }
}
