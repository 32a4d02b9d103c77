//! What is read of a wallet and of the two contracts of a swap, in the round trip that asks the pools.

use alloy_primitives::{Address, U256};

use super::{
    calldata::{Router, router},
    route::Route,
};
use crate::{
    chain::{
        contracts::{Erc20, Multicall3},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::pool::NATIVE,
    ports::{QuoteError, SwapRequest},
};

/// What a wallet has of both sides of a swap, and has allowed the routers to take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purse {
    /// Of what goes out, base units.
    pub(super) balance: U256,
    /// Of what comes in, base units.
    pub(super) held: U256,
    allowed_router: U256,
    allowed_permit2: U256,
}

/// What to read, in this order: two balances, two digits, two allowances.
pub(super) fn reads(spec: &ChainSpec, request: &SwapRequest) -> Vec<Read> {
    let account = request.wallet;
    let balance = |token: Address| {
        if token == NATIVE {
            Read::new(
                spec.contracts.multicall3,
                &Multicall3::getEthBalanceCall { account },
            )
        } else {
            Read::new(token, &Erc20::balanceOfCall { account })
        }
    };
    let digits = |token: Address| Read::new(contract(spec, token), &Erc20::decimalsCall {});
    let allowance = |spender| {
        Read::new(
            contract(spec, request.token_in),
            &Erc20::allowanceCall {
                owner: account,
                spender,
            },
        )
    };
    vec![
        balance(request.token_in),
        balance(request.token_out),
        digits(request.token_in),
        digits(request.token_out),
        allowance(spec.contracts.swap_router),
        allowance(spec.contracts.permit2),
    ]
}

/// Asks for the native coin go to its wrapped form, and are not looked at.
fn contract(spec: &ChainSpec, token: Address) -> Address {
    if token == NATIVE {
        spec.wrapped_native
    } else {
        token
    }
}

impl Purse {
    /// Understands what [`reads`] gave.
    ///
    /// # Errors
    /// [`QuoteError::DecimalsChanged`] if a contract reports other digits than the job knows, or none.
    pub(super) fn understand(request: &SwapRequest, readings: &[Reading]) -> Result<Self, QuoteError> {
        if let Some((digits_in, digits_out)) = request.checks.decimals {
            let both = [
                (request.token_in, digits_in, 2),
                (request.token_out, digits_out, 3),
            ];
            for (token, known, index) in both {
                same_digits(token, known, readings.get(index))?;
            }
        }
        // One word each, whichever function it was.
        let word = |index: usize| decode::<Erc20::balanceOfCall>(readings.get(index)).unwrap_or_default();
        let spends_token = request.token_in != NATIVE;
        let allowed = |index: usize| if spends_token { word(index) } else { U256::ZERO };
        Ok(Self {
            balance: word(0),
            held: word(1),
            allowed_router: allowed(4),
            allowed_permit2: allowed(5),
        })
    }

    /// What the one who takes the input may take already.
    pub(super) fn allowed(self, spec: &ChainSpec, request: &SwapRequest, route: &Route) -> U256 {
        match router(spec, request, route) {
            Router::Universal => self.allowed_permit2,
            Router::Swap02 => self.allowed_router,
        }
    }
}

fn same_digits(token: Address, known: u8, reading: Option<&Reading>) -> Result<(), QuoteError> {
    if token == NATIVE {
        return Ok(());
    }
    let told = decode::<Erc20::decimalsCall>(reading);
    if told == Some(known) {
        return Ok(());
    }
    let told = told.map_or_else(|| "no decimals".to_owned(), |told| format!("{told} decimals"));
    Err(QuoteError::DecimalsChanged(format!(
        "the contract {token} reports {told} now, and the job counts with {known}"
    )))
}
