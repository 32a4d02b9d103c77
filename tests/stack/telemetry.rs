//! What an operator sees: metrics, health, readiness, and outages said once.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use lgi_mm::{
    config::Settings,
    monitor::{self, Served},
    service::Outage,
    telemetry::{self, metric},
};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the lines").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_outage_is_said_once_when_it_begins_and_once_when_it_ends() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(log, || {
        let mut outage = Outage::new("the price source");
        outage.recovered();
        for _ in 0..2 {
            for error in ["refused", "timed out", "refused"] {
                outage.failed(&error);
            }
            outage.recovered();
            outage.recovered();
        }
    });
    let text = String::from_utf8(lines.0.lock().expect("the lines").clone()).expect("text");
    let levels: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(levels, ["WARN", "INFO", "WARN", "INFO"], "{text}");
    assert!(!text.contains("timed out"), "{text}");
}

/// Status and body.
async fn get(address: SocketAddr, path: &str) -> (StatusCode, String) {
    let url = format!("http://{address}{path}");
    for _ in 0..200 {
        if let Ok(response) = reqwest::get(&url).await {
            let status = response.status();
            return (status, response.text().await.expect("a body"));
        }
        // It is about to listen.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (StatusCode::GATEWAY_TIMEOUT, url)
}

/// An answer serves for a second.
async fn readiness(address: SocketAddr) -> (StatusCode, String) {
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    get(address, "/readyz").await
}

async fn assert_not_ready(address: SocketAddr, why: &str) {
    let (status, said) = readiness(address).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
    assert!(said.contains(why), "{why}: {said}");
}

async fn live_job(pool: &sqlx::PgPool) {
    sqlx::query(
        "INSERT INTO jobs (realm, chain, wallet, token_address, token_symbol, token_decimals, quote_address, quote_symbol,
                           quote_decimals, mode, status, config)
         VALUES ('live', 'base', '0x' || repeat('1', 40), '0x' || repeat('2', 40), 'TKN', 18, '0x' || repeat('3', 40),
                 'USDC', 6, 'ACCUMULATE', 'RUNNING', '{}')",
    )
    .execute(pool)
    .await
    .expect("a live job");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_health_and_readiness_are_served_until_told_to_stop() {
    let test = testkit::db().await;
    let prometheus = telemetry::install_metrics().expect("the first in this process");
    assert!(telemetry::install_metrics().is_none(), "a process counts once");
    metrics::counter!(metric::TICKS, "outcome" => "held").increment(3);
    metrics::histogram!(metric::TICK_LAG).record(0.2);

    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("its address");
    drop(free);
    let stop = CancellationToken::new();
    let served = tokio::spawn(monitor::serve(
        address,
        Served {
            prometheus,
            pool: test.pool.clone(),
            nodes: monitor::Nodes::new(),
            census: Settings::default().census(),
        },
        stop.clone(),
    ));

    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "# TYPE lgi_mm_ticks_total counter",
        "lgi_mm_ticks_total{outcome=\"held\"} 3",
        "# TYPE lgi_mm_tick_lag_seconds histogram",
        "lgi_mm_tick_lag_seconds_bucket{le=\"0.1\"} 0",
        "lgi_mm_tick_lag_seconds_bucket{le=\"0.25\"} 1",
        "lgi_mm_tick_lag_seconds_count 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(text.contains("lgi_mm_build_info{version="), "{text}");

    assert_eq!(get(address, "/healthz").await.0, StatusCode::OK);
    let ready = (StatusCode::OK, "ready\n".to_owned());
    assert_eq!(readiness(address).await, ready);

    telemetry::note_rpc("base", false);
    assert_eq!(readiness(address).await, ready, "no live job asks base");
    live_job(&test.pool).await;
    assert_not_ready(address, "no node of base has answered").await;
    telemetry::note_rpc("base", true);
    assert_eq!(readiness(address).await, ready);

    sqlx::query("ALTER TABLE apalis.jobs RENAME TO jobs_away")
        .execute(&test.pool)
        .await
        .expect("renamed");
    assert_not_ready(address, "the queue's tables cannot be read").await;
    // As after an outage: nobody gets in, and who was in is out.
    let mut admin: sqlx::PgConnection = <sqlx::PgConnection as sqlx::Connection>::connect(
        &test.url.replacen(&name(&test.url), "postgres", 1),
    )
    .await
    .expect("the server answers");
    for statement in [
        format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", name(&test.url)),
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            name(&test.url)
        ),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut admin)
            .await
            .expect("done");
    }
    assert_not_ready(address, "the database does not answer").await;
    assert_eq!(get(address, "/healthz").await.0, StatusCode::OK, "it still lives");

    stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(10), served).await;
    ended.expect("it stops").expect("no panic").expect("no error");
}

/// The database's name.
fn name(url: &str) -> String {
    let (_, rest) = url.rsplit_once('/').expect("a database");
    rest.split('?').next().expect("a name").to_owned()
}
