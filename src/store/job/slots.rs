//! Slots: locked and claimed by the schedulers, in one transaction with the tasks they push.

use std::collections::HashMap;

use chrono::TimeDelta;
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    Timestamp,
    config::ScheduleConfig,
    job::{JobId, JobStatus, Realm},
    liquidate::{Liquidation, next_slice},
    schedule::{Claim, starts_at},
    span::Span,
};
use crate::store::{
    StoreError, WAKE_CHANNEL,
    columns::{json, to_i64, unsigned, word},
    jobs::{Job, event},
    session::begin,
};

/// A liquidation that sold only a part continues after this long.
const LIQUIDATION_RETRY: Span = Span::from_secs(5);

/// A slot whose job cannot be read is retried after this long.
pub const UNREADABLE_PAUSE: Span = Span::from_secs(60);

/// When a slot is claimed: jitter applies to the schedule, not to a liquidation that its owner waits for.
pub(in crate::store) fn due_at(salt: &[u8], job: &Job, slot: Timestamp) -> Timestamp {
    match job.status {
        JobStatus::Liquidating => slot,
        _ => starts_at(
            salt,
            (job.account.realm, job.id),
            slot,
            job.config.schedule.jitter,
        ),
    }
}

/// The first instant from `at` on that is later than `fence`, the newest slot that was recorded or handed out. A slot
/// at or before it would never be evaluated.
pub(in crate::store) fn past_fence(at: Timestamp, fence: Option<Timestamp>) -> Timestamp {
    fence.map_or(at, |fence| at.max(fence + TimeDelta::microseconds(1)))
}

/// A job whose slot has come, locked by the transaction that read it.
#[derive(Debug, Clone)]
pub struct DueJob {
    /// The job.
    pub job: JobId,
    /// Its first unclaimed slot.
    pub slot: Timestamp,
    /// Its newest recorded slot. Slots at or before it are decided, a manual tick may have passed them.
    pub fence: Option<Timestamp>,
    realm: Realm,
    status: JobStatus,
    schedule: ScheduleConfig,
    liquidation: Option<Liquidation>,
}

impl DueJob {
    /// What to claim now: the latest slot whose jittered start has come runs, the ones before are missed. If that slot
    /// [is decided](Self::is_decided), nothing is handed out. A liquidation has no nominal slots: its slot moves
    /// past the fence instead.
    #[must_use]
    pub fn claim(&self, now: Timestamp) -> Claim {
        if let (JobStatus::Liquidating, Some(plan)) = (self.status, &self.liquidation) {
            let next = next_slice(plan, now).max(LIQUIDATION_RETRY.after(now));
            return Claim {
                slot: past_fence(self.slot, self.fence),
                missed: 0,
                next: Some(next),
            };
        }
        let timezone = self.schedule.timezone;
        let claim = self.schedule.cron.claim(timezone, self.slot, now.max(self.slot));
        let missed = if self.is_decided(&claim) { 0 } else { claim.missed };
        Claim { missed, ..claim }
    }

    /// Whether a claim's slot was passed by a later one that is recorded already: its rules were looked at then.
    #[must_use]
    pub fn is_decided(&self, claim: &Claim) -> bool {
        self.fence.is_some_and(|fence| claim.slot <= fence)
    }

    /// How far the clocks of its zone are ahead at a slot of its schedule, seconds. A liquidation has none.
    fn offset(&self, next: Timestamp) -> Option<i32> {
        let scheduled = self.status != JobStatus::Liquidating;
        scheduled.then(|| self.schedule.timezone.seconds_ahead(next))
    }

    fn next_due(&self, salt: &[u8], next: Timestamp) -> Timestamp {
        match self.status {
            JobStatus::Liquidating => next,
            _ => starts_at(salt, (self.realm, self.job), next, self.schedule.jitter),
        }
    }
}

/// What one claim transaction sees.
#[derive(Debug, Default)]
pub struct Due {
    /// The database's time, if anything is due.
    pub now: Timestamp,
    /// Locked until the transaction ends; rows that another scheduler holds are skipped.
    pub jobs: Vec<DueJob>,
    /// Jobs that this build cannot read, and why: a newer build may have written them while builds are replaced one by
    /// one. Their slots stay as they are and are looked at again after [`UNREADABLE_PAUSE`].
    pub unreadable: Vec<(JobId, StoreError)>,
    salt: String,
}

