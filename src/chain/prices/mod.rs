//! Prices read directly from pools: one round trip for all requests of a round.

mod appraise;
mod feed;
mod find;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use async_trait::async_trait;
use rust_decimal::Decimal;
use tokio::sync::Mutex;

use self::feed::Native;
use super::{
    contracts::Erc20,
    dex::{
        api::When,
        assets::Pair,
        price::{Digits, PoolPrice},
        search::{Asker, Search},
    },
    discovery::Discovery,
    multicall::{Read, Reading, decode, read_all, read_all_at},
    rpc::Rpc,
    settings::ChainSpec,
};
use crate::{
    domain::{
        config::SourceName,
        decision::HoldReason,
        pool::{NATIVE, Pool},
        price::{Answer, Observation, PriceMissing},
        units::{NATIVE_DECIMALS, TOKEN_DECIMALS_MAX},
    },
    ports::{PoolPriceRequest, PoolPrices},
};

/// How long the native coin's price is cached.
const NATIVE_FOR: Duration = Duration::from_secs(5);

/// Prices from one chain's own pools.
#[derive(Clone)]
pub struct OnchainPrices {
    /// Search state for spot prices, and for mean prices, which need pools with a history.
    spot: Search,
    history: Search,
    native: Arc<Mutex<Option<(Native, Instant)>>>,
}

/// A distinct request with its state.
struct Wish {
    request: PoolPriceRequest,
    pools: Result<PoolPrice, String>,
}

const fn pair(request: &PoolPriceRequest) -> Pair {
    Pair {
        token: request.token,
        quote: request.quote,
    }
}

impl OnchainPrices {
    /// Prices on `spec`'s chain, queried through `rpc`.
    #[must_use]
    pub fn new(rpc: Rpc, spec: Arc<ChainSpec>) -> Self {
        let nothing = Discovery::new(rpc.clone(), spec.clone(), None);
        let search = Search::new(rpc.clone(), spec.clone(), Arc::new(nothing));
        Self::sharing(search, rpc, spec)
    }

    /// The same from other nodes, which read the same pools.
    pub(crate) fn witness(&self, rpc: Rpc, spec: Arc<ChainSpec>) -> Self {
        Self::sharing(self.spot.sibling(rpc.clone(), spec.clone()), rpc, spec)
    }

    /// The same, sharing the venue's knowledge of pools: those that fail its simulations are not price sources.
    pub(crate) fn sharing(spot: Search, rpc: Rpc, spec: Arc<ChainSpec>) -> Self {
        Self {
            history: spot.sibling(rpc, spec),
            spot,
            native: Arc::default(),
        }
    }

    fn spec(&self) -> &ChainSpec {
        &self.spot.spec
    }

    async fn read(&self, reads: &[Read]) -> Result<Vec<Reading>, String> {
        let contracts = &self.spec().contracts;
        let readings = read_all(&self.spot.rpc, contracts.multicall3, reads).await;
        readings.map_err(|error| error.to_string())
    }

    /// The native coin's price, at most a few seconds old.
    async fn native(&self) -> Result<Native, String> {
        let mut kept = self.native.lock().await;
        if let Some((native, at)) = kept.as_ref()
            && at.elapsed() < NATIVE_FOR
        {
            return Ok(native.clone());
        }
        let native = self.native_at(None).await?;
        *kept = Some((native.clone(), Instant::now()));
        Ok(native)
    }

    /// The same, uncached, in the state of `block`; `None`: the newest block.
    async fn native_at(&self, block: Option<u64>) -> Result<Native, String> {
        let reads = feed::reads(self.spec());
        let multicall3 = self.spec().contracts.multicall3;
        let readings = read_all_at(&self.spot.rpc, multicall3, &reads, block).await;
        let readings = readings.map_err(|error| error.to_string())?;
        Ok(feed::understand(self.spec(), &readings).ok_or("the chain does not report its time")?)
    }

