//! A service reads its settings once, when it starts. It notices that the file has changed since, and logs that it
//! still uses what it has read: settings that change under open trades would need every part of a service to agree.

use std::{path::PathBuf, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    config::{NO_FILE, fingerprint},
    telemetry,
};

/// Between two looks. A file of settings is small.
const EVERY: Duration = Duration::from_secs(5);

/// Looks at the file until `stop`, and says once for each change what it means.
pub(super) async fn watch(file: Option<PathBuf>, read: String, stop: CancellationToken) {
    telemetry::note_settings_changed(false);
    let Some(file) = file else { return };
    let mut last = read.clone();
    loop {
        let now = fingerprint(Some(&file));
        telemetry::note_settings_changed(now != read);
        if now != last {
            said(&file, &read, &now);
            last = now;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn said(file: &std::path::Path, read: &str, now: &str) {
    let file = file.display();
    if now == read {
        info!(%file, "the settings file is again as this process read it");
    } else if now == NO_FILE {
        warn!(%file, "the settings file cannot be read any more; this process continues with what it has read");
    } else {
        warn!(%file, read, now, "the settings file has changed; this process uses the old settings until it is restarted");
    }
}
