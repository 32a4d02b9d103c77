//! The scheduler: claims due slots and open trades, and pushes their tasks in the same transaction.
//!
//! Any number of schedulers may run; `SKIP LOCKED` shares the work and no leader is needed. Between two passes it
//! sleeps until the next due time; a job that changes or a trade that opens wakes it earlier.

use std::time::{Duration, Instant};

use apalis_pg_groups::{NewTask, PushError, push};
use metrics::counter;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::tasks::{SETTLES, SettleTask, TICKS, TickTask};
use crate::store::session::begin;
use crate::{
    domain::{
        Timestamp,
        ids::{FillId, JobId, TradeId, WithdrawalId},
        span::Span,
    },
    service::{Loop, Service, Wakeups},
    store::{
        StoreError, WAKE_CHANNEL, failure_watches, fill_watches,
        refusal::explain,
        slots::{self, Due, Outlook},
        trades, withdrawals, zone_rules,
    },
    telemetry::{metric, note_ability},
};

/// What readiness says cannot be done after a pass that failed.
const CLAIM: &str = "slots cannot be claimed";

/// Most fills of one watch task: one round trip to a node.
const WATCH_CHUNK: usize = 200;

/// Most failures of one task: each takes a few round trips of its own.
const FAILURES_CHUNK: usize = 20;

/// Searches for lost tasks within one lease: each reads every slot.
const LOOKS_A_LEASE: u32 = 4;

/// Shortest time before a due slot whose previous one is still open is examined again.
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// Passes that only skip such slots use no more than this part of the time.
const PASSES_SHARE: u32 = 10;

/// Settings of a scheduler.
#[derive(Debug, Clone, Copy)]
pub struct SchedulerSettings {
    /// Most slots claimed in one transaction.
    pub batch: i64,
    /// A slot whose task was never recorded is pushed again after this long.
    pub tick_lease: Span,
    /// An open trade whose settle task was never done is pushed again after this long; also the time between two checks
    /// of a fill or failure that is not final.
    pub settle_lease: Span,
    /// Longest sleep while a trade is open.
    pub check_interval: Span,
    /// Longest sleep, should a wake-up get lost.
    pub max_sleep: Span,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            batch: 1_000,
            tick_lease: Span::from_secs(60),
            settle_lease: Span::from_secs(10),
            check_interval: Span::from_secs(1),
            max_sleep: Span::from_secs(5),
        }
    }
}

/// The claims of one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClaimCounts {
    /// Slots pushed to the queue.
    pub ticks: u64,
    /// Slots that will never run, because later ones were due already.
    pub missed: u64,
    /// Open trades pushed to the queue.
    pub settles: u64,
    /// Fills and failures that are not final yet, pushed to the queue.
    pub watches: u64,
    /// Slots pushed again because their task was lost.
    pub renewed: u64,
}

/// A claim that could not be made. Nothing of its batch was claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue.
    #[error("{}", not_pushed(.0))]
    Push(#[from] PushError),
}

fn not_pushed(error: &PushError) -> String {
    match error {
        PushError::Database(cause) => format!("{error}: {}", explain(cause)),
        _ => error.to_string(),
    }
}

impl From<sqlx::Error> for ClaimError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl ClaimCounts {
    const fn is_nothing(&self) -> bool {
        self.ticks == 0 && self.settles == 0 && self.watches == 0 && self.renewed == 0
    }
}

/// Claims everything that is due now, batch by batch, lost tasks included.
///
/// # Errors
/// [`ClaimError`]; every batch that committed stays claimed, with its tasks.
pub async fn once(pool: &PgPool, settings: &SchedulerSettings) -> Result<ClaimCounts, ClaimError> {
    follow_zones(pool).await?;
    let (claimed, _) = pass(pool, settings, true, while_open(Duration::ZERO)).await?;
    Ok(claimed)
}

/// Before the first claim of a process: its rules of zones may be newer than those that planned the next slots.
async fn follow_zones(pool: &PgPool) -> Result<(), ClaimError> {
    for moved in zone_rules::follow(pool).await? {
        info!(
            job = %moved.job, zone = %moved.zone, from = %moved.from, to = %moved.to,
            "the rules of the zone have changed: the next slot moves"
        );
    }
    Ok(())
}

