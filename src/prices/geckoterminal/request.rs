//! One request: pace, retries, size limit. The pace is kept in a file, because this works without a database.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::Utc;
use reqwest::StatusCode;

use super::{HistoryError, reply::error_titles, settings::GeckoterminalSettings};
use crate::{
    domain::{backoff::Backoff, foreign::causes},
    prices::http::{Failed, asked_pause, body, client, jittered},
};

/// Attempts per request.
const TRIES_MAX: u32 = 4;
/// A larger answer is refused: 1,000 candles are about 100 kB.
const BODY_MAX: usize = 4 * 1024 * 1024;
/// Pauses before another try.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
/// Pause after a 429 without a Retry-After: they count by the minute.
const HOLD_OFF: Duration = Duration::from_secs(20);
/// Longest pause that is waited for; a longer one is an error that says so.
const PATIENCE: Duration = Duration::from_secs(120);
/// The version of the API that this program knows.
const ACCEPT: &str = "application/json;version=20230302";

/// Sends requests at the pace of the settings.
pub(super) struct Requests {
    http: reqwest::Client,
    base_url: String,
    pace: Pace,
}

impl Requests {
    pub(super) fn new(settings: &GeckoterminalSettings, dir: &Path) -> Result<Self, HistoryError> {
        let http = client(settings.timeout)
            .map_err(|error| HistoryError::Source(format!("the HTTP client cannot be made: {error}")))?;
        let every = Duration::from_secs(60) / settings.requests_per_minute.max(1);
        Ok(Self {
            http,
            base_url: settings.base_url.trim_end_matches('/').to_owned(),
            pace: Pace {
                file: dir.join("pace"),
                every,
            },
        })
    }

    /// The body of `path`; `None` if the API does not know what was asked for (404).
    pub(super) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, HistoryError> {
        let url = format!("{}{path}", self.base_url);
        let mut tries = 1;
        loop {
            self.pace.turn().await?;
            match self.once(&url).await? {
                Ok(found) => return Ok(found),
                Err(Failed::ForGood(why)) => return Err(HistoryError::Source(why)),
                Err(Failed::ForNow(why)) if tries == TRIES_MAX => {
                    return Err(HistoryError::Source(format!("{why}, {tries} times")));
                }
                Err(Failed::ForNow(_)) => {}
            }
            tokio::time::sleep(jittered(RETRY.after(tries))).await;
            tries += 1;
        }
    }

    async fn once(&self, url: &str) -> Result<Result<Option<Vec<u8>>, Failed>, HistoryError> {
        let lost = |error: reqwest::Error| Failed::ForNow(causes(&error.without_url()));
        let response = match self
            .http
            .get(url)
            .header(reqwest::header::ACCEPT, ACCEPT)
            .send()
            .await
        {
            Ok(response) => response,
            Err(error) => return Ok(Err(lost(error))),
        };
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.pace.hold_off(asked_pause(&response).unwrap_or(HOLD_OFF))?;
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Ok(Err(Failed::ForNow(format!("HTTP {status}"))));
        }
        let body = match body(response, BODY_MAX).await {
            Ok(body) => body,
            Err(failed) => return Ok(Err(failed)),
        };
        if status == StatusCode::NOT_FOUND {
            return Ok(Ok(None));
        }
        if status.is_success() {
            return Ok(Ok(Some(body)));
        }
        let titles = error_titles(&body).map_or_else(String::new, |titles| format!(": {titles}"));
        let refused = format!("HTTP {status}{titles}");
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(HistoryError::Denied(refused));
        }
        Ok(Err(Failed::ForGood(refused)))
    }
}

/// When the next request may be sent, for all processes that share the file: Unix milliseconds.
struct Pace {
    file: PathBuf,
    every: Duration,
}

impl Pace {
    async fn turn(&self) -> Result<(), HistoryError> {
        let wait = self.shift(|now, next| {
            let at = next.max(now);
            (
                at - now <= millis(PATIENCE),
                at.saturating_add(millis(self.every)),
                at - now,
            )
        })?;
        match wait {
            Ok(wait) => {
                tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
                Ok(())
            }
            Err(wait) => Err(HistoryError::Later(Duration::from_secs(
                wait.unsigned_abs().div_ceil(1_000),
            ))),
        }
    }

    fn hold_off(&self, span: Duration) -> Result<(), HistoryError> {
        let shifted = self.shift(|now, next| (true, next.max(now.saturating_add(millis(span))), 0));
        shifted.map(|_| ())
    }

    /// Changes the time in the file, if the first value says so; the third is the wait. The lock is held for the time
    /// of two small reads and writes.
    fn shift(
        &self,
        change: impl FnOnce(i64, i64) -> (bool, i64, i64),
    ) -> Result<Result<i64, i64>, HistoryError> {
        let moved = || -> std::io::Result<Result<i64, i64>> {
            if let Some(dir) = self.file.parent() {
                fs::create_dir_all(dir)?;
            }
            let options = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .clone();
            let mut file = options.open(&self.file)?;
            file.lock()?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let now = Utc::now().timestamp_millis();
            // A clock that was set back must not stop requests for ever.
            let next = text
                .trim()
                .parse()
                .unwrap_or(0)
                .min(now.saturating_add(millis(HOLD_OFF_MAX)));
            let (changes, then, wait) = change(now, next);
            if !changes {
                return Ok(Err(wait));
            }
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            write!(file, "{then}")?;
            Ok(Ok(wait))
        };
        moved().map_err(|source| HistoryError::File {
            path: self.file.display().to_string(),
            source,
        })
    }
}

/// Longest pause of the API that is obeyed.
const HOLD_OFF_MAX: Duration = Duration::from_secs(60 * 60);

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}
