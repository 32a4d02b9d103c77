//! Writes acknowledgements. Each is fenced by the worker and the attempt of its claim.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use sqlx::PgPool;
use tokio::sync::mpsc;

use crate::{
    channel::announce,
    core::Core,
    disposition::{Ack, Disposition},
    outage::{Outage, QueryError, answered},
};

/// Statements take about this many rows.
const ROWS: usize = 1_000;
/// A longer reason is cut.
const REASON_CHARS: usize = 2_000;

/// Writes acknowledgements until `core.flush` is cancelled; a failed write is retried until it succeeds.
pub(super) async fn run(core: Arc<Core>, mut acks: mpsc::UnboundedReceiver<Vec<Ack>>) {
    let mut outage = Outage::of("acknowledge tasks", &core.config.name, Duration::from_secs(2));
    let mut sets = Vec::new();
    loop {
        let more = tokio::select! {
            biased;
            received = acks.recv_many(&mut sets, ROWS) => received > 0,
            () = core.flush.cancelled() => false,
        };
        if !more {
            return;
        }
        let batch: Vec<Ack> = sets.drain(..).flatten().collect();
        for part in batch.chunks(ROWS) {
            while let Err(error) = write(&core, part).await {
                tokio::time::sleep(outage.failed(&error)).await;
            }
            outage.passed();
            core.forget(part.iter().map(|ack| ack.row.as_str()));
        }
        if batch
            .iter()
            .any(|ack| !matches!(ack.disposition, Disposition::Done))
        {
            core.wake.notify_one();
        }
    }
}

async fn write(core: &Core, acks: &[Ack]) -> Result<(), QueryError> {
    let keep_done = core.config.keep_done;
    let (gone, kept): (Vec<&Ack>, Vec<&Ack>) = acks
        .iter()
        .partition(|ack| matches!(ack.disposition, Disposition::Done) && !keep_done);
    let mut written = 0;
    if !gone.is_empty() {
        written += answered(delete(&core.pool, &core.worker, &gone)).await?;
    }
    if !kept.is_empty() {
        written += answered(update(&core.pool, &core.worker, &kept)).await?;
    }
    if kept
        .iter()
        .any(|ack| matches!(ack.disposition, Disposition::Release))
    {
        answered(announce(&core.pool, &core.config.name)).await?;
    }
    let sent = u64::try_from(acks.len()).unwrap_or(u64::MAX);
    if written < sent {
        // Also when the first write succeeded and its answer was lost: this is the second try.
        let refused = sent - written;
        tracing::debug!(queue = %core.config.name, refused, "acknowledgements of rows no longer held");
    }
    Ok(())
}

async fn delete(pool: &PgPool, worker: &str, acks: &[&Ack]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM apalis.jobs j
         USING unnest($1::text[], $2::int[]) AS a (id, attempts)
         WHERE j.id = a.id AND j.attempts = a.attempts AND j.lock_by = $3 AND j.status = 'Running'",
    )
    .bind(acks.iter().map(|ack| ack.row.clone()).collect::<Vec<_>>())
    .bind(acks.iter().map(|ack| int(ack.attempt)).collect::<Vec<_>>())
    .bind(worker)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

async fn update(pool: &PgPool, worker: &str, acks: &[&Ack]) -> Result<u64, sqlx::Error> {
    let ends: Vec<End> = acks.iter().map(|ack| End::of(&ack.disposition)).collect();
    let done = sqlx::query(
        "UPDATE apalis.jobs j
         SET status = a.status,
             attempts = j.attempts - a.refund,
             run_at = CASE WHEN a.pause_ms IS NULL THEN j.run_at
                           ELSE now() + a.pause_ms * interval '1 millisecond' END,
             done_at = CASE WHEN a.status <> 'Pending' THEN now() END,
             last_result = coalesce(a.result, j.last_result),
             metadata = CASE WHEN a.alone THEN coalesce(j.metadata, ''::hstore) || 'alone=>1'::hstore
                             ELSE j.metadata END,
             lock_by = NULL,
             lock_at = NULL
         FROM unnest($1::text[], $2::int[], $3::text[], $4::int[], $5::bigint[], $6::jsonb[], $7::bool[])
              AS a (id, attempts, status, refund, pause_ms, result, alone)
         WHERE j.id = a.id AND j.attempts = a.attempts AND j.lock_by = $8 AND j.status = 'Running'",
    )
    .bind(acks.iter().map(|ack| ack.row.clone()).collect::<Vec<_>>())
    .bind(acks.iter().map(|ack| int(ack.attempt)).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.status).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.refund).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.pause_ms).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.result.clone()).collect::<Vec<_>>())
    .bind(ends.iter().map(|end| end.alone).collect::<Vec<_>>())
    .bind(worker)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// A disposition as columns.
struct End {
    status: &'static str,
    refund: i32,
    pause_ms: Option<i64>,
    result: Option<serde_json::Value>,
    alone: bool,
}

impl End {
    fn of(disposition: &Disposition) -> Self {
        let pending = Self {
            status: "Pending",
            refund: 0,
            pause_ms: None,
            result: None,
            alone: false,
        };
        match disposition {
            Disposition::Done => Self {
                status: "Done",
                result: Some(json!({ "Ok": null })),
                ..pending
            },
            Disposition::Retry { after, reason, alone } => Self {
                pause_ms: Some(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
                result: Some(failure(reason)),
                alone: *alone,
                ..pending
            },
            Disposition::Kill(reason) => Self {
                status: "Killed",
                result: Some(failure(reason)),
                ..pending
            },
            Disposition::Release => Self { refund: 1, ..pending },
        }
    }
}

fn failure(reason: &str) -> serde_json::Value {
    // A NUL is the one character that Postgres' jsonb does not store.
    let reason: String = reason
        .chars()
        .filter(|char| *char != '\0')
        .take(REASON_CHARS)
        .collect();
    json!({ "Err": reason })
}

/// Attempts come from an `integer` column, so they fit.
fn int(attempt: u32) -> i32 {
    i32::try_from(attempt).unwrap_or(i32::MAX)
}
