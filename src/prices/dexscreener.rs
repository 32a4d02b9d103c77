//! The DexScreener API: one request for up to 30 tokens, a rate limit shared by all our processes.
//!
//! Its answers list pairs, not tokens: a pair where our token is the *quote* prices another token, `priceUsd`
//! is a text, and nothing says how old it is.

mod reply;
mod request;
mod settings;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, join_all},
};
use sqlx::PgPool;

use self::{
    reply::{Pair, deepest, v4_ids},
    request::Requests,
};
use crate::domain::{
    Timestamp, chains,
    config::SourceName,
    price::{Answer, Observation, PriceMissing},
};

/// Most tokens in one request.
const TOKENS_MAX: usize = 30;
/// Concurrent slices share an answer that is younger than this.
const FRESH: Duration = Duration::from_secs(1);

pub use self::{reply::TokenListing, settings::DexscreenerSettings};

/// The result of one request, shared by all callers that wait for it.
type Reply = Shared<BoxFuture<'static, Arc<Result<Vec<Pair>, String>>>>;

/// A request that covers a token, and when it was sent, by our clock and by the caller's.
#[derive(Clone)]
struct Request {
    since: Instant,
    at: Timestamp,
    reply: Reply,
}

/// The DexScreener client.
pub struct Dexscreener {
    requests: Arc<Requests>,
    asked: Mutex<HashMap<(&'static str, Address), Request>>,
}

impl Dexscreener {
    /// A client whose requests are counted in the database.
    ///
    /// # Errors
    /// [`reqwest::Error`] if the system's certificates cannot be used.
    pub fn new(pool: PgPool, settings: DexscreenerSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            requests: Arc::new(Requests::new(pool, settings)?),
            asked: Mutex::default(),
        })
    }

    /// Symbol and price of one token.
    ///
    /// # Errors
    /// [`PriceMissing`] if no pool prices the token on that chain, or the API cannot be asked.
    pub async fn lookup(
        &self,
        chain: &str,
        token: Address,
        now: Timestamp,
    ) -> Result<TokenListing, PriceMissing> {
        self.find(chain, &[token], now)
            .await
            .remove(&token)
            .map_or_else(|| Err("not asked".to_owned()), |(_, info)| info)
            .map_err(|why| PriceMissing::new(SourceName::Dexscreener, why))
    }

    /// The ids of Uniswap V4 pools that it lists for a token; none if it does not answer.
    pub async fn v4_ids(&self, chain: &str, token: Address, now: Timestamp) -> Vec<B256> {
        let Ok(chain_id) = chain_id(chain) else {
            return Vec::new();
        };
        let mut asked = self.ask(chain_id, &[token], now);
        let Some((_, asked)) = asked.pop() else {
            return Vec::new();
        };
        match asked.reply.await.as_ref() {
            Ok(pairs) => v4_ids(pairs, chain_id),
            Err(_) => Vec::new(),
        }
    }

    /// One answer per token.
    pub(super) async fn prices(
        &self,
        chain: &str,
        tokens: &[Address],
        now: Timestamp,
    ) -> HashMap<Address, Answer> {
        let answer = |(observed_at, info): (Timestamp, Result<TokenListing, String>)| match info {
            Ok(info) => Ok(Observation {
                source: SourceName::Dexscreener,
                price_usd: info.price_usd,
                observed_at,
            }),
            Err(why) => Err(PriceMissing::new(SourceName::Dexscreener, why)),
        };
        self.find(chain, tokens, now)
            .await
            .into_iter()
            .map(|(token, found)| (token, answer(found)))
            .collect()
    }

    async fn find(
        &self,
        chain: &str,
        tokens: &[Address],
        now: Timestamp,
    ) -> HashMap<Address, (Timestamp, Result<TokenListing, String>)> {
        let chain_id = match chain_id(chain) {
            Ok(chain_id) => chain_id,
            Err(why) => {
                let unknown = |token: &Address| (*token, (now, Err(why.clone())));
                return tokens.iter().map(unknown).collect();
            }
        };
        let asked = self.ask(chain_id, tokens, now);
        join_all(asked.into_iter().map(|(token, asked)| async move {
            let found = match asked.reply.await.as_ref() {
                Ok(pairs) => deepest(pairs, chain_id, token),
                Err(why) => Err(why.clone()),
            };
            (token, (asked.at, found))
        }))
        .await
        .into_iter()
        .collect()
    }

    /// Requests the tokens that were not requested a moment ago, and joins requests that other slices wait for.
    fn ask(&self, chain_id: &'static str, tokens: &[Address], now: Timestamp) -> Vec<(Address, Request)> {
        let mut tokens = tokens.to_vec();
        tokens.sort_unstable();
        tokens.dedup();
        let mut known = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, asked| asked.since.elapsed() < FRESH || asked.reply.peek().is_none());
        let unknown: Vec<Address> = tokens
            .iter()
            .copied()
            .filter(|token| !known.contains_key(&(chain_id, *token)))
            .collect();
        for batch in unknown.chunks(TOKENS_MAX) {
            let asked = Request {
                since: Instant::now(),
                at: now,
                reply: self.request(chain_id, batch.to_vec()),
            };
            known.extend(batch.iter().map(|token| ((chain_id, *token), asked.clone())));
        }
        tokens
            .into_iter()
            .filter_map(|token| Some((token, known.get(&(chain_id, token))?.clone())))
            .collect()
    }

    /// A separate task: the first caller may be cancelled without failing the others.
    fn request(&self, chain_id: &'static str, batch: Vec<Address>) -> Reply {
        let requests = Arc::clone(&self.requests);
        tokio::spawn(async move { requests.pairs(chain_id, &batch).await })
            .map(|ended| Arc::new(ended.unwrap_or_else(|error| Err(format!("the request ended: {error}")))))
            .boxed()
            .shared()
    }
}

/// The API's own name of a chain.
fn chain_id(chain: &str) -> Result<&'static str, String> {
    let chain = chains::find(chain).map_err(|error| error.to_string())?;
    Ok(chain.dexscreener)
}
