//! A database's front door that counts: which statements came through it, and how many transactions ended.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
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
    transactions: AtomicU64,
    connections: AtomicUsize,
    statements: Mutex<Vec<Statement>>,
}

/// One statement that was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Which connection it came over.
    pub connection: usize,
    /// Its text, in one line.
    pub sql: String,
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
                let connection = counted.connections.fetch_add(1, Ordering::Relaxed);
                let (mut frames, mut prepared) = (Frames::of_client(), Prepared::default());
                tokio::spawn(forward(from_client, to_server, move |bytes| {
                    frames.each(bytes, |kind, body| {
                        if let Some(sql) = prepared.executed(kind, body) {
                            asked.note(Statement { connection, sql });
                        }
                    });
                }));
                let (mut frames, mut ends) = (Frames::of_server(), Ends::default());
                tokio::spawn(forward(from_server, to_client, move |bytes| {
                    frames.each(bytes, |kind, body| {
                        if ends.is_one(kind, body) {
                            answered.transactions.fetch_add(1, Ordering::Relaxed);
                        }
                    });
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
        let statements = self.shared.statements().len();
        let transactions = self.shared.transactions.load(Ordering::Relaxed);
        (u64::try_from(statements).expect("a count"), transactions)
    }

    /// All statements from the one at this place on, in their order.
    pub fn since(&self, place: usize) -> Vec<Statement> {
        self.shared.statements().get(place..).unwrap_or_default().to_vec()
    }
}

impl Shared {
    fn statements(&self) -> std::sync::MutexGuard<'_, Vec<Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, statement: Statement) {
        self.statements().push(statement);
    }
}

/// What a client has prepared and bound, by name.
#[derive(Default)]
struct Prepared {
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
}

impl Prepared {
    /// The text of the statement that this message executes.
    fn executed(&mut self, kind: u8, body: &[u8]) -> Option<String> {
        let mut parts = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let mut part = || parts.next().unwrap_or_default().into_owned();
        match kind {
            b'Q' => return Some(one_line(&part())),
            b'E' => return Some(self.portals.get(&part()).cloned().unwrap_or_default()),
            b'P' => {
                let (name, sql) = (part(), part());
                self.statements.insert(name, one_line(&sql));
            }
            b'B' => {
                let (portal, name) = (part(), part());
                let sql = self.statements.get(&name).cloned().unwrap_or_default();
                self.portals.insert(portal, sql);
            }
            _ => {}
        }
        None
    }
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
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
    fn is_one(&mut self, kind: u8, body: &[u8]) -> bool {
        match (kind, body.first()) {
            (b'C', _) => self.executed = true,
            // Ready for the next one. A statement that is only prepared is none.
            (b'Z', Some(b'I')) => return std::mem::take(&mut self.executed),
            _ => {}
        }
        false
    }
}

/// The messages of one side of a connection, cut anywhere.
struct Frames {
    /// Whether messages have a type; a client's first one has none.
    typed: bool,
    /// What has come of the present message.
    bytes: Vec<u8>,
}

impl Frames {
    const fn of_client() -> Self {
        Self {
            typed: false,
            bytes: Vec::new(),
        }
    }

    fn of_server() -> Self {
        Self {
            typed: true,
            ..Self::of_client()
        }
    }

    /// Hands over the type and the body of each message that `bytes` complete.
    fn each(&mut self, bytes: &[u8], mut found: impl FnMut(u8, &[u8])) {
        self.bytes.extend_from_slice(bytes);
        let mut rest = &self.bytes[..];
        loop {
            let head = if self.typed { 5 } else { 4 };
            let Some(length) = rest.get(head - 4..head) else {
                break;
            };
            let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
            // The length counts itself.
            let whole = head - 4 + usize::try_from(length).expect("a length");
            let Some(message) = rest.get(..whole) else { break };
            if self.typed {
                found(message[0], &message[head..]);
            }
            self.typed = true;
            rest = &rest[whole..];
        }
        self.bytes = rest.to_vec();
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
            message(b'P', b"EQ\0SELECT\n 1\0"),
            message(b'P', b"two\0SELECT 2\0"),
            message(b'B', b"\0EQ\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
            message(b'B', b"QQ\0two\0"),
            message(b'E', b"QQ\0"),
        ]
        .concat();
        for size in [1, 2, 3, 7, stream.len()] {
            let (mut frames, mut prepared) = (Frames::of_client(), Prepared::default());
            let mut seen = Vec::new();
            for part in stream.chunks(size) {
                frames.each(part, |kind, body| seen.extend(prepared.executed(kind, body)));
            }
            assert_eq!(seen, ["BEGIN", "SELECT 1", "SELECT 2"], "in parts of {size}");
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
            let mut counted = 0;
            for part in answers.chunks(size) {
                frames.each(part, |kind, body| counted += usize::from(ends.is_one(kind, body)));
            }
            assert_eq!(counted, 2, "in parts of {size}");
        }
    }
}
