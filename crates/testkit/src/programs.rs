//! External programs that tests run, and the addresses they listen at.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Cargo's output directory of this profile: the parent of the running test's or bench's directory.
fn built() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this test");
    let profile = this
        .parent()
        .and_then(Path::parent)
        .expect("target/<profile>/deps");
    profile.to_owned()
}

/// Our own program. Cargo builds it before it runs a test of the package.
pub fn lgi_mm() -> PathBuf {
    built().join("lgi-mm")
}

/// A directory for files that tests keep between runs.
pub fn scratch() -> PathBuf {
    let dir = built().with_file_name("tmp");
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// Its path in scripts/test's tools or on this machine.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = root().join("target/tools");
    let unpacked = ["prometheus/usr/bin", "postgres/bin"].map(|dir| tools.join(dir));
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut places = std::env::var_os("PG_BIN")
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(unpacked)
        .chain(installed.map(|version| version.path().join("bin")));
    let found = places.find(|dir| dir.join(name).is_file());
    found.expect("a program that scripts/test fetches").join(name)
}

/// A free port of loopback.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}
