//! The venue: all DEXes asked together, the best offer that can really be traded, calldata bound to a minimum and a
//! deadline.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use futures::join;
use sqlx::PgPool;
use tracing::warn;

use super::{
    api::{Bounds, Route},
    assets::{Pair, is_foreign, pair_of},
    choice::{Fit, broken_limit, fits, is_young, likely_first, passed_over, too_good, unnamed},
    holdings::{self, Holdings},
    net::best_first,
    offers::OFF_MAX,
    sale,
    search::{Asker, FOUND_FOR, Offer, Search},
    trial::{NEVER, Refusal, Trial, Tried, scaled_up},
};
use crate::{
    chain::{
        discovery::{Discovery, SearchState},
        rpc::Rpc,
        settings::ChainSpec,
        wallet_code::remark,
    },
    domain::{
        bounds,
        kept::Kept,
        onchain::{Call, Quote, RoundTrip, SwapRequest},
        pool::Pool,
        span::Span,
        units::Amount,
    },
    ports::QuoteError,
    store::pools,
};

/// Pools that are tried out, from the best on, before a pair counts as not tradable.
const TRIES_MAX: usize = 8;

/// The best offer of every DEX on one chain.
#[derive(Clone)]
pub struct BestOf {
    search: Search,
    ledger: PgPool,
}

/// What the calls of a plan must keep to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Least that may arrive, base units.
    pub(super) floor: Amount,
    /// Unix seconds, block time.
    pub(super) deadline: u64,
}

/// Calls that work.
struct Made {
    calls: Vec<Call>,
    /// Which limit of a buy they break.
    refused: Option<String>,
}

impl BestOf {
    /// The venue of `spec`'s chain, asked through `rpc`; `ledger` remembers pools.
    #[must_use]
    pub fn new(rpc: Rpc, spec: Arc<ChainSpec>, ledger: PgPool) -> Self {
        let discovery = Discovery::new(rpc.clone(), spec.clone(), Some(ledger.clone()));
        Self {
            search: Search::new(rpc, spec, Arc::new(discovery)),
            ledger,
        }
    }

    /// What is known of pools, to be shared with the reader of their prices.
    pub(crate) fn search(&self) -> Search {
        self.search.clone()
    }

    /// Searches the chain's logs for pools of `token`, whether or not that is due.
    pub async fn search_now(&self, token: Address) -> SearchState {
        self.search.discovery.search_now(token).await
    }

    /// Takes ids of V4 pools that an API lists for `token`; each is proven before it counts.
    pub async fn hint(&self, token: Address, ids: &[B256]) {
        self.search.discovery.hint(token, ids).await;
    }

    pub(super) fn spec(&self) -> &ChainSpec {
        &self.search.spec
    }

    fn pair(&self, request: &SwapRequest) -> Pair {
        pair_of(self.spec(), request.token_in, request.token_out)
    }

    /// The pool that this or another process found recently.
    async fn known(&self, request: &SwapRequest) -> Option<Pool> {
        let pair = self.pair(request);
        if let Some(pool) = self.search.known(pair).await {
            return Some(pool);
        }
        let age_max = Span::from_secs(FOUND_FOR.as_secs());
        let stored = pools::find(&self.ledger, &self.spec().name, (pair.token, pair.quote), age_max).await;
        // Without the memory everything still works, a search later.
        let pool = stored.unwrap_or_else(|error| {
            warn!(%error, "the pool found before cannot be read");
            None
        })?;
        self.search.keep(pair, pool).await;
        Some(pool)
    }

    /// Remembers where the pair trades, for prices. One that is known stays as long as it gives anything and did not
    /// just fail: prices of one pool follow each other better than prices of two. The ledger has it too, so that
    /// another one in its place is noticed.
    async fn keep(&self, request: &SwapRequest, pool: Pool, offers: &[Offer], broken: &[Pool]) {
        if request.pool.is_some() {
            return;
        }
        let trades =
            |known: &Pool| !broken.contains(known) && offers.iter().any(|offer| offer.route.pool == *known);
        let works = |offer: &&Offer| !broken.contains(&offer.route.pool);
        let off = |pool: Pool| {
            let offer = offers.iter().find(|offer| offer.route.pool == pool);
            offer.is_some_and(|offer| offer.off > OFF_MAX)
        };
        // Its state is no price while another pool has one.
        if off(pool) && offers.iter().filter(works).any(|offer| offer.off <= OFF_MAX) {
            return;
        }
        let pair = self.pair(request);
        let known = self.known(request).await.filter(trades);
        let current = known.unwrap_or(pool);
        if known.is_none() {
            self.search.keep(pair, pool).await;
        }
        if self.search.record(pair, current).await {
            return;
        }
        if let Err(error) =
            pools::remember(&self.ledger, &self.spec().name, (pair.token, pair.quote), current).await
        {
            warn!(%error, "the pool found cannot be remembered");
        }
    }

