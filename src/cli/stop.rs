//! When a service of this terminal or of another program is to stop.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::app::AppError;

/// For services that another program starts.
#[derive(Debug, Args)]
pub(super) struct ChildArgs {
    /// Stop when standard input closes: the parent process is gone
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
            // A thread of its own: a runtime would wait for the reading to end before it stops.
            std::thread::spawn(move || {
                // However the reading ends, the parent is gone.
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
            info!("stopping: running work may end, nothing new begins");
            stopped.cancel();
        }
    });
    Ok(stop)
}
