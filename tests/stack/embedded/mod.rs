//! The private server as processes live through it: shared, abandoned, killed, restarted.
//!
//! Holders are this test binary, started again to hold the server until their standard input ends.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod holder;

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::Path,
    time::{Duration, Instant},
};

use holder::{Holder, connect, options, until};
use lgi_mm::embedded::{EmbeddedError, Options, ensure_database, start_or_join};
use nix::unistd::{Pid, Uid, User, getpgid};
use sqlx::Connection;

/// A directory that the server's user can reach, if we are root.
fn scratch() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    dir
}

/// The postmaster of the server in `dir`, if it runs.
fn postmaster(dir: &Path) -> Option<i32> {
    let text = fs::read_to_string(dir.join("postgres/data/postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    holder::alive(pid).then_some(pid)
}

fn wait_until_gone(dir: &Path) {
    until(Duration::from_secs(10), "the server is gone", || {
        postmaster(dir).is_none()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_start_finds_what_a_cold_start_stored() {
    let dir = scratch();
    for (start, expected) in [("cold", 0_i64), ("warm", 1), ("again", 2)] {
        let server = start_or_join(&options(dir.path())).expect(start);
        ensure_database(&server, "app").await.expect(start);
        ensure_database(&server, "app")
            .await
            .expect("the second time it is there");
        let mut app = connect(&server.url("app")).await;
        sqlx::query("CREATE TABLE IF NOT EXISTS kept (id int)")
            .execute(&mut app)
            .await
            .expect(start);
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM kept")
            .fetch_one(&mut app)
            .await
            .expect(start);
        assert_eq!(count, expected, "{start}");
        sqlx::query("INSERT INTO kept VALUES (1)")
            .execute(&mut app)
            .await
            .expect(start);
        drop(app);
        drop(server);
        wait_until_gone(dir.path());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_starter_may_leave_first() {
    let dir = scratch();
    let starter = Holder::start(dir.path());
    let second = Holder::start(dir.path());
    assert_eq!(starter.url, second.url);
    let server = postmaster(dir.path()).expect("one server");
    starter.leave();
    let mut connection = connect(&second.url).await;
    for _ in 0..10 {
        connection.ping().await.expect("it still answers");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(postmaster(dir.path()), Some(server));
    second.leave();
    wait_until_gone(dir.path());
}

/// Holders were killed before they read their answers, until the pipe was full.
#[test]
fn answers_that_nobody_read_keep_no_holder_waiting() {
    let dir = scratch();
    let first = Holder::start(dir.path());
    let mut answers = fs::OpenOptions::new()
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(dir.path().join("postgres/answers"))
        .expect("the supervisor reads it");
    while answers.write(b"1234-5\n").is_ok() {}
    drop(start_or_join(&options(dir.path())).expect("the same server"));
    let second = Holder::start(dir.path());
    assert_eq!(first.url, second.url);
    first.leave();
    second.leave();
    wait_until_gone(dir.path());
}

#[test]
fn a_killed_holder_leaves_no_server_behind() {
    let dir = scratch();
    let only = Holder::start(dir.path());
    assert!(postmaster(dir.path()).is_some());
    let killed = Instant::now();
    only.kill();
    wait_until_gone(dir.path());
    assert!(
        killed.elapsed() < Duration::from_secs(5),
        "{:?}",
        killed.elapsed()
    );
}

#[test]
fn a_server_to_be_removed_takes_its_directory_along() {
    let dir = scratch();
    // As /dev/shm and /tmp are.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).expect("permissions");
    let data = dir.path().join("removed");
    let removed = Options {
        data_dir: Some(data.clone()),
        fast: true,
        remove: true,
    };
    let server = start_or_join(&removed).expect("a server");
    assert!(data.join("data/PG_VERSION").exists());
    drop(server);
    until(Duration::from_secs(10), "the directory is gone", || {
        !data.exists()
    });
}

#[test]
fn a_server_to_be_removed_refuses_a_directory_with_somebodys_files() {
    let dir = scratch();
    fs::write(dir.path().join("precious"), "x").expect("a file");
    let removed = Options {
        data_dir: Some(dir.path().to_owned()),
        fast: true,
        remove: true,
    };
    let refused = start_or_join(&removed).expect_err("it would be removed");
    assert!(matches!(refused, EmbeddedError::Path { .. }), "{refused}");
    assert!(dir.path().join("precious").exists());
}

#[test]
fn eight_starters_at_once_share_one_server() {
    let dir = scratch();
    let starting: Vec<_> = (0..8).map(|_| Holder::spawn(dir.path())).collect();
    let holders: Vec<Holder> = starting.into_iter().map(Holder::ready).collect();
    let server = postmaster(dir.path()).expect("one server");
    let log = fs::read_to_string(dir.path().join("postgres/server.log")).expect("a log");
    assert_eq!(log.matches("starting PostgreSQL").count(), 1, "{log}");
    for holder in holders {
        assert_eq!(
            postmaster(dir.path()),
            Some(server),
            "it lives until the last leaves"
        );
        holder.kill();
    }
    wait_until_gone(dir.path());
}

#[test]
fn whoever_comes_while_the_server_stops_gets_a_new_one() {
    let dir = scratch();
    let mut last = Holder::start(dir.path());
    for pause in [0, 1, 3, 10, 30, 60, 100] {
        last.kill();
        std::thread::sleep(Duration::from_millis(pause));
        last = Holder::start(dir.path());
        assert!(postmaster(dir.path()).is_some(), "after {pause} ms");
    }
    last.leave();
    wait_until_gone(dir.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_rows_survive_a_killed_postmaster() {
    let dir = scratch();
    let first = Holder::start(dir.path());
    let mut connection = connect(&first.url).await;
    sqlx::query("CREATE TABLE kept (id int)")
        .execute(&mut connection)
        .await
        .expect("a table");
    let server = postmaster(dir.path()).expect("one server");
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        holder::kill(server);
    });
    let mut acknowledged = 0_i32;
    while sqlx::query("INSERT INTO kept VALUES ($1)")
        .bind(acknowledged)
        .execute(&mut connection)
        .await
        .is_ok()
    {
        acknowledged += 1;
    }
    killer.join().expect("killed");
    assert!(acknowledged > 0);

    // The first holder is still there: it must not keep a dead server's place.
    let second = Holder::start(dir.path());
    let mut connection = connect(&second.url).await;
    let kept: Vec<i32> = sqlx::query_scalar("SELECT id FROM kept ORDER BY id")
        .fetch_all(&mut connection)
        .await
        .expect("rows");
    let expected: Vec<i32> = (0..acknowledged).collect();
    assert!(
        kept.starts_with(&expected),
        "{} of {acknowledged} acknowledged rows kept",
        kept.len()
    );
    first.leave();
    connection
        .ping()
        .await
        .expect("the new server is not the first holder's");
    second.leave();
    wait_until_gone(dir.path());
}

#[test]
fn a_killed_initdb_is_made_up_for() {
    let dir = scratch();
    let half_made = dir.path().join("postgres/data.new.1");
    fs::create_dir_all(half_made.join("base")).expect("leftovers");
    fs::write(half_made.join("PG_VERSION"), "15\n").expect("leftovers");
    let holder = Holder::start(dir.path());
    assert!(!half_made.exists());
    holder.leave();
    wait_until_gone(dir.path());
}

#[test]
fn a_starter_killed_at_any_moment_of_a_cold_start_leaves_nothing_in_the_way() {
    for pause in [5, 80, 300, 700, 1000] {
        let dir = scratch();
        let mut starter = Holder::spawn(dir.path());
        std::thread::sleep(Duration::from_millis(pause));
        starter.kill().expect("it lives");
        starter.wait().expect("an end");
        let next = Holder::start(dir.path());
        assert!(postmaster(dir.path()).is_some(), "after {pause} ms");
        next.leave();
        until(Duration::from_secs(20), "every process is gone", || {
            holder::processes_that_mention(dir.path()).is_empty()
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_too_long_for_a_socket_works() {
    let dir = scratch();
    let long = dir.path().join("a-long-name-".repeat(10));
    fs::create_dir(&long).expect("a directory");
    let starter = Holder::start(&long);
    let second = Holder::start(&long);
    assert_eq!(starter.url, second.url);
    starter.leave();
    connect(&second.url).await.ping().await.expect("an answer");
    let socket_dir = holder::socket_dir(&second.url);
    let mode = fs::metadata(&socket_dir)
        .expect("a socket directory")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    second.leave();
    wait_until_gone(&long);
    fs::remove_dir_all(socket_dir).expect("nothing of it is in use");
}

#[test]
fn data_of_a_version_that_is_not_installed_is_refused_untouched() {
    let dir = scratch();
    let data = dir.path().join("postgres/data");
    fs::create_dir_all(&data).expect("a directory");
    fs::write(data.join("PG_VERSION"), "9\n").expect("a version");
    let refused = start_or_join(&options(dir.path())).expect_err("no such version");
    let text = refused.to_string();
    assert!(
        text.contains("version 9") && text.contains("DATABASE_URL"),
        "{text}"
    );
    assert_eq!(
        fs::read_to_string(data.join("PG_VERSION")).expect("untouched"),
        "9\n"
    );
}

#[test]
fn a_directory_the_servers_user_cannot_reach_is_named() {
    if !Uid::effective().is_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).expect("permissions");
    let refused = start_or_join(&options(dir.path())).expect_err("out of reach");
    assert!(matches!(refused, EmbeddedError::Unreachable { .. }), "{refused}");
}

#[test]
fn a_link_in_place_of_the_servers_directory_is_refused() {
    let dir = scratch();
    let elsewhere = scratch();
    std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("postgres")).expect("a link");
    start_or_join(&options(dir.path())).expect_err("it leads elsewhere");
    let mode = fs::metadata(elsewhere.path())
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755, "untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_not_root_runs_the_server_as_themselves() {
    let dir = scratch();
    let holder = if Uid::effective().is_root() {
        let nobody = User::from_name("nobody")
            .expect("users")
            .expect("everybody has it");
        let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
        chown(dir.path(), Some(uid), Some(gid)).expect("their directory");
        Holder::ready(Holder::spawn_as(&nobody, dir.path()))
    } else {
        Holder::start(dir.path())
    };
    let owner = fs::metadata(dir.path()).expect("there").uid();
    if owner == Uid::effective().as_raw() {
        connect(&holder.url).await.ping().await.expect("an answer");
    } else {
        // It lets in nobody but them: not even root, by its own name.
        let refused = sqlx::PgConnection::connect(&holder.url).await;
        refused.expect_err("we are another user");
    }
    let server = fs::metadata(dir.path().join("postgres/data/postmaster.pid")).expect("it runs");
    assert_eq!(server.uid(), owner);
    holder.kill();
    wait_until_gone(dir.path());
}

#[test]
fn a_server_that_dies_before_its_starter_leaves_no_zombie() {
    let dir = scratch();
    let _server = start_or_join(&options(dir.path())).expect("a server");
    let postmaster = postmaster(dir.path()).expect("it runs");
    // The supervisor leads the group.
    let supervisor = getpgid(Some(Pid::from_raw(postmaster)))
        .expect("its group")
        .as_raw();
    assert!(holder::alive(supervisor));
    holder::kill(postmaster);
    until(Duration::from_secs(10), "its supervisor is reaped", || {
        !holder::alive(supervisor)
    });
}
