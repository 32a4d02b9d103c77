//! How tables grow with ticks: `just growth`.

use std::{collections::BTreeMap, fmt::Write, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    domain::{decision::HoldReason, job::JobId, trouble::Patience, units::Price},
    store::{
        samples::SampleHigh,
        ticks::{Hold, Tick, record_holds},
    },
};
use sqlx::PgPool;
use testkit::clawd;

/// Jobs of one slice: as many as one statement records.
const JOBS: i64 = 1_000;

const MANY_JOBS: &str = "
INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
                  quote_decimals, mode, status, config)
SELECT 'paper', 'base', '0x' || repeat('1', 40), '0x' || lpad(n::text, 40, '0'), 'T', 18, '0x' || repeat('f', 40), 'USDC', 6,
       'ACCUMULATE', 'RUNNING', '{}' FROM generate_series(1, 1000) n;
INSERT INTO job_slots (job_id) SELECT id FROM jobs;";

/// A sample a minute of a thousand series.
const SAMPLES: &str = "INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
                   SELECT 'base', '0x' || lpad((n % 1000)::text, 40, '0'), 'dexscreener', at, 1.2345678901, at + interval '7 s'
                   FROM generate_series(1, $1::bigint) n
                   CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01' + (n / 1000) * interval '1 minute' AS at) t";

/// Fills, each told to one receiver.
const EVENTS: &str = "WITH written AS (
                      INSERT INTO outbox (job_id, event, payload, fanned_out_at)
                      SELECT 1 + n % 1000, 'trade.filled', jsonb_build_object('trade', n, 'side', 'BUY', 'reason', 'DCA',
                          'base_amount', '12500000000000000000', 'quote_amount', '25000000', 'price_usd', '2.0000000001',
                          'tx_hash', '0x' || repeat('a', 64)), now()
                      FROM generate_series(1, $1::bigint) n RETURNING id)
                  INSERT INTO deliveries (outbox_id, receiver, status, attempts, happened_at, ended_at)
                  SELECT id, 'ops', 'delivered', 1, now(), now() FROM written";

/// Bytes of each table and index.
async fn sizes(pool: &PgPool) -> BTreeMap<String, i64> {
    sqlx::query("CHECKPOINT")
        .execute(pool)
        .await
        .expect("a checkpoint");
    let sql = "SELECT c.relname::text, pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i')";
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(pool).await.expect("sizes");
    rows.into_iter().collect()
}

/// Records slots of all jobs by the engine's own statement; a slot's reason is what `reason` says.
async fn tick(pool: &PgPool, slots: i64, from: DateTime<Utc>, reason: impl Fn(i64) -> HoldReason) {
    let price = Price::new("1.2345678901".parse().expect("a decimal")).expect("a price");
    for slot in 0..slots {
        let at = from + TimeDelta::minutes(slot);
        let holds: Vec<Hold> = (1..=JOBS)
            .map(|job| Hold {
                tick: Tick {
                    job: JobId(job),
                    slot: at,
                },
                reason: reason(slot),
                detail: Some("the next one is due in 3h 12m".to_owned()),
                price: Some((price, at)),
                recent_high: Some(price),
                trailing_high: None,
                profit_high: None,
                stop_is_due: false,
                sample_high: Some((
                    SampleHigh {
                        price,
                        at,
                        since: from,
                    },
                    1,
                )),
            })
            .collect();
        let recorded = record_holds(pool, &holds, Patience::default())
            .await
            .expect("recorded")
            .fresh;
        assert_eq!(recorded.len(), holds.len());
    }
}

