//! What a DEX must be able to do: name its candidate pools for a pair, ask each what a swap gives, read the answer,
//! make the swap's calldata, and read spot or average prices from its pools. All of it is pure: what must be read from
//! the chain is returned as [`Read`]s, so that all DEXes share one round trip.

use alloy_primitives::{Address, Bytes, U256};

use super::{
    assets::pair_of,
    command::{Stage, Step},
    math::Ratio,
    rate::Rate,
};
use crate::{
    chain::{
        multicall::{Read, Reading},
        settings::ChainSpec,
    },
    domain::{onchain::SwapRequest, pool::Pool},
};

/// A decentralised exchange.
pub(crate) trait Dex: Send + Sync {
    /// Its short name in messages, such as `V3`.
    fn name(&self) -> &'static str;

    /// Whether the pool is one of this DEX.
    fn has(&self, pool: &Pool) -> bool;

    /// The pools that might trade the pair, whether they exist or not; none where the chain lacks the contracts.
    fn candidates(&self, spec: &ChainSpec, token_in: Address, token_out: Address) -> Vec<Pool>;

    /// What the pool takes and gives in a swap of `token_in` for `token_out`: assets in the form that the pool holds
    /// them in. `None`: it does not trade the two.
    fn sides(&self, spec: &ChainSpec, pool: Pool, token_in: Address, token_out: Address) -> Option<Sides>;

    /// What must hold before its candidates are used, read once per process. `None`: nothing.
    fn precondition(&self, _spec: &ChainSpec) -> Option<Read> {
        None
    }

    /// Whether what [`Dex::precondition`] read is as it must be.
    fn holds(&self, _spec: &ChainSpec, _reading: Option<&Reading>) -> bool {
        true
    }

    /// The pool's fee in basis points, rounded up; `None`: only its state says.
    fn fee_bps(&self, spec: &ChainSpec, pool: &Pool) -> Option<u32>;

    /// The read that returns what `amount` base units would give; `None` if the contracts cannot take such a number.
    fn ask(&self, spec: &ChainSpec, route: &Route, amount: U256) -> Option<Read>;

    /// What the answer to [`Dex::ask`] says, base units; `None` if the pool does not exist or gives nothing.
    fn answer(&self, route: &Route, amount: U256, reading: Option<&Reading>) -> Option<U256>;

    /// Gas of the swap and its payments, units, from the answer to [`Dex::ask`]; a guess where that does not say.
    fn gas(&self, _reading: Option<&Reading>) -> u64 {
        GAS_SWAP
    }

    /// The most that the pool may have computed for a unit of `amount`, before it cut the answer to the whole units of
    /// `out`; `None`: any.
    fn most(&self, _route: &Route, amount: U256, out: U256, _reading: Option<&Reading>) -> Option<Rate> {
        Rate::before_rounding(amount, out)
    }

    /// The contract that the swap goes to, and how it takes its input.
    fn router(&self, spec: &ChainSpec, request: &SwapRequest, route: &Route) -> Router;

    /// The pools that a swap goes through one after the other, where each is asked what the one before gives; a single
    /// one is asked as a whole. Empty: the route does not trade.
    fn hops(&self, _spec: &ChainSpec, route: &Route) -> Vec<Route> {
        vec![*route]
    }

    /// The contracts of the pools that the route goes through, whether they exist or not; none where a pool has no
    /// contract of its own.
    fn addresses(&self, _spec: &ChainSpec, _route: &Route) -> Vec<Address> {
        vec![]
    }

    /// The command of the Universal Router for one swap among others; `None`: it has none for this DEX, or numbers that
    /// the contracts cannot take.
    fn step(&self, _spec: &ChainSpec, _route: &Route, _stage: &Stage) -> Option<Step> {
        None
    }

    /// The calldata of the swap for [`Dex::router`]; `None` for numbers that the contracts cannot take.
    fn swap(&self, spec: &ChainSpec, request: &SwapRequest, route: &Route, bounds: &Bounds) -> Option<Bytes>;

    /// Whether [`Bounds::amount_out_min`] is compared with what the receiver got; of several pools the last one counts.
    /// If not, it is compared with what left the pool, which is more where the token keeps a share of each transfer.
    fn measures_receiver(&self, _route: &Route) -> bool {
        false
    }

    /// Whether its pools keep a history, from which [`When::Mean`] can be read.
    fn has_history(&self) -> bool {
        false
    }

