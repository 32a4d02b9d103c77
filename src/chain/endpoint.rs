//! The visible part of a node's URL: scheme and host. The rest may contain a key.

use reqwest::Url;

/// Shorter parts of a URL, such as `v2` or `rpc`, are not keys.
const SECRET_LENGTH_MIN: usize = 8;

/// A node's display name, and the parts of its URL to hide.
#[derive(Debug)]
pub(super) struct Endpoint {
    name: String,
    voice: String,
    secrets: Vec<String>,
}

impl Endpoint {
    pub(super) fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or("?");
        let name = match url.port() {
            Some(port) => format!("{}://{host}:{port}", url.scheme()),
            None => format!("{}://{host}", url.scheme()),
        };
        let voice = voice_of(url);
        let path = url.path_segments().into_iter().flatten().map(str::to_owned);
        let query = url.query_pairs().map(|(_, value)| value.into_owned());
        let login = [Some(url.username()), url.password()];
        let login = login.into_iter().flatten().map(str::to_owned);
        let mut secrets: Vec<String> = path
            .chain(query)
            .chain(login)
            .filter(|piece| piece.len() >= SECRET_LENGTH_MIN)
            .collect();
        // A part that contains another one is replaced first.
        secrets.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        Self { name, voice, secrets }
    }

    /// Whose word an answer is: the host, because two URLs of one host are one voice.
    pub(super) fn voice(&self) -> &str {
        &self.voice
    }

    /// Scheme, host and port.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Text from a client or node with URLs and secret parts removed: some quote them.
    pub(super) fn hide(&self, said: &str) -> String {
        let words: Vec<&str> = said
            .split_whitespace()
            .map(|word| if word.contains("://") { self.name() } else { word })
            .collect();
        let hidden = |text: String, secret: &String| text.replace(secret.as_str(), "[hidden]");
        self.secrets.iter().fold(words.join(" "), hidden)
    }
}

/// The host of a URL. Local nodes are distinguished by port.
fn voice_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    let is_local = host == "localhost" || host.starts_with("127.") || host == "[::1]";
    match url.port_or_known_default() {
        Some(port) if is_local => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

/// The number of different hosts, which is the maximum quorum.
pub(super) fn voices(urls: &[Url]) -> usize {
    let hosts: std::collections::BTreeSet<String> = urls.iter().map(voice_of).collect();
    hosts.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_one_host_are_one_voice_and_own_nodes_differ_by_port() {
        let urls = |texts: &[&str]| {
            let urls: Vec<Url> = texts.iter().map(|text| text.parse().expect("a URL")).collect();
            voices(&urls)
        };
        assert_eq!(
            urls(&["https://a.example/v2/one", "https://a.example:8443/two"]),
            1
        );
        assert_eq!(urls(&["https://a.example", "https://b.example"]), 2);
        assert_eq!(
            urls(&[
                "http://127.0.0.1:8545",
                "http://127.0.0.1:8546/x",
                "http://127.0.0.1:8546/y"
            ]),
            2
        );
    }

    #[test]
    fn nothing_of_a_url_but_its_host_is_shown() {
        let url: Url = "https://someuser:p4ssw0rd99@node.example:8545/v2/abcdef123456?apikey=zyxwvu987654"
            .parse()
            .expect("a URL");
        let endpoint = Endpoint::of(&url);
        assert_eq!(endpoint.name(), "https://node.example:8545");
        for said in [
            format!("error sending request for url ({url})"),
            "project abcdef123456 is over its limit".to_owned(),
            "key=zyxwvu987654, user someuser: p4ssw0rd99 is wrong".to_owned(),
        ] {
            let shown = endpoint.hide(&said);
            for secret in ["abcdef123456", "zyxwvu987654", "someuser", "p4ssw0rd99"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        assert_eq!(endpoint.hide("nonce too low: v2"), "nonce too low: v2");
    }
}