fn grown(
    story: &mut String,
    title: &str,
    before: &BTreeMap<String, i64>,
    after: &BTreeMap<String, i64>,
    rows: i64,
) {
    let _ = writeln!(story, "\n{title}, bytes for a million:");
    for (name, bytes) in after {
        let more = bytes - before.get(name).copied().unwrap_or_default();
        if more > 64 * 1_024 {
            let _ = writeln!(
                story,
                "  {name:<28} {:>12}",
                i128::from(more) * 1_000_000 / i128::from(rows)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of minutes: just growth"]
async fn growth_of_tables_for_a_million_ticks() {
    let ticks: i64 = std::env::var("LGI_MM_GROWTH")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let slots = (ticks / JOBS).max(2);
    let db = testkit::db().await;
    let pool = &db.pool;
    sqlx::raw_sql(MANY_JOBS).execute(pool).await.expect("jobs");
    let from: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut story = String::new();
    // What every job has once is not growth.
    tick(pool, 2, from - TimeDelta::days(1), |_| HoldReason::NotDue).await;

    let (begun, before) = (Instant::now(), sizes(pool).await);
    tick(pool, slots, from, |_| HoldReason::NotDue).await;
    let equal = sizes(pool).await;
    let _ = writeln!(story, "{} equal holds in {:.1?}", slots * JOBS, begun.elapsed());
    grown(&mut story, "equal holds", &before, &equal, slots * JOBS);

    let begun = Instant::now();
    let from = from + TimeDelta::minutes(slots);
    tick(pool, slots, from, |slot| {
        if slot % 2 == 0 {
            HoldReason::MaxAccumulation
        } else {
            HoldReason::NotDue
        }
    })
    .await;
    let changing = sizes(pool).await;
    let _ = writeln!(
        story,
        "\n{} holds of changing reasons in {:.1?}",
        slots * JOBS,
        begun.elapsed()
    );
    grown(
        &mut story,
        "holds of changing reasons",
        &equal,
        &changing,
        slots * JOBS,
    );

    sqlx::query(SAMPLES)
        .bind(slots * JOBS)
        .execute(pool)
        .await
        .expect("samples");
    let sampled = sizes(pool).await;
    grown(&mut story, "price samples", &changing, &sampled, slots * JOBS);

    sqlx::query(EVENTS)
        .bind(slots * JOBS)
        .execute(pool)
        .await
        .expect("events");
    let told = sizes(pool).await;
    grown(
        &mut story,
        "events of fills with one receiver",
        &sampled,
        &told,
        slots * JOBS,
    );

    let version: String = sqlx::query_scalar("SHOW server_version")
        .fetch_one(pool)
        .await
        .expect("a version");
    eprintln!("PostgreSQL {version}\n{story}");
}

/// What a trade leaves behind, by table: rows of the run of a real daemon, without their indexes.
const A_TRADE: &str = "
SELECT concat_ws(' ', name, rows, bytes) FROM (
    SELECT 'trades' AS name, count(*) AS rows, sum(pg_column_size(t.*)) AS bytes FROM trades t
    UNION ALL SELECT 'transactions', count(*), sum(pg_column_size(t.*)) FROM transactions t
    UNION ALL SELECT 'attempts', count(*), sum(pg_column_size(t.*)) FROM attempts t
    UNION ALL SELECT 'fills', count(*), sum(pg_column_size(t.*)) FROM fills t
    UNION ALL SELECT 'gas_paid', count(*), sum(pg_column_size(t.*)) FROM gas_paid t
    UNION ALL SELECT 'ticks of trades', count(*), sum(pg_column_size(t.*)) FROM ticks t WHERE outcome = 'trade'
    UNION ALL SELECT 'outbox', count(*), sum(pg_column_size(t.*)) FROM outbox t
    UNION ALL SELECT 'paper.transactions', count(*), sum(pg_column_size(t.*)) FROM paper.transactions t
    UNION ALL SELECT 'paper.transfers', count(*), sum(pg_column_size(t.*)) FROM paper.transfers t
) sizes";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of a minute: just growth"]
async fn growth_for_a_trade() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let set = ["accumulate.dca_interval=1s", "limits.max_trades_per_hour=0"];
    clawd::start(&db.url, dir.path(), &set);
    let mut daemon = std::process::Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .arg("daemon")
        .env("DATABASE_URL", &db.url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__PAPER__BLOCK_TIME", "50ms")
        .env("LGI_MM__TRADING__CHECK_INTERVAL", "100ms")
        .current_dir(dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("our own program");
    let begun = Instant::now();
    let trades = async || -> i64 {
        let sql = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
        sqlx::query_scalar(sql).fetch_one(&db.pool).await.expect("trades")
    };
    while trades().await < 30 {
        assert!(begun.elapsed().as_secs() < 120, "{} trades", trades().await);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    daemon.kill().expect("killed");
    daemon.wait().expect("an end");
    let rows: Vec<String> = sqlx::query_scalar(A_TRADE)
        .fetch_all(&db.pool)
        .await
        .expect("sizes");
    eprintln!(
        "table, rows, bytes of {} trades:\n{}",
        trades().await,
        rows.join("\n")
    );
}
