//! Every query against a real Prometheus that scrapes a real daemon, and against that daemon's database.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use sqlx::PgPool;
use testkit::programs::{free_address, program};

use crate::dashboards::{dashboards, promql, sql};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(90);
/// What a quiet run on paper has nothing to say about: nothing fails, no node is asked, nothing is pruned.
const SILENT: [&str; 7] = [
    "lgi_mm_rpc_",
    "lgi_mm_node_",
    "lgi_mm_policy_",
    "lgi_mm_pruned_rows_total",
    "lgi_mm_trade_failures_total[$__rate_interval]",
    "ALERTS{",
    "lgi_mm_signer_native_balance",
];

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(command: &mut Command) -> Process {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process(command.spawn().expect("a program"))
}

/// As Grafana would fill it in.
fn filled(query: &str) -> String {
    query.replace("$__rate_interval", "30s").replace("$job", "1")
}

fn filled_sql(query: &str) -> String {
    let mut text = query.replace("$job", "1");
    while let Some(at) = text.find("$__timeFilter(") {
        let rest = &text[at + "$__timeFilter(".len()..];
        let (column, after) = rest.split_once(')').expect("a bracket");
        text = format!("{}{column} > now() - interval '1 hour'{after}", &text[..at]);
    }
    text
}

async fn trading(url: &str, pool: &PgPool, dir: &Path, metrics: SocketAddr) -> Process {
    let daemon = spawn(
        Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
            .arg("daemon")
            .env("DATABASE_URL", url)
            .env("LGI_MM__METRICS__LISTEN", metrics.to_string())
            .env("LGI_MM__METRICS__CENSUS_EVERY", "1s")
            .env("LGI_MM__TRADING__SAMPLE_INTERVAL", "1s")
            .current_dir(dir),
    );
    let ran = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .args([
            "start",
            "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07",
            "--mode",
            "accumulate",
        ])
        .args(["--symbol", "CLAWD", "--set", "price.sources=[\"generated\"]"])
        .args([
            "--set",
            "schedule.cron=\"* * * * * *\"",
            "--set",
            "accumulate.dca_interval=\"2s\"",
            "--set",
            "accumulate.max_accumulation_usd=100000",
        ])
        .env("DATABASE_URL", url)
        .current_dir(dir)
        .output()
        .expect("our own program");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let begun = Instant::now();
    let traded = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
    while sqlx::query_scalar::<_, i64>(traded)
        .fetch_one(pool)
        .await
        .expect("a count")
        < 3
    {
        assert!(begun.elapsed() < PATIENCE, "no trades");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    daemon
}

/// How many series a query answers with, or Prometheus' error.
async fn answer(prometheus: SocketAddr, query: &str) -> Result<usize, String> {
    let base = format!("http://{prometheus}/api/v1/query");
    let url = reqwest::Url::parse_with_params(&base, [("query", query)]).expect("a URL");
    let body: Value = reqwest::get(url)
        .await
        .map_err(|error| error.to_string())?
        .json()
        .await
        .map_err(|error| error.to_string())?;
    match body["data"]["result"].as_array() {
        Some(series) => Ok(series.len()),
        None => Err(body.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_every_dashboard_answers_in_a_real_run() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let (metrics, address) = (free_address(), free_address());
    let _daemon = trading(&db.url, &db.pool, dir.path(), metrics).await;
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: daemon, static_configs: [{{targets: ['{metrics}']}}]}}]\n"
    );
    std::fs::write(dir.path().join("prometheus.yml"), config).expect("a configuration");
    let _prometheus = spawn(
        Command::new(program("prometheus"))
            .arg(format!(
                "--config.file={}",
                dir.path().join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}")),
    );
    for (name, dashboard) in dashboards() {
        for (panel, query) in promql(&dashboard) {
            let asked = filled(&query);
            let silent = SILENT.iter().any(|part| query.contains(part));
            let begun = Instant::now();
            loop {
                match answer(address, &asked).await {
                    Ok(series) if series > 0 || silent => break,
                    other => assert!(begun.elapsed() < PATIENCE, "{name}: {panel}: {asked}: {other:?}"),
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
        for (panel, query) in sql(&dashboard) {
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(filled_sql(&query)))
                .fetch_all(&db.pool)
                .await;
            let rows = rows.expect(&panel);
            let quiet = ["Sales", "Reversals", "Failed trades"].contains(&panel.as_str());
            assert!(quiet || !rows.is_empty(), "{name}: {panel}: no rows");
        }
    }
}
