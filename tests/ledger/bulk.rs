//! Orders to several jobs at once, on a real PostgreSQL: atomic, undone exactly, and without a deadlock.
#![expect(clippy::expect_used, reason = "the helpers of a test fail it by panicking")]

use std::{collections::BTreeMap, time::Duration};

use alloy_primitives::Address;
use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        Timestamp,
        config::JobConfig,
        decision::HoldReason,
        ids::{AuditId, JobId},
        job::{JobMode, JobStatus, Realm, Transition},
        span::Span,
        units::{Amount, Usd},
    },
    engine::Tick,
    runner::scheduler::{self, SchedulerSettings},
    store::{
        self,
        bulk::{self, Back, Selection},
        jobs::{self, Filter},
        orders::{self, Order},
        ticks::{self, Hold},
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use sqlx::PgPool;

const LIQUIDATE: Order = Order::Liquidate {
    over: Span::ZERO,
    slices: 1,
};
const START: Order = Order::Start {
    deposit: Amount::ZERO,
};

async fn job(pool: &PgPool, number: u8, realm: Realm) -> JobId {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.schedule.cron = "* * * * * *".parse().expect("a cron line");
    config.schedule.jitter = Span::ZERO;
    let token = Address::repeat_byte(number);
    let mut new = testkit::paper_job(token, format!("T{number}"), JobMode::Accumulate, config);
    new.account.realm = realm;
    jobs::create(pool, &new, "test").await.expect("a job")
}

async fn running(pool: &PgPool, count: u8) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for number in 1..=count {
        let id = job(pool, number, Realm::Paper).await;
        order(pool, id, START).await;
        jobs.push(id);
    }
    jobs
}

async fn order(pool: &PgPool, job: JobId, order: Order) -> Transition {
    orders::order(pool, job, order, "test")
        .await
        .expect("carried out")
}

/// As the engine does after five failures in a row.
async fn fail(pool: &PgPool, job: JobId) {
    let sql = "WITH failed AS (
                   UPDATE jobs SET status = 'ERROR', status_before_stop = status, version = version + 1
                   WHERE id = $1 AND status IN ('RUNNING', 'LIQUIDATING') RETURNING id)
               UPDATE job_slots SET next_slot = NULL, due_at = NULL FROM failed WHERE job_id = failed.id";
    sqlx::query(sql).bind(job.0).execute(pool).await.expect("failed");
}

async fn statuses(pool: &PgPool) -> BTreeMap<JobId, JobStatus> {
    let jobs = jobs::list(pool, &Filter::default()).await.expect("jobs");
    jobs.iter().map(|job| (job.id, job.status)).collect()
}

/// A job that trades has a next slot, any other has none.
async fn slots_fit(pool: &PgPool) {
    let sql = "SELECT count(*) FROM jobs JOIN job_slots ON job_id = id
               WHERE (status IN ('RUNNING', 'LIQUIDATING')) <> (next_slot IS NOT NULL)
                  OR (next_slot IS NULL) <> (due_at IS NULL)";
    let wrong: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.expect("slots");
    assert_eq!(wrong, 0);
}

async fn pause(pool: &PgPool, selection: Selection) -> (Option<AuditId>, Vec<JobId>) {
    let stopped = bulk::pause(pool, &selection, "test").await.expect("paused");
    let jobs = stopped.jobs.iter().map(|(name, _)| name.job);
    (stopped.pause, jobs.collect())
}

/// Undoes a pause; the statuses that jobs got from it.
async fn undo(pool: &PgPool, pause: AuditId) -> Vec<(JobId, Option<JobStatus>)> {
    let back = bulk::resume_paused_by(pool, pause, "test")
        .await
        .expect("resumed");
    let back = back.expect("a pause").into_iter();
    back.map(|(name, _, back)| match back {
        Back::To(status) => (name.job, Some(status)),
        Back::Changed | Back::Removed => (name.job, None),
        Back::Refused(error) => panic!("{error}"),
    })
    .collect()
}

