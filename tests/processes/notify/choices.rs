//! Jobs and receivers choose events; all receivers are notified of a halted signer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::notify::{
    inbox::Inbox,
    world::{Courier, World, settings, webhook},
};

fn seen(inbox: &Inbox) -> BTreeSet<String> {
    let ids = inbox.received();
    ids.iter()
        .map(|received| received.id().split('-').next().expect("an id").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_and_receivers_choose_and_a_halted_signer_is_told_to_all() {
    let world = World::new().await;
    let (all, failures) = (Inbox::start().await, Inbox::start().await);
    let mut picky = webhook(&failures);
    picky["events"] = json!(["trade.failed", "job.error"]);
    let settings = settings(json!({ "every": webhook(&all), "failures": picky }));
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(2).await;
    let open = world.job(Value::Null).await;
    let quiet = world.job(json!({ "events": [], "receivers": ["all"] })).await;
    let errors = world.job(json!({ "events": ["job.error"] })).await;
    let elsewhere = world
        .job(json!({ "events": ["all"], "receivers": ["failures", "unknown"] }))
        .await;
    let (mut to_all, mut to_failures) = (BTreeSet::new(), BTreeSet::new());
    for (job, event, all, failures) in [
        (Some(open), "trade.filled", true, false),
        (Some(open), "trade.failed", true, true),
        (Some(quiet), "trade.failed", false, false),
        (Some(quiet), "job.error", false, false),
        (Some(errors), "trade.failed", false, false),
        (Some(errors), "job.error", true, true),
        (Some(elsewhere), "trade.filled", false, false),
        (Some(elsewhere), "trade.failed", false, true),
        (None, "signer.halted", true, true),
    ] {
        let id = world.event(job, event, json!({})).await.to_string();
        if all {
            to_all.insert(id.clone());
        }
        if failures {
            to_failures.insert(id);
        }
    }
    world
        .until(
            "all is handed out and taken",
            "SELECT NOT EXISTS (SELECT FROM outbox WHERE fanned_out_at IS NULL)
                AND NOT EXISTS (SELECT FROM deliveries WHERE status = 'waiting')",
        )
        .await;
    assert_eq!(seen(&all), to_all);
    assert_eq!(seen(&failures), to_failures);
    courier.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_receiver_is_told_from_then_on_and_one_that_was_away_what_it_missed() {
    let (world, inbox) = (World::new().await, Inbox::start().await);
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    let settings = settings(json!({ "hook": webhook(&inbox) }));
    Courier::register(&world, &settings, 1).await;
    // Nobody runs now.
    let missed = world.filled(job).await;
    let courier = Courier::start(world.pool(), &settings);
    let received = inbox.until(1).await;
    assert_eq!(received[0].id(), format!("{missed}-hook"));
    world
        .until(
            "nothing is left",
            "SELECT NOT EXISTS (SELECT FROM outbox WHERE fanned_out_at IS NULL)",
        )
        .await;
    courier.end().await;
    assert_eq!(inbox.received().len(), 1, "what was before it is not told");
}