    /// Contracts whose decimals a round depends on. They are read with every price: a contract may change them, and a
    /// node may have answered falsely once.
    fn contracts(&self, distinct: &[PoolPriceRequest]) -> Vec<Address> {
        let fixed = [NATIVE, self.spec().wrapped_native];
        let both = distinct.iter().flat_map(|request| [request.token, request.quote]);
        let mut tokens: Vec<Address> = both.filter(|token| !fixed.contains(token)).collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    /// Decimals by contract; the native coin's are fixed.
    fn digits(&self, tokens: &[Address], readings: &[Reading]) -> HashMap<Address, u8> {
        let mut known: HashMap<Address, u8> = [NATIVE, self.spec().wrapped_native]
            .map(|coin| (coin, NATIVE_DECIMALS))
            .into();
        for (token, reading) in tokens.iter().zip(readings) {
            let decimals = decode::<Erc20::decimalsCall>(Some(reading));
            if let Some(decimals) = decimals.filter(|decimals| *decimals <= TOKEN_DECIMALS_MAX) {
                known.insert(*token, decimals);
            }
        }
        known
    }

    fn search(&self, source: SourceName) -> &Search {
        if source == SourceName::Twap {
            &self.history
        } else {
            &self.spot
        }
    }

    /// The pinned pool, otherwise the one found recently.
    async fn pool(&self, request: &PoolPriceRequest) -> Option<Pool> {
        if request.pool.is_some() {
            return request.pool;
        }
        self.search(request.source).known(pair(request)).await
    }

    /// What to read for each distinct request.
    async fn wishes(&self, distinct: &[PoolPriceRequest]) -> Vec<Wish> {
        let mut wishes = Vec::with_capacity(distinct.len());
        for request in distinct {
            let pools = match self.pool(request).await {
                Some(pool) => self.pools(request, pool),
                None => Err(self.not_found(request)),
            };
            wishes.push(Wish {
                request: *request,
                pools,
            });
        }
        wishes
    }

    fn not_found(&self, request: &PoolPriceRequest) -> String {
        let (token, quote, chain) = (request.token, request.quote, &self.spec().name);
        let search = self.search(request.source);
        let passed_over = search.passed_over(Asker::Chain, token, quote);
        let routers: Vec<String> = passed_over.iter().map(ToString::to_string).collect();
        let but = match routers.is_empty() {
            true => String::new(),
            false => format!(
                " but those whose router no policy entry names: {}",
                routers.join(", ")
            ),
        };
        format!("no pool of {token} and {quote} found on {chain}{but}")
    }

    fn pools(&self, request: &PoolPriceRequest, pool: Pool) -> Result<PoolPrice, String> {
        let spec = self.spec();
        if self.probe(request.quote, None).is_none() {
            return Err(format!(
                "{} has no known USD price; a quote must be the native coin, its wrapped form or USDC",
                request.quote
            ));
        }
        let route = self
            .spot
            .route(pool, request.token, request.quote)
            .ok_or_else(|| format!("{pool} does not trade {} for {}", request.token, request.quote))?;
        let when = if request.source == SourceName::Twap {
            When::Mean
        } else {
            When::Now
        };
        PoolPrice::new(spec, &route, when)
    }

    async fn answers(&self, distinct: &[PoolPriceRequest]) -> Result<Vec<Answer>, String> {
        self.find(distinct).await?;
        let wishes = self.wishes(distinct).await;
        let mut reads = feed::reads(self.spec()).to_vec();
        let head = reads.len();
        let mut places = Vec::with_capacity(wishes.len());
        for wish in &wishes {
            let from = reads.len();
            if let Ok(pools) = &wish.pools {
                reads.extend(pools.reads());
            }
            places.push(from..reads.len());
        }
        // Last: what a token's code takes is not taken from the pools.
        let (tokens, told) = (self.contracts(distinct), reads.len()..);
        reads.extend(
            tokens
                .iter()
                .map(|token| Read::new(*token, &Erc20::decimalsCall {})),
        );
        let readings = self.read(&reads).await?;
        let native = feed::understand(self.spec(), readings.get(..head).unwrap_or_default())
            .ok_or("the chain does not report its time")?;
        *self.native.lock().await = Some((native.clone(), Instant::now()));
        let decimals = self.digits(&tokens, readings.get(told).unwrap_or_default());
        let mut answers = Vec::with_capacity(wishes.len());
        for (wish, place) in wishes.iter().zip(places) {
            let seen = readings.get(place).unwrap_or_default();
            if let Some(changed) = changed(&wish.request, &decimals) {
                answers.push(Err(changed));
                continue;
            }
            let price = self.price(wish, seen, &native, &decimals);
            if price.is_err() && wish.request.pool.is_none() {
                self.search(wish.request.source).forget(pair(&wish.request)).await;
            }
            answers.push(match price {
                Ok(price_usd) => Ok(Observation {
                    source: wish.request.source,
                    price_usd,
                    observed_at: native.block_time,
                }),
                Err(detail) => Err(PriceMissing::new(wish.request.source, detail)),
            });
        }
        Ok(answers)
    }

    fn price(
        &self,
        wish: &Wish,
        seen: &[Reading],
        native: &Native,
        decimals: &HashMap<Address, u8>,
    ) -> Result<Decimal, String> {
        let pools = wish.pools.as_ref().map_err(Clone::clone)?;
        let digits = |token: Address| {
            decimals
                .get(&token)
                .copied()
                .ok_or_else(|| format!("{token} does not report its decimals"))
        };
        let quote_usd = if wish.request.quote == self.spec().usdc {
            Decimal::ONE
        } else {
            native.price.clone()?.usd.decimal()
        };
        let digits = Digits {
            token: digits(wish.request.token)?,
            native: NATIVE_DECIMALS,
            quote: digits(wish.request.quote)?,
        };
        pools.usd(seen, digits, quote_usd)
    }
}

/// Set if a token's contract reports other decimals than the job uses: its prices are meaningless.
fn changed(request: &PoolPriceRequest, told: &HashMap<Address, u8>) -> Option<PriceMissing> {
    let (known, told) = (request.decimals?, *told.get(&request.token)?);
    (known != told).then(|| PriceMissing {
        reason: HoldReason::DecimalsChanged,
        ..PriceMissing::new(
            request.source,
            format_args!(
                "the contract {} reports {told} decimals now; the job uses {known}",
                request.token
            ),
        )
    })
}

#[async_trait]
impl PoolPrices for OnchainPrices {
    async fn pool_prices(&self, requests: &[PoolPriceRequest]) -> Vec<Answer> {
        let mut distinct: Vec<PoolPriceRequest> = Vec::new();
        let mut place: HashMap<PoolPriceRequest, usize> = HashMap::new();
        for request in requests {
            place.entry(*request).or_insert_with(|| {
                distinct.push(*request);
                distinct.len().saturating_sub(1)
            });
        }
        let answers = self.answers(&distinct).await;
        let answer = |request: &PoolPriceRequest| match &answers {
            Ok(answers) => {
                let answer = place.get(request).and_then(|index| answers.get(*index));
                answer
                    .cloned()
                    .unwrap_or_else(|| Err(PriceMissing::new(request.source, "not asked")))
            }
            Err(detail) => Err(PriceMissing::new(request.source, detail)),
        };
        requests.iter().map(answer).collect()
    }
}
