//! Log lines and metrics.

mod abilities;
mod logging;
mod metrics;
mod nodes;

use ::metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

pub use abilities::{inability, note_ability};
pub(crate) use logging::job_line;
pub use logging::{LogFormat, init_logging};
pub use metrics::{Kind, METRICS, Metric, Origin, describe, metric, page};
pub use nodes::{is_down, note_rpc};

/// Upper bounds of histogram buckets.
const SECONDS: [f64; 13] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Notes what this process is, and the fingerprint of the settings file that it has read.
pub fn note_process(role: &str, settings: &str) {
    let (role, settings) = (role.to_owned(), settings.to_owned());
    gauge!(metric::PROCESS_INFO, "role" => role, "settings" => settings).set(1.0);
}

/// Notes whether the settings file has changed since this process read it.
pub fn note_settings_changed(changed: bool) {
    gauge!(metric::SETTINGS_CHANGED).set(if changed { 1.0 } else { 0.0 });
}

/// Starts counting. `None` if this process counts already.
#[must_use]
pub fn install_metrics() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(&SECONDS).ok()?;
    let handle = builder.install_recorder().ok()?;
    metrics::describe(|origin| origin == Origin::Process);
    gauge!(metric::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Some(handle)
}
