//! Deploys all contracts, in the order of their dependencies.

use std::{collections::BTreeMap, path::Path};

use alloy::{
    sol,
    sol_types::{SolCall, SolValue},
};
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256, uint};

use super::{
    artifacts::Artifacts,
    code,
    deployment::Deployment,
    error::DevnetError,
    node::{DEPLOYER, Node},
    pools::{self, Stake, WETH, approve_all, grow_history, v2_pair, v3_pool, v4_pool},
};
use crate::domain::pool::{DYNAMIC_FEE, NATIVE, Pool, PoolKey};

sol! {
    struct RouterParameters {
        address permit2; address weth9; address v2Factory; address v3Factory; bytes32 pairInitCodeHash;
        bytes32 poolInitCodeHash; address v4PoolManager; address v3NFTPositionManager; address v4PositionManager;
        address spokePool;
    }
    function setManager(address manager) external;
    function setFee(uint24 fee) external;
}

const PERMIT2: Address = address!("0x000000000022D473030F116dDEE9F6B43aC78BA3");
const MULTICALL3: Address = address!("0xcA11bde05977b3631167028862bE2a173976CA11");
/// The token of the design.
const CLANKER: Address = address!("0xbbd9aDe16525acb4B336b6dAd3b9762901522B07");
/// A hook's permissions are bits of its address: afterInitialize (1 << 12) and beforeSwap (1 << 7).
const HOOK: Address = address!("0x00000000000000000000000000000000aAAa1080");
const NATIVE_FEED: Address = address!("0x00000000000000000000000000000000000feed1");
const SEQUENCER_FEED: Address = address!("0x00000000000000000000000000000000000Feed2");
const TRAP: Address = address!("0x7000000000000000000000000000000000000bad");

/// USD for one native coin, 8 digits.
const NATIVE_PRICE: U256 = uint!(3_000_00000000_U256);
/// Hundredths of a basis point that the hook takes: 1 %.
const HOOK_FEE: u16 = 10_000;

const ERC20: &str = "@uniswap/v4-core/out/mocks/MockERC20.sol/MockERC20.json";
const V2_PAIR: &str = "@uniswap/v2-core/build/UniswapV2Pair.json";
const V3_POOL: &str = "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json";

struct Builder<'a> {
    node: &'a Node,
    artifacts: Artifacts,
}

/// Deploys all contracts and fills all pools.
pub(super) async fn deploy(node: &Node, contracts: &Path) -> Result<Deployment, DevnetError> {
    let builder = Builder {
        node,
        artifacts: Artifacts::new(contracts),
    };
    let coins = U256::from(10).pow(U256::from(27));
    node.set_balance(DEPLOYER, coins).await?;
    builder.weth().await?;
    builder.fixed_places().await?;
    let usdc = builder.erc20("USD Coin", "USDC", 6).await?;
    let token = builder.erc20("Test Token", "TT", 18).await?;
    builder.place_erc20(CLANKER, "CLAWDIA", "CLAWDIA").await?;
    builder.trap(token).await?;
    let taxed = builder
        .create(
            "@uniswap/v2-periphery/build/DeflatingERC20.json",
            Stake::new(token, 1_000_000, 18).amount.abi_encode(),
        )
        .await?;
    let contracts = builder.uniswap().await?;
    let deployment = builder.fill(contracts, usdc, token, taxed).await?;
    Ok(deployment)
}

/// One more token.
pub(super) async fn add_token(
    node: &Node,
    contracts: &Path,
    symbol: &str,
    decimals: u8,
) -> Result<Address, DevnetError> {
    let builder = Builder {
        node,
        artifacts: Artifacts::new(contracts),
    };
    builder.erc20(symbol, symbol, decimals).await
}

