//! A file that gets its name only when it is whole.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use tempfile::NamedTempFile;

use super::error::DumpError;

/// The end of the name of a file that is being written.
const PARTIAL: &str = ".partial";

/// A new file next to where it will be, readable by its owner only. Removed when it is dropped, unless it was kept.
pub(super) struct Partial {
    file: NamedTempFile,
    /// Held while we write: a file that nobody locks was left by a process that was killed.
    _lock: Flock<File>,
    target: PathBuf,
}

impl Partial {
    /// # Errors
    /// [`DumpError::Exists`] if the target is there and `replace` is not given; [`DumpError::File`].
    pub(super) fn new(target: &Path, replace: bool) -> Result<Self, DumpError> {
        let target = std::path::absolute(target).map_err(at(target))?;
        if target.is_dir() || (!replace && fs::symlink_metadata(&target).is_ok()) {
            return Err(DumpError::Exists(target));
        }
        let (Some(dir), Some(name)) = (target.parent(), target.file_name().and_then(|name| name.to_str()))
        else {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "is no name for a file");
            return Err(at(&target)(source));
        };
        let prefix = format!(".{name}.");
        remove_abandoned(dir, &prefix);
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(PARTIAL)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(dir)
            .map_err(at(dir))?;
        let handle = file.as_file().try_clone().map_err(at(file.path()))?;
        let lock = Flock::lock(handle, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| at(file.path())(errno.into()))?;
        Ok(Self {
            file,
            _lock: lock,
            target,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Gives it its name, lasting: file and directory are synced.
    ///
    /// # Errors
    /// [`DumpError::Exists`] if another process was faster; [`DumpError::File`].
    pub(super) fn keep(self, replace: bool) -> Result<PathBuf, DumpError> {
        let Self { file, target, .. } = self;
        file.as_file().sync_all().map_err(at(&target))?;
        let kept = if replace {
            file.persist(&target)
        } else {
            file.persist_noclobber(&target)
        };
        kept.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => DumpError::Exists(target.clone()),
            _ => at(&target)(error.error),
        })?;
        let dir = target.parent().unwrap_or(Path::new("/"));
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))?;
        Ok(target)
    }
}

/// What killed processes left of this file.
fn remove_abandoned(dir: &Path, prefix: &str) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(prefix) && name.ends_with(PARTIAL));
        if ours
            && let Ok(file) = File::open(entry.path())
            && Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> DumpError + use<> {
    let path = path.to_owned();
    move |source| DumpError::File { path, source }
}
