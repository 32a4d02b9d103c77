//! Any sequence of orders against a model of what the ledger should say.

use std::collections::BTreeMap;

use lgi_mm::{
    domain::{
        ids::{AuditId, JobId},
        job::JobStatus,
        span::Span,
    },
    store::{
        bulk::{self, Selection},
        jobs::{self, Filter},
        orders::{self, Order},
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::PgPool;

use super::{LIQUIDATE, fail, pause, running, slots_fit, statuses, undo};

type Model = BTreeMap<JobId, Expected>;

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

/// Pauses some jobs, or all of one status.
async fn pause_some(pool: &PgPool, rng: &mut StdRng, model: &mut Model, some: &[JobId]) -> Option<AuditId> {
    let status = rng.random_bool(0.3).then_some(JobStatus::Running);
    let jobs = rng.random_bool(0.6).then(|| some.to_vec());
    let chosen = |id: &JobId| jobs.as_ref().is_none_or(|jobs| jobs.contains(id));
    let mut fits = Vec::new();
    for (id, job) in model.iter() {
        if chosen(id) && status.is_none_or(|status| job.status == status) {
            fits.push(*id);
        }
    }
    let selection = Selection {
        jobs: jobs.clone(),
        status,
        ..Selection::default()
    };
    let (number, _) = pause(pool, selection).await;
    for id in fits {
        model.get_mut(&id).expect("a job").pause(number);
    }
    number
}

async fn undo_one(pool: &PgPool, model: &mut Model, number: AuditId) {
    undo(pool, number).await;
    for job in model.values_mut() {
        match job.paused_by {
            Some((by, JobStatus::Error)) if by == number => job.set(JobStatus::Error),
            Some((by, _)) if by == number => job.set(job.before_stop),
            _ => {}
        }
    }
}

async fn edit(pool: &PgPool, rng: &mut StdRng, one: JobId) {
    let all = jobs::list(pool, &Filter::default()).await.expect("jobs");
    let job = all.iter().find(|job| job.id == one).expect("the job");
    let mut config = job.config.clone();
    config.schedule.jitter = Span::from_millis(rng.random_range(0..900));
    orders::configure(pool, job, &config, "test")
        .await
        .expect("edited");
}

async fn step(pool: &PgPool, rng: &mut StdRng, model: &mut Model, pauses: &mut Vec<AuditId>) {
    let some: Vec<JobId> = model.keys().copied().filter(|_| rng.random_bool(0.5)).collect();
    let one = *model.keys().nth(rng.random_range(0..model.len())).expect("a job");
    match rng.random_range(0..8) {
        0 | 1 => pauses.extend(pause_some(pool, rng, model, &some).await),
        2 | 3 => {
            if let Some(number) = pauses.get(rng.random_range(0..pauses.len().max(1))) {
                undo_one(pool, model, *number).await;
            }
        }
        4 => {
            bulk::order(pool, &some, Order::Resume, None, "test")
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
        6 => edit(pool, rng, one).await,
        _ => {
            let order = if rng.random_bool(0.3) {
                LIQUIDATE
            } else {
                Order::Pause
            };
            bulk::order(pool, &[one], order, None, "test")
                .await
                .expect("an answer");
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
