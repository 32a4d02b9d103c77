//! How an order ends: in the transaction of the fill that leaves nothing of it, or when its time is over. And what a
//! reorg of a fill undoes.

use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::domain::{
    Timestamp,
    accounting::{Booked, Fill},
    event::Event,
    ids::TradeId,
    job::{JobMode, JobStatus},
    order::{self, Done, OrderEnd, left_usd},
    units::Usd,
};
use crate::store::{
    StoreError,
    jobs::{self, Job},
    orders, outbox,
    session::begin,
    trades::Trade,
};

/// An order that its fill leaves nothing of is done; one that its owner has paused stays so, and is done once it is
/// resumed. What a part of a buy was planned to spend counts, if the quote token is worth less since: an order for 100
/// USD is one trade.
pub(in crate::store) async fn after_fill(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
    (fill, booked): (&Fill, &Booked),
) -> Result<(), StoreError> {
    let runs = job.status == JobStatus::Running;
    let Some(rules) = job
        .config
        .rules
        .order()
        .filter(|_| runs && trade.reason.is_order())
    else {
        return Ok(());
    };
    let spent = job.total_accumulated.checked_add(fill.quote_usd.max(trade.value));
    let done = Done {
        bought: spent.unwrap_or(rules.amount_usd),
        held: booked.position.token_balance,
        any: true,
    };
    if let Some(how) = order::end_of(&job.config, done, None) {
        end(connection, job, how, Some(trade.id)).await?;
    }
    Ok(())
}

/// A fill of an order was reorged out. An order that was done waits again: what is left of it is more than nothing.
/// Nothing else becomes of it; the trade is open and may fill again. `false`: the trade was not of an order.
pub(in crate::store) async fn after_reversal(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
) -> Result<bool, StoreError> {
    if !trade.reason.is_order() || liquidated(connection, job).await? {
        return Ok(false);
    }
    let by = sqlx::query_scalar!("SELECT stopped_by FROM jobs WHERE id = $1", job.id.0)
        .fetch_one(&mut *connection)
        .await?;
    if job.status == JobStatus::Idle && by.is_some() && job.archived_at.is_none() {
        orders::set_status(connection, job.id, JobStatus::Idle, JobStatus::Running).await?;
        let before = json!({ "status": JobStatus::Idle });
        let after = json!({ "status": JobStatus::Running, "trade": trade.id });
        let action = "order_reversed";
        jobs::event(connection, job.id, "engine", action, Some(before), Some(after)).await?;
    }
    Ok(true)
}

/// Whether tokens may come to this job after it ended, or stay with it: an order that buys keeps what it bought, unless
/// its owner has liquidated it since.
pub(in crate::store) async fn keeps_its_tokens(
    connection: &mut PgConnection,
    trade: &Trade,
    job: &Job,
) -> Result<bool, StoreError> {
    let of_order = job.mode == JobMode::Order && trade.reason.is_order();
    Ok(of_order && !liquidated(connection, job).await?)
}

async fn liquidated(connection: &mut PgConnection, job: &Job) -> Result<bool, StoreError> {
    let liquidated = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM trades WHERE job_id = $1 AND cycle = $2 AND reason = 'LIQUIDATE'
                          AND status = 'EXECUTED') AS "liquidated!""#,
        job.id.0,
        job.cycle
    );
    Ok(liquidated.fetch_one(connection).await?)
}

/// Whether, and how, an order has ended as this row has it.
#[must_use]
pub fn has_ended(job: &Job, slot: Timestamp) -> Option<OrderEnd> {
    let done = Done {
        bought: job.total_accumulated,
        held: job.position.token_balance,
        any: job.last.order.is_some() || job.total_accumulated.is_positive(),
    };
    order::end_of(&job.config, done, Some(slot))
}

/// Ends an order that has nothing left to trade, or whose time is over at `slot`; `None`: it changed meanwhile, or a
/// trade of it is open, and nothing was done.
///
/// # Errors
/// [`StoreError`].
pub async fn end_if_over(pool: &PgPool, job: &Job, slot: Timestamp) -> Result<Option<OrderEnd>, StoreError> {
    let mut tx = begin(pool).await?;
    let locked = jobs::lock(&mut tx, job.id).await?;
    let open = sqlx::query_scalar!(
        "SELECT id FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED')",
        job.id.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    if locked.version != job.version || locked.status != JobStatus::Running || open.is_some() {
        return Ok(None);
    }
    let Some(how) = has_ended(&locked, slot) else {
        return Ok(None);
    };
    // A reorg of the fill that left nothing, which came while the job was paused, opens the order again.
    let filled_by = match how {
        OrderEnd::Expired => None,
        OrderEnd::Filled => {
            sqlx::query_scalar!(
                "SELECT id FROM trades WHERE job_id = $1 AND cycle = $2 AND status = 'EXECUTED' ORDER BY id DESC LIMIT 1",
                job.id.0,
                locked.cycle
            )
            .fetch_optional(&mut *tx)
            .await?
        }
    };
    end(&mut tx, &locked, how, filled_by.map(TradeId)).await?;
    tx.commit().await?;
    Ok(Some(how))
}

/// The job becomes IDLE and keeps its tokens; `remove` gives them to its owner. `by`: the fill that left nothing.
async fn end(
    connection: &mut PgConnection,
    job: &Job,
    how: OrderEnd,
    by: Option<TradeId>,
) -> Result<(), StoreError> {
    orders::set_status(connection, job.id, job.status, JobStatus::Idle).await?;
    if let Some(trade) = by {
        sqlx::query!("UPDATE jobs SET stopped_by = $2 WHERE id = $1", job.id.0, trade.0)
            .execute(&mut *connection)
            .await?;
    }
    let before = json!({ "status": job.status });
    let after = json!({ "status": JobStatus::Idle, "trade": by });
    let action = match how {
        OrderEnd::Filled => "order_filled",
        OrderEnd::Expired => "order_expired",
    };
    jobs::event(connection, job.id, "engine", action, Some(before), Some(after)).await?;
    let now = jobs::lock(&mut *connection, job.id).await?;
    let rules = now.config.rules.order();
    let left = rules.and_then(|rules| left_usd(rules, now.total_accumulated).ok());
    let payload = json!({
        "ended": how, "side": rules.map(|rules| rules.side.side()), "cycle": now.cycle,
        "bought_usd": now.total_accumulated, "left_usd": left.map(|left| left.max(Usd::ZERO)),
        "token_balance": now.position.token_balance, "realized_usd": now.position.realized_pnl,
    });
    outbox::write(connection, job.id, by, Event::JobOrderEnded, payload).await
}
