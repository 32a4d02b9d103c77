//! The laws on real contracts: what else uses the key, an older database, a chain that stands still or takes blocks
//! back, balances that are shared; and that no secret is ever written.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

mod balances;
mod basket;
mod begin;
mod fees;
mod few_units;
mod gauges;
mod halts;
#[cfg(feature = "failpoints")]
mod killed;
mod launches;
mod one_off;
mod paths;
#[cfg(feature = "failpoints")]
mod payouts;
mod reorgs;
mod requests;
mod reverts;
mod routers;
mod secrets;
mod statements;
mod stops;
mod withdrawals;

use lgi_mm::{domain::job::JobId, store::orders};
use serde_json::json;
use testkit::live::World;

/// No trade is open, and there is one.
pub const ALL_FINAL: &str =
    "SELECT count(*) > 0 AND bool_and(status NOT IN ('PENDING', 'SUBMITTED')) FROM trades";

/// Buys ten dollars' worth, once.
pub fn buy_once() -> serde_json::Value {
    json!({ "accumulate": { "dca_amount_usd": 10, "dca_interval": "1h", "dip_buy_threshold_pct": 0 } })
}

/// The design's own token.
pub async fn clanker(world: &World, rules: serde_json::Value) -> JobId {
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", rules)
        .await
}

/// No new trades.
pub async fn pause(world: &World, job: JobId) {
    orders::order(&world.db.pool, job, orders::Order::Pause, "test")
        .await
        .expect("paused");
}
