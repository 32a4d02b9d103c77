//! Where a server's files live, and whose they are.

use std::{
    env,
    fs::{self, File, Permissions},
    io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
};

use alloy_primitives::{hex, keccak256};
use nix::unistd::{Uid, User};

use super::{EmbeddedError, Options, binaries::Binaries};

/// What the server calls its socket.
const SOCKET: &str = ".s.PGSQL.5432";

/// A unix socket's path has at most this many bytes everywhere.
const SOCKET_PATH_MAX: usize = 103;

/// A cluster that is being made; the maker's process id follows.
const UNFINISHED: &str = "data.new.";

/// Held while somebody starts or joins.
pub(super) const LOCK: &str = "lock";

/// The files of one server.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    pub(super) socket_dir: PathBuf,
    /// When we are root: whom the server runs as, since it refuses root.
    user: Option<User>,
}

/// Where the data lives unless somebody says otherwise: a root user's home cannot be crossed by the server's
/// user, so root's data lives in `/var/lib`.
///
/// # Errors
/// [`EmbeddedError::NoHome`].
pub fn default_data_dir() -> Result<PathBuf, EmbeddedError> {
    let home = env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute());
    if Uid::effective().is_root() {
        let home = home.unwrap_or_else(|| PathBuf::from("/root"));
        return Ok(Path::new("/var/lib/lgi-mm").join(short_hash(&home)));
    }
    let data = env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|data| data.is_absolute());
    let data = data.or_else(|| home.map(|home| home.join(".local/share")));
    data.map(|data| data.join("lgi-mm")).ok_or(EmbeddedError::NoHome)
}

fn short_hash(path: &Path) -> String {
    let digest = keccak256(path.as_os_str().as_encoded_bytes());
    hex::encode(digest.get(..6).unwrap_or_default())
}

