//! The proof that what a buy leaves in the wallet can be sold again.
//!
//! The buy and the sale are simulated one after the other, in one request, on the newest block. What must be sellable
//! is the *whole* position after the buy: what the job holds already and what arrives. The sale goes back through the
//! pool that was bought in, and may lose so much of what was paid for the same number of tokens: what pool, hook and
//! token keep of both and some slack, or what the job says. What the sale alone would keep has the limit that it will
//! be held to when it is due. A position that is large for its pool moves the price when it is sold at once; what the
//! pool's own price explains of the loss is no fault of the token and counts apart, and so does the fraction of a unit
//! that the buy was cut by, as far as the pool's own price bears it out: a token of few decimals would otherwise look
//! like a trap. A larger loss, and a sale that reverts, refuse the buy: a token that only lets small amounts go is no
//! exception. Nor is a pool that rounds its fee up to a whole unit of the few that are sold: that loss is real, and the
//! sale would break `limits.max_slippage_bps`.

use alloy_primitives::U256;

use super::{
    api::{Bounds, Route},
    calls,
    simulate::{as_a_block, simulate},
    trial::{NEVER, Refusal, Trial, Tried},
};
use crate::{
    chain::wallet_code::remark,
    domain::{
        bounds,
        kept::Kept,
        onchain::{RoundTrip, SwapRequest},
        units::{Amount, Rounding},
    },
    ports::QuoteError,
};

/// How a sale ended.
enum Sale {
    /// What comes back, base units of the input asset, and gas of the sale, units.
    Back(Amount, u64),
    /// It reverts, because.
    Reverts(String),
}

/// A buy that was tried, and of the sale after it what came back, base units, and its gas, units.
type Both = (Tried, (Amount, u64));

/// The buy, and the sale of all that it leaves in the wallet, in one simulation: what arrives is taken to be what the
/// quoter said, as it nearly always is. With what comes back, base units. `None`: it is not, something reverts, or no
/// node shows logs; then the buy and the sale are tried one after the other.
async fn both(trial: &Trial<'_>, bounds: Bounds, in_wallet: U256) -> Option<Both> {
    let (spec, request) = (&trial.search.spec, trial.request);
    let mut calls = calls::calls(spec, request, &trial.offer.route, bounds).ok()?;
    let buys = calls.len();
    let arrives = trial.offer.amount_out;
    let whole = whole(trial, arrives, in_wallet).ok()?;
    let sale = sale_request(trial, whole);
    calls.extend(calls::calls(spec, &sale, &way_back(trial)?, unbound(false)).ok()?);
    let tried = as_a_block(&trial.search.rpc, request.wallet, &calls).await;
    let simulation = tried.ok().flatten()?;
    if simulation.failure().is_some() {
        return None;
    }
    let swap = buys.checked_sub(1)?;
    let arrived = simulation.proven(swap, calls.get(swap)?, request, spec.wrapped_native)?;
    let back = simulation.arrived(calls.last()?, &sale, spec.wrapped_native)?;
    let sale_gas = (buys..calls.len()).fold(0_u64, |sum, index| {
        sum.saturating_add(simulation.gas_limit(index))
    });
    calls.truncate(buys);
    for (index, call) in calls.iter_mut().enumerate() {
        let later = if index == swap { trial.later() } else { 0 };
        call.gas_limit = simulation.gas_limit_later(index, later);
    }
    let fits = calls.iter().all(|call| call.gas_limit <= spec.gas_limit_max);
    (arrived == arrives && fits).then(|| (Tried { calls, arrived }, (Amount::new(back), sale_gas)))
}

/// The calls of a swap within `bounds`, tried out; of a buy that is to be proven together with the sale, where that
/// works, and then with what comes back.
pub(super) async fn attempt(
    trial: &Trial<'_>,
    bounds: Bounds,
    in_wallet: U256,
) -> Result<(Tried, Option<(Amount, u64)>), Refusal> {
    let together = match trial.request.prove_sell {
        true => both(trial, bounds, in_wallet).await,
        false => None,
    };
    match together {
        Some((tried, back)) => Ok((tried, Some(back))),
        None => Ok((trial.attempt(bounds).await?, None)),
    }
}

