//! Deletes expired rows, so that tables stay within the bounds that `docs/retention.md` states.
//!
//! Trades, fills, nonces, attempts and the audit trail are never deleted. Everything else is deleted in small batches
//! with pauses between them, each a short transaction over rows found by an index, so that ticks never wait. One
//! process at a time prunes: the scheduler or daemon that holds an advisory lock.

use std::{collections::HashMap, time::Duration};

use metrics::counter;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    domain::{
        Timestamp,
        backoff::Backoff,
        config::{InvalidConfig, Validator},
        span::Span,
    },
    service::{Loop, Service},
    store::{
        StoreError,
        retention::{self as rows, Series, TokenLookBack},
    },
    telemetry::metric,
};

/// Most rows of one statement: a few milliseconds.
const BATCH: i64 = 500;
/// Most runs of one job in one statement; it looks at fifty jobs.
const RUNS_OF_A_JOB: i64 = 20;
/// Pause after a statement that deleted rows.
const PAUSE: Duration = Duration::from_millis(20);
/// A statement that takes longer is rolled back.
const PATIENCE: &str = "10s";
/// Time from the start of a process to its first pass.
const FIRST: Duration = Duration::from_secs(5);
/// First pause after a failed pass; doubles up to `retention.every`.
const RETRY_FIRST: Duration = Duration::from_secs(60);

/// How long a write of the HTTP API is known by its key.
const ANSWERS_KEPT: Span = Span::from_secs(7 * 24 * 3_600);

/// How long a token that opens nothing any more stays in the list, and a command from a chat.
const FACES_KEPT: Span = Span::from_secs(90 * 24 * 3_600);

/// `[retention]`: how long rows stay; 0s = indefinitely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSettings {
    /// Time between two passes, 1m to 7d.
    pub every: Span,
    /// Runs of ticks that did not trade, after their last slot.
    pub ticks: Span,
    /// Price samples; longer where a job's rules look further back.
    pub samples: Span,
    /// Events with their deliveries; undelivered ones stay. Not shorter than `notify.give_up_after`.
    pub events: Span,
    /// Killed tasks.
    pub tasks: Span,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        let days = |days: u64| Span::from_secs(days * 24 * 3_600);
        Self {
            every: Span::from_secs(3_600),
            ticks: days(30),
            samples: days(3),
            events: days(90),
            tasks: days(30),
        }
    }
}

impl RetentionSettings {
    /// Wrong values.
    #[must_use]
    pub fn problems(&self) -> Vec<InvalidConfig> {
        let hour = Span::from_secs(3_600);
        let mut found = Validator::below("retention");
        for (key, span) in [
            ("ticks", self.ticks),
            ("samples", self.samples),
            ("events", self.events),
            ("tasks", self.tasks),
        ] {
            let holds = span.is_zero() || span >= hour;
            found.require(holds, key, span, "0s (kept indefinitely), or 1h and longer");
        }
        found.span("every", self.every, 60, 7 * 24 * 3_600);
        found.into_found()
    }
}

/// Rows that were deleted, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Pruned {
    /// Runs of ticks that did not trade.
    pub ticks: u64,
    /// Price samples.
    pub samples: u64,
    /// Events.
    pub events: u64,
    /// Killed tasks.
    pub tasks: u64,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// All expired rows are deleted.
    Done(Pruned),
    /// Another process holds the pruning lock.
    Busy,
}

/// Deletes expired rows now. `dry`: only counts them.
///
/// # Errors
/// [`StoreError`]; rows deleted before it stay deleted.
pub async fn prune(pool: &PgPool, settings: &RetentionSettings, dry: bool) -> Result<Pass, StoreError> {
    // Not of the pool: the lock belongs to the connection, and trading never waits for it.
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
    let patience = format!("SET statement_timeout = '{PATIENCE}'; SET lock_timeout = '1s'");
    if !dry {
        sqlx::raw_sql(sqlx::AssertSqlSafe(patience))
            .execute(&mut connection)
            .await?;
        if !rows::lock(&mut connection).await? {
            return Ok(Pass::Busy);
        }
    }
    let mut pass = Pruning {
        now: rows::now(&mut connection).await?,
        connection,
        dry,
    };
    let pruned = Pruned {
        ticks: pass.ticks(settings.ticks).await?,
        samples: pass.samples(settings.samples).await?,
        events: pass.events(settings.events).await?,
        tasks: pass.tasks(settings.tasks).await?,
    };
    pass.answers().await?;
    if !dry {
        rows::unlock(&mut pass.connection).await?;
    }
    // Closing it releases the lock as well, a moment later; so does an error above.
    let _ = pass.connection.close().await;
    Ok(Pass::Done(pruned))
}

/// A table that rows are deleted from, as the metric labels it.
#[derive(Debug, Clone, Copy, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Table {
    Ticks,
    PriceSamples,
    Outbox,
    #[strum(serialize = "apalis.jobs")]
    QueueTasks,
}

struct Pruning {
    connection: PgConnection,
    now: Timestamp,
    dry: bool,
}

