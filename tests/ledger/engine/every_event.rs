//! Every event that exists happens once for real and reaches a receiver: the engine, the watch and the courier on a
//! database of its own, an HTTP server at the end. An event without a row does not compile.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use axum::{Json, Router, http::StatusCode, routing::post};
use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        config::{AfterStop, JobConfig},
        decision::{HoldReason, Reason},
        event::Event,
        job::JobStatus,
        span::Span,
        summary::SummaryEvery,
        units::Usd,
    },
    engine::TickOutcome,
    notify::{self, NotifySettings},
    paper::{FaultKind, PaperSettings},
    runner::watch::{Role, look},
    store::{
        fill_watches,
        orders::{self, Order},
        trades,
    },
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use strum::VariantArray;
use testkit::unsteady::Fate;
use tokio_util::sync::CancellationToken;

use crate::engine::{
    laws::{somebody_else_uses, unsteady},
    orders::{buying, ordering},
    remembered::trades_at,
    stops::{stopping, stops_at},
    told::watch,
    world::{World, accumulate, engine_settings, paper_settings},
};

/// How an event is made to happen.
enum Provoked {
    /// By [`provoke`].
    Here,
    /// Only on a chain with contracts: by this test of this file.
    Elsewhere(&'static str, &'static str),
}

/// No event is left out: the compiler sees to it.
const fn provoked(event: Event) -> Provoked {
    match event {
        Event::JobUnsellable => Provoked::Elsewhere(
            include_str!("../../hostile/prices/sales.rs"),
            "finding_10_a_held_position_that_became_unsellable_is_found_by_the_dry_sale_of_the_day",
        ),
        Event::JobPoolChanged => Provoked::Elsewhere(
            include_str!("../../hostile/prices/hidden.rs"),
            "another_pool_in_the_place_of_one_that_died_is_an_event",
        ),
        Event::TradeFilled
        | Event::TradeFailed
        | Event::TradeDropped
        | Event::TradeReversed
        | Event::TradeStuck
        | Event::JobError
        | Event::JobLiquidated
        | Event::JobStopped
        | Event::JobStopBlocked
        | Event::JobOrderEnded
        | Event::JobNoFunds
        | Event::JobLowGas
        | Event::JobLimitReached
        | Event::JobNoPrice
        | Event::JobHeld
        | Event::JobRecovered
        | Event::SignerHalted
        | Event::NoWorker
        | Event::NoScheduler
        | Event::ServiceRecovered
        | Event::Summary => Provoked::Here,
    }
}

fn config(event: Event) -> JobConfig {
    let mut config = accumulate();
    match event {
        Event::JobStopped | Event::JobStopBlocked => return stopping(AfterStop::Pause),
        Event::JobOrderEnded => return ordering(buying()),
        // One buy reaches it.
        Event::JobLimitReached => {
            let rules = config.rules.accumulate_mut().expect("accumulate");
            rules.max_accumulation_usd = rules.dca_amount_usd;
        }
        Event::JobHeld => config.limits.max_gas_usd = Usd::new(Decimal::new(1, 9)).expect("USD"),
        _ => {}
    }
    config
}

fn settings(event: Event) -> PaperSettings {
    let settings = paper_settings();
    match event {
        Event::JobNoFunds => PaperSettings {
            wallet_usd: Decimal::ONE,
            ..settings
        },
        Event::JobLowGas => PaperSettings {
            native: Decimal::ZERO,
            ..settings
        },
        Event::TradeStuck => PaperSettings {
            resend_after: "10ms".parse().expect("span"),
            ..settings
        },
        Event::TradeReversed => PaperSettings {
            replace_after: "1m".parse().expect("span"),
            ..settings
        },
        _ => settings,
    }
}

async fn run(world: &World, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&world.pool).await.expect(sql);
}

async fn is_told(world: &World, event: Event) -> bool {
    sqlx::query_scalar("SELECT count(*) > 0 FROM outbox WHERE event = $1")
        .bind(event.to_string())
        .fetch_one(&world.pool)
        .await
        .expect("the outbox")
}

