//! Our program as a process.

use std::process::Stdio;

use tokio::process::Command;

use crate::lgi_mm;

/// `lgi-mm daemon` on this database, in a hurry: short leases and intervals, no metrics port, only warnings logged.
/// Killed when it is dropped.
pub fn quick_daemon(url: &str) -> Command {
    let mut command = Command::new(lgi_mm());
    command
        .arg("daemon")
        .env("DATABASE_URL", url)
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__LOG__FILTER", "warn")
        .env("LGI_MM__TRADING__CHECK_INTERVAL", "50ms")
        .env("LGI_MM__TRADING__SAMPLE_INTERVAL", "250ms")
        .env("LGI_MM__WORKER__HEARTBEAT", "100ms")
        .env("LGI_MM__WORKER__LEASE", "500ms")
        .env("LGI_MM__SCHEDULER__SETTLE_LEASE", "1s")
        .env("LGI_MM__SCHEDULER__TICK_LEASE", "5s")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}
