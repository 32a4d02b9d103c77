//! Whether a file says what its owner wrote: settings and policies are obeyed only if nobody else may write them.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use nix::{
    sys::statvfs::{FsFlags, statvfs},
    unistd::{Group, Uid, User},
};

/// Links that are followed on one path before it counts as a loop.
const LINKS_MAX: usize = 40;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// How a file was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// A person named it: by a flag, a variable, or as the fixed place in `/etc`. It may lie on a read-only mount,
    /// whichever user owns it there: that is how containers are given files.
    ByName,
    /// It was found where we looked, such as `./lgi-mm.toml`.
    Found,
}

/// A file that is not obeyed.
#[derive(Debug, thiserror::Error)]
pub enum NotTrusted {
    /// It, or a directory above it, cannot be looked at.
    #[error("cannot look at {path}: {source}; check the path and its permissions")]
    Unreadable {
        /// What was looked at.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Another user may write it.
    #[error("{file} is not used, because another user may change it: {place} {why}; {fix}")]
    Writable {
        /// What should have been read.
        file: PathBuf,
        /// What is too open: the file, a link, or a directory above it.
        place: PathBuf,
        /// In which way.
        why: String,
        /// What to run.
        fix: String,
    },
    /// Links that lead nowhere.
    #[error("{0} has too many symbolic links on its way; name the file itself")]
    Loop(PathBuf),
}

/// The file behind `path`, all links resolved, if only this user or root may change it or what leads to it.
///
/// A directory that others may write is accepted only with the sticky bit (as `/tmp`), and what lies in it must belong
/// to this user or to root. A group that is the owner's own private one counts as the owner.
///
/// # Errors
/// [`NotTrusted`] names what is too open and the command that closes it.
pub fn trusted(path: &Path, chosen: Chosen) -> Result<PathBuf, NotTrusted> {
    // What this process was handed open: a pipe has no owner on a path.
    if path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd") || path == Path::new("/dev/stdin") {
        return Ok(path.to_owned());
    }
    let whole = std::path::absolute(path).map_err(|source| unreadable(path, source))?;
    let mut ahead: VecDeque<OsString> = parts(&whole).collect();
    let mut here = PathBuf::from("/");
    let mut links = 0_usize;
    let root = fs::symlink_metadata(&here).map_err(|source| unreadable(&here, source))?;
    closed(path, &here, &root)?;
    while let Some(part) = ahead.pop_front() {
        if part == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&part);
        let seen = fs::symlink_metadata(&next).map_err(|source| unreadable(&next, source))?;
        if chosen == Chosen::ByName && is_read_only_mount(&here, &next, &seen) {
            let rest: PathBuf = ahead.iter().collect();
            return fs::canonicalize(next.join(rest)).map_err(|source| unreadable(path, source));
        }
        owned(path, &next, &seen)?;
        if seen.is_symlink() {
            links = links.saturating_add(1);
            if links > LINKS_MAX {
                return Err(NotTrusted::Loop(path.to_owned()));
            }
            let target = fs::read_link(&next).map_err(|source| unreadable(&next, source))?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(part);
            }
            continue;
        }
        closed(path, &next, &seen)?;
        here = next;
    }
    Ok(here)
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn unreadable(path: &Path, source: std::io::Error) -> NotTrusted {
    NotTrusted::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn writable(file: &Path, place: &Path, why: impl Into<String>, fix: impl Into<String>) -> NotTrusted {
    NotTrusted::Writable {
        file: file.to_owned(),
        place: place.to_owned(),
        why: why.into(),
        fix: fix.into(),
    }
}

/// Of this user or of root.
fn owned(file: &Path, place: &Path, seen: &Metadata) -> Result<(), NotTrusted> {
    let (owner, own) = (seen.uid(), Uid::effective().as_raw());
    if owner == own || owner == 0 {
        return Ok(());
    }
    let why = format!("belongs to user {owner}, and this program runs as user {own}");
    let fix = format!("run `chown {own} {}`, or use a file of your own", place.display());
    Err(writable(file, place, why, fix))
}

/// Not open for others, or a directory from which nobody takes what is not his.
fn closed(file: &Path, place: &Path, seen: &Metadata) -> Result<(), NotTrusted> {
    let mode = seen.mode();
    if seen.is_dir() && mode & STICKY != 0 {
        return Ok(());
    }
    let group = mode & GROUP_WRITES != 0 && !is_private_group(seen);
    if mode & OTHERS_WRITE != 0 || group {
        let why = format!("has mode {:04o}", mode & 0o7777);
        return Err(writable(
            file,
            place,
            why,
            format!("run `chmod go-w {}`", place.display()),
        ));
    }
    Ok(())
}

/// Whether the group is the one that many systems make for each user, with nobody else in it.
fn is_private_group(seen: &Metadata) -> bool {
    let user = User::from_uid(seen.uid().into()).ok().flatten();
    let group = Group::from_gid(seen.gid().into()).ok().flatten();
    match (user, group) {
        (Some(user), Some(group)) => {
            group.name == user.name && group.mem.iter().all(|member| *member == user.name)
        }
        _ => false,
    }
}

/// Whether a filesystem that nobody here can write to begins at `place`.
fn is_read_only_mount(above: &Path, place: &Path, seen: &Metadata) -> bool {
    let begins = fs::symlink_metadata(above).is_ok_and(|above| above.dev() != seen.dev());
    begins
        && !seen.is_symlink()
        && statvfs(place).is_ok_and(|system| system.flags().contains(FsFlags::ST_RDONLY))
}

/// What is wrong with a secret file that every user of this machine may read or change; `None`: nothing. The rule for
/// keys of TLS and for secrets of signals.
///
/// # Errors
/// The file is not there, or its permissions cannot be read.
pub fn open_to_all(path: &Path) -> std::io::Result<Option<&'static str>> {
    let others = fs::metadata(path)?.mode() & 0o007;
    Ok((others != 0).then_some("every user of this machine may read or change it: chmod o= it"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
    }

    /// A directory with a file in it.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("policy.toml");
        fs::write(&file, "stop = false\n").expect("a file");
        chmod(&file, 0o600);
        (dir, file)
    }

    #[test]
    fn a_file_of_ones_own_is_obeyed_below_a_sticky_directory_and_through_links() {
        let (dir, file) = place();
        let real = fs::canonicalize(&file).expect("there");
        assert_eq!(trusted(&file, Chosen::Found).expect("own"), real);
        let link = dir.path().join("link.toml");
        symlink("policy.toml", &link).expect("a link");
        assert_eq!(trusted(&link, Chosen::Found).expect("own"), real);
        let shared = dir.path().join("shared");
        fs::create_dir(&shared).expect("a directory");
        chmod(&shared, 0o1777);
        let inside = shared.join("policy.toml");
        fs::write(&inside, "").expect("a file");
        chmod(&inside, 0o644);
        trusted(&inside, Chosen::Found).expect("sticky");
        // As Kubernetes lays out a secret.
        let data = shared.join("..2026_01_01");
        fs::create_dir(&data).expect("a directory");
        chmod(&data, 0o755);
        fs::write(data.join("key"), "").expect("a file");
        symlink("..2026_01_01", shared.join("..data")).expect("a link");
        symlink("..data/key", shared.join("key")).expect("a link");
        trusted(&shared.join("key"), Chosen::ByName).expect("a secret");
    }

    #[test]
    fn what_others_may_write_is_not_obeyed_wherever_on_the_way_they_may() {
        let (dir, file) = place();
        for mode in [0o602, 0o666, 0o622] {
            chmod(&file, mode);
            let refused = trusted(&file, Chosen::ByName).expect_err("open").to_string();
            assert!(refused.contains("chmod go-w"), "{refused}");
        }
        chmod(&file, 0o600);
        chmod(dir.path(), 0o777);
        let refused = trusted(&file, Chosen::Found).expect_err("open above").to_string();
        assert!(refused.contains("has mode 0777"), "{refused}");
        // A link elsewhere does not make it better.
        let (other, _) = place();
        let link = other.path().join("link");
        symlink(&file, &link).expect("a link");
        assert!(matches!(
            trusted(&link, Chosen::Found),
            Err(NotTrusted::Writable { .. })
        ));
        let circle = other.path().join("circle");
        symlink("circle", &circle).expect("a link");
        assert!(matches!(
            trusted(&circle, Chosen::Found),
            Err(NotTrusted::Loop(_))
        ));
    }

    #[test]
    fn a_file_of_somebody_else_is_not_obeyed() {
        let (_dir, file) = place();
        // Only root can give a file away.
        if Uid::effective().is_root() {
            std::os::unix::fs::chown(&file, Some(12_345), None).expect("root");
            let refused = trusted(&file, Chosen::ByName).expect_err("his").to_string();
            assert!(refused.contains("belongs to user 12345"), "{refused}");
        }
        let missing = file.with_extension("gone");
        assert!(matches!(
            trusted(&missing, Chosen::Found),
            Err(NotTrusted::Unreadable { .. })
        ));
    }
}
