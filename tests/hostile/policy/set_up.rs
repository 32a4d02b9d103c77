//! What these tests begin with.

use std::time::Duration;

use alloy_primitives::{Address, U256};
use lgi_mm::{
    domain::{config::JobConfig, job::JobMode, onchain::Asset, units::Usd},
    ports::Chain,
};
use serde_json::json;
use testkit::live::{WALLET, World};

/// A DCA buy of so much every second.
pub fn every_second(usd: u32) -> serde_json::Value {
    json!({ "accumulate": {
        "dca_amount_usd": usd, "dca_interval": "1s", "dip_buy_threshold_pct": 0, "max_accumulation_usd": 1_000_000,
    } })
}

pub fn usd(dollars: i64) -> Usd {
    Usd::new(dollars.into()).expect("dollars")
}

/// What the attacker wants to be bought.
pub struct Wanted {
    pub wallet: Address,
    pub token: Address,
    pub quote: Address,
    pub amount: U256,
}

/// As the attacker does it: a job, its slots and a plan, straight into the tables, past every check.
pub async fn plant(world: &World, wanted: &Wanted) -> i64 {
    let mut config = serde_json::to_value(JobConfig::for_mode(JobMode::Accumulate)).expect("JSON");
    config["price"]["sources"] = json!(["onchain"]);
    // The job's own limits are the attacker's to choose.
    for (limit, bps) in [
        ("max_slip_from_quote_bps", 5_000),
        ("max_price_impact_bps", 1_000),
    ] {
        config["limits"][limit] = json!(bps);
    }
    let lower = |address: Address| format!("{address:#x}");
    let job: i64 = sqlx::query_scalar(
        "INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
             quote_decimals, mode, status, cycle, config, started_at)
         VALUES ('live', 'local', $1, $2, 'X', 18, $3, 'Q', $4, 'ACCUMULATE', 'RUNNING', 1, $5, now()) RETURNING id",
    )
    .bind(lower(wanted.wallet))
    .bind(lower(wanted.token))
    .bind(lower(wanted.quote))
    .bind(if wanted.quote == world.devnet.deployment().usdc { 6_i16 } else { 18 })
    .bind(config)
    .fetch_one(&world.db.pool)
    .await
    .expect("a job");
    sqlx::query("INSERT INTO job_slots (job_id, last_slot) VALUES ($1, now())")
        .bind(job)
        .execute(&world.db.pool)
        .await
        .expect("its slots");
    sqlx::query_scalar(
        "INSERT INTO trades (job_id, slot, cycle, side, reason, amount_in, amount_out_expected, amount_out_min, value_usd,
             config_version, expires_at, base_amount, quote_amount, price_usd, plan_price_usd, next_check_at)
         VALUES ($1, now(), 1, 'BUY', 'DCA', $2::numeric, 1, 1, 1, 1, now() + interval '20 seconds', 1, $2::numeric, 0.000000000001, 0.000000000001, now())
         RETURNING id",
    )
    .bind(job)
    .bind(wanted.amount.to_string())
    .fetch_one(&world.db.pool)
    .await
    .expect("a plan")
}

/// How many transactions the wallet has made.
pub async fn made(world: &World) -> u64 {
    world.live.chain.nonces(WALLET).await.expect("nonces").latest
}

pub async fn balance(world: &World, of: Address, asset: Asset) -> U256 {
    let told = world.live.chain.balances(of, &[asset]).await.expect("a balance");
    told[0].units()
}

pub async fn count(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql)
        .fetch_one(&world.db.pool)
        .await
        .expect(sql)
}

/// Why the plan was not signed, as its row says.
pub async fn note(world: &World, trade: i64) -> String {
    let told: Option<String> = sqlx::query_scalar("SELECT note FROM trades WHERE id = $1")
        .bind(trade)
        .fetch_one(&world.db.pool)
        .await
        .expect("a trade");
    told.unwrap_or_default()
}

/// Waits until each plan's note names the part of the policy that refuses it.
pub async fn refused_for(world: &World, plans: &[(i64, &str)]) {
    let begun = std::time::Instant::now();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < plans.len() {
        for (trade, part) in plans {
            if note(world, *trade).await.contains(part) {
                seen.insert(*trade);
            }
        }
        let late = begun.elapsed() > Duration::from_secs(60);
        assert!(
            !late,
            "only {seen:?} were refused as they should be\n{}",
            world.story().await
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
