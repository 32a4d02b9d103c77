//! The machine: files, ports, passwords, key files, the private server.

mod keys;
mod opened;
mod port;
mod server;

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output},
};

use nix::unistd::{Uid, User};

/// Whether this test can play another user. Where it cannot, it says so.
fn may_be_others() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        // Nothing waits for this to be read.
        let _ = writeln!(std::io::stderr(), "not run: only root can be another user");
    }
    root
}

/// A shell of another user, in a directory.
fn shell(uid: u32, gid: u32, dir: &Path, script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).current_dir(dir).uid(uid).gid(gid);
    command
}

/// What it did.
fn ran(mut command: Command) -> Output {
    command.output().expect("a shell")
}

/// A user that every machine has.
fn nobody() -> User {
    User::from_name("nobody")
        .expect("users")
        .expect("everybody has it")
}
