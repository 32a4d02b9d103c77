//! `info` and `--version`: which build, and what this installation consists of.

#[path = "../../build/commit.rs"]
mod commit;

use std::{path::Path, process::Command};

use crate::terminal::{Ran, Terminal, program};

fn git(dir: &Path, args: &[&str]) {
    let ran = Command::new("git")
        .args([
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.org",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        // One second before midnight in UTC, and already tomorrow in Tokyo.
        .env("GIT_COMMITTER_DATE", "2026-03-31T23:59:59+0000")
        .env("GIT_AUTHOR_DATE", "2020-01-01T00:00:00+0000")
        .env("TZ", "Asia/Tokyo")
        .output()
        .expect("git");
    assert!(
        ran.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn the_build_is_named_by_its_commit_and_that_commits_date() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    assert_eq!(commit::of(dir), None, "no git here");
    git(dir, &["init", "--quiet"]);
    assert_eq!(commit::of(dir), None, "no commit yet");
    std::fs::write(dir.join("a"), "1").expect("a file");
    git(dir, &["add", "a"]);
    git(dir, &["commit", "--quiet", "--message=one"]);
    let named = commit::of(dir).expect("a commit");
    let (hash, date) = named.split_once(' ').expect("two words");
    assert!(
        hash.len() >= 9 && hash.chars().all(|c| c.is_ascii_hexdigit()),
        "{named}"
    );
    assert_eq!(date, "2026-03-31");
    assert_eq!(commit::of(dir), Some(named.clone()), "the same again");
    std::fs::write(dir.join("b"), "1").expect("a file");
    assert_eq!(
        commit::of(dir),
        Some(named.clone()),
        "a file that git does not track changes no build"
    );
    std::fs::write(dir.join("a"), "2").expect("a file");
    assert_eq!(commit::of(dir), Some(format!("{hash}-dirty {date}")));
    // A copy of the sources in another repository.
    std::fs::create_dir(dir.join("vendor")).expect("a directory");
    assert_eq!(commit::of(&dir.join("vendor")), None);
    let watched = commit::watched(dir);
    assert!(watched.iter().any(|path| path.ends_with("HEAD")), "{watched:?}");
    for path in watched {
        assert!(dir.join(&path).exists(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_has_a_commit_or_says_why_not() {
    let terminal = Terminal::new().await;
    let said = terminal.ok(&["--version"]);
    let (name, rest) = said.trim().split_once(" (").expect("a build");
    assert_eq!(name, format!("lgi-mm {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(rest, "debug build)");
}

#[tokio::test(flavor = "multi_thread")]
async fn info_names_every_place_and_no_password() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let url = terminal
        .url
        .replacen("postgres://postgres@", "postgres://postgres:hunter2@", 1);
    assert!(url.contains("hunter2"));
    let output = terminal
        .command(&["info"])
        .env("DATABASE_URL", &url)
        .env("HOME", terminal.path("home"))
        .output();
    let ran = Ran::of(&output.expect("our own program"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
    for said in [
        "(debug build)",
        "no file; looked for ",
        "lgi-mm.toml",
        "postgres:***@",
        "tables up to date",
        "1 job, 0 trades",
        "keystore",
        "policy",
        "journal of signatures",
        "no scheduler is running",
        "no worker was seen",
    ] {
        assert!(ran.stdout.contains(said), "{said} is not in\n{}", ran.stdout);
    }
    terminal.file("mine.toml", "[wallet]\nkeystore_dir = \"/srv/keys\"\n");
    let said = terminal.ok(&["--settings", "mine.toml", "--json", "info"]);
    let view: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let settings = view["settings"].as_str().expect("a path");
    assert!(
        settings.starts_with('/') && settings.ends_with("/mine.toml"),
        "{settings}"
    );
    assert_eq!(view["files"][0]["path"], "/srv/keys");
    assert_eq!(
        (&view["database"]["private"], &view["database"]["jobs"]),
        (&false.into(), &1.into())
    );
    assert_eq!(view["processes"]["workers"], serde_json::json!([]));
    // A database that does not answer is reported, and is no error.
    let gone = terminal.run_with(&["info"], "DATABASE_URL", "postgres://me:hunter2@127.0.0.1:9/x");
    assert!(
        gone.code == 0 && gone.stdout.contains("cannot be used: ") && !gone.stdout.contains("hunter2"),
        "{}",
        gone.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn info_shows_a_daemon_that_runs_and_one_that_was_killed() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let mut daemon = testkit::quick_daemon(&terminal.url)
        .spawn()
        .expect("our own program");
    let view =
        || -> serde_json::Value { serde_json::from_str(&terminal.ok(&["--json", "info"])).expect("JSON") };
    let begun = std::time::Instant::now();
    loop {
        let processes = &view()["processes"];
        let alive = processes["workers"]
            .as_array()
            .is_some_and(|workers| workers.len() == 1 && workers[0]["alive"] == true);
        if alive && processes["schedulers"] == 1 {
            break;
        }
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(60),
            "{processes}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    daemon.kill().await.expect("killed");
    sqlx::query("UPDATE apalis.workers SET last_seen = now() - interval '1 min'")
        .execute(&terminal.pool)
        .await
        .expect("later");
    let said = terminal.ok(&["info"]);
    assert!(
        said.contains("no scheduler is running") && said.contains("was last seen"),
        "{said}"
    );
}

/// The private server of a home: nothing is made by looking, the first command says that it makes one, and an empty
/// list says whose database it is.
#[test]
fn a_private_database_is_not_made_by_looking_and_its_making_is_said_once() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("permissions");
    let data = dir.path().join("data");
    let run = |args: &[&str]| {
        let output = program(args)
            .env("LGI_MM_DATA_DIR", &data)
            .env(
                "PG_BIN",
                testkit::programs::program("initdb")
                    .parent()
                    .expect("a directory"),
            )
            .current_dir(dir.path())
            .output();
        Ran::of(&output.expect("our own program"))
    };
    let ran = run(&["info"]);
    assert!(
        ran.code == 0 && ran.stdout.contains("not made yet") && !data.exists(),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let place = data.join("postgres").display().to_string();
    let first = run(&["list"]);
    assert!(
        first.stderr.contains("making a private database (once)") && first.stderr.contains(&place),
        "{}",
        first.stderr
    );
    assert!(
        first
            .stdout
            .contains(&format!("no jobs in the private database in {place}")),
        "{}",
        first.stdout
    );
    let second = run(&["list"]);
    assert!(second.code == 0 && second.stderr.is_empty(), "{}", second.stderr);
    assert!(run(&["info"]).stdout.contains("tables up to date"));
}