    /// What pools give, the best first: of the pinned pool, else of all. Which is best depends on size and direction,
    /// so that no answer of before counts here; all of them cost one round trip.
    async fn offers(&self, request: &SwapRequest) -> Result<(Vec<Offer>, Holdings), QuoteError> {
        let (token_in, token_out) = (request.token_in, request.token_out);
        if request.amount_in.is_zero() {
            return Err(QuoteError::NoLiquidity("nothing goes in".to_owned()));
        }
        if let Some(pinned) = request.pool {
            let route = self.search.route(pinned, token_in, token_out).ok_or_else(|| {
                QuoteError::NoLiquidity(format!(
                    "the pinned pool {pinned} does not trade {token_in} for {token_out}"
                ))
            })?;
            if !self.search.permits(Asker::Wallet(request.wallet), &pinned) {
                let unnamed = unnamed(&self.search, request, pinned.extra_router());
                return Err(QuoteError::NoLiquidity(format!(
                    "{pinned} is pinned, and {unnamed}"
                )));
            }
            let (offers, holdings) = self.ask(request, &[route]).await?;
            return match offers.is_empty() {
                true => Err(QuoteError::NoLiquidity(format!(
                    "the pinned pool {pinned} gives nothing for {}",
                    request.amount_in
                ))),
                false => Ok((offers, holdings)),
            };
        }
        let asker = Asker::Wallet(request.wallet);
        let candidates = self.search.candidates(asker, token_in, token_out).await;
        let candidates = candidates.map_err(|error| QuoteError::Rpc(error.into_rpc()))?;
        let (offers, holdings) = self.ask(request, &candidates).await?;
        if offers.is_empty() {
            return Err(QuoteError::NoLiquidity(self.searched(request, &candidates)));
        }
        Ok((offers, holdings))
    }

    fn searched(&self, request: &SwapRequest, candidates: &[Route]) -> String {
        let unnamed = passed_over(&self.search, request);
        format!(
            "no pool gives anything for {} of {} in {}; asked on {}: {}{unnamed}",
            request.amount_in,
            request.token_in,
            request.token_out,
            self.spec().name,
            self.search.asked(candidates),
        )
    }

    async fn ask(
        &self,
        request: &SwapRequest,
        routes: &[Route],
    ) -> Result<(Vec<Offer>, Holdings), QuoteError> {
        let wallet = holdings::reads(self.spec(), request, routes);
        let asked = self
            .search
            .offers(routes, request.amount_in.units(), &wallet.reads);
        // One route alone is the best one whatever gas costs.
        let price = async {
            match routes.len() {
                0 | 1 => None,
                _ => self.search.gas_price().await,
            }
        };
        let (asked, price) = join!(asked, price);
        let (mut offers, readings) = asked.map_err(|error| QuoteError::Rpc(error.into_rpc()))?;
        let asked: Vec<Route> = offers.iter().map(|offer| offer.route).collect();
        let launched = self.search.launched(self.pair(request), &asked).await;
        for offer in &mut offers {
            offer.launched = launched.get(&offer.route.pool).copied();
        }
        best_first(self.spec(), request, price, &mut offers);
        let holdings = wallet.understand(request, &readings)?;
        Ok((likely_first(request, offers)?, holdings))
    }

