//! Throughput of a fleet of jobs, compared with other queues and with the limit, on one durable PostgreSQL server.
//! `scripts/bench` (or `just bench`) runs all of it; `--quick` runs everything once and short; names of sections
//! (ticks, trades, limit, peers, lateness, faces, growth, trips) run only those. The figures are in
//! docs/performance.md.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark says what it measured, and stops when it cannot"
)]

mod faces;
mod fleet;
mod growth;
mod lag;
mod limit;
mod peers;
mod proxy;
mod report;
mod server;
mod ticks;

use std::{fs, path::Path, process::Command, time::Duration};

use fleet::{Processes, Work};
use proxy::Proxy;
use report::{Goal, Report};
use server::Postgres;
use ticks::{YEARLY, as_f64};

/// Durations and repetitions.
pub struct Plan {
    quick: bool,
    /// Runs of each setting of a peer.
    pub peer_rounds: u32,
    /// The number of tasks of peers is divided by this.
    pub divide: i64,
    /// Warm-up before trades are counted.
    pub warm_up: Duration,
    /// Duration of counting trades.
    pub trading: Duration,
    /// Duration of measuring lateness.
    pub lag: Duration,
    /// Jobs of the large fleet.
    pub many_jobs: i64,
    /// Runs of holds in its history.
    pub many_ticks: i64,
    /// Trades in its history.
    pub many_trades: i64,
    /// Price samples of each due job, one a minute.
    pub samples_each: i64,
}

impl Plan {
    fn new(quick: bool) -> Self {
        let seconds = Duration::from_secs;
        if quick {
            return Self {
                quick,
                peer_rounds: 1,
                divide: 10,
                warm_up: seconds(3),
                trading: seconds(20),
                lag: seconds(60),
                many_jobs: 20_000,
                many_ticks: 200_000,
                many_trades: 20_000,
                samples_each: 144,
            };
        }
        Self {
            quick,
            peer_rounds: 3,
            divide: 1,
            warm_up: seconds(10),
            trading: seconds(30),
            lag: seconds(300),
            many_jobs: 100_000,
            many_ticks: 10_000_000,
            many_trades: 1_000_000,
            samples_each: 1_440,
        }
    }

