//! Decodes the effect of a transaction from its own bytes alone.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};

use super::{
    aerodrome, direct,
    flow::Flow,
    model::{Allow, Intent, Payment, PolicyContracts, Swap, exact},
    periphery,
    refusal::{Reason, Refusal},
    swap02, universal, v2_fork,
};
use crate::{
    chain::contracts::{Erc20, Periphery, Permit2, SwapRouter, UniversalRouter},
    domain::{onchain::Call, pool::NATIVE, trade::Purpose},
};

/// Decodes a call of a router; `None`: it goes to no router, or is none of a router of Uniswap's that we make.
fn swapped(call: &Call, wallet: Address, at: &PolicyContracts) -> Result<Option<Swap>, Refusal> {
    let data = call.data.as_ref();
    let selector = data.get(..4).unwrap_or_default();
    let flow = Flow::new(wallet, call.value);
    if call.to == at.universal_router && selector == UniversalRouter::executeCall::SELECTOR {
        let execute: UniversalRouter::executeCall = exact(data)?;
        let (flow, pool) = universal::follow(flow, &execute, at)?;
        return flow.end(execute.deadline, pool).map(Some);
    }
    if call.to == at.swap_router && selector == SwapRouter::multicallCall::SELECTOR {
        let multicall: SwapRouter::multicallCall = exact(data)?;
        let flow = swap02::follow(flow, &multicall, at)?;
        return flow.end(multicall.deadline, None).map(Some);
    }
    if at.forks().contains(&call.to) && selector == Periphery::multicallCall::SELECTOR {
        return periphery::read(flow, &exact(data)?, at).map(Some);
    }
    // Of these two every call that is not a swap of ours is refused, whatever it is.
    let terms = if call.to == at.aerodrome_router {
        aerodrome::read(data, call.value, at)?
    } else if at.v2_routers.contains(&call.to) {
        v2_fork::read(data, call.value)?
    } else {
        return Ok(None);
    };
    direct::follow(flow, &terms, call.value, at).map(Some)
}

impl Intent {
    /// Decodes a call of `wallet`.
    pub(super) fn read(call: &Call, wallet: Address, at: &PolicyContracts) -> Result<Self, Refusal> {
        if call.to == wallet && call.value.is_zero() && call.data.is_empty() {
            return Ok(Self::Cancel);
        }
        let data = call.data.as_ref();
        let selector = data.get(..4).unwrap_or_default();
        if call.to.is_zero() {
            return Err(Refusal::new(Reason::Contract, "it goes to the zero address"));
        }
        if let Some(swap) = swapped(call, wallet, at)? {
            return Ok(Self::Swap(swap));
        }
        if !call.value.is_zero() && data.is_empty() {
            return Ok(Self::Pay(Payment {
                asset: NATIVE,
                to: call.to,
                amount: call.value,
            }));
        }
        if !call.value.is_zero() {
            let detail = format!(
                "it sends {} wei to {}, which is not a router",
                call.value, call.to
            );
            return Err(Refusal::new(Reason::Contract, detail));
        }
        if call.to == at.permit2 && selector == Permit2::approveCall::SELECTOR {
            let approve: Permit2::approveCall = exact(data)?;
            return Ok(Self::Allow(Allow {
                token: approve.token,
                spender: approve.spender,
                amount: U256::from(approve.amount),
                expires: Some(U256::from(approve.expiration)),
            }));
        }
        if selector == Erc20::approveCall::SELECTOR {
            let approve: Erc20::approveCall = exact(data)?;
            return Ok(Self::Allow(Allow {
                token: call.to,
                spender: approve.spender,
                amount: approve.amount,
                expires: None,
            }));
        }
        if selector == Erc20::transferCall::SELECTOR {
            let transfer: Erc20::transferCall = exact(data)?;
            return Ok(Self::Pay(Payment {
                asset: call.to,
                to: transfer.to,
                amount: transfer.amount,
            }));
        }
        let detail = format!(
            "it calls {} with function 0x{}, which is not approve, execute, multicall, transfer or a cancel",
            call.to,
            alloy_primitives::hex::encode(selector)
        );
        Err(Refusal::new(Reason::Contract, detail))
    }

    /// Whether a transaction of this purpose may have this effect.
    pub(super) const fn serves(&self, purpose: Purpose) -> bool {
        matches!(
            (self, purpose),
            (Self::Cancel, Purpose::Cancel)
                | (Self::Allow(_), Purpose::Approve)
                | (Self::Swap(_), Purpose::Swap)
                | (Self::Pay(_), Purpose::Transfer)
        )
    }
}
