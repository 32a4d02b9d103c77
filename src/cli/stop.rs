//! Signals that stop a service.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
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

/// SIGTERM and Ctrl-C stop gently; a second one ends at once.
pub(super) fn stop_on_signal() -> Result<CancellationToken, AppError> {
    let io = |source| AppError::Io {
        what: "signal handler".to_owned(),
        source,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !first {
                std::process::exit(130);
            }
            info!("stopping: running tasks may finish, no new ones start");
            stopped.cancel();
        }
    });
    Ok(stop)
}