    /// Number of rounds for this number of jobs.
    pub fn rounds(&self, jobs: i64) -> u32 {
        match (self.quick, jobs > 1_000) {
            (true, _) => 3,
            (false, true) => 15,
            (false, false) => 50,
        }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted = |section: &str| {
        let named: Vec<&String> = arguments
            .iter()
            .filter(|argument| !argument.starts_with('-'))
            .collect();
        named.is_empty() || named.iter().any(|name| *name == section)
    };
    let plan = Plan::new(quick);
    let postgres = Postgres::start(arguments.iter().any(|argument| argument == "statements")).await;
    let mut report = Report {
        setting: setting(&postgres),
        ..Report::default()
    };
    if wanted("growth") {
        eprintln!("growth");
        growth::run(&postgres, &plan, &mut report).await;
    }
    if wanted("lateness") {
        eprintln!("lateness");
        lag::run(&postgres, &plan, &mut report).await;
    }
    if wanted("faces") {
        eprintln!("the HTTP API next to a fleet");
        faces::run(&postgres, &plan, &mut report).await;
    }
    if wanted("limit") {
        eprintln!("limit: a loop by hand");
        limit::run(&postgres, &plan, &mut report).await;
    }
    if wanted("ticks") {
        eprintln!("ticks, end to end");
        ticks::run(&postgres, &plan, &mut report).await;
    }
    if wanted("trades") {
        eprintln!("ticks that trade");
        ticks::trading(&postgres, &plan, &mut report).await;
    }
    if wanted("peers") {
        eprintln!("peers");
        peers::run(&postgres, &plan, &mut report).await;
    }
    if arguments.iter().any(|argument| argument == "statements") {
        eprintln!("statements");
        statements(&postgres, &plan).await;
    }
    if wanted("trips") {
        eprintln!("round trips");
        trips(&postgres, &plan, &mut report).await;
    }
    report.goals = goals(&report);
    println!("{}", report.table());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/fleet.json");
    report.write(&path);
    println!("the same as JSON: {}", path.display());
}

/// Round trips of scheduler and worker together, ticks that hold.
async fn trips(postgres: &Postgres, plan: &Plan, report: &mut Report) {
    let jobs = 10_000;
    let pool = postgres.database("fleet").await;
    fleet::create(&pool, jobs, Work::Hold, YEARLY, 1).await;
    let proxy = Proxy::start(&postgres.socket_dir);
    let processes = Processes::start(&proxy.url("fleet"), 1);
    fleet::round(&pool, jobs).await;
    let (rounds, before) = (plan.rounds(jobs), proxy.trips());
    for _ in 0..rounds {
        fleet::round(&pool, jobs).await;
    }
    let trips = i64::try_from(proxy.trips() - before).expect("a count");
    processes.stop().await;
    let thousands = as_f64(jobs) * f64::from(rounds) / 1_000.0;
    report.figure(
        "cost",
        "round trips to the database",
        as_f64(trips) / thousands,
        "per 1000 ticks",
    );
    pool.close().await;
    postgres.drop("fleet").await;
}

/// Where the server's time goes, by pg_stat_statements. Not part of a full run, because collecting it costs time.
async fn statements(postgres: &Postgres, plan: &Plan) {
    let jobs = 10_000;
    let pool = postgres.database("fleet").await;
    fleet::create(&pool, jobs, Work::Hold, YEARLY, 1).await;
    let processes = Processes::start(&postgres.url("fleet"), 1);
    fleet::round(&pool, jobs).await;
    count_statements(&pool).await;
    let rounds = plan.rounds(jobs);
    for _ in 0..rounds {
        fleet::round(&pool, jobs).await;
    }
    processes.stop().await;
    show_statements(&pool, as_f64(jobs) * f64::from(rounds), "ticks that hold").await;
    pool.close().await;
    postgres.drop("fleet").await;

    for wallets in [1, 1_000] {
        let pool = postgres.database("fleet").await;
        fleet::create(&pool, 1_000, Work::Trade, "* * * * * *", wallets).await;
        let processes = Processes::start(&postgres.url("fleet"), 4);
        ticks::all_due(&pool).await;
        tokio::time::sleep(plan.warm_up).await;
        let before = fleet::count(&pool, ticks::SETTLED).await;
        count_statements(&pool).await;
        tokio::time::sleep(plan.trading).await;
        let settled = fleet::count(&pool, ticks::SETTLED).await - before;
        let what = format!("trades settled, 1000 jobs, {wallets} of their wallets");
        show_statements(&pool, as_f64(settled.max(1)), &what).await;
        processes.stop().await;
        pool.close().await;
        postgres.drop("fleet").await;
    }
}

async fn count_statements(pool: &sqlx::PgPool) {
    for statement in [
        "CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
        "SELECT pg_stat_statements_reset()",
    ] {
        sqlx::query(statement)
            .execute(pool)
            .await
            .expect("pg_stat_statements");
    }
}

async fn show_statements(pool: &sqlx::PgPool, count: f64, what: &str) {
    let sql = "SELECT calls, total_exec_time * 1000 / $1, regexp_replace(query, '\\s+', ' ', 'g')
               FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 30";
    let rows: Vec<(i64, f64, String)> = sqlx::query_as(sql)
        .bind(count)
        .fetch_all(pool)
        .await
        .expect("statements");
    let all: (i64, f64) =
        sqlx::query_as("SELECT sum(calls)::bigint, sum(total_exec_time) FROM pg_stat_statements")
            .fetch_one(pool)
            .await
            .expect("statements");
    println!("\n{count} {what}: microseconds each, calls each, statement");
    println!(
        "{:>10.2} {:>8.3} all",
        all.1 * 1000.0 / count,
        as_f64(all.0) / count
    );
    for (calls, micros, query) in rows {
        let query: String = query.chars().take(110).collect();
        println!("{micros:>10.2} {:>8.3} {query}", as_f64(calls) / count);
    }
}

fn setting(postgres: &Postgres) -> Vec<(String, String)> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    [
        (
            "processor",
            model.map_or("unknown", |(_, model)| model.trim()).to_owned(),
        ),
        ("cores", cores.to_string()),
        ("PostgreSQL", format!("{}, defaults, fsync on", postgres.version)),
        ("compiler", rustc.unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The goals, each with its measured value.
fn goals(report: &Report) -> Vec<Goal> {
    let mut goals = rates(report);
    goals.extend(promptness(report));
    goals.extend(loaded(report));
    goals
}

const fn at_least(goal: &'static str, measured: Option<f64>, bound: f64) -> Goal {
    Goal {
        goal,
        measured,
        comparison: ">=",
        bound,
    }
}

const fn at_most(goal: &'static str, measured: Option<f64>, bound: f64) -> Goal {
    Goal {
        comparison: "<=",
        ..at_least(goal, measured, bound)
    }
}

fn rates(report: &Report) -> Vec<Goal> {
    let holds = report.best("ticks", "hold ticks: 10000 jobs");
    let times = |section, name| Some(holds? / report.best(section, name)?);
    let peer = |name| times("peers, no-op tasks", name);
    let by_hand = times("limit", "by hand, reads and write of a tick");
    vec![
        at_least(
            "times graphile-worker's default",
            peer("graphile-worker: default"),
            10.0,
        ),
        at_least("times graphile-worker's best", peer("graphile-worker"), 1.0),
        at_least("times pg-boss' default", peer("pg-boss: default"), 10.0),
        at_least("times pg-boss' best", peer("pg-boss"), 1.0),
        at_least("share of the limit by hand, same reads and write", by_hand, 0.5),
        at_least(
            "share of the limit by hand, least reads and write",
            times("limit", "by hand, least"),
            0.5,
        ),
    ]
}

fn promptness(report: &Report) -> Vec<Goal> {
    let lateness = |name: &str| report.value("lateness", name);
    let p99 = report.first("lateness", "one tick a minute each", ": p99");
    let ratio = |what: &str, above: &str, below: &str| {
        let growth = |name: &str| report.value("growth", &format!("{what}: {name}"));
        Some(growth(above)? / growth(below)?)
    };
    let (few, many) = ("10,000 jobs, no history", "100,000 jobs, no history");
    let claims = ratio("claiming and queueing a due job", many, few);
    let long = ratio("hold ticks", "100,000 jobs, long history", many);
    vec![
        at_most("p99 lateness of 10,000 jobs a minute, ms", p99, 250.0),
        at_most(
            "CPU of ours for that, % of one core",
            lateness("CPU of ours meanwhile"),
            25.0,
        ),
        at_most(
            "10,000 due at once, s until drained",
            lateness("10000 due at once: drained in"),
            5.0,
        ),
        at_most("claim of a due job, 100,000 jobs against 10,000", claims, 1.1),
        at_least("rate with the long history against without", long, 0.9),
    ]
}

/// Trades, and faces next to them.
fn loaded(report: &Report) -> Vec<Goal> {
    let busy = report.first("lateness", "next to 200 pages a second", ": p99");
    let wallets = report.first("ticks", "1000 wallets", "4 workers");
    vec![
        at_least("paper trades a second over 1,000 wallets", wallets, 200.0),
        at_least(
            "pages of the list a second",
            report.value("faces", "pages answered"),
            199.0,
        ),
        at_most("p99 lateness next to them, ms", busy, 250.0),
        at_most(
            "first view of the console with 10,000 jobs, ms",
            report.value("faces", "first view of the console"),
            1_000.0,
        ),
    ]
}
