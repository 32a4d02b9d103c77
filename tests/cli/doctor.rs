//! `doctor`: who has the address of the metrics.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    process::Stdio,
};

use serde_json::Value;

use crate::terminal::Terminal;

/// What `doctor` says of the metrics' address, with its status.
fn said(terminal: &Terminal, address: &str) -> (String, String) {
    let ran = terminal.run_with(&["doctor", "--json"], "LGI_MM__METRICS__LISTEN", address);
    let checks: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let mut found = checks.as_array().expect("a list").iter();
    let check = found.find(|check| check["what"] == "metrics address");
    let check = check.expect("the check");
    let text = |key: &str| check[key].as_str().expect("text").to_owned();
    (text("status"), text("seen"))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_at_the_metrics_address_is_found() {
    let terminal = Terminal::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("an address");
    let address = taken.local_addr().expect("it").to_string();
    std::thread::spawn(move || {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
            "SSH-2.0-x\r\n",
        ] {
            let (mut client, _) = taken.accept().expect("a client");
            let _ = client.read(&mut [0; 1024]);
            client.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    for how in ["not as lgi-mm does", "it does not speak HTTP"] {
        let (status, seen) = said(&terminal, &address);
        assert_eq!(status, "FAIL", "{seen}");
        assert!(
            seen.contains("another program has it") && seen.contains(how),
            "{seen}"
        );
    }
    let free = testkit::programs::free_address().to_string();
    let (status, seen) = said(&terminal, &free);
    assert_eq!(
        (status.as_str(), seen),
        ("OK", format!("{free}, nothing listens there now"))
    );
    let mut daemon = terminal
        .command(&["daemon"])
        .env("LGI_MM__METRICS__LISTEN", &free)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a daemon");
    let ours = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::net::TcpStream::connect(&free).is_ok()
    });
    let seen = said(&terminal, &free);
    daemon.kill().expect("ended");
    daemon.wait().expect("ended");
    assert!(ours, "it listens");
    assert_eq!(
        seen,
        ("OK".to_owned(), format!("{free}, a service of lgi-mm answers"))
    );
}
