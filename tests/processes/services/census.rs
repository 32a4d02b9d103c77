//! Metrics of a real run: a scheduler and a worker as processes, paper jobs trading.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lgi_mm::{
    store::orders::{self, Order},
    telemetry::{Kind, METRICS, Origin},
};

use crate::services::schedulers::job;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service and where it serves its metrics; killed when dropped.
struct Service {
    process: Child,
    port: u16,
}

impl Service {
    fn start(command: &str, url: &str, dir: &std::path::Path) -> Self {
        Self::with(command, url, dir, 1_000)
    }

    fn with(command: &str, url: &str, dir: &std::path::Path, max_jobs: u32) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let process = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
            .arg(command)
            .env("DATABASE_URL", url)
            .env("LGI_MM__METRICS__LISTEN", format!("127.0.0.1:{port}"))
            .env("LGI_MM__METRICS__CENSUS_EVERY", "1s")
            .env("LGI_MM__METRICS__MAX_JOBS", max_jobs.to_string())
            .env("LGI_MM__TRADING__CHECK_INTERVAL", "100ms")
            .env("LGI_MM__TRADING__SAMPLE_INTERVAL", "250ms")
            .env("RUST_LOG", "warn")
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("our own program");
        Self { process, port }
    }

    /// The whole page; empty while it does not listen yet.
    async fn scrape(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        match reqwest::get(&url).await {
            Ok(page) => page.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    async fn leads(&self) -> bool {
        self.scrape()
            .await
            .lines()
            .any(|line| line == "lgi_mm_census_leader 1")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a page exports: names with their types, and names with their labels.
fn exported(page: &str) -> (BTreeMap<String, String>, BTreeMap<String, BTreeSet<String>>) {
    let (mut types, mut labels) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            types.insert(name.to_owned(), kind.to_owned());
        } else if !line.is_empty() && !line.starts_with('#') {
            let (series, _) = line.rsplit_once(' ').expect("a value");
            let (name, inside) = series
                .trim_end_matches('}')
                .split_once('{')
                .unwrap_or((series, ""));
            let histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .filter(|name| types.get(*name).is_some_and(|kind| kind == "histogram"));
            let keys = inside
                .split("\",")
                .filter_map(|pair| pair.split_once("=\""))
                .map(|(key, _)| key.to_owned())
                .filter(|key| key != "le");
            labels
                .entry(histogram.unwrap_or(name).to_owned())
                .or_default()
                .extend(keys);
        }
    }
    (types, labels)
}

async fn until<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = holds().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Exported only where there is a node, a policy that refuses, a failed trade, a withdrawal, a receiver or something
/// old enough to be pruned.
const NOT_IN_THIS_RUN: [&str; 22] = [
    "lgi_mm_api_login_failures_total",
    "lgi_mm_api_request_duration_seconds",
    "lgi_mm_api_requests_total",
    "lgi_mm_chat_messages_total",
    "lgi_mm_policy_limit_usd",
    "lgi_mm_policy_used_usd",
    "lgi_mm_node_head_lag_blocks",
    "lgi_mm_node_quorum",
    "lgi_mm_rpc_compute_units_total",
    "lgi_mm_node_requests_total",
    "lgi_mm_policy_refusals_total",
    "lgi_mm_rpc_disagreements_total",
    "lgi_mm_rpc_requests_total",
    "lgi_mm_rpc_duration_seconds",
    "lgi_mm_last_trade_failure_timestamp_seconds",
    "lgi_mm_notifications_total",
    "lgi_mm_pruned_rows_total",
    "lgi_mm_slots_missed_total",
    "lgi_mm_withdrawals",
    "lgi_mm_withdrawals_gas_usd",
    "lgi_mm_withdrawals_open_age_seconds",
    "lgi_mm_withdrawals_value_usd",
];

/// A job with a stop that cannot sell. It is paused: no tick of it ends what is noted here.
async fn blocked_job(pool: &sqlx::PgPool) -> lgi_mm::domain::ids::JobId {
    let blocked = job(pool, 3, "* * * * * *").await;
    orders::order(pool, blocked, Order::Pause, "test")
        .await
        .expect("paused");
    sqlx::query(
        "UPDATE job_slots SET blocked_by = 'job.stop_blocked', blocked_since = now() WHERE job_id = $1",
    )
    .bind(blocked.0)
    .execute(pool)
    .await
    .expect("a block");
    blocked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_run_exports_what_the_table_says_and_nothing_else() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let removed = job(&db.pool, 1, "* * * * * *").await;
    let kept = job(&db.pool, 2, "* * * * * *").await;
    let blocked = blocked_job(&db.pool).await;
    let services = [
        Service::start("scheduler", &db.url, dir.path()),
        Service::start("worker", &db.url, dir.path()),
    ];
    let both = async || {
        let mut pages = String::new();
        for service in &services {
            pages += &service.scrape().await;
        }
        pages
    };
    let wanted: BTreeSet<&str> = METRICS
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !NOT_IN_THIS_RUN.contains(name))
        .collect();
    let begun = Instant::now();
    let (types, labels) = loop {
        let (types, labels) = exported(&both().await);
        let missing: Vec<&&str> = wanted
            .iter()
            .filter(|name| !labels.contains_key(**name))
            .collect();
        if missing.is_empty() {
            break (types, labels);
        }
        assert!(begun.elapsed() < PATIENCE, "never exported: {missing:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    for (name, keys) in &labels {
        let metric = METRICS.iter().find(|metric| metric.name == name);
        assert!(metric.is_some(), "{name} is not in the table");
        let metric = metric.expect("just seen");
        assert_eq!(types[name], metric.kind.to_string(), "{name}");
        let table: BTreeSet<String> = metric.labels.iter().map(|&key| key.to_owned()).collect();
        assert_eq!(*keys, table, "{name}");
    }
    let of_jobs = |page: &str| page.lines().filter(|line| line.contains("job_id=\"")).count();
    let per_job = METRICS
        .iter()
        .filter(|metric| metric.origin == Origin::Job && metric.kind == Kind::Gauge)
        .count();
    assert!(of_jobs(&both().await) <= 3 * per_job, "series of three jobs");
    let line = format!(
        "lgi_mm_job_blocked{{job_id=\"{}\",event=\"job.stop_blocked\"}} 1",
        blocked.0
    );
    assert!(both().await.contains(&line), "{line}");

    orders::order(&db.pool, removed, Order::Pause, "test")
        .await
        .expect("paused");
    let archive =
        "UPDATE jobs SET status = 'IDLE', status_before_stop = NULL, archived_at = now() WHERE id = $1";
    sqlx::query(archive)
        .bind(removed.0)
        .execute(&db.pool)
        .await
        .expect("archived");
    until("a removed job's series vanish", async || {
        let page = both().await;
        let names = |id: i64| page.contains(&format!("job_id=\"{id}\""));
        (names(kept.0) && !names(removed.0)).then_some(())
    })
    .await;
}

/// The value of a series, if it is exported.
fn value(page: &str, series: &str) -> Option<f64> {
    page.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .map(|value| value.parse().expect("a number"))
}

/// A worker that counted a failure may be killed before its counter was read: the ledger still knows when it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_trade_is_known_after_the_worker_that_counted_it_is_gone() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let failing = job(&db.pool, 1, "* * * * * *").await;
    job(&db.pool, 2, "0 0 1 1 *").await;
    let fault = std::process::Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .args(["paper", "fault", "revert", "--times", "1"])
        .env("DATABASE_URL", &db.url)
        .current_dir(dir.path())
        .status();
    assert!(fault.expect("our own program").success());
    let scheduler = Service::start("scheduler", &db.url, dir.path());
    let worker = Service::start("worker", &db.url, dir.path());
    const COUNTED: &str = "lgi_mm_trade_failures_total{reason=\"reverted\"}";
    const KNOWN: &str = "lgi_mm_last_trade_failure_timestamp_seconds{reason=\"reverted\"}";
    until("the worker counts from zero to one", async || {
        (value(&worker.scrape().await, COUNTED)? >= 1.0).then_some(())
    })
    .await;
    until("one failure is retried", async || {
        let pages = scheduler.scrape().await + &worker.scrape().await;
        (value(&pages, "lgi_mm_jobs_failing")? == 0.0).then_some(())
    })
    .await;
    drop(worker);
    let worker = Service::start("worker", &db.url, dir.path());
    until("the new worker begins at zero", async || {
        (value(&worker.scrape().await, COUNTED)? == 0.0).then_some(())
    })
    .await;
    let at: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM executed_at)::float8 FROM trades WHERE failure_kind = 'reverted'",
    )
    .fetch_one(&db.pool)
    .await
    .expect("the failed trade");
    until("the ledger's time", async || {
        let pages = scheduler.scrape().await + &worker.scrape().await;
        ((value(&pages, KNOWN)? - at).abs() < 0.001).then_some(())
    })
    .await;
    drop(worker);
    sqlx::query("UPDATE jobs SET failures_in_row = 3, backoff_until = now() + interval '1 h' WHERE id = $1")
        .bind(failing.0)
        .execute(&db.pool)
        .await
        .expect("three failures");
    until("the census counts the failing job", async || {
        (value(&scheduler.scrape().await, "lgi_mm_jobs_failing")? == 1.0).then_some(())
    })
    .await;
    orders::order(&db.pool, failing, Order::Pause, "test")
        .await
        .expect("paused");
    until("a paused job does not fail", async || {
        (value(&scheduler.scrape().await, "lgi_mm_jobs_failing")? == 0.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_takes_the_census_and_another_takes_over_when_it_is_killed() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    job(&db.pool, 1, "* * * * *").await;
    let start = || Service::start("scheduler", &db.url, dir.path());
    let mut services = vec![start(), start(), start()];
    let first = until("a leader", async || {
        for (place, service) in services.iter().enumerate() {
            if service.leads().await {
                return Some(place);
            }
        }
        None
    })
    .await;
    for _ in 0..10 {
        let mut leaders = 0;
        for service in &services {
            let page = service.scrape().await;
            let leads = page.lines().any(|line| line == "lgi_mm_census_leader 1");
            assert_eq!(
                leads,
                page.contains("lgi_mm_job_info{"),
                "jobs come from the leader alone"
            );
            leaders += usize::from(leads);
        }
        assert_eq!(leaders, 1, "exactly one");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(services.remove(first));
    until("another leader", async || {
        let mut leaders = 0;
        for service in &services {
            leaders += usize::from(service.leads().await);
        }
        (leaders == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_bound_jobs_in_error_keep_their_series_and_the_others_are_counted() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let quiet = job(&db.pool, 1, "0 0 1 1 *").await;
    let failed = job(&db.pool, 2, "0 0 1 1 *").await;
    let sql = "UPDATE jobs SET status = 'ERROR', status_before_stop = 'RUNNING' WHERE id = $1";
    sqlx::query(sql)
        .bind(failed.0)
        .execute(&db.pool)
        .await
        .expect("an error");
    let service = Service::with("scheduler", &db.url, dir.path(), 1);
    let page = until("a census", async || {
        let page = service.scrape().await;
        page.contains("lgi_mm_job_info{").then_some(page)
    })
    .await;
    assert!(
        page.contains(&format!("job_id=\"{failed}\",status=\"ERROR\"}} 1")),
        "{page}"
    );
    assert!(!page.contains(&format!("job_id=\"{quiet}\"")), "{page}");
    assert!(page.contains("\nlgi_mm_jobs_without_series 1\n"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_process_that_serves_two_queues_is_one_worker() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let scheduler = Service::start("scheduler", &db.url, dir.path());
    // Before any worker is there that could take the census instead.
    until("the scheduler takes the census", async || {
        let page = scheduler.scrape().await;
        page.lines().any(|line| line == "lgi_mm_workers 0").then_some(())
    })
    .await;
    for processes in 1..=2 {
        let _workers: Vec<Service> = (0..processes)
            .map(|_| Service::start("worker", &db.url, dir.path()))
            .collect();
        let registered = "SELECT count(*) FROM apalis.workers";
        until("two queues for each process", async || {
            let rows: i64 = sqlx::query_scalar(registered)
                .fetch_one(&db.pool)
                .await
                .expect("a number");
            (rows == 2 * processes).then_some(())
        })
        .await;
        let expected = format!("lgi_mm_workers {processes}");
        until(&expected, async || {
            let page = scheduler.scrape().await;
            page.lines().any(|line| line == expected).then_some(())
        })
        .await;
        let doctor = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
            .args(["doctor", "--json"])
            .env("DATABASE_URL", &db.url)
            .current_dir(dir.path())
            .output()
            .expect("our own program");
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        let expected = format!("processes: {processes}, queues served: 2");
        assert!(said.contains(&expected), "{said}");
        sqlx::query("DELETE FROM apalis.workers")
            .execute(&db.pool)
            .await
            .expect("the killed workers are removed");
    }
}
