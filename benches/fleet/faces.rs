//! The HTTP API next to a fleet that trades: 200 pages of the list a second, and what that does to the lateness of ticks;
//! and how soon the console shows the first of them.

use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    process::{Child, Command},
    sync::Mutex,
    task::JoinSet,
    time::MissedTickBehavior,
};

use crate::{
    Plan,
    fleet::{self, Processes, Work, count},
    lag::{NOTE, lateness, spread},
    report::Report,
    server::Postgres,
    ticks::{SETTLED, YEARLY, as_f64},
};

const JOBS: i64 = 10_000;
const WORKERS: usize = 1;
/// Requests a second.
const RATE: u32 = 200;
/// Jobs of a page.
const PAGE: i64 = 100;
/// One job of this many buys at each of its ticks.
const BUYER: i64 = 20;
const WALLETS: i64 = 100;
/// How often the console is opened.
const VIEWS: usize = 5;

pub async fn run(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    let pool = postgres.database("fleet").await;
    fleet::create(&pool, JOBS, Work::Hold, YEARLY, WALLETS).await;
    sqlx::query(
        "UPDATE jobs SET config = jsonb_set(config, '{accumulate,dca_interval}', '\"1s\"') WHERE id % $1 = 0",
    )
    .bind(BUYER)
    .execute(&pool)
    .await
    .expect("buyers");
    for statement in NOTE {
        sqlx::query(statement).execute(&pool).await.expect("a trigger");
    }
    let url = postgres.url("fleet");
    let processes = Processes::start(&url, WORKERS);
    spread(&pool).await;
    tokio::time::sleep(Duration::from_secs(70)).await;
    for (load, asked) in [("alone", false), ("next to 200 pages a second", true)] {
        sqlx::query("TRUNCATE recorded")
            .execute(&pool)
            .await
            .expect("a new count");
        let (begun, before) = (Instant::now(), count(&pool, SETTLED).await);
        match asked {
            true => ask(&url, plan.lag, report).await,
            false => tokio::time::sleep(plan.lag).await,
        }
        let rate = as_f64(count(&pool, SETTLED).await - before) / begun.elapsed().as_secs_f64();
        report.figure("lateness", format!("trades meanwhile, {load}"), rate, "/s");
        let what = format!("{JOBS} jobs, one tick a minute each, {load}");
        lateness(&pool, report, &what).await;
    }
    look(&url, report).await;
    processes.stop().await;
    pool.close().await;
    postgres.drop("fleet").await;
}

/// Opens the console in a new Chromium each time, while the fleet trades.
async fn look(url: &str, report: &mut Report) {
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
    if !Path::new("/usr/bin/chromium").is_file() || !console.join("node_modules/playwright-core").is_dir() {
        eprintln!("    the console was not opened: scripts/test installs Chromium and playwright-core");
        return;
    }
    let (mut serving, address) = serve(url).await;
    let mut times = Vec::new();
    for _ in 0..VIEWS {
        let mut link = program(url);
        link.env("LGI_MM__API__LISTEN", address.to_string());
        let made = link.args(["console", "--json"]).output().await.expect("a link");
        let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        let walk = Command::new("node")
            .arg("test/many.mjs")
            .current_dir(&console)
            .env("LINK", made["url"].as_str().expect("a link"))
            .env("JOBS", JOBS.to_string())
            .output()
            .await
            .expect("node");
        assert!(walk.status.success(), "{}", String::from_utf8_lossy(&walk.stderr));
        let said = String::from_utf8_lossy(&walk.stdout);
        let time = said
            .lines()
            .find_map(|line| line.strip_prefix("first view ")?.strip_suffix(" ms"));
        times.push(time.and_then(|time| time.parse().ok()).expect("a time"));
    }
    report.median("faces", "first view of the console", times, "ms");
    drop(serving.stdin.take());
    serving.wait().await.expect("an end");
}

/// Our program with this database.
fn program(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command
        .env("DATABASE_URL", url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__API__REQUESTS_PER_SECOND", "1000")
        .env_remove("RUST_LOG")
        .kill_on_drop(true);
    command
}

async fn token(url: &str) -> String {
    let new = ["token", "new", "--role", "viewer", "--name", "bench", "--json"];
    let made = program(url).args(new).output().await.expect("a token");
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    made["secret"].as_str().expect("a token").to_owned()
}

/// A server of the API and of the console, and where it listens.
async fn serve(url: &str) -> (Child, SocketAddr) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let serve = ["serve", "--until-stdin-closes", "--listen", &address.to_string()];
    let mut serving = program(url);
    serving
        .args(serve)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let serving = serving.spawn().expect("our own program");
    while std::net::TcpStream::connect(address).is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (serving, address)
}

/// Asks for pages for this long, at a fixed rate, whatever the answers take.
async fn ask(url: &str, lasts: Duration, report: &mut Report) {
    let token = token(url).await;
    let (mut serving, address) = serve(url).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let took = Arc::new(Mutex::new(Vec::new()));
    let mut requests = JoinSet::new();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    let mut number = 0_i64;
    while begun.elapsed() < lasts {
        pace.tick().await;
        number += 1;
        let after = number * PAGE % JOBS;
        let request = client.get(format!("http://{address}/api/v1/jobs?limit={PAGE}&after={after}"));
        let (request, took) = (request.bearer_auth(&token), took.clone());
        requests.spawn(async move {
            let begun = Instant::now();
            let answer = request.send().await.and_then(reqwest::Response::error_for_status);
            // The server refuses connections beyond its limit; that request has no page.
            if let Ok(answer) = answer
                && answer.bytes().await.is_ok()
            {
                took.lock().await.push(begun.elapsed());
            }
        });
        while requests.try_join_next().is_some() {}
    }
    let seconds = begun.elapsed().as_secs_f64();
    while requests.join_next().await.is_some() {}
    drop(serving.stdin.take());
    serving.wait().await.expect("an end");
    let mut took = took.lock().await;
    took.sort_unstable();
    let answered = i64::try_from(took.len()).expect("a small number");
    report.figure(
        "faces",
        "pages answered",
        as_f64(answered) / seconds,
        "per second",
    );
    report.figure("faces", "requests without a page", as_f64(number - answered), "");
    for (name, place) in [("p50", took.len() / 2), ("p99", took.len() * 99 / 100)] {
        let one = took.get(place).copied().unwrap_or_default();
        report.figure(
            "faces",
            format!("time of a page, {name}"),
            one.as_secs_f64() * 1_000.0,
            "ms",
        );
    }
}
