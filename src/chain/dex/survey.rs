//! Every pool of a token, for its owner to look at: what each gives there and back, how deep it is, and why one that
//! is refused is refused.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};

use super::{
    api::{Bounds, Route},
    assets::pair_of,
    best_of::BestOf,
    calls::calls,
    search::{Asker, Offer, Search},
    simulate::{Untried, simulate_rich},
    trial::{NEVER, untried_gas},
    uniswap_v4::hook,
};
use crate::{
    chain::{error::CallError, settings::ChainSpec},
    domain::{
        Timestamp, bounds,
        kept::Kept,
        onchain::{Call, Checks, SwapRequest},
        pool::{NATIVE, Pool},
        units::Amount,
    },
    ports::RpcError,
};

/// Pools that are tried out; the others are only quoted.
const TRIED_MAX: usize = 16;
/// Pools that are tried for what a round trip costs.
const TRIPS_MAX: usize = 4;
/// A wallet that nobody has; it is rich for the trial alone.
const NOBODY: Address = Address::repeat_byte(0x6e);
/// Impact up to which a pool counts as deep enough for a size, basis points.
const DEEP_BPS: u32 = 100;

/// A size at which pools are asked: what it is called, and base units of the quote.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Whole dollars.
    pub usd: u64,
    /// Base units of the quote.
    pub amount: U256,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct SurveyRequest {
    /// The token.
    pub token: Address,
    /// The native coin or USDC.
    pub quote: Address,
    /// Base units of the quote that a round trip begins with.
    pub amount: U256,
    /// Sizes that tell how deep a pool is, the smallest first.
    pub ladder: Vec<Size>,
}

/// A pool.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// Its name in settings.
    pub pool: Pool,
    /// The exchange.
    pub venue: &'static str,
    /// Whether the pool holds the native coin itself, its wrapped form, or another quote.
    pub quote: Address,
    /// What it says that it keeps of a swap, basis points; `None`: its hook decides.
    pub fee_bps: Option<u32>,
    /// Its hook.
    pub hook: Option<Address>,
    /// When it was created, if that is known.
    pub created_at: Option<Timestamp>,
    /// Base units of the token for the amount asked.
    pub buys: U256,
    /// Price impact of that, basis points.
    pub impact_bps: Option<u32>,
    /// Loss of a round trip, all fees, taxes and impact in it, basis points; `None`: it does not come back.
    pub round_trip_bps: Option<u32>,
    /// Whether that was measured at a wallet, by trying it on the chain's state; else it is what the pool says.
    pub measured: bool,
    /// Largest size of the ladder that moves its price by at most one per cent, dollars.
    pub depth_usd: Option<u64>,
    /// Why it cannot be traded in.
    pub refused: Option<String>,
}

/// A buy and a sale of all that it brought, through the pool that brings most back.
#[derive(Debug, Clone)]
pub struct TriedTrip {
    /// The pool.
    pub pool: Pool,
    /// Whether both were tried on the chain's state; else it is what the pool says.
    pub measured: bool,
    /// What comes back, base units of the quote.
    pub back: Amount,
    /// What pool, hook and token keep of the buy.
    pub kept: Kept,
    /// Price impact of the buy, basis points.
    pub impact_bps: u32,
    /// Gas of the buy at most, units.
    pub buy_gas_units: u64,
    /// Gas of both at most, units.
    pub gas_units: u64,
    /// What an L2 asks for the buy's data, wei.
    pub buy_data_fee: Amount,
    /// For the data of both, wei.
    pub data_fee: Amount,
}

/// Pools of a pair.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Those that answer, what gives most first, then those that cannot be traded in.
    pub pools: Vec<Surveyed>,
    /// How many pools of each exchange were asked, in words.
    pub asked: String,
}

/// Why no wallet of the chain trades in `pool`, if that is for want of a name in the policy.
fn unnamed(search: &Search, pool: &Pool) -> Option<String> {
    let router = pool
        .extra_router()
        .filter(|_| !search.permits(Asker::Chain, pool))?;
    Some(format!(
        "no policy entry on {} names its router {router} in `routers`",
        search.spec.name
    ))
}

