//! Who may connect to the private server, and as which role: only the operating system's user who started it, without
//! a password.

use std::{io::Write, path::PathBuf};

use nix::unistd::{Uid, User};

use super::{
    error::EmbeddedError,
    owned,
    place::Place,
    roles::{ADMIN, APP},
};

/// The name of the map in `pg_ident.conf`.
const MAP: &str = "lgi_mm";

/// Writes who may connect, next to the data: the server's user can read it and not change it. `open` lets us be any
/// role, for tests that make their own.
///
/// # Errors
/// [`EmbeddedError`].
pub(super) fn write_access(place: &Place, open: bool) -> Result<(), EmbeddedError> {
    let uid = Uid::effective();
    let us = User::from_uid(uid).ok().flatten();
    let us = us.ok_or(EmbeddedError::NoName(uid.as_raw()))?.name;
    let quoted = us.replace('"', "\"\"");
    let others = if open { "trust" } else { "scram-sha-256" };
    let access = format!(
        "# Written at each start. Nothing listens but a socket that only its owner can reach.\n\
         local all {ADMIN} peer map={MAP}\nlocal all {APP} peer map={MAP}\nlocal all all {others}\n"
    );
    let names = format!("{MAP} \"{quoted}\" {ADMIN}\n{MAP} \"{quoted}\" {APP}\n");
    for (path, text) in [(access_file(place), access), (names_file(place), names)] {
        let written = owned::fresh(&path, 0o644).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| EmbeddedError::Path { path, source })?;
    }
    Ok(())
}

/// `pg_hba.conf`.
pub(super) fn access_file(place: &Place) -> PathBuf {
    place.file("pg_hba.conf")
}

/// `pg_ident.conf`.
pub(super) fn names_file(place: &Place) -> PathBuf {
    place.file("pg_ident.conf")
}
