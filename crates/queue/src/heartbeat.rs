//! The lease: heartbeats of this worker, and takeover of the tasks of dead ones.

use std::sync::Arc;

use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    channel::announce,
    core::Core,
    outage::{Outage, QueryError, answered},
};

/// Marks our rows among those of other apalis backends on the same tables.
const STORAGE: &str = "GroupBackend";

/// Rows locked by deleted workers are searched for at every this many heartbeats.
const REMOVED_EVERY: u64 = 10;

/// Renews the lease until all is acknowledged. A renewal that has begun is not aborted: it might still be written after
/// the worker's row is deleted. Notifies `first_beat` once the worker is registered.
pub(crate) async fn run(core: Arc<Core>, first_beat: Arc<Notify>) {
    let mut outage = Outage::of("renew the lease", &core.config.name, core.config.heartbeat);
    let mut ticks = tokio::time::interval(core.config.heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = None::<Instant>;
    for beat in 0_u64.. {
        tokio::select! {
            biased;
            () = core.settled.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // `answered` gives up a connection that is silent; the next one may work.
        while let Err(error) = renew(&core).await {
            tokio::select! {
                () = core.settled.cancelled() => return,
                () = tokio::time::sleep(outage.failed(&error)) => {}
            }
        }
        outage.passed();
        if let Some(before) = renewed.replace(Instant::now()) {
            warn_if_late(&core, before);
        } else {
            first_beat.notify_one();
        }
        if let Err(error) = hand_over(&core, beat.is_multiple_of(REMOVED_EVERY)).await {
            tracing::debug!(queue = %core.config.name, %error, "cannot look for dead workers at this heartbeat");
        }
    }
}

fn warn_if_late(core: &Core, before: Instant) {
    let since = before.elapsed();
    if since > core.config.lease {
        tracing::warn!(
            queue = %core.config.name,
            "the lease was not renewed for {} s: running tasks may have been handed to another worker",
            since.as_secs()
        );
    }
}

async fn renew(core: &Core) -> Result<(), QueryError> {
    answered(
        sqlx::query(
            "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen, started_at)
             VALUES ($1, $2, $3, now(), now())
             ON CONFLICT (id) DO UPDATE SET last_seen = now()",
        )
        .bind(&core.worker)
        .bind(&core.config.name)
        .bind(STORAGE)
        .execute(&core.lifeline),
    )
    .await?;
    Ok(())
}

/// A statement that requeues the rows that `$lost` selects; $1 is the queue, $2 the lease. A task that ran when its
/// process died may have killed it, so each runs alone from now on.
macro_rules! put_back {
    ($lost:literal) => {
        concat!(
            "WITH lost AS (SELECT j.id ",
            $lost,
            " AND j.job_type = $1 AND j.status IN ('Queued', 'Running')
                 LIMIT 1000
                 FOR UPDATE OF j SKIP LOCKED
             )
             UPDATE apalis.jobs j
             SET status = CASE WHEN j.attempts >= j.max_attempts THEN 'Killed' ELSE 'Pending' END,
                 done_at = CASE WHEN j.attempts >= j.max_attempts THEN now() END,
                 last_result = '{\"Err\": \"its worker stopped sending heartbeats\"}',
                 metadata = coalesce(j.metadata, ''::hstore) || 'alone=>1'::hstore,
                 lock_by = NULL,
                 lock_at = NULL
             FROM lost
             WHERE j.id = lost.id"
        )
    };
}

/// Rows of workers whose lease expired.
const OF_SILENT: &str = put_back!(
    "FROM apalis.workers w JOIN apalis.jobs j ON j.lock_by = w.id
     WHERE w.worker_type = $1 AND w.last_seen < now() - make_interval(secs => $2)"
);

/// Rows of workers that were deleted at the very moment they claimed. Reads all locked rows. The lease has no effect
/// here; it is in the statement so that both statements take the same parameters.
const OF_REMOVED: &str = put_back!(
    "FROM apalis.jobs j
     WHERE j.lock_by IS NOT NULL AND make_interval(secs => $2) > '0'
       AND NOT EXISTS (SELECT FROM apalis.workers w WHERE w.id = j.lock_by)"
);

/// Requeues the tasks of dead workers and deletes their rows.
async fn hand_over(core: &Core, removed_too: bool) -> Result<(), QueryError> {
    let lease = core.config.lease.as_secs_f64();
    let mut lost = 0;
    for (sql, wanted) in [(OF_SILENT, true), (OF_REMOVED, removed_too)] {
        if wanted {
            let put_back = sqlx::query(sql)
                .bind(&core.config.name)
                .bind(lease)
                .execute(&core.lifeline);
            lost += answered(put_back).await?.rows_affected();
        }
    }
    if lost > 0 {
        tracing::warn!(queue = %core.config.name, lost, "handed over tasks of a worker that stopped sending heartbeats");
        answered(announce(&core.lifeline, &core.config.name)).await?;
    }
    answered(
        sqlx::query(
            "DELETE FROM apalis.workers w
             WHERE w.worker_type = $1 AND w.storage_name = $3
               AND w.last_seen < now() - make_interval(secs => $2)
               AND NOT EXISTS (SELECT FROM apalis.jobs j WHERE j.lock_by = w.id)",
        )
        .bind(&core.config.name)
        .bind(lease)
        .bind(STORAGE)
        .execute(&core.lifeline),
    )
    .await?;
    Ok(())
}

/// Releases the tasks of aborted handlers (the attempt does not count) and deletes the worker; retries until cancelled.
pub(crate) async fn leave(core: &Core) {
    let mut outage = Outage::of("leave the queue", &core.config.name, core.config.heartbeat);
    while let Err(error) = try_leave(core).await {
        tokio::time::sleep(outage.failed(&error)).await;
    }
}

async fn try_leave(core: &Core) -> Result<(), QueryError> {
    let put_back = answered(
        sqlx::query(
            "UPDATE apalis.jobs
             SET status = 'Pending', lock_by = NULL, lock_at = NULL, attempts = greatest(attempts - 1, 0)
             WHERE lock_by = $1 AND status IN ('Queued', 'Running')",
        )
        .bind(&core.worker)
        .execute(&core.lifeline),
    )
    .await?
    .rows_affected();
    if put_back > 0 {
        tracing::info!(queue = %core.config.name, put_back, "released tasks that the shutdown interrupted");
        answered(announce(&core.lifeline, &core.config.name)).await?;
    }
    answered(
        sqlx::query("DELETE FROM apalis.workers WHERE id = $1")
            .bind(&core.worker)
            .execute(&core.lifeline),
    )
    .await?;
    Ok(())
}
