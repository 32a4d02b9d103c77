//! Ticks: what a slice needs to decide, and what it decided.

use std::{collections::HashMap, sync::Arc};

use rust_decimal::Decimal;
use sqlx::{FromRow, PgPool, Row};

use crate::domain::{
    Timestamp,
    decision::{HoldReason, Spent},
    event::Event,
    ids::TradeId,
    job::JobId,
    trouble::{Effect, Patience, UNTIL_A_TRADE, effect, remind_after},
    units::Price,
};
use crate::store::{
    StoreError,
    columns::{clean_text, numbers, price, unsigned, usd_cut},
    jobs::{Job, JobRow},
    memory::JobMemory,
    samples::{KnownHigh, SampleHigh},
    slots,
    version::RowVersion,
};

/// One slot of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tick {
    /// The job.
    pub job: JobId,
    /// The nominal instant.
    pub slot: Timestamp,
}

/// A job as a tick finds it.
#[derive(Debug, Clone)]
pub struct TickJob {
    /// The slot.
    pub slot: Timestamp,
    /// The database's time when this was read.
    pub now: Timestamp,
    /// The job.
    pub job: Job,
    /// The slot was recorded before: there is nothing left to decide.
    pub recorded: bool,
    /// The trade of this very slot, if it was frozen before.
    pub trade_of_slot: Option<TradeId>,
    /// A trade of this job that is not final.
    pub open_trade: Option<TradeId>,
    /// The price the tick before accepted.
    pub last_price: Option<(Price, Timestamp)>,
    /// The highest sample that the tick before saw, under the same configuration.
    pub known_high: Option<KnownHigh>,
    /// The high that the trailing stop is measured from, as the tick before saw it.
    pub trailing_high: Option<Price>,
    /// The same of a trailing take-profit.
    pub profit_high: Option<Price>,
    /// What was traded recently.
    pub spent: Spent,
}

#[derive(sqlx::FromRow)]
struct TickRow {
    job_id: i64,
    row_by: String,
    row_at: Timestamp,
    slot: Timestamp,
    now: Timestamp,
    recorded: bool,
    trade_of_slot: Option<i64>,
    open_trade: Option<i64>,
    last_price: Option<Decimal>,
    last_price_at: Option<Timestamp>,
    sample_high: Option<Decimal>,
    sample_high_at: Option<Timestamp>,
    sample_high_since: Option<Timestamp>,
    sample_high_config: Option<i32>,
    trailing_high: Option<Decimal>,
    profit_high: Option<Decimal>,
    trades_last_hour: i64,
    buys_today: Decimal,
    volume_today: Decimal,
    unsettled_buys: Decimal,
}

/// Loads a slice in one statement. Ticks of unknown jobs are left out. Jobs that `memory` knows as they are in
/// the database are not read again. A job that this build cannot read is an error of its own tick: a newer build may
/// have written it while builds are replaced one by one.
///
/// # Errors
/// [`StoreError`].
pub async fn load(
    pool: &PgPool,
    memory: &JobMemory,
    ticks: &[Tick],
) -> Result<Vec<(JobId, Result<TickJob, StoreError>)>, StoreError> {
    let ids: Vec<JobId> = ticks.iter().map(|tick| tick.job).collect();
    let slots: Vec<Timestamp> = ticks.iter().map(|tick| tick.slot).collect();
    let known = memory.recall(&ids);
    let version = |index: usize| {
        known
            .get(index)
            .and_then(Option::as_ref)
            .map(|known| &known.version)
    };
    let (known_by, known_at): (Vec<Option<String>>, Vec<Option<Timestamp>>) = (0..ids.len())
        .map(|index| {
            version(index)
                .map(|version| (version.by.clone(), version.at))
                .unzip()
        })
        .unzip();
    let rows = sqlx::query(include_str!("../sql/ticks_load.sql"))
        .bind(numbers(&ids))
        .bind(slots)
        .bind(known_by)
        .bind(known_at)
        .fetch_all(pool)
        .await?;
    let mut known: HashMap<JobId, Arc<Job>> = known
        .into_iter()
        .flatten()
        .map(|known| (known.job.id, known.job))
        .collect();
    rows.iter()
        .map(|row| {
            let id = JobId(row.try_get("job_id")?);
            // What one row holds is no reason to leave the others undecided.
            let tick = TickRow::from_row(row).map_err(StoreError::from).and_then(|tick| {
                let read = row.try_get::<Option<i64>, _>("id")?.is_some();
                let read = read.then(|| JobRow::from_row(row)).transpose()?;
                tick_job(tick, read, memory, &mut known)
            });
            Ok((id, tick))
        })
        .collect()
}