    /// Goes through offers from the likeliest on until one works and is `wanted`; the pool that does is remembered. One
    /// that works and is not wanted is the answer if no other is: the limits then say what is wrong with it.
    async fn first_that_works<T: Send, F: Future<Output = Result<T, QuoteError>> + Send>(
        &self,
        request: &SwapRequest,
        act: impl Fn(Offer, Arc<Holdings>) -> F + Send,
        wanted: impl Fn(&T) -> bool + Send,
    ) -> Result<T, QuoteError> {
        let (offers, holdings) = self.offers(request).await?;
        let offers = self.shunned_last(request, offers).await;
        let holdings = Arc::new(holdings);
        let (mut first, mut broken, mut works) = (None, Vec::new(), false);
        for offer in offers.iter().take(TRIES_MAX).copied() {
            match act(offer, holdings.clone()).await {
                Ok(done) if wanted(&done) => {
                    self.search.shun(self.pair(request), &broken).await;
                    self.keep(request, offer.route.pool, &offers, &broken).await;
                    return Ok(done);
                }
                Ok(done) => {
                    works = true;
                    first = first.or(Some(Ok(done)));
                }
                Err(error @ QuoteError::Rpc(_)) => return Err(error),
                Err(error) => {
                    broken.push(offer.route.pool);
                    first = first.or(Some(Err(error)));
                }
            }
        }
        // Many pools that revert are passed by, a few of them each time.
        if works || offers.len() > TRIES_MAX {
            self.search.shun(self.pair(request), &broken).await;
        }
        if request.pool.is_none() && !matches!(first, Some(Ok(_))) {
            self.forget(request).await;
        }
        first.unwrap_or_else(|| Err(QuoteError::NoLiquidity("no pool gives anything".to_owned())))
    }

    /// Pools that failed recently come last, the order is otherwise kept.
    async fn shunned_last(&self, request: &SwapRequest, offers: Vec<Offer>) -> Vec<Offer> {
        let pair = self.pair(request);
        let (mut open, mut shunned) = (Vec::with_capacity(offers.len()), Vec::new());
        for offer in offers {
            if self.search.is_shunned(pair, offer.route.pool).await {
                shunned.push(offer);
            } else {
                open.push(offer);
            }
        }
        open.append(&mut shunned);
        open
    }

    async fn forget(&self, request: &SwapRequest) {
        let pair = self.pair(request);
        self.search.forget(pair).await;
        if let Err(error) = pools::forget(&self.ledger, &self.spec().name, (pair.token, pair.quote)).await {
            warn!(%error, "a pool that does not trade any more cannot be forgotten");
        }
    }

