//! TLS of the server's own, and how much one client may ask.

use std::{path::Path, process::Command, time::Duration};

use reqwest::{Method, StatusCode};
use tokio::{io::AsyncReadExt, net::TcpSocket};

use crate::server::{Served, answer, program};

/// Makes a certificate for this name, with openssl as an owner does.
fn certificate(dir: &Path, name: &str) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{made:?}");
    let closed = Command::new("chmod")
        .args(["600", "key.pem"])
        .current_dir(dir)
        .status();
    assert!(closed.expect("chmod").success());
}

/// The status of a request on a new connection, by a client that trusts this certificate; 0: it does not connect.
async fn status(certificate: &Path, url: &str, token: &str) -> u16 {
    let asked = tokio::process::Command::new("curl")
        .args([
            "-sS",
            "-m",
            "20",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--cacert",
        ])
        .arg(certificate)
        .args(["-H", &format!("Authorization: Bearer {token}"), url])
        .output()
        .await
        .expect("curl");
    String::from_utf8_lossy(&asked.stdout).parse().expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_encrypts_is_renewed_while_clients_connect_and_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    certificate(dir.path(), "one");
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let variables = [
        ("LGI_MM__API__TLS_CERT", cert.as_str()),
        ("LGI_MM__API__TLS_KEY", key.as_str()),
    ];
    let served = Served::with(&variables).await;
    let viewer = served.token("viewer");
    let url = format!("https://{}/api/v1/jobs", served.address);
    let copy = dir.path().join("trusted.pem");
    std::fs::copy(&cert, &copy).expect("a copy");
    assert_eq!(status(&copy, &url, &viewer).await, 200);
    let plain = served
        .request(Method::GET, "/api/v1/jobs")
        .bearer_auth(&viewer)
        .send()
        .await;
    assert!(plain.is_err(), "nothing is answered on a plain connection");

    // A renewal: new connections get the new certificate.
    certificate(dir.path(), "two");
    std::fs::copy(&cert, &copy).expect("a copy");
    let begun = std::time::Instant::now();
    while status(&copy, &url, &viewer).await != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the old certificate is served"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // One that cannot be used changes nothing.
    std::fs::write(&cert, "no certificate").expect("a file");
    while !served.log().contains("keeps its old certificate") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", served.log());
        assert_eq!(status(&copy, &url, &viewer).await, 200);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(status(&copy, &url, &viewer).await, 200);
    assert!(!served.log().contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_tls_that_cannot_be_used_are_named_with_what_is_wrong() {
    let (dir, db) = (tempfile::tempdir().expect("a directory"), testkit::db().await);
    let refused = |cert: &str, key: &str| {
        let mut ours = program(&db, &dir);
        ours.args(["serve", "--listen", "127.0.0.1:0"])
            .env("LGI_MM__API__TLS_CERT", cert)
            .env("LGI_MM__API__TLS_KEY", key);
        let output = ours.output().expect("our own program");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    certificate(dir.path(), "one");
    std::fs::copy(dir.path().join("key.pem"), dir.path().join("other.pem")).expect("a copy");
    certificate(dir.path(), "two");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
    write("empty.pem", "");
    for (cert, key, says) in [
        (
            "absent.pem",
            "key.pem",
            "api.tls_cert = \"absent.pem\": cannot be read",
        ),
        ("empty.pem", "key.pem", "has no certificate"),
        (
            "cert.pem",
            "absent.pem",
            "api.tls_key = \"absent.pem\": cannot be read",
        ),
        ("cert.pem", "cert.pem", "every user of this machine may read"),
        ("cert.pem", "other.pem", "does not fit api.tls_cert"),
        ("cert.pem", "", "both or neither"),
    ] {
        let said = refused(cert, key);
        assert!(said.contains(says), "{cert} {key}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_has_its_rate_and_strangers_of_the_same_address_take_nothing_from_it() {
    let served = Served::with(&[("LGI_MM__API__REQUESTS_PER_SECOND", "10")]).await;
    let (viewer, owner) = (served.token("viewer"), served.token("owner"));
    let mut refused = None;
    for _ in 0..60 {
        let answer = served.get(&viewer, "/api/v1/session").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("60 requests are more than 20 at once");
    assert_eq!(refused.json()["type"], "rate");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        served.get(&owner, "/api/v1/session").await.status,
        StatusCode::OK,
        "its own rate"
    );
    // Without a token: the address pays, and its people do not.
    let mut statuses = std::collections::BTreeMap::new();
    for _ in 0..120 {
        let status = answer(served.request(Method::GET, "/api/v1/jobs")).await.status;
        *statuses.entry(status.as_u16()).or_insert(0) += 1;
    }
    assert!(
        statuses.contains_key(&401) && statuses.contains_key(&429),
        "{statuses:?}"
    );
    assert_eq!(served.get(&owner, "/api/v1/session").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_never_takes_all_places() {
    let served = Served::new().await;
    let owner = served.token("owner");
    // Streams are busy: nobody gives their place up.
    let mut streams = Vec::new();
    for _ in 0..64 {
        let stream = served
            .request(Method::GET, "/api/v1/events")
            .bearer_auth(&owner)
            .send()
            .await;
        streams.push(stream.expect("an answer"));
    }
    // And connections whose request is being read are idle, so these push each other out.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(
            tokio::net::TcpStream::connect(served.address)
                .await
                .expect("a connection"),
        );
    }
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.9:0".parse().expect("an address"))
        .expect("bound");
    let mut other = socket.connect(served.address).await.expect("a connection");
    let request = format!(
        "GET /api/v1/session HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {owner}\r\nConnection: close\r\n\r\n",
        served.address
    );
    tokio::io::AsyncWriteExt::write_all(&mut other, request.as_bytes())
        .await
        .expect("sent");
    let mut said = String::new();
    other.read_to_string(&mut said).await.expect("an answer");
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert_eq!(streams.len(), 64);
    drop(silent);
}