/// The tick with its job: the row that was read, or what was known of it already.
fn tick_job(
    tick: TickRow,
    read: Option<JobRow>,
    memory: &JobMemory,
    known: &mut HashMap<JobId, Arc<Job>>,
) -> Result<TickJob, StoreError> {
    if let Some(row) = read {
        let job = Arc::new(Job::try_from(row)?);
        let version = RowVersion {
            by: tick.row_by.clone(),
            at: tick.row_at,
        };
        memory.keep(version, Arc::clone(&job));
        known.insert(JobId(tick.job_id), job);
    }
    let job = known
        .get(&JobId(tick.job_id))
        .ok_or_else(|| StoreError::Corrupt {
            column: "jobs.id",
            value: tick.job_id.to_string(),
        })?;
    let job = Job::clone(job);
    TickJob::of(tick, job)
}

impl TickRow {
    fn known_high(&self, config_version: i32) -> Result<Option<KnownHigh>, StoreError> {
        let (Some(value), Some(at), Some(since), Some(until)) = (
            self.sample_high,
            self.sample_high_at,
            self.sample_high_since,
            self.last_price_at,
        ) else {
            return Ok(None);
        };
        let high = SampleHigh {
            price: price("job_slots.sample_high", value)?,
            at,
            since,
        };
        // Another configuration may look at other prices.
        let same = self.sample_high_config == Some(config_version);
        Ok(same.then_some(KnownHigh { high, until }))
    }
}

impl TickJob {
    fn of(row: TickRow, job: Job) -> Result<Self, StoreError> {
        let last_price = row
            .last_price
            .map(|value| price("job_slots.last_price", value))
            .transpose()?;
        let known_high = row.known_high(job.config_version)?;
        Ok(Self {
            slot: row.slot,
            now: row.now,
            job,
            recorded: row.recorded,
            trade_of_slot: row.trade_of_slot.map(TradeId),
            open_trade: row.open_trade.map(TradeId),
            last_price: last_price.zip(row.last_price_at),
            known_high,
            trailing_high: row
                .trailing_high
                .map(|value| price("job_slots.trailing_high", value))
                .transpose()?,
            profit_high: row
                .profit_high
                .map(|value| price("job_slots.profit_high", value))
                .transpose()?,
            spent: Spent {
                trades_last_hour: unsigned("trades.count", row.trades_last_hour)?,
                buys_today: usd_cut(row.buys_today),
                volume_today: usd_cut(row.volume_today),
                unsettled_buys: usd_cut(row.unsettled_buys),
            },
        })
    }
}

/// A hold to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The slot.
    pub tick: Tick,
    /// Its name.
    pub reason: HoldReason,
    /// What was seen, for people.
    pub detail: Option<String>,
    /// The accepted price, if there was one.
    pub price: Option<(Price, Timestamp)>,
    /// The recent high the rules saw.
    pub recent_high: Option<Price>,
    /// What the next look back may start from, with the configuration it was found under; belongs to `price`.
    pub sample_high: Option<(SampleHigh, i32)>,
    /// The high that the trailing stop is measured from; belongs to `price`.
    pub trailing_high: Option<Price>,
    /// The same of a trailing take-profit.
    pub profit_high: Option<Price>,
    /// A stop is due and does not sell, for this reason.
    pub stop_is_due: bool,
}

/// What a slot that a trade takes was decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotSeen {
    /// The accepted price and its instant.
    pub price: (Price, Timestamp),
    /// The recent high the rules saw.
    pub recent_high: Option<Price>,
    /// As in a [`Hold`].
    pub sample_high: Option<(SampleHigh, i32)>,
    /// As in a [`Hold`].
    pub trailing_high: Option<Price>,
    /// As in a [`Hold`].
    pub profit_high: Option<Price>,
}

/// The result of recording holds.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The jobs whose slot was new; a slot that was recorded before, or passed by a later one, stays as it was and is
    /// open no longer.
    pub fresh: Vec<JobId>,
    /// The jobs whose slot cannot be recorded, whatever is left out of it: nothing is decided for them.
    pub refused: Vec<(JobId, StoreError)>,
}

/// What stands in for a detail that the database does not take.
const UNSTORABLE: &str = "(text that cannot be stored)";

