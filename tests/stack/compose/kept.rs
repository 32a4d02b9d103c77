//! Backups of the Compose stack: made by its service, and restored by its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{START, TOKEN, end, run, stack::Stack, until};

fn backups(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}

/// The time of the last change of `file`, as far back as `touch` understands it.
fn made(file: &Path, when: &str) {
    run(Command::new("touch").arg("--date").arg(when).arg(file));
}

fn is_fresh(stack: &Stack) -> bool {
    let mut check = stack.script("backup", &["check"]);
    check.output().expect("a script").status.success()
}

/// With a job in the ledger.
async fn in_use() -> (Stack, PathBuf) {
    let stack = Stack::new().await;
    run(&mut stack.service("migrate", 0));
    run(stack.service("cli", 0).args(START));
    let directory = stack.on_this_machine("backup", "/backups");
    (stack, directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_makes_a_backup_at_once_and_keeps_the_newest_ones() {
    let (stack, directory) = in_use().await;
    assert!(!is_fresh(&stack), "there is none yet");
    let service = stack.script("backup", &[]).spawn().expect("a service");
    until("a backup", async || is_fresh(&stack)).await;
    end(service, Duration::from_secs(5));
    let first = backups(&directory);
    assert_eq!(first.len(), 1, "{first:?}");
    // One that is there and fresh is not made again when the service restarts.
    let service = stack.script("backup", &[]).spawn().expect("a service");
    tokio::time::sleep(Duration::from_secs(2)).await;
    end(service, Duration::from_secs(5));
    assert_eq!(backups(&directory), first);

    let old: Vec<PathBuf> = (1..4)
        .map(|day| directory.join(format!("lgi-mm-2020010{day}T000000Z.dump")))
        .collect();
    for file in &old {
        std::fs::copy(&first[0], file).expect("a copy");
        made(file, "2020-01-01");
    }
    std::fs::write(directory.join("notes.txt"), "mine").expect("a file");
    made(&first[0], "3 days ago");
    assert!(!is_fresh(&stack), "older than two intervals");
    run(stack.script("backup", &["once"]).env("BACKUP_KEEP", "2"));
    assert!(is_fresh(&stack));
    let left = backups(&directory);
    assert_eq!(left.len(), 3, "the newest two, and what is no backup: {left:?}");
    assert!(
        left.contains(&first[0]) && left.contains(&directory.join("notes.txt")),
        "{left:?}"
    );
}

/// A backup that cannot be made deletes none that is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_said_and_deletes_nothing() {
    let (stack, directory) = in_use().await;
    run(&mut stack.script("backup", &["once"]));
    let before = backups(&directory);
    let mut once = stack.script("backup", &["once"]);
    let failed = once
        .env("BACKUP_KEEP", "1")
        .env("DATABASE_URL", "postgres://lgi_mm_backup@127.0.0.1:1/lgi_mm")
        .env("LGI_MM__DATABASE__CONNECT_TIMEOUT", "1s")
        .output()
        .expect("a script");
    assert!(!failed.status.success());
    assert!(
        String::from_utf8_lossy(&failed.stderr).contains("error:"),
        "{failed:?}"
    );
    assert_eq!(backups(&directory), before);
    for (variable, value) in [("BACKUP_KEEP", "0"), ("BACKUP_EVERY_HOURS", "a day")] {
        let mut wrong = stack.script("backup", &[]);
        let said = wrong.env(variable, value).output().expect("a script");
        assert_eq!(said.status.code(), Some(2), "{variable}: {said:?}");
        assert!(
            String::from_utf8_lossy(&said.stderr).contains(variable),
            "{said:?}"
        );
    }
}

/// The commands of docs/compose.md: an empty database with its roles, then the backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_into_an_empty_database_and_into_no_other() {
    let (stack, directory) = in_use().await;
    run(&mut stack.script("backup", &["once"]));
    let file = backups(&directory).remove(0);
    let file = file.file_name().expect("a name").to_str().expect("text");
    let inside = stack.on_this_machine("restore", &format!("/backups/{file}"));
    // The test's own session, which would be in the way.
    stack.pool.close().await;
    let mut restore = stack.service("restore", 0);
    let refused = restore
        .arg("restore")
        .arg(&inside)
        .output()
        .expect("our own program");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("not empty"), "{said}");

    let admin = stack.cluster.url("postgres", "postgres");
    let admin = sqlx::PgPool::connect(&admin).await.expect("the server");
    for statement in ["DROP DATABASE lgi_mm WITH (FORCE)", "CREATE DATABASE lgi_mm"] {
        sqlx::query(statement).execute(&admin).await.expect(statement);
    }
    admin.close().await;
    stack.cluster.make_roles();
    let programs = testkit::programs::program("pg_restore");
    let programs = programs.parent().expect("a directory");
    run(stack
        .service("restore", 0)
        .env("PATH", programs)
        .arg("restore")
        .arg(&inside));
    run(&mut stack.service("migrate", 0));
    let listed = run(stack.service("cli", 0).args(["--json", "list"]));
    assert!(listed.to_lowercase().contains(&TOKEN.to_lowercase()), "{listed}");
    assert!(Path::new(&inside).is_file(), "the backup is still there");
}
