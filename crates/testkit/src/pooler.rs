//! pgbouncer in front of a server.

use std::{
    os::unix::{fs::chown, process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use nix::unistd::Uid;

use crate::programs::free_address;

/// pgbouncer refuses to run as root.
const NOBODY: u32 = 65_534;

pub struct Pooler {
    process: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Its path on this machine, if installed.
fn pgbouncer() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|dir| dir.join("pgbouncer"))
        .find(|program| program.is_file())
}

impl Pooler {
    /// In front of the server of `url`, a URL with user and password; `None` without pgbouncer, except in CI.
    pub fn start(url: &str, mode: &str, size: u32) -> Option<Self> {
        let program = pgbouncer();
        assert!(
            program.is_some() || std::env::var_os("CI").is_none(),
            "no pgbouncer"
        );
        let Some(program) = program else {
            eprintln!("not tested: pgbouncer is missing");
            return None;
        };
        let server = reqwest::Url::parse(url).expect("a URL");
        let (dir, port) = (tempfile::tempdir().expect("a directory"), free_address().port());
        let database = server.path().trim_start_matches('/');
        let config = format!(
            "[databases]\n{database} = host=127.0.0.1 port={} user={} password={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {size}\n\
             ignore_startup_parameters = extra_float_digits\n",
            server.port().expect("a port"),
            server.username(),
            server.password().unwrap_or_default(),
        );
        let file = dir.path().join("pgbouncer.ini");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new(program);
        command.arg("--quiet").arg(&file).current_dir(dir.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if Uid::effective().is_root() {
            for path in [dir.path(), &file] {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("a new owner");
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        let process = command.spawn().expect("pgbouncer");
        Some(Self {
            process,
            url: format!("postgres://{}@127.0.0.1:{port}/{database}", server.username()),
            _dir: dir,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}
