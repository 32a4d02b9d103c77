//! Claiming due rows and forming groups of them.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde::de::DeserializeOwned;
use sqlx::FromRow;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};

use crate::{
    core::Core,
    disposition::{Ack, Disposition},
    group::{Group, Member},
    outage::{Outage, QueryError, answered},
};

/// A group with its permit to run.
pub(crate) struct Ready<T> {
    pub(crate) group: Group<T>,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// While announcements arrive, a poll only finds what one of them lost: this many times the usual pause.
const POLLS_LISTENING: u32 = 5;

struct Row {
    id: String,
    job: Vec<u8>,
    attempts: i32,
    max_attempts: i32,
    alone: bool,
}

/// A row that was claimed, if any was, and in how many milliseconds the next one is due.
#[derive(FromRow)]
struct Claimed {
    id: Option<String>,
    job: Option<Vec<u8>>,
    attempts: Option<i32>,
    max_attempts: Option<i32>,
    alone: Option<bool>,
    due_in: Option<i64>,
}

impl Claimed {
    fn row(self) -> Option<Row> {
        Some(Row {
            id: self.id?,
            job: self.job?,
            attempts: self.attempts?,
            max_attempts: self.max_attempts?,
            alone: self.alone?,
        })
    }
}

/// Claims rows until the core stops. Claims only what can start at once: rows wait in the table, where
/// every worker can claim them, not in a worker's memory.
pub(crate) async fn run<T: DeserializeOwned>(core: Arc<Core>, ready: mpsc::UnboundedSender<Ready<T>>) {
    let mut outage = Outage::of("fetch tasks", &core.config.name, Duration::from_secs(2));
    let mut swept = Instant::now();
    while let Some(permits) = free_permits(&core).await {
        let claimed = async {
            // A claim whose answer was lost leaves rows locked by this worker that it does not know of.
            if outage.lasts() || swept.elapsed() >= core.config.lease {
                release_strays(&core).await?;
                swept = Instant::now();
            }
            claim(&core, permits.len()).await
        };
        let pause = match claimed.await {
            Ok((rows, next)) => {
                outage.passed();
                let full = rows.len() >= permits.len().saturating_mul(core.config.batch);
                let more = full || rows.iter().any(|row| row.alone);
                deliver(&core, &ready, rows, permits);
                if more { Duration::ZERO } else { pause(&core, next) }
            }
            Err(error) => {
                drop(permits);
                outage.failed(&error)
            }
        };
        if !pause.is_zero() {
            tokio::select! {
                () = core.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = core.stopping.cancelled() => {}
            }
        }
    }
}

/// All free permits, once there is one; `None` when the core stops.
async fn free_permits(core: &Core) -> Option<Vec<OwnedSemaphorePermit>> {
    let acquired = tokio::select! {
        biased;
        () = core.stopping.cancelled() => return None,
        acquired = Arc::clone(&core.permits).acquire_owned() => acquired,
    };
    let mut permits = vec![acquired.ok()?];
    permits.extend(std::iter::from_fn(|| {
        Arc::clone(&core.permits).try_acquire_owned().ok()
    }));
    Some(permits)
}

/// Takes due rows in order while they fit into `groups` groups; a row marked `alone` fills a group. With it, unless the
/// claim was full, in how many milliseconds the next of the other rows is due.
async fn claim(core: &Core, groups: usize) -> Result<(Vec<Row>, Option<i64>), QueryError> {
    let batch = i64::try_from(core.config.batch).unwrap_or(i64::MAX);
    let groups = i64::try_from(groups).unwrap_or(i64::MAX);
    let rows: Vec<Claimed> = answered(
        sqlx::query_as(
            "WITH due AS MATERIALIZED (
                 SELECT ctid AS place_of_row, id, run_at, coalesce(exist(metadata, 'alone'), false) AS alone
                 FROM apalis.jobs
                 WHERE job_type = $1 AND status = 'Pending' AND run_at <= now()
                   -- A worker that was declared dead has no row until its next heartbeat: what it claimed would be
                   -- handed over at once.
                   AND EXISTS (SELECT FROM apalis.workers WHERE id = $4)
                 ORDER BY run_at, id
                 LIMIT $2 * $3
                 FOR UPDATE SKIP LOCKED
             ), counted AS (
                 SELECT place_of_row, alone,
                        row_number() OVER w AS place,
                        count(*) FILTER (WHERE alone) OVER w AS singles,
                        count(*) FILTER (WHERE NOT alone) OVER w AS others
                 FROM due
                 WINDOW w AS (ORDER BY run_at, id)
             ), taken AS (
                 SELECT place_of_row, alone, place FROM counted WHERE singles + (others + $3 - 1) / $3 <= $2
             ), claimed AS (
                 UPDATE apalis.jobs j
                 SET status = 'Running', lock_by = $4, lock_at = now(), attempts = j.attempts + 1
                 FROM taken
                 -- Locked above, so it cannot move.
                 WHERE j.ctid = taken.place_of_row
                 RETURNING j.id, j.job, j.attempts, j.max_attempts, taken.alone, taken.place
             ), next AS (
                 SELECT ceil(extract(epoch FROM min(run_at) - clock_timestamp()) * 1000)::bigint AS due_in
                 FROM apalis.jobs
                 -- After a full claim nobody asks, and each row that waits would be compared with each that was taken.
                 WHERE (SELECT count(*) FROM due) < $2 * $3
                   AND job_type = $1 AND status = 'Pending' AND ctid <> ALL (ARRAY(SELECT place_of_row FROM taken))
             )
             SELECT id, job, attempts, max_attempts, alone, due_in FROM next LEFT JOIN claimed ON true ORDER BY place",
        )
        .bind(&core.config.name)
        .bind(groups)
        .bind(batch)
        .bind(&core.worker)
        .fetch_all(&core.pool),
    )
    .await?;
    let next = rows.first().and_then(|row| row.due_in);
    Ok((rows.into_iter().filter_map(Claimed::row).collect(), next))
}

