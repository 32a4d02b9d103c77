//! One swap through one pool, simulated.

use alloy_primitives::U256;

use super::{
    api::Bounds,
    calls,
    search::{Offer, Search},
    simulate::{Untried, estimate, simulate, with_margin},
};
use crate::{
    domain::{
        kept::Kept,
        onchain::{Call, SwapRequest},
        pool::NATIVE,
        trade::Purpose,
        units::{Amount, Rounding},
    },
    ports::{QuoteError, RpcError},
};

/// Unix seconds that are never reached: quotes have no deadline. Permit2 keeps 48 bits.
pub(super) const NEVER: u64 = (1 << 48) - 1;

/// Gas of a swap and of an approval where nothing could be simulated.
const GAS_SWAP: u64 = 250_000;
const GAS_APPROVE: u64 = 60_000;
/// Of a swap that is sent without a trial: one that runs out of gas sells nothing.
const GAS_SWAP_UNTRIED: u64 = 350_000;

/// Gas of two words that a pool writes for the first time, units.
const GAS_SUMS: u64 = 2 * 22_100;

/// A swap to simulate.
pub(super) struct Trial<'a> {
    pub(super) search: &'a Search,
    pub(super) request: &'a SwapRequest,
    pub(super) offer: &'a Offer,
    /// What the spender may take already.
    allowed: U256,
}

/// Calls that work, with their gas limits.
pub(super) struct Tried {
    pub(super) calls: Vec<Call>,
    /// What arrives; what the quoter said where the node returns no logs.
    pub(super) arrived: U256,
}

/// Why a swap does not work.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The wallet cannot pay for it.
    Funds,
    /// A call reverts.
    Reverts { index: usize, reason: String },
    /// There are no such calls.
    Calls(QuoteError),
    /// No node could simulate it.
    Rpc(RpcError),
}

impl From<Untried> for Refusal {
    fn from(untried: Untried) -> Self {
        match untried {
            Untried::Funds => Self::Funds,
            Untried::Unable(error) | Untried::Rpc(error) => Self::Rpc(error),
        }
    }
}

impl From<Refusal> for QuoteError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Funds => Self::Reverts("the wallet cannot pay for it".to_owned()),
            Refusal::Reverts { reason, .. } => Self::Reverts(reason),
            Refusal::Calls(error) => error,
            Refusal::Rpc(error) => Self::Rpc(error),
        }
    }
}

impl<'a> Trial<'a> {
    pub(super) const fn new(
        search: &'a Search,
        request: &'a SwapRequest,
        offer: &'a Offer,
        allowed: U256,
    ) -> Self {
        Self {
            search,
            request,
            offer,
            allowed,
        }
    }

    /// The calls within `bounds`, tried out. If the token refuses to change an allowance, it is reset to
    /// zero first.
    pub(super) async fn attempt(&self, bounds: Bounds) -> Result<Tried, Refusal> {
        match self.once(bounds).await {
            Err(Refusal::Reverts { index: 0, .. })
                if self.request.token_in != NATIVE && !self.allowed.is_zero() && !bounds.reset_allowance =>
            {
                let reset_allowance = true;
                self.once(Bounds {
                    reset_allowance,
                    ..bounds
                })
                .await
            }
            other => other,
        }
    }

    /// What is kept of a swap of which `arrived` was tried to reach the wallet. Where less arrives than the pool says,
    /// it is asked once more, and the lesser answer counts: a trade of others between question and trial is no tax.
    pub(super) async fn kept(&self, arrived: U256) -> Result<Kept, QuoteError> {
        let offer = self.offer;
        if arrived >= offer.amount_out {
            return Ok(offer.kept);
        }
        let amount = self.request.amount_in.units();
        let again = self.search.offers(&[offer.route], amount, &[]).await;
        let (again, _) = again.map_err(|error| QuoteError::Rpc(error.into_rpc()))?;
        let expected = again.first().map_or(U256::ZERO, |again| again.amount_out);
        Ok(offer.kept.with_arrival(expected.min(offer.amount_out), arrived))
    }

    /// Gas that the swap may take beyond its trial, units: nodes try it at the newest block's own time, and a pair that
    /// was traded in there writes its sums in a later block only.
    pub(super) fn later(&self) -> u64 {
        let (spec, route) = (&self.search.spec, &self.offer.route);
        let hops = route.dex.hops(spec, route);
        let pools = hops
            .iter()
            .map(|hop| hop.dex.addresses(spec, hop).len())
            .sum::<usize>();
        GAS_SUMS.saturating_mul(u64::try_from(pools).unwrap_or(u64::MAX))
    }

