//! Adds liquidity to pools of every kind, as liquidity providers do.

use std::collections::BTreeMap;

use alloy::{sol, sol_types::SolCall};
use alloy_primitives::{
    Address, B256, Bytes, I256, U160, U256, address,
    aliases::{I24, U24},
    uint,
};

use super::{
    error::DevnetError,
    node::{DEPLOYER, Node},
};
use crate::domain::pool::{Pool, PoolKey};

/// Where an OP-stack chain has WETH9; below the design token's address, as in its pool.
pub(super) const WETH: Address = address!("0x4200000000000000000000000000000000000006");

sol! {
    function positionManager() external view returns (address);
    function mint(address to, uint256 value) external;
    function approve(address spender, uint256 amount) external returns (bool);
    function transfer(address to, uint256 amount) external returns (bool);
    function deposit() external payable;

    interface V2 {
        function createPair(address a, address b) external returns (address pair);
        function getPair(address a, address b) external view returns (address pair);
        function mint(address to) external returns (uint256 liquidity);
    }

    interface V3 {
        struct MintParams {
            address token0; address token1; uint24 fee; int24 tickLower; int24 tickUpper;
            uint256 amount0Desired; uint256 amount1Desired; uint256 amount0Min; uint256 amount1Min;
            address recipient; uint256 deadline;
        }
        function initialize(uint160 sqrtPriceX96) external;
        function createAndInitializePoolIfNecessary(address token0, address token1, uint24 fee, uint160 sqrtPriceX96)
            external payable returns (address pool);
        function mint(MintParams params) external payable
            returns (uint256 tokenId, uint128 liquidity, uint256 amount0, uint256 amount1);
        function getPool(address a, address b, uint24 fee) external view returns (address pool);
        function increaseObservationCardinalityNext(uint16 next) external;
        function enableFeeAmount(uint24 fee, int24 tickSpacing) external;
    }

    interface V4 {
        struct Key { address currency0; address currency1; uint24 fee; int24 tickSpacing; address hooks; }
        struct Range { int24 tickLower; int24 tickUpper; int256 liquidityDelta; bytes32 salt; }
        function initialize(Key key, uint160 sqrtPriceX96) external returns (int24 tick);
        function modifyLiquidity(Key key, Range params, bytes hookData) external payable returns (int256 delta);
    }
}

/// The highest tick of V3 and V4.
const TICK_MAX: i32 = 887_272;

/// An amount of a token.
#[derive(Clone, Copy)]
pub(super) struct Stake {
    pub(super) token: Address,
    pub(super) amount: U256,
}

impl Stake {
    pub(super) fn new(token: Address, whole: u64, decimals: u8) -> Self {
        Self {
            token,
            amount: U256::from(whole) * U256::from(10).pow(U256::from(decimals)),
        }
    }
}

/// Sorted as pools sort them.
pub(super) fn ordered(a: Stake, b: Stake) -> (Stake, Stake) {
    if a.token < b.token { (a, b) } else { (b, a) }
}

/// `sqrt(amount1 / amount0) * 2^96`, rounded down.
pub(super) fn sqrt_price(amount0: U256, amount1: U256) -> U160 {
    let ratio: U256 = (amount1 << 128) / amount0;
    U160::saturating_from(ratio.root(2) << 32)
}

pub(super) fn full_range(spacing: i32) -> (I24, I24) {
    let widest = TICK_MAX / spacing * spacing;
    let tick = |tick| I24::try_from(tick).unwrap_or_default();
    (tick(-widest), tick(widest))
}

pub(super) async fn do_call(node: &Node, to: Address, call: impl SolCall) -> Result<(), DevnetError> {
    let data: Bytes = call.abi_encode().into();
    node.send(DEPLOYER, Some(to), &data, U256::ZERO).await.map(|_| ())
}

pub(super) async fn approve_all(
    node: &Node,
    token: Address,
    spenders: &[Address],
) -> Result<(), DevnetError> {
    for spender in spenders {
        let call = approveCall {
            spender: *spender,
            amount: U256::MAX,
        };
        do_call(node, token, call).await?;
    }
    Ok(())
}