    async fn quote_of(
        &self,
        request: &SwapRequest,
        offer: &Offer,
        holdings: &Holdings,
    ) -> Result<Quote, QuoteError> {
        let bounds = Bounds {
            amount_out_min: U256::ZERO,
            wallet_min: None,
            deadline: NEVER,
            reset_allowance: false,
        };
        let allowed = holdings.allowed(self.spec(), request, &offer.route);
        let trial = Trial::new(&self.search, request, offer, allowed);
        let usual = trial.untried(bounds)?;
        let tried = async {
            if holdings.balance < request.amount_in.units() {
                // The wallet gets a quote anyway; the engine then names what is missing.
                Err(Refusal::Funds)
            } else {
                try_out(&trial, bounds, holdings.held).await
            }
        };
        // The calldata is known before it is tried, and so is what its data costs: the two share a round trip.
        let (tried, data_fee) = join!(tried, self.data_fee(&usual));
        let (calls, amount_out, kept, round_trip) = match tried {
            Ok((tried, kept, trip)) => (tried.calls, tried.arrived, kept, trip),
            Err(Refusal::Funds) => (usual.clone(), offer.amount_out, offer.kept, None),
            Err(Refusal::Reverts { reason, .. }) => {
                let remark = remark(&self.search.rpc, request.wallet).await;
                return Err(QuoteError::Reverts(format!("{reason}{remark}")));
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let data = |calls: &[Call]| calls.iter().map(|call| call.data.clone()).collect::<Vec<_>>();
        let data_fee = if data(&calls) == data(&usual) {
            data_fee?
        } else {
            self.data_fee(&calls).await?
        };
        if amount_out.is_zero() {
            return Err(QuoteError::Reverts("nothing arrives".to_owned()));
        }
        let gas_units = calls
            .iter()
            .fold(0_u64, |sum, call| sum.saturating_add(call.gas_limit));
        Ok(Quote {
            amount_out: Amount::new(amount_out),
            price_impact_bps: offer.price_impact_bps,
            explained_bps: offer.explained_bps,
            kept,
            gas_units,
            data_fee,
            round_trip,
            launched: offer.launched,
        })
    }

    /// Calls bound to the plan's floor and to what their simulation brings less the slip that is allowed, whichever is
    /// more, both where the pool measures and in the wallet.
    async fn calls_of(
        &self,
        request: &SwapRequest,
        offer: &Offer,
        holdings: &Holdings,
        terms: Terms,
    ) -> Result<Made, QuoteError> {
        let allowed = holdings.allowed(self.spec(), request, &offer.route);
        let trial = Trial::new(&self.search, request, offer, allowed);
        let Terms { floor, deadline } = terms;
        let bounds = |least: Amount, at_pool: Amount| Bounds {
            amount_out_min: at_pool.units(),
            wallet_min: Some(holdings.held.saturating_add(least.units())),
            deadline,
            reset_allowance: false,
        };
        let slip = request.checks.slip_max_bps;
        let least = |arrives: U256| {
            let least = bounds::calldata_min(floor, Amount::new(arrives), slip);
            least.map_err(|error| QuoteError::Reverts(format!("minimum of {arrives}: {error}")))
        };
        // Nearly always the wallet gets what the pool gives, and one trial is enough.
        let guess = least(offer.amount_out)?;
        let (tried, back) = match sale::attempt(&trial, bounds(guess, guess), holdings.held).await {
            Ok((tried, back)) if tried.arrived == offer.amount_out => (tried, back),
            Err(error @ (Refusal::Funds | Refusal::Rpc(_))) => return Err(error.into()),
            // The token keeps a share, or the pool gives less by now: measure, and bind to what was measured.
            _ => {
                let measured = trial.attempt(bounds(floor, floor)).await?;
                let least = least(measured.arrived)?;
                // Where the minimum is compared with what leaves the pool, what the token keeps of it comes on top. Of
                // what jobs pay with nothing is kept: then the token that was sold kept a share on its way in.
                let keeps = measured.arrived < offer.amount_out
                    && !measured.arrived.is_zero()
                    && is_foreign(self.spec(), request.token_out);
                let at_pool = if keeps && !offer.route.dex.measures_receiver(&offer.route) {
                    scaled_up(least, offer.amount_out, measured.arrived)
                } else {
                    least
                };
                (trial.attempt(bounds(least, at_pool)).await?, None)
            }
        };
        if tried.arrived < floor.units() {
            return Err(QuoteError::Reverts(format!(
                "{} would arrive, and at least {floor} must",
                tried.arrived
            )));
        }
        if let Some(why) = too_good(request, Amount::new(tried.arrived)) {
            return Err(QuoteError::Disagrees(why));
        }
        let mut refused = None;
        // A way out is signed whatever it costs; what is bought is held to the limits in the pool that is signed for.
        if request.prove_sell {
            let kept = trial.kept(tried.arrived).await?;
            sale::prove(&trial, &tried, kept, holdings.held, back).await?;
            refused = broken_limit(request, offer, kept);
        }
        let calls = tried.calls;
        Ok(Made { calls, refused })
    }

    /// The best quote that is wanted, or why there is none.
    pub(super) async fn best_quote(&self, request: &SwapRequest) -> Result<Quote, QuoteError> {
        let quote =
            |offer, holdings: Arc<Holdings>| async move { self.quote_of(request, &offer, &holdings).await };
        let fits = |quote: &Quote| {
            let fit = fits(request, quote.amount_out, quote.price_impact_bps, quote.kept);
            fit == Ok(Fit::Fits) && !is_young(request, quote.launched)
        };
        self.first_that_works(request, quote, fits).await
    }

    /// Calls of the best offer that works within `terms`; of a buy, within its limits too.
    pub(super) async fn best_calls(
        &self,
        request: &SwapRequest,
        terms: Terms,
    ) -> Result<Vec<Call>, QuoteError> {
        let calls = |offer: Offer, holdings: Arc<Holdings>| async move {
            let made = self.calls_of(request, &offer, &holdings, terms).await?;
            if made.refused.is_none() {
                self.search.made_for(self.pair(request), offer.route.pool).await;
            }
            Ok(made)
        };
        let within = |made: &Made| made.refused.is_none();
        let Made { calls, refused } = self.first_that_works(request, calls, within).await?;
        match refused {
            Some(why) => Err(QuoteError::NoLiquidity(why)),
            None => Ok(calls),
        }
    }
}

/// The calls of a swap, tried out; of a buy with the proof that what it leaves can be sold, and what both cost.
async fn try_out(
    trial: &Trial<'_>,
    bounds: Bounds,
    held: U256,
) -> Result<(Tried, Kept, Option<RoundTrip>), Refusal> {
    let (tried, back) = sale::attempt(trial, bounds, held).await?;
    let kept = trial.kept(tried.arrived).await.map_err(Refusal::Calls)?;
    let mut round_trip = None;
    if trial.request.prove_sell {
        let proven = sale::prove(trial, &tried, kept, held, back).await;
        round_trip = Some(proven.map_err(Refusal::Calls)?);
    }
    Ok((tried, kept, round_trip))
}
