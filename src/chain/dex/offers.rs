//! What routes give: every pool is asked in one round trip, and where several pools of different versions follow each
//! other, each is asked in a further one what the one before gives.

use std::collections::VecDeque;

use alloy_primitives::{U256, U512};

use super::{
    api::Route,
    impact::{self, Yardstick},
    uniswap_v4::hook,
};
use crate::{
    chain::{
        error::CallError,
        multicall::{Read, Reading, read_all},
        rpc::Rpc,
        settings::ChainSpec,
    },
    domain::{kept::Kept, onchain::Launched, units::BPS},
};

/// Millionths by which what a pool gives may differ from the price in its state, beyond its stated fee, before another
/// pool is the better source of prices: a hook decides what is given, and the maker of a pool decides its first price.
pub(crate) const OFF_MAX: u32 = 30_000;

/// A route and what it would give.
#[derive(Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) route: Route,
    pub(crate) amount_out: U256,
    /// The proven impact, rounded up; all of the price where nothing was measured. Limits are held to it.
    pub(crate) price_impact_bps: u32,
    /// The proven impact; nothing where nothing was measured. No other loss is explained by the pool.
    pub(crate) explained_bps: u32,
    /// What it would give at the pool's price without fee and impact, base units rounded down; `None`: not known.
    pub(crate) at_spot: Option<U256>,
    /// What the pools on the way and their hooks are proven to keep.
    pub(crate) kept: Kept,
    /// By how many millionths what it gives differs from its pools' own price, beyond their stated fees: where a hook
    /// decides what is given, the price in the pool's state may be anything.
    pub(crate) off: u32,
    /// Gas of its swaps as the pools' quoters say, units; a guess where they do not.
    pub(crate) gas_units: u64,
    /// How old the pool is, where that was asked and is known.
    pub(crate) launched: Option<Launched>,
}

impl Offer {
    /// This swap and then `next`, which takes all that it gives.
    fn then(self, next: Self) -> Self {
        // Rounded up once: both are held to a limit together.
        let kept = |bps: u32| BPS.saturating_sub(bps);
        let impact = kept(self.price_impact_bps)
            .saturating_mul(kept(next.price_impact_bps))
            .div_euclid(BPS);
        Self {
            route: self.route,
            amount_out: next.amount_out,
            price_impact_bps: BPS.saturating_sub(impact),
            explained_bps: crate::domain::bounds::losses_together(self.explained_bps, next.explained_bps),
            at_spot: self.at_spot.zip(next.at_spot).and_then(|(one, other)| {
                let whole = U512::from(other).checked_mul(U512::from(one))?;
                let spot = whole.checked_div(U512::from(self.amount_out))?;
                U256::checked_from_limbs_slice(spot.as_limbs())
            }),
            kept: self.kept.and(next.kept),
            off: self.off.saturating_add(next.off),
            gas_units: self.gas_units.saturating_add(next.gas_units),
            launched: None,
        }
    }
}

/// What each route gives for `amount`, the best first; routes that give nothing are left out. `extra` is read in the
/// first round trip.
///
/// # Errors
/// [`CallError`] if no node answers.
pub(super) async fn offers(
    rpc: &Rpc,
    spec: &ChainSpec,
    routes: &[Route],
    amount: U256,
    extra: &[Read],
) -> Result<(Vec<Offer>, Vec<Reading>), CallError> {
    let walk = |route: &Route| Walk {
        route: *route,
        left: route.dex.hops(spec, route).into(),
        amount,
        asked: None,
        offer: None,
    };
    let mut walks: Vec<Walk> = routes.iter().map(walk).collect();
    // What a hook takes is not taken from the pools without one.
    walks.sort_by_key(|walk| is_hooked(spec, &walk.route));
    let (mut extra, mut told) = (extra.to_vec(), None);
    loop {
        let own = std::mem::take(&mut extra);
        let extras = own.len();
        let mut reads = own;
        for walk in &mut walks {
            reads.extend(walk.ask(spec));
        }
        if reads.is_empty() {
            break;
        }
        let mut readings = read_all(rpc, spec.contracts.multicall3, &reads).await?;
        let answers = readings.split_off(extras.min(readings.len()));
        told.get_or_insert(readings);
        let mut answers = answers.as_slice();
        for walk in &mut walks {
            answers = walk.hear(answers);
        }
    }
    let mut offers: Vec<Offer> = walks.into_iter().filter_map(Walk::end).collect();
    offers.sort_by_key(|offer| std::cmp::Reverse(offer.amount_out));
    Ok((offers, told.unwrap_or_default()))
}

/// Whether a hook decides what is given anywhere on the route.
pub(super) fn is_hooked(spec: &ChainSpec, route: &Route) -> bool {
    let hops = route.dex.hops(spec, route);
    hops.iter().any(|hop| hook(&hop.pool).is_some())
}