impl Pruning {
    /// Counts deleted rows, then pauses for others.
    async fn deleted(&self, table: Table, rows: u64) {
        if rows > 0 && !self.dry {
            let table: &'static str = table.into();
            counter!(metric::PRUNED_ROWS, "table" => table).increment(rows);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn ticks(&mut self, kept: Span) -> Result<u64, StoreError> {
        let (mut total, mut job) = (0, 0);
        if kept.is_zero() {
            return Ok(total);
        }
        let before = kept.before(self.now);
        loop {
            let batch = rows::ticks(&mut self.connection, before, job, RUNS_OF_A_JOB, self.dry).await?;
            total += batch.rows;
            self.deleted(Table::Ticks, batch.rows).await;
            let Some(last) = batch.last_job else {
                return Ok(total);
            };
            // The same jobs again until none of their rows is expired.
            if batch.rows == 0 || self.dry {
                job = last;
            }
        }
    }

    async fn samples(&mut self, kept: Span) -> Result<u64, StoreError> {
        let (mut total, mut at) = (0, Series::default());
        if kept.is_zero() {
            return Ok(total);
        }
        let needed = needed(rows::look_backs(&mut self.connection).await?);
        while let Some(series) = rows::next_series(&mut self.connection, &at).await? {
            let token = (series.chain.clone(), series.token.clone());
            let longest = needed.get(&token).copied().unwrap_or_default().max(kept);
            let before = longest.before(self.now);
            loop {
                let count = rows::samples(&mut self.connection, &series, before, BATCH, self.dry).await?;
                total += count;
                self.deleted(Table::PriceSamples, count).await;
                if count == 0 || self.dry {
                    break;
                }
            }
            at = series;
        }
        Ok(total)
    }

    async fn events(&mut self, kept: Span) -> Result<u64, StoreError> {
        let mut total = 0;
        while !kept.is_zero() {
            let count = rows::events(&mut self.connection, kept.before(self.now), BATCH, self.dry).await?;
            total += count;
            self.deleted(Table::Outbox, count).await;
            if count == 0 || self.dry {
                break;
            }
        }
        Ok(total)
    }

    async fn tasks(&mut self, kept: Span) -> Result<u64, StoreError> {
        let mut total = 0;
        while !kept.is_zero() {
            let count = rows::tasks(&mut self.connection, kept.before(self.now), BATCH, self.dry).await?;
            total += count;
            self.deleted(Table::QueueTasks, count).await;
            if count == 0 || self.dry {
                break;
            }
        }
        Ok(total)
    }
}

impl Pruning {
    /// What faces keep: answers to writes of the HTTP API, which a client repeats within minutes, and to signals;
    /// tokens that open nothing any more; commands from a chat.
    async fn answers(&mut self) -> Result<(), StoreError> {
        let before = ANSWERS_KEPT.before(self.now);
        while !self.dry && rows::answers(&mut self.connection, before, BATCH).await? > 0 {}
        while !self.dry && rows::signals(&mut self.connection, before, BATCH).await? > 0 {}
        let before = FACES_KEPT.before(self.now);
        while !self.dry && rows::tokens(&mut self.connection, before, BATCH).await? > 0 {}
        while !self.dry && rows::chat(&mut self.connection, before, BATCH).await? > 0 {}
        Ok(())
    }
}

/// How far back the rules of some job look, by chain and token, and a fifth and an hour more: a sample stands for up to
/// a fifth of a window, and a slot may be late.
fn needed(windows: Vec<TokenLookBack>) -> HashMap<(String, String), Span> {
    windows
        .into_iter()
        .map(|window| {
            let secs = u64::try_from(window.look_back_secs).unwrap_or_default();
            let kept = secs.saturating_add(secs / 5).saturating_add(3_600);
            ((window.chain, window.token), Span::from_secs(kept))
        })
        .collect()
}

/// Prunes at every interval, unless another process does, until `stop`.
pub async fn run(pool: PgPool, settings: RetentionSettings, stop: CancellationToken) {
    let every = settings.every.std();
    let mut retention = Retention { pool, settings };
    Loop::new("retention")
        .starting_after(FIRST.min(every))
        .retry(Backoff::new(RETRY_FIRST, every))
        // An uncommitted statement is rolled back; the next pass repeats it.
        .abort_after(Duration::ZERO)
        .run(&mut retention, &stop)
        .await;
}

struct Retention {
    pool: PgPool,
    settings: RetentionSettings,
}

impl Service for Retention {
    type Error = StoreError;

    async fn pass(&mut self) -> Result<Duration, StoreError> {
        if let Pass::Done(pruned) = prune(&self.pool, &self.settings, false).await?
            && pruned != Pruned::default()
        {
            let Pruned {
                ticks,
                samples,
                events,
                tasks,
            } = pruned;
            info!(ticks, samples, events, tasks, "expired rows deleted");
        }
        Ok(self.settings.every.std())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stay_for_the_longest_window_of_a_token_s_jobs_and_more() {
        let kept = |look_back_secs| {
            let window = TokenLookBack {
                chain: "base".to_owned(),
                token: "0x1".to_owned(),
                look_back_secs,
            };
            let kept = needed(vec![window]).into_values().next();
            kept.expect("a token").to_string()
        };
        assert_eq!(kept(10 * 86_400), "12d 1h");
        assert_eq!(kept(0), "1h");
    }
}
