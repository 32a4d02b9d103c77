//! `docs/api.md`: each curl line works as written.

use std::process::Command;

use crate::server::Served;

#[tokio::test(flavor = "multi_thread")]
async fn each_curl_line_of_the_api_page_works() {
    let page = include_str!("../../docs/api.md");
    let served = Served::new().await;
    let (viewer, owner) = (served.token("viewer"), served.token("owner"));
    let (ticket, dir) = (served.ticket("viewer"), tempfile::tempdir().expect("a directory"));
    let blocks = page
        .split("```sh tried\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let lines: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(lines.len() > 15, "{lines:?}");
    for line in lines {
        let mut shell = Command::new("timeout");
        shell
            .args(["60", "bash", "-c", line])
            .env("VIEWER", &viewer)
            .env("OWNER", &owner)
            .env("TICKET", &ticket)
            .env("JAR", dir.path().join("jar"))
            .env("API", format!("http://{}/api/v1", served.address));
        let ran = shell.output().expect("bash");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            ran.status.success(),
            "{line}\n{}{}",
            text(&ran.stdout),
            text(&ran.stderr)
        );
    }
}
