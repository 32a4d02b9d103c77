//! What is read of a wallet and of the two contracts of a swap, in the round trip that asks the pools.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};

use super::{api::Route, assets::erc20};
use crate::{
    chain::{
        contracts::{Erc20, Multicall3},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::{onchain::SwapRequest, pool::NATIVE},
    ports::QuoteError,
};

/// What a wallet holds of both sides of a swap, and has allowed spenders to take.
#[derive(Debug, Clone)]
pub(super) struct Holdings {
    /// Of what goes out, base units.
    pub(super) balance: U256,
    /// Of what comes in, base units.
    pub(super) held: U256,
    /// Of what goes out, base units, by spender.
    allowances: HashMap<Address, U256>,
}

/// The reads of [`Holdings`], in their order: two balances, two digits, and an allowance for each spender.
pub(super) struct HoldingReads {
    pub(super) reads: Vec<Read>,
    spenders: Vec<Address>,
}

/// What to read before a swap through any of `routes`.
pub(super) fn reads(spec: &ChainSpec, request: &SwapRequest, routes: &[Route]) -> HoldingReads {
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
    // The native coin has no contract; its wrapped form is asked instead, and the answer is not looked at.
    let digits = |token: Address| Read::new(erc20(spec, token), &Erc20::decimalsCall {});
    let mut spenders: Vec<Address> = Vec::new();
    if request.token_in != NATIVE {
        let of = |route: &Route| route.dex.router(spec, request, route).spender(spec);
        spenders.extend(routes.iter().map(of));
        spenders.sort_unstable();
        spenders.dedup();
    }
    let allowance = |spender: &Address| {
        Read::new(
            request.token_in,
            &Erc20::allowanceCall {
                owner: account,
                spender: *spender,
            },
        )
    };
    let mut reads = vec![
        balance(request.token_in),
        balance(request.token_out),
        digits(request.token_in),
        digits(request.token_out),
    ];
    reads.extend(spenders.iter().map(allowance));
    HoldingReads { reads, spenders }
}

impl HoldingReads {
    /// Understands what [`HoldingReads::reads`] gave.
    ///
    /// # Errors
    /// [`QuoteError::DecimalsChanged`] if a contract reports other digits than the job knows, or none.
    pub(super) fn understand(
        &self,
        request: &SwapRequest,
        readings: &[Reading],
    ) -> Result<Holdings, QuoteError> {
        if let Some((digits_in, digits_out)) = request.checks.decimals {
            same_digits(request.token_in, digits_in, readings.get(2))?;
            same_digits(request.token_out, digits_out, readings.get(3))?;
        }
        // One word each, whichever function it was.
        let word = |reading| decode::<Erc20::balanceOfCall>(reading).unwrap_or_default();
        let allowances = self.spenders.iter().zip(readings.iter().skip(4));
        Ok(Holdings {
            balance: word(readings.first()),
            held: word(readings.get(1)),
            allowances: allowances
                .map(|(spender, reading)| (*spender, word(Some(reading))))
                .collect(),
        })
    }
}

impl Holdings {
    /// What the spender of this route may take already.
    pub(super) fn allowed(&self, spec: &ChainSpec, request: &SwapRequest, route: &Route) -> U256 {
        let spender = route.dex.router(spec, request, route).spender(spec);
        self.allowances.get(&spender).copied().unwrap_or_default()
    }
}

fn same_digits(token: Address, known: u8, reading: Option<&Reading>) -> Result<(), QuoteError> {
    if token == NATIVE {
        return Ok(());
    }
    let reported = decode::<Erc20::decimalsCall>(reading);
    if reported == Some(known) {
        return Ok(());
    }
    let reported = reported.map_or_else(
        || "no decimals".to_owned(),
        |reported| format!("{reported} decimals"),
    );
    Err(QuoteError::DecimalsChanged(format!(
        "the contract {token} reports {reported} now, and the job counts with {known}"
    )))
}
