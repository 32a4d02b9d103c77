//! Which jobs to list.

use alloy_primitives::Address;

use crate::domain::{
    ids::JobId,
    job::{JobStatus, Realm},
};

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this token.
    pub token: Option<Address>,
    /// Only this chain.
    pub chain: Option<String>,
    /// Only this status.
    pub status: Option<JobStatus>,
    /// Removed jobs as well.
    pub archived: bool,
    /// Only this realm.
    pub realm: Option<Realm>,
    /// Only jobs with this ticker, or this number.
    pub called: Option<Called>,
    /// Only jobs with a greater number.
    pub after: Option<JobId>,
    /// Most jobs.
    pub limit: Option<i64>,
}

/// What people call a job; one that fits either is meant.
#[derive(Debug, Clone, Default)]
pub struct Called {
    /// Its ticker, in any case.
    pub symbol: Option<String>,
    /// The job's number.
    pub number: Option<JobId>,
}
