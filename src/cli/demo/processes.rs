//! The processes of the demo, what their logs say about trades, and how they are killed.

use std::{
    collections::{BTreeSet, HashMap},
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
};
use ulid::Ulid;

use crate::{app::AppError, domain::ids::TradeId};

/// Time between two kills.
const KILL_EVERY: Duration = Duration::from_secs(3);
/// How long a kill waits for a worker in the middle of a trade, before it takes any process.
const WAIT_FOR_TRADE: Duration = Duration::from_secs(1);
/// Every third kill takes any process, schedulers included.
const ANY_EVERY: usize = 3;
/// Lines of the engine about trades. What a process finds when it starts is no work on a trade.
const LOG_FILTER: &str = "off,lgi_mm::engine=info,lgi_mm::engine::recover=off";

const SCHEDULER: &str = "scheduler";
const WORKER: &str = "worker";

/// Schedulers and workers.
pub(super) struct Fleet {
    /// Environment that points to the database and, for live trading, the chain.
    environment: Vec<(String, String)>,
    metrics: SocketAddr,
    crash: bool,
    children: Vec<Process>,
    /// Schedulers and workers started so far.
    started: HashMap<&'static str, usize>,
    kills: usize,
    last_kill: Instant,
    said: (UnboundedSender<Said>, UnboundedReceiver<Said>),
    /// The worker that worked on a trade last.
    last_worker: HashMap<TradeId, usize>,
}

struct Process {
    kind: &'static str,
    /// Among those of its kind; a replacement gets the next one.
    number: usize,
    child: Child,
}

/// A log line about a trade.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    worker: usize,
    trade: TradeId,
}

/// A process that was killed.
#[derive(Debug)]
pub(super) struct Killed {
    /// `worker 2`
    pub(super) name: String,
    pub(super) pid: u32,
    /// Number of the worker, and the trades that it was the last to work on; none for a scheduler.
    pub(super) worker: Option<(usize, BTreeSet<TradeId>)>,
}

impl Fleet {
    /// One scheduler and two workers; two and three with `--crash`.
    pub(super) fn start(environment: Vec<(String, String)>, crash: bool) -> Result<Self, AppError> {
        let kinds: &[&'static str] = if crash {
            &[SCHEDULER, SCHEDULER, WORKER, WORKER, WORKER]
        } else {
            &[SCHEDULER, WORKER, WORKER]
        };
        let mut fleet = Self {
            environment,
            metrics: free_address()?,
            crash,
            children: vec![],
            started: HashMap::new(),
            kills: 0,
            last_kill: Instant::now(),
            said: mpsc::unbounded_channel(),
            last_worker: HashMap::new(),
        };
        for (index, kind) in kinds.iter().enumerate() {
            // One of them serves metrics.
            let process = fleet.spawn(kind, index + 1 == kinds.len())?;
            fleet.children.push(process);
        }
        Ok(fleet)
    }

    fn spawn(&mut self, kind: &'static str, watched: bool) -> Result<Process, AppError> {
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
            .env_remove("RUST_LOG")
            .env("LGI_MM__LOG__FORMAT", "json")
            .env("LGI_MM__LOG__FILTER", LOG_FILTER)
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
            .stderr(Stdio::piped())
            // Ctrl-C is handled by us: the processes finish what they have started.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(io)?;
        let number = self.started.entry(kind).or_default();
        *number += 1;
        if let Some(log) = child.stderr.take() {
            tokio::spawn(listen_to(log, *number, self.said.0.clone()));
        }
        Ok(Process {
            kind,
            number: *number,
            child,
        })
    }

    pub(super) const fn metrics_address(&self) -> SocketAddr {
        self.metrics
    }

    pub(super) const fn kills(&self) -> usize {
        self.kills
    }

    /// Number of the worker that worked on a trade last.
    pub(super) const fn last_worker(&self) -> &HashMap<TradeId, usize> {
        &self.last_worker
    }

