//! Whom the server runs as when we are root, since it refuses root.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Uid, User};

/// A user for nothing else.
const OWN: &str = "lgi-mm";
/// Users that every machine has, or that its PostgreSQL package made. They run other things too, which then can do to
/// our data what the server can.
const SHARED: [&str; 2] = ["postgres", "nobody"];
/// Where a user without a login is sent.
const NO_LOGIN: &str = "/usr/sbin/nologin";

fn named(name: &str) -> Option<User> {
    User::from_name(name).ok().flatten()
}

/// Whether a directory of this owner can be one that an earlier version gave to its server.
pub(super) fn is_candidate(uid: u32) -> bool {
    let names = [OWN, SHARED[0], SHARED[1]];
    names
        .iter()
        .filter_map(|name| named(name))
        .any(|user| user.uid.as_raw() == uid)
}

/// `None` if we are not root. Data that is there stays with its owner; a durable server's first data gets a user of its
/// own, which is made if the system can.
pub(super) fn server_user(data: &Path, durable: bool) -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let owner = fs::symlink_metadata(data).ok().filter(|found| found.is_dir());
    let owner = owner.map(|found| Uid::from_raw(found.uid()));
    if let Some(owner) = owner.filter(|owner| !owner.is_root()) {
        return User::from_uid(owner).ok().flatten();
    }
    named(OWN)
        .or_else(|| durable.then(make).flatten())
        .or_else(|| SHARED.into_iter().find_map(named))
}

/// A system user without home and login.
fn make() -> Option<User> {
    let useradd = ["/usr/sbin/useradd", "/sbin/useradd"]
        .into_iter()
        .find(|path| Path::new(path).is_file())?;
    let made = Command::new(useradd)
        .args(["--system", "--user-group", "--no-create-home"])
        .args(["--home-dir", "/nonexistent", "--shell", NO_LOGIN, OWN])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // If another process was faster, the user is there all the same.
    let user = named(OWN);
    if user.is_some() && made.is_ok_and(|status| status.success()) {
        tracing::info!(
            user = OWN,
            "made a system user: the private server runs as it, since root may not"
        );
    }
    user
}
