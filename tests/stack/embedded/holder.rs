//! Other processes that hold the server.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lgi_mm::embedded::{Options, start_or_join};
use nix::{
    sys::signal::{self, Signal},
    unistd::{Pid, User},
};
use sqlx::{Connection, PgConnection};

/// Set for a holder process: the data directory.
const DIR: &str = "EMBEDDED_TEST_HOLDER_DIR";
/// Precedes the server's address in a holder's output, after what the test harness prints.
const READY: &str = "holding ";

/// Not a test of its own: what a holder process does.
#[test]
fn hold_until_told_to_leave() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let server = start_or_join(&options(Path::new(&dir))).expect("a server");
    writeln!(std::io::stdout(), "\n{READY}{}", server.url("postgres")).expect("a reader");
    let mut rest = String::new();
    std::io::stdin().read_to_string(&mut rest).expect("input");
}

/// A durable server in `dir`.
pub fn options(dir: &Path) -> Options {
    Options {
        data_dir: Some(dir.to_owned()),
        fast: false,
        remove: false,
    }
}

/// A process that holds the server.
pub struct Holder {
    process: Child,
    /// Of the database `postgres`.
    pub url: String,
}

impl Holder {
    /// A process that is about to hold the server of `dir`.
    pub fn spawn(dir: &Path) -> Child {
        let this = std::env::current_exe().expect("this test binary");
        command(&this, dir).spawn().expect("a process")
    }

    /// A process of another user that is about to hold the server of `dir`, which is theirs.
    pub fn spawn_as(user: &User, dir: &Path) -> Child {
        // They may not be able to reach the place where this binary was built.
        let program = dir.join("holder");
        std::fs::copy(std::env::current_exe().expect("this test binary"), &program).expect("a copy");
        command(&program, dir)
            .current_dir(dir)
            .uid(user.uid.as_raw())
            .gid(user.gid.as_raw())
            .spawn()
            .expect("a process")
    }

    /// Waits until it holds the server.
    pub fn ready(mut process: Child) -> Self {
        let output = BufReader::new(process.stdout.as_mut().expect("its output"));
        let url = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(READY).map(str::to_owned));
        let url = url.expect("it holds the server");
        Self { process, url }
    }

    /// A process that holds the server of `dir`.
    pub fn start(dir: &Path) -> Self {
        Self::ready(Self::spawn(dir))
    }

    /// Ends as a program does.
    pub fn leave(mut self) {
        drop(self.process.stdin.take());
        // What it still prints has to go somewhere.
        let mut rest = String::new();
        let mut output = self.process.stdout.take().expect("its output");
        output.read_to_string(&mut rest).expect("the end of its output");
        assert!(self.process.wait().expect("an end").success(), "{rest}");
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill().expect("it lives");
        self.process.wait().expect("an end");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Gone already, unless a test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args([
            "--exact",
            "embedded::holder::hold_until_told_to_leave",
            "--nocapture",
        ])
        .env(DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Whether a process lives, or is a zombie.
pub fn alive(pid: i32) -> bool {
    signal::kill(Pid::from_raw(pid), None).is_ok()
}

/// The command lines, where the system shows them, that contain a directory's name.
pub fn processes_that_mention(dir: &Path) -> Vec<String> {
    let name = dir.to_string_lossy();
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&*name))
        .collect()
}

/// `kill -9`.
pub fn kill(pid: i32) {
    signal::kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it lives");
}

/// Waits for something to become so.
pub fn until(patience: Duration, what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < patience, "{what}: not within {patience:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A connection.
pub async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("the server answers")
}

/// Where the socket of a server with this address is.
pub fn socket_dir(url: &str) -> PathBuf {
    let options: sqlx::postgres::PgConnectOptions = url.parse().expect("an address");
    options.get_socket().expect("a socket").clone()
}
