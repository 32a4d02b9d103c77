//! Next slots that were computed by other rules of their zone: countries change their clocks on short notice, and the
//! slot that was planned for nine o'clock is still the one of nine o'clock.

use chrono::{NaiveDateTime, TimeDelta};
use sqlx::PgPool;

use crate::domain::{
    Timestamp,
    config::ScheduleConfig,
    job::JobId,
    schedule::{CronExpr, starts_at},
    span::Span,
    zone::Zone,
};
use crate::store::{
    StoreError,
    columns::{json, word},
};

/// A next slot that was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The job.
    pub job: JobId,
    /// Its zone.
    pub zone: Zone,
    /// By the rules before.
    pub from: Timestamp,
    /// By the rules of this process.
    pub to: Timestamp,
}

/// When a slot is that was planned for `wall`, by the rules that this process has.
fn instant(cron: &CronExpr, zone: Zone, wall: NaiveDateTime) -> Option<Timestamp> {
    let at = zone.instant(wall)?;
    cron.next_after(zone, Span::from_secs(1).before(at))
}

/// Moves the next slot of each job whose zone has other rules than when it was computed to the time that its clocks
/// were to show. Safe to call from any process at any time: a slot that was claimed or planned meanwhile stays as it
/// is, and one that moves to a recorded slot or before it is decided already.
///
/// # Errors
/// [`StoreError`].
pub async fn follow(pool: &PgPool) -> Result<Vec<Moved>, StoreError> {
    let salt = sqlx::query_scalar!(r#"SELECT jitter_salt::text AS "salt!" FROM installation"#)
        .fetch_one(pool)
        .await?;
    let rows = sqlx::query!(
        r#"SELECT s.job_id, j.realm, s.next_slot AS "slot!", s.next_offset AS "offset!",
                  coalesce(j.config -> 'schedule', 'null') AS "schedule!"
           FROM job_slots s JOIN jobs j ON j.id = s.job_id
           WHERE s.next_slot IS NOT NULL AND s.next_offset IS NOT NULL AND j.config -> 'schedule' ->> 'timezone' <> 'UTC'"#
    )
    .fetch_all(pool)
    .await?;
    let mut moved = Vec::new();
    for row in rows {
        // One that this build cannot read keeps its slot.
        let Ok(schedule) = json::<ScheduleConfig>("jobs.config.schedule", row.schedule) else {
            continue;
        };
        let (job, zone) = (JobId(row.job_id), schedule.timezone);
        if zone.seconds_ahead(row.slot) == row.offset {
            continue;
        }
        let planned = TimeDelta::seconds(row.offset.into());
        let Some(wall) = row.slot.naive_utc().checked_add_signed(planned) else {
            continue;
        };
        let Some(to) = instant(&schedule.cron, zone, wall) else {
            continue;
        };
        let Ok(realm) = word("jobs.realm", &row.realm) else {
            continue;
        };
        let due = starts_at(salt.as_bytes(), (realm, job), to, schedule.jitter);
        let done = sqlx::query!(
            "UPDATE job_slots SET next_slot = $4, next_offset = $5, due_at = $6
             WHERE job_id = $1 AND next_slot = $2 AND next_offset = $3",
            job.0,
            row.slot,
            row.offset,
            to,
            zone.seconds_ahead(to),
            due,
        )
        .execute(pool)
        .await?;
        if done.rows_affected() == 1 && to != row.slot {
            moved.push(Moved {
                job,
                zone,
                from: row.slot,
                to,
            });
        }
    }
    Ok(moved)
}
