//! A settings file that changes under running services is noticed: by the service, by `doctor` and by a metric.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

struct Daemon {
    process: Child,
    metrics: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    fn start(url: &str, dir: &Path) -> Self {
        let address = testkit::programs::free_address();
        let process = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
            .arg("daemon")
            .env("DATABASE_URL", url)
            .env("LGI_MM__METRICS__LISTEN", address.to_string())
            .env_remove("RUST_LOG")
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join("log")).expect("a log"))
            .spawn()
            .expect("our own program");
        let metrics = format!("http://{address}/metrics");
        Self { process, metrics }
    }

    async fn until_it_shows(&self, line: &str) {
        let begun = Instant::now();
        loop {
            let page = match reqwest::get(&self.metrics).await {
                Ok(page) => page.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if page.lines().any(|one| one == line) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never: {line}\n{page}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Status and finding of the check of the services' settings.
fn doctor(url: &str, dir: &Path) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .args(["--json", "doctor"])
        .env("DATABASE_URL", url)
        .current_dir(dir)
        .output()
        .expect("our own program");
    let checks: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let checks = checks.as_array().expect("checks");
    let check = checks
        .iter()
        .find(|check| check["what"] == "settings of the services");
    let text = |field: &str| {
        check.expect("the check")[field]
            .as_str()
            .expect("text")
            .to_owned()
    };
    (text("status"), text("seen"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_runs_with_old_settings_is_seen_until_it_is_restarted() {
    let (db, dir) = (testkit::db().await, tempfile::tempdir().expect("a directory"));
    let (url, dir) = (&db.url, dir.path());
    let file = dir.join("lgi-mm.toml");
    fs::write(&file, "[log]\nfilter = \"info\"\n").expect("a file");
    let daemon = Daemon::start(url, dir);
    let read = lgi_mm::config::fingerprint(Some(&file));
    daemon
        .until_it_shows(&format!(
            "lgi_mm_process_info{{role=\"daemon\",settings=\"{read}\"}} 1"
        ))
        .await;
    daemon.until_it_shows("lgi_mm_settings_changed 0").await;
    assert_eq!(
        doctor(url, dir),
        ("OK".to_owned(), "as this command's".to_owned())
    );

    fs::write(&file, "[log]\nfilter = \"warn\"\n").expect("a file");
    let now = lgi_mm::config::fingerprint(Some(&file));
    assert_ne!(now, read);
    daemon.until_it_shows("lgi_mm_settings_changed 1").await;
    let seen = format!("daemon read file {read}; this command read file {now}");
    assert_eq!(doctor(url, dir), ("WARN".to_owned(), seen));
    let log = fs::read_to_string(dir.join("log")).expect("a log");
    let said = log.matches("the settings file has changed").count();
    assert_eq!(said, 1, "{log}");

    fs::remove_file(&file).expect("it was there");
    let seen = format!("daemon read file {read}; this command read no file");
    assert_eq!(doctor(url, dir), ("WARN".to_owned(), seen));
    fs::write(&file, "[log]\nfilter = \"info\"\n").expect("a file");
    daemon.until_it_shows("lgi_mm_settings_changed 0").await;
    drop(daemon);

    fs::write(&file, "[log]\nfilter = \"warn\"\n").expect("a file");
    let daemon = Daemon::start(url, dir);
    daemon.until_it_shows("lgi_mm_settings_changed 0").await;
    assert_eq!(
        doctor(url, dir),
        ("OK".to_owned(), "as this command's".to_owned())
    );
}
