//! An order whose owner has liquidated it is a liquidated job: tokens that a reorg gives back are sold again.

use lgi_mm::{
    domain::{config::OrderConfig, decision::Reason, job::JobStatus, span::Span},
    store::orders::Order,
};

use crate::engine::{
    orders::{bought_before, replaced, selling, status},
    remembered::{take_back, trades_at},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_liquidated_order_whose_earlier_part_is_reorged_out_sells_that_again() {
    let mut world = bought_before().await;
    let rules = OrderConfig {
        slices: 2,
        over: "1h".parse().expect("a span"),
        ..selling()
    };
    replaced(&mut world, rules).await;
    let part = trades_at(&world, "2", Reason::MarketOrder).await;
    let (over, slices) = (Span::ZERO, 1);
    world.order(Order::Liquidate { over, slices }).await;
    trades_at(&world, "2", Reason::Liquidate).await;
    assert_eq!(status(&world).await, (JobStatus::Idle, None));
    take_back(&world, part).await;
    assert_eq!(status(&world).await.0, JobStatus::Liquidating);
    world.finish(part).await;
    assert!(world.job().await.position.token_balance.is_zero());
}