/// Claims what is due, and says when there will be more. What is due is read without a lock before and after: most
/// passes find nothing, and cost one statement.
async fn pass(
    pool: &PgPool,
    settings: &SchedulerSettings,
    lost: bool,
    while_open: Span,
) -> Result<(ClaimCounts, Outlook), ClaimError> {
    let mut total = ClaimCounts::default();
    let look = || slots::outlook(pool, while_open, settings.check_interval);
    loop {
        let seen = look().await?;
        if seen.is_quiet() && !lost {
            return Ok((total, seen));
        }
        let batch = claim(pool, settings, &seen, lost).await?;
        total.ticks += batch.ticks;
        total.missed += batch.missed;
        total.settles += batch.settles;
        total.watches += batch.watches;
        total.renewed += batch.renewed;
        let largest = batch
            .ticks
            .max(batch.settles)
            .max(batch.watches)
            .max(batch.renewed);
        let full = i64::try_from(largest).is_ok_and(|claimed| claimed >= settings.batch);
        if !full {
            return Ok((total, look().await?));
        }
    }
}

/// Tasks of claimed slots that were lost, once more.
async fn renewed(
    tx: &mut PgConnection,
    settings: &SchedulerSettings,
) -> Result<Vec<NewTask<TickTask>>, ClaimError> {
    let lost = slots::renew_lost(tx, TICKS, settings.tick_lease, settings.batch).await?;
    if !lost.is_empty() {
        warn!(
            slots = lost.len(),
            "tasks of claimed slots were lost; pushed again"
        );
    }
    Ok(lost.iter().map(|(job, slot)| tick_task(*job, *slot)).collect())
}

/// One transaction: lock what is due, plan what comes next, push the tasks.
async fn claim(
    pool: &PgPool,
    settings: &SchedulerSettings,
    seen: &Outlook,
    lost: bool,
) -> Result<ClaimCounts, ClaimError> {
    let mut tx = begin(pool).await?;
    let due = match seen.slots {
        true => slots::lock_due(&mut tx, settings.batch).await?,
        false => Due::default(),
    };
    for (job, error) in &due.unreadable {
        error!(%job, %error, "skipping a job that this build cannot read: is a newer build running as well?");
    }
    let claims: Vec<_> = due.jobs.iter().map(|job| job.claim(due.now)).collect();
    let missed = claims.iter().map(|claim| claim.missed).sum();
    if missed > 0 {
        info!(
            missed,
            "slots were missed while no scheduler ran; the latest of each job runs"
        );
    }
    slots::record_claims(&mut tx, &due, &claims).await?;
    let fresh: Vec<NewTask<TickTask>> = due
        .jobs
        .iter()
        .zip(&claims)
        .filter(|(job, claim)| !job.is_decided(claim))
        .map(|(job, claim)| tick_task(job.job, claim.slot))
        .collect();
    let again = match lost {
        true => renewed(&mut tx, settings).await?,
        false => Vec::new(),
    };
    let (lease, batch) = (settings.settle_lease, settings.batch);
    let (mut checks, mut watched, mut failed, mut withdrawn) = (vec![], vec![], vec![], vec![]);
    if seen.trades {
        checks = trades::claim_checks(&mut tx, lease, batch).await?;
    }
    if seen.fills {
        watched = fill_watches::claim(&mut tx, lease, batch).await?;
    }
    if seen.failures {
        failed = failure_watches::claim(&mut tx, lease, batch).await?;
    }
    if seen.withdrawals {
        withdrawn = withdrawals::claim(&mut tx, lease, batch).await?;
    }
    let settles: Vec<NewTask<SettleTask>> = checks
        .iter()
        .map(|(trade, until)| settle_task(*trade, *until))
        .chain(watched.chunks(WATCH_CHUNK).map(watch_task))
        .chain(failed.chunks(FAILURES_CHUNK).map(watch_failures_task))
        .chain(withdrawn.iter().map(|(id, until)| withdrawal_task(*id, *until)))
        .collect();
    push(&mut tx, TICKS, &fresh).await?;
    push(&mut tx, TICKS, &again).await?;
    push(&mut tx, SETTLES, &settles).await?;
    tx.commit().await?;
    counter!(metric::SLOTS_CLAIMED).increment(fresh.len() as u64);
    counter!(metric::SLOTS_MISSED).increment(missed);
    Ok(ClaimCounts {
        ticks: fresh.len() as u64,
        missed,
        settles: checks.len() as u64,
        watches: watched.len().saturating_add(failed.len()) as u64,
        renewed: again.len() as u64,
    })
}

