//! The names that the API answers to. A page of another site whose name was pointed at this address (DNS rebinding)
//! calls it by that other name, and gets nothing.

use std::net::SocketAddr;

/// Allowed values of `Host`.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    port: u16,
    named: Vec<String>,
}

impl Hosts {
    /// Of a server at this address, and the names that the settings add.
    pub(super) fn new(address: SocketAddr, named: &[String]) -> Self {
        let loopback = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        let own = match address {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        let own = (!address.ip().is_unspecified()).then_some(own);
        let all = loopback.into_iter().chain(own).chain(named.iter().cloned());
        Self {
            port: address.port(),
            named: all.map(|name| name.to_ascii_lowercase()).collect(),
        }
    }

    /// Whether a request to this `host` (`name` or `name:port`) is meant for this server.
    pub(super) fn has(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let alone = host.strip_suffix(&format!(":{}", self.port));
        self.named
            .iter()
            .any(|name| *name == host || alone == Some(name.as_str()))
    }
}

/// Whether a page from this `Origin` is of the server that `host` names.
pub(super) fn same_origin(origin: &str, host: &str) -> bool {
    let place = ["http://", "https://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    place.is_some_and(|place| place.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_server_are_answered_to() {
        let hosts = Hosts::new(
            SocketAddr::from(([127, 0, 0, 1], 9465)),
            &["trade.example.org".to_owned(), "b.example:8443".to_owned()],
        );
        for (host, ours) in [
            ("localhost", true),
            ("LOCALHOST:9465", true),
            ("127.0.0.1:9465", true),
            ("[::1]:9465", true),
            ("trade.example.org", true),
            ("trade.example.org:9465", true),
            ("b.example:8443", true),
            ("b.example", false),
            ("localhost:80", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("evil.example:9465", false),
            ("localhost:9465:9465", false),
            ("", false),
        ] {
            assert_eq!(hosts.has(host), ours, "{host}");
        }
    }

    #[test]
    fn an_origin_is_the_same_only_as_a_whole() {
        for (origin, host, same) in [
            ("http://localhost:9465", "localhost:9465", true),
            ("https://trade.example.org", "trade.example.org", true),
            ("http://localhost:9466", "localhost:9465", false),
            ("http://localhost:9465.evil.example", "localhost:9465", false),
            ("null", "localhost:9465", false),
            ("", "", false),
        ] {
            assert_eq!(same_origin(origin, host), same, "{origin}");
        }
    }
}
