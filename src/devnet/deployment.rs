//! The addresses of a local chain's contracts.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::domain::pool::Pool;

/// Addresses of contracts, tokens and pools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Contracts by their names in `[chains.local.contracts]`.
    pub contracts: std::collections::BTreeMap<String, Address>,
    /// WETH9.
    pub weth: Address,
    /// A dollar of 6 digits.
    pub usdc: Address,
    /// A token with a V3 and a V2 pool against WETH, and a V4 pool against the native coin.
    pub token: Address,
    /// The token of the design, at its own address, in a V4 pool of its own shape: WETH, dynamic fee, a fee hook.
    pub clanker: Address,
    /// Its pool.
    pub clanker_pool: Pool,
    /// The hook that sets that pool's fee.
    pub hook: Address,
    /// The contract that adds liquidity to V4 pools.
    pub liquidity: Address,
    /// Takes 1 % of every transfer; a V2 pool against WETH.
    pub taxed: Address,
    /// Can be bought and, once shut, not sold; a V3 pool against WETH.
    pub trap: Address,
    /// Tokens at about two dollars, by ticker: V4 against the native coin (STEADY, BALANCE), V3 (DIPPER) and V2
    /// (SPREAD) against WETH.
    pub practice: std::collections::BTreeMap<String, Address>,
    /// V3 pool of WETH and USDC, with a history.
    pub weth_usdc: Address,
}
