//! The stack as Compose resolves it, on this machine.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use sqlx::PgPool;
use testkit::cluster::Cluster;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

pub struct Stack {
    pub config: Value,
    /// The server that stands where the service `postgres` would, with its roles.
    pub cluster: Cluster,
    /// As the superuser, whom no service is.
    pub pool: PgPool,
    ports: Vec<u16>,
    dir: tempfile::TempDir,
}

impl Stack {
    pub async fn new() -> Self {
        let (dir, cluster) = (tempfile::tempdir().expect("a directory"), Cluster::start().await);
        let mut compose = Command::new("docker-compose");
        compose.args(["--profile", "*", "config", "--format", "json"]);
        // What scripts/secrets makes beside the Compose file.
        for name in ["KEYSTORE", "POLICY", "STATE", "BACKUP"] {
            let made = dir.path().join(name);
            let mode = std::fs::Permissions::from_mode(0o700);
            std::fs::create_dir(&made).expect("a directory");
            std::fs::set_permissions(&made, mode).expect("a mode");
            compose.env(format!("LGI_MM_{name}_DIR"), made);
        }
        // In the container the file lies on a read-only mount; here the directory of the secrets is the server's.
        let settings = dir.path().join("settings.toml");
        std::fs::copy(cluster.secrets().join("settings.toml"), &settings).expect("settings");
        let compose = compose.env("LGI_MM_SETTINGS_FILE", settings).current_dir(ROOT);
        let ran = compose
            .output()
            .expect("docker-compose: scripts/test installs it");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let config = serde_json::from_slice(&ran.stdout).expect("JSON");
        let pool = cluster.pool("postgres").await;
        let free = |_| std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let listeners: Vec<_> = (0..4).map(free).collect();
        let ports = listeners
            .iter()
            .map(|one| one.local_addr().expect("an address").port())
            .collect();
        Self {
            config,
            cluster,
            pool,
            ports,
            dir,
        }
    }

    /// The process that `service`'s container would run, listening at the port of that number.
    pub fn service(&self, service: &str, port: usize) -> Command {
        let spec = &self.config["services"][service];
        let mut command = self.environment(service, port);
        // The image's entry point; `docker compose run` replaces the command.
        if service != "cli" && service != "restore" {
            let words = spec["command"].as_array().expect("a command");
            command.args(words.iter().map(|word| word.as_str().expect("a word")));
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if service == "scheduler" || service == "worker" {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        command
    }

    /// What the container's health check would run.
    pub fn health(&self, service: &str, port: usize) -> Command {
        let test = self.config["services"][service]["healthcheck"]["test"]
            .as_array()
            .expect("a health check");
        let words: Vec<&str> = test.iter().map(|word| word.as_str().expect("a word")).collect();
        assert_eq!(words[..2], ["CMD", "lgi-mm"]);
        let mut command = self.environment(service, port);
        command
            .args(&words[2..])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn environment(&self, service: &str, port: usize) -> Command {
        self.with_environment(service, port, Command::new(env!("CARGO_BIN_EXE_lgi-mm")))
    }

    /// A script that `service` runs, with the programs of the image.
    pub fn script(&self, service: &str, args: &[&str]) -> Command {
        let words = self.config["services"][service]["entrypoint"]
            .as_array()
            .expect("an entry point");
        let words: Vec<&str> = words.iter().map(|word| word.as_str().expect("a word")).collect();
        assert_eq!(words[0], "bash", "{words:?}");
        let mut command = self.with_environment(service, 0, Command::new("/bin/bash"));
        let programs = testkit::programs::program("pg_dump");
        let ours = Path::new(env!("CARGO_BIN_EXE_lgi-mm"));
        let path = [
            programs.parent(),
            ours.parent(),
            Some(Path::new("/usr/bin")),
            Some(Path::new("/bin")),
        ];
        let path = std::env::join_paths(path.into_iter().flatten()).expect("paths");
        command.env("PATH", path);
        command.arg(self.on_this_machine(service, words[1])).args(args);
        command
    }

    fn with_environment(&self, service: &str, port: usize, mut command: Command) -> Command {
        // Nothing of this machine but where it is.
        command.env_clear().current_dir(self.dir.path());
        let variables = self.config["services"][service]["environment"]
            .as_object()
            .expect("an environment");
        for (key, value) in variables {
            let value = value.as_str().expect("text");
            let value = match key.as_str() {
                "DATABASE_URL" => {
                    assert!(value.contains("@postgres:5432/lgi_mm"), "{value}");
                    let server = self.cluster.url("postgres", "");
                    let (_, address) = server.rsplit_once('@').expect("an address");
                    value.replace("@postgres:5432/", &format!("@{address}"))
                }
                "LGI_MM__METRICS__LISTEN" => {
                    assert_eq!(value, "0.0.0.0:9464");
                    format!("0.0.0.0:{}", self.ports[port])
                }
                _ if value.starts_with('/') => self.on_this_machine(service, value).display().to_string(),
                _ => value.to_owned(),
            };
            command.env(key, value);
        }
        command
    }

    /// A path of `service`'s container on this machine: a secret, or below a volume.
    pub fn on_this_machine(&self, service: &str, path: &str) -> PathBuf {
        let spec = &self.config["services"][service];
        if let Some(name) = path.strip_prefix("/run/secrets/") {
            let granted = spec["secrets"].as_array().expect("secrets");
            assert!(
                granted.iter().any(|secret| secret["source"] == name),
                "{service} may not read {name}"
            );
            let made = self.cluster.secrets().join(name);
            let file = self.config["secrets"][name]["file"].as_str().expect("a file");
            return if made.exists() { made } else { PathBuf::from(file) };
        }
        let volumes = spec["volumes"].as_array().expect("volumes");
        let found = volumes.iter().find_map(|volume| {
            let target = volume["target"].as_str()?;
            let rest = Path::new(path).strip_prefix(target).ok()?;
            Some(Path::new(volume["source"].as_str()?).join(rest))
        });
        found.expect("a volume there")
    }

    /// How long the engine would wait before it kills.
    pub fn grace(&self, service: &str) -> Duration {
        let text = self.config["services"][service]["stop_grace_period"]
            .as_str()
            .expect("a time");
        let span: lgi_mm::domain::span::Span = text.parse().expect("a time");
        span.std()
    }
}
