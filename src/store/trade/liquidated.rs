//! The end of a liquidation.

use serde_json::json;
use sqlx::PgConnection;

use crate::domain::{
    event::Event,
    job::{Command, Transition, transition},
};
use crate::store::{
    StoreError, earned,
    jobs::{self, Job},
    orders, outbox,
};

/// LIQUIDATING -> IDLE, in the transaction that saw the last token go.
pub(in crate::store) async fn finish_liquidation(
    connection: &mut PgConnection,
    job: &Job,
) -> Result<(), StoreError> {
    if let Ok(Transition::To(status)) =
        transition(job.status, job.status_before_stop, Command::FinishLiquidation)
    {
        orders::set_status(connection, job.id, job.status, status).await?;
        let before = json!({ "status": job.status });
        let after = json!({ "status": status });
        jobs::event(
            &mut *connection,
            job.id,
            "engine",
            "liquidated",
            Some(before),
            Some(after),
        )
        .await?;
        let payload = earned::of_cycle(connection, job).await?;
        outbox::write(connection, job.id, None, Event::JobLiquidated, payload).await?;
    }
    Ok(())
}
