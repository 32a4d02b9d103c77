//! A server that this process holds: joined if it runs already, else started.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::{
    binaries::Binaries,
    error::{EmbeddedError, PATIENCE},
    options::Options,
    owned,
    place::{LOCK, Place, open_holder},
    roles, supervisor,
};

/// A running server, shared with other processes. Dropping it lets go; the last to let go stops it.
#[derive(Debug)]
pub struct Server {
    place: Place,
    /// The write end of the FIFO: the server lives while any process holds one.
    _holder: File,
}

impl Server {
    /// Connection string for a database of this server as the program's own role, which owns what
    /// [`ensure_database`](super::ensure_database) made and is no superuser.
    #[must_use]
    pub fn app_url(&self, database: &str) -> String {
        self.url_as(roles::APP, database)
    }

    /// Connection string as the server's superuser, for administration and tests.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_as(roles::ADMIN, database)
    }

    fn url_as(&self, role: &str, database: &str) -> String {
        let host: String = self
            .place
            .socket_dir
            .to_string_lossy()
            .bytes()
            .map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        format!("postgres://{role}@{host}:5432/{database}?sslmode=disable")
    }

    /// The directory of its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.place.root()
    }

    /// The server's log.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.place.log()
    }
}

/// Longest wait for a server before ours that is still stopping: on a busy disk its last checkpoint takes long.
const PREDECESSOR: Duration = Duration::from_secs(60);

/// Joins the running server, or starts it. Blocks up to some seconds.
///
/// # Errors
/// [`EmbeddedError`], which says what to do.
pub fn start_or_join(options: &Options) -> Result<Server, EmbeddedError> {
    let place = Place::prepare(options)?;
    // One at a time: a process that waited here finds the server ready, or ended.
    let lock = lock(&place)?;
    let begun = Instant::now();
    loop {
        if let Some(holder) = join(&place)? {
            drop(lock);
            return Ok(Server {
                place,
                _holder: holder,
            });
        }
        let binaries = Binaries::find(place.major_version().as_deref())?;
        place.initialise(&binaries, options.fast)?;
        match supervisor::start(&place, &binaries, options) {
            Ok(holder) => {
                drop(lock);
                return Ok(Server {
                    place,
                    _holder: holder,
                });
            }
            Err(EmbeddedError::NotReady { tail, .. })
                if supervisor::predecessor_lingers(&tail) && begun.elapsed() < PREDECESSOR =>
            {
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(error) => return Err(error),
        }
    }
}

fn lock(place: &Place) -> Result<Flock<File>, EmbeddedError> {
    let path = place.file(LOCK);
    let mut file = owned::lockable(&path).map_err(|source| EmbeddedError::Path {
        path: path.clone(),
        source,
    })?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusive) {
            Err((unlocked, Errno::EINTR)) => file = unlocked,
            locked => {
                return locked.map_err(|(_, errno)| EmbeddedError::Path {
                    path,
                    source: errno.into(),
                });
            }
        }
    }
}

/// Becomes a holder of the running server. `None`: there is none, or it is just stopping.
fn join(place: &Place) -> Result<Option<File>, EmbeddedError> {
    let path = place.fifo();
    let mut holder = match open_holder(&path) {
        Ok(holder) => holder,
        Err(error) if no_reader(&error) => return Ok(None),
        Err(source) => return Err(EmbeddedError::Path { path, source }),
    };
    let at = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => EmbeddedError::Earlier(place.root().to_owned()),
        _ => EmbeddedError::Path {
            path: place.answers(),
            source,
        },
    };
    // We hold the lock, so that no other process reads. What is in it was for processes that were killed before they
    // read it.
    let mut answers = owned::fifo(&place.answers(), true, false).map_err(at)?;
    while heard(&mut answers).map_err(at)?.is_some() {}
    // A supervisor that has already seen the last holder leave will not answer any more, but close its end.
    let token = format!("{}-{}\n", std::process::id(), place.nonce());
    if holder.write_all(token.as_bytes()).is_err() {
        return Ok(None);
    }
    let (begun, mut said) = (Instant::now(), String::new());
    while !said.contains(&token) {
        match heard(&mut answers).map_err(at)? {
            Some(more) => said.push_str(&more),
            None => match open_holder(&path) {
                Err(error) if no_reader(&error) => return Ok(None),
                _ if begun.elapsed() > PATIENCE => return Err(place.not_ready()),
                _ => std::thread::sleep(Duration::from_millis(2)),
            },
        }
    }
    // A supervisor answers until it has noticed that its server was killed.
    Ok(UnixStream::connect(place.socket()).is_ok().then_some(holder))
}

/// What a FIFO holds now, if anything.
fn heard(fifo: &mut File) -> io::Result<Option<String>> {
    let mut bytes = [0; 4096];
    match fifo.read(&mut bytes) {
        Ok(0) => Ok(None),
        Ok(length) => {
            let read = bytes.get(..length).unwrap_or_default();
            Ok(Some(String::from_utf8_lossy(read).into_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn no_reader(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENXIO as i32)
}