/// All that must be sellable after a buy that brings `arrives`.
fn whole(trial: &Trial<'_>, arrives: U256, in_wallet: U256) -> Result<Amount, QuoteError> {
    // What the ledger counts and the wallet lost is not there to be sold.
    let held = trial.request.checks.held.min(Amount::new(in_wallet));
    held.checked_add(Amount::new(arrives))
        .map_err(|error| QuoteError::Unsellable(error.to_string()))
}

/// The way back through the pool of the buy; `None`: it trades one way only.
fn way_back(trial: &Trial<'_>) -> Option<Route> {
    let (spec, request, bought_in) = (&trial.search.spec, trial.request, trial.offer.route);
    Route::through(
        bought_in.dex,
        spec,
        bought_in.pool,
        request.token_out,
        request.token_in,
    )
}

/// The sale of `amount` of what the buy brings.
fn sale_request(trial: &Trial<'_>, amount: Amount) -> SwapRequest {
    let buy = trial.request;
    SwapRequest {
        token_in: buy.token_out,
        token_out: buy.token_in,
        amount_in: amount,
        ..*buy
    }
}

const fn unbound(reset_allowance: bool) -> Bounds {
    Bounds {
        amount_out_min: U256::ZERO,
        wallet_min: None,
        deadline: NEVER,
        reset_allowance,
    }
}

/// Shows that all that is held after `bought` can be sold within what a round trip may lose. `kept`: of the buy;
/// `in_wallet`: what the wallet has of the token before it; `back`: what a simulation with the buy brought back, if
/// there was one.
///
/// # Errors
/// [`QuoteError::Unsellable`] names the loss or the revert, and what of it is allowed.
pub(super) async fn prove(
    trial: &Trial<'_>,
    bought: &Tried,
    kept: Kept,
    in_wallet: U256,
    back: Option<(Amount, u64)>,
) -> Result<RoundTrip, QuoteError> {
    let request = trial.request;
    let pool = trial.offer.route.pool;
    let arrives = Amount::new(bought.arrived);
    let whole = whole(trial, bought.arrived, in_wallet)?;
    let route =
        way_back(trial).ok_or_else(|| QuoteError::Unsellable(format!("{pool} trades one way only")))?;
    // What these tokens cost at the price of this buy; rounded up, against the trade.
    let paid = whole
        .mul_div(request.amount_in.units(), bought.arrived, Rounding::Up)
        .map_err(|error| QuoteError::Unsellable(error.to_string()))?;
    let sold = match back {
        Some((back, gas)) => Sale::Back(back, gas),
        None => sell(trial, bought, &route, whole).await?,
    };
    let (back, sale_gas_units) = match sold {
        Sale::Back(back, gas) => (back, gas),
        Sale::Reverts(why) => {
            return Err(QuoteError::Unsellable(format!(
                "a sale of all {whole} that would be held reverts: {why}{}{}",
                part(trial, bought, &route, whole, arrives).await?,
                remark(&trial.search.rpc, request.wallet).await,
            )));
        }
    };
    let lost = bounds::loss_bps(paid, back);
    let trip = RoundTrip {
        lost_bps: lost,
        sale_gas_units,
    };
    let said = request.checks.round_trip_loss_max_bps;
    // A buy of which too much is kept is refused for that, by its own name.
    let keeps_most = request.checks.kept_max_bps.filter(|most| kept.bps() <= *most);
    // The sale alone keeps no more than both lose.
    let allowed = bounds::round_trip_allowed(said, kept, Kept::NOTHING);
    if lost <= allowed && keeps_most.is_none_or(|most| lost <= most) {
        return Ok(trip);
    }
    let PoolSays { impact, worth, keeps } = pool_says(trial, &route, whole, back).await?;
    if let Some(most) = keeps_most.filter(|most| keeps.bps() > *most) {
        return Err(QuoteError::Unsellable(format!(
            "{keeps} of a sale of all {whole} that would be held would be kept, limits.max_pool_fee_bps is {most}"
        )));
    }
    let allowed = bounds::round_trip_allowed(said, kept, keeps);
    let least = least_paid(request.amount_in, bought.arrived, whole, worth);
    let lost = least.map_or(lost, |least| bounds::loss_bps(least.min(paid), back));
    if lost <= bounds::losses_together(allowed, impact) {
        return Ok(trip);
    }
    Err(QuoteError::Unsellable(format!(
        "a sale of all {whole} that would be held loses {lost} bps, {allowed} are allowed \
         (limits.max_round_trip_loss_bps) and the pool's price explains {impact}"
    )))
}

