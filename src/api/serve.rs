//! Serves the API.

use std::{net::SocketAddr, sync::Arc};

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    checks::Checks,
    cookie,
    door::{self, Terms},
    events::Events,
    hosts::Hosts,
    lockout::{Lockout, Valid},
    rates::Rates,
    routes,
    state::Api,
    tls::Tls,
};
use crate::{
    app::{App, AppError, backtest::runs::Runs, signals::Signals},
    config::Settings,
};

/// Serves the API at `address` until `stop`.
///
/// # Errors
/// [`AppError::Io`] if the address is taken, [`AppError::Usage`] if the files of TLS or the secret of a signal cannot
/// be used.
pub async fn serve(
    app: Arc<App>,
    address: SocketAddr,
    settings: &Settings,
    stop: CancellationToken,
) -> Result<(), AppError> {
    let signals = Signals::new(settings)?;
    let settings = &settings.api;
    let tls = settings
        .tls()
        .map(|(certificate, key)| Tls::read(certificate, key))
        .transpose()?;
    let io = |source| AppError::Io {
        what: format!("the HTTP API at {address} (another address: api.listen in the settings, or --listen)"),
        source,
    };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(io)?;
    let address = listener.local_addr().map_err(io)?;
    let (router, api) = routes::router(|document, roles| Api {
        app,
        hosts: Hosts::new(address, &settings.hosts),
        cookie: cookie::name(address.port(), settings.is_encrypted()),
        behind_proxy: settings.behind_proxy,
        encrypted: settings.is_encrypted(),
        events: Events::new(stop.clone()),
        lockout: Lockout::default(),
        checks: Checks::default(),
        runs: Runs::default(),
        signals,
        valid: Valid::default(),
        rates: Rates::new(settings.requests_per_second),
        roles,
        document,
    });
    info!(%address, "HTTP API served; `lgi-mm console` prints a link that opens the console");
    let watching = tokio::spawn(async move { api.events.watch(&api.app).await });
    let terms = Terms {
        tls,
        behind_proxy: settings.behind_proxy,
    };
    door::serve(listener, router, terms, stop).await;
    // It ends with `stop`, too.
    let _ = watching.await;
    Ok(())
}