/// How long to sleep when the next row is due, in milliseconds: while announcements arrive, longer than without.
fn pause(core: &Core, next: Option<i64>) -> Duration {
    let poll = if core.listening.load(Ordering::Relaxed) {
        core.config.poll.saturating_mul(POLLS_LISTENING)
    } else {
        core.config.poll
    };
    match next.map(u64::try_from) {
        None => poll,
        Some(Ok(millis)) if millis > 0 => poll.min(Duration::from_millis(millis)),
        // Due and not claimed: another worker is claiming it, or it was inserted just now.
        _ => Duration::from_millis(10),
    }
}

async fn release_strays(core: &Core) -> Result<(), QueryError> {
    let strays = answered(
        sqlx::query(
            "UPDATE apalis.jobs
             SET status = 'Pending', lock_by = NULL, lock_at = NULL, attempts = attempts - 1
             WHERE lock_by = $1 AND status = 'Running' AND id <> ALL ($2)",
        )
        .bind(&core.worker)
        .bind(core.held())
        .execute(&core.pool),
    )
    .await?
    .rows_affected();
    if strays > 0 {
        tracing::info!(queue = %core.config.name, strays, "released tasks of a claim whose answer was lost");
    }
    Ok(())
}

fn deliver<T: DeserializeOwned>(
    core: &Core,
    ready: &mpsc::UnboundedSender<Ready<T>>,
    rows: Vec<Row>,
    permits: Vec<OwnedSemaphorePermit>,
) {
    core.hold(rows.iter().map(|row| row.id.clone()));
    let mut unreadable = Vec::new();
    let mut groups = Vec::new();
    let mut together = Vec::new();
    for row in rows {
        let alone = row.alone;
        match member::<T>(row) {
            Ok(member) if alone => groups.push(vec![member]),
            Ok(member) => together.push(member),
            Err(ack) => unreadable.push(ack),
        }
    }
    let mut together = together.into_iter();
    while together.len() > 0 {
        groups.push(together.by_ref().take(core.config.batch).collect());
    }
    if !unreadable.is_empty() {
        core.acknowledge(unreadable);
    }
    for (members, permit) in groups.into_iter().zip(permits) {
        let group = Group { members };
        if let Err(mpsc::error::SendError(unsent)) = ready.send(Ready { group, permit }) {
            core.hand_back(&unsent.group);
        }
    }
}

fn member<T: DeserializeOwned>(row: Row) -> Result<Member<T>, Ack> {
    let attempt = u32::try_from(row.attempts).unwrap_or(0);
    match serde_json::from_slice(&row.job) {
        Ok(payload) => Ok(Member {
            row: row.id,
            attempt,
            max_attempts: u32::try_from(row.max_attempts).unwrap_or(1),
            payload,
        }),
        Err(error) => {
            tracing::error!(row = %row.id, %error, "killed a task whose payload cannot be read");
            Err(Ack {
                row: row.id,
                attempt,
                disposition: Disposition::Kill(format!("the payload cannot be read: {error}")),
            })
        }
    }
}