    /// The next line about a trade. Safe to drop at any time.
    pub(super) async fn heard(&mut self) -> Said {
        match self.said.1.recv().await {
            Some(said) => {
                self.note(said);
                said
            }
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// Takes in all lines that have arrived.
    pub(super) fn catch_up(&mut self) {
        while let Ok(said) = self.said.1.try_recv() {
            self.note(said);
        }
    }

    fn note(&mut self, said: Said) {
        self.last_worker.insert(said.trade, said.worker);
    }

    /// Kills the worker that has just worked on a trade, if a kill is due.
    pub(super) async fn kill_in_trade(&mut self, said: Said) -> Option<Killed> {
        let due = self.crash && self.last_kill.elapsed() >= KILL_EVERY && !self.takes_any();
        let place = self.children.iter().position(|process| {
            process.kind == WORKER && process.number == said.worker && process.child.id().is_some()
        });
        match place {
            Some(place) if due => self.kill(place).await,
            _ => None,
        }
    }

    /// Kills any process, if that is due.
    pub(super) async fn kill_any(&mut self) -> Option<Killed> {
        let due = if self.takes_any() {
            KILL_EVERY
        } else {
            KILL_EVERY + WAIT_FOR_TRADE
        };
        if !self.crash || self.last_kill.elapsed() < due {
            return None;
        }
        // A new ULID is random enough to choose a victim.
        let random = usize::try_from(Ulid::generate().random() % 1_000).unwrap_or(0);
        self.kill(random % self.children.len().max(1)).await
    }

    const fn takes_any(&self) -> bool {
        self.kills % ANY_EVERY == ANY_EVERY - 1
    }

    async fn kill(&mut self, place: usize) -> Option<Killed> {
        self.last_kill = Instant::now();
        let process = self.children.get_mut(place)?;
        let pid = process.child.id()?;
        process.child.kill().await.ok()?;
        self.kills += 1;
        let (kind, number) = (process.kind, process.number);
        // What it had written before it died.
        self.catch_up();
        let trades = self.last_worker.iter().filter(|(_, worker)| **worker == number);
        Some(Killed {
            name: format!("{kind} {number}"),
            pid,
            worker: (kind == WORKER).then(|| (number, trades.map(|(trade, _)| *trade).collect())),
        })
    }

    /// Starts processes instead of those that have ended; returns their names.
    pub(super) fn replace(&mut self) -> Result<Vec<String>, AppError> {
        let mut fresh = Vec::new();
        let count = self.children.len();
        for index in 0..count {
            let Some(process) = self.children.get_mut(index) else {
                continue;
            };
            if matches!(process.child.try_wait(), Ok(Some(_))) {
                let kind = process.kind;
                let process = self.spawn(kind, index + 1 == count)?;
                fresh.push(format!("{kind} {}", process.number));
                if let Some(place) = self.children.get_mut(index) {
                    *place = process;
                }
            }
        }
        Ok(fresh)
    }

    /// Stops all gracefully.
    pub(super) async fn stop(&mut self) {
        for process in &self.children {
            if let Some(pid) = process.child.id().and_then(|pid| i32::try_from(pid).ok()) {
                // A process that has already exited is fine.
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
        }
        for process in &mut self.children {
            if tokio::time::timeout(Duration::from_secs(10), process.child.wait())
                .await
                .is_err()
            {
                let _ = process.child.kill().await;
            }
        }
    }
}

/// Reads a process's log until it ends: a pipe that nobody reads would stop the process.
async fn listen_to(log: ChildStderr, number: usize, said: UnboundedSender<Said>) {
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(trade) = trade_of(&line) {
            // Fails only while the demo ends.
            let _ = said.send(Said {
                worker: number,
                trade,
            });
        }
    }
}

/// The trade of a JSON log line, in the line or in a span around it.
fn trade_of(line: &str) -> Option<TradeId> {
    let line: Value = serde_json::from_str(line).ok()?;
    let spans = line.get("spans").and_then(Value::as_array).into_iter().flatten();
    let mut places = std::iter::once(&line).chain(spans);
    let trade = places.find_map(|place| place.get("trade"))?;
    let number = trade.as_i64().or_else(|| trade.as_str()?.parse().ok())?;
    Some(TradeId(number))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trade_of_a_line_is_found_wherever_it_is() {
        for (line, trade) in [
            (r#"{"message":"transaction sent","trade":7}"#, Some(7)),
            (r#"{"message":"sent","trade":"8","spans":[{"trade":9}]}"#, Some(8)),
            (
                r#"{"message":"retry","spans":[{"job":1},{"trade":"9"}]}"#,
                Some(9),
            ),
            (r#"{"message":"held","job":1}"#, None),
            ("thread 'main' panicked", None),
        ] {
            assert_eq!(trade_of(line), trade.map(TradeId), "{line}");
        }
    }
}
