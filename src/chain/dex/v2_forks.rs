//! Forks of Uniswap V2 that settings name: each with a factory, a router like V2's Router02, and the hash of its pairs.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, Bytes, U256};

use super::{
    api::{Bounds, Dex, Fee, Leg, Route, Router, Sides, When},
    assets::erc20,
    uniswap_v2::ratio,
};
use crate::{
    chain::{
        contracts::{V2Pair, V2Router},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
        v2_forks::{Fork, pair},
    },
    domain::{
        onchain::SwapRequest,
        pool::{NATIVE, Pool},
    },
};

pub(super) struct V2Forks;

/// Millionths in a basis point.
const PER_BPS: u32 = 100;

impl Dex for V2Forks {
    fn name(&self) -> &'static str {
        "V2 fork"
    }

    fn has(&self, pool: &Pool) -> bool {
        matches!(pool, Pool::V2Fork(_))
    }

    fn candidates(&self, spec: &ChainSpec, _: Address, _: Address) -> Vec<Pool> {
        spec.v2_forks.iter().map(|fork| Pool::V2Fork(fork.name)).collect()
    }

    fn sides(&self, spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Sides> {
        fork(spec, &pool).map(|_| Sides {
            pays: erc20(spec, token_in),
            gives: erc20(spec, token_out),
        })
    }

    fn fee_bps(&self, spec: &ChainSpec, pool: &Pool) -> Option<u32> {
        fork(spec, pool).map(|fork| fork.fee_bps)
    }

    fn ask(&self, spec: &ChainSpec, route: &Route, amount: U256) -> Option<Read> {
        let call = V2Router::getAmountsOutCall {
            amountIn: amount,
            path: vec![route.pays, route.gives],
        };
        Some(Read::new(fork(spec, &route.pool)?.router, &call))
    }

    fn answer(&self, _: &Route, _: U256, reading: Option<&Reading>) -> Option<U256> {
        let amounts = decode::<V2Router::getAmountsOutCall>(reading)?;
        amounts.last().copied().filter(|out| !out.is_zero())
    }

    fn router(&self, spec: &ChainSpec, _: &SwapRequest, route: &Route) -> Router {
        Router {
            address: fork(spec, &route.pool).map_or(Address::ZERO, |fork| fork.router),
            permit2: false,
        }
    }

    /// The router's calls for tokens with a fee on transfers: they compare what the receiver got.
    fn swap(&self, _: &ChainSpec, request: &SwapRequest, route: &Route, bounds: &Bounds) -> Option<Bytes> {
        let (amount, least) = (request.amount_in.units(), bounds.amount_out_min);
        let (path, to) = (vec![route.pays, route.gives], request.wallet);
        let deadline = U256::from(bounds.deadline);
        let data = if request.token_in == NATIVE {
            V2Router::swapExactETHForTokensSupportingFeeOnTransferTokensCall {
                amountOutMin: least,
                path,
                to,
                deadline,
            }
            .abi_encode()
        } else if request.token_out == NATIVE {
            V2Router::swapExactTokensForETHSupportingFeeOnTransferTokensCall {
                amountIn: amount,
                amountOutMin: least,
                path,
                to,
                deadline,
            }
            .abi_encode()
        } else {
            V2Router::swapExactTokensForTokensSupportingFeeOnTransferTokensCall {
                amountIn: amount,
                amountOutMin: least,
                path,
                to,
                deadline,
            }
            .abi_encode()
        };
        Some(data.into())
    }

    fn addresses(&self, spec: &ChainSpec, route: &Route) -> Vec<Address> {
        let fork = fork(spec, &route.pool).into_iter();
        fork.map(|fork| pair(fork.factory, fork.init_code_hash, route.pays, route.gives))
            .collect()
    }

    fn measures_receiver(&self, _: &Route) -> bool {
        true
    }

    fn price(&self, spec: &ChainSpec, route: &Route, when: When) -> Result<Vec<Leg>, String> {
        if when == When::Mean {
            return Err("V2 pairs are not averaged; use the source onchain".to_owned());
        }
        let fork = fork(spec, &route.pool)
            .ok_or_else(|| format!("{} is none of chains.{}.v2_forks", route.pool, spec.name))?;
        let pair = pair(fork.factory, fork.init_code_hash, route.pays, route.gives);
        Ok(vec![Leg {
            read: Read::new(pair, &V2Pair::getReservesCall {}),
            token_is_zero: route.zero_for_one(),
            ratio,
            fee: Fee::Fixed(fork.fee_bps.saturating_mul(PER_BPS)),
        }])
    }

    fn asked(&self, spec: &ChainSpec, pools: &[Pool]) -> String {
        match spec.v2_forks.is_empty() {
            true => String::new(),
            false => format!("{} of forks of V2", pools.len()),
        }
    }
}

/// The fork that the settings call so.
fn fork<'a>(spec: &'a ChainSpec, pool: &Pool) -> Option<&'a Fork> {
    let Pool::V2Fork(name) = *pool else { return None };
    spec.v2_forks.iter().find(|fork| fork.name == name)
}
