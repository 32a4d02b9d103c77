//! The console in a real browser: `console/test/walk.mjs` walks through it, `console/test/many.mjs` looks at many jobs, and
//! this keeps the daemon.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use testkit::TestDb;

/// Whether there are Chromium and a console that npm has built. Without them the test says so and is over; in CI it
/// fails.
pub fn is_there() -> bool {
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
    let needed = [
        Path::new("/usr/bin/chromium").to_owned(),
        console.join("dist/index.html"),
        console.join("node_modules/playwright-core/package.json"),
    ];
    let missing: Vec<_> = needed.iter().filter(|path| !path.is_file()).collect();
    if missing.is_empty() {
        return true;
    }
    let said = format!("{missing:?} missing: scripts/test installs it");
    assert!(std::env::var_os("CI").is_none(), "{said}");
    writeln!(
        std::io::stderr(),
        "NOT RUN, the console was not looked at in a browser: {said}"
    )
    .expect("an error");
    false
}

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a walk of `console/test` with this link and these other variables, and does what it asks for.
pub async fn walk(
    script: &str,
    link: &Value,
    variables: &[(&str, &str)],
    mut carry_out: impl AsyncFnMut(&str),
) {
    let mut walk = Command::new("node");
    walk.arg(format!("test/{script}"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("console"))
        .env("LINK", link["url"].as_str().expect("a link"))
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut walk = Running(walk.spawn().expect("node"));
    let mut answers = walk.0.stdin.take().expect("its input");
    let lines = BufReader::new(walk.0.stdout.take().expect("its output")).lines();
    let mut walked = false;
    for line in lines.map_while(Result::ok) {
        walked = line == "walked";
        if !walked {
            carry_out(&line).await;
            writeln!(answers, "done").expect("it listens");
        }
    }
    assert!(walked && walk.0.wait().expect("an end").success(), "{script}");
}

struct Installation {
    db: TestDb,
    dir: tempfile::TempDir,
    address: String,
}

impl Installation {
    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        command
            .env_clear()
            .env("PATH", std::env::var("PATH").expect("PATH"))
            .env("HOME", self.dir.path())
            .env("USER", "tester")
            .env("DATABASE_URL", &self.db.url)
            .env("LGI_MM__PAPER__BLOCK_TIME", "50ms")
            .env("LGI_MM__METRICS__LISTEN", "off")
            .env("LGI_MM__TRADING__SAMPLE_INTERVAL", "1s")
            .env("LGI_MM__API__LISTEN", &self.address)
            .env("LGI_MM__DEXSCREENER__BASE_URL", "http://127.0.0.1:9")
            .env("LGI_MM__GECKOTERMINAL__BASE_URL", "http://127.0.0.1:9")
            .current_dir(self.dir.path());
        command
    }

    fn cli(&self, args: &[&str]) -> Value {
        let output = self.program().args(args).arg("--json").output().expect("a run");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// A paper job that buys every few seconds.
    fn start(&self, token: &str, symbol: &str) {
        let mut args = vec!["start", token, "--mode", "accumulate", "--symbol", symbol];
        for set in [
            "price.sources=[\"generated\"]",
            "price.generated.period=60s",
            "schedule.cron=* * * * * *",
            "accumulate.dca_interval=2s",
        ] {
            args.extend(["--set", set]);
        }
        self.cli(&args);
    }

    fn daemon(&self) -> Running {
        let mut daemon = self.program();
        daemon.arg("daemon").stdout(Stdio::null()).stderr(Stdio::null());
        Running(daemon.spawn().expect("a daemon"))
    }

    /// What the walk asks for.
    async fn carry_out(&self, wish: &str, daemon: &mut Option<Running>) {
        match wish {
            "stop the server" => drop(daemon.take()),
            "start the server" => *daemon = Some(self.daemon()),
            "pause job 1" => drop(self.cli(&["pause", "1"])),
            "put hostile text into job 2" => {
                self.cli(&["pause", "2"]);
                // The fill of a trade that is under way would clear the error.
                let open = "SELECT EXISTS (SELECT FROM trades WHERE job_id = 2 AND status IN ('PENDING', 'SUBMITTED'))";
                while sqlx::query_scalar::<_, bool>(open)
                    .fetch_one(&self.db.pool)
                    .await
                    .expect("trades")
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                let text = "UPDATE jobs SET status = 'ERROR', paused_by = NULL, failures_in_row = 3,
                            last_error = '<img src=x onerror=\"document.title=1\">' WHERE id = 2";
                sqlx::query(text).execute(&self.db.pool).await.expect("an error");
            }
            other => panic!("{other}"),
        }
    }
}

/// An installation that serves, and a link into it.
async fn served(begin: impl AsyncFnOnce(&Installation)) -> (Installation, Running, Value) {
    let begun = Instant::now();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let installation = Installation {
        db: testkit::db().await,
        dir: tempfile::tempdir().expect("a directory"),
        address,
    };
    begin(&installation).await;
    let daemon = installation.daemon();
    while std::net::TcpStream::connect(&installation.address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let link = installation.cli(&["console"]);
    (installation, daemon, link)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_jobs_are_shown_by_the_page_and_each_is_found() {
    const JOBS: i64 = 10_000;
    if !is_there() {
        return;
    }
    let (installation, daemon, link) = served(async |installation| {
        // Nothing is due while the test looks.
        let token = "0x00000000000000000000000000000000000f0000";
        let yearly = [
            "--set",
            "schedule.cron=0 0 0 1 1 *",
            "--set",
            "price.sources=[\"generated\"]",
        ];
        let start = ["start", token, "--mode", "accumulate", "--symbol", "CALM"];
        installation.cli(&[&start[..], &yearly[..]].concat());
        testkit::copy_job(&installation.db.pool, 1, JOBS - 1, 100).await;
    })
    .await;
    let last: String = sqlx::query_scalar("SELECT token_address::text FROM jobs ORDER BY id DESC LIMIT 1")
        .fetch_one(&installation.db.pool)
        .await
        .expect("the last job");
    let jobs = JOBS.to_string();
    let mut seen = 0;
    walk(
        "many.mjs",
        &link,
        &[("JOBS", &jobs), ("TOKEN", &last)],
        async |line| {
            assert!(line.starts_with("first view "), "{line}");
            seen += 1;
        },
    )
    .await;
    assert_eq!(seen, 1);
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_works_in_a_browser_through_a_restart_in_two_tabs_and_without_axe_violations() {
    if !is_there() {
        return;
    }
    let (installation, daemon, link) = served(async |installation| {
        installation.start("0x0000000000000000000000000000000000000001", "CALM");
        installation.start("0x0000000000000000000000000000000000000002", "LOUD");
    })
    .await;
    let mut daemon = Some(daemon);
    let (daemon, installation) = (&mut daemon, &installation);
    walk("walk.mjs", &link, &[], async |wish| {
        installation.carry_out(wish, daemon).await
    })
    .await;
}
