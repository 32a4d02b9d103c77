//! The DexScreener API: one request for up to 30 tokens, a rate limit shared by all our processes.
//!
//! Its answers list pairs, not tokens: a pair where our token is the *quote* prices another token, `priceUsd`
//! is a text, and nothing says how old it is.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::Mutex;

use super::book::missing;
use crate::domain::{
    Timestamp,
    config::SourceName,
    price::{Answer, Observation, PriceMissing},
    span::Span,
};

/// Most tokens in one request.
const TOKENS_MAX: usize = 30;
/// Tries of one request.
const TRIES_MAX: u32 = 3;
/// A larger answer is refused: 30 tokens with many pairs each stay well below.
const BODY_MAX: usize = 8 * 1024 * 1024;
/// Concurrent slices share an answer that is younger than this.
const FRESH: Duration = Duration::from_secs(1);

/// `[dexscreener]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DexscreenerSettings {
    /// Where the API is.
    pub base_url: String,
    /// Longest wait for one answer.
    pub timeout: Span,
    /// Requests a minute of all processes together.
    pub requests_per_minute: u32,
}

impl Default for DexscreenerSettings {
    fn default() -> Self {
        Self {
            base_url: "https://api.dexscreener.com".to_owned(),
            timeout: Span::from_secs(5),
            requests_per_minute: 300,
        }
    }
}

/// What the API knows of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its ticker.
    pub symbol: String,
    /// USD per whole token in its deepest pool.
    pub price_usd: Decimal,
}

/// An answer, and when it was asked for: by our clock, and by the database's.
type Recent = (Instant, Timestamp, Result<TokenInfo, String>);

/// The client.
pub struct Dexscreener {
    http: reqwest::Client,
    pool: PgPool,
    settings: DexscreenerSettings,
    recent: Mutex<HashMap<(String, Address), Recent>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pair {
    chain_id: Option<String>,
    base_token: Option<PairToken>,
    price_usd: Option<String>,
    liquidity: Option<Liquidity>,
}

#[derive(Debug, Deserialize)]
struct PairToken {
    address: Option<String>,
    symbol: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Liquidity {
    usd: Option<serde_json::Number>,
}

impl Dexscreener {
    /// A client whose requests are counted in the database.
    ///
    /// # Errors
    /// [`reqwest::Error`] if the system's certificates cannot be used.
    pub fn new(pool: PgPool, settings: DexscreenerSettings) -> Result<Self, reqwest::Error> {
        let agent = concat!("lgi-mm/", env!("CARGO_PKG_VERSION"));
        let http = reqwest::Client::builder()
            .timeout(settings.timeout.std())
            .user_agent(agent)
            .build()?;
        Ok(Self {
            http,
            pool,
            settings,
            recent: Mutex::default(),
        })
    }

    /// What is known of one token.
    ///
    /// # Errors
    /// [`PriceMissing`].
    pub async fn lookup(
        &self,
        chain: &str,
        token: Address,
        now: Timestamp,
    ) -> Result<TokenInfo, PriceMissing> {
        let mut found = self.tokens(chain, &[token], now).await;
        let info = found.remove(&token).map(|(_, info)| info);
        info.unwrap_or_else(|| Err("not asked".to_owned()))
            .map_err(|why| missing(SourceName::Dexscreener, why))
    }

    /// One answer a token.
    pub(super) async fn prices(
        &self,
        chain: &str,
        tokens: &[Address],
        now: Timestamp,
    ) -> HashMap<Address, Answer> {
        let answer = |(observed_at, info): (Timestamp, Result<TokenInfo, String>)| match info {
            Ok(info) => Ok(Observation {
                source: SourceName::Dexscreener,
                price_usd: info.price_usd,
                observed_at,
            }),
            Err(why) => Err(missing(SourceName::Dexscreener, why)),
        };
        self.tokens(chain, tokens, now)
            .await
            .into_iter()
            .map(|(token, found)| (token, answer(found)))
            .collect()
    }

