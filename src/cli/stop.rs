//! Signals that stop a service.

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::app::AppError;

/// Options of services that another program starts.
#[derive(Debug, Args)]
pub(super) struct ChildArgs {
    /// Stop when standard input closes, because the parent process has exited
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

impl ChildArgs {
    pub(super) const fn new(until_stdin_closes: bool) -> Self {
        Self { until_stdin_closes }
    }

    pub(super) fn watch(&self, stop: &CancellationToken) {
        if self.until_stdin_closes {
            let stop = stop.clone();
            // A thread of its own: the runtime would wait for the read to end before it stops.
            std::thread::spawn(move || {
                // However the read ends, the parent has exited.
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                stop.cancel();
            });
        }
    }
}

/// SIGTERM, SIGINT (Ctrl-C) and SIGHUP (the terminal was closed) let running tasks finish; a second one ends at once.
pub(super) fn stop_on_signal() -> Result<CancellationToken, AppError> {
    let listen = |kind| {
        signal(kind).map_err(|source| AppError::Io {
            what: "signal handler".to_owned(),
            source,
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hangup = match hangup_is_ignored() {
        true => None,
        false => Some(listen(SignalKind::hangup())?),
    };
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            let received = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                () = hung_up(hangup.as_mut()) => "SIGHUP, the terminal was closed",
            };
            if !first {
                std::process::exit(130);
            }
            info!(
                signal = received,
                "stopping: running tasks may finish, no new ones start"
            );
            stopped.cancel();
        }
    });
    Ok(stop)
}

async fn hung_up(hangup: Option<&mut Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether our parent has us ignore SIGHUP, as `nohup` does: a handler would undo that. Only Linux tells; elsewhere
/// SIGHUP stops the service.
fn hangup_is_ignored() -> bool {
    let hangup = 1_u64 << (SignalKind::hangup().as_raw_value() - 1);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & hangup != 0)
}