#[tokio::test]
async fn the_undo_of_a_pause_gives_back_what_it_stopped_and_nothing_else() {
    let db = testkit::db().await;
    let pool = &db.pool;
    let jobs = running(pool, 8).await;
    let [runs, sells, paused, failed, edited, resumed, sold, removed] = jobs[..] else {
        panic!("eight jobs");
    };
    let idle = job(pool, 9, Realm::Paper).await;
    order(pool, sells, LIQUIDATE).await;
    order(pool, paused, Order::Pause).await;
    fail(pool, failed).await;

    let (number, stopped) = pause(pool, Selection::default()).await;
    assert_eq!(
        stopped,
        [runs, sells, failed, edited, resumed, sold, removed],
        "neither what was paused nor what is idle"
    );
    slots_fit(pool).await;
    let after = statuses(pool).await;
    assert_eq!(after[&idle], JobStatus::Idle);
    assert!(stopped.iter().all(|job| after[job] == JobStatus::Paused));

    // Meanwhile: one is edited, one resumed and paused again, one liquidated, one sold all and was removed.
    let all = jobs::list(pool, &Filter::default()).await.expect("jobs");
    let before = all.iter().find(|job| job.id == edited).expect("the job");
    let mut config = before.config.clone();
    config.schedule.jitter = Span::from_secs(1);
    assert!(
        orders::configure(pool, before, &config, "test")
            .await
            .expect("edited")
    );
    order(pool, resumed, Order::Resume).await;
    order(pool, resumed, Order::Pause).await;
    order(pool, sold, LIQUIDATE).await;
    let sql = "UPDATE jobs SET status = 'IDLE', status_before_stop = NULL, paused_by = NULL, archived_at = now() WHERE id = $1";
    sqlx::query(sql)
        .bind(removed.0)
        .execute(pool)
        .await
        .expect("removed");

    let back = undo(pool, number.expect("a number")).await;
    assert_eq!(
        back,
        [
            (runs, Some(JobStatus::Running)),
            (sells, Some(JobStatus::Liquidating)),
            (failed, Some(JobStatus::Error)),
            (edited, Some(JobStatus::Running)),
            (resumed, None),
            (sold, None),
            (removed, None),
        ]
    );
    let after = statuses(pool).await;
    assert_eq!(after[&paused], JobStatus::Paused);
    assert_eq!(after[&failed], JobStatus::Error);
    assert_eq!(after[&resumed], JobStatus::Paused);
    assert_eq!(after[&sold], JobStatus::Liquidating);
    slots_fit(pool).await;

    // A second undo finds nothing that is still paused by it, and an unknown number is no pause.
    let again = undo(pool, number.expect("a number")).await;
    assert!(again.iter().all(|(_, status)| status.is_none()), "{again:?}");
    assert_eq!(statuses(pool).await, after);
    let unknown = bulk::resume_paused_by(pool, AuditId(987_654), "test").await;
    assert!(unknown.expect("an answer").is_none());
    let (number, stopped) = pause(
        pool,
        Selection {
            jobs: Some(vec![idle]),
            ..Selection::default()
        },
    )
    .await;
    assert_eq!(
        (number, stopped),
        (None, vec![]),
        "nothing was stopped, so there is nothing to undo"
    );
}

#[tokio::test]
async fn every_filter_narrows_a_pause() {
    let db = testkit::db().await;
    let pool = &db.pool;
    let paper = running(pool, 4).await;
    let live = job(pool, 9, Realm::Live).await;
    order(pool, live, START).await;
    order(pool, paper[1], LIQUIDATE).await;
    fail(pool, paper[2]).await;
    let upper = format!("{:#X}", Address::repeat_byte(1)).replace("0X", "0x");
    let cases = [
        (
            Selection {
                realm: Some(Realm::Live),
                ..Selection::default()
            },
            vec![live],
        ),
        (
            Selection {
                status: Some(JobStatus::Error),
                ..Selection::default()
            },
            vec![paper[2]],
        ),
        (
            Selection {
                status: Some(JobStatus::Liquidating),
                ..Selection::default()
            },
            vec![paper[1]],
        ),
        (
            Selection {
                token: Some("t4".to_owned()),
                ..Selection::default()
            },
            vec![paper[3]],
        ),
        (
            Selection {
                token: Some(upper),
                ..Selection::default()
            },
            vec![paper[0]],
        ),
        (
            Selection {
                realm: Some(Realm::Paper),
                status: Some(JobStatus::Running),
                ..Selection::default()
            },
            vec![paper[0], paper[3]],
        ),
        (
            Selection {
                chain: Some("unichain".to_owned()),
                ..Selection::default()
            },
            vec![],
        ),
        (
            Selection {
                jobs: Some(vec![paper[3], live]),
                ..Selection::default()
            },
            vec![paper[3], live],
        ),
        (
            Selection {
                jobs: Some(vec![]),
                ..Selection::default()
            },
            vec![],
        ),
    ];
    let before = statuses(pool).await;
    for (selection, expected) in cases {
        let (number, stopped) = pause(pool, selection.clone()).await;
        assert_eq!(stopped, expected, "{selection:?}");
        if let Some(number) = number {
            undo(pool, number).await;
        }
        assert_eq!(statuses(pool).await, before, "{selection:?}");
    }
    slots_fit(pool).await;
}

