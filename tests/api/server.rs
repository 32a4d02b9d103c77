//! `lgi-mm serve` on a database of the test's own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;
use testkit::TestDb;

/// The token of every example.
pub const TOKEN: &str = "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07";

/// A server, killed when it is dropped.
pub struct Served {
    pub db: TestDb,
    pub address: SocketAddr,
    client: reqwest::Client,
    dir: tempfile::TempDir,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a browser keeps of a session: its cookie, and its page's key.
#[derive(Debug, Clone)]
pub struct Session {
    pub cookie: String,
    pub key: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().expect("text"));
        value.unwrap_or_default()
    }
}

/// Its standard output as JSON, if it succeeds.
fn json(output: &Output) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

impl Served {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With variables in the environment of the server.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::on(testkit::db().await, variables).await
    }

    /// On this database.
    pub async fn on(db: TestDb, variables: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (child, log, address) = begun(&db, &dir, variables).await;
        Self {
            db,
            address,
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            dir,
            child,
            log,
        }
    }

    /// Another server on the same database, after this one was killed.
    pub async fn again(&mut self, variables: &[(&str, &str)]) {
        let ended = self.child.wait().expect("an end");
        assert!(!ended.success(), "it was not killed: {}", self.log());
        (self.child, self.log, self.address) = begun(&self.db, &self.dir, variables).await;
    }

    /// Its database, for another server.
    pub fn database(&self) -> TestDb {
        TestDb {
            pool: self.db.pool.clone(),
            url: self.db.url.clone(),
        }
    }

    /// Waits until it has killed itself.
    pub async fn until_dead(&mut self) {
        for _ in 0..3_000 {
            if self.child.try_wait().expect("its state").is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it lives: {}", self.log());
    }

    /// Our program as a command, with JSON.
    pub fn cli(&self, args: &[&str]) -> Value {
        json(
            &program(&self.db, &self.dir)
                .args(args)
                .arg("--json")
                .output()
                .expect("a run"),
        )
    }

    /// A new token of this role, named like it.
    pub fn token(&self, role: &str) -> String {
        let made = self.cli(&["token", "new", "--role", role, "--name", role]);
        made["secret"].as_str().expect("a token").to_owned()
    }

    /// The ticket in a new link of the console.
    pub fn ticket(&self, role: &str) -> String {
        let link = self.cli(&["console", "--role", role]);
        let url = link["url"].as_str().expect("a link");
        url.split_once("#ticket=").expect("a ticket").1.to_owned()
    }

    /// A request as our page makes it.
    pub fn by_page(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path)
            .header("origin", format!("http://{}", self.address))
            .header("x-lgi-mm-console", "1")
    }

    /// A request as our page makes it once it has a session.
    pub fn in_session(&self, method: Method, path: &str, session: &Session) -> RequestBuilder {
        self.request(method, path)
            .header("origin", format!("http://{}", self.address))
            .header("x-lgi-mm-console", &session.key)
            .header("cookie", &session.cookie)
    }

    /// Exchanges a ticket.
    pub async fn exchange(&self, ticket: &str) -> Answer {
        let body = serde_json::json!({ "ticket": ticket });
        answer(self.by_page(Method::POST, "/api/v1/session").json(&body)).await
    }

    /// A new session.
    pub async fn session(&self, role: &str) -> Session {
        let opened = self.exchange(&self.ticket(role)).await;
        assert_eq!(opened.status, StatusCode::OK, "{opened:?}");
        let cookie = opened.header("set-cookie");
        Session {
            cookie: cookie.split(';').next().expect("a cookie").to_owned(),
            key: opened.json()["key"].as_str().expect("a key").to_owned(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        answer(self.request(Method::GET, path).bearer_auth(token)).await
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }
}

pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let endless = headers
        .get("content-type")
        .is_some_and(|kind| kind == "text/event-stream");
    let text = match endless {
        true => String::new(),
        false => response.text().await.expect("a body"),
    };
    Answer {
        status,
        headers,
        text,
    }
}

/// A server that answers: its process, its log and its address.
async fn begun(
    db: &TestDb,
    dir: &tempfile::TempDir,
    variables: &[(&str, &str)],
) -> (Child, Arc<Mutex<String>>, SocketAddr) {
    let mut command = program(db, dir);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("our own program");
    let (log, (says, said)) = (Arc::new(Mutex::new(String::new())), mpsc::channel());
    let lines = BufReader::new(child.stderr.take().expect("its log")).lines();
    let kept = log.clone();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if line.contains("HTTP API served") {
                let line: Value = serde_json::from_str(&line).expect("a line");
                let _ = says.send(line["address"].as_str().map(str::to_owned).expect("an address"));
            }
            let mut kept = kept.lock().expect("the log");
            kept.push_str(&line);
            kept.push('\n');
        }
    });
    let address = tokio::task::spawn_blocking(move || said.recv_timeout(Duration::from_secs(60)));
    let address = address.await.expect("a thread");
    let address = address.unwrap_or_else(|_| panic!("never served: {}", log.lock().expect("the log")));
    (child, log, address.parse().expect("an address"))
}

/// The program with nothing of this machine's environment but the path.
pub fn program(db: &TestDb, dir: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
    command
        .env_clear()
        .env("PATH", std::env::var("PATH").expect("PATH"))
        .env("HOME", dir.path())
        .env("USER", "tester")
        .env("DATABASE_URL", &db.url)
        .env("LGI_MM__LOG__FORMAT", "json")
        // Tests of many requests are not about their number; one test is, and sets it.
        .env("LGI_MM__API__REQUESTS_PER_SECOND", "10000")
        .env("LGI_MM__PAPER__BLOCK_TIME", "50ms")
        .env("LGI_MM__DEXSCREENER__BASE_URL", "http://127.0.0.1:9")
        .env("LGI_MM__GECKOTERMINAL__BASE_URL", "http://127.0.0.1:9")
        .current_dir(dir.path());
    command
}

/// Starts a paper job of its own token, called T1, T2 and so on, at prices that never move.
pub fn quiet_job(served: &Served, number: u8) {
    let token = format!("0x{number:040x}");
    let symbol = format!("T{number}");
    served.cli(&[
        "start",
        &token,
        "--mode",
        "accumulate",
        "--set",
        "price.sources=[\"generated\"]",
        "--set",
        "price.generated.swing_pct=0",
        "--symbol",
        &symbol,
    ]);
}
