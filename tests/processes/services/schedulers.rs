//! Slots are claimed once each, caught up with after an outage, and never pile up.

use alloy_primitives::Address;
use chrono::{DateTime, Utc};
use futures::future::join_all;
use lgi_mm::{
    domain::{
        config::JobConfig,
        job::{JobId, JobMode},
        units::Amount,
    },
    runner::scheduler::{self, SchedulerSettings},
    store::{
        jobs,
        orders::{self, Order},
    },
};
use sqlx::PgPool;
use testkit::paper_job;

pub async fn job(pool: &PgPool, number: u8, cron: &str) -> JobId {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.schedule.cron = cron.parse().expect("a cron line");
    let new = paper_job(
        Address::repeat_byte(number),
        format!("T{number}"),
        JobMode::Accumulate,
        config,
    );
    let id = jobs::create(pool, &new, "test").await.expect("create");
    orders::order(
        pool,
        id,
        Order::Start {
            deposit: Amount::ZERO,
        },
        "test",
    )
    .await
    .expect("start");
    id
}

async fn make_due(pool: &PgPool, slot: &str) {
    let slot: DateTime<Utc> = slot.parse().expect("an instant");
    sqlx::query("UPDATE job_slots SET next_slot = $1, due_at = $1, open_slot = NULL, open_since = NULL")
        .bind(slot)
        .execute(pool)
        .await
        .expect("due");
}

async fn tasks(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM apalis.jobs")
        .fetch_one(pool)
        .await
        .expect("tasks")
}

#[tokio::test(flavor = "multi_thread")]
async fn schedulers_side_by_side_claim_each_slot_once() {
    let pool = testkit::db().await.pool;
    for number in 1..=60 {
        job(&pool, number, "* * * * *").await;
    }
    for round in 0..5 {
        sqlx::query("UPDATE job_slots SET next_slot = date_trunc('minute', now()), due_at = now(), open_slot = NULL, open_since = NULL")
            .execute(&pool)
            .await
            .expect("due");
        sqlx::query("DELETE FROM apalis.jobs")
            .execute(&pool)
            .await
            .expect("no tasks");
        let settings = SchedulerSettings {
            batch: 7,
            ..SchedulerSettings::default()
        };
        let claims = join_all((0..4).map(|_| scheduler::once(&pool, &settings))).await;
        let claimed: u64 = claims
            .into_iter()
            .map(|claim| claim.expect("a claim").ticks)
            .sum();
        assert_eq!((claimed, tasks(&pool).await), (60, 60), "round {round}");
    }
}

/// As a newer build may write it while builds are replaced one by one.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_be_read_stops_no_other_and_keeps_its_slot() {
    let pool = testkit::db().await.pool;
    for number in 1..=3 {
        job(&pool, number, "* * * * *").await;
    }
    let slot = "2026-01-01T00:00:00Z";
    make_due(&pool, slot).await;
    let schedule = |change: &'static str| sqlx::query(change).execute(&pool);
    schedule("UPDATE jobs SET config = jsonb_set(config, '{schedule,later}', '1') WHERE id = 2")
        .await
        .expect("a key of another build");
    for expected in [2, 0] {
        let claimed = scheduler::once(&pool, &SchedulerSettings::default()).await;
        assert_eq!(claimed.expect("a claim").ticks, expected);
    }
    let kept: DateTime<Utc> = sqlx::query_scalar("SELECT next_slot FROM job_slots WHERE job_id = 2")
        .fetch_one(&pool)
        .await
        .expect("its slot");
    assert_eq!(kept, slot.parse::<DateTime<Utc>>().expect("an instant"));
    schedule("UPDATE jobs SET config = config #- '{schedule,later}'")
        .await
        .expect("readable");
    schedule("UPDATE job_slots SET due_at = now() WHERE job_id = 2")
        .await
        .expect("a minute later");
    let claimed = scheduler::once(&pool, &SchedulerSettings::default()).await;
    assert_eq!(claimed.expect("a claim").ticks, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_caught_up_with_one_tick_a_job_and_the_rest_is_counted() {
    let pool = testkit::db().await.pool;
    job(&pool, 1, "0 * * * *").await;
    make_due(&pool, "2026-01-01T00:00:00Z").await;
    let claimed = scheduler::once(&pool, &SchedulerSettings::default())
        .await
        .expect("a claim");
    assert_eq!(claimed.ticks, 1);
    let (slot, missed, next): (DateTime<Utc>, i64, DateTime<Utc>) =
        sqlx::query_as("SELECT open_slot, slots_missed, next_slot FROM job_slots")
            .fetch_one(&pool)
            .await
            .expect("slots");
    assert_eq!((next - slot).num_minutes(), 60);
    assert!(next > Utc::now());
    let first: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().expect("an instant");
    assert_eq!(missed, (slot - first).num_hours(), "every hour but the latest");
    assert_eq!(claimed.missed, u64::try_from(missed).expect("a count"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_tick_is_open_gets_no_second_task() {
    let pool = testkit::db().await.pool;
    job(&pool, 1, "* * * * * *").await;
    for _ in 0..3 {
        sqlx::query("UPDATE job_slots SET due_at = now()")
            .execute(&pool)
            .await
            .expect("due");
        scheduler::once(&pool, &SchedulerSettings::default())
            .await
            .expect("a claim");
    }
    assert_eq!(tasks(&pool).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_whose_task_was_lost_is_handed_out_again() {
    let pool = testkit::db().await.pool;
    job(&pool, 1, "* * * * *").await;
    make_due(&pool, "2026-01-01T00:00:00Z").await;
    scheduler::once(&pool, &SchedulerSettings::default())
        .await
        .expect("a claim");
    sqlx::query("DELETE FROM apalis.jobs")
        .execute(&pool)
        .await
        .expect("lost");
    sqlx::query("UPDATE job_slots SET open_since = now() - interval '2 min'")
        .execute(&pool)
        .await
        .expect("long ago");
    let claimed = scheduler::once(&pool, &SchedulerSettings::default())
        .await
        .expect("a claim");
    assert_eq!((claimed.renewed, claimed.ticks, tasks(&pool).await), (1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_waits_for_a_worker_is_not_taken_for_lost() {
    let pool = testkit::db().await.pool;
    job(&pool, 1, "* * * * *").await;
    make_due(&pool, "2026-01-01T00:00:00Z").await;
    let claim = async || {
        scheduler::once(&pool, &SchedulerSettings::default())
            .await
            .expect("a claim")
    };
    claim().await;
    for long_ago in [
        "UPDATE job_slots SET open_since = now() - interval '2 min'",
        "UPDATE apalis.jobs SET run_at = now() - interval '2 min'",
    ] {
        sqlx::query(long_ago).execute(&pool).await.expect("long ago");
    }
    assert_eq!((claim().await.renewed, tasks(&pool).await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_job_has_no_slots_and_a_resumed_one_has() {
    let pool = testkit::db().await.pool;
    let id = job(&pool, 1, "* * * * *").await;
    let planned = async || -> i64 {
        let sql = "SELECT count(*) FROM job_slots WHERE next_slot > now()";
        sqlx::query_scalar(sql).fetch_one(&pool).await.expect("slots")
    };
    assert_eq!(planned().await, 1);
    orders::order(&pool, id, Order::Pause, "test")
        .await
        .expect("pause");
    assert_eq!(planned().await, 0);
    orders::order(&pool, id, Order::Resume, "test")
        .await
        .expect("resume");
    assert_eq!(planned().await, 1);
}
