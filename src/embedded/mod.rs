//! A private PostgreSQL server from binaries found on the machine, for when there is no `DATABASE_URL`.
//!
//! Every process that uses the server holds the write end of one FIFO beside it. A small shell supervises the
//! server and holds the read end: it stops the server when the last holder is gone, `kill -9` included. So
//! whoever started the server may leave first, and nothing is ever left behind.
//!
//! Root starts the server as another user, and trusts that user with nothing: see [`owned`]. The program itself works in
//! the database as a role that is no superuser.

mod binaries;
mod owned;
mod place;
mod roles;
mod supervisor;
mod users;

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

use binaries::Binaries;
use place::{LOCK, Place};

pub use place::default_data_dir;
pub use roles::ensure_database;

/// How long a server that is still stopping, or slow to start, is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How to run the server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the data lives; if not given, [`default_data_dir`], or a temporary directory if it is to be removed.
    pub data_dir: Option<PathBuf>,
    /// For tests: fsync off. What was committed may be lost with the machine.
    pub fast: bool,
    /// The data directory is removed when the server stops. It must be new or empty, in a directory that the
    /// server's user may write to, such as `/tmp`.
    pub remove: bool,
}

/// The private server could not be had.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No binaries.
    #[error(
        "no PostgreSQL server binaries found{}; install them (Debian: apt-get install postgresql, macOS: brew install \
         postgresql), or set PG_BIN to their directory, or set DATABASE_URL to a server you run",
        .wanted.as_ref().map(|major| format!(" of version {major}, which made the data in use")).unwrap_or_default()
    )]
    NoBinaries {
        /// The major version that made the data directory.
        wanted: Option<String>,
    },
    /// No home to put data into.
    #[error("no place for the data: HOME is not set; set LGI_MM_DATA_DIR")]
    NoHome,
    /// A file or directory could not be used.
    #[error("{}: {source}; set LGI_MM_DATA_DIR to a directory you may write", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The server's user cannot cross a directory above the data.
    #[error(
        "{}: the user {user}, whom the server runs as because root may not, cannot enter it; set LGI_MM_DATA_DIR \
         to a directory that it can reach", path.display()
    )]
    Unreachable {
        /// The server's directory.
        path: PathBuf,
        /// Whom the server runs as.
        user: String,
    },
    /// We have no name that the server could know us by.
    #[error(
        "user id {0} has no name on this machine (/etc/passwd), so the private server cannot know us; set DATABASE_URL to a server you run"
    )]
    NoName(u32),
    /// A server of a version that asks for holders in another way.
    #[error("{}: an earlier version of lgi-mm uses this server; stop it, then run this again", .0.display())]
    Earlier(PathBuf),
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it printed.
        output: String,
    },
    /// The server did not get ready.
    #[error("PostgreSQL did not start within {} s; its log is {}: {tail}", PATIENCE.as_secs(), log.display())]
    NotReady {
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// The database in it could not be made.
    #[error("creating the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// A running server, shared with other processes. Dropping it lets go; the last to let go stops it.
#[derive(Debug)]
pub struct Server {
    place: Place,
    /// The write end of the FIFO: the server lives while anybody holds one.
    _holder: File,
}

impl Server {
    /// Connection string for a database of this server as the program's own role, which owns what
    /// [`ensure_database`] made and is no superuser.
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

    /// The server's log.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.place.log()
    }
}

/// Joins the running server, or starts it. Blocks up to some seconds.
///
/// # Errors
/// [`EmbeddedError`], which says what to do.
pub fn start_or_join(options: &Options) -> Result<Server, EmbeddedError> {
    let place = Place::prepare(options)?;
    // One at a time: whoever waits here finds the server ready, or gone.
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
                if supervisor::predecessor_lingers(&tail) && begun.elapsed() < PATIENCE =>
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
    // We hold the lock, so that nobody else reads. What is in it is for others, who were killed before they read it.
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

fn open_holder(path: &Path) -> io::Result<File> {
    owned::fifo(path, false, true)
}

fn no_reader(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENXIO as i32)
}
