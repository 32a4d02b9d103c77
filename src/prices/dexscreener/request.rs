//! One request: rate limit, retries, size limit.

use std::time::Duration;

use alloy_primitives::Address;
use reqwest::StatusCode;
use sqlx::PgPool;
use tokio::sync::Semaphore;

use super::{
    reply::{Pair, decode},
    settings::DexscreenerSettings,
};
use crate::{
    domain::{backoff::Backoff, foreign::causes},
    prices::http::{Failed, asked_pause, body, client, jittered},
    store::rate_limits::RateLimit,
};

/// Attempts per request.
const TRIES_MAX: u32 = 3;
/// A larger answer is refused: 30 tokens with many pairs each stay well below.
const BODY_MAX: usize = 8 * 1024 * 1024;
/// Requests of this process at a time.
const CONCURRENT_MAX: usize = 4;
/// Pauses before another try; each is shortened by up to half at random.
const RETRY: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(1));
/// Pause after a 429 without a Retry-After.
const HOLD_OFF: Duration = Duration::from_secs(1);

/// Sends requests within the limits.
pub(super) struct Requests {
    http: reqwest::Client,
    limit: RateLimit,
    slots: Semaphore,
    settings: DexscreenerSettings,
}

impl Requests {
    pub(super) fn new(pool: PgPool, settings: DexscreenerSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: client(settings.timeout)?,
            limit: RateLimit::new(pool, "dexscreener", settings.requests_per_minute),
            slots: Semaphore::new(CONCURRENT_MAX),
            settings,
        })
    }

    /// All pairs of these tokens, at most 30. The error is for people.
    pub(super) async fn pairs(&self, chain_id: &str, tokens: &[Address]) -> Result<Vec<Pair>, String> {
        let list: Vec<String> = tokens.iter().map(|token| format!("{token:#x}")).collect();
        let base_url = self.settings.base_url.trim_end_matches('/');
        let url = format!("{base_url}/tokens/v1/{chain_id}/{}", list.join(","));
        tokio::time::timeout(self.patience(), self.tries(&url))
            .await
            .unwrap_or_else(|_| {
                let patience = humantime::format_duration(self.patience());
                Err(format!("no answer within {patience}, all tries together"))
            })
    }

    /// Longest wait for a price, all tries together: a late tick is worth less.
    fn patience(&self) -> Duration {
        self.settings.timeout.std().saturating_mul(2)
    }

    async fn tries(&self, url: &str) -> Result<Vec<Pair>, String> {
        let _slot = self.slots.acquire().await.map_err(|error| error.to_string())?;
        self.turn().await?;
        let mut tries = 1;
        loop {
            let failed = match self.once(url).await {
                Ok(pairs) => return Ok(pairs),
                Err(Failed::ForGood(why)) => return Err(why),
                Err(Failed::ForNow(why)) if tries == TRIES_MAX => {
                    return Err(format!("{why}, {tries} times"));
                }
                Err(Failed::ForNow(why)) => why,
            };
            tokio::time::sleep(jittered(RETRY.after(tries))).await;
            tries += 1;
            self.turn().await.map_err(|why| format!("{failed}; {why}"))?;
        }
    }

    async fn turn(&self) -> Result<(), String> {
        let turn = self.limit.turn(self.patience()).await;
        turn.map_err(|error| error.to_string())
    }

    async fn once(&self, url: &str) -> Result<Vec<Pair>, Failed> {
        let lost = |error: reqwest::Error| Failed::ForNow(causes(&error.without_url()));
        let response = self.http.get(url).send().await.map_err(lost)?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let span = asked_pause(&response).unwrap_or(HOLD_OFF);
            let held = self.limit.hold_off(span).await;
            held.map_err(|error| Failed::ForGood(error.to_string()))?;
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(Failed::ForNow(format!("HTTP {status}")));
        }
        if !status.is_success() {
            return Err(Failed::ForGood(format!("HTTP {status}")));
        }
        let body = body(response, BODY_MAX).await?;
        decode(&body).map_err(|error| Failed::ForGood(format!("the answer is not a list of pairs: {error}")))
    }
}