impl BestOf {
    /// Asks every pool of a pair.
    ///
    /// # Errors
    /// [`RpcError`] if no node answers.
    pub async fn survey(&self, request: &SurveyRequest) -> Result<Survey, RpcError> {
        let search = self.search();
        let (token, quote) = (request.token, request.quote);
        let routes = search.candidates(Asker::Owner, quote, token).await;
        let routes = routes.map_err(CallError::into_rpc)?;
        let asked = search.offers(&routes, request.amount, &[]).await;
        let (offers, _) = asked.map_err(CallError::into_rpc)?;
        let depths = self.depths(&offers, &request.ladder).await?;
        let given: Vec<Route> = offers.iter().map(|offer| offer.route).collect();
        let pair = pair_of(&search.spec, token, quote);
        let created = search.created(pair.token, &given).await;
        let mut pools = Vec::with_capacity(offers.len());
        for (index, offer) in offers.iter().enumerate() {
            let trip = self.round_trip(request, offer, index < TRIED_MAX).await?;
            let (pool, dex) = (offer.route.pool, offer.route.dex);
            pools.push(Surveyed {
                pool,
                venue: dex.name(),
                quote: offer.route.pays,
                fee_bps: dex.fee_bps(&search.spec, &pool),
                hook: hook(&pool),
                created_at: created.get(&pool).copied(),
                buys: offer.amount_out,
                impact_bps: Some(offer.price_impact_bps),
                round_trip_bps: trip
                    .back
                    .map(|back| bounds::loss_bps(Amount::new(request.amount), back)),
                measured: trip.measured,
                depth_usd: depths.get(&pool).copied(),
                refused: trip.refused.or_else(|| unnamed(&search, &pool)),
            });
        }
        pools.sort_by_key(|pool| pool.refused.is_some());
        Ok(Survey {
            pools,
            asked: search.asked(&routes),
        })
    }

    /// The largest size that each pool takes without moving far.
    async fn depths(&self, offers: &[Offer], ladder: &[Size]) -> Result<HashMap<Pool, u64>, RpcError> {
        let routes: Vec<Route> = offers.iter().map(|offer| offer.route).collect();
        let mut depths = HashMap::new();
        for size in ladder {
            let asked = self.search().offers(&routes, size.amount, &[]).await;
            let (offers, _) = asked.map_err(CallError::into_rpc)?;
            for offer in offers {
                if offer.price_impact_bps <= DEEP_BPS {
                    depths.insert(offer.route.pool, size.usd);
                }
            }
        }
        Ok(depths)
    }

