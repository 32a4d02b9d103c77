//! ABI of the contracts that are called.
use alloy::sol;

pub(super) use pool_manager::V4PoolManager;

#[expect(
    clippy::too_many_arguments,
    reason = "the generated constructor of an event takes its fields"
)]
mod pool_manager {
    alloy::sol! {
        interface V4PoolManager {
            event Initialize(
                bytes32 indexed id, address indexed currency0, address indexed currency1, uint24 fee,
                int24 tickSpacing, address hooks, uint160 sqrtPriceX96, int24 tick
            );
            function extsload(bytes32 slot) view returns (bytes32 value);
        }
    }
}

sol! {
    interface Multicall3 {
        struct Call3 { address target; bool allowFailure; bytes callData; }
        struct Result { bool success; bytes returnData; }
        function aggregate3(Call3[] calls) payable returns (Result[] returnData);
        function getEthBalance(address account) view returns (uint256 balance);
        function getCurrentBlockTimestamp() view returns (uint256 timestamp);
    }

    interface Erc20 {
        function balanceOf(address account) view returns (uint256);
        function allowance(address owner, address spender) view returns (uint256);
        function approve(address spender, uint256 amount) returns (bool);
        function decimals() view returns (uint8);
        function transfer(address to, uint256 amount) returns (bool);
        event Transfer(address indexed from, address indexed to, uint256 amount);
    }

    interface Weth9 {
        event Withdrawal(address indexed src, uint256 wad);
    }

    interface Permit2 {
        function approve(address token, address spender, uint160 amount, uint48 expiration);
        function allowance(address owner, address token, address spender)
            view returns (uint160 amount, uint48 expiration, uint48 nonce);
    }

    interface UniversalRouter {
        function execute(bytes commands, bytes[] inputs, uint256 deadline) payable;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct V4PoolKey { address currency0; address currency1; uint24 fee; int24 tickSpacing; address hooks; }

    /// As in Universal Router 2.0.0; 2.1 has one more field.
    struct V4ExactInputSingle {
        V4PoolKey poolKey;
        bool zeroForOne;
        uint128 amountIn;
        uint128 amountOutMinimum;
        bytes hookData;
    }

    interface V4Quoter {
        struct QuoteExactSingleParams { V4PoolKey poolKey; bool zeroForOne; uint128 exactAmount; bytes hookData; }
        function quoteExactInputSingle(QuoteExactSingleParams params)
            returns (uint256 amountOut, uint256 gasEstimate);
    }

    interface V4StateView {
        function getSlot0(bytes32 poolId)
            view returns (uint160 sqrtPriceX96, int24 tick, uint24 protocolFee, uint24 lpFee);
    }

    interface V4PositionManager {
        function poolKeys(bytes25 poolId) view returns (V4PoolKey key);
    }

    interface Clanker {
        struct DeploymentInfo { address token; address hook; address locker; address[] extensions; }
        function tokenDeploymentInfo(address token) view returns (DeploymentInfo info);
    }

    interface Doppler {
        function getState(address asset) view returns (
            address numeraire, uint256 onBondingCurve, address dopplerHook, bytes migration, uint8 status,
            V4PoolKey poolKey, int24 farTick
        );
    }

    /// A Zora coin names its own pool.
    interface ZoraCoin {
        function getPoolKey() view returns (V4PoolKey key);
    }

    interface V3Factory {
        event FeeAmountEnabled(uint24 indexed fee, int24 indexed tickSpacing);
        event PoolCreated(
            address indexed token0, address indexed token1, uint24 indexed fee, int24 tickSpacing, address pool
        );
        function feeAmountTickSpacing(uint24 fee) view returns (int24);
    }

    interface V3Quoter {
        struct QuoteExactInputSingleParams {
            address tokenIn; address tokenOut; uint256 amountIn; uint24 fee; uint160 sqrtPriceLimitX96;
        }
        function quoteExactInputSingle(QuoteExactInputSingleParams params)
            returns (uint256 amountOut, uint160 sqrtPriceX96After, uint32 ticksCrossed, uint256 gasEstimate);
        function quoteExactInput(bytes path, uint256 amountIn)
            returns (uint256 amountOut, uint160[] prices, uint32[] ticks, uint256 gasEstimate);
    }

    interface V3Pool {
        /// What follows differs from fork to fork, and is not read.
        function slot0() view returns (uint160 sqrtPriceX96, int24 tick);
        function observe(uint32[] secondsAgos)
            view returns (int56[] tickCumulatives, uint160[] secondsPerLiquidity);
        function fee() view returns (uint24);
        function liquidity() view returns (uint128);
    }

    interface SwapRouter {
        struct ExactInputSingleParams {
            address tokenIn; address tokenOut; uint24 fee; address recipient;
            uint256 amountIn; uint256 amountOutMinimum; uint160 sqrtPriceLimitX96;
        }
        struct ExactInputParams { bytes path; address recipient; uint256 amountIn; uint256 amountOutMinimum; }
        function exactInputSingle(ExactInputSingleParams params) payable returns (uint256 amountOut);
        function exactInput(ExactInputParams params) payable returns (uint256 amountOut);
        function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to)
            payable returns (uint256 amountOut);
        function unwrapWETH9(uint256 amountMinimum, address recipient) payable;
        function multicall(uint256 deadline, bytes[] data) payable returns (bytes[] results);
        function factoryV2() view returns (address);
    }

    /// The router of V3's periphery, as forks kept it.
    interface Periphery {
        struct ExactInputParams {
            bytes path; address recipient; uint256 deadline; uint256 amountIn; uint256 amountOutMinimum;
        }
        function exactInput(ExactInputParams params) payable returns (uint256 amountOut);
        function unwrapWETH9(uint256 amountMinimum, address recipient) payable;
        function multicall(bytes[] data) payable returns (bytes[] results);
        function deployer() view returns (address);
        function factory() view returns (address);
    }

    interface Aerodrome {
        struct Route { address from; address to; bool stable; address factory; }
        function getAmountsOut(uint256 amountIn, Route[] routes) view returns (uint256[] amounts);
        function swapExactTokensForTokensSupportingFeeOnTransferTokens(
            uint256 amountIn, uint256 amountOutMin, Route[] routes, address to, uint256 deadline
        );
        function swapExactETHForTokensSupportingFeeOnTransferTokens(
            uint256 amountOutMin, Route[] routes, address to, uint256 deadline
        ) payable;
        function swapExactTokensForETHSupportingFeeOnTransferTokens(
            uint256 amountIn, uint256 amountOutMin, Route[] routes, address to, uint256 deadline
        );
        function defaultFactory() view returns (address);
    }

    interface SlipstreamFactory {
        event PoolCreated(
            address indexed token0, address indexed token1, int24 indexed tickSpacing, address pool
        );
    }

    interface AerodromeFactory {
        event PoolCreated(
            address indexed token0, address indexed token1, bool indexed stable, address pool, uint256 count
        );
        function getFee(address pool, bool stable) view returns (uint256 bps);
    }

    interface AerodromePool {
        /// One whole of each token in base units, reserves, whether its curve is the stable one, and the tokens.
        function metadata() view returns (
            uint256 dec0, uint256 dec1, uint256 r0, uint256 r1, bool st, address t0, address t1
        );
    }

    interface V2Router {
        function getAmountsOut(uint256 amountIn, address[] path) view returns (uint256[] amounts);
        function swapExactTokensForTokensSupportingFeeOnTransferTokens(
            uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline
        );
        function swapExactETHForTokensSupportingFeeOnTransferTokens(
            uint256 amountOutMin, address[] path, address to, uint256 deadline
        ) payable;
        function swapExactTokensForETHSupportingFeeOnTransferTokens(
            uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline
        );
        function factory() view returns (address);
    }

    interface V2Factory {
        event PairCreated(address indexed token0, address indexed token1, address pair, uint256 count);
        function getPair(address one, address other) view returns (address pair);
    }

    interface V2Pair {
        function getReserves() view returns (uint112 reserve0, uint112 reserve1, uint32 blockTimestampLast);
    }

    interface Feed {
        function latestRoundData() view returns (
            uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound
        );
        function decimals() view returns (uint8);
    }

    interface GasPriceOracle {
        function getL1Fee(bytes data) view returns (uint256);
    }

    /// Custom errors that are decoded by name.
    interface Reverts {
        error Error(string reason);
        error Panic(uint256 code);
        error V4TooLittleReceived(uint256 minAmountOutReceived, uint256 amountReceived);
        error TransactionDeadlinePassed();
        error InsufficientAllowance(uint256 amount);
        error AllowanceExpired(uint256 deadline);
        error ExecutionFailed(uint256 commandIndex, bytes message);
        error InsufficientETH();
        error InsufficientToken();
        error BalanceTooLow();
        error V3TooLittleReceived();
        error V2TooLittleReceived();
        error V2InvalidPath();
        error PoolNotInitialized();
        error CurrencyNotSettled();
        error NotEnoughLiquidity(bytes32 poolId);
        error WrappedError(address target, bytes4 selector, bytes reason, bytes details);
        error UnexpectedRevertBytes(bytes revertData);
        error InsufficientOutputAmount();
        error InsufficientLiquidity();
        error IsPaused();
        error Expired();
        error PoolFactoryDoesNotExist();
        error ETHTransferFailed();
        error K();
    }
}
