//! The HTTP endpoints of a process.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    routing::{get, post},
};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{alerts, balances::Nodes, census::Census, door, ready::Readiness, settings::CensusSettings};

/// What is served.
#[derive(Clone)]
pub struct Served {
    /// What this process counts itself.
    pub prometheus: PrometheusHandle,
    /// The database, which the census asks; readiness asks it too, over a connection of its own.
    pub pool: PgPool,
    /// Nodes to ask for balances of live wallets.
    pub nodes: Nodes,
    /// How the census is taken, should it be this process that takes it.
    pub census: CensusSettings,
}

/// Serves `/metrics`, `/healthz` (this process lives), `/readyz` (it can work) and `/alerts` (Alertmanager's messages,
/// for the log) until `stop`, and takes the census if no other process does.
///
/// # Errors
/// [`std::io::Error`] if the address is taken.
pub async fn serve(address: SocketAddr, served: Served, stop: CancellationToken) -> std::io::Result<()> {
    let Served {
        prometheus,
        pool,
        nodes,
        census: settings,
    } = served;
    let census = Census::default();
    let counted = census.clone();
    let metrics = move || std::future::ready(counted.page(&prometheus));
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| std::future::ready("alive\n")))
        .route("/readyz", get(readiness))
        .route(
            "/alerts",
            post(alerts::log).layer(DefaultBodyLimit::max(alerts::MESSAGE_MAX)),
        )
        .with_state(Arc::new(Readiness::new(&pool)));
    let listener = tokio::net::TcpListener::bind(address).await?;
    info!(address = %listener.local_addr()?, "metrics served");
    let counting = stop.clone();
    let counting = tokio::spawn(async move { census.run(pool, nodes, settings, &counting).await });
    door::serve(listener, app, stop).await;
    counting.abort();
    Ok(())
}

async fn readiness(State(readiness): State<Arc<Readiness>>) -> (StatusCode, String) {
    match readiness.check().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}
