//! Orders to several jobs at once, on a real PostgreSQL: atomic, undone exactly, and without a deadlock.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test fail it by panicking"
)]

mod locks;
mod model;
mod orders_to_several;
mod plans;

use std::collections::BTreeMap;

use alloy_primitives::Address;
use lgi_mm::{
    domain::{
        config::JobConfig,
        ids::{AuditId, JobId},
        job::{JobMode, JobStatus, Realm, Transition},
        span::Span,
        units::Amount,
    },
    store::{
        bulk::{self, Back, Selection},
        jobs::{self, Filter},
        orders::{self, Order},
    },
};
use sqlx::PgPool;

pub(super) const LIQUIDATE: Order = Order::Liquidate {
    over: Span::ZERO,
    slices: 1,
};

pub(super) const START: Order = Order::Start {
    deposit: Amount::ZERO,
};

pub(super) async fn job(pool: &PgPool, number: u8, realm: Realm) -> JobId {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.schedule.cron = "* * * * * *".parse().expect("a cron line");
    config.schedule.jitter = Span::ZERO;
    let token = Address::repeat_byte(number);
    let mut new = testkit::paper_job(token, format!("T{number}"), JobMode::Accumulate, config);
    new.account.realm = realm;
    jobs::create(pool, &new, "test").await.expect("a job")
}

pub(super) async fn running(pool: &PgPool, count: u8) -> Vec<JobId> {
    let mut jobs = Vec::new();
    for number in 1..=count {
        let id = job(pool, number, Realm::Paper).await;
        order(pool, id, START).await;
        jobs.push(id);
    }
    jobs
}

pub(super) async fn order(pool: &PgPool, job: JobId, order: Order) -> Transition {
    orders::order(pool, job, order, "test")
        .await
        .expect("carried out")
}

/// As the engine does after five failures in a row.
pub(super) async fn fail(pool: &PgPool, job: JobId) {
    let sql = "WITH failed AS (
                   UPDATE jobs SET status = 'ERROR', status_before_stop = status, version = version + 1
                   WHERE id = $1 AND status IN ('RUNNING', 'LIQUIDATING') RETURNING id)
               UPDATE job_slots SET next_slot = NULL, due_at = NULL FROM failed WHERE job_id = failed.id";
    sqlx::query(sql).bind(job.0).execute(pool).await.expect("failed");
}

pub(super) async fn statuses(pool: &PgPool) -> BTreeMap<JobId, JobStatus> {
    let jobs = jobs::list(pool, &Filter::default()).await.expect("jobs");
    jobs.iter().map(|job| (job.id, job.status)).collect()
}

/// A job that trades has a next slot, any other has none.
pub(super) async fn slots_fit(pool: &PgPool) {
    let sql = "SELECT count(*) FROM jobs JOIN job_slots ON job_id = id
               WHERE (status IN ('RUNNING', 'LIQUIDATING')) <> (next_slot IS NOT NULL)
                  OR (next_slot IS NULL) <> (due_at IS NULL)";
    let wrong: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.expect("slots");
    assert_eq!(wrong, 0);
}

pub(super) async fn pause(pool: &PgPool, selection: Selection) -> (Option<AuditId>, Vec<JobId>) {
    let stopped = bulk::pause(pool, &selection, "test").await.expect("paused");
    let jobs = stopped.jobs.iter().map(|(name, _)| name.job);
    (stopped.pause, jobs.collect())
}

/// Undoes a pause; the statuses that jobs got from it.
pub(super) async fn undo(pool: &PgPool, pause: AuditId) -> Vec<(JobId, Option<JobStatus>)> {
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