    async fn once(&self, bounds: Bounds) -> Result<Tried, Refusal> {
        let (spec, request) = (&self.search.spec, self.request);
        let mut calls = calls::calls(spec, request, &self.offer.route, bounds).map_err(Refusal::Calls)?;
        let tried = simulate(&self.search.rpc, request.wallet, &calls, request.token_out).await;
        let simulation = match tried {
            // A sale does not wait for a better node: what it must bring stands in its calldata.
            Err(Untried::Unable(_)) if !request.prove_sell => return self.step_by_step(calls).await,
            tried => tried?,
        };
        if let Some((index, reason)) = simulation.failure() {
            let reason = reason.to_owned();
            return Err(Refusal::Reverts { index, reason });
        }
        let most = spec.gas_limit_max;
        for (index, call) in calls.iter_mut().enumerate() {
            let later = if call.purpose == Purpose::Swap {
                self.later()
            } else {
                0
            };
            call.gas_limit = simulation.gas_limit_later(index, later);
            if call.gas_limit > most {
                let reason = format!(
                    "it takes {} gas, and at most {most} is signed for one call",
                    call.gas_limit
                );
                return Err(Refusal::Reverts { index, reason });
            }
        }
        let arrived = calls
            .last()
            .and_then(|swap| simulation.arrived(swap, request, spec.wrapped_native));
        Ok(Tried {
            calls,
            arrived: arrived.unwrap_or(self.offer.amount_out),
        })
    }

    /// The calls where no node can try several: the first is estimated, the swap too if nothing stands in its way, and
    /// the others get limits that are usually enough. Each is a transaction of its own, with the exact amount.
    async fn step_by_step(&self, mut calls: Vec<Call>) -> Result<Tried, Refusal> {
        let (rpc, request) = (&self.search.rpc, self.request);
        let most = self.search.spec.gas_limit_max;
        // An approval and the swap, and what is approved already is enough: a revert of the swap is its own.
        let is_ready = calls.len() == 2 && self.allowed >= request.amount_in.units();
        for (index, call) in calls.iter_mut().enumerate() {
            let is_swap = call.purpose == Purpose::Swap;
            let estimated = if index == 0 || is_swap {
                match estimate(rpc, request.wallet, call).await {
                    Err(Untried::Funds) => return Err(Refusal::Funds),
                    // A node that does not even estimate does not stop a sale.
                    estimated => estimated.ok(),
                }
            } else {
                None
            };
            let reverts = estimated.as_ref().and_then(|estimated| {
                let (_, reason) = estimated.failure()?;
                Some(reason.to_owned())
            });
            call.gas_limit = match (estimated, reverts) {
                (Some(estimated), None) => estimated.gas_limit(0),
                (_, Some(reason)) if index == 0 || is_ready => {
                    return Err(Refusal::Reverts { index, reason });
                }
                _ if is_swap => with_margin(GAS_SWAP_UNTRIED),
                _ => with_margin(GAS_APPROVE),
            }
            .min(most);
        }
        Ok(Tried {
            calls,
            arrived: self.offer.amount_out,
        })
    }

    /// The calls, with gas limits that are usually enough.
    pub(super) fn untried(&self, bounds: Bounds) -> Result<Vec<Call>, QuoteError> {
        let mut calls = calls::calls(&self.search.spec, self.request, &self.offer.route, bounds)?;
        for call in &mut calls {
            call.gas_limit = untried_gas(call.purpose);
        }
        Ok(calls)
    }
}

/// A gas limit that is usually enough.
pub(super) fn untried_gas(purpose: Purpose) -> u64 {
    with_margin(match purpose {
        Purpose::Approve => GAS_APPROVE,
        Purpose::Swap | Purpose::Transfer | Purpose::Cancel => GAS_SWAP,
    })
}

/// `amount * numerator / denominator`, rounded up; as it is if that leaves the range.
pub(super) fn scaled_up(amount: Amount, numerator: U256, denominator: U256) -> Amount {
    amount
        .mul_div(numerator, denominator, Rounding::Up)
        .unwrap_or(amount)
}
