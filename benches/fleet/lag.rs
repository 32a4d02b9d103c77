//! Lateness: the time from a slot to its recorded tick. Measured by the database, not by our own metrics: a trigger of
//! the benchmark records when each slot was recorded. That is later than the tick's start by the duration of the tick.

use std::time::Duration;

use sqlx::PgPool;

use crate::{
    Plan,
    fleet::{self, Processes, Work},
    report::Report,
    server::Postgres,
    ticks::{YEARLY, as_f64},
};

const JOBS: i64 = 10_000;
const WORKERS: usize = 1;

pub const NOTE: [&str; 3] = [
    "CREATE UNLOGGED TABLE recorded (job_id bigint NOT NULL, slot timestamptz NOT NULL, at timestamptz NOT NULL)",
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO recorded SELECT n.job_id, n.last_slot, clock_timestamp()
         FROM new_rows n JOIN old_rows o USING (job_id) WHERE n.last_slot IS DISTINCT FROM o.last_slot;
         RETURN NULL;
     END $$",
    "CREATE TRIGGER note AFTER UPDATE ON job_slots REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
     FOR EACH STATEMENT EXECUTE FUNCTION note()",
];

/// Slots spread over the minute, then all in the same second.
pub async fn run(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    let pool = postgres.database("fleet").await;
    fleet::create(&pool, JOBS, Work::Hold, YEARLY, 1).await;
    for statement in NOTE {
        sqlx::query(statement).execute(&pool).await.expect("a trigger");
    }
    let processes = Processes::start(&postgres.url("fleet"), WORKERS);
    spread(&pool).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    sqlx::query("TRUNCATE recorded")
        .execute(&pool)
        .await
        .expect("a new count");
    let before = processes.used(postgres);
    tokio::time::sleep(plan.lag).await;
    let after = processes.used(postgres);
    let minutes = plan.lag.as_secs() / 60;
    lateness(
        &pool,
        report,
        &format!("{JOBS} jobs, one tick a minute each, {minutes} minutes"),
    )
    .await;
    let seconds = plan.lag.as_secs_f64();
    for (whose, used) in [
        ("ours", after.ours - before.ours),
        ("PostgreSQL", after.postgres - before.postgres),
    ] {
        report.figure(
            "lateness",
            format!("CPU of {whose} meanwhile"),
            100.0 * used / seconds,
            "% of one core",
        );
    }
    same_second(&pool, plan, report).await;
    processes.stop().await;
    pool.close().await;
    postgres.drop("fleet").await;
}

/// One tick a minute each, the same number in every second.
pub async fn spread(pool: &PgPool) {
    let cron =
        "UPDATE jobs SET config = jsonb_set(config, '{schedule,cron}', to_jsonb(id % 60 || ' * * * * *')),
                    config_version = config_version + 1";
    sqlx::query(cron).execute(pool).await.expect("schedules");
    let slots = "UPDATE job_slots s SET next_slot = t.slot, due_at = t.slot
                 FROM (SELECT id, date_trunc('minute', now()) + (id % 60) * interval '1 second' + interval '1 minute' AS slot
                       FROM jobs) t WHERE t.id = s.job_id";
    sqlx::query(slots).execute(pool).await.expect("slots");
}

/// A burst ends when its last tick is acknowledged.
async fn same_second(pool: &PgPool, plan: &Plan, report: &mut Report) {
    sqlx::query("UPDATE jobs SET config = jsonb_set(config, '{schedule,cron}', to_jsonb($1::text)), config_version = config_version + 1")
        .bind(YEARLY)
        .execute(pool)
        .await
        .expect("schedules");
    let mut drained = Vec::new();
    for _ in 0..plan.rounds(JOBS) {
        sqlx::query("TRUNCATE recorded")
            .execute(pool)
            .await
            .expect("a new count");
        drained.push(fleet::round(pool, JOBS).await.as_secs_f64());
    }
    lateness(pool, report, &format!("{JOBS} jobs due in the same instant")).await;
    report.median(
        "lateness",
        format!("{JOBS} due at once: drained in"),
        drained,
        "s",
    );
}

pub async fn lateness(pool: &PgPool, report: &mut Report, what: &str) {
    let sql = "SELECT count(*), percentile_cont(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY extract(epoch FROM at - slot)::float8)
               FROM recorded";
    let (ticks, points): (i64, Vec<f64>) = sqlx::query_as(sql).fetch_one(pool).await.expect("ticks");
    report.figure("lateness", format!("{what}: ticks"), as_f64(ticks), "");
    for (name, seconds) in ["p50", "p99", "max"].into_iter().zip(points) {
        report.figure("lateness", format!("{what}: {name}"), seconds * 1_000.0, "ms");
    }
}