    /// Asks for what was not asked a moment ago. The lock makes concurrent callers share one request.
    async fn tokens(
        &self,
        chain: &str,
        tokens: &[Address],
        now: Timestamp,
    ) -> HashMap<Address, (Timestamp, Result<TokenInfo, String>)> {
        let mut recent = self.recent.lock().await;
        recent.retain(|_, (asked, ..)| asked.elapsed() < FRESH);
        let mut unknown: Vec<Address> = tokens
            .iter()
            .copied()
            .filter(|token| !recent.contains_key(&(chain.to_owned(), *token)))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        for batch in unknown.chunks(TOKENS_MAX) {
            let fetched = self.fetch(chain, batch).await;
            for token in batch {
                let info = fetched
                    .as_ref()
                    .map_err(Clone::clone)
                    .and_then(|pairs| deepest(pairs, chain, *token));
                recent.insert((chain.to_owned(), *token), (Instant::now(), now, info));
            }
        }
        let known = |token: &Address| {
            let (_, at, info) = recent.get(&(chain.to_owned(), *token))?;
            Some((*token, (*at, info.clone())))
        };
        tokens.iter().filter_map(known).collect()
    }

    async fn fetch(&self, chain: &str, tokens: &[Address]) -> Result<Vec<Pair>, String> {
        let list: Vec<String> = tokens.iter().map(|token| format!("{token:#x}")).collect();
        let url = format!(
            "{}/tokens/v1/{chain}/{}",
            self.settings.base_url.trim_end_matches('/'),
            list.join(",")
        );
        let mut pause = Duration::from_millis(250);
        let mut tries = 1;
        loop {
            self.take_turn().await?;
            let error = match self.http.get(&url).send().await {
                Ok(response) if response.status().is_success() => return decode(response).await,
                Ok(response) => {
                    let status = response.status();
                    let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
                    if !again {
                        return Err(format!("HTTP {status}"));
                    }
                    pause = retry_after(&response)
                        .unwrap_or(pause)
                        .min(self.settings.timeout.std());
                    format!("HTTP {status}")
                }
                Err(error) => error.without_url().to_string(),
            };
            if tries >= TRIES_MAX {
                return Err(format!("{error}, {tries} times"));
            }
            tries += 1;
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// Waits for a token of the bucket that all processes share.
    async fn take_turn(&self) -> Result<(), String> {
        let a_minute = f64::from(self.settings.requests_per_minute.max(1));
        let begun = Instant::now();
        while begun.elapsed() < self.settings.timeout.std() {
            let taken = sqlx::query_scalar!(
                "INSERT INTO rate_limits AS bucket (name, tokens) VALUES ($1, $2::float8 - 1)
                 ON CONFLICT (name) DO UPDATE SET updated_at = clock_timestamp(),
                     tokens = least($2, bucket.tokens + $2 / 60 * extract(epoch FROM clock_timestamp() - bucket.updated_at)::float8) - 1
                 WHERE bucket.tokens + $2 / 60 * extract(epoch FROM clock_timestamp() - bucket.updated_at)::float8 >= 1
                 RETURNING 1 AS \"taken!\"",
                "dexscreener",
                a_minute,
            )
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| format!("rate limit: {error}"))?;
            if taken.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs_f64((60.0 / a_minute).clamp(0.01, 1.0))).await;
        }
        Err(format!("rate limit of {a_minute} requests a minute is used up"))
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn decode(mut response: Response) -> Result<Vec<Pair>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| error.without_url().to_string())?
    {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_MAX {
            return Err(format!("the answer is larger than {BODY_MAX} bytes"));
        }
    }
    serde_json::from_slice(&body).map_err(|error| format!("unreadable answer: {error}"))
}

/// The pair of `token` with the most money in it.
fn deepest(pairs: &[Pair], chain: &str, token: Address) -> Result<TokenInfo, String> {
    let ours = |pair: &&Pair| {
        let base = pair.base_token.as_ref().and_then(|base| base.address.as_ref());
        let is_base = base.is_some_and(|address| address.eq_ignore_ascii_case(&format!("{token:#x}")));
        is_base && pair.chain_id.as_ref().is_none_or(|id| id == chain)
    };
    let depth = |pair: &&Pair| -> Decimal {
        let usd = pair
            .liquidity
            .as_ref()
            .and_then(|liquidity| liquidity.usd.as_ref());
        usd.and_then(|usd| parse(&usd.to_string())).unwrap_or_default()
    };
    let pair = pairs
        .iter()
        .filter(ours)
        .filter(|pair| pair.price_usd.is_some())
        .max_by_key(depth);
    let pair = pair.ok_or_else(|| format!("no pair of {token} has a price"))?;
    let text = pair.price_usd.clone().unwrap_or_default();
    let price_usd = parse(&text).ok_or_else(|| format!("'{text}' is no price"))?;
    let symbol = pair
        .base_token
        .as_ref()
        .and_then(|base| base.symbol.clone())
        .unwrap_or_default();
    Ok(TokenInfo { symbol, price_usd })
}

fn parse(text: &str) -> Option<Decimal> {
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}
