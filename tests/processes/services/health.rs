//! `lgi-mm health`, and the database's password from a file, as containers use them.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The program with `url` but the password, which is in a file.
fn program(dir: &Path, url: &str, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command
        .env("DATABASE_URL", url)
        .env("LGI_MM__DATABASE__PASSWORD_FILE", dir.join("password"))
        .env("LGI_MM__METRICS__LISTEN", listen)
        .current_dir(dir);
    command
}

fn health(dir: &Path, listen: &str, args: &[&str]) -> Output {
    let mut command = program(dir, "postgres://nobody@127.0.0.1:1/none", listen);
    command
        .arg("health")
        .args(args)
        .output()
        .expect("our own program")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_what_the_service_says_and_the_password_comes_from_its_file() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    std::fs::write(dir.path().join("password"), "whatever is trusted\n").expect("a password");
    // Listening everywhere, as in a container: `health` asks through loopback.
    let listen = format!("0.0.0.0:{}", free_port());
    let nobody = health(dir.path(), &listen, &[]);
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(
        nobody.status.code() == Some(6)
            && said.contains("nothing answers")
            && said.contains("metrics.listen"),
        "{said}"
    );
    let mut scheduler = program(dir.path(), &db.url, &listen)
        .arg("scheduler")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a scheduler");
    let begun = Instant::now();
    while health(dir.path(), &listen, &[]).status.code() != Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(60), "never ready");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let alive = health(dir.path(), &listen, &["--alive", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&alive.stdout).expect("JSON");
    assert_eq!(said["said"], "alive");
    scheduler.kill().expect("killed");
    scheduler.wait().expect("an end");
    let off = health(dir.path(), "off", &[]);
    assert_eq!(off.status.code(), Some(2));
}

#[test]
fn a_password_file_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let ran = health(dir.path(), "127.0.0.1:1", &[]);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(
        ran.status.code() == Some(2)
            && said.contains("database.password_file")
            && said.contains("password\""),
        "{said}"
    );
}
