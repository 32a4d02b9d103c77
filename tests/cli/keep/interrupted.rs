//! Backups that fail, are killed, or would replace something.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::ledger;
use crate::terminal::{Ran, Terminal};

/// A directory with a `pg_dump` that does what `script` says; for its version it asks the real one.
fn other_pg_dump(terminal: &Terminal, script: &str) -> PathBuf {
    let dir = terminal.path("bin");
    fs::create_dir_all(&dir).expect("a directory");
    let real = testkit::programs::program("pg_dump");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then exec {} --version; fi\n\
         for word; do case $word in --file=*) file=${{word#--file=}};; esac; done\n{script}\n",
        real.display()
    );
    let path = dir.join("pg_dump");
    fs::write(&path, text).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    dir
}

fn names(terminal: &Terminal) -> Vec<String> {
    let entries = fs::read_dir(terminal.path("kept")).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_or_fails_leaves_no_file_and_the_next_one_cleans_up() {
    let terminal = ledger().await;
    fs::create_dir(terminal.path("kept")).expect("a directory");
    let dir = other_pg_dump(
        &terminal,
        "head -c 5000 /dev/zero > \"$file\"; echo $$ > started.new; mv started.new started; exec sleep 60",
    );
    let mut running = terminal
        .command(&["backup", "kept/a.dump"])
        .env("PG_BIN", &dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("our own program");
    let begun = Instant::now();
    while !terminal.path("started").exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "pg_dump was never started"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // A second one meanwhile leaves the first one's file alone.
    terminal.ok(&["backup", "kept/b.dump"]);
    running.kill().expect("killed");
    running.wait().expect("ended");
    let dumping = fs::read_to_string(terminal.path("started")).expect("a number");
    let _ = kill(
        Pid::from_raw(dumping.trim().parse().expect("a number")),
        Signal::SIGKILL,
    );
    let left = names(&terminal);
    assert!(
        left.len() == 2 && !left.contains(&"a.dump".to_owned()),
        "{left:?}"
    );
    terminal.ok(&["backup", "kept/a.dump"]);
    assert_eq!(names(&terminal), ["a.dump", "b.dump"]);
    // One that fails, and one that ends well with half a file.
    for (script, says) in [
        (
            "head -c 5000 /dev/zero > \"$file\"; echo disk on fire >&2; exit 1",
            "disk on fire",
        ),
        ("head -c 3000 kept/b.dump > \"$file\"", "is not whole"),
        ("head -c 60000 kept/b.dump > \"$file\"", "is not whole"),
        ("exit 0", "is not a backup"),
    ] {
        let dir = other_pg_dump(&terminal, script);
        let ran = terminal.run_with(&["backup", "kept/c.dump"], "PG_BIN", &dir);
        assert!(
            ran.code != 0 && ran.stderr.contains(says),
            "{script}: {}",
            ran.stderr
        );
        assert_eq!(names(&terminal), ["a.dump", "b.dump"], "{script}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_replaces_a_file_only_if_told_and_a_broken_ledger_is_not_backed_up() {
    let terminal = ledger().await;
    let file = terminal.path("mine");
    fs::write(&file, "precious").expect("a file");
    let ran = terminal.run(&["backup", "mine"]);
    assert!(
        ran.code == 4 && ran.stderr.contains("exists already") && ran.stderr.contains("--force"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "precious");
    let ran = terminal.run(&["backup", "nowhere/mine"]);
    assert!(ran.code == 2 && ran.stderr.contains("nowhere"), "{}", ran.stderr);
    terminal.ok(&["backup", "mine", "--force"]);
    let bytes = fs::read(&file).expect("it is there");
    assert!(bytes.starts_with(b"PGDMP"));
    sqlx::query("ALTER TABLE fills DISABLE TRIGGER fills_append_only")
        .execute(&terminal.pool)
        .await
        .expect("broken");
    let ran = terminal.run(&["backup", "mine", "--force"]);
    assert!(
        ran.code == 5 && ran.stderr.contains("fills_append_only"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read(&file).expect("it is there"), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_of_postgresql_are_connected_to_the_database() {
    let terminal = ledger().await;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(&terminal.pool)
        .await
        .expect("jobs");
    let said = terminal.ok(&["db", "psql", "-Atc", "SELECT count(*) FROM jobs"]);
    assert_eq!(said.trim(), count.to_string());
    let dumped = terminal.ok(&["db", "pg_dump", "--data-only", "--table=jobs"]);
    assert!(dumped.contains("COPY public.jobs"), "{dumped}");
    // Nothing of PostgreSQL is on this path.
    let bin = terminal.path("empty");
    fs::create_dir(&bin).expect("a directory");
    let ran = Ran::of(
        &terminal
            .command(&["db", "psql", "-Atc", "SELECT count(*) FROM jobs"])
            .env("PATH", &bin)
            .env(
                "PG_BIN",
                testkit::programs::program("psql").parent().expect("a directory"),
            )
            .output()
            .expect("our own program"),
    );
    assert_eq!(
        (ran.code, ran.stdout.trim()),
        (0, count.to_string().as_str()),
        "{}",
        ran.stderr
    );
}
