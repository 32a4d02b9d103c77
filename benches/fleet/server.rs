//! A separate durable PostgreSQL server with the default settings of a fresh install: fsync is on, nothing is tuned.

use std::{fs, path::PathBuf};

use lgi_mm::embedded::{Options, Server, start_or_join};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgPoolOptions};

/// The server, stopped when this value is dropped.
pub struct Postgres {
    server: Server,
    /// Its first process.
    postmaster: i32,
    /// As it calls itself.
    pub version: String,
    /// Where its socket is.
    pub socket_dir: PathBuf,
}

impl Postgres {
    /// Starts it in a new directory on disk. `counting`: with pg_stat_statements, which costs a little.
    pub async fn start(counting: bool) -> Self {
        let data_dir = PathBuf::from("/var/tmp").join(format!("lgi-mm-bench-{}", std::process::id()));
        let options = Options {
            data_dir: Some(data_dir),
            fast: false,
            // The directory must outlive the first start; it stays in /var/tmp.
            remove: !counting,
        };
        if counting {
            let first = start_or_join(&options).expect("a private server");
            let preload = "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'";
            let mut admin = PgConnection::connect(&first.url("postgres"))
                .await
                .expect("it answers");
            sqlx::query(preload).execute(&mut admin).await.expect("a setting");
            admin.close().await.expect("an orderly end");
            drop(first);
            // It stops by itself, because no process uses it any more.
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        }
        let server = start_or_join(&options).expect("a private server");
        let mut admin = PgConnection::connect(&server.url("postgres"))
            .await
            .expect("it answers");
        let setting = |name: &str| format!("SELECT current_setting('{name}')");
        let mut read = async |name| -> String {
            sqlx::query_scalar(AssertSqlSafe(setting(name)))
                .fetch_one(&mut admin)
                .await
                .expect("a setting")
        };
        assert_eq!(read("fsync").await, "on");
        assert_eq!(read("synchronous_commit").await, "on");
        let version = read("server_version").await;
        let socket_dir = PathBuf::from(read("unix_socket_directories").await);
        let pid_file = PathBuf::from(read("data_directory").await).join("postmaster.pid");
        let pids = fs::read_to_string(pid_file).expect("postmaster.pid");
        let postmaster = pids.lines().next().and_then(|pid| pid.parse().ok());
        Self {
            server,
            postmaster: postmaster.expect("a process number"),
            version,
            socket_dir,
        }
    }

    /// The address of a database.
    pub fn url(&self, name: &str) -> String {
        self.server.url(name)
    }

    async fn admin(&self, statement: String) {
        let mut connection = PgConnection::connect(&self.url("postgres"))
            .await
            .expect("it answers");
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .expect("a statement");
    }

    /// An empty database, with a pool on it.
    pub async fn database(&self, name: &str) -> PgPool {
        self.admin(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await;
        self.admin(format!("CREATE DATABASE {name}")).await;
        PgPoolOptions::new()
            .max_connections(8)
            .connect(&self.url(name))
            .await
            .expect("a pool")
    }

    /// Drops a database with its connections, and runs a checkpoint.
    pub async fn drop(&self, name: &str) {
        self.admin(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await;
        self.admin("CHECKPOINT".to_owned()).await;
    }

    /// CPU seconds of the server: of the processes that run and of those that have ended.
    pub fn cpu_seconds(&self) -> f64 {
        let own = Stat::of(self.postmaster).expect("the server runs");
        let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
        let children = processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(Stat::of)
            .filter(|stat| stat.parent == self.postmaster)
            .map(|stat| stat.own);
        own.own + own.reaped + children.sum::<f64>()
    }
}

/// Process statistics from `/proc`.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    parent: i32,
    /// CPU seconds of the process itself.
    pub own: f64,
    /// CPU seconds of children that have ended.
    reaped: f64,
}

impl Stat {
    /// `None` if there is no such process.
    pub fn of(process: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name in brackets may contain any character.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / 100.0);
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            reaped: ticks(13)? + ticks(14)?,
        })
    }
}

/// Peak resident memory of a process, MiB.
pub fn peak_mib(process: i32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
