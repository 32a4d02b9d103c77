//! All jobs at a glance: what they earned, whether a worker runs, and which of them need their owner.

use std::collections::BTreeMap;

use super::{
    alive::{Dead, LATE_AFTER, Waiting, alive},
    list::{JobLine, Total, lines_of},
};
use crate::{
    app::{App, AppError},
    domain::{
        Timestamp,
        accounting::unrealized,
        figures::net,
        ids::JobId,
        job::{JobStatus, Realm},
        units::Usd,
    },
    store::glance::{self, Glance},
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

/// Reads the figures of all jobs, and everything about those that need their owner.
///
/// # Errors
/// [`AppError::Store`].
pub async fn overview(app: &App) -> Result<Overview, AppError> {
    let alive = alive(app).await?;
    let now = alive.now;
    let jobs = glance::all(&app.pool).await?;
    let mut statuses = BTreeMap::new();
    for job in &jobs {
        *statuses.entry(job.status.to_string()).or_insert(0) += 1;
    }
    let mut needing: Vec<&Glance> = jobs.iter().filter(|job| needs_attention(job, now)).collect();
    needing.sort_by_key(|job| (job.realm != Realm::Live, job.job));
    let attention_jobs = needing.len();
    let named: Vec<JobId> = needing.iter().take(NAMED_MAX).map(|job| job.job).collect();
    let mut attention = lines_of(app, &named, now).await?;
    attention.sort_by_key(|line| (line.realm != Realm::Live, line.job));
    let totals = [Realm::Live, Realm::Paper].into_iter();
    Ok(Overview {
        now,
        dead: alive.missing(jobs.iter().map(|job| Waiting {
            next_slot: job.next_slot,
            late_since: late_since(job, now),
        })),
        totals: totals.filter_map(|realm| total(&jobs, realm)).collect(),
        statuses,
        attention,
        attention_jobs,
    })
}

fn late_since(job: &Glance, now: Timestamp) -> Option<Timestamp> {
    job.next_slot
        .filter(|slot| job.open_since.is_none() && LATE_AFTER.after(job.jitter.after(*slot)) < now)
}

fn needs_attention(job: &Glance, now: Timestamp) -> bool {
    job.status == JobStatus::Error || job.halted || late_since(job, now).is_some()
}

/// As the list of jobs has it: none while tokens are held whose price is not known yet.
fn net_of(job: &Glance) -> Option<Usd> {
    let open = match job.last_price {
        Some(price) => unrealized(&job.position, price).ok(),
        None => job.position.token_balance.is_zero().then_some(Usd::ZERO),
    };
    net(job.position.realized_pnl, open?, job.gas).ok()
}

/// `None` without such jobs, or if a sum is past the range of USD.
fn total(jobs: &[Glance], realm: Realm) -> Option<Total> {
    let mut total = Total {
        realm,
        jobs: 0,
        spent_usd: Usd::ZERO,
        gas_usd: Usd::ZERO,
        net_usd: Usd::ZERO,
        unknown: 0,
    };
    for job in jobs.iter().filter(|job| job.realm == realm) {
        total.jobs = total.jobs.saturating_add(1);
        total.spent_usd = total.spent_usd.checked_add(job.spent).ok()?;
        total.gas_usd = total.gas_usd.checked_add(job.gas).ok()?;
        match net_of(job) {
            Some(net) => total.net_usd = total.net_usd.checked_add(net).ok()?,
            None => total.unknown = total.unknown.saturating_add(1),
        }
    }
    (total.jobs > 0).then_some(total)
}
