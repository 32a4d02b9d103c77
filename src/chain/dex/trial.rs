//! One swap through one pool, simulated.

use alloy_primitives::U256;

use super::{
    api::Bounds,
    calls,
    search::{Offer, Search},
    simulate::{Untried, simulate, with_margin},
};
use crate::{
    domain::{
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
            Untried::Rpc(error) => Self::Rpc(error),
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

    async fn once(&self, bounds: Bounds) -> Result<Tried, Refusal> {
        let (spec, request) = (&self.search.spec, self.request);
        let mut calls = calls::calls(spec, request, &self.offer.route, bounds).map_err(Refusal::Calls)?;
        let simulation = simulate(&self.search.rpc, request.wallet, &calls).await?;
        if let Some((index, reason)) = simulation.failure() {
            let reason = reason.to_owned();
            return Err(Refusal::Reverts { index, reason });
        }
        let most = spec.gas_limit_max;
        for (index, call) in calls.iter_mut().enumerate() {
            call.gas_limit = simulation.gas_limit(index);
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

    /// The calls, with gas limits that are usually enough.
    pub(super) fn untried(&self, bounds: Bounds) -> Result<Vec<Call>, QuoteError> {
        let mut calls = calls::calls(&self.search.spec, self.request, &self.offer.route, bounds)?;
        for call in &mut calls {
            call.gas_limit = with_margin(match call.purpose {
                Purpose::Approve => GAS_APPROVE,
                Purpose::Swap | Purpose::Transfer | Purpose::Cancel => GAS_SWAP,
            });
        }
        Ok(calls)
    }
}

/// `amount * numerator / denominator`, rounded up; as it is if that leaves the range.
pub(super) fn scaled_up(amount: Amount, numerator: U256, denominator: U256) -> Amount {
    amount
        .mul_div(numerator, denominator, Rounding::Up)
        .unwrap_or(amount)
}
