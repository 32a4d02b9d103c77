//! A job that cannot trade tells its owner, once, in the transaction that records the hold; and when it is over.

use chrono::TimeDelta;
use lgi_mm::{
    domain::{Timestamp, decision::HoldReason, span::Span, trouble::Patience, units::Amount},
    store::{
        orders::Order,
        ticks::{self, Hold, Recorded, Tick},
    },
};
use serde_json::Value;

use crate::engine::world::{World, accumulate};

const PATIENCE: Patience = Patience {
    price: Span::from_secs(20 * 60),
    held: Span::from_secs(6 * 3_600),
};

/// `minutes` after an instant well in the past, so that real slots come later.
fn at(minutes: i64) -> Timestamp {
    let begin: Timestamp = "2020-02-28T23:10:00Z".parse().expect("a time");
    begin + TimeDelta::minutes(minutes)
}

async fn hold(world: &World, minutes: i64, reason: HoldReason) -> Recorded {
    let hold = Hold {
        tick: Tick {
            job: world.job,
            slot: at(minutes),
        },
        reason,
        detail: Some(format!("seen at {minutes}")),
        price: None,
        recent_high: None,
        sample_high: None,
        trailing_high: None,
        profit_high: None,
        stop_is_due: false,
    };
    ticks::record_holds(&world.pool, &[hold], PATIENCE)
        .await
        .expect("recorded")
}

async fn told(world: &World) -> Vec<(String, Value)> {
    sqlx::query_as("SELECT event, payload FROM outbox WHERE event <> 'trade.filled' ORDER BY id")
        .fetch_all(&world.pool)
        .await
        .expect("outbox")
}

async fn names(world: &World) -> Vec<String> {
    let told = told(world).await.into_iter();
    told.map(|(event, payload)| {
        let mark = if payload["reminder"] == Value::Bool(true) {
            " again"
        } else {
            ""
        };
        format!("{event}{mark}")
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_wallet_is_told_at_once_again_each_day_and_until_a_trade() {
    use HoldReason::{InsufficientBalance as Empty, NotDue};
    let world = World::new(accumulate()).await;
    hold(&world, 0, Empty).await;
    assert_eq!(names(&world).await, ["job.no_funds"]);
    for (minutes, reason) in [(1, Empty), (2, NotDue), (1_439, Empty)] {
        hold(&world, minutes, reason).await;
    }
    assert_eq!(names(&world).await, ["job.no_funds"], "not within a day");
    hold(&world, 1_440, Empty).await;
    hold(&world, 2_000, Empty).await;
    assert_eq!(names(&world).await, ["job.no_funds", "job.no_funds again"]);
    let first = &told(&world).await[0].1;
    assert_eq!(
        (&first["reason"], &first["error"]),
        (&"insufficient_balance".into(), &"seen at 0".into())
    );
    let since: Timestamp = first["since"].as_str().expect("a time").parse().expect("a time");
    assert_eq!(since, at(0));

    world.trade().await;
    assert_eq!(
        names(&world).await,
        ["job.no_funds", "job.no_funds again", "job.recovered"]
    );
    assert_eq!(told(&world).await[2].1["event"], "job.no_funds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_away_is_told_after_its_patience_whatever_it_lacks_and_ends_with_a_price() {
    use HoldReason::{NotDue, PriceMissing, PriceStale};
    let world = World::new(accumulate()).await;
    for (minutes, reason) in [
        (0, PriceMissing),
        (19, PriceStale),
        (25, NotDue),
        (30, PriceStale),
    ] {
        hold(&world, minutes, reason).await;
    }
    assert!(names(&world).await.is_empty(), "each was short");
    hold(&world, 49, PriceMissing).await;
    assert!(names(&world).await.is_empty(), "19 minutes");
    hold(&world, 50, PriceStale).await;
    hold(&world, 60, PriceMissing).await;
    assert_eq!(names(&world).await, ["job.no_price"]);
    // What says nothing of the price ends nothing.
    hold(&world, 61, HoldReason::Backoff).await;
    assert_eq!(names(&world).await, ["job.no_price"]);
    hold(&world, 62, NotDue).await;
    hold(&world, 63, NotDue).await;
    assert_eq!(names(&world).await, ["job.no_price", "job.recovered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_told_once_and_another_block_after_the_same_time_with_its_own_reason() {
    use HoldReason::{BelowMinTrade, MaxAccumulation, NoLiquidity, NodesDisagree};
    let world = World::new(accumulate()).await;
    hold(&world, 0, MaxAccumulation).await;
    hold(&world, 359, BelowMinTrade).await;
    assert!(names(&world).await.is_empty());
    for minutes in [360, 1_800, 4_000] {
        hold(&world, minutes, MaxAccumulation).await;
    }
    assert_eq!(names(&world).await, ["job.limit_reached"]);
    hold(&world, 5_000, NoLiquidity).await;
    hold(&world, 5_360, NodesDisagree).await;
    assert_eq!(names(&world).await, ["job.limit_reached", "job.held"]);
    assert_eq!(told(&world).await[1].1["reason"], "nodes_disagree");
    hold(&world, 6_800, NodesDisagree).await;
    assert_eq!(
        names(&world).await,
        ["job.limit_reached", "job.held", "job.held again"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_recorded_twice_tells_once() {
    let world = World::new(accumulate()).await;
    let runs = (0..8).map(|_| hold(&world, 7, HoldReason::InsufficientGas));
    let fresh = futures::future::join_all(runs).await;
    assert_eq!(fresh.iter().map(|run| run.fresh.len()).sum::<usize>(), 1);
    assert_eq!(names(&world).await, ["job.low_gas"]);
    hold(&world, 3, HoldReason::InsufficientGas).await;
    assert_eq!(
        names(&world).await,
        ["job.low_gas"],
        "an older slot records nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_event_cannot_be_written_is_not_recorded() {
    let world = World::new(accumulate()).await;
    sqlx::query("ALTER TABLE outbox ADD CONSTRAINT refused CHECK (false) NOT VALID")
        .execute(&world.pool)
        .await
        .expect("constraint");
    let refused = hold(&world, 0, HoldReason::InsufficientGas).await.refused;
    assert_eq!(refused.len(), 1);
    let recorded: Option<Timestamp> = sqlx::query_scalar("SELECT last_slot FROM job_slots WHERE job_id = $1")
        .bind(world.job.0)
        .fetch_one(&world.pool)
        .await
        .expect("a slot");
    assert_eq!(recorded, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cycle_begins_with_nothing_told() {
    let world = World::new(accumulate()).await;
    hold(&world, 0, HoldReason::InsufficientBalance).await;
    world
        .order(Order::Liquidate {
            over: Span::ZERO,
            slices: 1,
        })
        .await;
    assert_eq!(world.hold().await, HoldReason::Idle, "there was nothing to sell");
    world
        .order(Order::Start {
            deposit: Amount::ZERO,
        })
        .await;
    // Later than the slot that ended the liquidation.
    hold(&world, 40_000_000, HoldReason::InsufficientBalance).await;
    assert_eq!(
        names(&world).await,
        ["job.no_funds", "job.liquidated", "job.no_funds"]
    );
}