async fn planned(world: &World) -> lgi_mm::domain::ids::TradeId {
    match world.evaluate(world.next_tick()).await {
        TickOutcome::Traded { trade } => trade,
        other => panic!("no trade: {other:?}"),
    }
}

/// Holds for this reason, and still does `after` so long.
async fn holds_on(world: &World, reason: HoldReason, after: TimeDelta) {
    assert_eq!(world.hold().await, reason);
    world.pass(after);
    assert_eq!(world.hold().await, reason);
}

async fn fails(world: &World, times: u32) {
    world.fault(FaultKind::Revert, times).await;
    for _ in 0..times {
        world.trade().await;
        world.pass(TimeDelta::seconds(120));
    }
}

async fn stopped_before_it_is_signed(world: &World) {
    let trade = planned(world).await;
    world.order(Order::Pause).await;
    world.finish(trade).await;
}

async fn swallowed(world: &World) {
    world.fault(FaultKind::Drop, 1_000).await;
    let trade = planned(world).await;
    let begun = Instant::now();
    while !is_told(world, Event::TradeStuck).await {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody is told");
        world.engine.drive(trade).await.expect("a step");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The block of a fill is taken back, and the nonce is free again.
async fn taken_back(world: &World) {
    let (engine, node) = unsteady(world, engine_settings());
    let trade = world.trade().await;
    let state = trades::load(&world.pool, trade).await.expect("trade").state;
    let hash: B256 = state.transactions[0].attempts[0].hash;
    node.finalize(Some(0));
    node.set(hash, Some(Fate::Buried { nonce: 0 }));
    for _ in 0..2 {
        let fills = fill_watches::all(&world.pool).await.expect("watched");
        engine.watch(&fills).await.expect("looked at");
    }
}

async fn stop_is_blocked(world: &World) {
    trades_at(world, "2", Reason::Dca).await;
    let job = world.job().await;
    let mut config = job.config.clone();
    config.limits.max_gas_usd = Usd::new(Decimal::new(1, 9)).expect("USD");
    let edited = orders::configure(&world.pool, &job, &config, "test").await;
    assert!(edited.expect("edited"));
    world.market.set("1.5");
    assert_eq!(world.hold().await, HoldReason::StopUnconfirmed);
    assert_eq!(world.hold().await, HoldReason::GasTooExpensive);
}

async fn nobody_works(world: &World, role: Role) {
    let mut watch = watch(world, role, SummaryEvery::Off);
    watch.settings.patience = Span::ZERO;
    look(&mut watch).await.expect("a look");
}

async fn summed_up(world: &World) {
    let mut watch = watch(world, Role::Scheduler, SummaryEvery::Daily);
    look(&mut watch).await.expect("it only begins here");
    assert!(!is_told(world, Event::Summary).await);
    // As if that had been long ago.
    run(
        world,
        "UPDATE installation SET announced = jsonb_build_object('daily', '2026-01-01')",
    )
    .await;
    look(&mut watch).await.expect("a look");
}

async fn provoke(world: &World, event: Event) {
    match event {
        Event::TradeFilled => {
            world.trade().await;
        }
        Event::TradeFailed => fails(world, 1).await,
        Event::JobError => fails(world, 5).await,
        Event::TradeDropped => stopped_before_it_is_signed(world).await,
        Event::TradeReversed => taken_back(world).await,
        Event::TradeStuck => swallowed(world).await,
        Event::JobLiquidated => {
            world.trade().await;
            let (over, slices) = (Span::ZERO, 1);
            world.order(Order::Liquidate { over, slices }).await;
            world.trade().await;
            assert_eq!(world.job().await.status, JobStatus::Idle);
        }
        Event::JobStopped => {
            trades_at(world, "2", Reason::Dca).await;
            stops_at(world, "1.5").await;
        }
        Event::JobStopBlocked => stop_is_blocked(world).await,
        Event::JobOrderEnded => {
            trades_at(world, "1.5", Reason::LimitOrder).await;
        }
        Event::JobNoFunds => assert_eq!(world.hold().await, HoldReason::InsufficientBalance),
        Event::JobLowGas => assert_eq!(world.hold().await, HoldReason::InsufficientGas),
        Event::JobLimitReached => {
            world.trade().await;
            holds_on(world, HoldReason::MaxAccumulation, TimeDelta::days(3)).await;
        }
        Event::JobHeld => holds_on(world, HoldReason::GasTooExpensive, TimeDelta::days(3)).await,
        Event::JobNoPrice | Event::JobRecovered => {
            world.market.down();
            holds_on(world, HoldReason::PriceMissing, TimeDelta::days(3)).await;
            if event == Event::JobRecovered {
                world.market.set("2");
                world.trade().await;
            }
        }
        Event::SignerHalted => {
            world.trade().await;
            somebody_else_uses(world, 1).await;
            let trade = planned(world).await;
            world.engine.drive(trade).await.expect("it waits");
        }
        Event::NoWorker | Event::ServiceRecovered => {
            nobody_works(world, Role::Scheduler).await;
            if event == Event::ServiceRecovered {
                run(
                    world,
                    "INSERT INTO apalis.workers (id, worker_type, storage_name, layers, last_seen)
                     VALUES ('01AAA-ticks', 'lgi-mm:ticks', 'test', '', now())",
                )
                .await;
                nobody_works(world, Role::Scheduler).await;
            }
        }
        Event::NoScheduler => {
            run(
                world,
                "UPDATE job_slots SET due_at = now() - interval '3 minutes'",
            )
            .await;
            nobody_works(world, Role::Worker).await;
        }
        Event::Summary => summed_up(world).await,
        Event::JobUnsellable | Event::JobPoolChanged => panic!("{event}: elsewhere"),
    }
}

/// What a receiver was sent.
type Received = Arc<Mutex<Vec<Value>>>;

async fn receiver() -> (String, Received) {
    let received = Received::default();
    let kept = received.clone();
    let take = move |Json(message): Json<Value>| {
        let kept = kept.clone();
        async move {
            kept.lock().expect("messages").push(message);
            StatusCode::NO_CONTENT
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let server = axum::serve(listener, Router::new().route("/hook", post(take)));
    tokio::spawn(async move { server.await });
    (url, received)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The event, from what causes it to the receiver's door.
async fn arrives(event: Event) {
    let world = World::with(config(event), settings(event)).await;
    let (url, received) = receiver().await;
    let settings = json!({ "receivers": { "ops": {
        "kind": "webhook", "url": url, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "events": ["all"],
    } } });
    let settings: NotifySettings = serde_json::from_value(settings).expect("settings");
    assert_eq!(settings.problems(), vec![]);
    let stop = CancellationToken::new();
    let courier = tokio::spawn(notify::run(world.pool.clone(), settings, stop.clone()));
    until("the receiver is known", async || {
        world.count("SELECT count(*) FROM receivers").await == 1
    })
    .await;

    assert!(!is_told(&world, event).await, "{event} before anything happened");
    provoke(&world, event).await;
    assert!(is_told(&world, event).await, "{event} is not announced");

    let name = event.to_string();
    let arrived = || {
        let all = received.lock().expect("messages");
        all.iter()
            .find(|message| message["type"] == name.as_str())
            .cloned()
    };
    until(&name, async || arrived().is_some()).await;
    let message = arrived().expect("the message");
    assert_eq!(message["job"].is_object(), event.is_of_a_job(), "{message}");
    assert!(
        message["text"].as_str().is_some_and(|text| !text.is_empty()),
        "{message}"
    );
    stop.cancel();
    courier.await.expect("the courier");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_happens_and_reaches_a_receiver() {
    for event in Event::VARIANTS {
        match provoked(*event) {
            Provoked::Here => arrives(*event).await,
            Provoked::Elsewhere(file, test) => {
                assert!(file.contains(&format!("async fn {test}(")), "{event}: no {test}");
                assert!(file.contains(&format!("'{event}'")), "{test} asks for no {event}");
            }
        }
    }
}
