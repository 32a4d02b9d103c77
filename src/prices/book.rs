//! All sources behind one port: each is queried once for all jobs that share it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use alloy_primitives::Address;
use async_trait::async_trait;
use futures::future::{join, join_all};
use metrics::counter;
use sqlx::PgPool;

use super::{
    dexscreener::{Dexscreener, DexscreenerSettings},
    generated,
    recorded::Recordings,
};
use crate::{
    domain::{
        Timestamp,
        config::SourceName,
        price::{Answer, PriceMissing},
    },
    ports::{PoolPriceRequest, PoolPrices, PriceRequest, Prices, Witnesses},
    telemetry::metric,
};

/// The price sources of this process.
pub struct PriceBook {
    recordings: Recordings,
    dexscreener: Dexscreener,
    chains: BTreeMap<String, Arc<dyn PoolPrices>>,
    /// Nodes of chains with real money, one entry per node.
    witnesses: BTreeMap<String, Vec<Arc<dyn PoolPrices>>>,
}

impl PriceBook {
    /// Sources with these settings; the rate limit of an outside API is kept in the database.
    ///
    /// # Errors
    /// [`reqwest::Error`] if the system's certificates cannot be used.
    pub fn new(pool: PgPool, settings: DexscreenerSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            recordings: Recordings::default(),
            dexscreener: Dexscreener::new(pool, settings)?,
            chains: BTreeMap::new(),
            witnesses: BTreeMap::new(),
        })
    }

    /// Adds chains, by name, whose pools can be queried.
    #[must_use]
    pub fn with_chains(mut self, chains: BTreeMap<String, Arc<dyn PoolPrices>>) -> Self {
        self.chains = chains;
        self
    }

    /// The same, with the single nodes of chains whose prices need more than one of them, by name. A chain that is not
    /// named needs none.
    #[must_use]
    pub fn with_witnesses(mut self, witnesses: BTreeMap<String, Vec<Arc<dyn PoolPrices>>>) -> Self {
        self.witnesses = witnesses;
        self
    }

    /// The DexScreener client, to look tokens up.
    #[must_use]
    pub const fn dexscreener(&self) -> &Dexscreener {
        &self.dexscreener
    }

    fn local(&self, source: SourceName, request: &PriceRequest<'_>, now: Timestamp) -> Answer {
        match (source, &request.config.recorded) {
            (SourceName::Generated, _) => {
                Ok(generated::observe(&request.config.generated, request.token, now))
            }
            (SourceName::Recorded, Some(recorded)) => self.recordings.observe(recorded, now),
            (SourceName::Recorded, None) => {
                Err(PriceMissing::new(source, "no [price.recorded] is configured"))
            }
            (SourceName::Dexscreener, _) => Err(PriceMissing::new(source, "no answer for this token")),
            (SourceName::Onchain | SourceName::Twap, _) => Err(PriceMissing::new(
                source,
                format_args!(
                    "no node of {chain} is configured: set chains.{chain}.rpc_urls",
                    chain = request.chain
                ),
            )),
        }
    }
}

/// Answers of external sources, each queried once.
struct Fetched<'a> {
    dexscreener: BTreeMap<&'a str, HashMap<Address, Answer>>,
    pools: BTreeMap<&'a str, HashMap<PoolPriceRequest, Answer>>,
}

impl PriceBook {
    async fn ask_dexscreener<'a>(
        &self,
        requests: &[PriceRequest<'a>],
        now: Timestamp,
    ) -> BTreeMap<&'a str, HashMap<Address, Answer>> {
        let mut wanted: BTreeMap<&str, Vec<Address>> = BTreeMap::new();
        for request in requests
            .iter()
            .filter(|request| request.config.sources.contains(&SourceName::Dexscreener))
        {
            wanted.entry(request.chain).or_default().push(request.token);
        }
        let fetching = wanted.into_iter().map(|(chain, tokens)| async move {
            (chain, self.dexscreener.prices(chain, &tokens, now).await)
        });
        join_all(fetching).await.into_iter().collect()
    }

    async fn ask_pools<'a>(
        &self,
        requests: &[PriceRequest<'a>],
    ) -> BTreeMap<&'a str, HashMap<PoolPriceRequest, Answer>> {
        let mut wanted: BTreeMap<&str, Vec<PoolPriceRequest>> = BTreeMap::new();
        for request in requests {
            let sources = request.config.sources.iter();
            let asked = sources.filter_map(|source| pool_request(*source, request));
            wanted.entry(request.chain).or_default().extend(asked);
        }
        let fetching = wanted
            .into_iter()
            .filter(|(_, wishes)| !wishes.is_empty())
            .filter_map(|(chain, wishes)| Some((chain, wishes, self.chains.get(chain)?)))
            .map(|(chain, wishes, prices)| async move {
                let answers = prices.pool_prices(&wishes).await;
                (chain, wishes.into_iter().zip(answers).collect())
            });
        join_all(fetching).await.into_iter().collect()
    }
}

/// The request to a chain's own pools; `None` for other sources.
fn pool_request(source: SourceName, request: &PriceRequest<'_>) -> Option<PoolPriceRequest> {
    matches!(source, SourceName::Onchain | SourceName::Twap).then_some(PoolPriceRequest {
        token: request.token,
        quote: request.quote,
        pool: request.pool,
        decimals: request.decimals,
        source,
    })
}

impl Fetched<'_> {
    fn answer(&self, source: SourceName, request: &PriceRequest<'_>) -> Option<&Answer> {
        match pool_request(source, request) {
            Some(wish) => self.pools.get(request.chain)?.get(&wish),
            None if source == SourceName::Dexscreener => {
                self.dexscreener.get(request.chain)?.get(&request.token)
            }
            None => None,
        }
    }
}

#[async_trait]
impl Prices for PriceBook {
    async fn answers(&self, requests: &[PriceRequest<'_>], now: Timestamp) -> Vec<Vec<Answer>> {
        // Concurrently, so that a slow source delays no other.
        let (dexscreener, pools) = join(self.ask_dexscreener(requests, now), self.ask_pools(requests)).await;
        let fetched = Fetched { dexscreener, pools };
        let answer = |source: SourceName, request: &PriceRequest<'_>| {
            fetched
                .answer(source, request)
                .cloned()
                .unwrap_or_else(|| self.local(source, request, now))
        };
        requests
            .iter()
            .map(|request| {
                let sources = request.config.sources.iter();
                sources
                    .map(|source| {
                        let answer = answer(*source, request);
                        count(*source, &answer);
                        answer
                    })
                    .collect()
            })
            .collect()
    }

    async fn witnesses(&self, request: &PriceRequest<'_>) -> Witnesses {
        let Some(nodes) = self.witnesses.get(request.chain) else {
            return Witnesses::NotNeeded;
        };
        let wish = request
            .config
            .sources
            .first()
            .and_then(|source| pool_request(*source, request));
        let (Some(wish), true) = (wish, nodes.len() > 1) else {
            return Witnesses::Said(Vec::new());
        };
        let asked = nodes
            .iter()
            .map(|node| async move { node.pool_prices(&[wish]).await });
        Witnesses::Said(join_all(asked).await.into_iter().flatten().collect())
    }
}

fn count(source: SourceName, answer: &Answer) {
    let outcome = if answer.is_ok() { "answered" } else { "failed" };
    counter!(metric::PRICE_REQUESTS, "source" => source.to_string(), "outcome" => outcome).increment(1);
}
