//! The commands of Universal Router 2.0 that swaps are made of.

use alloy::sol_types::SolValue;
use alloy_primitives::{Address, Bytes, U256, address};

use crate::chain::contracts::{V4ExactInputSingle, V4PoolKey};

/// The wallet that sent the transaction, as a recipient.
const SENDER: Address = address!("0x0000000000000000000000000000000000000001");
/// The router itself, as a recipient.
const ROUTER: Address = address!("0x0000000000000000000000000000000000000002");
/// The router's whole balance, as an amount.
const ALL: U256 = U256::from_limbs([0, 0, 0, 1 << 63]);

/// Numbers of the Universal Router's commands.
mod code {
    pub(super) const V3_SWAP_EXACT_IN: u8 = 0x00;
    pub(super) const PERMIT2_TRANSFER_FROM: u8 = 0x02;
    pub(super) const SWEEP: u8 = 0x04;
    pub(super) const V2_SWAP_EXACT_IN: u8 = 0x08;
    pub(super) const WRAP_ETH: u8 = 0x0b;
    pub(super) const UNWRAP_WETH: u8 = 0x0c;
    pub(super) const BALANCE_CHECK_ERC20: u8 = 0x0e;
    pub(super) const V4_SWAP: u8 = 0x10;
}

/// Actions of a V4 swap.
mod action {
    pub(super) const SWAP_EXACT_IN_SINGLE: u8 = 0x06;
    pub(super) const SETTLE: u8 = 0x0b;
    pub(super) const TAKE: u8 = 0x0e;
}

/// One command with its input.
pub(crate) struct Step {
    pub(super) command: u8,
    pub(super) input: Vec<u8>,
}

/// One swap of a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// Base units that go in; `None`: all that the router holds.
    pub(super) amount: Option<U256>,
    /// Whether the wallet pays, through Permit2; if not, the router does.
    pub(super) by_wallet: bool,
    /// Minimum output, base units.
    pub(super) least: U256,
    /// Who receives the output.
    pub(super) to: To,
}

impl Step {
    /// Whether the router may keep some of what goes in: a V3 pool that runs out of what it gives takes no more.
    pub(super) const fn may_leave(&self) -> bool {
        self.command == code::V3_SWAP_EXACT_IN
    }
}

impl Stage {
    fn amount(&self) -> U256 {
        self.amount.unwrap_or(ALL)
    }
}

/// Who receives what a step gives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum To {
    Sender,
    Router,
}

impl To {
    pub(super) const fn address(self) -> Address {
        match self {
            Self::Sender => SENDER,
            Self::Router => ROUTER,
        }
    }
}

/// Wraps native coins that were sent along; the router keeps them.
pub(super) fn wrap(amount: U256) -> Step {
    Step {
        command: code::WRAP_ETH,
        input: (ROUTER, amount).abi_encode_params(),
    }
}

/// Wraps all native coins that the router holds.
pub(super) fn wrap_all(to: To) -> Step {
    Step {
        command: code::WRAP_ETH,
        input: (to.address(), ALL).abi_encode_params(),
    }
}

/// Unwraps all wrapped coins that the router holds, at least `least`.
pub(super) fn unwrap(to: To, least: U256) -> Step {
    Step {
        command: code::UNWRAP_WETH,
        input: (to.address(), least).abi_encode_params(),
    }
}

/// Takes a token out of the wallet, through Permit2, into the router.
pub(super) fn pull(token: Address, amount: U256) -> Step {
    Step {
        command: code::PERMIT2_TRANSFER_FROM,
        input: (token, ROUTER, amount).abi_encode_params(),
    }
}

/// Sends the wallet whatever the router holds of a token.
pub(super) fn sweep(token: Address) -> Step {
    Step {
        command: code::SWEEP,
        input: (token, SENDER, U256::ZERO).abi_encode_params(),
    }
}

/// Swaps along a V3 path.
pub(super) fn v3_swap(path: Bytes, stage: &Stage) -> Step {
    Step {
        command: code::V3_SWAP_EXACT_IN,
        input: (
            stage.to.address(),
            stage.amount(),
            stage.least,
            path,
            stage.by_wallet,
        )
            .abi_encode_params(),
    }
}

/// Swaps in V2 pairs along the tokens of `path`.
pub(super) fn v2_swap(path: Vec<Address>, stage: &Stage) -> Step {
    Step {
        command: code::V2_SWAP_EXACT_IN,
        input: (
            stage.to.address(),
            stage.amount(),
            stage.least,
            path,
            stage.by_wallet,
        )
            .abi_encode_params(),
    }
}

/// A V4 pool, and which way a swap goes through it.
pub(super) struct V4Swap {
    pub(super) key: V4PoolKey,
    pub(super) zero_for_one: bool,
    pub(super) pays: Address,
    pub(super) gives: Address,
}

/// Swaps in one V4 pool. All that the router holds is paid in first, so that the swap knows how much that is. `None`
/// for numbers that the contracts cannot take.
pub(super) fn v4_swap(swap: V4Swap, stage: &Stage) -> Option<Step> {
    // To the contracts an amount of zero is all that was paid in, or all that came out.
    let amount = stage.amount.unwrap_or(U256::ZERO);
    let exact = V4ExactInputSingle {
        poolKey: swap.key,
        zeroForOne: swap.zero_for_one,
        amountIn: u128::try_from(amount).ok()?,
        amountOutMinimum: u128::try_from(stage.least).ok()?,
        hookData: Bytes::new(),
    };
    let exact: Bytes = exact.abi_encode().into();
    let settle: Bytes = (swap.pays, stage.amount(), stage.by_wallet)
        .abi_encode_params()
        .into();
    let take = (swap.gives, stage.to.address(), U256::ZERO);
    let take: Bytes = take.abi_encode_params().into();
    let (actions, parameters) = match stage.amount {
        Some(_) => (
            [action::SWAP_EXACT_IN_SINGLE, action::SETTLE, action::TAKE],
            vec![exact, settle, take],
        ),
        None => (
            [action::SETTLE, action::SWAP_EXACT_IN_SINGLE, action::TAKE],
            vec![settle, exact, take],
        ),
    };
    Some(Step {
        command: code::V4_SWAP,
        input: (Bytes::copy_from_slice(&actions), parameters).abi_encode_params(),
    })
}

/// Reverts unless `wallet` has at least `least` base units of `token`.
pub(super) fn check_balance(wallet: Address, token: Address, least: U256) -> Step {
    Step {
        command: code::BALANCE_CHECK_ERC20,
        input: (wallet, token, least).abi_encode_params(),
    }
}
