//! A host that vanishes within a transaction: nobody tells the server, and its locks must be free within 30 s.
//!
//! Our program runs in a network namespace of its own and reaches the database over a pair of virtual interfaces; a
//! locked table stops it at a known place within its transaction, then the interface goes down. Only root may do that:
//! elsewhere the tests say that they were skipped.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use lgi_mm::{
    domain::{
        config::JobConfig,
        job::{JobId, JobMode},
        units::Amount,
    },
    store::{
        jobs,
        orders::{self, Order},
        session::SILENCE_MAX,
    },
};
use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction, postgres::PgPoolOptions};

/// Runs a private server as this user, as everybody's.
const NOBODY: u32 = 65_534;

/// A database server behind a network of its own.
struct Far {
    /// Between 1 and 254: its network, and the name of its namespace.
    number: u8,
    server: Option<std::process::Child>,
    _dir: tempfile::TempDir,
    url: String,
}

fn ip(args: &str) -> bool {
    let done = Command::new("ip")
        .args(args.split_whitespace())
        .stderr(Stdio::null())
        .status();
    done.is_ok_and(|status| status.success())
}

fn binaries() -> Option<PathBuf> {
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let installed = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut installed: Vec<PathBuf> = installed
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    installed.sort();
    named
        .or_else(|| installed.pop())
        .filter(|dir| dir.join("initdb").is_file())
}

impl Far {
    /// `None`: that is not possible here, which was said.
    fn new(number: u8) -> Option<Self> {
        let skip = |why: &str| {
            eprintln!("skipped: {why}");
            None
        };
        let Some(binaries) = binaries() else {
            return skip("PG_BIN names no directory with initdb");
        };
        let _ = ip(&format!("netns del {}", namespace(number)));
        let made = [
            format!("netns add {ns}", ns = namespace(number)),
            format!(
                "link add lgi{number}a type veth peer name lgi{number}b netns {}",
                namespace(number)
            ),
            format!("addr add 10.213.{number}.1/24 dev lgi{number}a"),
            format!("link set lgi{number}a up"),
            format!(
                "-n {} addr add 10.213.{number}.2/24 dev lgi{number}b",
                namespace(number)
            ),
            format!("-n {} link set lgi{number}b up", namespace(number)),
            format!("-n {} link set lo up", namespace(number)),
        ];
        if !made.iter().all(|line| ip(line)) {
            let _ = ip(&format!("netns del {}", namespace(number)));
            return skip("network namespaces need root and the program ip");
        }
        let dir = tempfile::tempdir().expect("a directory");
        let server = serve(&binaries, dir.path(), number);
        Some(Self {
            number,
            server: Some(server),
            _dir: dir,
            url: format!("postgres://postgres@10.213.{number}.1:5432/postgres?sslmode=disable"),
        })
    }

