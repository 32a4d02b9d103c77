//! A worker is killed while it gives a place of a full wallet back, or takes one that it was called to.

use std::time::{Duration, Instant};

use alloy_primitives::Address;
use lgi_mm::{
    domain::{job::JobMode, units::Amount},
    failpoint::VARIABLE,
    store::{
        jobs,
        orders::{self, Order},
    },
};
use serde_json::json;
use sqlx::PgPool;
use testkit::paper_job;

use crate::crash::{assert_the_venue_agrees, command, count};

const JOBS: u8 = 6;
const EXECUTED: &str = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";

/// Jobs of one wallet that buy once, all due now.
async fn create_jobs(pool: &PgPool) {
    let config = json!({
        "schedule": { "cron": "0 0 0 1 1 *", "jitter": "0s" },
        "price": { "sources": ["generated"] },
        "accumulate": { "dca_amount_usd": 5, "dca_interval": "1d", "dip_buy_threshold_pct": 0 },
    });
    let config: lgi_mm::domain::config::JobConfig = serde_json::from_value(config).expect("a configuration");
    for number in 1..=JOBS {
        let new = paper_job(
            Address::repeat_byte(number),
            format!("T{number}"),
            JobMode::Accumulate,
            config.clone(),
        );
        let job = jobs::create(pool, &new, "test").await.expect("create");
        let start = Order::Start {
            deposit: Amount::ZERO,
        };
        orders::order(pool, job, start, "test").await.expect("start");
    }
    sqlx::query("UPDATE job_slots SET next_slot = now(), due_at = now()")
        .execute(pool)
        .await
        .expect("due jobs");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_place_is_handed_on_every_trade_has_its_turn() {
    // Before and after the fill that gives the place back; before and after the nonce is taken, the first and a
    // later one.
    for place in [
        "filling",
        "filled",
        "signed",
        "recorded",
        "signed@3",
        "recorded@3",
        "filled@3",
    ] {
        let db = testkit::db().await;
        create_jobs(&db.pool).await;
        let run = |kind: &str, place: Option<&str>| {
            let mut command = command(kind, &db.url);
            command.env("LGI_MM__TRADING__PIPELINE_MAX", "1");
            if let Some(place) = place {
                command.env(VARIABLE, place);
            }
            command.spawn().expect("our own program starts")
        };
        let _scheduler = run("scheduler", None);
        let mut dying = run("worker", Some(place));
        // Waiting for it would close this, and stop it.
        let _stdin = dying.stdin.take();
        let ended = tokio::time::timeout(Duration::from_secs(60), dying.wait()).await;
        let killed = ended.is_ok_and(|ended| ended.is_ok_and(|status| !status.success()));
        assert!(killed, "{place} was not reached");
        let before = count(&db.pool, EXECUTED).await;
        assert!(before < i64::from(JOBS), "{place}: nobody waited any more");
        let _living = run("worker", None);
        let begun = Instant::now();
        while count(&db.pool, EXECUTED).await < i64::from(JOBS) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{place}: {before} before, {} after",
                count(&db.pool, EXECUTED).await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(
            count(&db.pool, "SELECT count(*) FROM transactions").await,
            i64::from(JOBS),
            "{place}"
        );
        assert_eq!(count(&db.pool, "SELECT count(*) FROM turns").await, 0, "{place}");
        assert_the_venue_agrees(&db.pool).await;
    }
}
