//! Who sends to a receiver holds it by a lease, and gives back no lease but its own: not even a process that was so
//! late that another has taken over.

use std::time::Duration;

use lgi_mm::{
    domain::span::Span,
    store::deliveries::{self, ClaimedDelivery, DeliveryFailure, Recorded, Registration},
};
use serde_json::Value;

use crate::notify::world::World;

const NONE: Span = Span::from_secs(0);
const HOUR: Span = Span::from_secs(3_600);

/// A receiver and messages for it, oldest first.
async fn with_messages(messages: u64) -> (World, Vec<i64>) {
    let world = World::new().await;
    let ops = Registration {
        name: "ops".to_owned(),
        kind: "webhook".to_owned(),
        events: vec!["all".to_owned()],
    };
    deliveries::register(world.pool(), &[ops])
        .await
        .expect("registered");
    let job = world.job(Value::Null).await;
    let mut events = Vec::new();
    for _ in 0..messages {
        events.push(world.filled(job).await);
    }
    let fanned = deliveries::fan_out(world.pool(), 10).await.expect("handed out");
    assert_eq!(fanned, messages);
    (world, events)
}

async fn claim(world: &World, lease: Span) -> Option<ClaimedDelivery> {
    deliveries::claim(world.pool(), "ops", lease, HOUR)
        .await
        .expect("an answer")
}

async fn delivered(world: &World, claimed: &ClaimedDelivery) {
    deliveries::delivered(world.pool(), claimed.delivery, "ops", NONE)
        .await
        .expect("noted");
}

async fn failed(world: &World, claimed: &ClaimedDelivery, quiet_for: Duration) -> Recorded {
    let failure = DeliveryFailure {
        delivery: claimed.delivery,
        receiver: "ops",
        refused_for_good: false,
        error: "503",
        retry_after: Duration::ZERO,
        quiet_for,
    };
    deliveries::failed(world.pool(), &failure, HOUR)
        .await
        .expect("noted")
}

/// A sender whose lease has ended, and the one that has the receiver now.
async fn taken_over(world: &World) -> (ClaimedDelivery, ClaimedDelivery) {
    let slow = claim(world, NONE).await.expect("a message");
    let quick = claim(world, HOUR).await.expect("its lease has ended");
    (slow, quick)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_arrives_late_frees_nobody_else_s_receiver() {
    let (world, events) = with_messages(2).await;
    let (slow, quick) = taken_over(&world).await;
    assert_eq!((slow.delivery.outbox, slow.delivery.number), (events[0], 1));
    assert_eq!((quick.delivery.outbox, quick.delivery.number), (events[0], 2));
    delivered(&world, &slow).await;
    assert_eq!(
        world.count("delivered").await,
        1,
        "it arrived, whichever process sent it"
    );
    assert_eq!(claim(&world, HOUR).await, None, "the other one is sending");
    delivered(&world, &quick).await;
    let next = claim(&world, HOUR).await.expect("it is the receiver's turn");
    assert_eq!(next.delivery.outbox, events[1]);
}

/// The late message expired meanwhile: the next process has another, and its number of attempts says
/// nothing.
#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_that_arrives_or_fails_when_it_has_become_too_old() {
    for arrives in [true, false] {
        let (world, events) = with_messages(3).await;
        let slow = claim(&world, NONE).await.expect("a message");
        sqlx::query(
            "UPDATE deliveries SET happened_at = happened_at - interval '2 hours' WHERE outbox_id = $1",
        )
        .bind(events[0])
        .execute(world.pool())
        .await
        .expect("older");
        let quick = claim(&world, HOUR).await.expect("the next message");
        assert_eq!((quick.delivery.outbox, quick.delivery.number), (events[1], 1));
        if arrives {
            delivered(&world, &slow).await;
        } else {
            assert_eq!(failed(&world, &slow, Duration::ZERO).await, Recorded::GivenUp);
        }
        assert_eq!(claim(&world, HOUR).await, None, "the other one is sending");
        delivered(&world, &quick).await;
        let next = claim(&world, HOUR).await.expect("it is the receiver's turn");
        assert_eq!(next.delivery.outbox, events[2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_comes_late_frees_nobody_else_s_receiver() {
    let (world, events) = with_messages(2).await;
    let (slow, quick) = taken_over(&world).await;
    assert_eq!(failed(&world, &slow, Duration::ZERO).await, Recorded::Raced);
    assert_eq!(claim(&world, HOUR).await, None, "the other one is sending");
    assert_eq!(failed(&world, &quick, Duration::ZERO).await, Recorded::Retry);
    let again = claim(&world, HOUR).await.expect("it is the receiver's turn");
    assert_eq!((again.delivery.outbox, again.delivery.number), (events[0], 3));
}

/// The receiver answers the second copy with a wish to be left alone, after the first has arrived.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_s_wish_counts_though_its_message_has_arrived_by_another() {
    let (world, _) = with_messages(2).await;
    let (slow, quick) = taken_over(&world).await;
    delivered(&world, &slow).await;
    let wish = Duration::from_secs(2 * 3_600);
    assert_eq!(failed(&world, &quick, wish).await, Recorded::Raced);
    let due = deliveries::next_due(world.pool(), "ops", HOUR)
        .await
        .expect("an answer");
    assert!(due > Some(wish - Duration::from_secs(60)), "{due:?}");
    let free: bool = sqlx::query_scalar("SELECT busy_until < now() FROM receivers")
        .fetch_one(world.pool())
        .await
        .expect("a receiver");
    assert!(free, "nobody sends to it");
    // What arrives late does not shorten it either.
    delivered(&world, &slow).await;
    assert_eq!(claim(&world, HOUR).await, None);
}
