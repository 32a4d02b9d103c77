//! Where a server's files live, and whose they are.

use std::{
    env,
    fs::{self, File, Permissions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use alloy_primitives::{hex, keccak256};
use nix::unistd::{Uid, User};

use super::{
    binaries::Binaries,
    error::EmbeddedError,
    options::Options,
    owned,
    roles::ADMIN,
    users::{is_candidate, server_user},
};

/// What the server calls its socket.
const SOCKET: &str = ".s.PGSQL.5432";

/// A unix socket's path has at most this many bytes everywhere.
const SOCKET_PATH_MAX: usize = 103;

/// A cluster that is being made; the maker's process id follows.
const UNFINISHED: &str = "data.new.";

/// The cluster's directory.
const DATA: &str = "data";

/// Held while a process starts or joins.
pub(super) const LOCK: &str = "lock";

/// Variables that the server and its tools may see. Ours may hold passwords and keys, and the server outlives us.
const VARIABLES: [&str; 5] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TZ"];

/// The end of the log that an error shows, in bytes.
const TAIL: u64 = 16 * 1024;

/// The files of one server.
///
/// The directory is ours alone; as root, the server's user may pass through it and owns two directories in it: the data
/// and the socket's. Nothing below these two is ever opened by us, but the socket.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    pub(super) socket_dir: PathBuf,
    /// When we are root: whom the server runs as, since it refuses root.
    user: Option<User>,
}

/// Opens the write end of the FIFO of holders: the server lives while any process has it open.
pub(super) fn open_holder(fifo: &Path) -> io::Result<File> {
    owned::fifo(fifo, false, true)
}

/// Where the data lives unless the settings say otherwise: a root user's home cannot be crossed by the server's
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

/// Whether starting the server would make a new database cluster, and where.
///
/// # Errors
/// [`EmbeddedError::NoHome`].
pub fn is_new(options: &Options) -> Result<(bool, PathBuf), EmbeddedError> {
    let dir = match &options.data_dir {
        Some(dir) => dir.clone(),
        None => default_data_dir()?,
    };
    let root = dir.join("postgres");
    // The name is there whole or not at all; what is in it is only the server's to see.
    Ok((fs::symlink_metadata(root.join(DATA)).is_err(), root))
}

fn short_hash(path: &Path) -> String {
    let digest = keccak256(path.as_os_str().as_encoded_bytes());
    hex::encode(digest.get(..6).unwrap_or_default())
}

impl Place {
    /// Makes the directories. Those of an earlier version, in which the server's user owned all, become ours again.
    pub(super) fn prepare(options: &Options) -> Result<Self, EmbeddedError> {
        let dir = match &options.data_dir {
            Some(dir) => dir.clone(),
            None if options.remove => env::temp_dir().join(format!("lgi-mm-{}", std::process::id())),
            None => default_data_dir()?,
        };
        // Never the directory itself, which others may use: only our own below it.
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
        let parent = owned::parent(&root).map_err(at(&root))?;
        let is_root = Uid::effective().is_root();
        if options.data_dir.is_none() && !options.remove && is_root {
            // Root's umask may keep the server's user from crossing these two.
            for above in parent.ancestors().take(2) {
                fs::set_permissions(above, Permissions::from_mode(0o711)).map_err(at(above))?;
            }
        }
        let root = parent.join(root.file_name().unwrap_or_default());
        let earlier = (!options.remove && is_root)
            .then(|| earlier_owner(&root))
            .flatten();
        // Others pass through and see no names.
        let mode = if is_root { 0o711 } else { 0o700 };
        owned::directory(&root, mode, earlier).map_err(at(&root))?;
        let user = server_user(&root.join(DATA), !options.remove);
        let socket_dir = socket_dir(&root).map_err(at(&root))?;
        owned::given(&socket_dir, user.as_ref()).map_err(at(&socket_dir))?;
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

    /// When we are root: whom the server runs as.
    pub(super) const fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.file(DATA)
    }

    /// Where the supervisor answers holders.
    pub(super) fn answers(&self) -> PathBuf {
        self.file("answers")
    }

    /// Closed by the supervisor's end.
    pub(super) fn ended(&self) -> PathBuf {
        self.file("ended")
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

    /// A command that runs as the server's user, in the server's directory, out of the terminal's reach.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.command_of_ours(program);
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// The same as ourselves.
    pub(super) fn command_of_ours(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .process_group(0);
        for name in VARIABLES {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// What a program says that looks into the server's user's own directories, as that user.
    fn ask(&self, program: &str, arguments: &[&str]) -> io::Result<Output> {
        self.command(program).args(arguments).output()
    }

    /// The major version that made the data, if there is any.
    pub(super) fn major_version(&self) -> Option<String> {
        let output = self.ask("head", &["-c", "16", "data/PG_VERSION"]).ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    }

    /// Makes the cluster if there is none. It gets its name only when it is whole.
    pub(super) fn initialise(&self, binaries: &Binaries, fast: bool) -> Result<(), EmbeddedError> {
        let at = |path: PathBuf| move |source| EmbeddedError::Path { path, source };
        if fs::symlink_metadata(self.data()).is_ok() {
            return owned::given(&self.data(), self.user.as_ref()).map_err(at(self.data()));
        }
        self.remove_unfinished();
        // A name of its own: the initdb of a starter that was killed may still be writing under the old one.
        let unfinished = self.file(&format!("{UNFINISHED}{}", std::process::id()));
        owned::given(&unfinished, self.user.as_ref()).map_err(at(unfinished.clone()))?;
        let mut initdb = self.command(binaries.program("initdb"));
        initdb
            .args(["-U", ADMIN, "--auth-local=peer", "--auth-host=reject"])
            .args(["-E", "UTF8", "--locale=C", "-D"])
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
        renamed.map_err(at(self.data()))
    }

    /// What killed starters left. An initdb that still writes there fails; the next start removes the rest.
    fn remove_unfinished(&self) {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            if let Some(name) = name.to_str().filter(|name| name.starts_with(UNFINISHED)) {
                // What is in it as its owner, itself as the owner of the directory above.
                let ours = entry
                    .metadata()
                    .is_ok_and(|found| found.uid() == Uid::effective().as_raw());
                if ours {
                    let _ = fs::remove_dir_all(entry.path());
                } else {
                    let _ = self.ask("rm", &["-rf", "--", name]);
                    let _ = fs::remove_dir(entry.path());
                }
            }
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
        let log = self.log_tail();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        EmbeddedError::NotReady {
            log: self.log(),
            tail: lines.into_iter().rev().collect::<Vec<_>>().join("\n"),
        }
    }

    /// The end of the server's log.
    pub(super) fn log_tail(&self) -> String {
        let read = || {
            let mut log = File::open(self.log())?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            log.take(TAIL).read_to_end(&mut bytes)?;
            Ok::<_, io::Error>(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }
}

/// Who owned the directory in an earlier version, which gave it to the server's user.
fn earlier_owner(root: &Path) -> Option<u32> {
    let found = fs::symlink_metadata(root).ok()?;
    (found.uid() != 0 && is_candidate(found.uid())).then(|| found.uid())
}

/// Path of the socket: next to the data, or in a shorter directory of ours if that path is too long for a socket.
fn socket_dir(root: &Path) -> io::Result<PathBuf> {
    let near = root.join("socket");
    if near.join(SOCKET).as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok(near);
    }
    // Not TMPDIR: every process has to find the same.
    let run = Path::new("/run");
    let (base, mode) = match Uid::effective().is_root() {
        true if run.is_dir() => (run, 0o711),
        true => (Path::new("/tmp"), 0o711),
        false => (Path::new("/tmp"), 0o700),
    };
    let ours = base.join(format!("lgi-mm-{}", short_hash(root)));
    let ours = owned::parent(&ours)?.join(ours.file_name().unwrap_or_default());
    owned::directory(&ours, mode, None)?;
    Ok(ours.join("s"))
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
