//! PancakeSwap V3 on the local chain: its own factory and pools, as its package compiles them. Of the rest its packages
//! have no code: pools are made by a deployer of a few bytes, and router, quoter and positions are Uniswap's compiled
//! ones with Pancake's constants, which is all that Pancake changed in them.

use std::{collections::BTreeMap, path::Path};

use alloy::{
    sol,
    sol_types::{SolCall, SolValue},
};
use alloy_primitives::{Address, Bytes, U256, address, aliases::U24, hex, keccak256};

use super::{
    artifacts::Artifacts,
    code::{self, replaced},
    error::DevnetError,
    node::{DEPLOYER, Node},
    pools::{self, Stake, WETH},
};

sol! {
    interface Factory {
        function createPool(address a, address b, uint24 fee) external returns (address pool);
    }
}

const POOL: &str = "@pancakeswap/v3-core/artifacts/contracts/PancakeV3Pool.sol/PancakeV3Pool.json";
const FACTORY: &str = "@pancakeswap/v3-core/artifacts/contracts/PancakeV3Factory.sol/PancakeV3Factory.json";
const ROUTER: &str = "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json";
const QUOTER: &str = "@uniswap/v3-periphery/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json";
const POSITIONS: &str = "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json";

/// Where they stand.
const POOL_DEPLOYER: Address = address!("0x00000000000000000000000000000000Ca4E0001");
const ROUTER_AT: Address = address!("0x00000000000000000000000000000000Ca4E0002");
const QUOTER_AT: Address = address!("0x00000000000000000000000000000000Ca4e0003");
const POSITIONS_AT: Address = address!("0x00000000000000000000000000000000cA4E0004");

/// How pools call back the caller that swaps or adds liquidity: Pancake's functions, and Uniswap's.
const CALLBACKS: [([u8; 4], [u8; 4]); 2] = [
    // pancakeV3SwapCallback, uniswapV3SwapCallback
    (hex!("23a69e75"), hex!("fa461e33")),
    // pancakeV3MintCallback, uniswapV3MintCallback
    (hex!("99eee9d0"), hex!("d3487997")),
];

/// The hash of Uniswap's pools, in the code of what computes their addresses.
const UNISWAP_POOL: [u8; 32] = hex!("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54");
/// Where `slot0` is understood: the protocol's fee is a byte for Uniswap, and may be more for Pancake.
const IS_BYTE: [u8; 6] = hex!("60ff81168114");
/// The same, true of any number.
const IS_ANY: [u8; 6] = hex!("60ff81168014");

/// Deploys it; the contracts by their names in settings.
pub(super) async fn deploy(node: &Node, contracts: &Path) -> Result<BTreeMap<String, Address>, DevnetError> {
    let artifacts = Artifacts::new(contracts);
    let pool = artifacts.creation(POOL)?;
    node.set_code(POOL_DEPLOYER, &code::pool_deployer(&pool)).await?;
    let factory = create(node, artifacts.creation(FACTORY)?, POOL_DEPLOYER.abi_encode()).await?;
    let pools = keccak256(&pool);
    let from = (POOL_DEPLOYER, WETH).abi_encode_params();
    let with_descriptor = (POOL_DEPLOYER, WETH, Address::ZERO).abi_encode_params();
    for (place, file, arguments) in [
        (ROUTER_AT, ROUTER, from.clone()),
        (QUOTER_AT, QUOTER, from),
        (POSITIONS_AT, POSITIONS, with_descriptor),
    ] {
        let code = replaced(&artifacts.creation(file)?, &UNISWAP_POOL, pools.as_slice());
        let code = replaced(&code, &IS_BYTE, &IS_ANY);
        let inner = create(node, code, arguments).await?;
        let outer = code::renamed(inner, POOL_DEPLOYER, &CALLBACKS);
        node.set_code(place, &outer).await?;
    }
    let named = [
        ("pancake_v3_deployer", POOL_DEPLOYER),
        ("pancake_v3_factory", factory),
        ("pancake_v3_quoter", QUOTER_AT),
        ("pancake_v3_router", ROUTER_AT),
    ];
    Ok(named.map(|(name, address)| (name.to_owned(), address)).into())
}

/// A pool with liquidity over the whole range.
pub(super) async fn pool(
    node: &Node,
    factory: Address,
    stakes: [(Address, U256); 2],
    fee: u32,
) -> Result<(), DevnetError> {
    let [a, b] = stakes.map(|(token, amount)| Stake { token, amount });
    let spacing = match fee {
        100 => 1,
        500 => 10,
        2_500 => 50,
        _ => 200,
    };
    for stake in [a, b] {
        pools::approve_all(node, stake.token, &[POSITIONS_AT]).await?;
    }
    let create = Factory::createPoolCall {
        a: a.token,
        b: b.token,
        fee: U24::saturating_from(fee),
    };
    let data: Bytes = create.abi_encode().into();
    node.send(DEPLOYER, Some(factory), &data, U256::ZERO).await?;
    pools::v3_fill(node, (factory, POSITIONS_AT), (a, b), (fee, spacing)).await
}

async fn create(node: &Node, code: Bytes, arguments: Vec<u8>) -> Result<Address, DevnetError> {
    let data: Bytes = [code.as_ref(), &arguments].concat().into();
    let created = node.send(DEPLOYER, None, &data, U256::ZERO).await?;
    created.ok_or(DevnetError::Rpc {
        method: "eth_sendTransaction",
        detail: "a contract of PancakeSwap has no address".to_owned(),
    })
}