pub(super) async fn v2_pair(node: &Node, factory: Address, a: Stake, b: Stake) -> Result<(), DevnetError> {
    let (a_token, b_token) = (a.token, b.token);
    do_call(
        node,
        factory,
        V2::createPairCall {
            a: a_token,
            b: b_token,
        },
    )
    .await?;
    let asked: Bytes = V2::getPairCall {
        a: a_token,
        b: b_token,
    }
    .abi_encode()
    .into();
    let pair = address_in(&node.call(factory, &asked).await?);
    for stake in [a, b] {
        let call = transferCall {
            to: pair,
            amount: stake.amount,
        };
        do_call(node, stake.token, call).await?;
    }
    do_call(node, pair, V2::mintCall { to: DEPLOYER }).await
}

/// The same with these stakes.
pub(super) async fn v2_of(
    node: &Node,
    factory: Address,
    stakes: [(Address, U256); 2],
) -> Result<(), DevnetError> {
    let [a, b] = stakes.map(|(token, amount)| Stake { token, amount });
    v2_pair(node, factory, a, b).await
}

/// Creates a pool with full-range liquidity; returns its address.
pub(super) async fn v3_pool(
    node: &Node,
    (factory, manager): (Address, Address),
    a: Stake,
    b: Stake,
    (fee, spacing): (u32, i32),
) -> Result<Address, DevnetError> {
    let (low, high) = ordered(a, b);
    let fee = U24::saturating_from(fee);
    let create = V3::createAndInitializePoolIfNecessaryCall {
        token0: low.token,
        token1: high.token,
        fee,
        sqrtPriceX96: sqrt_price(low.amount, high.amount),
    };
    do_call(node, manager, create).await?;
    v3_mint(node, manager, (low, high), (fee, spacing)).await?;
    pool_of(node, factory, (low, high), fee).await
}

/// Sets the price of a pool that was just made, and fills it over the whole range.
pub(super) async fn v3_fill(
    node: &Node,
    (factory, manager): (Address, Address),
    (a, b): (Stake, Stake),
    (fee, spacing): (u32, i32),
) -> Result<(), DevnetError> {
    let (low, high) = ordered(a, b);
    let fee = U24::saturating_from(fee);
    let pool = pool_of(node, factory, (low, high), fee).await?;
    let price = V3::initializeCall {
        sqrtPriceX96: sqrt_price(low.amount, high.amount),
    };
    do_call(node, pool, price).await?;
    v3_mint(node, manager, (low, high), (fee, spacing)).await
}

async fn v3_mint(
    node: &Node,
    manager: Address,
    (low, high): (Stake, Stake),
    (fee, spacing): (U24, i32),
) -> Result<(), DevnetError> {
    let (tick_lower, tick_upper) = full_range(spacing);
    let params = V3::MintParams {
        token0: low.token,
        token1: high.token,
        fee,
        tickLower: tick_lower,
        tickUpper: tick_upper,
        amount0Desired: low.amount,
        amount1Desired: high.amount,
        amount0Min: U256::ZERO,
        amount1Min: U256::ZERO,
        recipient: DEPLOYER,
        deadline: U256::from(u64::MAX),
    };
    do_call(node, manager, V3::mintCall { params }).await
}

async fn pool_of(
    node: &Node,
    factory: Address,
    (low, high): (Stake, Stake),
    fee: U24,
) -> Result<Address, DevnetError> {
    let asked: Bytes = V3::getPoolCall {
        a: low.token,
        b: high.token,
        fee,
    }
    .abi_encode()
    .into();
    Ok(address_in(&node.call(factory, &asked).await?))
}

/// Grows the observation history, so that a time-weighted mean can be read.
pub(super) async fn grow_history(node: &Node, pool: Address) -> Result<(), DevnetError> {
    do_call(
        node,
        pool,
        V3::increaseObservationCardinalityNextCall { next: 200 },
    )
    .await
}

