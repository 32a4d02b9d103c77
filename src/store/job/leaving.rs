//! Tokens that leave a job without a trade.

use sqlx::PgConnection;

use crate::domain::{
    accounting::{self, Booked},
    ids::TradeId,
    job::JobId,
    units::Amount,
};
use crate::store::{
    StoreError, adoption,
    columns::to_json,
    jobs::{self, CommandError, Job},
    pocket::{self, PocketMove},
};

/// A trade of the job that is open, or whose outcome a reorg could still undo.
pub(in crate::store) async fn in_motion(
    connection: &mut PgConnection,
    job: JobId,
) -> Result<Option<TradeId>, StoreError> {
    let moving = sqlx::query_scalar!(
        r#"SELECT min(trade) AS trade FROM (
               SELECT id AS trade FROM trades WHERE job_id = $1 AND status IN ('PENDING', 'SUBMITTED')
               UNION ALL SELECT f.trade_id FROM fill_watches w JOIN fills f ON f.id = w.fill_id WHERE f.job_id = $1
               UNION ALL SELECT w.trade_id FROM failure_watches w JOIN trades t ON t.id = w.trade_id WHERE t.job_id = $1
           ) moving"#,
        job.0
    );
    Ok(moving.fetch_one(connection).await?.map(TradeId))
}

/// Why tokens leave a position without a sale.
pub(in crate::store) struct Leaving<'a> {
    /// Kind of the adjustment.
    pub(in crate::store) kind: &'a str,
    /// For the ledger's reader.
    pub(in crate::store) note: &'a str,
    /// Makes an order that is given twice happen once.
    pub(in crate::store) key: Option<&'a str>,
}

/// Takes tokens and their share of the cost out of a position, as `taken` has it. The job must be locked.
pub(in crate::store) async fn take_out(
    connection: &mut PgConnection,
    job: &Job,
    tokens: Amount,
    taken: &Booked,
    why: &Leaving<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO adjustments (job_id, cycle, kind, token_delta, cost_delta, note, request_key)
         VALUES ($1, $2, $3, -($4::text::numeric), -($5::numeric), $6, $7)",
        job.id.0,
        job.cycle,
        why.kind,
        tokens.to_string(),
        taken.cost_sold.decimal(),
        why.note,
        why.key,
    )
    .execute(&mut *connection)
    .await?;
    let last = if taken.position.token_balance.is_zero() {
        job.last.emptied()
    } else {
        job.last
    };
    sqlx::query!(
        "UPDATE jobs SET token_balance = $2::text::numeric, cost_basis = $3::numeric, last_fills = $4,
                version = version + 1
         WHERE id = $1",
        job.id.0,
        taken.position.token_balance.to_string(),
        taken.position.cost_basis.decimal(),
        to_json("jobs.last_fills", &last)?,
    )
    .execute(&mut *connection)
    .await?;
    pocket::moved(connection, job, PocketMove::Received(taken.cost_sold)).await
}

/// An order that is removed gives what its job holds back to its owner. Nothing of it may be undone any more: what a
/// reorg would give back or take away is not the job's to give. The job must be locked.
pub(in crate::store) async fn give_up(
    connection: &mut PgConnection,
    job: &Job,
    actor: &str,
) -> Result<(), CommandError> {
    if let Some(trade) = in_motion(&mut *connection, job.id).await? {
        return Err(CommandError::InMotion(trade));
    }
    let held = job.position.token_balance;
    if held.is_zero() {
        return Ok(());
    }
    let taken = accounting::withdraw(job.position, held).map_err(adoption::out_of_range)?;
    let why = Leaving {
        kind: "release",
        note: "given back to the owner; still in the wallet",
        key: None,
    };
    take_out(&mut *connection, job, held, &taken, &why).await?;
    let before = serde_json::json!({ "status": job.status, "token_balance": held });
    let after = serde_json::json!({ "tokens_released": held, "cost_basis_taken": taken.cost_sold });
    jobs::event(connection, job.id, actor, "release", Some(before), Some(after)).await?;
    Ok(())
}
