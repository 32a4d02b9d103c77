//! Tokens that an order's lost transaction has bought: its owner counts them in, and the order buys only what is left.

use lgi_mm::{
    domain::{
        decision::Reason,
        job::JobStatus,
        units::{Amount, Usd},
    },
    store::adoption::{self, Adjusted, Adoption},
};

use crate::engine::{
    orders::{buying, ordering, status},
    remembered::trades_at,
    world::World,
};

async fn counted_in(world: &World, tokens: &str, cost: &str, is_buy: bool) {
    let adoption = Adoption {
        seen: world.job().await.position.token_balance,
        tokens: Amount::from_whole(tokens, 18).expect("tokens"),
        cost: Usd::new(cost.parse().expect("a decimal")).expect("USD"),
        is_buy,
        key: None,
    };
    let adopted = adoption::adopt(&world.pool, world.job, &adoption, "test").await;
    assert_eq!(adopted.expect("adopted"), Adjusted::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_buy_the_database_forgot_buys_only_what_is_left_once_its_tokens_are_counted_in() {
    let world = World::new(ordering(buying())).await;
    counted_in(&world, "10", "20", true).await;
    trades_at(&world, "1", Reason::LimitOrder).await;
    let spent = world.job().await.total_accumulated;
    let most = Usd::new(30.into()).expect("USD");
    assert!(spent <= most, "{spent} USD were spent of 30");
    assert_eq!(status(&world).await.0, JobStatus::Idle, "nothing is left of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_whole_buy_is_counted_in_is_done_and_tokens_that_its_owner_gives_are_no_buy() {
    let world = World::new(ordering(buying())).await;
    counted_in(&world, "20", "30", true).await;
    world.market.set("1");
    world.hold().await;
    assert_eq!(status(&world).await.0, JobStatus::Idle);
    assert_eq!(world.count("SELECT count(*) FROM trades").await, 0);
    let world = World::new(ordering(buying())).await;
    counted_in(&world, "20", "30", false).await;
    trades_at(&world, "1", Reason::LimitOrder).await;
    assert_eq!(status(&world).await.0, JobStatus::Idle, "it bought for thirty");
}