/// A route that is asked pool after pool.
struct Walk {
    route: Route,
    left: VecDeque<Route>,
    /// Base units that go into the next pool.
    amount: U256,
    asked: Option<Asked>,
    /// What the pools so far give.
    offer: Option<Offer>,
}

impl Walk {
    /// The reads of its next pool; none if it has come to its end.
    fn ask(&mut self, spec: &ChainSpec) -> Vec<Read> {
        let Some(hop) = self.left.pop_front() else {
            return vec![];
        };
        self.asked = Asked::new(spec, hop, self.amount);
        match &self.asked {
            Some(asked) => asked.reads(),
            None => {
                self.fail();
                vec![]
            }
        }
    }

    /// Takes its own answers from the front of `answers`, and leaves the rest.
    fn hear<'a>(&mut self, answers: &'a [Reading]) -> &'a [Reading] {
        let Some(asked) = self.asked.take() else {
            return answers;
        };
        let (own, rest) = answers
            .split_at_checked(asked.reads().len())
            .unwrap_or((&[], &[]));
        match asked.offer(self.amount, own) {
            Some(next) => {
                self.amount = next.amount_out;
                self.offer = Some(self.offer.map_or(next, |before| before.then(next)));
            }
            None => self.fail(),
        }
        rest
    }

    fn fail(&mut self) {
        self.left.clear();
        self.offer = None;
    }

    fn end(self) -> Option<Offer> {
        let route = self.route;
        self.offer.map(|offer| Offer { route, ..offer })
    }
}

/// A pool with its questions.
struct Asked {
    route: Route,
    whole: Read,
    yardstick: Yardstick,
}

impl Asked {
    fn new(spec: &ChainSpec, route: Route, amount: U256) -> Option<Self> {
        Some(Self {
            route,
            whole: route.dex.ask(spec, &route, amount)?,
            yardstick: Yardstick::new(spec, &route, amount),
        })
    }

    fn reads(&self) -> Vec<Read> {
        let whole = std::iter::once(self.whole.clone());
        whole.chain(self.yardstick.reads()).collect()
    }

    /// What `readings` say that the pool gives for `amount`; `None` if that is nothing.
    fn offer(&self, amount: U256, readings: &[Reading]) -> Option<Offer> {
        let (route, (whole, yardstick)) = (&self.route, readings.split_first()?);
        let out = route.dex.answer(route, amount, Some(whole))?;
        let swap = impact::Asked {
            amount,
            out,
            most: route.dex.most(route, amount, out, Some(whole)),
        };
        let measured = self.yardstick.measure(route, &swap, yardstick);
        Some(Offer {
            route: *route,
            amount_out: out,
            price_impact_bps: measured.suspected_bps(),
            explained_bps: measured.explained_bps(),
            at_spot: measured.at_spot,
            kept: measured.kept,
            off: measured.off,
            gas_units: route.dex.gas(Some(whole)),
            launched: None,
        })
    }
}

/// What each route gives for its amount, base units; `None` if that is nothing.
///
/// # Errors
/// [`CallError`] if no node answers.
pub(super) async fn amounts(
    rpc: &Rpc,
    spec: &ChainSpec,
    questions: &[(Route, U256)],
) -> Result<Vec<Option<U256>>, CallError> {
    let hops = |(route, _): &(Route, U256)| route.dex.hops(spec, route);
    let mut left: Vec<VecDeque<Route>> = questions.iter().map(|question| hops(question).into()).collect();
    let amount =
        |(hops, (_, amount)): (&VecDeque<Route>, &(Route, U256))| (!hops.is_empty()).then_some(*amount);
    let mut amounts: Vec<Option<U256>> = left.iter().zip(questions).map(amount).collect();
    loop {
        let mut asked = Vec::new();
        for (hops, amount) in left.iter_mut().zip(&mut amounts) {
            let next = amount.and_then(|_| hops.pop_front());
            let (Some(route), Some(units)) = (next, *amount) else {
                continue;
            };
            match route.dex.ask(spec, &route, units) {
                Some(read) => asked.push((route, read, amount)),
                None => *amount = None,
            }
        }
        if asked.is_empty() {
            break;
        }
        asked.sort_by_key(|(route, ..)| is_hooked(spec, route));
        let reads: Vec<Read> = asked.iter().map(|(_, read, _)| read.clone()).collect();
        let readings = read_all(rpc, spec.contracts.multicall3, &reads).await?;
        for ((route, _, amount), reading) in asked.into_iter().zip(&readings) {
            *amount = amount.and_then(|units| route.dex.answer(&route, units, Some(reading)));
        }
    }
    Ok(amounts)
}
