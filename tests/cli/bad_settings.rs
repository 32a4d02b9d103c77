//! Settings, files, variables and databases that cannot be used: named, and never with the password in them.

use crate::{
    bad_input::check,
    terminal::{Ran, TOKEN, Terminal, program},
};

#[tokio::test(flavor = "multi_thread")]
async fn files_and_settings_that_cannot_be_read() {
    let terminal = Terminal::new().await;
    terminal.file("broken.toml", "[accumulate\n");
    terminal.file("typo.toml", "[accumulate]\ndip_windw = \"4h\"\n");
    terminal.file("wrong.toml", "[worker]\nconcurrency = 0\nlease = \"200ms\"\n");
    terminal.file("unknown.toml", "[worker]\nthreads = 4\n");
    check(
        &terminal,
        &[
            (
                &["start", TOKEN, "--mode", "accumulate", "--config", "broken.toml"],
                2,
                &["broken.toml", "TOML"],
            ),
            (
                &["config", "check", "typo.toml", "--mode", "accumulate"],
                2,
                &["accumulate.dip_windw", "typo.toml", "accumulate.dip_window"],
            ),
            (
                &["list", "--settings", "wrong.toml"],
                2,
                &["worker.concurrency", "1 to 256", "worker.lease"],
            ),
            (
                &["list", "--settings", "unknown.toml"],
                2,
                &["threads", "concurrency"],
            ),
            (&["list", "--settings", "absent.toml"], 2, &["absent.toml"]),
        ],
    )
    .await;
}

fn with_url(url: &str, args: &[&str]) -> Ran {
    let output = program(args)
        .env("DATABASE_URL", url)
        .env("LGI_MM__DATABASE__CONNECT_TIMEOUT", "1s")
        .output();
    Ran::of(&output.expect("our own program runs"))
}

#[test]
fn databases_that_cannot_be_used_and_passwords_that_are_never_shown() {
    for url in [
        "postgres://bob:hunter2@127.0.0.1:9/none",
        "postgres://bob@127.0.0.1:9/none?password=hunter2",
        "postgres://bob:hunter2/none",
        "postgres://bob:hun/ter2@127.0.0.1:9/none",
        "mysql://bob:hunter2@localhost/x",
        "nonsense",
    ] {
        let ran = with_url(url, &["list"]);
        assert_eq!(ran.code, 5, "{url}: {}", ran.stderr);
        assert!(ran.stderr.contains("DATABASE_URL"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("ter2"), "{}", ran.stderr);
    }
}

/// Compose files and units leave empty variables behind: another database than the one that a file names would be
/// another ledger, with the same key.
#[test]
fn an_empty_variable_is_not_set_and_leads_to_no_other_database() {
    let output = program(&["list"])
        .env("DATABASE_URL", "")
        .env("ETH_RPC_URL", "")
        .env("LGI_MM_DATA_DIR", "")
        .env("LGI_MM__DATABASE__URL", "postgres://bob@127.0.0.1:9/none")
        .env("LGI_MM__DATABASE__CONNECT_TIMEOUT", "1s")
        .output();
    let ran = Ran::of(&output.expect("our own program runs"));
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("127.0.0.1:9"), "{}", ran.stderr);
}

/// One URL may stand where a list is meant; what cannot stand there is not quoted.
#[tokio::test(flavor = "multi_thread")]
async fn a_url_of_a_node_is_taken_as_it_is_and_its_key_is_never_shown() {
    let terminal = Terminal::new().await;
    let key = "LGI_MM__CHAINS__BASE__RPC_URLS";
    let one = terminal.run_with(&["list"], key, "http://127.0.0.1:9/v2/SECRETKEY1234");
    assert_eq!(one.code, 0, "{}", one.stderr);
    let nonsense = terminal.run_with(&["list"], key, "SECRETKEY1234");
    assert_eq!(nonsense.code, 2, "{}", nonsense.stderr);
    assert!(
        nonsense.stderr.contains("chains.base.rpc_urls"),
        "{}",
        nonsense.stderr
    );
    for ran in [one, nonsense] {
        assert!(!ran.story().contains("SECRETKEY"), "{}", ran.story());
    }
}

#[test]
fn a_database_that_does_not_answer_says_why_and_that_it_is_waited_for() {
    let ran = with_url("postgres://bob@127.0.0.1:9/none", &["list"]);
    assert_eq!(ran.code, 5);
    for part in ["refused", "waiting"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert!(
        !ran.stderr.contains('\u{1b}'),
        "colours, and no terminal: {}",
        ran.stderr
    );
    let ran = with_url("postgres://bob@127.0.0.1:9/none", &["list", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).expect("nothing but JSON");
    assert_eq!(error["error"]["code"], 5);
}

#[test]
fn broken_settings_never_show_the_password_that_is_in_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = [
        "[database]\nurl = \"postgres://bob:hunter2@h/x\n",
        "database = \"postgres://bob:hunter2@h/x\"\n",
        "[database]\nurl = [\"postgres://bob:hunter2@h/x\"]\n",
        "[database.url]\npostgres = \"hunter2\"\n",
        "[database]\nurll = \"postgres://bob:hunter2@h/x\"\n",
    ];
    for text in files {
        let path = dir.path().join("leak.toml");
        std::fs::write(&path, text).expect("a file");
        let output = program(&["list", "--settings"]).arg(&path).output();
        let ran = Ran::of(&output.expect("our own program runs"));
        assert_eq!(ran.code, 2, "{text}: {}", ran.stderr);
        assert!(ran.stderr.contains("leak.toml"), "{text}: {}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{text}: {}", ran.stderr);
    }
    let output = program(&["list"])
        .env("LGI_MM__DATABASE", "postgres://bob:hunter2@h/x")
        .output();
    let ran = Ran::of(&output.expect("our own program runs"));
    assert!(
        ran.code == 2 && ran.stderr.contains("LGI_MM__DATABASE"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_that_are_not_text_are_named_if_they_are_ours_and_passed_over_if_not() {
    use std::os::unix::ffi::OsStrExt;

    let terminal = Terminal::new().await;
    let bytes = std::ffi::OsStr::from_bytes(b"\xff");
    assert_eq!(terminal.run_with(&["list"], "THEIRS", bytes).code, 0);
    for name in ["DATABASE_URL", "LGI_MM_DATA_DIR", "LGI_MM__LOG__FILTER"] {
        let ran = terminal.run_with(&["list"], name, bytes);
        assert_eq!(ran.code, 2, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_left_alone() {
    let terminal = Terminal::new().await;
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, '', 0)")
        .execute(&terminal.pool)
        .await
        .expect("a later migration");
    check(
        &terminal,
        &[
            (&["list"], 5, &["9999", "newer version"]),
            (&["migrate"], 5, &["9999"]),
        ],
    )
    .await;
}
