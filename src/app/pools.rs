//! Every pool of a token: what each costs, how deep it is, and what was tried.

use std::time::Duration;

use alloy_primitives::{Address, U256};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    AppError,
    context::App,
    message::{Field, message},
};
use crate::{
    chain::{LiveChain, Size, SurveyRequest, Surveyed},
    domain::{
        Timestamp,
        chains::USDC_DECIMALS,
        onchain::Asset,
        pool::NATIVE,
        units::{NATIVE_DECIMALS, Price, Rounding, Usd},
    },
    ports::Chain,
    store,
};

/// Sizes that tell how deep a pool is, dollars.
const LADDER_USD: [u64; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// The largest size that may be asked.
const SIZE_MAX: u64 = 10_000_000;
/// Longest wait for the API that lists pools.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct PoolsRequest {
    pub token: Address,
    pub chain: String,
    /// What a round trip begins with, USD.
    pub size_usd: Decimal,
}

/// Every pool of a token.
#[derive(Debug, Serialize)]
pub struct PoolsView {
    pub chain: String,
    pub token: Address,
    /// What a round trip begins with, USD.
    pub size_usd: Usd,
    /// For each asset that a job can pay with, the pool that gives most first.
    pub pools: Vec<PoolView>,
    /// What was asked, for each asset that a job can pay with.
    pub asked: Vec<String>,
    /// How far the search for pools is, in words.
    pub search: String,
}

#[derive(Debug, Serialize)]
pub struct PoolView {
    /// As settings name it: `venue.pool`.
    pub pool: String,
    /// The exchange.
    pub venue: &'static str,
    /// What a job pays with to trade here: the ticker.
    pub quote: String,
    /// What the pool keeps of a swap, basis points; none if its hook decides.
    pub fee_bps: Option<u32>,
    pub hook: Option<Address>,
    /// The hook's name, if it is one of the settings'.
    pub hook_known: bool,
    pub created_at: Option<Timestamp>,
    /// Price impact of a buy of this size, basis points.
    pub impact_bps: Option<u32>,
    /// Loss of a round trip of this size: fees, hook, tax and impact together, basis points.
    pub round_trip_bps: Option<u32>,
    /// Whether that was tried on the chain's state, at a wallet; else it is what the pool says.
    pub measured: bool,
    /// Largest size that moves the price by at most one per cent, of 100, 1000, .. 1000000 USD.
    pub depth_usd: Option<u64>,
    /// Why it cannot be traded in.
    pub refused: Option<String>,
}

/// Searches and asks every pool of a token.
///
/// # Errors
/// [`AppError`] for an unknown chain, a size out of range, or nodes that do not answer.
pub async fn pools(app: &App, request: &PoolsRequest) -> Result<PoolsView, AppError> {
    let most = Decimal::from(SIZE_MAX);
    if request.size_usd <= Decimal::ZERO || request.size_usd > most {
        let problem = format!(
            " {}: write dollars, more than 0 and at most {SIZE_MAX}",
            request.size_usd
        );
        return Err(message![Field::Size, problem].bad_input());
    }
    app.settings.chain(&request.chain)?.with_rpc()?;
    let live = app.live().chain(&request.chain)?.clone();
    hint(app, &live, request).await;
    let state = live.pools.search_now(request.token).await;
    let size_usd = Usd::rounded(request.size_usd, Rounding::Down);
    let mut view = PoolsView {
        chain: request.chain.clone(),
        token: request.token,
        size_usd,
        pools: Vec::new(),
        asked: Vec::new(),
        search: searched(&state),
    };
    let native = live.spec.native_symbol.clone();
    for (quote, ticker, decimals) in [
        (NATIVE, native, NATIVE_DECIMALS),
        (live.spec.usdc, "USDC".to_owned(), USDC_DECIMALS),
    ] {
        let price = live.chain.usd_price(Asset::of(quote)).await;
        let price = price.map_err(|error| AppError::Network(format!("the price of {ticker}: {error}")))?;
        let survey = SurveyRequest {
            token: request.token,
            quote,
            amount: units(size_usd, decimals, price.price)?,
            ladder: ladder(decimals, price.price)?,
        };
        let found = live.pools.survey(&survey).await;
        let found = found.map_err(|error| AppError::Network(error.to_string()))?;
        view.asked.push(format!("for {ticker}: {}", found.asked));
        let known = |pool: &Surveyed| {
            live.spec
                .v4_hooks
                .iter()
                .any(|shape| Some(shape.hook) == pool.hook)
        };
        view.pools
            .extend(found.pools.iter().map(|pool| shown(pool, &ticker, known(pool))));
    }
    Ok(view)
}

/// Tells the search which pools DexScreener lists; without it, the chain itself is searched all the same.
async fn hint(app: &App, live: &LiveChain, request: &PoolsRequest) {
    let (Ok(book), Ok(now)) = (app.prices(), store::now(&app.pool).await) else {
        return;
    };
    let asked = book.dexscreener().v4_ids(&request.chain, request.token, now);
    if let Ok(ids) = tokio::time::timeout(PATIENCE, asked).await {
        live.pools.hint(request.token, &ids).await;
    }
}

fn searched(state: &crate::chain::SearchState) -> String {
    let behind = match state.next_block {
        _ if state.done => "every block was searched for Uniswap V4 pools".to_owned(),
        Some(next) => format!(
            "blocks {next} to {} are not yet searched for Uniswap V4 pools; ask again to search on",
            state.head
        ),
        None => "no block could be searched for Uniswap V4 pools".to_owned(),
    };
    match &state.problem {
        Some(problem) => format!("{behind} ({problem})"),
        None => behind,
    }
}

fn units(size: Usd, decimals: u8, price: Price) -> Result<U256, AppError> {
    let amount = size.to_amount(decimals, price, Rounding::Down);
    let amount = amount.map_err(|error| AppError::Internal(format!("the size in base units: {error}")))?;
    Ok(amount.units())
}

fn ladder(decimals: u8, price: Price) -> Result<Vec<Size>, AppError> {
    let size = |usd: u64| {
        let money = Usd::rounded(Decimal::from(usd), Rounding::Down);
        Ok(Size {
            usd,
            amount: units(money, decimals, price)?,
        })
    };
    LADDER_USD.into_iter().map(size).collect()
}

fn shown(pool: &Surveyed, quote: &str, hook_known: bool) -> PoolView {
    PoolView {
        pool: pool.pool.to_string(),
        venue: pool.venue,
        quote: quote.to_owned(),
        fee_bps: pool.fee_bps,
        hook: pool.hook,
        hook_known,
        created_at: pool.created_at,
        impact_bps: pool.impact_bps,
        round_trip_bps: pool.round_trip_bps,
        measured: pool.measured,
        depth_usd: pool.depth_usd,
        refused: pool.refused.clone(),
    }
}
