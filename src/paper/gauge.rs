//! What every call to a paper node asks first: the faults that are active, and the time. Calls that are made at the
//! same moment share one statement.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::PgPool;
use tokio::sync::Mutex;

use super::{
    clock::BlockClock,
    error::{PaperError, read},
    faults::{Armed, FaultKind},
};
use crate::domain::Timestamp;

/// One answer. It was asked for after the call that gets it was made.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    kinds: Vec<FaultKind>,
    /// Blocks of the chain.
    pub(super) clock: BlockClock,
    /// The venue's time.
    pub(super) now: Timestamp,
}

impl Reading {
    /// The faults that may strike a call to `chain`.
    pub(super) fn armed<'a>(&self, chain: &'a str) -> Armed<'a> {
        Armed::of(chain, self.kinds.clone())
    }
}

/// The last answer, and the number of the last call that may have it.
#[derive(Debug)]
struct Last {
    through: u64,
    reading: Reading,
}

/// Asks for one chain.
#[derive(Debug)]
pub(super) struct Gauge {
    pool: PgPool,
    chain: String,
    calls: AtomicU64,
    last: Mutex<Option<Last>>,
}

impl Gauge {
    pub(super) fn new(pool: PgPool, chain: &str) -> Self {
        Self {
            pool,
            chain: chain.to_owned(),
            calls: AtomicU64::new(0),
            last: Mutex::const_new(None),
        }
    }

    /// Faults and time, read after this call.
    pub(super) async fn read(&self) -> Result<Reading, PaperError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.through >= call) {
            return Ok(last.reading.clone());
        }
        // Every call until now waits for the lock, and shares the answer.
        let through = self.calls.load(Ordering::SeqCst);
        let reading = self.ask().await?;
        *last = Some(Last {
            through,
            reading: reading.clone(),
        });
        Ok(reading)
    }

    async fn ask(&self) -> Result<Reading, PaperError> {
        let row = sqlx::query!(
            r#"SELECT c.genesis, c.block_millis, clock_timestamp() AS "now!",
                      array(SELECT DISTINCT kind FROM paper.faults f
                            WHERE f.chain = c.name AND (remaining IS NULL OR remaining > 0)
                              AND (until IS NULL OR until > clock_timestamp())) AS "kinds!"
               FROM paper.chains c WHERE c.name = $1"#,
            self.chain
        )
        .fetch_one(&self.pool)
        .await?;
        let kinds = row.kinds.iter().map(|kind| read("faults.kind", kind));
        Ok(Reading {
            kinds: kinds.collect::<Result<_, _>>()?,
            clock: BlockClock::new(row.genesis, row.block_millis),
            now: row.now,
        })
    }
}
