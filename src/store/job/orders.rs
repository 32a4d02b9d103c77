//! Orders to jobs: their lifecycle and their configuration, each change in one transaction with its
//! line in the job's history.

use serde::Serialize;
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    Timestamp, chains,
    config::JobConfig,
    ids::TradeId,
    job::{Command, JobId, JobMode, JobStatus, Realm, Transition, transition},
    liquidate::{Liquidation, next_slice},
    span::Span,
    units::{Amount, Price, Rounding, Usd},
};
use crate::store::{
    StoreError, WAKE_CHANNEL, adoption,
    columns::{look_back_secs, to_json},
    jobs::{CommandError, Job, event, lock},
    leaving, members, pocket,
    session::begin,
};

/// An order to a job, with its parameters.
///
/// Its JSON is part of the audit trail: names of variants and fields are never changed.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Order {
    /// Begin a cycle, or continue it; mode liquidity begins with this much quote, base units.
    Start {
        /// Deposited when a new cycle begins.
        deposit: Amount,
    },
    /// Stop trading.
    Pause,
    /// Continue.
    Resume,
    /// Sell all, over this long, in this many slices.
    Liquidate {
        /// Time from the first slice to the last.
        over: Span,
        /// At least 1.
        slices: u32,
    },
    /// Archive.
    Remove,
}

impl Order {
    /// The command, without its parameters.
    #[must_use]
    pub const fn command(self) -> Command {
        match self {
            Self::Start { .. } => Command::Start,
            Self::Pause => Command::Pause,
            Self::Resume => Command::Resume,
            Self::Liquidate { .. } => Command::Liquidate,
            Self::Remove => Command::Remove,
        }
    }
}

/// Carries out an order in one transaction: status, slots, history. The answer is the transition made.
///
/// # Errors
/// [`CommandError`]; nothing changes then.
pub async fn order(pool: &PgPool, id: JobId, order: Order, actor: &str) -> Result<Transition, CommandError> {
    let mut tx = begin(pool).await?;
    let (_, made) = carry_out(&mut tx, id, order, actor).await?;
    tx.commit().await?;
    Ok(made)
}

/// The same, in the caller's transaction. Also answers the status that it found.
pub(in crate::store) async fn carry_out(
    tx: &mut PgConnection,
    id: JobId,
    order: Order,
    actor: &str,
) -> Result<(JobStatus, Transition), CommandError> {
    let job = lock(&mut *tx, id).await?;
    let made = match (job.status, order) {
        // Tokens that a reorganisation gave back to a job that had sold all.
        (JobStatus::Idle, Order::Liquidate { .. }) if !job.position.token_balance.is_zero() => {
            Transition::To(JobStatus::Liquidating)
        }
        // An order is cancelled.
        (status, Order::Remove) if job.mode == JobMode::Order && status != JobStatus::Liquidating => {
            leaving::give_up(&mut *tx, &job, actor).await?;
            if status != JobStatus::Idle {
                set_status(&mut *tx, id, status, JobStatus::Idle).await?;
            }
            Transition::Archived
        }
        _ => transition(job.status, job.status_before_stop, order.command())?,
    };
    match made {
        Transition::Already => {
            if matches!(order, Order::Pause) {
                keep_paused(&mut *tx, id).await?;
                if !standing_pauses(&mut *tx, id).await?.iter().any(|by| by == actor) {
                    let before = json!({ "status": job.status });
                    let after = json!({ "transition": { "to": job.status }, "order": Order::Pause });
                    event(&mut *tx, id, actor, "pause", Some(before), Some(after)).await?;
                }
            }
            return Ok((job.status, made));
        }
        Transition::Archived => {
            let now = lock(&mut *tx, id).await?;
            archive(&mut *tx, &now).await?;
        }
        Transition::To(status) => {
            if let Order::Liquidate { over, slices } = order {
                let plan = Liquidation::new(clock(&mut *tx).await?, over, slices)?;
                set_liquidation(&mut *tx, id, Some(&plan)).await?;
            }
            if let (JobStatus::Idle, Order::Start { deposit }) = (job.status, order) {
                members::require_fit(&mut *tx, &job).await?;
                begin_cycle(&mut *tx, &job, deposit).await?;
            }
            set_status(&mut *tx, id, job.status, status).await?;
            if status == JobStatus::Running && job.status != JobStatus::Idle {
                arm_stops(&mut *tx, &job).await?;
            }
        }
    }
    let before = json!({ "status": job.status });
    let after = json!({ "transition": made, "order": order });
    event(
        &mut *tx,
        id,
        actor,
        &order.command().to_string(),
        Some(before),
        Some(after),
    )
    .await?;
    Ok((job.status, made))
}

