//! `service`: units that systemd accepts without a warning, for the configuration of the user who installs them.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::terminal::{Ran, Terminal};

/// A unit's settings by section, read as strictly as systemd's manual has them.
fn parsed(text: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut sections: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut section = String::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        assert_eq!(line, line.trim(), "blanks around {line:?}");
        assert!(!line.ends_with('\\'), "{line:?} would be continued");
        if let Some(name) = line.strip_prefix('[') {
            section = name.strip_suffix(']').expect("a section").to_owned();
            assert!(
                sections.insert(section.clone(), Vec::new()).is_none(),
                "{section} twice"
            );
        } else {
            let (key, value) = line.split_once('=').expect("a setting");
            assert!(key.chars().all(|c| c.is_ascii_alphanumeric()), "{key}");
            let settings = sections.get_mut(&section).expect("a section before the settings");
            settings.push((key.to_owned(), value.to_owned()));
        }
    }
    sections
}

fn value<'a>(unit: &'a BTreeMap<String, Vec<(String, String)>>, key: &str) -> Vec<&'a str> {
    let all = unit.values().flatten();
    all.filter(|(name, _)| name == key)
        .map(|(_, value)| value.as_str())
        .collect()
}

/// What systemd itself says of a unit, where its program is there.
fn verified(dir: &Path, text: &str) {
    fs::create_dir_all(dir).expect("a directory");
    let path = dir.join("lgi-mm.service");
    fs::write(&path, text).expect("a unit");
    let Ok(ran) = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output()
    else {
        return;
    };
    let said = [ran.stdout, ran.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    // What it says of other units of this machine is not about ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("lgi-mm")).collect();
    assert!(ours.is_empty(), "{ours:#?}\n{text}");
}

/// A unit of the odd directory.
fn checked(text: &str, system: bool, settings: bool) {
    let unit = parsed(text);
    assert_eq!(unit.keys().collect::<Vec<_>>(), ["Install", "Service", "Unit"]);
    let command = value(&unit, "ExecStart");
    assert!(
        command.len() == 1 && command[0].ends_with(" daemon"),
        "{command:?}"
    );
    assert_eq!(
        command[0].contains("o'dd dir 100%%h $$HOME \\\"q\\\"/my settings.toml"),
        settings
    );
    // Longer than the tasks that a stop waits for.
    let stop = if settings { "120" } else { "50" };
    assert_eq!(value(&unit, "TimeoutStopSec"), [stop]);
    // The private server outlives us as long as another command uses it.
    assert_eq!(value(&unit, "KillMode"), ["process"]);
    for (key, expected) in [
        ("NoNewPrivileges", "yes"),
        ("Restart", "always"),
        ("RestartPreventExitStatus", "2"),
        ("UMask", "0077"),
    ] {
        assert_eq!(value(&unit, key), [expected], "{key}");
    }
    assert_eq!(
        value(&unit, "ProtectSystem"),
        if system { vec!["strict"] } else { vec![] }
    );
    assert_eq!(
        value(&unit, "WantedBy"),
        [if system {
            "multi-user.target"
        } else {
            "default.target"
        }]
    );
    let writes = value(&unit, "ReadWritePaths");
    assert_eq!(
        writes.contains(&"\"/var/lib/a dir/100%%h\""),
        system,
        "{writes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_what_systemd_reads_whatever_the_paths_are() {
    let terminal = Terminal::new().await;
    let odd = "o'dd dir 100%h $HOME \"q\"";
    fs::create_dir(terminal.path(odd)).expect("a directory");
    fs::write(
        terminal.path(odd).join("my settings.toml"),
        "[worker]\ngrace = \"90s\"\n",
    )
    .expect("settings");
    for scope in ["--user", "--system"] {
        for settings in [None, Some("my settings.toml")] {
            let mut args = vec!["service", "install", "--print", scope];
            args.extend(settings.into_iter().flat_map(|file| ["--settings", file]));
            let ran = Ran::of(
                &terminal
                    .command(&args)
                    .env("HOME", "/root")
                    .env_remove("DATABASE_URL")
                    .env("LGI_MM_DATA_DIR", "/var/lib/a dir/100%h")
                    .current_dir(terminal.path(odd))
                    .output()
                    .expect("our own program"),
            );
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            checked(&ran.stdout, scope == "--system", settings.is_some());
            verified(&terminal.path("verify"), &ran.stdout);
        }
    }
    // With a server of one's own there is nothing to keep alive, and nothing to be root for.
    let unit = parsed(&terminal.ok(&["service", "install", "--print", "--system"]));
    assert_eq!(
        (value(&unit, "KillMode"), value(&unit, "CapabilityBoundingSet")),
        (vec!["mixed"], vec![""])
    );
}

/// A `systemctl` that notes what it is asked, and says what a machine would.
fn systemctl(terminal: &Terminal, script: &str) -> String {
    let bin = terminal.path("fake");
    fs::create_dir_all(&bin).expect("a directory");
    let text = format!(
        "#!/bin/sh\necho \"$*\" >> {}\n{script}\n",
        terminal.path("asked").display()
    );
    for name in ["systemctl", "loginctl"] {
        let path = bin.join(name);
        fs::write(&path, &text).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }
    format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"))
}

fn asked(terminal: &Terminal) -> Vec<String> {
    let text = fs::read_to_string(terminal.path("asked")).unwrap_or_default();
    let _ = fs::remove_file(terminal.path("asked"));
    text.lines().map(str::to_owned).collect()
}

const RUNNING: &str =
    "case $* in *is-active*) echo active;; *is-enabled*) echo enabled;; show-user*) echo no;; esac";

/// The password is where only its owner reads it, and the keystore's is nowhere.
fn keeps_secrets(unit: &Path, environment: &Path) {
    let text = fs::read_to_string(unit).expect("the unit");
    let secrets = fs::read_to_string(environment).expect("the environment");
    assert!(
        !text.contains("a$s") && !text.contains("keystore") && !secrets.contains("keystore"),
        "{secrets}"
    );
    assert!(
        secrets.contains("DATABASE_URL=\"postgres://postgres:p\\\"a\\$s%s\\\\w@"),
        "{secrets}"
    );
    assert_eq!(
        fs::metadata(environment).expect("a file").permissions().mode() & 0o777,
        0o600
    );
}

/// A unit that its owner changed is neither replaced nor removed.
fn kept_if_changed(unit: &Path, run: &dyn Fn(&[&str]) -> Ran) {
    let by_hand = fs::read_to_string(unit)
        .expect("the unit")
        .replace("RestartSec=5", "RestartSec=9");
    fs::write(unit, &by_hand).expect("changed");
    for args in [["install", "--user"], ["remove", "--user"]] {
        let ran = run(&args);
        assert!(
            ran.code == 4 && ran.stderr.contains("changed by hand") && ran.stderr.contains("--force"),
            "{}",
            ran.stderr
        );
        assert_eq!(fs::read_to_string(unit).expect("the unit"), by_hand);
    }
    assert!(run(&["status", "--user"]).stdout.contains("changed by hand"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_installed_kept_if_changed_and_removed_without_its_data() {
    let terminal = Terminal::new().await;
    let path = systemctl(&terminal, RUNNING);
    let home = terminal.path("home");
    let run = |args: &[&str]| {
        let output = terminal
            .command(&[&["service"], args].concat())
            .env("PATH", &path)
            .env("HOME", &home)
            .env(
                "DATABASE_URL",
                terminal.url.replacen("postgres@", "postgres:p\"a$s%s\\w@", 1),
            )
            .env("LGI_MM_WALLET_PASSWORD", "a secret of the keystore")
            .output();
        Ran::of(&output.expect("our own program"))
    };
    let unit = home.join(".config/systemd/user/lgi-mm.service");
    let environment = unit.with_file_name("lgi-mm.env");
    let status = run(&["status", "--user"]);
    assert!(status.stdout.contains("not installed"), "{}", status.stdout);
    asked(&terminal);
    let ran = run(&["install", "--user"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("loginctl enable-linger"), "{}", ran.stdout);
    let control: Vec<String> = asked(&terminal)
        .into_iter()
        .filter(|line| line.starts_with("--user"))
        .collect();
    assert_eq!(
        control,
        [
            "--user daemon-reload",
            "--user enable lgi-mm.service",
            "--user restart lgi-mm.service"
        ]
    );
    keeps_secrets(&unit, &environment);
    let said = run(&["status", "--user"]).stdout;
    for expected in ["up to date", "active", "enabled"] {
        assert!(said.contains(expected), "{said}");
    }
    // The same again, and with other settings: it is ours to replace.
    assert_eq!(run(&["install", "--user"]).code, 0);
    terminal.file("lgi-mm.toml", "[worker]\ngrace = \"40s\"\n");
    assert!(run(&["status", "--user"]).stdout.contains("install it again"));
    assert_eq!(run(&["install", "--user"]).code, 0);
    assert!(
        fs::read_to_string(&unit)
            .expect("the unit")
            .contains("TimeoutStopSec=70")
    );
    kept_if_changed(&unit, &run);
    asked(&terminal);
    let ran = run(&["remove", "--user", "--force"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!unit.exists() && !environment.exists());
    assert!(asked(&terminal).contains(&"--user disable --now lgi-mm.service".to_owned()));
    assert_eq!(run(&["remove", "--user"]).code, 3);
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(&terminal.pool)
        .await
        .expect("the database");
    assert_eq!(jobs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_systemd_that_does_not_answer_is_said_and_the_unit_is_there() {
    let terminal = Terminal::new().await;
    let path = systemctl(&terminal, "echo 'Failed to connect to bus' >&2; exit 1");
    let run = |args: &[&str]| {
        let output = terminal
            .command(&[&["service"], args].concat())
            .env("PATH", &path)
            .env("HOME", terminal.path("home"))
            .output();
        Ran::of(&output.expect("our own program"))
    };
    let ran = run(&["install", "--user", "--dir", "units"]);
    assert!(
        ran.code == 6 && ran.stderr.contains("is written, but not started"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("Failed to connect to bus"), "{}", ran.stderr);
    assert!(terminal.path("units/lgi-mm.service").exists());
    let said = run(&["status", "--user", "--dir", "units"]).stdout;
    assert!(said.contains("systemd does not answer"), "{said}");
    assert_eq!(run(&["remove", "--user", "--dir", "units"]).code, 0);
    assert!(!terminal.path("units/lgi-mm.service").exists());
    // Settings that cannot be used are reported now, not in a log of a service that never starts.
    terminal.file("lgi-mm.toml", "[worker]\ngrace = \"forever\"\n");
    let ran = run(&["install", "--user", "--dir", "units"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("worker.grace"),
        "{}",
        ran.stderr
    );
    assert!(!terminal.path("units/lgi-mm.service").exists());
}
