//! The GeckoTerminal API: pools of a token and their past candles, at the pace that it allows, kept on disk.
//!
//! Candles are asked for backwards from an instant, a thousand at a time. An hour without a trade has no candle.

mod kept;
mod reply;
mod request;
mod settings;
mod step;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::Address;
use chrono::DateTime;

use self::{kept::Kept, request::Requests};
use crate::domain::{Timestamp, chains, units::Price};

pub use self::{
    reply::{ListedPool, ListedToken, PoolId},
    settings::GeckoterminalSettings,
    step::{Step, parse as parse_step},
};

/// Candles in one answer.
const PAGE: u32 = 1_000;
/// Their servers cache for a minute: a candle is not final before that.
const SETTLED_SECS: i64 = 120;

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The API has no name for the chain.
    #[error("GeckoTerminal: {0}")]
    Chain(String),
    /// It does not know the token or the pool.
    #[error("GeckoTerminal knows no {what} on {network}")]
    Unknown {
        /// The token or the pool, with its address.
        what: String,
        /// Its name of the chain.
        network: &'static str,
    },
    /// It could not be asked, or its answer is none.
    #[error("GeckoTerminal: {0}")]
    Source(String),
    /// It does not give this away.
    #[error("GeckoTerminal: {0}")]
    Denied(String),
    /// It asks to wait.
    #[error("GeckoTerminal allows no request for another {} s; run the command again then", .0.as_secs())]
    Later(Duration),
    /// What is kept on disk cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Candles of a pool that are wanted.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The token to price.
    pub token: Address,
    /// Its pool.
    pub pool: PoolId,
    /// Length of a candle.
    pub step: Step,
    /// The first candle ends at or after this.
    pub from: Timestamp,
    /// The last candle ends at or before this.
    pub to: Timestamp,
}

/// Closed candles, and what is missing.
#[derive(Debug)]
pub struct Candles {
    /// End of each candle and its last price, oldest first.
    pub rows: Vec<(Timestamp, Price)>,
    /// Where the source has nothing older, though it was asked for.
    pub begins: Option<Timestamp>,
    /// Why nothing older is given, in the source's words.
    pub denied: Option<String>,
    /// Rows that could not be used.
    pub unusable: u64,
    /// Rows that came twice.
    pub repeated: u64,
    /// Requests that were sent.
    pub requests: u64,
}

/// The GeckoTerminal client.
pub struct Geckoterminal {
    requests: Requests,
    network: &'static str,
    dir: PathBuf,
}

impl Geckoterminal {
    /// A client for one chain, which keeps candles under `dir`.
    ///
    /// # Errors
    /// [`HistoryError::Chain`] for a chain that is not built in.
    pub fn new(settings: &GeckoterminalSettings, dir: &Path, chain: &str) -> Result<Self, HistoryError> {
        let known = chains::find(chain).map_err(|error| HistoryError::Chain(error.to_string()))?;
        let dir = dir.join("geckoterminal");
        Ok(Self {
            requests: Requests::new(settings, &dir)?,
            network: known.geckoterminal,
            dir,
        })
    }

    /// The token and its pools, the deepest first.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn token(&self, token: Address) -> Result<ListedToken, HistoryError> {
        let path = format!(
            "/networks/{}/tokens/{token:#x}/pools?include=base_token%2Cquote_token%2Cdex&page=1",
            self.network
        );
        let unknown = |what: &str| HistoryError::Unknown {
            what: format!("{what} {token}"),
            network: self.network,
        };
        let body = self.requests.get(&path).await?.ok_or_else(|| unknown("token"))?;
        reply::pools(&body, token)
            .map_err(HistoryError::Source)?
            .ok_or_else(|| unknown("pool of token"))
    }

    /// Closed candles of a pool: from disk, and what is not there from the API. `progress` hears where it is.
    ///
    /// # Errors
    /// [`HistoryError`]; what came before it is kept.
    pub async fn candles(
        &self,
        wish: &Wish,
        now: Timestamp,
        progress: impl Fn(Timestamp),
    ) -> Result<Candles, HistoryError> {
        let step = wish.step.secs();
        let now = now.timestamp();
        // By their beginnings: the first that ends at `from`, and the first that is not wanted or not settled.
        let first = floor(wish.from.timestamp().saturating_sub(1), step);
        let end = floor(wish.to.timestamp().min(now.saturating_sub(SETTLED_SECS)), step);
        let name = format!("{}-{:#x}-{}", wish.pool.as_str(), wish.token, wish.step);
        let mut kept = Kept::open(self.dir.join(self.network).join(name)).await?;
        let mut found = Candles {
            rows: Vec::new(),
            begins: None,
            denied: None,
            unusable: 0,
            repeated: 0,
            requests: 0,
        };
        let mut cursor = end;
        loop {
            cursor = kept.unknown_before(cursor);
            if cursor <= first {
                break;
            }
            if kept.begins(cursor, now) {
                found.begins = DateTime::from_timestamp(cursor, 0);
                break;
            }
            progress(DateTime::from_timestamp(cursor, 0).unwrap_or_default());
            let page = match self.page(wish, cursor).await {
                Err(HistoryError::Denied(why)) if cursor < end => {
                    found.denied = Some(why);
                    found.begins = DateTime::from_timestamp(cursor, 0);
                    break;
                }
                page => page?,
            };
            found.requests += 1;
            found.unusable += page.unusable;
            found.repeated += page.repeated;
            match page.oldest.filter(|oldest| *oldest < cursor) {
                Some(oldest) => {
                    kept.add(&page.candles, oldest, cursor)?;
                    cursor = oldest;
                }
                None => kept.note_beginning(cursor, now)?,
            }
        }
        let ends = |(begin, price): (i64, Price)| {
            DateTime::from_timestamp(begin.saturating_add(step), 0).map(|at| (at, price))
        };
        found.rows = kept
            .between(first, end.max(first))
            .into_iter()
            .filter_map(ends)
            .collect();
        Ok(found)
    }

    async fn page(&self, wish: &Wish, before: i64) -> Result<reply::Page, HistoryError> {
        let path = format!(
            "/networks/{}/pools/{}/ohlcv/{}?aggregate={}&before_timestamp={before}&limit={PAGE}&currency=usd&token={:#x}",
            self.network,
            wish.pool.as_str(),
            wish.step.timeframe(),
            wish.step.aggregate(),
            wish.token,
        );
        let body = self
            .requests
            .get(&path)
            .await?
            .ok_or_else(|| HistoryError::Unknown {
                what: format!("pool {}", wish.pool.as_str()),
                network: self.network,
            })?;
        reply::candles(&body, wish.token).map_err(HistoryError::Source)
    }
}

/// The last multiple of `step` up to `instant`.
const fn floor(instant: i64, step: i64) -> i64 {
    instant - instant.rem_euclid(step)
}