/// The actors whose pauses of a paused job stand, by name. A pause of a job that is paused already is recorded too, if
/// another actor asks for it: then the undo of the first one does not let the job trade.
///
/// # Errors
/// [`StoreError`].
pub(in crate::store) async fn standing_pauses(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<Vec<String>, StoreError> {
    let standing = sqlx::query_file_scalar!("src/store/sql/standing_pauses.sql", id.0)
        .fetch_all(connection)
        .await?;
    Ok(standing)
}

/// An actor ends its own pause of a job that others have paused too: it stays paused by them.
///
/// # Errors
/// [`StoreError`].
pub(in crate::store) async fn withdraw_pause(
    connection: &mut PgConnection,
    id: JobId,
    actor: &str,
) -> Result<(), StoreError> {
    event(connection, id, actor, "withdraw_pause", None, None).await
}

/// A job that a stop has paused is paused by its owner too: a reorg of the stop's sale lets it run no more.
async fn keep_paused(connection: &mut PgConnection, id: JobId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE jobs SET stopped_by = NULL WHERE id = $1 AND stopped_by IS NOT NULL",
        id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whatever is still to come for a job belongs to the cycle it is in.
async fn nothing_open(connection: &mut PgConnection, job: &Job) -> Result<(), CommandError> {
    let open = sqlx::query_scalar!(
        "SELECT id FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED')",
        job.id.0
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(trade) = open {
        return Err(CommandError::TradeOpen(TradeId(trade)));
    }
    if !job.position.token_balance.is_zero() {
        let whole = job.position.token_balance.to_whole(job.token.decimals);
        return Err(CommandError::StillHolds(format!("{whole} {}", job.token.symbol)));
    }
    Ok(())
}

async fn archive(connection: &mut PgConnection, job: &Job) -> Result<(), CommandError> {
    nothing_open(connection, job).await?;
    sqlx::query!(
        "UPDATE jobs SET archived_at = now(), version = version + 1 WHERE id = $1",
        job.id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A new life: counters of the cycle start from nothing, history stays.
async fn begin_cycle(connection: &mut PgConnection, job: &Job, deposit: Amount) -> Result<(), CommandError> {
    nothing_open(connection, job).await?;
    if job.account.realm == Realm::Live {
        // A backup that was taken before the first trade knows that there was none: a chain that has counted further
        // halts the signer. A wallet with a past of its own was adopted before, or halts as well.
        adoption::register(&mut *connection, &job.account, 0).await?;
    }
    sqlx::query!(
        "UPDATE jobs SET cycle = cycle + 1, started_at = now(), stopped_at = NULL, liquidation = NULL,
                last_fills = '{}',
                total_accumulated = 0, token_balance = 0, cost_basis = 0, realized_pnl = 0, gas_usd = 0,
                quote_balance = $2::text::numeric, failures_in_row = 0, backoff_until = NULL, last_error = NULL
         WHERE id = $1",
        job.id.0,
        deposit.to_string(),
    )
    .execute(&mut *connection)
    .await?;
    // What blocked the last cycle says nothing about this one, and no stop is measured from a price of it.
    sqlx::query!(
        "UPDATE job_slots SET blocked_by = NULL, blocked_since = NULL, told = NULL, told_since = NULL, told_slot = NULL,
                trailing_high = NULL, profit_high = NULL
         WHERE job_id = $1 AND num_nonnulls(blocked_by, told, trailing_high, profit_high) > 0",
        job.id.0,
    )
    .execute(&mut *connection)
    .await?;
    let budget = worth(job, deposit)?;
    if !deposit.is_zero() {
        sqlx::query!(
            "INSERT INTO adjustments (job_id, cycle, kind, quote_delta, cost_delta, note)
             VALUES ($1, $2, 'deposit', $3::text::numeric, $4::numeric, 'budget of the cycle')",
            job.id.0,
            job.cycle.saturating_add(1),
            deposit.to_string(),
            budget.decimal(),
        )
        .execute(&mut *connection)
        .await?;
    }
    pocket::begin(connection, job, budget).await?;
    Ok(())
}

/// A budget in USD: USDC is a dollar, any other quote was bought with the budget that the configuration names.
fn worth(job: &Job, deposit: Amount) -> Result<Usd, StoreError> {
    if deposit.is_zero() {
        return Ok(Usd::ZERO);
    }
    let usdc = chains::find(&job.account.chain).map(|chain| chain.usdc).ok();
    if usdc != Some(job.quote.address) {
        return Ok(job.config.rules.budget().unwrap_or(Usd::ZERO));
    }
    let worth = deposit.value(job.quote.decimals, Price::ONE, Rounding::Down);
    worth.map_err(|error| StoreError::Corrupt {
        column: "adjustments.cost_delta",
        value: error.to_string(),
    })
}

/// A job that had sold all holds tokens again, because the chain took a sell back or let a buy happen after all. It was
/// to hold none: they are sold, in one trade. An archived job is left to its owner: another may have its place.
pub(in crate::store) async fn liquidate_again(
    connection: &mut PgConnection,
    job: &Job,
) -> Result<(), StoreError> {
    let archived = sqlx::query_scalar!("SELECT archived_at FROM jobs WHERE id = $1", job.id.0)
        .fetch_one(&mut *connection)
        .await?;
    if archived.is_some() {
        return Ok(());
    }
    let plan = Liquidation::at_once(clock(connection).await?);
    set_liquidation(connection, job.id, Some(&plan)).await?;
    set_status(connection, job.id, job.status, JobStatus::Liquidating).await?;
    let before = json!({ "status": job.status });
    let after = json!({ "status": JobStatus::Liquidating });
    event(
        connection,
        job.id,
        "engine",
        "liquidate_again",
        Some(before),
        Some(after),
    )
    .await
}

/// Remembers with which size the next sale of a liquidation begins, base units; `None`: with all that is due. Only if
/// the liquidation is still the one that was read; its version stays, so that a plan made of it holds.
///
/// # Errors
/// [`StoreError`].
pub async fn remember_size(pool: &PgPool, job: &Job, size: Option<Amount>) -> Result<(), StoreError> {
    let Some(plan) = job.liquidation else {
        return Ok(());
    };
    let mut tx = begin(pool).await?;
    let locked = lock(&mut tx, job.id).await?;
    if locked.version == job.version && locked.liquidation == job.liquidation {
        set_liquidation(&mut tx, job.id, Some(&plan.sized(size))).await?;
        tx.commit().await?;
    }
    Ok(())
}

pub(in crate::store) async fn set_liquidation(
    connection: &mut PgConnection,
    id: JobId,
    plan: Option<&Liquidation>,
) -> Result<(), StoreError> {
    let plan = plan.map(|plan| to_json("jobs.liquidation", plan)).transpose()?;
    sqlx::query!("UPDATE jobs SET liquidation = $2 WHERE id = $1", id.0, plan)
        .execute(connection)
        .await?;
    Ok(())
}

/// Moves a job to `status`, remembers where it came from, and plans its next slot again.
pub(in crate::store) async fn set_status(
    connection: &mut PgConnection,
    id: JobId,
    from: JobStatus,
    status: JobStatus,
) -> Result<(), StoreError> {
    let stops = matches!(status, JobStatus::Paused | JobStatus::Error);
    let before = match from {
        JobStatus::Running | JobStatus::Liquidating => Some(from.to_string()),
        JobStatus::Idle | JobStatus::Paused | JobStatus::Error => None,
    };
    sqlx::query!(
        "UPDATE jobs SET status = $2, version = version + 1, paused_by = NULL, stopped_by = NULL,
                status_before_stop = CASE WHEN $3 THEN coalesce($4, status_before_stop, 'RUNNING') END,
                failures_in_row = CASE WHEN $3 THEN failures_in_row ELSE 0 END,
                backoff_until = CASE WHEN $3 THEN backoff_until END,
                liquidation = CASE WHEN $2 = 'IDLE' THEN NULL ELSE liquidation END,
                stopped_at = CASE WHEN $2 IN ('RUNNING', 'LIQUIDATING') THEN NULL ELSE now() END
         WHERE id = $1",
        id.0,
        status.to_string(),
        stops,
        before,
    )
    .execute(&mut *connection)
    .await?;
    plan_next_slot(connection, id).await
}

/// The job is resumed: a stop that has sold may fire again.
async fn arm_stops(connection: &mut PgConnection, job: &Job) -> Result<(), StoreError> {
    if !job.last.stop_has_sold() {
        return Ok(());
    }
    let last = job.last.armed_again(clock(connection).await?);
    sqlx::query!(
        "UPDATE jobs SET last_fills = $2, version = version + 1 WHERE id = $1",
        job.id.0,
        to_json("jobs.last_fills", &last)?
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The time now, not that of the transaction's beginning, which may have waited for its locks.
async fn clock(connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
        .fetch_one(connection)
        .await?)
}

/// Computes a job's next slot from its status, schedule and liquidation, and wakes the schedulers. The slot is later
/// than every slot that was recorded or handed out: one at or before those would never be evaluated. So the time is
/// read only when no tick can be recorded any more until this transaction ends.
pub(in crate::store) async fn plan_next_slot(
    connection: &mut PgConnection,
    id: JobId,
) -> Result<(), StoreError> {
    let job = lock(connection, id).await?;
    let fence = sqlx::query_scalar!(
        "SELECT greatest(last_slot, open_slot) FROM job_slots WHERE job_id = $1 FOR NO KEY UPDATE",
        id.0
    )
    .fetch_one(&mut *connection)
    .await?;
    let clock =
        sqlx::query!(r#"SELECT clock_timestamp() AS "now!", jitter_salt::text AS "salt!" FROM installation"#)
            .fetch_one(&mut *connection)
            .await?;
    // Due by the clock, whatever the fence is: the clock may have been set back since.
    let at = match (job.status, &job.liquidation) {
        (JobStatus::Running, _) => {
            let schedule = &job.config.schedule;
            let after = fence.map_or(clock.now, |fence| fence.max(clock.now));
            schedule.cron.next_after(schedule.timezone, after)
        }
        (JobStatus::Liquidating, Some(plan)) => Some(next_slice(plan, clock.now)),
        _ => None,
    };
    let due = at.map(|at| crate::store::slots::due_at(clock.salt.as_bytes(), &job, at));
    let slot = at.map(|at| crate::store::slots::past_fence(at, fence));
    let scheduled = slot.filter(|_| job.status == JobStatus::Running);
    let offset = scheduled.map(|slot| job.config.schedule.timezone.seconds_ahead(slot));
    sqlx::query!(
        "UPDATE job_slots SET next_slot = $2, due_at = $3, next_offset = $4 WHERE job_id = $1",
        id.0,
        slot,
        due,
        offset
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("SELECT pg_notify($1, 'job')", WAKE_CHANNEL)
        .execute(connection)
        .await?;
    Ok(())
}

/// Replaces a job's configuration, from the version that was edited.
///
/// # Errors
/// [`StoreError`]; `false`: it was edited meanwhile, and nothing changed.
pub async fn configure(
    pool: &PgPool,
    job: &Job,
    config: &JobConfig,
    actor: &str,
) -> Result<bool, StoreError> {
    let mut tx = begin(pool).await?;
    let changed = reconfigure(&mut tx, job, config, actor).await?;
    if changed {
        tx.commit().await?;
    }
    Ok(changed)
}

/// The same, in the caller's transaction.
pub(in crate::store) async fn reconfigure(
    tx: &mut PgConnection,
    job: &Job,
    config: &JobConfig,
    actor: &str,
) -> Result<bool, StoreError> {
    let after = to_json("jobs.config", config)?;
    let before = to_json("jobs.config", &job.config)?;
    let changed = sqlx::query!(
        "UPDATE jobs SET config = $3, look_back_secs = $4, config_version = config_version + 1, version = version + 1
         WHERE id = $1 AND config_version = $2",
        job.id.0,
        job.config_version,
        after,
        look_back_secs(config)?,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if changed == 0 {
        return Ok(false);
    }
    event(&mut *tx, job.id, actor, "configure", Some(before), Some(after)).await?;
    plan_next_slot(tx, job.id).await?;
    Ok(true)
}