impl Builder<'_> {
    async fn create(&self, file: &str, arguments: Vec<u8>) -> Result<Address, DevnetError> {
        let code = self.artifacts.creation(file)?;
        let data: Bytes = [code.as_ref(), &arguments].concat().into();
        let created = self.node.send(DEPLOYER, None, &data, U256::ZERO).await?;
        created.ok_or(DevnetError::Rpc {
            method: "eth_sendTransaction",
            detail: format!("{file} has no address"),
        })
    }

    async fn weth(&self) -> Result<(), DevnetError> {
        let code = self
            .artifacts
            .runtime("canonical-weth/build/contracts/WETH9.json")?;
        self.node.set_code(WETH, &code).await?;
        self.named(WETH, "Wrapped Ether", "WETH").await?;
        self.node
            .set_storage(WETH, uint!(2_U256), B256::from(uint!(18_U256)))
            .await?;
        let deposit: Bytes = pools::depositCall {}.abi_encode().into();
        let wrapped = Stake::new(WETH, 1_000_000, 18).amount;
        self.node.send(DEPLOYER, Some(WETH), &deposit, wrapped).await?;
        Ok(())
    }

    async fn named(&self, token: Address, name: &str, symbol: &str) -> Result<(), DevnetError> {
        self.node
            .set_storage(token, U256::ZERO, code::short_text(name))
            .await?;
        self.node
            .set_storage(token, uint!(1_U256), code::short_text(symbol))
            .await
    }

    async fn fixed_places(&self) -> Result<(), DevnetError> {
        self.node.set_code(PERMIT2, &self.artifacts.permit2()?).await?;
        // The runtime is what creation returns.
        let multicall: Bytes = self
            .node
            .request(
                "eth_call",
                serde_json::json!([{ "data": self.artifacts.multicall3()? }, "latest"]),
            )
            .await?;
        self.node.set_code(MULTICALL3, &multicall).await?;
        let feed = code::feed();
        for address in [NATIVE_FEED, SEQUENCER_FEED] {
            self.node.set_code(address, &feed).await?;
        }
        self.node
            .set_storage(NATIVE_FEED, code::FEED_ANSWER, NATIVE_PRICE.into())
            .await?;
        // Zero: the sequencer is up, and has been for a long time.
        self.node
            .set_storage(SEQUENCER_FEED, code::FEED_UPDATED, uint!(1_U256).into())
            .await
    }

    async fn erc20(&self, name: &str, symbol: &str, decimals: u8) -> Result<Address, DevnetError> {
        let arguments = (name.to_owned(), symbol.to_owned(), U256::from(decimals)).abi_encode_params();
        let token = self.create(ERC20, arguments).await?;
        self.mint(token, 10_u64.pow(12), decimals).await?;
        Ok(token)
    }

    async fn mint(&self, token: Address, whole: u64, decimals: u8) -> Result<(), DevnetError> {
        let data: Bytes = pools::mintCall {
            to: DEPLOYER,
            value: Stake::new(token, whole, decimals).amount,
        }
        .abi_encode()
        .into();
        self.node.send(DEPLOYER, Some(token), &data, U256::ZERO).await?;
        Ok(())
    }

    /// A token at a chosen address: a copy of another token's code.
    async fn place_erc20(&self, place: Address, name: &str, symbol: &str) -> Result<(), DevnetError> {
        let arguments = (name.to_owned(), symbol.to_owned(), uint!(18_U256)).abi_encode_params();
        let model = self.create(ERC20, arguments).await?;
        let code: Bytes = self
            .node
            .request("eth_getCode", serde_json::json!([model, "latest"]))
            .await?;
        self.node.set_code(place, &code).await?;
        self.named(place, name, symbol).await?;
        self.mint(place, 10_u64.pow(12), 18).await
    }

    async fn trap(&self, model: Address) -> Result<(), DevnetError> {
        self.node.set_code(TRAP, &code::trap(model)).await?;
        self.named(TRAP, "Trap", "TRAP").await?;
        self.mint(TRAP, 10_u64.pow(12), 18).await
    }

    async fn uniswap(&self) -> Result<BTreeMap<String, Address>, DevnetError> {
        let v2_factory = self
            .create(
                "@uniswap/v2-core/build/UniswapV2Factory.json",
                DEPLOYER.abi_encode(),
            )
            .await?;
        let v3_factory = self
            .create(
                "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json",
                vec![],
            )
            .await?;
        let positions = self
            .create(
                "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
                // The descriptor only renders images.
                (v3_factory, WETH, Address::ZERO).abi_encode_params(),
            )
            .await?;
        let swap_router = self
            .create(
                "@uniswap/swap-router-contracts/artifacts/contracts/SwapRouter02.sol/SwapRouter02.json",
                (v2_factory, v3_factory, positions, WETH).abi_encode_params(),
            )
            .await?;
        let v3_quoter = self
            .create(
                "@uniswap/swap-router-contracts/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json",
                (v3_factory, WETH).abi_encode_params(),
            )
            .await?;
        let [manager, v4_quoter, state_view, liquidity] = self.uniswap_v4().await?;
        let universal = self
            .universal_router(v2_factory, v3_factory, manager, positions)
            .await?;
        let named = [
            ("multicall3", MULTICALL3),
            ("permit2", PERMIT2),
            ("universal_router", universal),
            ("v4_pool_manager", manager),
            ("v4_state_view", state_view),
            ("v4_quoter", v4_quoter),
            ("v3_factory", v3_factory),
            ("v3_quoter", v3_quoter),
            ("swap_router", swap_router),
            ("v2_factory", v2_factory),
            ("native_usd_feed", NATIVE_FEED),
            ("sequencer_feed", SEQUENCER_FEED),
            // Needed to fill pools; not one of the settings' names, and removed before it is returned.
            (POSITIONS, positions),
            (LIQUIDITY, liquidity),
        ];
        Ok(named.map(|(name, address)| (name.to_owned(), address)).into())
    }

    /// Pool manager, quoter, state view, and the contract that adds liquidity.
    async fn uniswap_v4(&self) -> Result<[Address; 4], DevnetError> {
        let manager = self
            .create(
                "@uniswap/v4-core/out/PoolManager.sol/PoolManager.json",
                DEPLOYER.abi_encode(),
            )
            .await?;
        let v4_quoter = self
            .create(
                "@uniswap/v4-periphery/foundry-out/V4Quoter.sol/V4Quoter.json",
                manager.abi_encode(),
            )
            .await?;
        let state_view = self
            .create(
                "@uniswap/v4-periphery/foundry-out/StateView.sol/StateView.json",
                manager.abi_encode(),
            )
            .await?;
        let liquidity = self
            .create(
                "@uniswap/v4-core/out/PoolModifyLiquidityTest.sol/PoolModifyLiquidityTest.json",
                manager.abi_encode(),
            )
            .await?;
        Ok([manager, v4_quoter, state_view, liquidity])
    }

    async fn universal_router(
        &self,
        v2_factory: Address,
        v3_factory: Address,
        manager: Address,
        positions: Address,
    ) -> Result<Address, DevnetError> {
        let router = RouterParameters {
            permit2: PERMIT2,
            weth9: WETH,
            v2Factory: v2_factory,
            v3Factory: v3_factory,
            pairInitCodeHash: keccak256(self.artifacts.creation(V2_PAIR)?),
            poolInitCodeHash: keccak256(self.artifacts.creation(V3_POOL)?),
            v4PoolManager: manager,
            v3NFTPositionManager: positions,
            // Swaps never call it.
            v4PositionManager: DEPLOYER,
            spokePool: Address::ZERO,
        };
        self.create(
            "@uniswap/universal-router/artifacts/contracts/UniversalRouter.sol/UniversalRouter.json",
            router.abi_encode(),
        )
        .await
    }

    async fn fill(
        &self,
        mut contracts: BTreeMap<String, Address>,
        usdc: Address,
        token: Address,
        taxed: Address,
    ) -> Result<Deployment, DevnetError> {
        let mut take = |name: &str| contracts.remove(name).unwrap_or_default();
        let (positions, liquidity) = (take(POSITIONS), take(LIQUIDITY));
        let of = |name: &str| contracts.get(name).copied().unwrap_or_default();
        let (v3, v4) = ((of("v3_factory"), positions), (of("v4_pool_manager"), liquidity));
        for owned in [WETH, usdc, token, CLANKER, taxed, TRAP] {
            approve_all(self.node, owned, &[positions, liquidity]).await?;
        }
        let weth = |whole| Stake::new(WETH, whole, 18);
        let some = |address| Stake::new(address, 1_000_000_000, 18);
        let weth_usdc = v3_pool(
            self.node,
            v3,
            weth(10_000),
            Stake::new(usdc, 30_000_000, 6),
            (500, 10),
        )
        .await?;
        grow_history(self.node, weth_usdc).await?;
        v3_pool(self.node, v3, some(token), weth(100), (10_000, 200)).await?;
        v3_pool(self.node, v3, some(TRAP), weth(100), (10_000, 200)).await?;
        v2_pair(self.node, of("v2_factory"), some(token), weth(100)).await?;
        v2_pair(
            self.node,
            of("v2_factory"),
            Stake::new(taxed, 100_000, 18),
            weth(100),
        )
        .await?;
        let native = PoolKey {
            currency0: NATIVE,
            currency1: token,
            fee: 3_000,
            tick_spacing: 60,
            hooks: Address::ZERO,
        };
        v4_pool(self.node, v4, &native, Stake::new(NATIVE, 100, 18), some(token)).await?;
        let clanker = self.hooked_pool(v4).await?;
        let practice = self.practice(v3, v4, of("v2_factory")).await?;
        Ok(Deployment {
            contracts,
            weth: WETH,
            usdc,
            token,
            clanker: CLANKER,
            clanker_pool: Pool::V4(clanker),
            hook: HOOK,
            liquidity,
            taxed,
            trap: TRAP,
            practice,
            weth_usdc,
        })
    }

    async fn practice(
        &self,
        v3: (Address, Address),
        v4: (Address, Address),
        v2_factory: Address,
    ) -> Result<BTreeMap<String, Address>, DevnetError> {
        let mut tokens = BTreeMap::new();
        for symbol in ["STEADY", "DIPPER", "SPREAD", "BALANCE"] {
            let token = self.erc20(symbol, symbol, 18).await?;
            approve_all(self.node, token, &[v3.1, v4.1]).await?;
            let (coins, stake) = (Stake::new(WETH, 100, 18), Stake::new(token, 150_000, 18));
            match symbol {
                "DIPPER" => {
                    v3_pool(self.node, v3, stake, coins, (3_000, 60)).await?;
                }
                "SPREAD" => v2_pair(self.node, v2_factory, stake, coins).await?,
                _ => {
                    let key = PoolKey {
                        currency0: NATIVE,
                        currency1: token,
                        fee: 3_000,
                        tick_spacing: 60,
                        hooks: Address::ZERO,
                    };
                    v4_pool(self.node, v4, &key, Stake::new(NATIVE, 100, 18), stake).await?;
                }
            }
            tokens.insert(symbol.to_owned(), token);
        }
        Ok(tokens)
    }

    async fn hooked_pool(&self, v4: (Address, Address)) -> Result<PoolKey, DevnetError> {
        let code = self
            .artifacts
            .runtime("@uniswap/v4-core/out/DynamicFeesTestHook.sol/DynamicFeesTestHook.json")?;
        self.node.set_code(HOOK, &code).await?;
        let calls: [Bytes; 2] = [
            setManagerCall { manager: v4.0 }.abi_encode().into(),
            setFeeCall {
                fee: alloy_primitives::aliases::U24::from(HOOK_FEE),
            }
            .abi_encode()
            .into(),
        ];
        for call in &calls {
            self.node.send(DEPLOYER, Some(HOOK), call, U256::ZERO).await?;
        }
        let key = PoolKey {
            currency0: WETH,
            currency1: CLANKER,
            fee: DYNAMIC_FEE,
            tick_spacing: 200,
            hooks: HOOK,
        };
        let clanker = Stake::new(CLANKER, 1_000_000_000, 18);
        v4_pool(self.node, v4, &key, Stake::new(WETH, 100, 18), clanker).await?;
        Ok(key)
    }
}

const POSITIONS: &str = "positions";
const LIQUIDITY: &str = "liquidity";
