//! Laws 2-6, 9 and 10: whatever is repeated, raced or interrupted, a slot trades at most once.

mod holds;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use alloy_primitives::Address;
use async_trait::async_trait;
use futures::future::join_all;
use lgi_mm::{
    domain::{Timestamp, decision::HoldReason, price::Answer, trade::TradeStatus, trouble::Patience},
    engine::{Engine, Progress, Tick, TickOutcome},
    paper::FaultKind,
    ports::{PriceRequest, Prices},
    store::{
        self,
        ticks::{self, Hold},
        trades, views,
    },
};

use tokio::sync::oneshot;

use crate::engine::world::{Market, TOKEN, World, accumulate, create, engine_settings};

/// A source that answers its first question only when the test lets it.
struct Slow {
    market: Market,
    gate: Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>,
}

#[async_trait]
impl Prices for Slow {
    async fn answers(&self, requests: &[PriceRequest<'_>], now: Timestamp) -> Vec<Vec<Answer>> {
        let gate = self.gate.lock().expect("gate").take();
        if let Some((come, go)) = gate {
            come.send(()).expect("the test waits");
            go.await.expect("let go");
        }
        self.market.answers(requests, now).await
    }
}

/// A worker that looks at the job, and then at nothing else until it is let go.
fn slow_engine(world: &World) -> (Engine, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (come, has_come) = oneshot::channel();
    let (let_go, go) = oneshot::channel();
    let prices = Slow {
        market: world.market.clone(),
        gate: Mutex::new(Some((come, go))),
    };
    let engine = Engine::new(
        world.pool.clone(),
        Arc::new(prices),
        world.paper.clone(),
        engine_settings(),
    );
    (engine, has_come, let_go)
}

/// Another slot of the same job trades to its end while a tick waits for its price; what the late tick decides then.
async fn decided_late(world: &World) -> TickOutcome {
    let (earlier, later) = (world.next_tick(), world.next_tick());
    let (engine, has_come, let_go) = slow_engine(world);
    let late = tokio::spawn(async move { engine.evaluate(&[later]).await.remove(0).outcome });
    has_come.await.expect("it asks for a price");
    let TickOutcome::Traded { trade } = world.evaluate(earlier).await else {
        panic!("no trade")
    };
    world.finish(trade).await;
    let_go.send(()).expect("it waits");
    late.await.expect("no panic").expect("a tick that works")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_read_the_job_before_another_slot_filled_trades_nothing() {
    let world = World::new(accumulate()).await;
    let late = decided_late(&world).await;
    assert!(
        matches!(
            late,
            TickOutcome::Held {
                reason: HoldReason::JobChanged,
                ..
            }
        ),
        "{late:?}"
    );
    assert_eq!(world.count("SELECT count(*) FROM trades").await, 1);
    world.trade().await;
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_read_the_job_before_another_slot_failed_trades_nothing() {
    let world = World::new(accumulate()).await;
    world.fault(FaultKind::Revert, 1).await;
    let late = decided_late(&world).await;
    assert!(
        matches!(
            late,
            TickOutcome::Held {
                reason: HoldReason::JobChanged,
                ..
            }
        ),
        "{late:?}"
    );
    assert_eq!(world.count("SELECT count(*) FROM trades").await, 1);
    assert_eq!(world.hold().await, HoldReason::Backoff);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_is_delivered_again_trades_once() {
    let world = World::new(accumulate()).await;
    let tick = world.next_tick();
    let TickOutcome::Traded { trade } = world.evaluate(tick).await else {
        panic!("no trade")
    };
    for _ in 0..3 {
        assert_eq!(
            world.evaluate(tick).await,
            TickOutcome::AlreadyRecorded { trade: Some(trade) }
        );
    }
    world.finish(trade).await;
    assert_eq!(
        world.evaluate(tick).await,
        TickOutcome::AlreadyRecorded { trade: Some(trade) }
    );
    assert_eq!(world.count("SELECT count(*) FROM trades").await, 1);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_race_for_one_tick_freeze_one_trade() {
    let world = World::new(accumulate()).await;
    for _ in 0..10 {
        let tick = world.next_tick();
        let engines: Vec<_> = (0..8).map(|_| world.another_engine()).collect();
        let slices = [tick];
        let results = join_all(engines.iter().map(|engine| engine.evaluate(&slices))).await;
        let mut trades = HashSet::new();
        let mut fresh = 0;
        for result in results.into_iter().flatten() {
            match result.outcome.expect("a tick that works") {
                TickOutcome::Traded { trade } => {
                    fresh += 1;
                    trades.insert(trade);
                }
                TickOutcome::AlreadyRecorded { trade: Some(trade) } => {
                    trades.insert(trade);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((fresh, trades.len()), (1, 1));
        for trade in trades {
            world.finish(trade).await;
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM trades").await, 10);
    assert_eq!(world.count("SELECT slots_recorded FROM job_slots").await, 10);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_race_for_one_trade_settle_it_once() {
    let world = World::new(accumulate()).await;
    for _ in 0..5 {
        let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
            panic!("no trade")
        };
        let engines: Vec<_> = (0..6).map(|_| world.another_engine()).collect();
        for _ in 0..200 {
            let steps = join_all(engines.iter().map(|engine| engine.drive(trade))).await;
            if steps.into_iter().any(|step| matches!(step, Ok(Progress::Final))) {
                break;
            }
        }
        world.finish(trade).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM fills").await, 5);
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 5);
    assert_eq!(world.count("SELECT next_nonce FROM signers").await, 5);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_trade_may_be_done_twice() {
    let world = World::new(accumulate()).await;
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    let mut steps = 0;
    loop {
        // The same step twice at once: the second must find it done.
        let other = world.another_engine();
        let (first, second) = tokio::join!(world.engine.settle(trade), other.settle(trade));
        steps += 1;
        let final_ = |step: &Result<Progress, _>| matches!(step, Ok(Progress::Final));
        if final_(&first) && final_(&second) {
            break;
        }
        assert!(steps < 500, "{first:?} {second:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM fills").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM attempts").await, 1);
    world.assert_ledger_equals_venue().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_share_a_wallet_take_nonces_without_gap_or_double() {
    let world = World::new(accumulate()).await;
    let mut jobs = vec![world.job];
    for n in 1..12_u8 {
        jobs.push(create(&world.pool, Address::repeat_byte(n), accumulate()).await);
    }
    let slot = store::now(&world.pool).await.expect("now");
    let slice: Vec<Tick> = jobs.iter().map(|job| Tick { job: *job, slot }).collect();
    let results = world.engine.evaluate(&slice).await;
    let mut frozen = vec![];
    for result in results {
        let Ok(TickOutcome::Traded { trade }) = result.outcome else {
            panic!("{result:?}")
        };
        frozen.push(trade);
    }
    assert_eq!(frozen.len(), jobs.len());
    join_all(frozen.iter().map(|trade| world.finish(*trade))).await;
    let nonces: Vec<i64> = sqlx::query_scalar("SELECT nonce FROM transactions ORDER BY nonce")
        .fetch_all(&world.pool)
        .await
        .expect("nonces");
    assert_eq!(nonces, (0..12).collect::<Vec<i64>>());
    world.assert_ledger_equals_venue().await;
}

/// As a newer build may write it while builds are replaced one by one.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_read_fails_its_own_tick_alone() {
    let world = World::new(accumulate()).await;
    let newer = create(&world.pool, Address::repeat_byte(9), accumulate()).await;
    sqlx::query("UPDATE jobs SET config = config || '{\"later\": 1}' WHERE id = $1")
        .bind(newer.0)
        .execute(&world.pool)
        .await
        .expect("a key of another build");
    world
        .engine
        .recover()
        .await
        .expect("a process starts all the same");
    let slot = store::now(&world.pool).await.expect("now");
    let slice = [newer, world.job].map(|job| Tick { job, slot });
    let results = world.engine.evaluate(&slice).await;
    assert_eq!(results.len(), 2);
    for result in results {
        match result.outcome {
            Ok(TickOutcome::Traded { .. }) => assert_eq!(result.tick.job, world.job),
            other => {
                assert_eq!(result.tick.job, newer);
                let error = other.expect_err("not read").to_string();
                assert!(
                    error.contains("jobs.config") && error.contains("later"),
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_jobs_trouble_harms_no_neighbour_in_the_slice() {
    let world = World::new(accumulate()).await;
    let mut config = accumulate();
    config.limits.max_gas_usd = lgi_mm::domain::units::Usd::ZERO;
    let poor = create(&world.pool, Address::repeat_byte(9), config).await;
    sqlx::query("UPDATE jobs SET config = config || '{\"price\": {\"sources\": []}}' WHERE id = $1")
        .bind(create(&world.pool, Address::repeat_byte(8), accumulate()).await.0)
        .execute(&world.pool)
        .await
        .expect("a job without a source");
    let slot = store::now(&world.pool).await.expect("now");
    let ids = [
        world.job,
        poor,
        lgi_mm::domain::job::JobId(poor.0 + 1),
        lgi_mm::domain::job::JobId(999),
    ];
    let results = world.engine.evaluate(&ids.map(|job| Tick { job, slot })).await;
    let outcome = |job| {
        &results
            .iter()
            .find(|result| result.tick.job == job)
            .expect("a result")
            .outcome
    };
    assert!(matches!(outcome(ids[0]), Ok(TickOutcome::Traded { .. })));
    assert!(matches!(
        outcome(ids[1]),
        Ok(TickOutcome::Held {
            reason: lgi_mm::domain::decision::HoldReason::GasTooExpensive,
            ..
        })
    ));
    assert!(matches!(
        outcome(ids[2]),
        Ok(TickOutcome::Held {
            reason: lgi_mm::domain::decision::HoldReason::PriceMissing,
            ..
        })
    ));
    assert!(matches!(outcome(ids[3]), Ok(TickOutcome::NoSuchJob)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_that_was_frozen_before_a_crash_is_carried_on_after_it() {
    let world = World::new(accumulate()).await;
    // Stop after each number of steps, as a killed worker would, and let another engine continue.
    for steps in 0..6 {
        let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
            panic!("no trade")
        };
        for _ in 0..steps {
            world.another_engine().settle(trade).await.expect("a step");
        }
        world.finish(trade).await;
        let state = trades::load(&world.pool, trade).await.expect("trade").state;
        assert_eq!(state.status, TradeStatus::Executed, "stopped after {steps} steps");
    }
    assert_eq!(world.job().await.token.address, TOKEN);
    world.assert_ledger_equals_venue().await;
}
