//! The programs of others that the stack runs, as plain processes: PostgreSQL with a password, Prometheus and
//! Alertmanager with our configuration. Grafana is not packaged where tests could fetch it.

use std::{
    os::unix::{fs::chown, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use serde_json::Value;
use sqlx::PgPool;
use testkit::programs::{free_address, program};

use crate::compose::{run, stack::Stack, until};

/// A user that is on every Debian machine: PostgreSQL refuses to be root.
const NOBODY: u32 = 65_534;

/// Stopped as its service would be.
struct Process(Child, Signal);

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(pid), self.1);
        }
        let _ = self.0.wait();
    }
}

fn quiet(command: &mut Command, signal: Signal) -> Process {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process(command.spawn().expect("a program"), signal)
}

/// The service's command, at another port, with the container's paths on this machine.
fn monitoring(stack: &Stack, service: &str, program_name: &str, port: u16, data: &Path) -> Process {
    let spec = &stack.config["services"][service];
    let program = program(program_name);
    let mut command = Command::new(&program);

    for word in spec["command"].as_array().expect("a command") {
        let (flag, value) = word
            .as_str()
            .and_then(|word| word.split_once('='))
            .expect("a flag");
        let value = match flag {
            "--web.listen-address" => format!("127.0.0.1:{port}"),
            // A named volume.
            "--storage.tsdb.path" | "--storage.path" => data.display().to_string(),
            _ if value.starts_with('/') => stack.on_this_machine(service, value).display().to_string(),
            _ => value.to_owned(),
        };
        command.arg(format!("{flag}={value}"));
    }
    quiet(&mut command, Signal::SIGTERM)
}

