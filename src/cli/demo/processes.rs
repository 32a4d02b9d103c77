//! The processes of the demo, and how they are killed.

use std::{
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};
use ulid::Ulid;

use crate::app::AppError;

/// Time between two kills.
const KILL_EVERY: Duration = Duration::from_secs(3);

/// Schedulers and workers.
pub(super) struct Fleet {
    /// Environment that points to the database and, for live trading, the chain.
    environment: Vec<(String, String)>,
    metrics: SocketAddr,
    children: Vec<(&'static str, Child)>,
    kills: usize,
    last_kill: Instant,
}

impl Fleet {
    /// One scheduler and two workers; two and three with `--crash`.
    pub(super) fn start(environment: Vec<(String, String)>, crash: bool) -> Result<Self, AppError> {
        let kinds: &[&'static str] = if crash {
            &["scheduler", "scheduler", "worker", "worker", "worker"]
        } else {
            &["scheduler", "worker", "worker"]
        };
        let mut fleet = Self {
            environment,
            metrics: free_address()?,
            children: vec![],
            kills: 0,
            last_kill: Instant::now(),
        };
        for (index, kind) in kinds.iter().enumerate() {
            // One of them serves metrics.
            let watched = index + 1 == kinds.len();
            let child = fleet.spawn(kind, watched)?;
            fleet.children.push((kind, child));
        }
        Ok(fleet)
    }

    fn spawn(&self, kind: &str, watched: bool) -> Result<Child, AppError> {
        let io = |source| AppError::Io {
            what: format!("starting a {kind}"),
            source,
        };
        let program = std::env::current_exe().map_err(io)?;
        let listen = if watched {
            self.metrics.to_string()
        } else {
            "off".to_owned()
        };
        let mut command = Command::new(program);
        command
            .args([kind, "--until-stdin-closes"])
            .env("LGI_MM__METRICS__LISTEN", listen)
            .env("LGI_MM__LOG__FILTER", "off")
            .env("LGI_MM__PAPER__BLOCK_TIME", "250ms")
            .env("LGI_MM__TRADING__SAMPLE_INTERVAL", "250ms")
            .env("LGI_MM__TRADING__CHECK_INTERVAL", "250ms")
            .env("LGI_MM__WORKER__HEARTBEAT", "300ms")
            .env("LGI_MM__WORKER__LEASE", "1500ms")
            .env("LGI_MM__SCHEDULER__SETTLE_LEASE", "2s")
            // No notifications of invented trades.
            .env("LGI_MM__NOTIFY__DELIVER", "false")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is handled by us: the processes finish what they have started.
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().map_err(io)
    }

    pub(super) const fn metrics_address(&self) -> SocketAddr {
        self.metrics
    }

    pub(super) const fn kills(&self) -> usize {
        self.kills
    }

    pub(super) const fn size(&self) -> usize {
        self.children.len()
    }

    /// Kills one process when due, and restarts those that have ended.
    pub(super) async fn keep_up(&mut self, crash: bool) -> Result<(), AppError> {
        if crash && self.last_kill.elapsed() >= KILL_EVERY {
            self.last_kill = Instant::now();
            // A new UUID is random enough to choose a victim.
            let victim =
                usize::try_from(Ulid::generate().random() % 1_000).unwrap_or(0) % self.children.len().max(1);
            if let Some((_, child)) = self.children.get_mut(victim)
                && child.kill().await.is_ok()
            {
                self.kills += 1;
            }
        }
        let count = self.children.len();
        for index in 0..count {
            let Some((kind, child)) = self.children.get_mut(index) else {
                continue;
            };
            if let Ok(Some(_)) = child.try_wait() {
                let kind = *kind;
                let fresh = self.spawn(kind, index + 1 == count)?;
                if let Some(place) = self.children.get_mut(index) {
                    *place = (kind, fresh);
                }
            }
        }
        Ok(())
    }

    /// Stops all gracefully.
    pub(super) async fn stop(&mut self) {
        for (_, child) in &self.children {
            if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                // A process that has already exited is fine.
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
        }
        for (_, child) in &mut self.children {
            if tokio::time::timeout(Duration::from_secs(10), child.wait())
                .await
                .is_err()
            {
                let _ = child.kill().await;
            }
        }
    }
}

/// A free address.
fn free_address() -> Result<SocketAddr, AppError> {
    let io = |source| AppError::Io {
        what: "a free port on 127.0.0.1".to_owned(),
        source,
    };
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(io)
}
