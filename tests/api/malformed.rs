//! Requests that schemathesis makes from the OpenAPI document, most of them malformed.

use std::path::{Path, PathBuf};

use crate::server::{Served, quiet_job};

/// Where `scripts/test` installed it.
fn schemathesis() -> PathBuf {
    let given = std::env::var_os("LGI_MM_SCHEMATHESIS").map(PathBuf::from);
    let usual = "target/tools/schemathesis/bin/schemathesis";
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(usual))
}

/// No answer is an error of the program itself, and each is as the document says.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_malformed_requests_are_answered_as_the_document_says_and_none_by_an_error_of_ours() {
    let served = Served::new().await;
    quiet_job(&served, 1);
    let (owner, dir) = (served.token("owner"), tempfile::tempdir().expect("a directory"));
    // Of a job that is there.
    let config = "[parameters]\n\"path.job\" = \"1\"\n\"path.chain\" = \"base\"\n";
    std::fs::write(dir.path().join("schemathesis.toml"), config).expect("a configuration");
    let program = schemathesis();
    let ran = tokio::process::Command::new(&program)
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(format!("http://{}/api/v1/openapi.json", served.address))
        .args(["--header", &format!("Authorization: Bearer {owner}")])
        // A stream that never ends.
        .args(["--exclude-path", "/api/v1/events"])
        .args([
            "--checks",
            "not_a_server_error,response_schema_conformance,status_code_conformance",
        ])
        .args([
            "--phases",
            "coverage,fuzzing",
            "--mode",
            "all",
            "--max-examples",
            "5",
            "--seed",
            "7",
        ])
        .args(["--no-color", "--workers", "2"])
        .current_dir(dir.path())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{}: {error}; scripts/test installs it", program.display()));
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{text}");
    let made = text
        .lines()
        .find_map(|line| line.trim().split_once(" generated, "));
    let made: u32 = made.expect("how many").0.parse().expect("a number");
    assert!(made >= 1_000, "only {made} requests");
    assert!(!served.log().contains("panicked"), "{}", served.log());
}