/// Locks up to `limit` due jobs that have no open slot, longest due first.
///
/// # Errors
/// [`StoreError`].
pub async fn lock_due(connection: &mut PgConnection, limit: i64) -> Result<Due, StoreError> {
    let slots = sqlx::query!(
        r#"SELECT s.job_id, s.next_slot AS "next_slot!", s.last_slot, now() AS "now!", i.jitter_salt::text AS "salt!"
           FROM job_slots s, installation i
           WHERE s.due_at <= now() AND s.open_slot IS NULL
           ORDER BY s.due_at LIMIT $1
           FOR UPDATE OF s SKIP LOCKED"#,
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    let Some(first) = slots.first() else {
        return Ok(Due::default());
    };
    let (now, salt) = (first.now, first.salt.clone());
    let slots: HashMap<JobId, (Timestamp, Option<Timestamp>)> = slots
        .into_iter()
        .map(|row| (JobId(row.job_id), (row.next_slot, row.last_slot)))
        .collect();
    let (jobs, unreadable) = due_jobs(connection, &slots).await?;
    put_off(connection, &unreadable).await?;
    Ok(Due {
        now,
        jobs,
        unreadable,
        salt,
    })
}

/// The jobs of slots that are locked already. Read only now: an order changes job and slot in one transaction, so a
/// slot that an order changed just before it was locked goes with the job as that order left it.
async fn due_jobs(
    connection: &mut PgConnection,
    slots: &HashMap<JobId, (Timestamp, Option<Timestamp>)>,
) -> Result<(Vec<DueJob>, Vec<(JobId, StoreError)>), StoreError> {
    let ids: Vec<i64> = slots.keys().map(|job| job.0).collect();
    // A row without a schedule must not fail the statement, and with it every other job's claim.
    let rows = sqlx::query!(
        r#"SELECT id, realm, status, coalesce(config -> 'schedule', 'null') AS "schedule!", liquidation
           FROM jobs WHERE id = ANY ($1)"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    let (mut jobs, mut unreadable) = (Vec::new(), Vec::new());
    for row in rows {
        let job = JobId(row.id);
        let Some((slot, fence)) = slots.get(&job) else {
            continue;
        };
        let read =
            |realm: &str, status: &str, schedule, liquidation: Option<_>| -> Result<DueJob, StoreError> {
                Ok(DueJob {
                    job,
                    slot: *slot,
                    fence: *fence,
                    realm: word("jobs.realm", realm)?,
                    status: word("jobs.status", status)?,
                    schedule: json("jobs.config.schedule", schedule)?,
                    liquidation: liquidation
                        .map(|value| json("jobs.liquidation", value))
                        .transpose()?,
                })
            };
        match read(&row.realm, &row.status, row.schedule, row.liquidation) {
            Ok(due) => jobs.push(due),
            Err(error) => unreadable.push((job, error)),
        }
    }
    // The oldest slots are queued first.
    jobs.sort_unstable_by_key(|due: &DueJob| (due.slot, due.job));
    Ok((jobs, unreadable))
}

/// Lets the others have their turn: what is due longest comes first.
async fn put_off(
    connection: &mut PgConnection,
    unreadable: &[(JobId, StoreError)],
) -> Result<(), StoreError> {
    if unreadable.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = unreadable.iter().map(|(job, _)| job.0).collect();
    sqlx::query!(
        "UPDATE job_slots SET due_at = now() + make_interval(secs => $2) WHERE job_id = ANY ($1)",
        &ids,
        UNREADABLE_PAUSE.std().as_secs_f64(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records claims of jobs that [`lock_due`] locked, in the same transaction.
///
/// # Errors
/// [`StoreError`].
pub async fn record_claims(
    connection: &mut PgConnection,
    due: &Due,
    claims: &[Claim],
) -> Result<(), StoreError> {
    if claims.is_empty() {
        return Ok(());
    }
    let (mut jobs, mut slots, mut nexts, mut dues, mut missed) = (vec![], vec![], vec![], vec![], vec![]);
    let mut offsets = vec![];
    for (job, claim) in due.jobs.iter().zip(claims) {
        jobs.push(job.job.0);
        slots.push((!job.is_decided(claim)).then_some(claim.slot));
        nexts.push(claim.next);
        offsets.push(claim.next.and_then(|next| job.offset(next)));
        dues.push(claim.next.map(|next| job.next_due(due.salt.as_bytes(), next)));
        missed.push(to_i64("job_slots.slots_missed", claim.missed)?);
    }
    sqlx::query!(
        "UPDATE job_slots s
         SET open_slot = i.slot, open_since = CASE WHEN i.slot IS NOT NULL THEN now() END, handed_at = NULL,
             next_slot = i.next, next_offset = i.ahead, due_at = i.due,
             slots_claimed = slots_claimed + (i.slot IS NOT NULL)::int, slots_missed = slots_missed + i.missed
         FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::integer[])
              AS i (job_id, slot, next, due, missed, ahead)
         WHERE s.job_id = i.job_id",
        &jobs,
        &slots as &[Option<Timestamp>],
        &nexts as &[Option<Timestamp>],
        &dues as &[Option<Timestamp>],
        &missed,
        &offsets as &[Option<i32>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Slots that were pushed to the queue longer than `lease` ago and never recorded: their tasks are lost, so they
/// are pushed again. Evaluating one twice is harmless. Reads every slot: not for each pass.
///
/// A slot at or before the newest recorded one is decided, however it came to be open: it is closed, not handed out.
///
/// While `queue` itself is behind, nothing is handed out again: what waits in it is not lost.
///
/// # Errors
/// [`StoreError`].
pub async fn renew_lost(
    connection: &mut PgConnection,
    queue: &str,
    lease: Span,
    limit: i64,
) -> Result<Vec<(JobId, Timestamp)>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH decided AS (
               UPDATE job_slots s SET open_slot = NULL, open_since = NULL
               FROM (SELECT job_id FROM job_slots WHERE open_slot <= last_slot
                     ORDER BY job_id LIMIT $2 FOR UPDATE SKIP LOCKED) AS passed
               WHERE s.job_id = passed.job_id)
           UPDATE job_slots s SET handed_at = now()
           FROM (SELECT job_id FROM job_slots
                 WHERE open_slot IS NOT NULL AND (last_slot IS NULL OR open_slot > last_slot)
                   AND coalesce(handed_at, open_since) < now() - make_interval(secs => $1)
                   AND NOT EXISTS (SELECT FROM apalis.jobs q
                                   WHERE q.job_type = $3 AND q.status = 'Pending'
                                     AND q.run_at < now() - make_interval(secs => $1))
                 ORDER BY coalesce(handed_at, open_since) LIMIT $2 FOR UPDATE SKIP LOCKED) AS lost
           WHERE s.job_id = lost.job_id
           RETURNING s.job_id, s.open_slot AS "open_slot!""#,
        lease.std().as_secs_f64(),
        limit,
        queue,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (JobId(row.job_id), row.open_slot))
        .collect())
}

/// Closes the open slots of these jobs that are decided: a later slot was recorded before them. A caller that
/// finds a slot recorded already must call this, or its job would wait for the slot indefinitely.
///
/// # Errors
/// [`StoreError`].
pub async fn close_decided(pool: &PgPool, jobs: &[JobId]) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = jobs.iter().map(|job| job.0).collect();
    sqlx::query!(
        "WITH closed AS (
             UPDATE job_slots s SET open_slot = NULL, open_since = NULL
             FROM (SELECT job_id FROM job_slots WHERE job_id = ANY ($1) AND open_slot <= last_slot
                   ORDER BY job_id FOR NO KEY UPDATE) AS passed
             WHERE s.job_id = passed.job_id RETURNING s.job_id)
         SELECT pg_notify($2, 'job') FROM closed",
        &ids,
        WAKE_CHANNEL,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A slot for a tick by hand: now, and later than every slot that was recorded or handed out. The job's history names
/// who asked for it.
///
/// # Errors
/// [`StoreError`].
pub async fn by_hand(pool: &PgPool, job: JobId, actor: &str) -> Result<Timestamp, StoreError> {
    let mut tx = begin(pool).await?;
    let slot = by_hand_in(&mut tx, job, actor).await?;
    tx.commit().await?;
    Ok(slot)
}

/// The same, in the caller's transaction.
pub(in crate::store) async fn by_hand_in(
    tx: &mut PgConnection,
    job: JobId,
    actor: &str,
) -> Result<Timestamp, StoreError> {
    let row = sqlx::query!(
        r#"SELECT clock_timestamp() AS "now!", greatest(last_slot, open_slot) AS fence FROM job_slots WHERE job_id = $1"#,
        job.0
    )
    .fetch_one(&mut *tx)
    .await?;
    let slot = past_fence(row.now, row.fence);
    event(
        tx,
        job,
        actor,
        "tick",
        None,
        Some(serde_json::json!({ "slot": slot })),
    )
    .await?;
    Ok(slot)
}

/// What there is to claim now, and when there will be more.
#[derive(Debug, Clone, Copy)]
pub struct Outlook {
    /// How long a scheduler may sleep; `None`: nothing is planned.
    pub until: Option<Span>,
    /// Slots are due.
    pub slots: bool,
    /// Open trades are.
    pub trades: bool,
    /// Fills that are watched are.
    pub fills: bool,
    /// Failures that are watched are.
    pub failures: bool,
    /// Withdrawals are.
    pub withdrawals: bool,
}

impl Outlook {
    /// Whether nothing is due.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        !(self.slots || self.trades || self.fills || self.failures || self.withdrawals)
    }
}

/// What is due, without a lock, and how long a scheduler may sleep: until the next slot or the next look at an open
/// trade. Slots that are due while the one before is open wait for `while_open`: no notification says when it ends. The
/// next check of a trade is not announced either, so no scheduler sleeps longer than `check_interval` while a trade is
/// open.
///
/// # Errors
/// [`StoreError`].
pub async fn outlook(pool: &PgPool, while_open: Span, check_interval: Span) -> Result<Outlook, StoreError> {
    let row = sqlx::query!(
        r#"SELECT slot.due IS NOT NULL AS "slots!", coalesce(trade.at <= now(), false) AS "trades!",
            coalesce((SELECT min(watch_at) FROM fill_watches) <= now(), false) AS "fills!",
            coalesce((SELECT min(watch_at) FROM failure_watches) <= now(), false) AS "failures!",
            coalesce(withdrawal.at <= now(), false) AS "withdrawals!",
            (extract(epoch FROM least(
                (SELECT min(due_at) FROM job_slots WHERE due_at > now()),
                CASE WHEN slot.due IS NOT NULL THEN now()
                     WHEN slot.open IS NOT NULL THEN clock_timestamp() + make_interval(secs => $1) END,
                CASE WHEN trade.at IS NOT NULL
                     THEN least(trade.at, clock_timestamp() + make_interval(secs => $2)) END,
                CASE WHEN withdrawal.at IS NOT NULL
                     THEN least(withdrawal.at, clock_timestamp() + make_interval(secs => $2)) END
            ) - clock_timestamp()) * 1000)::bigint AS millis
           -- In the order of an index: what the planner knows of times is always old, and it would read whole tables.
           FROM (SELECT (SELECT due_at FROM job_slots WHERE due_at <= now() AND open_slot IS NULL
                         ORDER BY due_at LIMIT 1) AS due,
                        (SELECT due_at FROM job_slots WHERE due_at <= now() ORDER BY due_at LIMIT 1) AS open) AS slot,
                (SELECT min(next_check_at) AS at FROM trades WHERE status IN ('PENDING', 'SUBMITTED')) AS trade,
                (SELECT min(next_check_at) AS at FROM withdrawals WHERE next_check_at IS NOT NULL) AS withdrawal"#,
        while_open.std().as_secs_f64(),
        check_interval.std().as_secs_f64(),
    )
    .fetch_one(pool)
    .await?;
    let until = |millis: i64| unsigned("job_slots.due_at", millis.max(0)).map(Span::from_millis);
    Ok(Outlook {
        until: row.millis.map(until).transpose()?,
        slots: row.slots,
        trades: row.trades,
        fills: row.fills,
        failures: row.failures,
        withdrawals: row.withdrawals,
    })
}