/// Without a key: the claim itself pushes a slot once, and a slot is recorded once.
fn tick_task(job: JobId, slot: Timestamp) -> NewTask<TickTask> {
    NewTask::now(TickTask { job, slot })
}

fn settle_task(trade: TradeId, until: Timestamp) -> NewTask<SettleTask> {
    NewTask::now(SettleTask::Trade { trade }).once(format!("{trade}:{}", until.timestamp_micros()))
}

/// Without a key: checking twice is harmless.
fn watch_task(fills: &[FillId]) -> NewTask<SettleTask> {
    NewTask::now(SettleTask::Watch {
        fills: fills.to_vec(),
    })
}

fn withdrawal_task(withdrawal: WithdrawalId, until: Timestamp) -> NewTask<SettleTask> {
    NewTask::now(SettleTask::Withdrawal { withdrawal })
        .once(format!("w{withdrawal}:{}", until.timestamp_micros()))
}

fn watch_failures_task(trades: &[TradeId]) -> NewTask<SettleTask> {
    NewTask::now(SettleTask::WatchFailures {
        failures: trades.to_vec(),
    })
}

/// Claims what is due until `stop`. A pass that has begun is finished.
pub async fn run(pool: PgPool, settings: SchedulerSettings, stop: CancellationToken) {
    let wakeups = Wakeups::Channel {
        pool: pool.clone(),
        channel: WAKE_CHANNEL,
    };
    let mut scheduler = Scheduler {
        pool,
        settings,
        looked: None,
        follows_zones: false,
        took: Duration::ZERO,
    };
    Loop::new("scheduler: database")
        .woken_by(wakeups)
        .run(&mut scheduler, &stop)
        .await;
}

struct Scheduler {
    pool: PgPool,
    settings: SchedulerSettings,
    /// When lost tasks were last looked for.
    looked: Option<Instant>,
    /// Whether next slots were compared with this process's rules of zones.
    follows_zones: bool,
    /// How long the last pass took.
    took: Duration,
}

impl Service for Scheduler {
    type Error = ClaimError;

    async fn pass(&mut self) -> Result<Duration, ClaimError> {
        let done = self.claim_due().await;
        note_ability(CLAIM, done.as_ref().err().map(ToString::to_string));
        done
    }
}

impl Scheduler {
    async fn claim_due(&mut self) -> Result<Duration, ClaimError> {
        if !self.follows_zones {
            follow_zones(&self.pool).await?;
            self.follows_zones = true;
        }
        let begun = Instant::now();
        let every = self.settings.tick_lease.std() / LOOKS_A_LEASE;
        let lost = self.looked.is_none_or(|looked| looked.elapsed() >= every);
        let (claimed, next) = pass(&self.pool, &self.settings, lost, while_open(self.took)).await?;
        self.took = begun.elapsed();
        if lost {
            self.looked = Some(begun);
        }
        if !claimed.is_nothing() {
            debug!(?claimed, "claimed");
        }
        let longest = self.settings.max_sleep.std();
        Ok(next.until.map_or(longest, |until| until.std().min(longest)))
    }
}

/// How long to ignore due slots whose last one is still open. Where workers are gone or behind there may be many, and
/// skipping them must not use a whole core. A slot that becomes due meanwhile is claimed in time all the same.
fn while_open(took: Duration) -> Span {
    let pause = (took * PASSES_SHARE).clamp(OPEN_PAUSE, Duration::from_secs(1));
    Span::from_millis(u64::try_from(pause.as_millis()).unwrap_or(1_000))
}
