//! scripts/install.sh takes the file that SHA256SUMS names, and nothing else. `scripts/release-check` tries it with a
//! real release; here the program is a script, and the places are a directory and a server on loopback.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use axum::Router;

const VERSION: &str = "lgi-mm 9.9.9 (a release)";

/// A release with one archive for this machine, whose program prints `says`.
fn release(dir: &Path, says: &str) -> PathBuf {
    let machine = run("uname", &["-m"], dir);
    let name = format!("lgi-mm-9.9.9-{}", machine.trim());
    let tree = dir.join("tree").join(&name);
    fs::create_dir_all(&tree).expect("a directory");
    let program = tree.join("lgi-mm");
    fs::write(&program, format!("#!/bin/sh\necho '{says}'\n")).expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    let release = dir.join("release");
    fs::create_dir_all(&release).expect("a directory");
    let archive = format!("{name}.tar.xz");
    run(
        "tar",
        &[
            "-cJf",
            &release.join(&archive).display().to_string(),
            "-C",
            &dir.join("tree").display().to_string(),
            &name,
        ],
        dir,
    );
    let sums = run("sha256sum", &["--", &archive], &release);
    fs::write(release.join("SHA256SUMS"), sums).expect("checksums");
    release
}

fn run(program: &str, args: &[&str], dir: &Path) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .expect(program);
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn install(place: &str, to: &Path) -> Output {
    Command::new("sh")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/install.sh"))
        .args(["--to", &to.display().to_string(), place])
        .output()
        .expect("a shell")
}

fn refused(place: &str, dir: &Path) -> String {
    let to = dir.join("refused");
    let output = install(place, &to);
    assert!(!output.status.success(), "{place} was installed");
    assert!(!to.exists(), "something was installed");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_installed_from_a_directory_and_from_a_server_and_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let (dir, to) = (dir.path(), dir.path().join("bin"));
    let place = release(dir, VERSION);
    let output = install(&place.display().to_string(), &to);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains(VERSION) && said.contains("PATH"),
        "{output:?}"
    );

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = place.clone();
    let files = Router::new().fallback(move |uri: axum::http::Uri| {
        let file = served.join(uri.path().trim_start_matches('/'));
        async move { fs::read(file).map_err(|_| axum::http::StatusCode::NOT_FOUND) }
    });
    tokio::spawn(async move { axum::serve(listener, files).await });
    let newer = release(dir, "lgi-mm 9.9.9 (a newer build)");
    assert_eq!(newer, place);
    let url = format!("http://{address}");
    let there = to.clone();
    let output = tokio::task::spawn_blocking(move || install(&url, &there))
        .await
        .expect("an end");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(run("./lgi-mm", &[], &to).trim(), "lgi-mm 9.9.9 (a newer build)");
    let missing = format!("http://{address}/nowhere");
    let away = dir.to_owned();
    let said = tokio::task::spawn_blocking(move || refused(&missing, &away))
        .await
        .expect("an end");
    assert!(said.contains("SHA256SUMS is not at"), "{said}");
}

#[test]
fn what_is_not_the_named_file_for_this_machine_is_not_installed() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let place = release(dir, VERSION);
    let sums = place.join("SHA256SUMS");
    let good = fs::read_to_string(&sums).expect("checksums");
    let text = place.display().to_string();
    // Another file, under the same name.
    fs::write(&sums, format!("{}{}", "0".repeat(64), &good[64..])).expect("checksums");
    assert!(refused(&text, dir).contains("nothing is installed"));
    // For another machine only.
    let machine = run("uname", &["-m"], dir);
    fs::write(&sums, good.replace(machine.trim(), "vax")).expect("checksums");
    assert!(refused(&text, dir).contains("no program for"));
    // A name that leads elsewhere is no name of a release.
    fs::write(&sums, good.replace("lgi-mm-9.9.9", "../lgi-mm-9.9.9")).expect("checksums");
    assert!(refused(&text, dir).contains("no program for"));
    // Two.
    fs::write(&sums, format!("{good}{}", good.replace("9.9.9", "9.9.8"))).expect("checksums");
    assert!(refused(&text, dir).contains("several programs"));
    fs::write(&sums, &good).expect("checksums");
    assert!(refused("http://example.com/release", dir).contains("use https"));
    assert!(refused(&dir.join("nowhere").display().to_string(), dir).contains("is not at"));
    assert!(install(&text, &dir.join("bin")).status.success());
}
