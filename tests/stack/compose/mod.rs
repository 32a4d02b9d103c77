//! docker-compose.yml without an engine: Compose itself resolves the file, and every service of ours is started from
//! it as a plain process, with its command, its environment and nothing else.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod kept;
mod others;
mod page;
mod secrets;
mod stack;

use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use stack::Stack;

const TOKEN: &str = "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07";

/// Prices without a network, and a slot every second.
const START: [&str; 14] = [
    "start",
    TOKEN,
    "--mode",
    "accumulate",
    "--symbol",
    "CLAWD",
    "--set",
    "price.sources=[\"generated\"]",
    "--set",
    "schedule.cron=\"* * * * * *\"",
    "--set",
    "accumulate.dca_amount_usd=5",
    "--set",
    "accumulate.dca_interval=\"1s\"",
];

fn run(command: &mut Command) -> String {
    let ran = command.output().expect("our own program");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

async fn until(what: &str, mut there: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !there().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn end(mut service: Child, grace: Duration) {
    let pid = Pid::from_raw(i32::try_from(service.id()).expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("a signal");
    let begun = Instant::now();
    let status = service.wait().expect("an end");
    assert!(status.success() && begun.elapsed() < grace, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_of_ours_runs_with_what_the_compose_file_gives_it() {
    let stack = Stack::new().await;
    // Nothing is there before migrate, and migrate leaves nothing running.
    run(&mut stack.service("migrate", 0));
    let mut scheduler = stack.service("scheduler", 1).spawn().expect("a scheduler");
    // As `--scale worker=2` would.
    let workers: Vec<Child> = [2, 3]
        .map(|port| stack.service("worker", port).spawn().expect("a worker"))
        .into();
    for (service, port) in [("scheduler", 1), ("worker", 2), ("worker", 3)] {
        until("healthy", async || {
            stack.health(service, port).status().expect("a check").success()
        })
        .await;
    }
    run(stack.service("cli", 0).args(START));
    let traded = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
    until("two trades", async || {
        let count = sqlx::query_scalar::<_, i64>(traded).fetch_one(&stack.pool).await;
        count.expect("a count") >= 2
    })
    .await;
    let listed = run(stack.service("cli", 0).arg("list"));
    assert!(listed.contains("CLAWD"), "{listed}");
    assert!(scheduler.try_wait().expect("a process").is_none());
    for service in workers {
        end(service, stack.grace("worker"));
    }
    end(scheduler, stack.grace("scheduler"));
}

/// Each service has a database role of its own and sees no other's password; what each role may do is shown by the
/// tests of `hostile`.
#[tokio::test(flavor = "multi_thread")]
async fn no_service_has_the_password_of_the_superuser_or_of_another_role() {
    let stack = Stack::new().await;
    let services = stack.config["services"].as_object().expect("services");
    for (name, role) in [
        ("migrate", "owner"),
        ("scheduler", "scheduler"),
        ("worker", "engine"),
        ("cli", "cli"),
        ("console", "cli"),
        ("grafana", "reader"),
        ("backup", "backup"),
        ("restore", "owner"),
        ("postgres", "postgres"),
    ] {
        let granted = services[name]["secrets"].as_array().expect("secrets").iter();
        let granted: Vec<&str> = granted.filter_map(|secret| secret["source"].as_str()).collect();
        let roles = [
            "postgres",
            "owner",
            "scheduler",
            "engine",
            "cli",
            "reader",
            "backup",
        ];
        let roles = roles
            .into_iter()
            .filter(|one| granted.contains(&format!("{one}_password").as_str()));
        assert_eq!(roles.collect::<Vec<_>>(), [role], "{name}: {granted:?}");
        if name != "grafana" && name != "postgres" {
            let url = services[name]["environment"]["DATABASE_URL"]
                .as_str()
                .expect("a URL");
            assert!(
                url.starts_with(&format!("postgres://lgi_mm_{role}@")),
                "{name}: {url}"
            );
        }
    }
    let user = services["postgres"]["environment"]["POSTGRES_USER"]
        .as_str()
        .expect("a user");
    assert_eq!(user, "postgres", "the superuser is nobody's role");
    let source = std::fs::read_to_string(
        stack.on_this_machine("grafana", "/etc/grafana/provisioning/datasources/lgi-mm.yml"),
    );
    let source = source.expect("a data source");
    assert!(
        source.contains("user: lgi_mm_reader") && source.contains("/run/secrets/reader_password"),
        "{source}"
    );
}

/// What every container promises.
#[tokio::test(flavor = "multi_thread")]
async fn every_container_is_hardened_pinned_and_bound_to_loopback() {
    let stack = Stack::new().await;
    let services = stack.config["services"].as_object().expect("services");
    for (name, service) in services {
        assert_eq!(service["read_only"], Value::Bool(true), "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["init"], Value::Bool(true), "{name}");
        let options = service["security_opt"].as_array().expect("options");
        assert!(options.contains(&"no-new-privileges:true".into()), "{name}");
        let user = service["user"].as_str().expect("a user");
        assert!(
            !user.starts_with('0') && !user.starts_with("root"),
            "{name}: {user}"
        );
        for limit in [
            "mem_limit",
            "pids_limit",
            "stop_grace_period",
            "logging",
            "healthcheck",
        ] {
            assert!(!service[limit].is_null(), "{name} has no {limit}");
        }
        let image = service["image"].as_str().expect("an image");
        let tagged = image.split('@').next().expect("an image");
        let (_, tag) = tagged.rsplit_once(':').expect("a tag");
        assert!(tag != "latest" && tag.contains('.'), "{name}: {image}");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}");
        }
        // A secret in the environment would be in `docker inspect`.
        for (key, value) in service["environment"].as_object().into_iter().flatten() {
            let secret = ["PASSWORD", "TOKEN", "SECRET"]
                .iter()
                .any(|word| key.contains(word));
            let file = value
                .as_str()
                .is_some_and(|text| text.starts_with("/run/secrets/"));
            assert!(!secret || file, "{name}: {key}");
        }
    }
    // scripts/secrets writes COMPOSE_PROFILES=default; what has no profile always runs.
    for (name, profile) in [
        ("postgres", None),
        ("roles", None),
        ("migrate", None),
        ("scheduler", None),
        ("worker", None),
        ("prometheus", Some("default")),
        ("alertmanager", Some("default")),
        ("grafana", Some("default")),
        ("backup", Some("default")),
        ("cli", Some("cli")),
        ("console", Some("console")),
        ("restore", Some("cli")),
    ] {
        let profiles = services[name]["profiles"].as_array();
        let profiles: Vec<&str> = profiles.into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(profiles, profile.into_iter().collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(services.len(), 12, "a new service belongs to a profile");
}

/// Files that the stack mounts are there, and what they name is mounted.
#[tokio::test(flavor = "multi_thread")]
async fn every_mounted_file_is_there() {
    let stack = Stack::new().await;
    for (name, service) in stack.config["services"].as_object().expect("services") {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            if volume["type"] == "bind" {
                let source = volume["source"].as_str().expect("a path");
                assert!(std::path::Path::new(source).exists(), "{name}: {source}");
            }
        }
    }
    let home = "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH";
    let home = stack.config["services"]["grafana"]["environment"][home]
        .as_str()
        .expect("a dashboard");
    assert!(stack.on_this_machine("grafana", home).is_file(), "{home}");
}
