//! Money in of a job with a budget: what it was given, and the gas of its trades.

use lgi_mm::domain::{config::JobConfig, job::JobMode, units::Usd};
use rust_decimal::Decimal;

use crate::engine::world::{World, accumulate};

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_of_a_liquidity_job_is_its_money_in_before_it_trades() {
    let mut config = accumulate();
    config.rules = JobConfig::for_mode(JobMode::Liquidity).rules;
    let world = World::new(config).await;
    let job = world.job().await;
    // The world gives each of them 500 USDC.
    let given = Usd::new(Decimal::from(500)).expect("USD");
    assert_eq!((job.pocket.money_in(), job.pocket.out()), (given, given));
    let noted: Decimal =
        sqlx::query_scalar("SELECT cost_delta::numeric FROM adjustments WHERE kind = 'deposit'")
            .fetch_one(&world.pool)
            .await
            .expect("the deposit");
    assert_eq!(noted, given.decimal());
}
