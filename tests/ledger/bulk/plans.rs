//! What one pause stopped is asked often, and of a large fleet: the index answers it, not a look at every job.

use std::path::Path;

use lgi_mm::{
    domain::{
        ids::{AuditId, JobId},
        span::Span,
    },
    store::{bulk, slots, views},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

const INDEX: &str = "jobs_paused_together";
/// 10,000 jobs; each of five pauses stopped 40 of them.
const FLEET: &str = "WITH made AS (
    INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
                      quote_decimals, mode, config, status, status_before_stop, paused_by)
    SELECT 'paper', 'base', '0x' || repeat('1', 40), '0x' || lpad(to_hex(n), 40, '0'), 'T' || n, 18, '0x' || repeat('3', 40),
           'USDC', 6, 'ACCUMULATE', '{}', CASE WHEN stopped THEN 'PAUSED' ELSE 'IDLE' END,
           CASE WHEN stopped THEN 'RUNNING' END, CASE WHEN stopped THEN 1 + n / 50 % 5 END
    FROM generate_series(1, 10000) n CROSS JOIN LATERAL (SELECT n % 50 = 0) pause (stopped)
    RETURNING id)
    INSERT INTO job_slots (job_id) SELECT id FROM made";

/// How often the index was read, and the whole table, by this connection and all before it.
async fn scans(one: &PgPool) -> (i64, i64) {
    sqlx::query("SELECT pg_stat_force_next_flush()")
        .execute(one)
        .await
        .expect("statistics");
    let sql =
        "SELECT i.idx_scan, t.seq_scan FROM pg_stat_user_indexes i JOIN pg_stat_user_tables t USING (relid)
               WHERE indexrelname = $1";
    sqlx::query_as(sql)
        .bind(INDEX)
        .fetch_one(one)
        .await
        .expect("scans")
}

/// The plan of the one query of the program that has this in its text, for one value.
async fn plan(one: &PgPool, part: &str, value: &str) -> String {
    let prepared = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let queries = std::fs::read_dir(prepared).expect("prepared queries");
    let texts = queries.map(|entry| {
        let text = std::fs::read(entry.expect("an entry").path()).expect("a query");
        let query: Value = serde_json::from_slice(&text).expect("JSON");
        query["query"].as_str().expect("its text").to_owned()
    });
    let found: Vec<String> = texts.filter(|text| text.contains(part)).collect();
    let [query] = found.as_slice() else {
        panic!("{part}: {found:?}")
    };
    let prepare = format!("DEALLOCATE ALL; PREPARE asked AS {query}");
    sqlx::raw_sql(AssertSqlSafe(prepare))
        .execute(one)
        .await
        .expect("prepared");
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE asked ({value})");
    let lines: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain))
        .persistent(false)
        .fetch_all(one)
        .await
        .expect("a plan");
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pause_stopped_is_found_by_its_index_among_10_000_jobs() {
    let db = testkit::db().await;
    for sql in [FLEET, "ANALYZE jobs, job_slots"] {
        sqlx::query(sql).execute(&db.pool).await.expect(sql);
    }
    let one = PgPoolOptions::new().max_connections(1).connect(&db.url).await;
    let one = one.expect("a connection");
    let stopped = "SELECT id FROM jobs WHERE paused_by = $1 AND archived_at IS NULL";
    let listed = "SELECT FROM jobs other WHERE other.paused_by = j.paused_by";
    let page: Vec<JobId> = (4901..=5000).map(JobId).collect();
    let numbers: Vec<String> = page.iter().map(|job| job.0.to_string()).collect();
    let numbers = format!("'{{{}}}'", numbers.join(","));
    for (part, value) in [(stopped, "3"), (listed, numbers.as_str())] {
        let plan = plan(&one, part, value).await;
        assert!(plan.contains(INDEX), "{part}:\n{plan}");
    }
    // The statements as the program sends them.
    let before = scans(&one).await;
    let jobs = bulk::paused_by(&one, AuditId(3)).await.expect("jobs");
    assert_eq!((jobs.len(), jobs.is_sorted()), (40, true));
    let asked = scans(&one).await;
    assert_eq!(asked, (before.0 + 1, before.1));
    let pulses = views::pulses(&one, &page).await.expect("a page");
    let together = pulses.iter().filter(|pulse| pulse.paused_by.is_some());
    assert_eq!((pulses.len(), together.count()), (100, 2));
    let listed = scans(&one).await;
    assert!(listed.0 > asked.0, "{asked:?} {listed:?}");
}

/// Statistics of times are always old: here the planner takes every slot for due, and none is.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_what_is_due_reads_no_whole_table() {
    let db = testkit::db().await;
    for sql in [
        FLEET,
        "UPDATE job_slots SET next_slot = now() - interval '1 hour', due_at = now() - interval '1 hour'",
        "ANALYZE job_slots",
        "UPDATE job_slots SET next_slot = now() + interval '1 hour', due_at = now() + interval '1 hour'",
    ] {
        sqlx::query(sql).execute(&db.pool).await.expect(sql);
    }
    let one = PgPoolOptions::new().max_connections(1).connect(&db.url).await;
    let one = one.expect("a connection");
    let read = async || -> i64 {
        sqlx::query("SELECT pg_stat_force_next_flush()")
            .execute(&one)
            .await
            .expect("statistics");
        let sql = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'job_slots'";
        sqlx::query_scalar(sql).fetch_one(&one).await.expect("scans")
    };
    let second = Span::from_secs(1);
    let before = read().await;
    // More than five times, so that a plan for all values would be made as well.
    for _ in 0..8 {
        let outlook = slots::outlook(&one, second, second).await.expect("an outlook");
        assert!(outlook.is_quiet());
        assert!(outlook.until.is_some_and(|until| until > Span::from_secs(3_000)));
    }
    assert_eq!(read().await, before);
}
