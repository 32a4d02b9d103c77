//! All jobs at a glance: what they earned, whether a worker runs, and which of them need their owner.

use std::collections::BTreeMap;

use super::{
    alive::Dead,
    list::{JobLine, ListRequest, Listing, SortBy, Total, list},
};
use crate::{
    app::{App, AppError},
    domain::Timestamp,
};

/// Jobs in need that are named; the others are counted.
const NAMED_MAX: usize = 20;

/// All jobs at a glance.
#[derive(Debug)]
pub struct Overview {
    pub now: Timestamp,
    /// Nobody works on them.
    pub dead: Option<Dead>,
    /// Live and paper apart, live first.
    pub totals: Vec<Total>,
    /// How many there are of each status.
    pub statuses: BTreeMap<String, usize>,
    /// Those in ERROR, halted or late, live ones first; at most 20.
    pub attention: Vec<JobLine>,
    /// Number of jobs in need.
    pub attention_jobs: usize,
}

/// Reads all jobs.
///
/// # Errors
/// [`AppError::Store`].
pub async fn overview(app: &App) -> Result<Overview, AppError> {
    let request = ListRequest {
        sort: SortBy::Attention,
        ..ListRequest::default()
    };
    let Listing {
        mut lines,
        totals,
        now,
        dead,
    } = list(app, &request).await?;
    let mut statuses = BTreeMap::new();
    for line in &lines {
        *statuses.entry(line.status.to_string()).or_insert(0) += 1;
    }
    lines.retain(JobLine::needs_attention);
    let attention_jobs = lines.len();
    lines.truncate(NAMED_MAX);
    Ok(Overview {
        now,
        dead,
        totals,
        statuses,
        attention: lines,
        attention_jobs,
    })
}
