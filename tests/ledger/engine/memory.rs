//! A process remembers jobs as it read them, and never takes a remembered one for the one that is there.

use std::sync::Arc;

use alloy_primitives::Address;
use lgi_mm::{
    domain::job::JobStatus,
    store::{
        jobs::{self, Filter, Job},
        known,
        memory::JobMemory,
        orders::{self, Order},
        ticks::{self, Tick},
    },
};

use crate::engine::world::{World, accumulate, create};

async fn loaded(world: &World, memory: &JobMemory) -> Job {
    let tick = Tick {
        job: world.job,
        slot: chrono::Utc::now(),
    };
    let mut ticks = ticks::load(&world.pool, memory, &[tick]).await.expect("a tick");
    ticks.remove(0).1.expect("a readable job").job
}

async fn there(world: &World) -> Job {
    let mut jobs = jobs::by_ids(&world.pool, &[world.job]).await.expect("a job");
    jobs.remove(0).expect("a readable job")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_changed_is_read_again() {
    let world = World::new(accumulate()).await;
    let memory = JobMemory::default();
    assert_eq!(loaded(&world, &memory).await, there(&world).await);
    assert_eq!(loaded(&world, &memory).await, there(&world).await, "remembered");

    for (order, status) in [
        (Order::Pause, JobStatus::Paused),
        (Order::Resume, JobStatus::Running),
    ] {
        orders::order(&world.pool, world.job, order, "test")
            .await
            .expect("an order");
        assert_eq!(loaded(&world, &memory).await.status, status);
    }
    for column in [
        "last_error = 'a line'",
        "gas_usd = gas_usd + 1",
        "config = jsonb_set(config, '{schedule,cron}', '\"7 * * * *\"')",
    ] {
        let update = format!("UPDATE jobs SET {column}");
        sqlx::query(sqlx::AssertSqlSafe(update))
            .execute(&world.pool)
            .await
            .expect("a change");
        assert_eq!(loaded(&world, &memory).await, there(&world).await, "{column}");
    }

    // A change that is rolled back never happened.
    let before = there(&world).await;
    let mut tx = world.pool.begin().await.expect("a transaction");
    sqlx::query("UPDATE jobs SET last_error = 'never'")
        .execute(&mut *tx)
        .await
        .expect("a change");
    assert_eq!(loaded(&world, &memory).await, before, "not committed");
    tx.rollback().await.expect("rolled back");
    assert_eq!(loaded(&world, &memory).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_reads_the_jobs_that_changed_and_no_others() {
    let world = World::new(accumulate()).await;
    let second = create(&world.pool, Address::repeat_byte(0x5e), accumulate()).await;
    let memory = JobMemory::default();
    let listed = async || {
        known::list(&world.pool, &memory, &Filter::default())
            .await
            .expect("jobs")
    };
    let first = listed().await;
    assert_eq!(
        first.iter().map(|job| job.id).collect::<Vec<_>>(),
        [world.job, second]
    );
    assert_eq!(*first[0], there(&world).await);
    for (before, now) in first.iter().zip(&listed().await) {
        assert!(Arc::ptr_eq(before, now), "{}", now.id);
    }

    orders::order(&world.pool, world.job, Order::Pause, "test")
        .await
        .expect("an order");
    let changed = listed().await;
    assert_eq!(*changed[0], there(&world).await);
    assert_eq!(changed[0].status, JobStatus::Paused);
    assert!(Arc::ptr_eq(&first[1], &changed[1]), "nobody changed it");

    // One that no build can read is left out, and hides no other.
    let spoil = "UPDATE jobs SET config = config || '{\"accumulate\": 1}' WHERE id = $1";
    sqlx::query(spoil)
        .bind(second.0)
        .execute(&world.pool)
        .await
        .expect("a change");
    let left = listed().await;
    assert_eq!(left.iter().map(|job| job.id).collect::<Vec<_>>(), [world.job]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_not_read() {
    let world = World::new(accumulate()).await;
    let memory = JobMemory::default();
    let first = loaded(&world, &memory).await;
    let sent: Option<i64> = sqlx::query(include_str!("../../../src/store/sql/ticks_load.sql"))
        .bind([world.job.0].as_slice())
        .bind([chrono::Utc::now()].as_slice())
        .bind([written_by(&world).await].as_slice())
        .bind([written_at(&world).await].as_slice())
        .fetch_one(&world.pool)
        .await
        .map(|row| sqlx::Row::get(&row, "id"))
        .expect("a row");
    assert_eq!(sent, None, "the job's columns are left out");
    assert_eq!(loaded(&world, &memory).await, first);
}

async fn written_by(world: &World) -> String {
    sqlx::query_scalar("SELECT xmin::text FROM jobs")
        .fetch_one(&world.pool)
        .await
        .expect("a transaction")
}

async fn written_at(world: &World) -> chrono::DateTime<chrono::Utc> {
    sqlx::query_scalar("SELECT updated_at FROM jobs")
        .fetch_one(&world.pool)
        .await
        .expect("a time")
}
