//! What a cycle earned, for the event of its end.

use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::domain::{
    figures::{net, return_pct},
    units::Usd,
};
use crate::store::{
    StoreError,
    jobs::{self, Job},
};

/// What a cycle that holds no tokens any more has earned, as its row has it now.
pub(in crate::store) async fn of_cycle(
    connection: &mut PgConnection,
    job: &Job,
) -> Result<Value, StoreError> {
    let ended = jobs::lock(connection, job.id).await?;
    let money_in = ended.pocket.money_in();
    let net = net(ended.position.realized_pnl, Usd::ZERO, ended.gas_usd).ok();
    Ok(json!({
        "cycle": job.cycle, "realized_usd": ended.position.realized_pnl, "gas_usd": ended.gas_usd, "net_usd": net,
        "money_in_usd": money_in, "return_pct": net.and_then(|net| return_pct(net, money_in)),
    }))
}
