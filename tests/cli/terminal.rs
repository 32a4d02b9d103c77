//! Runs the real program against a database of the test's own.

use std::process::{Command, Output};

use sqlx::PgPool;

use crate::schemas::validate;

/// The token of every example.
pub const TOKEN: &str = "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07";

/// Prices that never move and no network: the same output at every run.
pub const QUIET: [&str; 6] = [
    "--set",
    "price.sources=[\"generated\"]",
    "--set",
    "price.generated.swing_pct=0",
    "--symbol",
    "CLAWD",
];

pub struct Terminal {
    pub pool: PgPool,
    pub url: String,
    dir: tempfile::TempDir,
}

/// What the program did.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        Self {
            code: output.status.code().expect("an exit"),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// All of it, for a snapshot.
    pub fn story(&self) -> String {
        format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

pub fn program(args: &[&str]) -> Command {
    let mut command = alone(env!("CARGO_BIN_EXE_lgi-mm"));
    command.args(args);
    command
}

/// A program with nothing of this machine's environment but the path.
fn alone(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var("PATH").expect("PATH"))
        .env("USER", "tester")
        .env("LGI_MM__PAPER__BLOCK_TIME", "50ms")
        .env("LGI_MM__DEXSCREENER__BASE_URL", "http://127.0.0.1:9");
    command
}

impl Terminal {
    pub async fn new() -> Self {
        Self::on(testkit::db().await)
    }

    /// With this database.
    pub fn on(db: testkit::TestDb) -> Self {
        Self {
            pool: db.pool,
            url: db.url,
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    /// Runs the program in a directory of its own.
    pub fn run(&self, args: &[&str]) -> Ran {
        let output = program(args)
            .env("DATABASE_URL", &self.url)
            .current_dir(self.dir.path())
            .output();
        let ran = Ran::of(&output.expect("our own program runs"));
        validate(args, ran.code, &ran.stdout, &ran.stderr);
        ran
    }

    /// The command, to be started rather than run to its end.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = program(args);
        command
            .env("DATABASE_URL", &self.url)
            .current_dir(self.dir.path());
        command
    }

    /// With one more variable in its environment.
    pub fn run_with(&self, args: &[&str], name: &str, value: impl AsRef<std::ffi::OsStr>) -> Ran {
        let output = program(args)
            .env("DATABASE_URL", &self.url)
            .env(name, value)
            .current_dir(self.dir.path())
            .output();
        let ran = Ran::of(&output.expect("our own program runs"));
        validate(args, ran.code, &ran.stdout, &ran.stderr);
        ran
    }

    /// With a terminal of its own, which `script` makes, and with this editor.
    pub fn run_with_editor(&self, args: &[&str], editor: &str) -> Ran {
        let line = [&[env!("CARGO_BIN_EXE_lgi-mm")], args].concat().join(" ");
        let output = alone("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env("DATABASE_URL", &self.url)
            .env("EDITOR", editor)
            .env("TMPDIR", self.dir.path())
            .current_dir(self.dir.path())
            .stdin(std::process::Stdio::null())
            .output();
        Ran::of(&output.expect("script runs"))
    }

    /// On a terminal of this many columns, which `script` makes; what it shows, without carriage returns.
    pub fn at_columns(&self, columns: u16, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        let line = format!(
            "stty cols {columns} rows 50; {} {}",
            env!("CARGO_BIN_EXE_lgi-mm"),
            quoted.join(" ")
        );
        let output = alone("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env("DATABASE_URL", &self.url)
            .env("TERM", "xterm")
            .envs(variables.iter().copied())
            .current_dir(self.dir.path())
            .stdin(std::process::Stdio::null())
            .output();
        let mut ran = Ran::of(&output.expect("script runs"));
        ran.stdout = ran.stdout.replace('\r', "");
        ran
    }

    /// A line of a shell on a terminal; PROGRAM stands for ours.
    pub fn shell_on_terminal(&self, line: &str) -> String {
        let line = line.replace("PROGRAM", env!("CARGO_BIN_EXE_lgi-mm"));
        let output = alone("script")
            .args([
                "--quiet",
                "--return",
                "--command",
                &format!("stty cols 120 rows 30; {line}"),
                "/dev/null",
            ])
            .env("DATABASE_URL", &self.url)
            .env("TERM", "xterm")
            .current_dir(self.dir.path())
            .stdin(std::process::Stdio::null())
            .output();
        Ran::of(&output.expect("script runs")).stdout
    }

    /// On a terminal of its own, which `script` makes, where this is typed. What a terminal shows is all one stream.
    pub fn on_a_terminal(&self, args: &[&str], typed: &str) -> Ran {
        use std::io::Write as _;

        let line = [&[env!("CARGO_BIN_EXE_lgi-mm")], args].concat().join(" ");
        let mut script = alone("script")
            .args([
                "--quiet",
                "--return",
                "--echo",
                "never",
                "--command",
                &line,
                "/dev/null",
            ])
            .env("DATABASE_URL", &self.url)
            .current_dir(self.dir.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("script runs");
        let mut input = script.stdin.take().expect("its input");
        input.write_all(typed.as_bytes()).expect("typed");
        drop(input);
        let mut ran = Ran::of(&script.wait_with_output().expect("script ends"));
        ran.stdout = ran.stdout.replace("\r\n", "\n");
        ran
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran.stdout
    }

    pub fn start(&self, more: &[&str]) -> String {
        self.ok(&[&["start", TOKEN, "--mode", "accumulate"], QUIET.as_slice(), more].concat())
    }

    /// Writes a file into the program's directory.
    pub fn file(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).expect("a file");
    }

    /// How much there is in the ledger: bad input must not change it.
    pub async fn rows(&self) -> i64 {
        let sql = "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM job_events) + (SELECT count(*) FROM trades)
                        + (SELECT count(*) FROM audit) + (SELECT coalesce(sum(version), 0)::bigint FROM jobs)";
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("rows")
    }
}

/// What differs from run to run.
pub fn settled() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(
        r"(\d{4}-\d\d-\d\d |tomorrow |yesterday )?\d\d:\d\d(:\d\d)? ([A-Z]+) \((in )?\d[^)]*\)",
        "[near] $3",
    );
    settings.add_filter(r"\(in (\d+ [dhms] ?)+\)", "(in [distance])");
    settings.add_filter(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "[time]");
    settings.add_filter(r"\d\d:\d\d:\d\d", "[clock]");
    settings.add_filter(r"0x[0-9a-f]{64}", "[hash]");
    settings.add_filter(r"0x[0-9a-f]{8}\.\.", "[hash10]");
    settings.add_filter(r"-?\d+\.\d s from", "[skew] s from");
    // Whose rules are newer, and whether they are old, depends on the machine.
    settings.add_filter(
        r#"\{\s*"status": "[A-Z]+",\s*"what": "time zone rules"[^}]*\},\s*"#,
        "[time zone rules] ",
    );
    settings.add_filter("PostgreSQL [^\"]+", "PostgreSQL [version and place]");
    settings.add_filter(r"127\.0\.0\.1:9464, [a-z -]+", "[metrics]");
    settings.add_filter(
        r"no jobs in the database [^;]+;",
        "no jobs in the database [place];",
    );
    settings.bind_to_scope()
}
