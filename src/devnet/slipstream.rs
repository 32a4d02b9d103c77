//! Aerodrome's Slipstream on the local chain, from its own sources: each of its deployments with factory, quoter,
//! router and positions of its own. Votes and gauges are answered by a contract that says zero to everything.

use std::{collections::BTreeMap, path::Path};

use alloy::{sol, sol_types::SolValue};
use alloy_primitives::{Address, Bytes, U256, address, aliases::I24};
use serde_json::json;

use super::{
    artifacts::Artifacts,
    error::DevnetError,
    node::{DEPLOYER, Node},
    pools::{self, Stake, WETH},
};
use crate::domain::pool::Slipstream;

sol! {
    struct Mint {
        address token0; address token1; int24 tickSpacing; int24 tickLower; int24 tickUpper;
        uint256 amount0Desired; uint256 amount1Desired; uint256 amount0Min; uint256 amount1Min;
        address recipient; uint256 deadline; uint160 sqrtPriceX96;
    }
    function mint(Mint params) external payable
        returns (uint256 tokenId, uint128 liquidity, uint256 amount0, uint256 amount1);
    function setSwapFeeModule(address module) external;
}

/// Below `node_modules`; scripts/contracts/compile.mjs makes them.
const COMPILED: &str = "../compiled/aerodrome-slipstream";

/// Says zero to everything.
const NOBODY: Address = address!("0x00000000000000000000000000000000AE000000");
const ZEROS: &[u8] = &[0x60, 0x40, 0x60, 0, 0xf3];
/// Answers every call with its first word of storage: a module of fees.
const MODULE: Address = address!("0x00000000000000000000000000000000AE00000F");
const FIRST_WORD: &[u8] = &[0x60, 0, 0x54, 0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3];

/// Where a deployment's positions are.
const fn positions(which: Slipstream) -> Address {
    match which {
        Slipstream::Initial => address!("0x00000000000000000000000000000000Ae000001"),
        Slipstream::Caps => address!("0x00000000000000000000000000000000aE000002"),
        Slipstream::V3 => address!("0x00000000000000000000000000000000ae000003"),
    }
}

/// The name of a deployment's contract in settings.
pub(super) fn name(which: Slipstream, contract: &str) -> String {
    format!("{}_{contract}", which.prefix().replace('-', "_"))
}

/// Deploys all of them; the contracts by their names in settings.
pub(super) async fn deploy(node: &Node, contracts: &Path) -> Result<BTreeMap<String, Address>, DevnetError> {
    let artifacts = Artifacts::new(contracts);
    node.set_code(NOBODY, &Bytes::from_static(ZEROS)).await?;
    node.set_code(MODULE, &Bytes::from_static(FIRST_WORD)).await?;
    let mut named = BTreeMap::new();
    for which in Slipstream::ALL {
        let make = async |file: &str, arguments: Vec<u8>| {
            let code = artifacts.creation(&format!("{COMPILED}/{file}.json"))?;
            create(node, code, arguments).await
        };
        let pool = make("CLPool", vec![]).await?;
        let factory = make("CLFactory", (NOBODY, NOBODY, pool).abi_encode_params()).await?;
        let periphery = (factory, WETH).abi_encode_params();
        let quoter = make("QuoterV2", periphery.clone()).await?;
        let router = make("SwapRouter", periphery).await?;
        let described = (factory, WETH, NOBODY, String::new(), String::new()).abi_encode_params();
        let manager = make("NonfungiblePositionManager", described).await?;
        let code: Bytes = node.request("eth_getCode", json!([manager, "latest"])).await?;
        node.set_code(positions(which), &code).await?;
        for (contract, address) in [
            ("factory", factory),
            ("pool", pool),
            ("quoter", quoter),
            ("router", router),
        ] {
            named.insert(name(which, contract), address);
        }
    }
    Ok(named)
}

/// A pool with liquidity over the whole range.
pub(super) async fn pool(
    node: &Node,
    which: Slipstream,
    stakes: [(Address, U256); 2],
    spacing: u32,
) -> Result<(), DevnetError> {
    let [a, b] = stakes.map(|(token, amount)| Stake { token, amount });
    let manager = positions(which);
    for stake in [a, b] {
        pools::approve_all(node, stake.token, &[manager]).await?;
    }
    let (low, high) = pools::ordered(a, b);
    let spacing = i32::try_from(spacing).unwrap_or(1);
    let (tick_lower, tick_upper) = pools::full_range(spacing);
    let params = Mint {
        token0: low.token,
        token1: high.token,
        tickSpacing: I24::try_from(spacing).unwrap_or_default(),
        tickLower: tick_lower,
        tickUpper: tick_upper,
        amount0Desired: low.amount,
        amount1Desired: high.amount,
        amount0Min: U256::ZERO,
        amount1Min: U256::ZERO,
        recipient: DEPLOYER,
        deadline: U256::from(u64::MAX),
        sqrtPriceX96: pools::sqrt_price(low.amount, high.amount),
    };
    pools::do_call(node, manager, mintCall { params }).await
}

/// Lets all pools of a factory keep `fee`, hundredths of a basis point, below 100001.
pub(super) async fn set_fee(node: &Node, factory: Address, fee: u32) -> Result<(), DevnetError> {
    node.set_storage(MODULE, U256::ZERO, U256::from(fee).into())
        .await?;
    pools::do_call(node, factory, setSwapFeeModuleCall { module: MODULE }).await
}

async fn create(node: &Node, code: Bytes, arguments: Vec<u8>) -> Result<Address, DevnetError> {
    let data: Bytes = [code.as_ref(), &arguments].concat().into();
    let created = node.send(DEPLOYER, None, &data, U256::ZERO).await?;
    created.ok_or(DevnetError::Rpc {
        method: "eth_sendTransaction",
        detail: "a contract of Slipstream has no address".to_owned(),
    })
}
