//! `serve`: the HTTP API.

use std::{net::SocketAddr, sync::Arc};

use clap::Args;

use super::stop::{ChildArgs, stop_on_signal};
use crate::{
    api,
    app::{App, AppError, services::serve_metrics},
    chat,
    config::Settings,
};

/// Where the API is served if neither the settings nor a flag say.
pub(super) const USUAL: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9465);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Address and port [default: api.listen of the settings, else 127.0.0.1:9465]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Serve metrics and health at metrics.listen, too: where no daemon of this machine does
    #[arg(long)]
    metrics: bool,
    #[command(flatten)]
    child: ChildArgs,
}

pub(super) async fn run(settings: &Settings, args: &ServeArgs) -> Result<(), AppError> {
    let address = args.listen.or_else(|| settings.api_address()).unwrap_or(USUAL);
    if !address.ip().is_loopback() && !settings.api.may_be_exposed() {
        return Err(AppError::Usage(format!(
            "--listen {address}: tokens would cross a network in plain text; give an address of this machine alone, such as \
             {USUAL}, or set api.tls_cert and api.tls_key. If nothing but a proxy with TLS reaches {address}, set api.behind_proxy = \
             true"
        )));
    }
    let app = App::open(settings).await?;
    let stop = stop_on_signal()?;
    args.child.watch(&stop);
    if args.metrics {
        serve_metrics(&app, &stop);
    }
    let app = Arc::new(app);
    let chatting = tokio::spawn(chat::serve(app.clone(), stop.clone()));
    let served = api::serve(app, address, settings, stop.clone()).await;
    stop.cancel();
    let _ = chatting.await;
    served
}
