//! What an order to several jobs does to each, and what its undo gives back.

use alloy_primitives::Address;
use lgi_mm::{
    domain::{
        ids::{AuditId, JobId},
        job::{JobStatus, Realm},
        span::Span,
        units::Usd,
    },
    store::{
        bulk::{self, Back, Selection},
        jobs::{self, Filter},
        orders::{self, Order},
    },
};
use sqlx::PgPool;

use super::{LIQUIDATE, START, fail, job, order, pause, running, slots_fit, statuses, undo};

/// One is edited, one resumed and paused again, one liquidated, one sold all and was removed.
async fn meanwhile(pool: &PgPool, edited: JobId, resumed: JobId, sold: JobId, removed: JobId) {
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

    meanwhile(pool, edited, resumed, sold, removed).await;
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

/// Each filter, and the jobs that it chooses: T1 and T4 run, T2 sells, T3 failed, `live` runs.
fn filters(paper: &[JobId], live: JobId) -> Vec<(Selection, Vec<JobId>)> {
    let upper = format!("{:#X}", Address::repeat_byte(1)).replace("0X", "0x");
    let all = Selection::default;
    let status = |status| Selection {
        status: Some(status),
        ..all()
    };
    let token = |token: &str| Selection {
        token: Some(token.to_owned()),
        ..all()
    };
    let realm = |realm| Selection {
        realm: Some(realm),
        ..all()
    };
    let named = |jobs: &[JobId]| Selection {
        jobs: Some(jobs.to_vec()),
        ..all()
    };
    let on_unichain = Selection {
        chain: Some("unichain".to_owned()),
        ..all()
    };
    let paper_running = Selection {
        realm: Some(Realm::Paper),
        ..status(JobStatus::Running)
    };
    vec![
        (realm(Realm::Live), vec![live]),
        (status(JobStatus::Error), vec![paper[2]]),
        (status(JobStatus::Liquidating), vec![paper[1]]),
        (token("t4"), vec![paper[3]]),
        (token(&upper), vec![paper[0]]),
        (paper_running, vec![paper[0], paper[3]]),
        (on_unichain, vec![]),
        (named(&[paper[3], live]), vec![paper[3], live]),
        (named(&[]), vec![]),
    ]
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
    let before = statuses(pool).await;
    for (selection, expected) in filters(&paper, live) {
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
    let done = bulk::order(pool, &jobs, LIQUIDATE, None, "test")
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