    async fn pool(&self) -> PgPool {
        let begun = Instant::now();
        loop {
            match PgPoolOptions::new().max_connections(4).connect(&self.url).await {
                Ok(pool) => return pool,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Our program, in the namespace or next to the server.
    fn daemon(&self, far: bool) -> tokio::process::Child {
        let program = env!("CARGO_BIN_EXE_lgi-mm");
        let mut command = if far {
            let mut command = tokio::process::Command::new("ip");
            command.args(["netns", "exec", &namespace(self.number), program]);
            command
        } else {
            tokio::process::Command::new(program)
        };
        command
            .arg("daemon")
            .env("DATABASE_URL", &self.url)
            .env("LGI_MM__METRICS__LISTEN", "off")
            .env("LGI_MM__LOG__FILTER", "error")
            .env("LGI_MM__PAPER__BLOCK_TIME", "200ms")
            .env("LGI_MM__TRADING__SAMPLE_INTERVAL", "250ms")
            .env("LGI_MM__TRADING__CHECK_INTERVAL", "200ms")
            .env("LGI_MM__WORKER__HEARTBEAT", "300ms")
            .env("LGI_MM__WORKER__LEASE", "1500ms")
            .env("LGI_MM__SCHEDULER__SETTLE_LEASE", "2s")
            .env("LGI_MM__SCHEDULER__TICK_LEASE", "5s")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command.spawn().expect("our own program starts")
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
        let _ = ip(&format!("netns del {}", namespace(self.number)));
        let _ = ip(&format!("link del lgi{}a", self.number));
    }
}

fn namespace(number: u8) -> String {
    format!("lgi-mm-test-{number}")
}

fn serve(binaries: &Path, dir: &Path, number: u8) -> std::process::Child {
    std::os::unix::fs::chown(dir, Some(NOBODY), Some(NOBODY)).expect("given away");
    let data = dir.join("data");
    let as_nobody = |program: &str| {
        let mut command = Command::new(binaries.join(program));
        command.uid(NOBODY).gid(NOBODY).current_dir(dir);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let made = as_nobody("initdb")
        .args(["--no-sync", "--auth=trust", "--username=postgres", "--pgdata"])
        .arg(&data)
        .status()
        .expect("initdb");
    assert!(made.success(), "initdb");
    let rules = std::fs::read_to_string(data.join("pg_hba.conf")).expect("rules");
    let rules = format!("{rules}\nhost all all 10.213.{number}.0/24 trust\n");
    std::fs::write(data.join("pg_hba.conf"), rules).expect("rules");
    as_nobody("postgres")
        .args(["-F", "-D"])
        .arg(&data)
        .arg("-k")
        .arg(dir)
        .args(["-c", &format!("listen_addresses=10.213.{number}.1")])
        .spawn()
        .expect("postgres")
}

/// A job on paper that buys every other second.
async fn job(pool: &PgPool) -> JobId {
    let config = json!({
        "schedule": { "cron": "* * * * * *" },
        "price": { "sources": ["generated"], "generated": { "seed": 1, "start_usd": 3, "swing_pct": 20, "period": "9s" } },
        "limits": { "max_trades_per_hour": 0, "max_daily_spend_usd": 0, "failure_backoff": "1s" },
        "accumulate": { "dca_amount_usd": 5, "dca_interval": "2s", "max_accumulation_usd": 2_000 },
    });
    let config: JobConfig = serde_json::from_value(config).expect("a configuration");
    let token = Address::repeat_byte(1);
    let new = testkit::paper_job(token, "FAR", JobMode::Accumulate, config);
    let id = jobs::create(pool, &new, "test").await.expect("a job");
    let start = Order::Start {
        deposit: Amount::ZERO,
    };
    orders::order(pool, id, start, "test").await.expect("started");
    id
}

async fn until(pool: &PgPool, what: &str, longest: Duration, sql: &str) -> Duration {
    let begun = Instant::now();
    loop {
        let holds: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(pool)
            .await
            .expect("an answer");
        if holds {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < longest, "never: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Nothing but `table` stops our program, within the transaction that writes there.
async fn stopped_at(pool: &PgPool, table: &'static str) -> Transaction<'static, Postgres> {
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"
    )))
    .execute(&mut *lock)
    .await
    .expect("locked");
    lock
}

/// Stopped before it writes to `table`, when it has locked rows of `held`.
async fn vanishes(number: u8, table: &'static str, held: &str) {
    let Some(far) = Far::new(number) else { return };
    let pool = far.pool().await;
    lgi_mm::store::migrate(&pool).await.expect("migrations");
    let mut gone = far.daemon(true);
    let patience = Duration::from_secs(60);
    job(&pool).await;
    let traded = "SELECT count(*) >= 1 FROM trades WHERE status = 'EXECUTED'";
    until(&pool, "a trade", patience, traded).await;
    let lock = stopped_at(&pool, table).await;
    let from_there = format!("client_addr = '10.213.{number}.2'");
    let waits = format!(
        "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                        WHERE a.{from_there} AND NOT l.granted AND l.relation = '{table}'::regclass
                          AND EXISTS (SELECT FROM pg_locks h WHERE h.pid = l.pid AND h.granted
                                      AND h.relation = '{held}'::regclass AND h.mode = 'RowExclusiveLock'))"
    );
    until(&pool, "it waits within its transaction", patience, &waits).await;
    assert!(ip(&format!(
        "-n {} link set lgi{number}b down",
        namespace(number)
    )));
    gone.kill().await.expect("killed");
    lock.commit().await.expect("unlocked");
    let none = format!(
        "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE {from_there} AND xact_start IS NOT NULL)"
    );
    until(&pool, "its transactions end", SILENCE_MAX, &none).await;
    let before: i64 = sqlx::query_scalar("SELECT count(*) FROM trades WHERE status = 'EXECUTED'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    let mut healthy = far.daemon(false);
    let on = format!("SELECT count(*) > {before} FROM trades WHERE status = 'EXECUTED'");
    until(&pool, "the wallet continues", patience, &on).await;
    healthy.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_host_vanishes_within_a_submission_loses_its_wallets_locks() {
    vanishes(11, "transactions", "signers").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_whose_host_vanishes_within_a_claim_loses_its_slots_locks() {
    vanishes(12, "apalis.jobs", "job_slots").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paper_venue_whose_host_vanishes_within_a_block_loses_its_wallets_locks() {
    vanishes(13, "paper.transfers", "paper.transactions").await;
}