impl Place {
    /// Makes the directories, for the server's user alone.
    pub(super) fn prepare(options: &Options) -> Result<Self, EmbeddedError> {
        let dir = match &options.data_dir {
            Some(dir) => dir.clone(),
            None if options.remove => env::temp_dir().join(format!("lgi-mm-{}", std::process::id())),
            None => default_data_dir()?,
        };
        let user = server_user();
        // Never the directory itself, which may be anybody's: only our own below it changes hands.
        // A directory that goes with the server is the server's own.
        let root = if options.remove {
            refuse_foreign(&dir)?;
            dir
        } else {
            dir.join("postgres")
        };
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| EmbeddedError::Path { path, source }
        };
        if options.data_dir.is_none() && !options.remove && user.is_some() {
            // Root's umask may keep the server's user from crossing these two.
            for parent in dir_and_parent(&root) {
                let made = fs::create_dir_all(parent)
                    .and_then(|()| fs::set_permissions(parent, Permissions::from_mode(0o711)));
                made.map_err(at(parent))?;
            }
        }
        let made = fs::create_dir_all(&root).and_then(|()| own(&root, user.as_ref()));
        let root = made.and_then(|()| root.canonicalize()).map_err(at(&root))?;
        let mut socket_dir = root.clone();
        if root.join(SOCKET).as_os_str().len() > SOCKET_PATH_MAX {
            // Not TMPDIR: every process has to find the same.
            socket_dir = Path::new("/tmp").join(format!("lgi-mm-{}", short_hash(&root)));
            let made = fs::create_dir_all(&socket_dir).and_then(|()| own(&socket_dir, user.as_ref()));
            made.map_err(at(&socket_dir))?;
        }
        Ok(Self {
            root,
            socket_dir,
            user,
        })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn data(&self) -> PathBuf {
        self.file("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.file("server.log")
    }

    pub(super) fn fifo(&self) -> PathBuf {
        self.file("holders")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket_dir.join(SOCKET)
    }

    /// A number that no other call in this process gets.
    pub(super) fn nonce(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives a file to the server's user.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match &self.user {
            Some(user) => chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())),
            None => Ok(()),
        }
    }

    /// A command that runs as the server's user, in the server's directory, out of the terminal's reach.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env_remove("PGDATA")
            .env("LC_ALL", "C")
            .process_group(0);
        // It outlives us, and what is ours may be a password or a key.
        for (name, _) in std::env::vars_os() {
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b"LGI_MM_") || bytes == b"ETH_RPC_URL" || bytes == b"DATABASE_URL" {
                command.env_remove(name);
            }
        }
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// The major version that made the data, if there is any.
    pub(super) fn major_version(&self) -> Option<String> {
        let text = fs::read_to_string(self.data().join("PG_VERSION")).ok()?;
        Some(text.trim().to_owned())
    }

    /// Makes the cluster if there is none. It gets its name only when it is whole.
    pub(super) fn initialise(&self, binaries: &Binaries, fast: bool) -> Result<(), EmbeddedError> {
        if self.data().exists() {
            return Ok(());
        }
        self.remove_unfinished();
        // A name of its own: the initdb of a starter that was killed may still be writing under the old one.
        let unfinished = self.file(&format!("{UNFINISHED}{}", std::process::id()));
        let mut initdb = self.command(binaries.program("initdb"));
        initdb
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&unfinished);
        if fast {
            initdb.arg("--no-sync");
        }
        let output = initdb
            .output()
            .map_err(|error| self.spawn_failed("initdb", &error))?;
        if !output.status.success() {
            return Err(EmbeddedError::Program {
                program: "initdb",
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        // The new name must outlast a power cut as surely as the rows that will be stored under it.
        let renamed = fs::rename(&unfinished, self.data()).and_then(|()| File::open(&self.root)?.sync_all());
        renamed.map_err(|source| EmbeddedError::Path {
            path: self.data(),
            source,
        })
    }

    /// What killed starters left. An initdb that still writes there fails; the next start removes the rest.
    fn remove_unfinished(&self) {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(UNFINISHED.as_bytes())
        }) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }

    /// Why `program` did not even begin.
    pub(super) fn spawn_failed(&self, program: &'static str, error: &io::Error) -> EmbeddedError {
        match &self.user {
            // The working directory is entered as the server's user.
            Some(user) if error.kind() == io::ErrorKind::PermissionDenied => EmbeddedError::Unreachable {
                path: self.root.clone(),
                user: user.name.clone(),
            },
            _ => EmbeddedError::Program {
                program,
                output: error.to_string(),
            },
        }
    }

    /// The server is not ready, with the end of its log.
    pub(super) fn not_ready(&self) -> EmbeddedError {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        EmbeddedError::NotReady {
            log: self.log(),
            tail: lines.into_iter().rev().collect::<Vec<_>>().join("\n"),
        }
    }
}

/// What is removed in the end has to be ours from the start: the lock is its first file.
fn refuse_foreign(dir: &Path) -> Result<(), EmbeddedError> {
    let empty = fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    if empty || dir.join(LOCK).exists() {
        return Ok(());
    }
    Err(EmbeddedError::Path {
        path: dir.to_owned(),
        source: io::Error::new(
            io::ErrorKind::DirectoryNotEmpty,
            "not empty, and it would be removed when the server stops",
        ),
    })
}

/// The data directory and its parent, outermost first.
fn dir_and_parent(root: &Path) -> impl Iterator<Item = &Path> {
    let outer = root.ancestors().nth(2);
    outer.into_iter().chain(root.parent())
}

/// Makes a directory the server's user's alone.
fn own(path: &Path, user: Option<&User>) -> io::Result<()> {
    // A name in a directory that everybody may write to can be somebody else's, or lead elsewhere.
    let found = fs::symlink_metadata(path)?;
    let owners = [Some(Uid::effective()), user.map(|user| user.uid)];
    if !found.is_dir() || !owners.contains(&Some(Uid::from_raw(found.uid()))) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "is not a directory of our own",
        ));
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    match user {
        Some(user) if found.uid() != user.uid.as_raw() => {
            chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        }
        _ => Ok(()),
    }
}

fn server_user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
}
