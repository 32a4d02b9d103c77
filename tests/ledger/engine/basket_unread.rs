//! A member of a basket that this build cannot read.

use chrono::{TimeDelta, Utc};
use lgi_mm::{
    domain::{
        decision::{HoldReason, Side},
        job::{JobId, JobMode},
        units::Amount,
    },
    engine::{Tick, TickOutcome},
    store::{
        jobs,
        orders::{self, Order},
    },
};
use testkit::paper_job;

use crate::engine::{
    basket::{Basket, token},
    world::accumulate,
};

/// Such as one that a newer build wrote, while this one still runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_cannot_be_read_stops_its_basket_and_no_other_job() {
    let mut basket = Basket::new(&[50, 50]).await;
    basket.start(1).await;
    assert_eq!(
        basket.hold(1).await,
        HoldReason::BasketPrice,
        "the other was never priced"
    );
    assert_eq!(basket.trade(0).await, Side::Buy);
    basket.all_final().await;
    let newer = r#"UPDATE jobs SET config = jsonb_set(config, '{basket,novelty}', '1') WHERE id = $1"#;
    let newer = sqlx::query(newer).bind(basket.jobs[1].0);
    newer.execute(&basket.pool).await.expect("a newer configuration");
    let other = paper_job(token(9), "OTHER".to_owned(), JobMode::Accumulate, accumulate());
    let other = jobs::create(&basket.pool, &other, "test").await.expect("a job");
    let start = Order::Start {
        deposit: Amount::ZERO,
    };
    orders::order(&basket.pool, other, start, "test")
        .await
        .expect("started");
    basket.price(9, "2");
    let slot = Utc::now().max(basket.last + TimeDelta::milliseconds(1));
    let ticks = [basket.jobs[0], other].map(|job| Tick { job, slot });
    let results = basket.engine.evaluate(&ticks).await;
    let outcome = |job: JobId| {
        let of = results.iter().find(|result| result.tick.job == job);
        of.expect("a result").outcome.as_ref().expect("an outcome")
    };
    assert!(
        matches!(
            outcome(basket.jobs[0]),
            TickOutcome::Held {
                reason: HoldReason::BasketPrice,
                ..
            }
        ),
        "{results:?}"
    );
    assert!(
        matches!(outcome(other), TickOutcome::Traded { .. }),
        "{results:?}"
    );
}