/// Records holds, all in one statement, and leaves an event for what has blocked a job for its `patience`; a slice
/// names each job once. If the database refuses one of them, each is recorded on its own, so that none blocks the
/// others; the refused one is recorded without its detail.
///
/// # Errors
/// [`StoreError`] if the database does not answer.
pub async fn record_holds(pool: &PgPool, holds: &[Hold], patience: Patience) -> Result<Recorded, StoreError> {
    let mut recorded = Recorded::default();
    match record(pool, holds, patience).await {
        Ok(fresh) => recorded.fresh = fresh,
        Err(error) if is_about_a_row(&error) => {
            for hold in holds {
                match record_alone(pool, hold, patience).await {
                    Ok(fresh) => recorded.fresh.extend(fresh),
                    Err(error) if is_about_a_row(&error) => recorded.refused.push((hold.tick.job, error)),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(error) => return Err(error),
    }
    Ok(recorded)
}

async fn record_alone(pool: &PgPool, hold: &Hold, patience: Patience) -> Result<Vec<JobId>, StoreError> {
    match record(pool, std::slice::from_ref(hold), patience).await {
        Err(error) if is_about_a_row(&error) => {
            let detail = Some(UNSTORABLE.to_owned());
            record(
                pool,
                &[Hold {
                    detail,
                    ..hold.clone()
                }],
                patience,
            )
            .await
        }
        other => other,
    }
}

/// The database answered, and what it refuses is in the data: a value it cannot hold (class 22) or a constraint (23).
fn is_about_a_row(error: &StoreError) -> bool {
    let StoreError::Database(sqlx::Error::Database(error)) = error else {
        return false;
    };
    error
        .code()
        .is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

async fn record(pool: &PgPool, holds: &[Hold], patience: Patience) -> Result<Vec<JobId>, StoreError> {
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    let jobs: Vec<i64> = of(holds, |hold| hold.tick.job.0);
    let slots: Vec<Timestamp> = of(holds, |hold| hold.tick.slot);
    let reasons: Vec<String> = of(holds, |hold| hold.reason.to_string());
    let details: Vec<Option<String>> = of(holds, |hold| hold.detail.as_deref().map(clean_text));
    let prices = of(holds, |hold| hold.price.map(|(price, _)| price.decimal()));
    let prices_at: Vec<Option<Timestamp>> = of(holds, |hold| hold.price.map(|(_, at)| at));
    let highs = of(holds, |hold| hold.recent_high.map(Price::decimal));
    let sample_highs = of(holds, |hold| {
        hold.sample_high.map(|(high, _)| high.price.decimal())
    });
    let sample_highs_at = of(holds, |hold| hold.sample_high.map(|(high, _)| high.at));
    let sample_highs_since = of(holds, |hold| hold.sample_high.map(|(high, _)| high.since));
    let sample_configs = of(holds, |hold| hold.sample_high.map(|(_, config)| config));
    let trailing_highs = of(holds, |hold| hold.trailing_high.map(Price::decimal));
    let profit_highs = of(holds, |hold| hold.profit_high.map(Price::decimal));
    let effects = Effects::of(holds, patience);
    let fresh = sqlx::query_file_scalar!(
        "src/store/sql/ticks_record_holds.sql",
        &jobs,
        &slots,
        &reasons,
        &details as &[Option<String>],
        &prices as &[Option<Decimal>],
        &prices_at as &[Option<Timestamp>],
        &highs as &[Option<Decimal>],
        &sample_highs as &[Option<Decimal>],
        &sample_highs_at as &[Option<Timestamp>],
        &sample_highs_since as &[Option<Timestamp>],
        &sample_configs as &[Option<i32>],
        &effects.blocks as &[Option<String>],
        &effects.clears,
        &effects.patience as &[Option<f64>],
        &effects.remind as &[Option<f64>],
        &UNTIL_A_TRADE.map(|event| event.to_string()),
        Event::JobRecovered.to_string(),
        &trailing_highs as &[Option<Decimal>],
        &profit_highs as &[Option<Decimal>],
    )
    .fetch_all(pool)
    .await?;
    let fresh: Vec<JobId> = fresh.into_iter().map(JobId).collect();
    if fresh.len() < holds.len() {
        let passed = holds.iter().map(|hold| hold.tick.job);
        let passed: Vec<JobId> = passed.filter(|job| !fresh.contains(job)).collect();
        slots::close_decided(pool, &passed).await?;
    }
    Ok(fresh)
}

/// One column of holds.
fn of<T>(holds: &[Hold], value: impl Fn(&Hold) -> T) -> Vec<T> {
    holds.iter().map(value).collect()
}

/// What each hold says about what keeps its job from trading, column by column.
#[derive(Debug, Default)]
struct Effects {
    blocks: Vec<Option<String>>,
    clears: Vec<bool>,
    patience: Vec<Option<f64>>,
    remind: Vec<Option<f64>>,
}

impl Effects {
    fn of(holds: &[Hold], patience: Patience) -> Self {
        let mut all = Self::default();
        for hold in holds {
            let effect = effect(hold.reason, hold.stop_is_due);
            let blocked = match effect {
                Effect::Blocked(event) => Some(event),
                Effect::Clear | Effect::Unknown => None,
            };
            all.blocks.push(blocked.map(|event| event.to_string()));
            all.clears.push(effect == Effect::Clear);
            all.patience
                .push(blocked.map(|event| patience.before(event).std().as_secs_f64()));
            let remind = blocked.and_then(remind_after);
            all.remind.push(remind.map(|span| span.std().as_secs_f64()));
        }
        all
    }
}
