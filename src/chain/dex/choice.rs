//! Which of several offers is tried first, and which is passed over.

use super::search::{Asker, Offer, Search};
use crate::{
    domain::{
        bounds,
        kept::Kept,
        onchain::{Launched, SwapRequest},
        router::ExtraRouter,
        units::{Amount, MoneyError},
    },
    ports::QuoteError,
};

/// What a request's checks say of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is within all of them.
    Fits,
    /// It gives too little, moves its pool too far, too much of it is kept, or the pool is too young.
    Poor,
    /// It gives more than is believable.
    TooGood,
}

/// Holds an offer against the checks of `request`.
pub(super) fn fits(
    request: &SwapRequest,
    amount_out: Amount,
    impact_bps: u32,
    kept: Kept,
) -> Result<Fit, MoneyError> {
    let (checks, fair) = (&request.checks, request.amount_out_fair);
    if let Some(better) = checks.better_max_bps
        && amount_out > bounds::ceiling(fair, better)?
    {
        return Ok(Fit::TooGood);
    }
    let little = match checks.worse_max_bps {
        Some(worse) => amount_out < bounds::floor(fair, kept, worse)?,
        None => false,
    };
    let far = checks.impact_max_bps.is_some_and(|most| impact_bps > most);
    let costly = checks.kept_max_bps.is_some_and(|most| kept.bps() > most);
    Ok(if little || far || costly {
        Fit::Poor
    } else {
        Fit::Fits
    })
}

/// Whether a pool is younger than the request allows.
pub(super) fn is_young(request: &SwapRequest, launched: Option<Launched>) -> bool {
    let least = request.checks.pool_age_min;
    launched
        .zip(least)
        .is_some_and(|(launched, least)| launched.age < least)
}

/// Which limit of a buy `offer` breaks, for the owner; `None`: none. `kept`: of its trial. What gives too little is
/// held to the floor of its plan instead.
pub(super) fn broken_limit(request: &SwapRequest, offer: &Offer, kept: Kept) -> Option<String> {
    let (checks, pool) = (&request.checks, offer.route.pool);
    let impact = offer.price_impact_bps;
    if let Some((launched, least)) = offer.launched.zip(checks.pool_age_min)
        && is_young(request, offer.launched)
    {
        let age = launched.age;
        return Some(format!(
            "{pool} was made {age} ago, venue.min_pool_age is {least}"
        ));
    }
    if let Some(most) = checks.impact_max_bps.filter(|most| impact > *most) {
        return Some(format!(
            "the trade would move {pool} by {impact} bps, limits.max_price_impact_bps is {most}"
        ));
    }
    let most = checks.kept_max_bps.filter(|most| kept.bps() > *most)?;
    Some(format!(
        "{kept} of the trade would be kept by {pool}, limits.max_pool_fee_bps is {most}"
    ))
}

/// Offers that fit come first, the best of them before all: a pool with dust in it, or one that cannot be traded in any
/// more, often quotes best of all. What is too good may still be what a token leaves after its tax; what is poor is
/// tried last, so that its refusal has a name. The order is otherwise kept.
pub(super) fn likely_first(request: &SwapRequest, offers: Vec<Offer>) -> Result<Vec<Offer>, QuoteError> {
    let out_of_range = |error: MoneyError| QuoteError::NoLiquidity(error.to_string());
    let mut ranked = Vec::with_capacity(offers.len());
    for offer in offers {
        let out = Amount::new(offer.amount_out);
        let fit = fits(request, out, offer.price_impact_bps, offer.kept);
        let fit = match is_young(request, offer.launched) {
            true => Fit::Poor,
            false => fit.map_err(out_of_range)?,
        };
        ranked.push((fit, offer));
    }
    ranked.sort_by_key(|(fit, _)| match fit {
        Fit::Fits => 0,
        Fit::TooGood => 1,
        Fit::Poor => 2,
    });
    Ok(ranked.into_iter().map(|(_, offer)| offer).collect())
}

/// Why what arrives cannot be believed; `None` if it can.
pub(super) fn too_good(request: &SwapRequest, arrives: Amount) -> Option<String> {
    let better = request.checks.better_max_bps?;
    let fair = request.amount_out_fair;
    let most = bounds::ceiling(fair, better);
    // What leaves the range is believed least.
    let believable = most.is_ok_and(|most| arrives <= most);
    (!believable).then(|| {
        format!(
            "{arrives} would arrive and only {fair} is fair, base units; price.max_price_deviation_bps is {better}: the \
             price or the pool is wrong"
        )
    })
}

/// That the wallet's policy entry does not name these routers, and where it would.
pub(super) fn unnamed(
    search: &Search,
    request: &SwapRequest,
    routers: impl IntoIterator<Item = ExtraRouter>,
) -> String {
    let routers: Vec<String> = routers.into_iter().map(|router| router.to_string()).collect();
    format!(
        "the policy entry of {} on {} does not name {}: its key `routers` says what it may use besides Uniswap's",
        request.wallet,
        search.spec.name,
        routers.join(", ")
    )
}

/// The same of all pools that are passed over for it, after a semicolon; nothing if none is.
pub(super) fn passed_over(search: &Search, request: &SwapRequest) -> String {
    let asker = Asker::Wallet(request.wallet);
    let routers = search.passed_over(asker, request.token_in, request.token_out);
    match routers.is_empty() {
        true => String::new(),
        false => format!("; {}", unnamed(search, request, routers)),
    }
}
