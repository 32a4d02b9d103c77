//! The job of the README: CLAWD on paper, at generated prices, one slot per second.

use std::{path::Path, process::Command};

use crate::lgi_mm;

/// Starts it by command line in the database at `url`, with these settings besides.
pub fn start(url: &str, dir: &Path, set: &[&str]) {
    let mut command = Command::new(lgi_mm());
    command
        .args(["start", "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07"])
        .args(["--mode", "accumulate", "--symbol", "CLAWD"])
        .env("DATABASE_URL", url)
        .current_dir(dir);
    for pair in ["price.sources=[\"generated\"]", "schedule.cron=* * * * * *"]
        .iter()
        .chain(set)
    {
        command.args(["--set", pair]);
    }
    let started = command.output().expect("our own program");
    let said = String::from_utf8_lossy(&started.stderr);
    assert!(started.status.success(), "{said}");
}