    /// A round trip through the pool that brings most of it back, of those that give most for the buy.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub async fn trip(&self, request: &SurveyRequest, pinned: Option<Pool>) -> Result<TriedTrip, String> {
        let search = self.search();
        let (token, quote) = (request.token, request.quote);
        let routes: Vec<Route> = match pinned {
            Some(pool) => search.route(pool, quote, token).into_iter().collect(),
            None => search
                .candidates(Asker::Chain, quote, token)
                .await
                .map_err(|error| error.to_string())?,
        };
        let asked = search.offers(&routes, request.amount, &[]).await;
        let (offers, _) = asked.map_err(|error| error.to_string())?;
        let (mut best, mut refused): (Option<(Trip, Offer)>, Option<String>) = (None, None);
        for offer in offers.iter().take(TRIPS_MAX) {
            let trip = self.round_trip(request, offer, true).await;
            let trip = trip.map_err(|error| error.to_string())?;
            if let Some(why) = &trip.refused {
                refused = refused.or_else(|| Some(format!("{}: {why}", offer.route.pool)));
            } else if best.as_ref().is_none_or(|(best, _)| trip.back > best.back) {
                best = Some((trip, *offer));
            }
        }
        let (trip, offer) =
            best.ok_or_else(|| refused.unwrap_or_else(|| "no pool gives anything".to_owned()))?;
        let (buy, all) = (trip.calls.get(..trip.buys).unwrap_or_default(), &trip.calls);
        let fee = async |calls: &[Call]| self.data_fee(calls).await.map_err(|error| error.to_string());
        Ok(TriedTrip {
            pool: offer.route.pool,
            measured: trip.measured,
            back: trip.back.unwrap_or_default(),
            kept: match trip.bought {
                Some(bought) => offer.kept.with_arrival(offer.amount_out, bought),
                None => offer.kept,
            },
            impact_bps: offer.price_impact_bps,
            buy_gas_units: gas(buy),
            gas_units: gas(all),
            buy_data_fee: fee(buy).await?,
            data_fee: fee(all).await?,
        })
    }

    async fn round_trip(
        &self,
        request: &SurveyRequest,
        offer: &Offer,
        try_out: bool,
    ) -> Result<Trip, RpcError> {
        if try_out
            && request.quote == NATIVE
            && let Some(trip) = self.tried(request, offer).await
        {
            return Ok(trip);
        }
        let search = self.search();
        let back = search.route(offer.route.pool, request.token, request.quote);
        let back: Vec<Route> = back.into_iter().collect();
        let asked = search.offers(&back, offer.amount_out, &[]).await;
        let (offers, _) = asked.map_err(CallError::into_rpc)?;
        let back = offers.first().map(|offer| Amount::new(offer.amount_out));
        let buy = wish(request.quote, request.token, request.amount);
        let sell = wish(request.token, request.quote, offer.amount_out);
        let mut steps = untried(&search.spec, &buy, &offer.route);
        let buys = steps.len();
        if let Some(route) = search.route(offer.route.pool, request.token, request.quote) {
            steps.extend(untried(&search.spec, &sell, &route));
        }
        Ok(Trip {
            back,
            bought: None,
            calls: steps,
            buys,
            measured: false,
            refused: back.is_none().then(|| "it gives nothing back".to_owned()),
        })
    }

    /// A buy and the sale of all that arrives, by a wallet that is rich for the moment. `None`: no node can try that.
    async fn tried(&self, request: &SurveyRequest, offer: &Offer) -> Option<Trip> {
        let search = self.search();
        let buy = wish(request.quote, request.token, request.amount);
        let bounds = Bounds {
            amount_out_min: U256::ZERO,
            wallet_min: None,
            deadline: NEVER,
            reset_allowance: false,
        };
        let refused = |why: String| {
            Some(Trip {
                back: None,
                bought: None,
                calls: vec![],
                buys: 0,
                measured: true,
                refused: Some(why),
            })
        };
        let mut steps = calls(&search.spec, &buy, &offer.route, bounds).ok()?;
        let bought = match simulate_rich(&search.rpc, NOBODY, &steps).await {
            Ok(bought) => bought,
            Err(Untried::Funds | Untried::Unable(_) | Untried::Rpc(_)) => return None,
        };
        if let Some((_, why)) = bought.failure() {
            return refused(format!("a buy reverts: {why}"));
        }
        let arrived = bought.arrived(steps.last()?, &buy, search.spec.wrapped_native)?;
        if arrived.is_zero() {
            return refused("nothing arrives".to_owned());
        }
        let sell = wish(request.token, request.quote, arrived);
        let back = search.route(offer.route.pool, request.token, request.quote)?;
        let buys = steps.len();
        steps.extend(calls(&search.spec, &sell, &back, bounds).ok()?);
        let sold = simulate_rich(&search.rpc, NOBODY, &steps).await.ok()?;
        if let Some((_, why)) = sold.failure() {
            return refused(format!("a sale of what was bought reverts: {why}"));
        }
        let back = sold.arrived(steps.last()?, &sell, search.spec.wrapped_native)?;
        for (index, step) in steps.iter_mut().enumerate() {
            step.gas_limit = sold.gas_limit(index);
        }
        Some(Trip {
            back: Some(Amount::new(back)),
            bought: Some(arrived),
            calls: steps,
            buys,
            measured: true,
            refused: None,
        })
    }
}

/// What a round trip brings back.
struct Trip {
    back: Option<Amount>,
    /// What the buy brought, where it was tried.
    bought: Option<U256>,
    /// Both swaps, with their gas limits; the first ones are the buy.
    calls: Vec<Call>,
    buys: usize,
    measured: bool,
    refused: Option<String>,
}

/// A swap that was not tried, with gas limits that are usually enough.
fn untried(spec: &ChainSpec, request: &SwapRequest, route: &Route) -> Vec<Call> {
    let bounds = Bounds {
        amount_out_min: U256::ZERO,
        wallet_min: None,
        deadline: NEVER,
        reset_allowance: false,
    };
    let mut steps = calls(spec, request, route, bounds).unwrap_or_default();
    for step in &mut steps {
        step.gas_limit = untried_gas(step.purpose);
    }
    steps
}

fn gas(calls: &[Call]) -> u64 {
    calls
        .iter()
        .fold(0_u64, |sum, call| sum.saturating_add(call.gas_limit))
}

fn wish(token_in: Address, token_out: Address, amount_in: U256) -> SwapRequest {
    SwapRequest {
        wallet: NOBODY,
        token_in,
        token_out,
        amount_in: Amount::new(amount_in),
        amount_out_fair: Amount::ZERO,
        fair_rest: 0,
        pool: None,
        prove_sell: false,
        checks: Checks::none(),
    }
}
