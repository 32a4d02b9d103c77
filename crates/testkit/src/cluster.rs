//! A PostgreSQL server set up as in the compose stack: passwords, and a role for each kind of process.

use std::{
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::programs::{free_address, lgi_mm, program, root};

/// A user that every Debian system has: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

pub struct Cluster {
    server: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.server.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
        let _ = self.server.wait();
    }
}

/// Run as the server's own user.
fn as_server(command: &mut Command, dir: &Path) {
    command.current_dir(dir);
    if Uid::effective().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

fn ran(command: &mut Command) {
    let output = command.output().expect("a program");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}

impl Cluster {
    /// With the database `lgi_mm` and the roles, before any migration.
    pub async fn start() -> Self {
        let (dir, port) = (tempfile::tempdir().expect("a directory"), free_address().port());
        ran(Command::new(root().join("scripts/secrets")).arg(dir.path().join("secrets")));
        let home = dir.path().join("server");
        std::fs::create_dir(&home).expect("a directory");
        let password = home.join("password");
        std::fs::copy(dir.path().join("secrets/postgres_password"), &password).expect("a copy");
        if Uid::effective().is_root() {
            for path in [dir.path(), &home, &password] {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("a new owner");
            }
        }
        let mut initdb = Command::new(program("initdb"));
        initdb
            .arg("--pgdata")
            .arg(home.join("data"))
            .args([
                "--username=postgres",
                "--auth-host=scram-sha-256",
                "--auth-local=trust",
            ])
            .args(["--no-sync", &format!("--pwfile={}", password.display())]);
        as_server(&mut initdb, &home);
        ran(&mut initdb);
        let mut server = Command::new(program("postgres"));
        server.arg("-D").arg(home.join("data")).args(["-c", "fsync=off"]);
        server.args(["-c", &format!("port={port}"), "-c", "listen_addresses=127.0.0.1"]);
        server.args(["-c", &format!("unix_socket_directories={}", home.display())]);
        server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        as_server(&mut server, &home);
        let server = server.spawn().expect("a server");
        let cluster = Self { server, port, dir };
        let begun = Instant::now();
        while PgPool::connect(&cluster.url("postgres", "postgres"))
            .await
            .is_err()
        {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the server never answered"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let admin = PgPool::connect(&cluster.url("postgres", "postgres"))
            .await
            .expect("the server");
        sqlx::query("CREATE DATABASE lgi_mm")
            .execute(&admin)
            .await
            .expect("a database");
        admin.close().await;
        cluster.make_roles();
        cluster
    }

    /// As the image does when it creates the database.
    pub fn make_roles(&self) {
        ran(Command::new(root().join("deploy/postgres/roles.sh"))
            .env("ROLE_PASSWORDS", self.secrets())
            .env("POSTGRES_USER", "postgres")
            .env("POSTGRES_DB", "lgi_mm")
            .env("PGHOST", self.dir.path().join("server"))
            .env("PGPORT", self.port.to_string()));
    }

    pub fn secrets(&self) -> PathBuf {
        self.dir.path().join("secrets")
    }

    /// Over TCP, with the password of the role's file: `postgres`, or `engine` and so on. The scaler has none.
    pub fn url(&self, role: &str, database: &str) -> String {
        let file = self.secrets().join(format!("{role}_password"));
        let password = std::fs::read_to_string(file).expect("a password");
        let user = if role == "postgres" {
            role.to_owned()
        } else {
            format!("lgi_mm_{role}")
        };
        format!(
            "postgres://{user}:{}@127.0.0.1:{}/{database}",
            password.trim(),
            self.port
        )
    }

    pub async fn pool(&self, role: &str) -> PgPool {
        let options = PgPoolOptions::new().max_connections(2);
        let pool = options.connect(&self.url(role, "lgi_mm")).await;
        pool.expect("the role may log in")
    }

    /// Our program, as `role`.
    pub fn program(&self, role: &str, args: &[&str]) -> Command {
        let home = self.secrets();
        let home = home.parent().expect("a directory");
        let mut command = Command::new(lgi_mm());
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").expect("PATH"))
            .env("HOME", home)
            .env("DATABASE_URL", self.url(role, "lgi_mm"))
            .env("LGI_MM__METRICS__LISTEN", "off")
            .env("LGI_MM__PAPER__BLOCK_TIME", "50ms")
            .current_dir(home);
        command
    }

    /// Its standard output, if it succeeds.
    pub fn run(&self, role: &str, args: &[&str]) -> Result<String, String> {
        let output = self.program(role, args).output().expect("our own program");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }
}
