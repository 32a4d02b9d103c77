//! Tracing, and every metric name.

use std::{
    fmt::Display,
    io::IsTerminal,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, routing::get};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// Says once that something is gone, and once that it is back.
#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    since: Option<Instant>,
}

impl Outage {
    /// Nothing is wrong yet.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what, since: None }
    }

    /// It failed. Only the first failure in a row is said.
    pub fn failed(&mut self, error: &dyn Display) {
        if self.since.is_none() {
            warn!(what = self.what, %error, "not available; trying on");
            self.since = Some(Instant::now());
        }
    }

    /// It worked. Only the first success after a failure is said.
    pub fn recovered(&mut self) {
        if let Some(since) = self.since.take() {
            info!(what = self.what, after = ?since.elapsed(), "available again");
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Libraries whose lines and spans show whole URLs, which may hold keys: whatever `RUST_LOG` says, only their
/// warnings are logged.
const QUIET: [&str; 8] = [
    "alloy_transport_http",
    "alloy_transport",
    "alloy_rpc_client",
    "reqwest",
    "hyper",
    "hyper_util",
    "h2",
    "rustls",
];

/// Sends log lines to standard error. `RUST_LOG` overrides `filter`. A second call changes nothing.
pub fn init_logging(format: LogFormat, filter: &str) {
    let wanted = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(filter))
        .unwrap_or_default();
    let filter = QUIET
        .iter()
        .filter_map(|target| format!("{target}=warn").parse().ok());
    let filter = filter.fold(wanted, EnvFilter::add_directive);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Only a process that logs already refuses.
    let _ = match format {
        LogFormat::Human => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
}

/// Every metric: name, kind, meaning. Base units are in the names.
pub mod metric {
    /// Ticks by `outcome`: held, traded, repeated, failed.
    pub const TICKS: &str = "lgi_mm_ticks_total";
    /// Ticks that did not trade, by `reason`.
    pub const HOLDS: &str = "lgi_mm_holds_total";
    /// How long after its slot a tick was evaluated.
    pub const TICK_LAG: &str = "lgi_mm_tick_lag_seconds";
    /// How long evaluating one group of ticks took.
    pub const TICK_DURATION: &str = "lgi_mm_tick_duration_seconds";
    /// Trades that ended, by `side`, `reason` and `status`.
    pub const TRADES: &str = "lgi_mm_trades_total";
    /// Slots claimed.
    pub const SLOTS_CLAIMED: &str = "lgi_mm_slots_claimed_total";
    /// Slots that never ran.
    pub const SLOTS_MISSED: &str = "lgi_mm_slots_missed_total";
    /// Round trips to nodes, by `chain` and `outcome`: answered, failed.
    pub const RPC_REQUESTS: &str = "lgi_mm_rpc_requests_total";
    /// How long one round trip to a node took, by `chain`.
    pub const RPC_DURATION: &str = "lgi_mm_rpc_duration_seconds";
    /// What runs.
    pub const BUILD_INFO: &str = "lgi_mm_build_info";
}

/// Serves `/metrics`, `/healthz` (this process lives) and `/readyz` (the database answers) until `stop`.
///
/// # Errors
/// [`std::io::Error`] if the address is taken.
pub async fn serve(
    address: SocketAddr,
    prometheus: PrometheusHandle,
    pool: PgPool,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let ready = move || {
        let pool = pool.clone();
        async move {
            let answer =
                tokio::time::timeout(Duration::from_secs(2), sqlx::query("SELECT 1").execute(&pool)).await;
            match answer {
                Ok(Ok(_)) => (StatusCode::OK, "ready\n"),
                _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
            }
        }
    };
    let app = Router::new()
        .route("/metrics", get(move || std::future::ready(prometheus.render())))
        .route("/healthz", get(|| std::future::ready("alive\n")))
        .route("/readyz", get(ready));
    let listener = tokio::net::TcpListener::bind(address).await?;
    info!(address = %listener.local_addr()?, "metrics served");
    axum::serve(listener, app)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

/// Starts counting. `None` if this process counts already.
#[must_use]
pub fn install_metrics() -> Option<PrometheusHandle> {
    let seconds = [
        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ];
    let builder = PrometheusBuilder::new().set_buckets(&seconds).ok()?;
    let handle = builder.install_recorder().ok()?;
    describe_counter!(metric::TICKS, "Ticks by outcome");
    describe_counter!(metric::HOLDS, "Ticks that did not trade, by reason");
    describe_histogram!(
        metric::TICK_LAG,
        Unit::Seconds,
        "Time from a slot to its evaluation"
    );
    describe_histogram!(
        metric::TICK_DURATION,
        Unit::Seconds,
        "Time to evaluate one group of ticks"
    );
    describe_counter!(metric::TRADES, "Trades that ended, by side, reason and status");
    describe_counter!(metric::SLOTS_CLAIMED, "Slots handed to the queue");
    describe_counter!(
        metric::SLOTS_MISSED,
        "Slots that never ran because a later one was due"
    );
    describe_gauge!(metric::BUILD_INFO, "The running version");
    gauge!(metric::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Some(handle)
}
