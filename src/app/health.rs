//! Queries a service of this machine, for health checks without an HTTP client of their own.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use serde::Serialize;

use super::error::AppError;
use crate::config::Settings;

/// A service that answers later than this counts as down.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a service answers that lives.
const ALIVE: &str = "alive";

/// Which check to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Whether the process lives.
    Alive,
    /// Whether it can do its work.
    Ready,
}

/// A positive answer.
#[derive(Debug, Serialize)]
pub struct Healthy {
    /// The service's answer.
    pub said: String,
    /// The address that was queried.
    pub url: String,
}

/// Queries the service at `metrics.listen`.
///
/// # Errors
/// [`AppError::NotReady`] for another answer or none, [`AppError::Usage`] without an address.
pub async fn ask(settings: &Settings, probe: Probe) -> Result<Healthy, AppError> {
    let address = settings.metrics_address().ok_or_else(|| {
        AppError::Usage(
            "metrics.listen = \"off\": there is nothing to query; set an address such as 127.0.0.1:9464"
                .to_owned(),
        )
    })?;
    let page = match probe {
        Probe::Alive => "healthz",
        Probe::Ready => "readyz",
    };
    let url = url(address, page);
    let client = client().map_err(|error| AppError::Internal(error.to_string()))?;
    let unreachable = |error: reqwest::Error| {
        AppError::NotReady(format!(
            "nothing answers at {url}: {}; is the service running, with the same metrics.listen?",
            error.without_url()
        ))
    };
    let answer = client.get(&url).send().await.map_err(unreachable)?;
    let good = answer.status().is_success();
    let said = answer.text().await.map_err(unreachable)?.trim().to_owned();
    if !good {
        return Err(AppError::NotReady(format!("{url}: {said}")));
    }
    Ok(Healthy { said, url })
}

/// What answers at an address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answering {
    /// A service of this program.
    Service,
    /// Another program, and how it showed.
    Another(String),
    /// Nothing listens there.
    Nobody,
}

/// Asks who has the address of the metrics.
pub(super) async fn who_answers(address: SocketAddr) -> Answering {
    let Ok(client) = client() else {
        return Answering::Nobody;
    };
    let answer = match client.get(url(address, "healthz")).send().await {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => return Answering::Nobody,
        Err(error) if error.is_timeout() => {
            return Answering::Another(format!("no answer within {} s", PATIENCE.as_secs()));
        }
        Err(_) => return Answering::Another("it does not speak HTTP".to_owned()),
    };
    let status = answer.status();
    match answer.text().await {
        Ok(said) if status.is_success() && said.trim() == ALIVE => Answering::Service,
        _ => Answering::Another(format!("/healthz answers {status}, and not as lgi-mm does")),
    }
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()
}

/// A service that listens on every address is queried through loopback.
fn url(mut address: SocketAddr, page: &str) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}/{page}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_listens_everywhere_is_asked_through_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9464", "http://127.0.0.1:9464/readyz"),
            ("[::]:1", "http://[::1]:1/readyz"),
            ("10.0.0.7:80", "http://10.0.0.7:80/readyz"),
        ] {
            assert_eq!(url(listen.parse().expect("an address"), "readyz"), asked);
        }
    }
}
