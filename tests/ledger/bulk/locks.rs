//! Orders to several jobs beside schedulers, workers and each other: no deadlock, and no order is lost.

use std::time::Duration;

use chrono::TimeDelta;
use lgi_mm::{
    domain::{Timestamp, decision::HoldReason, ids::JobId, job::Realm, trouble::Patience},
    engine::Tick,
    runner::scheduler::{self, SchedulerSettings},
    store::{
        self,
        bulk::{self, Selection},
        orders::Order,
        ticks::{self, Hold},
        together::{self, Starter},
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use sqlx::PgPool;

use super::{LIQUIDATE, START, job, pause, running, slots_fit, undo};

fn hold(job: JobId, slot: Timestamp) -> Hold {
    Hold {
        tick: Tick { job, slot },
        reason: HoldReason::NotDue,
        detail: None,
        price: None,
        recent_high: None,
        sample_high: None,
        trailing_high: None,
        profit_high: None,
        stop_is_due: false,
    }
}

/// Records a hold of each job in an order of its own, as a worker does for a slice of ticks.
async fn record(pool: &PgPool, jobs: &[JobId], rng: &mut StdRng, turn: i64) {
    let now = store::now(pool).await.expect("the time");
    let mut shuffled = jobs.to_vec();
    shuffled.shuffle(rng);
    let slot = now + TimeDelta::microseconds(turn);
    let holds: Vec<Hold> = shuffled.into_iter().map(|job| hold(job, slot)).collect();
    ticks::record_holds(pool, &holds, Patience::default())
        .await
        .expect("recorded, without a deadlock");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_orders_at_once_neither_wait_for_each_other_in_a_circle_nor_get_lost() {
    let db = testkit::db().await;
    let jobs = running(&db.pool, 30).await;
    let mut tasks = Vec::new();
    for seed in 0..8_u64 {
        let (pool, jobs) = (db.pool.clone(), jobs.clone());
        tasks.push(tokio::spawn(async move {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut stopped = 0_usize;
            for turn in 0..25 {
                let mut some = jobs.clone();
                some.shuffle(&mut rng);
                some.truncate(20);
                match (seed + turn) % 5 {
                    0 | 1 => {
                        let selection = Selection {
                            jobs: rng.random_bool(0.5).then_some(some),
                            ..Selection::default()
                        };
                        let (number, jobs) = pause(&pool, selection).await;
                        stopped += jobs.len();
                        if let Some(number) = number {
                            undo(&pool, number).await;
                        }
                    }
                    2 => {
                        bulk::order(&pool, &some, Order::Resume, None, "test")
                            .await
                            .expect("no deadlock");
                    }
                    3 => {
                        let settings = SchedulerSettings::default();
                        scheduler::once(&pool, &settings).await.expect("a claim");
                    }
                    _ => record(&pool, &jobs, &mut rng, i64::try_from(turn).expect("few")).await,
                }
            }
            stopped
        }));
    }
    let mut stopped = 0;
    for task in tasks {
        let done = tokio::time::timeout(Duration::from_secs(240), task).await;
        stopped += done.expect("every order ends").expect("no task fails");
    }
    // Each job was stopped by one pause at a time: as often as pauses say, and never twice without a resume between.
    let sql = "SELECT count(*) FROM job_events WHERE action = 'pause'";
    let noted: i64 = sqlx::query_scalar(sql).fetch_one(&db.pool).await.expect("events");
    assert_eq!(usize::try_from(noted), Ok(stopped));
    let sql = "SELECT count(*) FROM (
                   SELECT action, lag(action) OVER (PARTITION BY job_id ORDER BY id) AS last
                   FROM job_events WHERE action IN ('pause', 'resume')) AS pairs
               WHERE action = last";
    let twice: i64 = sqlx::query_scalar(sql).fetch_one(&db.pool).await.expect("events");
    assert_eq!(twice, 0);
    slots_fit(&db.pool).await;
}

/// Waits until a statement of this database waits for a lock.
async fn until_one_waits(pool: &PgPool) {
    until_waiting(pool, 1).await;
}

/// The same for `count` statements.
async fn until_waiting(pool: &PgPool, count: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.expect("activity");
            if waiting >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, waits)
        .await
        .expect("a statement that waits");
}

/// Whether `job`'s slot could be locked at once.
async fn slot_is_free(tx: &mut sqlx::PgConnection, job: JobId) -> bool {
    let mut tx = sqlx::Connection::begin(tx).await.expect("a savepoint");
    let sql = "SELECT FROM job_slots WHERE job_id = $1 FOR UPDATE NOWAIT";
    sqlx::query(sql).bind(job.0).execute(&mut *tx).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_lock_their_slots_by_job_number_whatever_their_order() {
    let db = testkit::db().await;
    let jobs = running(&db.pool, 3).await;
    // The second slot is last in the table.
    let sql = "UPDATE job_slots SET slots_missed = 1 WHERE job_id = $1";
    sqlx::query(sql)
        .bind(jobs[1].0)
        .execute(&db.pool)
        .await
        .expect("moved");
    let mut tx = db.pool.begin().await.expect("begins");
    assert!(slot_is_free(&mut tx, jobs[1]).await);
    let sql = "SELECT FROM job_slots WHERE job_id = $1 FOR UPDATE";
    sqlx::query(sql)
        .bind(jobs[1].0)
        .execute(&mut *tx)
        .await
        .expect("locked");
    let (pool, backwards) = (db.pool.clone(), vec![jobs[2], jobs[1], jobs[0]]);
    let recording = tokio::spawn(async move {
        let now = store::now(&pool).await.expect("the time");
        let holds: Vec<Hold> = backwards.iter().map(|job| hold(*job, now)).collect();
        ticks::record_holds(&pool, &holds, Patience::default())
            .await
            .expect("recorded")
            .fresh
            .len()
    });
    until_one_waits(&db.pool).await;
    assert!(!slot_is_free(&mut tx, jobs[0]).await, "the first is locked first");
    assert!(
        slot_is_free(&mut tx, jobs[2]).await,
        "what waits for the second holds no later one"
    );
    tx.rollback().await.expect("unlocked");
    assert_eq!(recording.await.expect("recorded"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_waits_for_a_slot_lets_ticks_of_its_jobs_be_recorded() {
    let db = testkit::db().await;
    let jobs = running(&db.pool, 2).await;
    let mut tx = db.pool.begin().await.expect("begins");
    let sql = "SELECT FROM job_slots WHERE job_id = $1 FOR UPDATE";
    sqlx::query(sql)
        .bind(jobs[1].0)
        .execute(&mut *tx)
        .await
        .expect("locked");
    let pool = db.pool.clone();
    let pausing = tokio::spawn(async move { pause(&pool, Selection::default()).await });
    until_one_waits(&db.pool).await;
    // As a row of ticks locks its job.
    let sql = "SELECT FROM jobs WHERE id = ANY ($1) FOR KEY SHARE NOWAIT";
    let ids: Vec<i64> = jobs.iter().map(|job| job.0).collect();
    let shared = sqlx::query(sql).bind(&ids).execute(&mut *tx).await;
    assert_eq!(shared.expect("no wait").rows_affected(), 2);
    tx.rollback().await.expect("unlocked");
    assert_eq!(pausing.await.expect("paused").1, jobs);
}

/// An order that has the slot of one of its jobs and waits for the next job, a pause that has that job and waits for an
/// earlier slot, and a worker that has this slot and waits for the first: a circle of three.
async fn an_order_next_to_a_pause_and_a_worker<F>(order: impl FnOnce(PgPool, [JobId; 2]) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let db = testkit::db().await;
    let jobs = running(&db.pool, 5).await;
    let (second, third, fifth) = (jobs[1], jobs[2], jobs[4]);
    let mut tx = db.pool.begin().await.expect("begins");
    let sql = "SELECT FROM jobs WHERE id = $1 FOR NO KEY UPDATE";
    sqlx::query(sql)
        .bind(fifth.0)
        .execute(&mut *tx)
        .await
        .expect("locked");
    let pool = db.pool.clone();
    let selection = Selection {
        jobs: Some(vec![second, fifth]),
        ..Selection::default()
    };
    let pausing = tokio::spawn(async move { pause(&pool, selection).await });
    until_waiting(&db.pool, 1).await;
    let ordering = tokio::spawn(order(db.pool.clone(), [third, fifth]));
    until_waiting(&db.pool, 2).await;
    let pool = db.pool.clone();
    let recording = tokio::spawn(async move {
        let now = store::now(&pool).await.expect("the time");
        let holds = [hold(second, now), hold(third, now)];
        let recorded = ticks::record_holds(&pool, &holds, Patience::default()).await;
        recorded.expect("recorded, without a deadlock")
    });
    // It records at once, or waits for a slot that the order has.
    let patience = Duration::from_secs(2);
    let _ = tokio::time::timeout(patience, until_waiting(&db.pool, 3)).await;
    tx.rollback().await.expect("unlocked");
    assert_eq!(pausing.await.expect("no deadlock").1, [second, fifth]);
    ordering.await.expect("no deadlock");
    assert_eq!(recording.await.expect("no deadlock").fresh.len(), 2);
    slots_fit(&db.pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_to_several_has_no_slot_while_it_waits_for_a_job() {
    an_order_next_to_a_pause_and_a_worker(async |pool: PgPool, jobs| {
        let ordered = bulk::order(&pool, &jobs, LIQUIDATE, None, "test").await;
        assert_eq!(ordered.expect("no deadlock").len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_several_has_no_slot_while_it_waits_for_a_job() {
    an_order_next_to_a_pause_and_a_worker(async |pool: PgPool, jobs| {
        let jobs = store::jobs::by_ids(&pool, &jobs).await.expect("jobs");
        let jobs: Vec<_> = jobs.into_iter().map(|job| job.expect("a job")).collect();
        let edits: Vec<_> = jobs.iter().map(|job| (job, &job.config)).collect();
        let edited = bulk::configure(&pool, &edits, "test").await;
        assert_eq!(edited.expect("no deadlock"), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_of_several_locks_slots_by_job_number_whatever_their_order() {
    let db = testkit::db().await;
    let first = job(&db.pool, 1, Realm::Paper).await;
    let second = job(&db.pool, 2, Realm::Paper).await;
    let mut tx = db.pool.begin().await.expect("begins");
    let sql = "SELECT FROM job_slots WHERE job_id = $1 FOR UPDATE";
    sqlx::query(sql)
        .bind(second.0)
        .execute(&mut *tx)
        .await
        .expect("locked");
    let pool = db.pool.clone();
    let starting = tokio::spawn(async move {
        let backwards = [(Starter::There(second), START), (Starter::There(first), START)];
        together::start_all(&pool, &backwards, "test").await
    });
    until_waiting(&db.pool, 1).await;
    let pool = db.pool.clone();
    let recording = tokio::spawn(async move {
        let now = store::now(&pool).await.expect("the time");
        let holds = [hold(first, now), hold(second, now)];
        ticks::record_holds(&pool, &holds, Patience::default()).await
    });
    until_waiting(&db.pool, 2).await;
    tx.rollback().await.expect("unlocked");
    let started = starting.await.expect("ends").expect("no deadlock");
    assert_eq!(started, [second, first], "in the order of the list");
    let recorded = recording.await.expect("ends").expect("no deadlock");
    assert_eq!(recorded.fresh.len(), 2);
    slots_fit(&db.pool).await;
}
