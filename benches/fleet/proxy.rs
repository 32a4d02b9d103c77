//! Round trips to the database: a socket between our processes and PostgreSQL that counts how often they wait for an
//! answer. Every wait is one Sync or one simple Query of the wire protocol.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

/// Counts round trips until it is dropped.
pub struct Proxy {
    dir: PathBuf,
    trips: Arc<AtomicU64>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Opens a socket in its own directory, in front of the server's.
    pub fn start(server: &Path) -> Self {
        let dir = std::env::temp_dir().join(format!("lgi-mm-proxy-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a directory");
        let listener = UnixListener::bind(dir.join(".s.PGSQL.5432")).expect("a socket");
        let (trips, target) = (Arc::new(AtomicU64::new(0)), server.join(".s.PGSQL.5432"));
        let counter = trips.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, target.clone(), counter.clone()));
            }
        });
        Self {
            dir,
            trips,
            accepting,
        }
    }

    /// The address of a database through it.
    pub fn url(&self, database: &str) -> String {
        let host = self.dir.to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{host}:5432/{database}?sslmode=disable")
    }

    /// Round trips so far.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

async fn serve(client: UnixStream, target: PathBuf, trips: Arc<AtomicU64>) {
    let Ok(server) = UnixStream::connect(target).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    });
    // The first message has no type.
    let mut first = true;
    let mut message = Vec::new();
    loop {
        let head = if first { 4 } else { 5 };
        message.resize(head, 0);
        if from_client.read_exact(&mut message).await.is_err() {
            break;
        }
        let mut length = [0; 4];
        length.copy_from_slice(&message[head - 4..]);
        let rest = usize::try_from(u32::from_be_bytes(length))
            .expect("a length")
            .saturating_sub(4);
        message.resize(head + rest, 0);
        if from_client.read_exact(&mut message[head..]).await.is_err() {
            break;
        }
        if !first && matches!(message[0], b'S' | b'Q') {
            trips.fetch_add(1, Ordering::Relaxed);
        }
        first = false;
        if to_server.write_all(&message).await.is_err() {
            break;
        }
    }
    let _ = to_server.shutdown().await;
    let _ = answers.await;
}
