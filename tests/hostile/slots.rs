//! No job may be left without a next step, whatever is planned, claimed and recorded in whatever order.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

use alloy_primitives::Address;
use chrono::{TimeDelta, Utc};
use lgi_mm::{
    domain::{
        config::JobConfig,
        decision::HoldReason,
        job::{JobId, JobMode, JobStatus},
        span::Span,
        trouble::Patience,
        units::Amount,
    },
    engine::Tick,
    runner::scheduler::{self, ClaimCounts, SchedulerSettings},
    store::{
        self, jobs,
        memory::JobMemory,
        orders::{self, Order},
        slots, ticks,
        ticks::Hold,
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::task::JoinHandle;

const LIQUIDATE: Order = Order::Liquidate {
    over: Span::ZERO,
    slices: 1,
};

/// A job on paper that runs, with a slot every second.
async fn job(pool: &PgPool, number: u8, jitter: Span) -> JobId {
    job_at(pool, number, "* * * * * *", jitter).await
}

async fn job_at(pool: &PgPool, number: u8, cron: &str, jitter: Span) -> JobId {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.schedule.cron = cron.parse().expect("a cron line");
    config.schedule.jitter = jitter;
    let token = Address::repeat_byte(number);
    let new = testkit::paper_job(token, format!("T{number}"), JobMode::Accumulate, config);
    let id = jobs::create(pool, &new, "test").await.expect("a job");
    let start = Order::Start {
        deposit: Amount::ZERO,
    };
    orders::order(pool, id, start, "test").await.expect("started");
    id
}

async fn execute(pool: &PgPool, sql: &'static str, job: JobId) {
    sqlx::query(sql)
        .bind(job.0)
        .execute(pool)
        .await
        .expect("executed");
}

fn hold(tick: Tick) -> Hold {
    Hold {
        tick,
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

/// As the engine does: what is recorded already is passed over, all else is held. Whether it was new.
async fn evaluate(pool: &PgPool, tick: Tick) -> bool {
    match load(pool, tick).await {
        Some(hold) => record(pool, &hold).await,
        None => false,
    }
}

async fn load(pool: &PgPool, tick: Tick) -> Option<Hold> {
    let mut loaded = ticks::load(pool, &JobMemory::default(), &[tick])
        .await
        .expect("loaded");
    let (_, loaded) = loaded.pop().expect("the job");
    if loaded.expect("a readable job").recorded {
        slots::close_decided(pool, &[tick.job]).await.expect("closed");
        return None;
    }
    Some(hold(tick))
}

async fn record(pool: &PgPool, hold: &Hold) -> bool {
    let fresh = ticks::record_holds(pool, std::slice::from_ref(hold), Patience::default()).await;
    !fresh.expect("recorded").fresh.is_empty()
}

async fn claim(pool: &PgPool) -> ClaimCounts {
    let settings = SchedulerSettings {
        tick_lease: Span::from_secs(1),
        ..SchedulerSettings::default()
    };
    scheduler::once(pool, &settings).await.expect("a claim")
}

/// The tasks in the queue, which forgets them.
async fn tasks(pool: &PgPool) -> Vec<Tick> {
    let sql = "DELETE FROM apalis.jobs RETURNING convert_from(job, 'utf8')::jsonb";
    let tasks: Vec<Value> = sqlx::query_scalar(sql).fetch_all(pool).await.expect("tasks");
    let tick = |task: &Value| Tick {
        job: JobId(task["job"].as_i64().expect("a job")),
        slot: serde_json::from_value(task["slot"].clone()).expect("a slot"),
    };
    tasks.iter().map(tick).collect()
}

/// As if so much time had passed for this job.
async fn pass_time(pool: &PgPool, job: JobId, by: TimeDelta) {
    let sql =
        "UPDATE job_slots SET next_slot = next_slot - $2, due_at = due_at - $2, open_slot = open_slot - $2,
                      open_since = open_since - $2, handed_at = handed_at - $2, last_slot = last_slot - $2,
                      run_reason = NULL, run_first_slot = NULL
               WHERE job_id = $1";
    sqlx::query(sql)
        .bind(job.0)
        .bind(by)
        .execute(pool)
        .await
        .expect("time passes");
}

/// Slots recorded so far.
async fn recorded(pool: &PgPool, job: JobId) -> i64 {
    sqlx::query_scalar("SELECT slots_recorded FROM job_slots WHERE job_id = $1")
        .bind(job.0)
        .fetch_one(pool)
        .await
        .expect("a count")
}

/// Time passes, schedulers claim, workers work: how many new slots that decides.
async fn lives_on(pool: &PgPool, job: JobId, rounds: u32) -> i64 {
    let before = recorded(pool, job).await;
    for _ in 0..rounds {
        pass_time(pool, job, TimeDelta::seconds(6)).await;
        claim(pool).await;
        for tick in tasks(pool).await {
            evaluate(pool, tick).await;
        }
    }
    recorded(pool, job).await - before
}

/// Locks the job's row, as a fill that is booked just then does, and sends the order meanwhile.
async fn ordered_behind_a_lock(
    pool: &PgPool,
    job: JobId,
    order: Order,
) -> (Transaction<'static, Postgres>, JoinHandle<()>) {
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM jobs WHERE id = $1 FOR NO KEY UPDATE")
        .bind(job.0)
        .execute(&mut *lock)
        .await
        .expect("locked");
    let waits = pool.clone();
    let ordered = tokio::spawn(async move {
        let _ = orders::order(&waits, job, order, "test").await;
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    (lock, ordered)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liquidation_whose_order_waits_while_a_later_slot_is_recorded_is_still_decided() {
    let pool = testkit::db().await.pool;
    for (number, order) in [(1, LIQUIDATE), (2, Order::Pause)] {
        let job = job(&pool, number, Span::ZERO).await;
        let (lock, ordered) = ordered_behind_a_lock(&pool, job, order).await;
        let slot = store::now(&pool).await.expect("the time");
        assert!(evaluate(&pool, Tick { job, slot }).await);
        lock.commit().await.expect("unlocked");
        ordered.await.expect("ordered");
        if matches!(order, Order::Pause) {
            orders::order(&pool, job, Order::Resume, "test")
                .await
                .expect("resumed");
        }
        assert!(lives_on(&pool, job, 6).await >= 3, "job {job}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_by_hand_within_the_jitter_of_a_slot_decides_that_slot_too() {
    let pool = testkit::db().await.pool;
    // No slot of its own comes meanwhile: only the one that is written below is due.
    let leap_day = "0 0 12 29 2 *";
    let job = job_at(&pool, 1, leap_day, Span::from_secs(30)).await;
    for round in 0..3 {
        let due = "UPDATE job_slots SET next_slot = date_trunc('second', last_slot) - interval '1 s',
                          due_at = clock_timestamp() WHERE job_id = $1";
        let slot = slots::by_hand(&pool, job, "test").await.expect("a slot");
        assert!(evaluate(&pool, Tick { job, slot }).await, "round {round}");
        execute(&pool, due, job).await;
        let claimed = claim(&pool).await;
        assert_eq!(claimed.ticks + claimed.renewed, 0, "round {round}: it is decided");
        let (open, due): (bool, bool) =
            sqlx::query_as("SELECT open_slot IS NOT NULL, next_slot > last_slot FROM job_slots")
                .fetch_one(&pool)
                .await
                .expect("slots");
        assert!(!open && due, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_by_hand_is_later_than_every_slot_that_was_handed_out() {
    let pool = testkit::db().await.pool;
    let job = job(&pool, 1, Span::ZERO).await;
    // The clock was set back since.
    let ahead =
        "UPDATE job_slots SET last_slot = now() + interval '1 hour', open_slot = now() + interval '2 hours',
                        open_since = now() WHERE job_id = $1";
    execute(&pool, ahead, job).await;
    let slot = slots::by_hand(&pool, job, "test").await.expect("a slot");
    assert!(evaluate(&pool, Tick { job, slot }).await);
    let open: bool = sqlx::query_scalar("SELECT open_slot IS NOT NULL FROM job_slots")
        .fetch_one(&pool)
        .await
        .expect("slots");
    assert!(!open);
    // Nobody waits an hour for a liquidation because of that.
    orders::order(&pool, job, LIQUIDATE, "test")
        .await
        .expect("ordered");
    let claimed = claim(&pool).await;
    let tasks = tasks(&pool).await;
    assert_eq!((claimed.ticks, tasks.len()), (1, 1));
    assert!(evaluate(&pool, tasks[0]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_in_which_a_job_stands_still_heal_by_themselves() {
    let pool = testkit::db().await.pool;
    let job = job(&pool, 1, Span::ZERO).await;
    // As an earlier version left them.
    let stuck = "UPDATE job_slots SET last_slot = now(), open_slot = now() - interval '1 s',
                        open_since = now() - interval '1 s' WHERE job_id = $1";
    execute(&pool, stuck, job).await;
    assert!(lives_on(&pool, job, 3).await >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_handed_out_again_and_again_is_seen_by_doctor() {
    let pool = testkit::db().await.pool;
    let job = job(&pool, 1, Span::ZERO).await;
    pass_time(&pool, job, TimeDelta::seconds(2)).await;
    assert_eq!(claim(&pool).await.ticks, 1);
    for _ in 0..6 {
        assert_eq!(tasks(&pool).await.len(), 1);
        pass_time(&pool, job, TimeDelta::seconds(30)).await;
        assert_eq!(claim(&pool).await.renewed, 1);
        // Handed out just now: not lost yet.
        assert_eq!(claim(&pool).await.renewed, 0);
    }
    let health = store::views::health(&pool, Utc::now()).await.expect("health");
    assert_eq!(health.slots_stuck, 1);
}

/// A job, its scheduler, its workers and its owner, each doing what comes to mind.
struct Any {
    pool: PgPool,
    job: JobId,
    rng: StdRng,
    queue: VecDeque<Tick>,
    deciding: Vec<Hold>,
    order: Option<(Transaction<'static, Postgres>, JoinHandle<()>)>,
    /// What was done, for a failure's message.
    story: String,
}

impl Any {
    async fn step(&mut self) {
        let step = self.rng.random_range(0..10);
        let _ = write!(self.story, " {step}");
        match step {
            0 | 1 => self.wait().await,
            2 | 3 => self.schedule().await,
            4 => self.deliver().await,
            5 if !self.deciding.is_empty() => {
                let which = self.rng.random_range(0..self.deciding.len());
                let hold = self.deciding.swap_remove(which);
                record(&self.pool, &hold).await;
            }
            6 => {
                let slot = slots::by_hand(&self.pool, self.job, "test")
                    .await
                    .expect("a slot");
                let tick = Tick { job: self.job, slot };
                self.deciding.extend(load(&self.pool, tick).await);
            }
            7 | 8 => match self.order.take() {
                Some(order) => end(order).await,
                None => self.begin().await,
            },
            9 if self.order.is_none() => self.configure().await,
            _ => {}
        }
    }

    async fn wait(&mut self) {
        let by = TimeDelta::milliseconds(1_000 * self.rng.random_range(1..=3));
        pass_time(&self.pool, self.job, by).await;
        for tick in &mut self.queue {
            tick.slot -= by;
        }
        for hold in &mut self.deciding {
            hold.tick.slot -= by;
        }
    }

    /// Some of the tasks are lost.
    async fn schedule(&mut self) {
        claim(&self.pool).await;
        for task in tasks(&self.pool).await {
            if self.rng.random_bool(0.7) {
                self.queue.push_back(task);
            }
        }
    }

    /// Some of the tasks are delivered twice, not one after the other.
    async fn deliver(&mut self) {
        let Some(task) = self.queue.pop_front() else {
            return;
        };
        if self.rng.random_bool(0.4) {
            self.queue.push_back(task);
        }
        self.deciding.extend(load(&self.pool, task).await);
    }

    async fn begin(&mut self) {
        let order = match self.rng.random_range(0..4) {
            0 => Order::Pause,
            1 => Order::Resume,
            _ => LIQUIDATE,
        };
        self.order = Some(ordered_behind_a_lock(&self.pool, self.job, order).await);
    }

    async fn configure(&self) {
        let job = self.read().await;
        let mut config = job.config.clone();
        config.schedule.jitter = Span::from_millis(job.config_version.unsigned_abs().into());
        let edited = orders::configure(&self.pool, &job, &config, "test").await;
        assert!(edited.expect("configured"));
    }

    async fn read(&self) -> jobs::Job {
        let mut jobs = jobs::by_ids(&self.pool, &[self.job]).await.expect("jobs");
        jobs.pop().expect("the job").expect("a readable job")
    }

    /// Workers may have died with what they were deciding; nothing else goes wrong any more.
    async fn lives_on(&mut self) -> bool {
        if let Some(order) = self.order.take() {
            end(order).await;
        }
        if self.rng.random_bool(0.5) {
            for hold in std::mem::take(&mut self.deciding) {
                record(&self.pool, &hold).await;
            }
        }
        if self.read().await.status == JobStatus::Paused {
            let resumed = orders::order(&self.pool, self.job, Order::Resume, "test").await;
            resumed.expect("resumed");
        }
        lives_on(&self.pool, self.job, 5).await >= 3
    }
}

async fn end((lock, ordered): (Transaction<'static, Postgres>, JoinHandle<()>)) {
    lock.commit().await.expect("unlocked");
    ordered.await.expect("ordered");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_of_slots_commands_claims_and_recordings_leaves_a_job_without_a_next_step() {
    let pool = testkit::db().await.pool;
    for seed in 0..120_u8 {
        let mut any = Any {
            job: job(&pool, seed, Span::from_millis(u64::from(seed % 3) * 700)).await,
            pool: pool.clone(),
            rng: StdRng::seed_from_u64(seed.into()),
            queue: VecDeque::new(),
            deciding: vec![],
            order: None,
            story: String::new(),
        };
        for _ in 0..25 {
            any.step().await;
        }
        let alive = any.lives_on().await;
        let slots: String = sqlx::query_scalar(
            "SELECT concat_ws(' ', 'next', next_slot, 'open', open_slot, 'last', last_slot) FROM job_slots WHERE job_id = $1",
        )
            .bind(any.job.0)
            .fetch_one(&pool)
            .await
            .expect("slots");
        assert!(alive, "seed {seed}:{}: {slots}", any.story);
        // It takes no more part.
        execute(&pool, "UPDATE job_slots SET next_slot = NULL, due_at = NULL, open_slot = NULL, open_since = NULL WHERE job_id = $1", any.job)
            .await;
    }
}
