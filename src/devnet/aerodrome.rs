//! Aerodrome on the local chain, from its own sources: pools of both curves, their factory, the registry of factories
//! and the router. Nothing votes, and no liquidity is staked.

use std::{collections::BTreeMap, path::Path};

use alloy::{
    sol,
    sol_types::{SolCall, SolValue},
};
use alloy_primitives::{Address, Bytes, U256, address};

use super::{
    artifacts::Artifacts,
    error::DevnetError,
    node::{DEPLOYER, Node},
    pools::{self, WETH},
};
use crate::domain::pool::Curve;

sol! {
    interface Factory {
        function createPool(address a, address b, bool stable) external returns (address pool);
        function getPool(address a, address b, bool stable) external view returns (address pool);
        function setFee(bool stable, uint256 fee) external;
        function setPauseState(bool paused) external;
    }
    function mint(address to) external returns (uint256 liquidity);
}

/// Below `node_modules`; scripts/contracts/compile.mjs makes them.
const COMPILED: &str = "../compiled/aerodrome";
/// Stands for what votes and gauges need; it is never called.
const NOBODY: Address = address!("0x00000000000000000000000000000000AE000000");

/// Deploys it; the contracts by their names in settings.
pub(super) async fn deploy(node: &Node, contracts: &Path) -> Result<BTreeMap<String, Address>, DevnetError> {
    let artifacts = Artifacts::new(contracts);
    let make = async |file: &str, arguments: Vec<u8>| {
        let code = artifacts.creation(&format!("{COMPILED}/{file}.json"))?;
        let data: Bytes = [code.as_ref(), &arguments].concat().into();
        let created = node.send(DEPLOYER, None, &data, U256::ZERO).await?;
        created.ok_or_else(|| DevnetError::Rpc {
            method: "eth_sendTransaction",
            detail: format!("{file} of Aerodrome has no address"),
        })
    };
    let pool = make("Pool", vec![]).await?;
    let factory = make("PoolFactory", pool.abi_encode()).await?;
    let registered = (factory, NOBODY, NOBODY, NOBODY).abi_encode_params();
    let registry = make("FactoryRegistry", registered).await?;
    let connected = (NOBODY, registry, factory, NOBODY, WETH).abi_encode_params();
    let router = make("Router", connected).await?;
    let named = [
        ("aerodrome_factory", factory),
        ("aerodrome_pool", pool),
        ("aerodrome_router", router),
    ];
    Ok(named.map(|(name, address)| (name.to_owned(), address)).into())
}

/// A pool with these stakes. One of the stable curve takes only as many whole tokens of one side as of the other.
pub(super) async fn pool(
    node: &Node,
    factory: Address,
    stakes: [(Address, U256); 2],
    curve: Curve,
) -> Result<(), DevnetError> {
    let ([(a, _), (b, _)], stable) = (stakes, curve == Curve::Stable);
    pools::do_call(node, factory, Factory::createPoolCall { a, b, stable }).await?;
    let asked: Bytes = Factory::getPoolCall { a, b, stable }.abi_encode().into();
    let pool = pools::address_in(&node.call(factory, &asked).await?);
    for (token, amount) in stakes {
        pools::do_call(node, token, pools::transferCall { to: pool, amount }).await?;
    }
    pools::do_call(node, pool, mintCall { to: DEPLOYER }).await
}

/// Lets all pools of a curve keep `bps` of a swap, basis points, 1 to 300.
pub(super) async fn set_fee(
    node: &Node,
    factory: Address,
    curve: Curve,
    bps: u32,
) -> Result<(), DevnetError> {
    let call = Factory::setFeeCall {
        stable: curve == Curve::Stable,
        fee: U256::from(bps),
    };
    pools::do_call(node, factory, call).await
}

/// Stops all swaps, or resumes them.
pub(super) async fn pause(node: &Node, factory: Address, paused: bool) -> Result<(), DevnetError> {
    pools::do_call(node, factory, Factory::setPauseStateCall { paused }).await
}
