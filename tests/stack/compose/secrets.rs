//! `scripts/secrets` in a checkout of its own: what it makes, for whom, and that it changes nothing that is there.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::run;

/// What a clone of the repository has of the stack, made by a user with the umask 077.
fn checkout() -> tempfile::TempDir {
    let (root, dir) = (
        Path::new(env!("CARGO_MANIFEST_DIR")),
        tempfile::tempdir().expect("a directory"),
    );
    let mut copy = Command::new("bash");
    copy.args(["-c", "umask 077; git ls-files -z --cached --others --exclude-standard -- scripts deploy grafana docker-compose.yml Dockerfile \
                | xargs -0 cp --parents --no-preserve=mode -t \"$1\"; chmod 700 \"$1/scripts/secrets\"", "-"]);
    run(copy.arg(dir.path()).current_dir(root));
    dir
}

fn secrets(dir: &Path) {
    run(Command::new(dir.join("scripts/secrets")).current_dir("/"));
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("it is there").permissions().mode() & 0o777
}

/// Of all services, with the variables of `.env` and nothing else.
fn config(dir: &Path, profiles: &[&str]) -> Value {
    let mut compose = Command::new("docker-compose");
    compose
        .args(profiles)
        .args(["config", "--format", "json"])
        .current_dir(dir);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LGI_MM_")) {
        compose.env_remove(name);
    }
    serde_json::from_str(&run(&mut compose)).expect("JSON")
}

#[test]
fn a_checkout_with_umask_077_has_all_that_the_stack_mounts_and_readable_for_its_containers() {
    let dir = checkout();
    let dir = dir.path();
    secrets(dir);
    let all = config(dir, &["--profile", "*"]);
    let services = all["services"].as_object().expect("services");
    for (name, service) in services {
        let user = service["user"].as_str().expect("a user");
        let ours = service["image"]
            .as_str()
            .expect("an image")
            .starts_with("lgi-mm:");
        assert!(!user.starts_with("0:"), "{name}");
        for volume in service["volumes"].as_array().into_iter().flatten() {
            if volume["type"] != "bind" {
                continue;
            }
            let source = PathBuf::from(volume["source"].as_str().expect("a path"));
            assert!(source.exists(), "{name}: {}", source.display());
            if ours && !source.ends_with("postgres") {
                assert_eq!(mode(&source), 0o700, "{name}: {}", source.display());
                continue;
            }
            // Read by a user whom this machine does not know.
            let found = run(Command::new("find").arg(&source).args(["!", "-perm", "-o=r"]));
            assert_eq!(found, "", "{name}");
        }
    }
    for (name, secret) in all["secrets"].as_object().expect("secrets") {
        let file = Path::new(secret["file"].as_str().expect("a file"));
        assert_eq!(mode(file), 0o644, "{name}");
        assert_eq!(mode(file.parent().expect("a directory")), 0o700, "{name}");
    }
}

#[test]
fn the_settings_of_a_new_stack_are_the_defaults_and_not_the_example() {
    let dir = checkout();
    secrets(dir.path());
    let settings = dir.path().join("deploy/secrets/settings.toml");
    let text = std::fs::read_to_string(&settings).expect("settings");
    assert!(
        text.lines().all(|line| line.is_empty() || line.starts_with('#')),
        "{text}"
    );
    let file = &config(dir.path(), &[])["secrets"]["settings"]["file"];
    assert_eq!(Path::new(file.as_str().expect("a file")), settings);
}

#[test]
fn the_profile_of_env_decides_what_up_starts() {
    let dir = checkout();
    secrets(dir.path());
    let names = |profiles: &[&str]| -> Vec<String> {
        let config = config(dir.path(), profiles);
        config["services"]
            .as_object()
            .expect("services")
            .keys()
            .cloned()
            .collect()
    };
    let minimal = ["migrate", "postgres", "roles", "scheduler", "worker"];
    let default = [
        "alertmanager",
        "backup",
        "grafana",
        "migrate",
        "postgres",
        "prometheus",
        "roles",
        "scheduler",
        "worker",
    ];
    assert_eq!(names(&[]), default);
    let env = dir.path().join(".env");
    let text = std::fs::read_to_string(&env).expect("variables");
    std::fs::write(
        &env,
        text.replace("COMPOSE_PROFILES=default", "COMPOSE_PROFILES=minimal"),
    )
    .expect("a file");
    assert_eq!(names(&[]), minimal);
}

#[test]
fn what_is_there_stays_as_it_is() {
    let dir = checkout();
    let dir = dir.path();
    secrets(dir);
    let kept = [
        ".env",
        "deploy/secrets/settings.toml",
        "deploy/secrets/wallet_password",
        "deploy/secrets/owner_password",
    ];
    let read = || kept.map(|name| std::fs::read_to_string(dir.join(name)).expect(name));
    let variables = std::fs::read_to_string(dir.join(".env")).expect("variables");
    std::fs::write(
        dir.join(".env"),
        format!("{variables}ETH_RPC_URL=https://node.example\n"),
    )
    .expect("a file");
    std::fs::write(dir.join("deploy/secrets/settings.toml"), "[log]\n").expect("a file");
    let before = read();
    secrets(dir);
    assert_eq!(read(), before);
    let all = config(dir, &["--profile", "*"]);
    for service in ["worker", "cli"] {
        let url = &all["services"][service]["environment"]["ETH_RPC_URL"];
        assert_eq!(url, "https://node.example", "{service}");
    }
}