/// Asks what the container's health check asks, of `port`.
async fn ready(stack: &Stack, service: &str, port: u16) {
    let test = &stack.config["services"][service]["healthcheck"]["test"];
    let url: reqwest::Url = test
        .as_array()
        .and_then(|words| words.last())
        .and_then(Value::as_str)
        .and_then(|url| url.parse().ok())
        .expect("a URL");
    let bound = &stack.config["services"][service]["command"];
    let inside = format!("=0.0.0.0:{}", url.port().expect("a port"));
    assert!(bound.to_string().contains(&inside), "{service}: {url}, {bound}");
    let mut url = url;
    url.set_port(Some(port)).expect("a port");
    until("ready", async || {
        reqwest::get(url.clone())
            .await
            .is_ok_and(|answer| answer.status().is_success())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_and_alertmanager_run_with_what_the_compose_file_gives_them() {
    let (stack, dir) = (Stack::new().await, tempfile::tempdir().expect("a directory"));
    let (metrics, alerts) = (free_address().port(), free_address().port());
    let _prometheus = monitoring(&stack, "prometheus", "prometheus", metrics, &dir.path().join("p"));
    let alertmanager = "prometheus-alertmanager";
    let _alertmanager = monitoring(
        &stack,
        "alertmanager",
        alertmanager,
        alerts,
        &dir.path().join("a"),
    );
    ready(&stack, "prometheus", metrics).await;
    ready(&stack, "alertmanager", alerts).await;
    let rules = format!("http://127.0.0.1:{metrics}/api/v1/rules?type=alert");
    let rules: Value = reqwest::get(rules)
        .await
        .expect("rules")
        .json()
        .await
        .expect("JSON");
    let groups = rules["data"]["groups"].as_array().expect("groups");
    assert!(!groups.is_empty(), "no rule is loaded: {rules}");
    for group in groups {
        for rule in group["rules"].as_array().expect("rules") {
            assert_ne!(rule["health"], "err", "{rule}");
        }
    }
}

/// Names in Prometheus' configuration are services on a network that it shares, at the port they listen at.
#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_services_that_it_can_reach() {
    let stack = Stack::new().await;
    let services = &stack.config["services"];
    let file = stack.on_this_machine("prometheus", "/etc/prometheus/prometheus.yml");
    let text = std::fs::read_to_string(file).expect("a configuration");
    let mut scraped = 0;
    for line in text.lines().filter(|line| line.contains("names: [")) {
        let (_, rest) = line.split_once("names: [").expect("names");
        let (name, rest) = rest.split_once(']').expect("a name");
        let (_, rest) = rest.split_once("port: ").expect("a port");
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let listens = &services[name]["environment"]["LGI_MM__METRICS__LISTEN"];
        assert_eq!(*listens, Value::from(format!("0.0.0.0:{port}")), "{name}");
        let shared = services["prometheus"]["networks"].as_object().expect("networks");
        let declared = services[name]["networks"].as_object().expect("networks");
        assert!(shared.keys().any(|one| declared.contains_key(one)), "{name}");
        scraped += 1;
    }
    assert_eq!(scraped, 3, "schedulers, workers and the console");
    let runbook = &services["prometheus"]["environment"]["LGI_MM_RUNBOOK_URL"];
    assert_eq!(*runbook, Value::from("http://127.0.0.1:3000/d/lgi-mm-runbook"));
    assert!(text.contains("lgi_mm_runbook: ${LGI_MM_RUNBOOK_URL}"), "{text}");
    let alertmanager = services["alertmanager"]["command"].to_string();
    assert!(text.contains("targets: [alertmanager:9093]") && alertmanager.contains(":9093"));
}

/// What the image's entry point does with the service's environment, and then its command.
fn postgres(stack: &Stack, dir: &Path, port: u16) -> Process {
    let spec = &stack.config["services"]["postgres"];
    let environment = &spec["environment"];
    let text = |key: &str| environment[key].as_str().expect("text").to_owned();
    let password = stack.on_this_machine("postgres", &text("POSTGRES_PASSWORD_FILE"));
    let (data, copied) = (dir.join("data"), dir.join("password"));
    std::fs::copy(password, &copied).expect("a copy");
    let programs = program("initdb");
    let programs = programs.parent().expect("a directory");
    let as_nobody = |command: &mut Command| {
        command.current_dir(dir);
        if Uid::effective().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
    };
    if Uid::effective().is_root() {
        for path in [dir, &copied] {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("a new owner");
        }
    }
    let mut initdb = Command::new(programs.join("initdb"));
    initdb
        .arg("--pgdata")
        .arg(&data)
        .arg("--username")
        .arg(text("POSTGRES_USER"));
    initdb.arg(format!("--pwfile={}", copied.display()));
    initdb.args(text("POSTGRES_INITDB_ARGS").split(' '));
    as_nobody(&mut initdb);
    run(&mut initdb);
    let mut server = Command::new(programs.join("postgres"));
    let words = spec["command"].as_array().expect("a command");
    assert_eq!(words[0], "postgres");
    server.args(words[1..].iter().map(|word| word.as_str().expect("a word")));
    server.arg("-D").arg(&data).args(["-c", &format!("port={port}")]);
    server.args(["-c", &format!("unix_socket_directories={}", dir.display())]);
    as_nobody(&mut server);
    let signal: Signal = spec["stop_signal"]
        .as_str()
        .and_then(|name| name.parse().ok())
        .expect("a signal");
    quiet(&mut server, signal)
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_of_the_compose_file_lets_our_services_in_with_the_password_in_the_file() {
    let (stack, dir) = (Stack::new().await, tempfile::tempdir().expect("a directory"));
    let port = free_address().port();
    let _server = postgres(&stack, dir.path(), port);
    let url = |user: &str, password: &str, database: &str| {
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
    };
    let password = |name: &str| {
        let file = stack.on_this_machine("roles", &format!("/run/secrets/{name}_password"));
        std::fs::read_to_string(file)
            .expect("a password")
            .trim()
            .to_owned()
    };
    let superuser = url("postgres", &password("postgres"), "postgres");
    until("the server answers", async || {
        PgPool::connect(&superuser).await.is_ok()
    })
    .await;
    let admin = PgPool::connect(&superuser).await.expect("the server");
    sqlx::query("CREATE DATABASE lgi_mm")
        .execute(&admin)
        .await
        .expect("a database");
    // At each `up`, so it must be possible twice.
    for _ in 0..2 {
        let mut roles = stack.script("roles", &[]);
        roles.env("PGHOST", "127.0.0.1").env("PGPORT", port.to_string());
        run(roles.env("ROLE_PASSWORDS", stack.cluster.secrets()));
    }
    let refused = PgPool::connect(&url("lgi_mm_owner", "wrong", "lgi_mm")).await;
    assert!(refused.is_err(), "a wrong password opens it");
    // The service's own environment, but for the name that only the stack's network resolves.
    run(stack.service("migrate", 0).env(
        "DATABASE_URL",
        format!("postgres://lgi_mm_owner@127.0.0.1:{port}/lgi_mm"),
    ));
    let pool = PgPool::connect(&url("lgi_mm_cli", &password("cli"), "lgi_mm"))
        .await
        .expect("the database");
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(&pool)
        .await
        .expect("migrated");
    assert_eq!(jobs, 0);
    pool.close().await;
    admin.close().await;
}
