//! `console`: a link that opens the console in a browser.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use serde::Serialize;

use super::{
    out::{Clock, Out},
    serve::USUAL,
    target::{actor, user},
    token::RoleArg,
};
use crate::{
    app::{
        App, AppError, console,
        tokens::{Issued, TokenLine},
    },
    config::Settings,
    domain::zone::Zone,
};

#[derive(Debug, Args)]
pub(super) struct ConsoleArgs {
    /// What the session may do
    #[arg(long, value_enum, default_value = "owner")]
    role: RoleArg,
    /// Where the browser finds the console [default: the first of api.hosts behind a proxy, else api.listen, else
    /// http://127.0.0.1:9465]
    #[arg(long, value_name = "URL")]
    at: Option<String>,
}

/// A link, and what it opens.
#[derive(Debug, Serialize)]
struct Link {
    /// It is not shown again.
    url: String,
    #[serde(flatten)]
    line: TokenLine,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &ConsoleArgs) -> Result<(), AppError> {
    let at = match &args.at {
        Some(at) => base(at)?,
        None => usual(settings),
    };
    let app = App::open(settings).await?;
    let Issued { line, secret } = console::link(&app, &user(), args.role.into(), &actor()).await?;
    // Behind #, a browser sends it to no server, and to no log.
    let url = format!("{at}/console/#ticket={}", secret.0);
    out.show(&Link { url, line }, |link| {
        format!(
            "{}\nopens the console once, until {}, as {} ({}); its session ends after {}\n",
            link.url,
            Clock::of(Zone::UTC, link.line.expires_at).full(link.line.expires_at),
            link.line.name,
            link.line.role,
            console::SESSION_LASTS,
        )
    })
}

/// An address as a browser needs it, without the slash at its end.
fn base(at: &str) -> Result<String, AppError> {
    let plain = at.trim_end_matches('/');
    let place = ["http://", "https://"]
        .iter()
        .find_map(|scheme| plain.strip_prefix(scheme));
    match place {
        Some(place) if !place.is_empty() && !place.contains(['/', '?', '#', ' ']) => Ok(plain.to_owned()),
        _ => Err(AppError::Usage(format!(
            "--at {at}: must be http:// or https:// and a host, such as https://trade.example.org"
        ))),
    }
}

/// Where the console is by the settings.
fn usual(settings: &Settings) -> String {
    if let (true, Some(host)) = (settings.api.behind_proxy, settings.api.hosts.first()) {
        return format!("https://{host}");
    }
    let address = settings.api_address().unwrap_or(USUAL);
    let scheme = if settings.api.tls().is_some() {
        "https"
    } else {
        "http"
    };
    // A certificate is made out to a name.
    if let (Some(_), Some(host)) = (settings.api.tls(), settings.api.hosts.first()) {
        return match host.contains(':') {
            true => format!("https://{host}"),
            false => format!("https://{host}:{}", address.port()),
        };
    }
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}