    /// How to read the price of the route's input in its output: one leg for each pool on the way.
    ///
    /// # Errors
    /// Why this DEX has no such price, in words for the owner.
    fn price(&self, spec: &ChainSpec, route: &Route, when: When) -> Result<Vec<Leg>, String>;

    /// How many of its pools were asked, for the message that none of them trades; empty: not worth a word.
    fn asked(&self, _spec: &ChainSpec, pools: &[Pool]) -> String {
        format!("{} of {}", pools.len(), self.name())
    }
}

/// Gas of a swap in one pool whose answer does not say, units: a pair of constant product takes about as much.
const GAS_SWAP: u64 = 100_000;

/// What a pool takes and what it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) pays: Address,
    pub(crate) gives: Address,
}

/// A pool, and the sides of it that a swap goes through.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) dex: &'static dyn Dex,
    pub(crate) pool: Pool,
    /// What the pool takes: the native coin or its wrapped form, whichever it holds, or a token.
    pub(crate) pays: Address,
    /// What it gives.
    pub(crate) gives: Address,
    /// For two hops: whether the swap goes from the quote to the token, against the order of the fees.
    pub(super) backwards: bool,
}

impl Route {
    /// `pool` of `dex` as a way from `token_in` to `token_out`; `None` if it does not trade them.
    pub(crate) fn through(
        dex: &'static dyn Dex,
        spec: &ChainSpec,
        pool: Pool,
        token_in: Address,
        token_out: Address,
    ) -> Option<Self> {
        let Sides { pays, gives } = dex.sides(spec, pool, token_in, token_out)?;
        (pays != gives).then_some(Self {
            dex,
            pool,
            pays,
            gives,
            backwards: pair_of(spec, token_in, token_out).token != token_in,
        })
    }

    /// Whether the swap goes from currency zero to currency one.
    pub(crate) fn zero_for_one(&self) -> bool {
        self.pays < self.gives
    }
}

/// The contract that a swap goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Router {
    pub(crate) address: Address,
    /// Whether it takes its input through Permit2. If not, it needs an allowance of its own.
    pub(crate) permit2: bool,
}

impl Router {
    /// Who needs the token's allowance.
    pub(crate) const fn spender(self, spec: &ChainSpec) -> Address {
        if self.permit2 {
            spec.contracts.permit2
        } else {
            self.address
        }
    }
}

/// The bounds of a swap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Minimum output that the router accepts, base units; see [`Dex::measures_receiver`].
    pub(crate) amount_out_min: U256,
    /// Minimum balance of the output token in the wallet after the swap, base units, including what was there before.
    /// Only for tokens that jobs do not pay with, and only where the router can compare it. `None`: not compared.
    pub(crate) wallet_min: Option<U256>,
    /// Unix seconds, block time.
    pub(crate) deadline: u64,
    /// Whether an old allowance is reset to zero before the new approval (USDT-style tokens).
    pub(crate) reset_allowance: bool,
}

/// Which price of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// The newest block's.
    Now,
    /// The time-weighted mean of the last [`MEAN_SECONDS`].
    Mean,
}

/// Length of a mean, seconds.
pub(super) const MEAN_SECONDS: u32 = 600;

/// The price of one pool on the way, as a read and how to understand it.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    pub(super) read: Read,
    /// Whether the side that is valued is currency zero.
    pub(super) token_is_zero: bool,
    /// The value of that side in the other one, from what was read.
    pub(super) ratio: fn(&Reading, bool) -> Result<Ratio, String>,
    pub(super) fee: Fee,
}

/// What a pool keeps of a swap's input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fee {
    /// Constant, in millionths.
    Fixed(u32),
    /// From the pool's state, in millionths; the flag is [`Leg::token_is_zero`].
    Stated(fn(&Reading, bool) -> Option<u32>),
    /// From the pool's state in the same way, and a hook may take more: only a swap tells.
    Hooked(fn(&Reading, bool) -> Option<u32>),
}

impl Fee {
    /// What the pool itself says that it keeps, millionths.
    pub(super) fn stated(self, reading: &Reading, token_is_zero: bool) -> Option<u32> {
        match self {
            Self::Fixed(millionths) => Some(millionths),
            Self::Stated(read) | Self::Hooked(read) => read(reading, token_is_zero),
        }
    }
}
