//! A real browser, driven through ChromeDriver by the W3C WebDriver protocol.

use std::{
    io::{BufRead, BufReader, Write, stderr},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Whether there is a browser. Without one, a test says so and is over; in CI it fails.
pub fn is_there() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<&str> = ["chromium", "chromedriver"]
        .into_iter()
        .filter(|name| !std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
        .collect();
    if missing.is_empty() {
        return true;
    }
    let said = format!(
        "{} missing: install Debian's chromium and chromium-driver",
        missing.join(" and ")
    );
    assert!(std::env::var_os("CI").is_none(), "{said}");
    // Past the test harness, which keeps back what passing tests print.
    writeln!(
        stderr(),
        "NOT RUN, the report was not looked at in a browser: {said}"
    )
    .expect("standard error");
    false
}

/// A browser takes more than one core: more at once, and pages time out.
static WINDOWS: Semaphore = Semaphore::const_new(2);

/// Longest wait of a script.
const PATIENCE: Duration = Duration::from_secs(60);

/// One window. It and its driver end with it.
pub struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    _profile: tempfile::TempDir,
    _turn: SemaphorePermit<'static>,
}

impl Browser {
    pub async fn open() -> Self {
        let turn = WINDOWS.acquire().await.expect("never closed");
        let profile = tempfile::tempdir().expect("a directory");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver");
        let said = BufReader::new(driver.stdout.take().expect("its output"));
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                Some(
                    line.split_once("successfully on port ")?
                        .1
                        .trim_end_matches('.')
                        .to_owned(),
                )
            })
            .expect("the driver's port");
        let http = reqwest::Client::builder()
            .timeout(PATIENCE * 2)
            .build()
            .expect("a client");
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            http,
            _profile: profile,
            _turn: turn,
        };
        let data = format!("--user-data-dir={}", browser._profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &data,
        ];
        let begun = browser
            .post(
                "",
                json!({ "capabilities": { "alwaysMatch": {
                "goog:chromeOptions": { "args": args },
                "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            } } }),
            )
            .await;
        browser.session = format!(
            "{}/{}",
            browser.session,
            begun["sessionId"].as_str().expect("a session")
        );
        let patience = json!({ "script": PATIENCE.as_millis() });
        browser.post("/timeouts", patience).await;
        // The browser's own first page asks for things of its own.
        browser.post("/url", json!({ "url": "about:blank" })).await;
        browser.log("performance").await;
        browser
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.session)).json(&body);
        Self::answer(path, request).await
    }

    async fn answer(path: &str, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.expect("the driver answers");
        let ok = answer.status().is_success();
        let mut said: Value = answer.json().await.expect("JSON");
        assert!(ok, "{path}: {}", said["value"]["message"]);
        said["value"].take()
    }

    /// Opens a file and waits until its charts are drawn.
    pub async fn show(&self, page: &Path) {
        self.post("/url", json!({ "url": format!("file://{}", page.display()) }))
            .await;
        self.until("return document.documentElement.dataset.ready === 'yes'")
            .await;
    }

    /// Waits until a function body returns true.
    pub async fn until(&self, script: &str) {
        let waiting = format!(
            "const done = arguments[0], holds = () => {{ {script} }}, look = () => holds() ? done(true) : requestAnimationFrame(look); setTimeout(() => done(false), 50000); look();"
        );
        let came = self
            .post("/execute/async", json!({ "args": [], "script": waiting }))
            .await;
        assert_eq!(came, true, "never: {script}");
    }

    /// What a function body returns.
    pub async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": params }))
            .await
    }

    /// What was logged since it was asked last: `browser` is the console, `performance` the network.
    pub async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.post("/se/log", json!({ "type": kind })).await;
        log.as_array().cloned().unwrap_or_default()
    }

    /// Moves, presses and turns as a person would; resting in between so that each is seen.
    pub async fn act(&self, actions: Value) {
        self.post("/actions", json!({ "actions": actions })).await;
    }

    /// The pointer to a place in the window.
    pub async fn hover(&self, x: i64, y: i64) {
        self.act(json!([{ "type": "pointer", "id": "mouse", "actions": [
            { "type": "pointerMove", "x": x - 3, "y": y, "duration": 0 },
            { "type": "pointerMove", "x": x, "y": y, "duration": 20 },
        ] }]))
        .await;
    }

    /// Keeps a picture, where `LGI_MM_SCREENSHOTS` names a directory.
    pub async fn picture(&self, name: &str) {
        let Some(dir) = std::env::var_os("LGI_MM_SCREENSHOTS") else {
            return;
        };
        let request = self.http.get(format!("{}/screenshot", self.session));
        let encoded = Self::answer("/screenshot", request).await;
        let bytes = STANDARD
            .decode(encoded.as_str().expect("base64"))
            .expect("base64");
        std::fs::write(Path::new(&dir).join(format!("{name}.png")), bytes).expect("written");
    }

    pub async fn close(self) {
        // Ends the browser; the driver is ended when this is dropped.
        let _ = self.http.delete(&self.session).send().await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
