//! A transaction that notifies holds a lock of the whole server until its commit is on disk. A trade is none.

use lgi_mm::{
    engine::TickOutcome,
    store::{WAKE_CHANNEL, deliveries::EVENT_CHANNEL},
};
use sqlx::postgres::PgListener;

use crate::engine::world::{World, accumulate};

const RECEIVER: &str = "INSERT INTO receivers (name, kind, events) VALUES ('ops', 'webhook', '{all}')";

/// Buys once, and answers on which channels something was said meanwhile.
async fn said_by_a_buy(world: &World) -> Vec<String> {
    let mut listener = PgListener::connect_with(&world.pool).await.expect("a listener");
    let channels = [WAKE_CHANNEL, EVENT_CHANNEL];
    listener.listen_all(channels).await.expect("it listens");
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    world.finish(trade).await;
    // Notifications arrive in the order of their commits.
    sqlx::query("SELECT pg_notify($1, 'the end')")
        .bind(WAKE_CHANNEL)
        .execute(&world.pool)
        .await
        .expect("a last word");
    let mut said = Vec::new();
    loop {
        let heard = listener.recv().await.expect("a notification");
        if heard.payload() == "the end" {
            return said;
        }
        said.push(heard.channel().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buy_notifies_nobody_but_receivers() {
    let world = World::new(accumulate()).await;
    assert_eq!(said_by_a_buy(&world).await, [""; 0]);
    sqlx::query(RECEIVER)
        .execute(&world.pool)
        .await
        .expect("a receiver");
    assert_eq!(said_by_a_buy(&world).await, [EVENT_CHANNEL]);
    world.assert_ledger_equals_venue().await;
}
