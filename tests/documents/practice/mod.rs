//! The pages that take a reader by the hand, followed word for word.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod backtest;
mod liquidity;
mod moving;

use std::{path::Path, process::Command};

/// The commands of the page that are marked for practice, in order.
fn commands(page: &str) -> String {
    let blocks: Vec<&str> = page
        .split("```sh practice\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(blocks.len(), 7, "the page has seven steps");
    blocks.concat()
}

/// docs/going-live.md: from an empty wallet to a settled swap on a local chain, and out.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_going_live_works_word_for_word() {
    let page = include_str!("../../../docs/going-live.md");
    let dir = tempfile::tempdir().expect("a directory");
    let db = testkit::db().await;
    let program = Path::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .parent()
        .expect("a directory");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("PATH"));
    // Nothing waits without a limit, and background processes end with the script.
    let script = format!(
        "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{}",
        commands(page)
    );
    let ran = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", dir.path())
        .env("USER", "tester")
        .env("DATABASE_URL", &db.url)
        .env("LGI_MM_CONTRACTS", testkit::contracts())
        .env("LGI_MM__METRICS__LISTEN", "off")
        .output()
        .expect("bash");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let daemon = std::fs::read_to_string(dir.path().join("daemon.log")).unwrap_or_default();
    assert!(
        ran.status.success(),
        "{}\n{}\n{daemon}",
        text(&ran.stdout),
        text(&ran.stderr)
    );
    let trades = std::fs::read_to_string(dir.path().join("trades.csv")).expect("the export");
    let executed: Vec<&str> = trades.lines().filter(|line| line.contains("EXECUTED")).collect();
    assert_eq!(executed.len(), 2, "{trades}");
    assert!(
        executed[0].contains("DCA") && executed[1].contains("LIQUIDATE"),
        "{trades}"
    );
    let password = "choose a longer one";
    assert!(!daemon.contains(password) && !text(&ran.stdout).contains(password));
}
