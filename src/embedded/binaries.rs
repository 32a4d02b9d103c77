//! Finds PostgreSQL's programs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::error::EmbeddedError;

/// Directories that hold one subdirectory a version.
const VERSIONED: [&str; 5] = [
    "/usr/lib/postgresql",
    "/usr/pgsql",
    "/opt/homebrew/opt",
    "/usr/local/opt",
    "/Applications/Postgres.app/Contents/Versions",
];

/// A directory with `initdb` and `postgres`.
#[derive(Debug)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// The first complete set, newest version first; of major version `wanted`, if data of it is there.
    pub(super) fn find(wanted: Option<&str>) -> Result<Self, EmbeddedError> {
        candidates()
            .into_iter()
            .filter(|dir| {
                ["initdb", "postgres"]
                    .iter()
                    .all(|program| dir.join(program).is_file())
            })
            .find(|dir| wanted.is_none_or(|wanted| major_version(dir).as_deref() == Some(wanted)))
            .map(Self)
            .ok_or_else(|| EmbeddedError::NoBinaries {
                wanted: wanted.map(str::to_owned),
            })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = env::var_os("PG_BIN").map(PathBuf::from).into_iter().collect();
    dirs.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        dirs.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    for base in VERSIONED {
        let mut versions: Vec<PathBuf> = fs::read_dir(base)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        versions.sort_by_key(|path| std::cmp::Reverse(version_in_name(path)));
        dirs.extend(versions.into_iter().map(|path| path.join("bin")));
    }
    dirs.extend(unpacked_beside_us());
    dirs
}

/// Where the scripts unpack a server for a user who may not install one: `target/tools` of the build that we
/// are part of, be it `target/debug/lgi-mm` or `target/debug/deps/a_test`.
fn unpacked_beside_us() -> Vec<PathBuf> {
    let this = env::current_exe().unwrap_or_default();
    let above = this.ancestors().skip(1).take(3);
    above.map(|dir| dir.join("tools/postgres/bin")).collect()
}

/// `15` of `/usr/lib/postgresql/15`, `17` of `postgresql@17`.
fn version_in_name(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.rsplit('@').next()?.parse().ok()
}

/// The places of a client program of PostgreSQL, such as `pg_dump`, for a server of major version `server`: that
/// version's first, then newer ones. An older program refuses the server, and a newer one may say what the server does
/// not know.
///
/// # Errors
/// [`EmbeddedError::NoClient`] if there is none.
pub fn clients(name: &'static str, server: u32) -> Result<Vec<PathBuf>, EmbeddedError> {
    let programs = candidates().into_iter().map(|dir| dir.join(name));
    let mut found: Vec<(u32, PathBuf)> = programs
        .filter(|program| program.is_file())
        .filter_map(|program| Some((version_of(&program)?.parse().ok()?, program)))
        .filter(|(version, _)| *version >= server)
        .collect();
    // Stable: of one version the first that was found.
    found.sort_by_key(|(version, _)| *version);
    if found.is_empty() {
        return Err(EmbeddedError::NoClient { name, server });
    }
    Ok(found.into_iter().map(|(_, program)| program).collect())
}

/// Directories with programs of PostgreSQL, in the order in which they are searched.
#[must_use]
pub fn client_dirs() -> Vec<PathBuf> {
    let mut dirs = candidates();
    dirs.retain(|dir| dir.join("psql").is_file() || dir.join("pg_dump").is_file());
    dirs
}

/// `15` of `postgres (PostgreSQL) 15.18`.
fn major_version(dir: &Path) -> Option<String> {
    version_of(&dir.join("postgres"))
}

fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split('.').next().map(str::to_owned)
}
