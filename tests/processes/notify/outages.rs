//! Receivers that are down, slow, busy or gone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::notify::{
    inbox::{Answer, Inbox},
    world::{Courier, World, settings, webhook},
};

#[tokio::test(flavor = "multi_thread")]
async fn all_kinds_are_told_once_and_in_order_while_all_is_well() {
    let world = World::new().await;
    let inboxes = [
        Inbox::start().await,
        Inbox::start().await,
        Inbox::start().await,
        Inbox::start().await,
    ];
    let [telegram, discord, slack, hook] = &inboxes;
    let settings = settings(json!({
        "telegram": { "kind": "telegram", "token": "12:ab", "chat_id": 77, "api_url": telegram.url(), "min_interval": "0s" },
        "discord": { "kind": "discord", "url": format!("{}/d/key", discord.url()), "min_interval": "0s" },
        "slack": { "kind": "slack", "url": format!("{}/s/key", slack.url()), "min_interval": "0s" },
        "hook": webhook(hook),
    }));
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(4).await;
    let job = world.job(Value::Null).await;
    let mut events = Vec::new();
    for _ in 0..20 {
        events.push(world.filled(job).await);
    }
    for inbox in &inboxes {
        inbox.until(20).await;
    }
    world
        .until(
            "all are noted",
            "SELECT count(*) = 80 FROM deliveries WHERE status = 'delivered'",
        )
        .await;
    for inbox in &inboxes {
        assert_eq!(inbox.received().len(), 20);
    }
    let ids: Vec<String> = hook
        .received()
        .iter()
        .map(crate::notify::inbox::Received::id)
        .collect();
    let expected: Vec<String> = events.iter().map(|event| format!("{event}-hook")).collect();
    assert_eq!(ids, expected, "oldest first");
    let first = &telegram.received()[0];
    assert_eq!(first.path, "/bot12:ab/sendMessage");
    assert_eq!(first.json()["chat_id"], "77");
    assert_eq!(discord.received()[0].path, "/d/key");
    assert!(
        slack.received()[0].json()["text"]
            .as_str()
            .expect("a text")
            .starts_with("paper base - Bought 12.5 CLAWD")
    );
    courier.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_gets_what_it_missed_when_it_is_back() {
    let world = World::new().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("an address");
    drop(port);
    let settings = settings(json!({ "hook": {
        "kind": "webhook", "url": format!("http://{address}/"), "secret": crate::notify::world::SECRET,
    }}));
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    let events = [world.filled(job).await, world.filled(job).await];
    world
        .until(
            "it is known to fail",
            "SELECT EXISTS (SELECT FROM receivers WHERE failures > 0 AND failing_since IS NOT NULL AND last_error IS NOT NULL)",
        )
        .await;
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .expect("the same port");
    // Half back: it answers, but not well.
    let inbox = Inbox::at(listener, |place, _| match place {
        0 => Answer::Status(503, None, "starting".to_owned()),
        _ => Answer::Ok,
    });
    let received = inbox.until(3).await;
    let ids: Vec<String> = received.iter().map(crate::notify::inbox::Received::id).collect();
    let [first, second] = events.map(|event| format!("{event}-hook"));
    assert_eq!(
        ids,
        [first.clone(), first, second],
        "the same id each time, oldest first"
    );
    world
        .until(
            "it is well again",
            "SELECT failures = 0 AND failing_since IS NULL FROM receivers",
        )
        .await;
    world
        .until(
            "nothing waits",
            "SELECT count(*) = 2 FROM deliveries WHERE status = 'delivered'",
        )
        .await;
    courier.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_wants_to_be_left_alone_is_left_alone_for_as_long_as_it_says() {
    let world = World::new().await;
    let busy =
        |answer: Answer| move |place: usize, _: &_| if place == 0 { answer.clone() } else { Answer::Ok };
    let header = Inbox::answering(busy(Answer::Status(429, Some("3"), String::new()))).await;
    let telegram =
        r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":3}}"#;
    let body = Inbox::answering(busy(Answer::Status(429, None, telegram.to_owned()))).await;
    let settings = settings(json!({
        "hook": webhook(&header),
        "telegram": { "kind": "telegram", "token": "12:ab", "chat_id": 7, "api_url": body.url(), "min_interval": "0s" },
    }));
    // Two processes: neither sends while the other has to wait.
    let couriers = [
        Courier::start(world.pool(), &settings),
        Courier::start(world.pool(), &settings),
    ];
    world.until_registered(2).await;
    let job = world.job(Value::Null).await;
    for _ in 0..3 {
        world.filled(job).await;
    }
    for inbox in [&header, &body] {
        let received = inbox.until(4).await;
        let waited = received[1].at - received[0].at;
        assert!(
            waited >= Duration::from_millis(2_950),
            "it came back after {waited:?}"
        );
    }
    for courier in couriers {
        courier.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_wants_to_be_asked_at_once_is_not_asked_in_a_loop() {
    let world = World::new().await;
    let inbox = Inbox::answering(|place, _| {
        if place < 2 {
            Answer::Status(503, Some("0"), String::new())
        } else {
            Answer::Ok
        }
    })
    .await;
    let courier = Courier::start(world.pool(), &settings(json!({ "hook": webhook(&inbox) })));
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    let received = inbox.until(3).await;
    for pair in received.windows(2) {
        let apart = pair[1].at - pair[0].at;
        assert!(apart >= Duration::from_millis(950), "{apart:?}");
    }
    courier.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_chat_gets_messages_faster_than_its_limit_however_many_processes_there_are() {
    let (world, inbox) = (World::new().await, Inbox::start().await);
    let settings = settings(json!({ "chat": {
        "kind": "telegram", "token": "12:ab", "chat_id": 7, "api_url": inbox.url(), "min_interval": "400ms",
    }}));
    let couriers = [(); 3].map(|()| Courier::start(world.pool(), &settings));
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    for _ in 0..5 {
        world.filled(job).await;
    }
    let received = inbox.until(5).await;
    for pair in received.windows(2) {
        let apart = pair[1].at - pair[0].at;
        assert!(apart >= Duration::from_millis(390), "{apart:?}");
    }
    for courier in couriers {
        courier.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_keeps_no_other_waiting() {
    let world = World::new().await;
    let hanging = Inbox::answering(|_, _| Answer::Hang).await;
    let quick = Inbox::start().await;
    let mut settings = settings(json!({ "hangs": webhook(&hanging), "quick": webhook(&quick) }));
    settings.timeout = "1m".parse().expect("a span");
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(2).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    hanging.until(1).await;
    let begun = Instant::now();
    for _ in 0..10 {
        world.filled(job).await;
    }
    quick.until(11).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(hanging.received().len(), 1, "one at a time");
    // Stopping does not wait for it either.
    let begun = Instant::now();
    courier.end().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_refused_lets_the_others_pass() {
    let world = World::new().await;
    let inbox = Inbox::answering(|_, received| {
        if received.json()["data"]["cycle"] == json!(13) {
            Answer::Status(400, None, "unlucky".to_owned())
        } else {
            Answer::Ok
        }
    })
    .await;
    let courier = Courier::start(world.pool(), &settings(json!({ "hook": webhook(&inbox) })));
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    for cycle in [12, 13, 14] {
        world
            .event(Some(job), "job.liquidated", json!({ "cycle": cycle }))
            .await;
    }
    world
        .until(
            "the others arrive",
            "SELECT count(*) = 2 FROM deliveries WHERE status = 'delivered'",
        )
        .await;
    let error: String = sqlx::query_scalar("SELECT last_error FROM deliveries WHERE status = 'waiting'")
        .fetch_one(world.pool())
        .await
        .expect("the refused one");
    assert!(error.contains("400") && error.contains("unlucky"), "{error}");
    courier.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_given_up_and_never_sent() {
    let (world, inbox) = (World::new().await, Inbox::start().await);
    let settings = settings(json!({ "hook": webhook(&inbox) }));
    Courier::register(&world, &settings, 1).await;
    let job = world.job(Value::Null).await;
    for sql in [
        "UPDATE receivers SET since = since - interval '3 days'",
        "INSERT INTO outbox (job_id, event, payload, created_at) SELECT id, 'job.error', '{}', now() - interval '2 days' FROM jobs",
    ] {
        sqlx::query(sql).execute(world.pool()).await.expect(sql);
    }
    let fresh = world.filled(job).await;
    let courier = Courier::start(world.pool(), &settings);
    let received = inbox.until(1).await;
    assert_eq!(received[0].id(), format!("{fresh}-hook"));
    courier.end().await;
    assert_eq!(
        (world.count("waiting").await, world.count("delivered").await),
        (1, 1)
    );
    // With the next process' first heartbeat.
    let courier = Courier::start(world.pool(), &settings);
    world
        .until(
            "it is given up",
            "SELECT count(*) = 1 FROM deliveries WHERE status = 'given_up'",
        )
        .await;
    courier.end().await;
    assert_eq!(inbox.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_nobody_has_any_more_leaves_nothing_waiting() {
    let world = World::new().await;
    let down = Inbox::answering(|_, _| Answer::Status(500, None, String::new())).await;
    let stays = Inbox::start().await;
    let both = settings(json!({ "dropped": webhook(&down), "stays": webhook(&stays) }));
    let courier = Courier::start(world.pool(), &both);
    world.until_registered(2).await;
    let job = world.job(Value::Null).await;
    world.filled(job).await;
    down.until(1).await;
    courier.end().await;
    for sql in [
        "UPDATE receivers SET seen_at = seen_at - interval '11 minutes' WHERE name = 'dropped'",
        "UPDATE deliveries SET next_attempt_at = now() WHERE status = 'waiting'",
    ] {
        sqlx::query(sql).execute(world.pool()).await.expect(sql);
    }
    let courier = Courier::start(world.pool(), &settings(json!({ "stays": webhook(&stays) })));
    world
        .until(
            "it is forgotten",
            "SELECT (SELECT array_agg(name) FROM receivers) = '{stays}'
                AND NOT EXISTS (SELECT FROM deliveries WHERE status = 'waiting')",
        )
        .await;
    assert_eq!(world.count("given_up").await, 1);
    world.filled(job).await;
    stays.until(2).await;
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE receiver = 'dropped'")
        .fetch_one(world.pool())
        .await
        .expect("deliveries");
    assert_eq!(told, 1, "it gets no more");
    courier.end().await;
}