/// Creates a pool with full-range liquidity. The native coin is sent as value.
pub(super) async fn v4_pool(
    node: &Node,
    (manager, provider): (Address, Address),
    key: &PoolKey,
    a: Stake,
    b: Stake,
) -> Result<(), DevnetError> {
    let (low, high) = ordered(a, b);
    let key = V4::Key {
        currency0: key.currency0,
        currency1: key.currency1,
        fee: U24::saturating_from(key.fee),
        tickSpacing: I24::try_from(key.tick_spacing).unwrap_or_default(),
        hooks: key.hooks,
    };
    let initialize = V4::initializeCall {
        key: key.clone(),
        sqrtPriceX96: sqrt_price(low.amount, high.amount),
    };
    do_call(node, manager, initialize).await?;
    let (tick_lower, tick_upper) = full_range(i32::try_from(key.tickSpacing).unwrap_or(1));
    // Over the whole range, liquidity is the geometric mean; a hair less, so that rounding never asks for more.
    let liquidity = (low.amount.root(2) * high.amount.root(2)) * uint!(999_U256) / uint!(1_000_U256);
    let add = V4::modifyLiquidityCall {
        key,
        params: V4::Range {
            tickLower: tick_lower,
            tickUpper: tick_upper,
            liquidityDelta: I256::from_raw(liquidity),
            salt: B256::ZERO,
        },
        hookData: Bytes::new(),
    };
    let value = if low.token.is_zero() {
        low.amount
    } else {
        U256::ZERO
    };
    let data: Bytes = add.abi_encode().into();
    node.send(DEPLOYER, Some(provider), &data, value)
        .await
        .map(|_| ())
}

pub(super) fn address_in(word: &[u8]) -> Address {
    word.get(12..32).map_or(Address::ZERO, Address::from_slice)
}

/// A pool of `stake` base units of a token and `coins` wei of the wrapped coin.
pub(super) async fn add_pool(
    node: &Node,
    contracts: &BTreeMap<String, Address>,
    (token, stake): (Address, U256),
    coins: U256,
    pool: Pool,
) -> Result<(), DevnetError> {
    let of = |name: &str| contracts.get(name).copied().unwrap_or_default();
    let stake = Stake { token, amount: stake };
    let coins = Stake {
        token: WETH,
        amount: coins,
    };
    let fee = match pool {
        Pool::V3(fee) => fee,
        _ => return v2_pair(node, of("v2_factory"), stake, coins).await,
    };
    let asked: Bytes = positionManagerCall {}.abi_encode().into();
    let manager = address_in(&node.call(of("swap_router"), &asked).await?);
    approve_all(node, token, &[manager]).await?;
    let spacing = i32::try_from(fee / 50).unwrap_or(1);
    v3_pool(node, (of("v3_factory"), manager), stake, coins, (fee, spacing)).await?;
    Ok(())
}

/// A V3 pool of any two tokens.
pub(super) async fn add_v3_pool(
    node: &Node,
    contracts: &BTreeMap<String, Address>,
    stakes: [(Address, U256); 2],
    fee: u32,
) -> Result<(), DevnetError> {
    let of = |name: &str| contracts.get(name).copied().unwrap_or_default();
    let asked: Bytes = positionManagerCall {}.abi_encode().into();
    let manager = address_in(&node.call(of("swap_router"), &asked).await?);
    for (token, _) in stakes {
        approve_all(node, token, &[manager]).await?;
    }
    let [one, other] = stakes.map(|(token, amount)| Stake { token, amount });
    let spacing = i32::try_from(fee / 50).unwrap_or(1);
    v3_pool(node, (of("v3_factory"), manager), one, other, (fee, spacing)).await?;
    Ok(())
}

/// A V4 pool of `stakes` base units of its two currencies.
pub(super) async fn add_v4_pool(
    node: &Node,
    (manager, provider): (Address, Address),
    key: &PoolKey,
    stakes: [U256; 2],
) -> Result<(), DevnetError> {
    let [low, high] = stakes;
    for token in [key.currency0, key.currency1] {
        if !token.is_zero() {
            approve_all(node, token, &[provider]).await?;
        }
    }
    let low = Stake {
        token: key.currency0,
        amount: low,
    };
    let high = Stake {
        token: key.currency1,
        amount: high,
    };
    v4_pool(node, (manager, provider), key, low, high).await
}

/// Lets the V3 factory make pools of one more fee.
pub(super) async fn enable_fee(
    node: &Node,
    factory: Address,
    (fee, spacing): (u32, i32),
) -> Result<(), DevnetError> {
    let call = V3::enableFeeAmountCall {
        fee: U24::saturating_from(fee),
        tickSpacing: I24::try_from(spacing).unwrap_or_default(),
    };
    do_call(node, factory, call).await
}
