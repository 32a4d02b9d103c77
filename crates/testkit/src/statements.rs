//! A database's front door that counts: how many statements came through it, and how many transactions ended.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
};

/// Serves until it is dropped.
pub struct Statements {
    url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    statements: AtomicU64,
    transactions: AtomicU64,
}

impl Drop for Statements {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Statements {
    /// In front of the private server of `url`, which listens on a socket of this machine. It changes nothing.
    pub async fn start(url: &str) -> Self {
        let server = reqwest::Url::parse(url).expect("a URL");
        let socket = PathBuf::from(decoded(server.host_str().expect("a directory"))).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        let counted = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let (asked, answered) = (counted.clone(), counted.clone());
                let mut frames = Frames::of_client();
                tokio::spawn(forward(from_client, to_server, move |bytes| {
                    let statements = frames.count(bytes, |kind, _| matches!(kind, b'Q' | b'E'));
                    asked.statements.fetch_add(statements, Ordering::Relaxed);
                }));
                let (mut frames, mut ends) = (Frames::of_server(), Ends::default());
                tokio::spawn(forward(from_server, to_client, move |bytes| {
                    let ended = frames.count(bytes, |kind, first| ends.is_one(kind, first));
                    answered.transactions.fetch_add(ended, Ordering::Relaxed);
                }));
            }
        });
        Self {
            url: format!(
                "postgres://{}@{at}{}?sslmode=disable",
                server.username(),
                server.path()
            ),
            shared,
            task,
        }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Statements so far, `BEGIN` and `COMMIT` among them, and transactions that ended, those of one statement among
    /// them.
    pub fn seen(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.shared.statements), of(&self.shared.transactions))
    }
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut look: impl FnMut(&[u8]),
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        look(&bytes[..read]);
        if to.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// Text in which `%2F` stands for a slash, and so on.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at(2);
        whole.push(char::from(u8::from_str_radix(code, 16).expect("a code")));
        whole.push_str(rest);
    }
    whole
}

/// Which of a server's messages end a transaction.
#[derive(Default)]
struct Ends {
    /// Whether a statement was executed since the last one ended.
    executed: bool,
}

impl Ends {
    fn is_one(&mut self, kind: u8, first: u8) -> bool {
        match (kind, first) {
            (b'C', _) => self.executed = true,
            // Ready for the next one. A statement that is only prepared is none.
            (b'Z', b'I') => return std::mem::take(&mut self.executed),
            _ => {}
        }
        false
    }
}

/// The messages of one side of a connection, cut anywhere.
struct Frames {
    /// Whether messages have a type; a client's first one has none.
    typed: bool,
    head: Vec<u8>,
    /// The message whose first byte is to come.
    kind: Option<u8>,
    /// Bytes of the present message that are still to come.
    rest: usize,
}

impl Frames {
    const fn of_client() -> Self {
        Self {
            typed: false,
            head: Vec::new(),
            kind: None,
            rest: 0,
        }
    }

    fn of_server() -> Self {
        Self {
            typed: true,
            ..Self::of_client()
        }
    }

    /// How many messages of this type and first byte come with `bytes`; one without a body has a first byte of zero.
    fn count(&mut self, mut bytes: &[u8], mut wanted: impl FnMut(u8, u8) -> bool) -> u64 {
        let mut count = 0;
        while let Some((byte, after)) = bytes.split_first() {
            if self.rest > 0 {
                if let Some(kind) = self.kind.take() {
                    count += u64::from(wanted(kind, *byte));
                }
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(*byte);
            bytes = after;
            let whole = if self.typed { 5 } else { 4 };
            if self.head.len() < whole {
                continue;
            }
            let length: [u8; 4] = self.head[whole - 4..].try_into().expect("four bytes");
            // The length counts itself.
            self.rest = usize::try_from(u32::from_be_bytes(length)).expect("a length") - 4;
            match self.rest {
                _ if !self.typed => {}
                0 => count += u64::from(wanted(self.head[0], 0)),
                _ => self.kind = Some(self.head[0]),
            }
            self.typed = true;
            self.head.clear();
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("short");
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }

    #[test]
    fn statements_are_counted_wherever_the_stream_is_cut() {
        let startup = [&12_u32.to_be_bytes()[..], b"EEEEQQQQ"].concat();
        let stream = [
            startup,
            message(b'Q', b"BEGIN\0"),
            message(b'P', b"EQ\0SELECT 1\0"),
            message(b'B', b""),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
            message(b'E', b"QQ"),
        ]
        .concat();
        for size in [1, 2, 3, 7, stream.len()] {
            let mut frames = Frames::of_client();
            let executes = |kind, _| matches!(kind, b'Q' | b'E');
            let counted: u64 = stream.chunks(size).map(|part| frames.count(part, executes)).sum();
            assert_eq!(counted, 3, "in parts of {size}");
        }
        let answers = [
            message(b'R', b"\0\0\0\0"),
            message(b'Z', b"I"),
            message(b'C', b"BEGIN\0"),
            message(b'Z', b"T"),
            message(b'D', b"ZI"),
            message(b'1', b""),
            message(b'C', b"COMMIT\0"),
            message(b'Z', b"I"),
            message(b'1', b""),
            message(b'Z', b"I"),
            message(b'C', b"SELECT 1\0"),
            message(b'Z', b"I"),
        ]
        .concat();
        for size in [1, 2, 5, answers.len()] {
            let (mut frames, mut ends) = (Frames::of_server(), Ends::default());
            let counted: u64 = answers
                .chunks(size)
                .map(|part| frames.count(part, |kind, first| ends.is_one(kind, first)))
                .sum();
            assert_eq!(counted, 2, "in parts of {size}");
        }
    }
}