#[tokio::test]
async fn a_row_that_this_build_cannot_read_is_paused_too_and_stops_no_other() {
    let db = testkit::db().await;
    let pool = &db.pool;
    let jobs = running(pool, 3).await;
    let sql = "UPDATE jobs SET config = '{}' WHERE id = $1";
    sqlx::query(sql)
        .bind(jobs[1].0)
        .execute(pool)
        .await
        .expect("spoiled");
    let done = bulk::order(pool, &jobs, LIQUIDATE, "test")
        .await
        .expect("an answer");
    let carried: Vec<bool> = done.iter().map(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(carried, [true, false, true]);
    let (number, stopped) = pause(pool, Selection::default()).await;
    assert_eq!(stopped, jobs);
    let back = bulk::resume_paused_by(pool, number.expect("a number"), "test").await;
    let back = back.expect("an answer").expect("a pause");
    assert!(matches!(back[1].2, Back::Refused(_)), "{back:?}");
    assert!(matches!(back[2].2, Back::To(JobStatus::Liquidating)), "{back:?}");
}

/// What the ledger should say of one job.
#[derive(Debug, Clone, Copy)]
struct Expected {
    status: JobStatus,
    before_stop: JobStatus,
    paused_by: Option<(AuditId, JobStatus)>,
}

impl Expected {
    fn set(&mut self, status: JobStatus) {
        if matches!(self.status, JobStatus::Running | JobStatus::Liquidating) {
            self.before_stop = self.status;
        }
        self.status = status;
        self.paused_by = None;
    }

    fn pause(&mut self, by: Option<AuditId>) {
        use JobStatus::{Error, Liquidating, Running};
        if matches!(self.status, Running | Liquidating | Error) {
            let before = self.status;
            self.set(JobStatus::Paused);
            self.paused_by = by.map(|by| (by, before));
        }
    }
}

async fn step(
    pool: &PgPool,
    rng: &mut StdRng,
    model: &mut BTreeMap<JobId, Expected>,
    pauses: &mut Vec<AuditId>,
) {
    let some: Vec<JobId> = model.keys().copied().filter(|_| rng.random_bool(0.5)).collect();
    let one = *model.keys().nth(rng.random_range(0..model.len())).expect("a job");
    match rng.random_range(0..8) {
        0 | 1 => {
            let status = rng.random_bool(0.3).then_some(JobStatus::Running);
            let jobs = rng.random_bool(0.6).then(|| some.clone());
            let chosen = |id: &JobId| jobs.as_ref().is_none_or(|jobs| jobs.contains(id));
            let fits: Vec<JobId> = model
                .iter()
                .filter(|(id, job)| chosen(id) && status.is_none_or(|status| job.status == status))
                .map(|(id, _)| *id)
                .collect();
            let selection = Selection {
                jobs: jobs.clone(),
                status,
                ..Selection::default()
            };
            let (number, _) = pause(pool, selection).await;
            pauses.extend(number);
            for id in fits {
                model.get_mut(&id).expect("a job").pause(number);
            }
        }
        2 | 3 => {
            let Some(number) = pauses.get(rng.random_range(0..pauses.len().max(1))) else {
                return;
            };
            undo(pool, *number).await;
            for job in model.values_mut() {
                match job.paused_by {
                    Some((by, JobStatus::Error)) if by == *number => job.set(JobStatus::Error),
                    Some((by, _)) if by == *number => job.set(job.before_stop),
                    _ => {}
                }
            }
        }
        4 => {
            bulk::order(pool, &some, Order::Resume, "test")
                .await
                .expect("an answer");
            for id in some {
                let job = model.get_mut(&id).expect("a job");
                if matches!(job.status, JobStatus::Paused | JobStatus::Error) {
                    job.set(job.before_stop);
                }
            }
        }
        5 => {
            fail(pool, one).await;
            let job = model.get_mut(&one).expect("a job");
            if matches!(job.status, JobStatus::Running | JobStatus::Liquidating) {
                job.set(JobStatus::Error);
            }
        }
        6 => {
            let all = jobs::list(pool, &Filter::default()).await.expect("jobs");
            let job = all.iter().find(|job| job.id == one).expect("the job");
            let mut config = job.config.clone();
            config.schedule.jitter = Span::from_millis(rng.random_range(0..900));
            orders::configure(pool, job, &config, "test")
                .await
                .expect("edited");
        }
        _ => {
            let order = if rng.random_bool(0.3) {
                LIQUIDATE
            } else {
                Order::Pause
            };
            bulk::order(pool, &[one], order, "test").await.expect("an answer");
            let job = model.get_mut(&one).expect("a job");
            match order {
                Order::Pause => job.pause(None),
                _ => job.set(JobStatus::Liquidating),
            }
        }
    }
}

#[tokio::test]
async fn any_sequence_of_orders_errors_and_edits_leaves_exactly_the_expected_jobs_running() {
    for seed in 0..6 {
        let db = testkit::db().await;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut model = BTreeMap::new();
        for id in running(&db.pool, 5).await {
            let begins = Expected {
                status: JobStatus::Running,
                before_stop: JobStatus::Running,
                paused_by: None,
            };
            model.insert(id, begins);
        }
        let mut pauses = Vec::new();
        for round in 0..60 {
            step(&db.pool, &mut rng, &mut model, &mut pauses).await;
            let expected: BTreeMap<JobId, JobStatus> =
                model.iter().map(|(id, job)| (*id, job.status)).collect();
            assert_eq!(statuses(&db.pool).await, expected, "seed {seed}, round {round}");
            slots_fit(&db.pool).await;
        }
    }
}

fn hold(job: JobId, slot: Timestamp) -> Hold {
    Hold {
        tick: Tick { job, slot },
        reason: HoldReason::NotDue,
        detail: None,
        price: None,
        recent_high: None,
        sample_high: None,
    }
}

/// Records a hold of each job in an order of its own, as a worker does for a slice of ticks.
async fn record(pool: &PgPool, jobs: &[JobId], rng: &mut StdRng, turn: i64) {
    let now = store::now(pool).await.expect("the time");
    let mut shuffled = jobs.to_vec();
    shuffled.shuffle(rng);
    let slot = now + TimeDelta::microseconds(turn);
    let holds: Vec<Hold> = shuffled.into_iter().map(|job| hold(job, slot)).collect();
    ticks::record_holds(pool, &holds)
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
                        bulk::order(&pool, &some, Order::Resume, "test")
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

#[tokio::test]
async fn several_configurations_change_together_or_not_at_all() {
    let db = testkit::db().await;
    let pool = &db.pool;
    running(pool, 3).await;
    let read = jobs::list(pool, &Filter::default()).await.expect("jobs");
    let mut config = read[0].config.clone();
    config.limits.max_daily_spend_usd = Usd::new(7.into()).expect("USD");
    let edits: Vec<_> = read.iter().map(|job| (job, &config)).collect();
    let mut other = config.clone();
    other.schedule.jitter = Span::from_secs(2);
    assert!(
        orders::configure(pool, &read[2], &other, "another operator")
            .await
            .expect("edited")
    );
    let raced = bulk::configure(pool, &edits, "test").await.expect("an answer");
    assert_eq!(raced, Some(read[2].id));
    let now = jobs::list(pool, &Filter::default()).await.expect("jobs");
    assert_eq!(
        (&now[0].config, &now[2].config),
        (&read[0].config, &other),
        "nothing else changed"
    );
    let edits: Vec<_> = now.iter().map(|job| (job, &config)).collect();
    assert_eq!(
        bulk::configure(pool, &edits, "test").await.expect("an answer"),
        None
    );
    let now = jobs::list(pool, &Filter::default()).await.expect("jobs");
    assert!(now.iter().all(|job| job.config == config));
}

/// Waits until a statement of this database waits for a lock.
async fn until_one_waits(pool: &PgPool) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.expect("activity");
            if waiting > 0 {
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
        ticks::record_holds(&pool, &holds)
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
