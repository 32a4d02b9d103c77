//! What concerns the whole installation is told once, whatever crashes and however many processes see it.

use chrono::TimeDelta;
use lgi_mm::{
    domain::{calendar::Interval, span::Span, summary::SummaryEvery},
    runner::watch::{Role, Watch, WatchSettings, look},
    store::{self, announced},
};
use serde_json::Value;

use crate::engine::world::{World, accumulate};

async fn told(world: &World) -> Vec<String> {
    let sql = "SELECT event FROM outbox WHERE job_id IS NULL ORDER BY id";
    sqlx::query_scalar(sql)
        .fetch_all(&world.pool)
        .await
        .expect("the outbox")
}

async fn run(world: &World, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&world.pool).await.expect(sql);
}

pub(super) fn watch(world: &World, role: Role, summary: SummaryEvery) -> Watch {
    Watch {
        pool: world.pool.clone(),
        role,
        settings: WatchSettings {
            silence: Span::from_secs(15),
            patience: Span::from_secs(2),
            summary,
        },
        no_worker_since: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_missing_is_told_once_by_whoever_is_left_and_so_is_the_return() {
    let world = World::new(accumulate()).await;
    run(&world, "UPDATE job_slots SET due_at = now() + interval '1 hour'").await;
    let of = |role| watch(&world, role, SummaryEvery::Off);
    let mut schedulers = [of(Role::Scheduler), of(Role::Scheduler)];
    for one in &mut schedulers {
        look(one).await.expect("a look");
    }
    assert_eq!(
        told(&world).await,
        Vec::<String>::new(),
        "it may only be starting"
    );
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let [one, other] = &mut schedulers;
    for _ in 0..3 {
        let (first, second) = tokio::join!(look(one), look(other));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    }
    assert_eq!(told(&world).await, ["service.no_worker"]);
    // Another scheduler, such as this one after a crash, knows that it was told.
    look(&mut Watch {
        no_worker_since: std::time::Instant::now().checked_sub(std::time::Duration::from_secs(60)),
        ..of(Role::Scheduler)
    })
    .await
    .expect("a look");
    assert_eq!(told(&world).await.len(), 1);
    run(
        &world,
        "INSERT INTO apalis.workers (id, worker_type, storage_name, layers, last_seen)
         VALUES ('01AAA-ticks', 'lgi-mm:ticks', 'test', '', now())",
    )
    .await;
    for one in &mut schedulers {
        look(one).await.expect("a look");
    }
    assert_eq!(told(&world).await, ["service.no_worker", "service.recovered"]);

    // Slots are due, and nobody claims them: only a worker can tell.
    run(
        &world,
        "UPDATE job_slots SET due_at = now() - interval '3 minutes'",
    )
    .await;
    for role in [Role::Scheduler, Role::Daemon, Role::Worker, Role::Worker] {
        look(&mut of(role)).await.expect("a look");
    }
    let now = told(&world).await;
    assert_eq!(now[2..], ["service.no_scheduler"]);
    run(&world, "UPDATE job_slots SET due_at = now() + interval '1 hour'").await;
    for role in [Role::Worker, Role::Daemon, Role::Worker] {
        look(&mut of(role)).await.expect("a look");
    }
    assert_eq!(told(&world).await[3..], ["service.recovered"]);
    let payload: Value = sqlx::query_scalar(
        "SELECT payload FROM outbox WHERE event = 'service.recovered' ORDER BY id DESC LIMIT 1",
    )
    .fetch_one(&world.pool)
    .await
    .expect("a payload");
    assert_eq!(payload["event"], "service.no_scheduler");
    assert!(payload["since"].is_string(), "{payload}");

    // Nobody waits where no job has a next slot.
    run(
        &world,
        "DELETE FROM apalis.workers; UPDATE job_slots SET due_at = NULL, next_slot = NULL",
    )
    .await;
    let mut idle = Watch {
        no_worker_since: std::time::Instant::now().checked_sub(std::time::Duration::from_secs(60)),
        ..of(Role::Scheduler)
    };
    look(&mut idle).await.expect("a look");
    assert_eq!(told(&world).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_period_has_one_summary_whatever_fails_and_its_sums_are_those_of_the_ledger() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    let now = store::now(&world.pool).await.expect("the time");
    let period = Interval {
        first_day: now.date_naive(),
        from: now - TimeDelta::hours(1),
        until: now + TimeDelta::hours(1),
    };
    let daily = |name: &'static str| announced::summary(&world.pool, SummaryEvery::Daily, name, &period);
    assert!(!daily("2026-01-01").await.expect("noted"), "it only begins here");
    assert_eq!(told(&world).await, Vec::<String>::new());
    run(
        &world,
        "ALTER TABLE outbox ADD CONSTRAINT refused CHECK (false) NOT VALID",
    )
    .await;
    assert!(daily("2026-01-02").await.is_err(), "it cannot be written");
    run(&world, "ALTER TABLE outbox DROP CONSTRAINT refused").await;
    let written = tokio::join!(daily("2026-01-02"), daily("2026-01-02"), daily("2026-01-02"));
    let written = [written.0, written.1, written.2].map(|one| u32::from(one.expect("an answer")));
    assert_eq!(written.iter().sum::<u32>(), 1);
    assert!(
        !daily("2026-01-01").await.expect("an answer"),
        "an older one is never written after it"
    );
    assert_eq!(told(&world).await, ["summary"]);
    let payload: Value = sqlx::query_scalar("SELECT payload FROM outbox WHERE event = 'summary'")
        .fetch_one(&world.pool)
        .await
        .expect("a payload");
    assert_eq!(
        (&payload["every"], &payload["period"]),
        (&"daily".into(), &"2026-01-02".into())
    );
    let realm = &payload["realms"][0];
    assert_eq!(
        (&realm["realm"], &realm["trades"], &realm["failed"]),
        (&"paper".into(), &1.into(), &0.into())
    );
    let gas: String = sqlx::query_scalar("SELECT trim_scale(sum(gas_usd::numeric))::text FROM fills")
        .fetch_one(&world.pool)
        .await
        .expect("gas");
    assert_eq!(realm["gas_usd"], Value::from(gas.clone()));
    assert_eq!(realm["net_usd"], Value::from(format!("-{gas}")));
    // A process that has the summaries on notes where they begin, and one that has them off notes nothing.
    for every in [SummaryEvery::Off, SummaryEvery::Weekly] {
        look(&mut watch(&world, Role::Scheduler, every))
            .await
            .expect("a look");
    }
    assert_eq!(told(&world).await, ["summary"]);
    let noted: Value = sqlx::query_scalar("SELECT announced FROM installation")
        .fetch_one(&world.pool)
        .await
        .expect("what was announced");
    assert!(
        noted["weekly"].as_str().is_some_and(|week| week.contains("-W")),
        "{noted}"
    );
    assert!(noted.get("off").is_none(), "{noted}");
}