/// What the pool itself says of a sale.
struct PoolSays {
    /// How far it moves the price, basis points.
    impact: u32,
    /// What the tokens are worth at the pool's price before the buy; `None` where its state does not say.
    worth: Option<Amount>,
    /// What pool, hook and token keep of it.
    keeps: Kept,
}

/// `back`: what came back after the buy. The pool is asked as it was before, when it gave less: the token keeps no less
/// than what is missing of that.
async fn pool_says(
    trial: &Trial<'_>,
    route: &Route,
    whole: Amount,
    back: Amount,
) -> Result<PoolSays, QuoteError> {
    let asked = trial.search.offers(&[*route], whole.units(), &[]).await;
    let (offers, _) = asked.map_err(|error| QuoteError::Rpc(error.into_rpc()))?;
    let offer = offers.first();
    Ok(PoolSays {
        impact: offer.map_or(0, |offer| offer.explained_bps),
        worth: offer.and_then(|offer| offer.at_spot).map(Amount::new),
        keeps: offer.map_or(Kept::NOTHING, |offer| {
            offer.kept.with_arrival(offer.amount_out, back.units())
        }),
    })
}

/// The least that `whole` cost: the buy brought less than a unit more than `arrived`, and never at a better price than
/// the pool's. `None` where the pool's price is not known: a thief who makes the units coarse gains nothing by it.
fn least_paid(amount_in: Amount, arrived: U256, whole: Amount, worth: Option<Amount>) -> Option<Amount> {
    let unrounded = arrived.saturating_add(U256::from(1));
    let least = whole.mul_div(amount_in.units(), unrounded, Rounding::Down).ok()?;
    worth.map(|worth| least.max(worth))
}

/// Whether what arrives could be sold alone, for the message.
async fn part(
    trial: &Trial<'_>,
    bought: &Tried,
    route: &Route,
    whole: Amount,
    arrives: Amount,
) -> Result<String, QuoteError> {
    if whole == arrives {
        return Ok(String::new());
    }
    Ok(match sell(trial, bought, route, arrives).await? {
        Sale::Back(..) => {
            format!("; {arrives} alone can be sold: the token limits how much, or the pool does")
        }
        Sale::Reverts(_) => String::new(),
    })
}

/// The buy and a sale of `amount` after it, on paper.
async fn sell(trial: &Trial<'_>, bought: &Tried, route: &Route, amount: Amount) -> Result<Sale, QuoteError> {
    let first = once(trial, bought, route, amount, false).await?;
    match first {
        // An allowance that was left over, and that the token does not let be changed.
        Sale::Reverts(_) => once(trial, bought, route, amount, true).await,
        back @ Sale::Back(..) => Ok(back),
    }
}

async fn once(
    trial: &Trial<'_>,
    bought: &Tried,
    route: &Route,
    amount: Amount,
    reset_allowance: bool,
) -> Result<Sale, QuoteError> {
    let spec = &trial.search.spec;
    let request = sale_request(trial, amount);
    let mut calls = bought.calls.clone();
    let buys = calls.len();
    calls.extend(calls::calls(spec, &request, route, unbound(reset_allowance))?);
    let simulation = simulate(&trial.search.rpc, request.wallet, &calls, request.token_out)
        .await
        .map_err(Refusal::from)?;
    match simulation.failure() {
        Some((index, reason)) if index < buys => return Err(QuoteError::Reverts(reason.to_owned())),
        Some((_, reason)) => return Ok(Sale::Reverts(reason.to_owned())),
        None => {}
    }
    let back = calls
        .last()
        .and_then(|swap| simulation.arrived(swap, &request, spec.wrapped_native));
    let gas = (buys..calls.len()).fold(0_u64, |sum, index| {
        sum.saturating_add(simulation.gas_limit(index))
    });
    // A node that shows no logs shows no proof.
    Ok(Sale::Back(Amount::new(back.unwrap_or_default()), gas))
}
