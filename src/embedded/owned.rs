//! Files and directories that only we may change, made and opened so that a link planted in their place is never
//! followed.
//!
//! As root we run the server as another user, and that user must not become root through us. So root works
//! only in directories that root alone may write; what the server's user writes is below `data` and `socket`, which
//! root never opens.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    sys::stat::Mode,
    unistd::{Uid, User, mkfifo},
};

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why.into())
}

fn us() -> u32 {
    Uid::effective().as_raw()
}

/// A directory of ours with this mode, made if it is not there. `from` names another owner whom it is taken from,
/// together with what they put into it.
///
/// # Errors
/// It is a link, no directory, or another user's.
pub(super) fn directory(path: &Path, mode: u32, from: Option<u32>) -> io::Result<()> {
    let opened = made(path)?;
    // No other process of ours enters before it is ours and empty of links.
    opened.lock()?;
    let owner = opened.metadata()?.uid();
    if owner != us() {
        if from != Some(owner) {
            return Err(refused("is not a directory of our own"));
        }
        fchown(&opened, Some(us()), None)?;
        remove_planted(path)?;
    }
    opened.set_permissions(Permissions::from_mode(mode))
}

/// Files of an earlier version, and others that the server's user put next to its data while it owned the
/// directory: names are removed, links are not followed. Directories stay, and are looked at before they are used; so
/// does a link in place of the data, which is refused then, and a socket that a server may still use.
fn remove_planted(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let stays = name == "data" || name.as_encoded_bytes().starts_with(b".s.PGSQL");
        if !stays && !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A directory that is the server's user's alone, in a directory of ours.
///
/// # Errors
/// As [`directory`].
pub(super) fn given(path: &Path, user: Option<&User>) -> io::Result<()> {
    let opened = made(path)?;
    let owner = opened.metadata()?.uid();
    if let Some(user) = user {
        if owner == us() {
            fchown(&opened, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        } else if owner != user.uid.as_raw() {
            return Err(refused("belongs to another user than the server's"));
        }
    } else if owner != us() {
        return Err(refused("is not a directory of our own"));
    }
    opened.set_permissions(Permissions::from_mode(0o700))
}

/// The directory itself, never what a link in its place leads to.
fn made(path: &Path) -> io::Result<File> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
        .open(path);
    opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP | Errno::ENOTDIR) => refused("is not a directory of our own"),
        _ => error,
    })
}

/// The directory that `path` will be made in, without links. As root: no other user may change the way to it.
///
/// # Errors
/// Another user may, or it cannot be made.
pub(super) fn parent(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    if absolute.components().any(|part| part == Component::ParentDir) {
        return Err(refused("contains `..`; give the path without it"));
    }
    let parent = absolute.parent().ok_or_else(|| refused("is no place for data"))?;
    let standing = parent
        .ancestors()
        .find(|above| fs::symlink_metadata(above).is_ok());
    let standing = standing.unwrap_or(Path::new("/")).canonicalize()?;
    only_root_may_change(&standing)?;
    fs::create_dir_all(parent)?;
    let parent = parent.canonicalize()?;
    only_root_may_change(&parent)?;
    Ok(parent)
}

/// Where others may put another directory in a directory's place, root would work in theirs.
fn only_root_may_change(dir: &Path) -> io::Result<()> {
    if us() != 0 {
        return Ok(());
    }
    for above in dir.ancestors() {
        let found = fs::symlink_metadata(above)?;
        let sticky = found.mode() & 0o1000 != 0;
        if found.uid() != 0 || (found.mode() & 0o022 != 0 && !sticky) {
            return Err(refused(format!(
                "not used by root, since others than root may change {} (uid {}, mode {:04o})",
                above.display(),
                found.uid(),
                found.mode() & 0o7777
            )));
        }
    }
    Ok(())
}

/// A new, empty file in a directory of ours, in place of what was there.
///
/// # Errors
/// [`io::Error`].
pub(super) fn fresh(path: &Path, mode: u32) -> io::Result<File> {
    gone(path)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    // Whatever the umask is.
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Removes a name in a directory of ours; never what a link leads to.
fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file of ours to lock.
///
/// # Errors
/// It is a link or another user's.
pub(super) fn lockable(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.uid() == us() {
        Ok(file)
    } else {
        Err(refused("is not a file of our own"))
    }
}

/// A new FIFO in a directory of ours, in place of what was there, open for both directions. The server's user may
/// open it too if `user` is given.
///
/// # Errors
/// [`io::Error`].
pub(super) fn new_fifo(path: &Path, user: Option<&User>) -> io::Result<File> {
    gone(path)?;
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let fifo = fifo(path, true, true)?;
    if let Some(user) = user {
        fchown(&fifo, None, Some(user.gid.as_raw()))?;
        fifo.set_permissions(Permissions::from_mode(0o660))?;
    }
    Ok(fifo)
}

/// Opens a FIFO of ours without waiting for the other end.
///
/// # Errors
/// It is no FIFO of ours; there is no reader, when only writing is wanted.
pub(super) fn fifo(path: &Path, read: bool, write: bool) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(read)
        .write(write)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
        .open(path)?;
    let found = file.metadata()?;
    if found.file_type().is_fifo() && found.uid() == us() {
        Ok(file)
    } else {
        Err(refused("is not a FIFO of our own"))
    }
}
