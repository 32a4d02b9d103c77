//! What a process says of itself over HTTP.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, http::StatusCode, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::info;

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
