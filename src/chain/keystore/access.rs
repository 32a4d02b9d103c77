//! File permissions of secrets. As with ssh, a file that other users can access is refused, not only reported.
//!
//! An open mode is not always a risk: a private directory protects its files, and a read-only mount in a container
//! (Docker and Kubernetes secrets, mode 0444) was set up by the container's operator.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::statvfs::{FsFlags, fstatvfs},
    unistd::{Gid, Uid},
};
use zeroize::Zeroizing;

use super::super::key_error::KeyError;

/// Strictness of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// Refused if other users can read or change it.
    Closed,
    /// Not checked: for `wallet list`, or to make a private copy.
    Any,
}

/// Reads at most `max` bytes of a file or pipe. Does not block on a pipe without a writer.
///
/// # Errors
/// [`KeyError::Io`] if it cannot be read or is too large, [`KeyError::Exposed`] depending on `guard`.
pub(super) fn read(path: &Path, max: u64, guard: Guard) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let at = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(at)?;
    let found = file.metadata().map_err(at)?;
    let kind = found.file_type();
    if !kind.is_file() && !kind.is_fifo() {
        return Err(at(io::Error::new(io::ErrorKind::InvalidInput, "is not a file")));
    }
    if guard == Guard::Closed {
        closed(path, &file, &found)?;
    }
    // A shell's `<(command)` is read to the end.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::empty())).map_err(|errno| at(errno.into()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(max).unwrap_or_default()));
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(at)?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read <= max) {
        Ok(bytes)
    } else {
        let text = format!("has more than {max} bytes");
        Err(at(io::Error::new(io::ErrorKind::InvalidData, text)))
    }
}

/// Refuses a file that other users can read or change.
fn closed(path: &Path, file: &File, found: &Metadata) -> Result<(), KeyError> {
    if is_read_only(file) || in_closed_directory(path) {
        return Ok(());
    }
    ours(path, found)?;
    let mode = found.mode();
    let shown = format!("mode {:04o}", mode & 0o7777);
    let chmod = format!("chmod 600 {}", path.display());
    if mode & 0o022 != 0 {
        return Err(exposed(path, format!("others may change it ({shown})"), chmod));
    }
    // Root may pass a secret to a service through the service's own group.
    let handed = found.uid() == 0 && !Uid::effective().is_root() && is_our_group(found.gid());
    if mode & 0o004 != 0 || (mode & 0o040 != 0 && !handed) {
        return Err(exposed(path, format!("others may read it ({shown})"), chmod));
    }
    Ok(())
}

/// Refuses a directory that other users can write to. A missing one is fine.
///
/// # Errors
/// [`KeyError`].
pub(super) fn directory(path: &Path) -> Result<(), KeyError> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|found| (file, found)));
    let (file, found) = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|source| KeyError::Io {
            path: path.to_owned(),
            source,
        })?,
    };
    if is_read_only(&file) || in_closed_directory(path) {
        return Ok(());
    }
    ours(path, &found)?;
    let mode = found.mode();
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let problem = format!("others may put files into it (mode {:04o})", mode & 0o7777);
    Err(exposed(path, problem, format!("chmod 700 {}", path.display())))
}

fn ours(path: &Path, found: &Metadata) -> Result<(), KeyError> {
    let us = Uid::effective().as_raw();
    if [us, 0].contains(&found.uid()) {
        return Ok(());
    }
    let problem = format!("it belongs to another user (uid {})", found.uid());
    Err(exposed(path, problem, format!("chown {us} {}", path.display())))
}

fn exposed(path: &Path, problem: String, fix: String) -> KeyError {
    KeyError::Exposed {
        path: path.to_owned(),
        problem,
        fix,
    }
}

fn is_read_only(file: &File) -> bool {
    fstatvfs(file).is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY))
}

/// Whether only the directory's owner, who is this user or root, can access its files.
fn in_closed_directory(path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let Some(found) = real.parent().and_then(|parent| fs::metadata(parent).ok()) else {
        return false;
    };
    found.mode() & 0o077 == 0 && [Uid::effective().as_raw(), 0].contains(&found.uid())
}

#[cfg(target_os = "linux")]
fn is_our_group(group: u32) -> bool {
    let group = Gid::from_raw(group);
    Gid::effective() == group || nix::unistd::getgroups().is_ok_and(|groups| groups.contains(&group))
}

#[cfg(not(target_os = "linux"))]
fn is_our_group(group: u32) -> bool {
    Gid::effective() == Gid::from_raw(group)
}
