//! What a transaction would do, read from its own bytes and from nothing else.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};

use super::{Reason, Refusal, flow::Flow, swap02, universal};
use crate::{
    chain::contracts::{Erc20, Permit2, SwapRouter, UniversalRouter},
    domain::{
        pool::{NATIVE, Pool},
        trade::Purpose,
    },
    ports::Call,
};

/// The contracts that calls may go to, and what stands for the native coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contracts {
    /// Permit2.
    pub permit2: Address,
    /// Universal Router 2.0.
    pub universal_router: Address,
    /// SwapRouter02.
    pub swap_router: Address,
    /// The ERC-20 that wraps the native coin.
    pub wrapped_native: Address,
    /// The token that counts as a dollar.
    pub usdc: Address,
}

/// An allowance: it moves nothing, and only its spender can use it, for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allow {
    pub(super) token: Address,
    pub(super) spender: Address,
    pub(super) amount: U256,
    /// Unix seconds; none: until it is used or taken back.
    pub(super) expires: Option<U256>,
}

/// A swap of an exact input, everything it gives to the wallet. Zero stands for the native coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Swap {
    pub(super) token_in: Address,
    pub(super) amount_in: U256,
    pub(super) token_out: Address,
    /// The least that reaches the wallet, or all is undone.
    pub(super) amount_out_min: U256,
    /// Unix seconds, block time.
    pub(super) deadline: U256,
    /// The pool, where the calldata names one alone.
    pub(super) pool: Option<Pool>,
}

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// Uses up its nonce.
    Cancel,
    Allow(Allow),
    Swap(Swap),
}

impl Intent {
    /// Reads a call of `wallet`.
    pub(super) fn read(call: &Call, wallet: Address, at: &Contracts) -> Result<Self, Refusal> {
        if call.to == wallet && call.value.is_zero() && call.data.is_empty() {
            return Ok(Self::Cancel);
        }
        let data = call.data.as_ref();
        let selector = data.get(..4).unwrap_or_default();
        if call.to.is_zero() {
            return Err(Refusal::new(Reason::Contract, "it goes to the zero address"));
        }
        if call.to == at.universal_router && selector == UniversalRouter::executeCall::SELECTOR {
            let execute: UniversalRouter::executeCall = exact(data)?;
            let flow = Flow::new(wallet, call.value);
            let (flow, pool) = universal::follow(flow, &execute, at)?;
            return flow.end(execute.deadline, pool).map(Self::Swap);
        }
        if call.to == at.swap_router && selector == SwapRouter::multicallCall::SELECTOR {
            let multicall: SwapRouter::multicallCall = exact(data)?;
            let flow = swap02::follow(Flow::new(wallet, call.value), &multicall, at)?;
            return flow.end(multicall.deadline, None).map(Self::Swap);
        }
        if !call.value.is_zero() {
            let detail = format!("it sends {} wei to {}, which is no router", call.value, call.to);
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
        let detail = format!(
            "it calls {} with function 0x{}, which is none of approve, execute, multicall or a cancel",
            call.to,
            alloy_primitives::hex::encode(selector)
        );
        Err(Refusal::new(Reason::Contract, detail))
    }

    /// Whether a transaction of this purpose does this.
    pub(super) const fn serves(&self, purpose: Purpose) -> bool {
        matches!(
            (self, purpose),
            (Self::Cancel, Purpose::Cancel)
                | (Self::Allow(_), Purpose::Approve)
                | (Self::Swap(_), Purpose::Swap)
        )
    }
}

impl Allow {
    /// Who may be allowed anything, by which contract.
    pub(super) fn is_to_known_spender(&self, at: &Contracts) -> bool {
        let spender = self.spender;
        match self.expires {
            Some(_) => spender == at.universal_router && !spender.is_zero(),
            None => (spender == at.permit2 || spender == at.swap_router) && !spender.is_zero(),
        }
    }
}

/// Arguments exactly as we would write them: no byte more, no other way to say the same.
pub(super) fn exact<C: SolCall>(data: &[u8]) -> Result<C, Refusal> {
    let read = C::abi_decode(data).map_err(|error| shape(error.to_string()))?;
    if read.abi_encode() != data {
        return Err(shape("its calldata is not written the one usual way".to_owned()));
    }
    Ok(read)
}

pub(super) fn shape(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Shape, detail)
}

/// How an asset is called in messages.
pub(super) fn named(asset: Address, at: &Contracts) -> String {
    if asset == NATIVE {
        "the native coin".to_owned()
    } else if asset == at.wrapped_native {
        "the wrapped native coin".to_owned()
    } else if asset == at.usdc {
        "USDC".to_owned()
    } else {
        format!("token {asset}")
    }
}
