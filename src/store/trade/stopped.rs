//! What a job does once a stop has sold, in the transaction of its fill, and what a reorg of that fill undoes.

use serde_json::json;
use sqlx::PgConnection;

use crate::domain::{
    accounting::Booked,
    config::AfterStop,
    decision::Reason,
    event::Event,
    ids::TradeId,
    job::{JobId, JobStatus},
};
use crate::store::{
    StoreError,
    jobs::{self, Job},
    orders, outbox,
    trades::Trade,
};

/// A stop has sold: its job is paused, idle, or continues. One that was stopped, or is being sold, by its owner
/// meanwhile stays as it is; one that still holds tokens is never idle. A job that was paused meanwhile is paused by
/// the stop too: neither a signal that takes its own pause back nor the undo of a pause of several jobs lets it buy
/// again.
pub(in crate::store) async fn after_fill(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
    booked: &Booked,
) -> Result<(), StoreError> {
    let Some(rules) = job.config.rules.accumulate().filter(|_| trade.reason.is_stop()) else {
        return Ok(());
    };
    let sold_all = booked.position.token_balance.is_zero();
    let after = match rules.after_stop {
        _ if job.status != JobStatus::Running => job.status,
        AfterStop::Continue => JobStatus::Running,
        AfterStop::Idle if sold_all => JobStatus::Idle,
        AfterStop::Idle | AfterStop::Pause => JobStatus::Paused,
    };
    if after != job.status {
        orders::set_status(connection, job.id, job.status, after).await?;
        sqlx::query!(
            "UPDATE jobs SET stopped_by = $2 WHERE id = $1",
            job.id.0,
            trade.id.0
        )
        .execute(&mut *connection)
        .await?;
        note(connection, job.id, "stop", job.status, after, trade.id).await?;
    }
    if job.status == JobStatus::Paused && rules.after_stop != AfterStop::Continue {
        sqlx::query!(
            "UPDATE jobs SET paused_by = NULL WHERE id = $1 AND paused_by IS NOT NULL",
            job.id.0
        )
        .execute(&mut *connection)
        .await?;
        note(connection, job.id, "stop", job.status, job.status, trade.id).await?;
    }
    let payload = json!({
        "trade": trade.id, "reason": trade.reason, "plan_price_usd": trade.price, "status": after,
        "token_balance": booked.position.token_balance, "realized_usd": booked.realized,
    });
    outbox::write(connection, job.id, Some(trade.id), Event::JobStopped, payload).await
}

/// A take-profit has sold: a trailing one begins again with its next goal.
pub(in crate::store) async fn after_profit(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
) -> Result<(), StoreError> {
    let rules = job.config.rules.accumulate();
    let trails = rules.is_some_and(|rules| !rules.trailing_take_profit_pct.is_zero());
    if trails && trade.reason == Reason::TakeProfit {
        sqlx::query!(
            "UPDATE job_slots SET profit_high = NULL WHERE job_id = $1",
            job.id.0
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// The sale of a stop was reorged out. A job that it had paused runs again: the trade is open and fills again, which
/// pauses the job again; if it does not, the tokens still have a stop that watches them. A job that its owner has
/// resumed or paused since stays as it is.
pub(in crate::store) async fn after_reversal(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
) -> Result<(), StoreError> {
    if !trade.reason.is_stop() || job.status != JobStatus::Paused {
        return Ok(());
    }
    let by = sqlx::query_scalar!("SELECT stopped_by FROM jobs WHERE id = $1", job.id.0)
        .fetch_one(&mut *connection)
        .await?;
    if by != Some(trade.id.0) {
        return Ok(());
    }
    orders::set_status(connection, job.id, JobStatus::Paused, JobStatus::Running).await?;
    note(
        connection,
        job.id,
        "stop_reversed",
        JobStatus::Paused,
        JobStatus::Running,
        trade.id,
    )
    .await
}

async fn note(
    connection: &mut PgConnection,
    job: JobId,
    action: &str,
    before: JobStatus,
    after: JobStatus,
    trade: TradeId,
) -> Result<(), StoreError> {
    let before = json!({ "status": before });
    let after = json!({ "status": after, "trade": trade });
    jobs::event(connection, job, "engine", action, Some(before), Some(after)).await
}
