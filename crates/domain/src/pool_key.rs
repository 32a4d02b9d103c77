//! Uniswap V4's names of pools.

use std::{fmt, str::FromStr};

use alloy_primitives::Address;

/// The native coin where an address is asked for: currency zero, as Uniswap V4 writes it.
pub const NATIVE: Address = Address::ZERO;

/// The fee that says a V4 hook sets the fee.
pub const DYNAMIC_FEE: u32 = 0x80_0000;

/// Fees are hundredths of a basis point, and stay below one whole.
const FEE_MAX: u32 = 1_000_000;

/// What names a Uniswap V4 pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// The lower of the two currencies; [`NATIVE`] for the coin itself.
    pub currency0: Address,
    /// The higher.
    pub currency1: Address,
    /// Hundredths of a basis point, below 1,000,000, or [`DYNAMIC_FEE`].
    pub fee: u32,
    /// Distance of usable ticks, 1 to 32767.
    pub tick_spacing: i32,
    /// The hook contract; zero for none.
    pub hooks: Address,
}

/// The shape of Uniswap V4 pools with a hook, whatever their tokens are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookShape {
    /// The hook contract; zero for none.
    pub hook: Address,
    /// Hundredths of a basis point, or [`DYNAMIC_FEE`].
    pub fee: u32,
    /// Distance of usable ticks.
    pub tick_spacing: i32,
}

impl PoolKey {
    /// Whether the pool trades `token`, or the native coin, whose wrapped form `token` may be.
    #[must_use]
    pub(crate) fn may_trade(&self, token: Address) -> bool {
        [NATIVE, token].contains(&self.currency0) || self.currency1 == token
    }
}

impl fmt::Display for PoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:#x}/{:#x}/{}/{}/{:#x}",
            self.currency0, self.currency1, self.fee, self.tick_spacing, self.hooks
        )
    }
}

/// A text that is no key of a V4 pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidKey;

impl FromStr for PoolKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        key(text).ok_or(InvalidKey)
    }
}

/// A fee in hundredths of a basis point.
pub(crate) fn fee(text: &str) -> Option<u32> {
    text.parse().ok().filter(|fee| *fee < FEE_MAX)
}

fn key(text: &str) -> Option<PoolKey> {
    let [currency0, currency1, fee_text, tick_spacing, hooks] =
        <[&str; 5]>::try_from(text.split('/').collect::<Vec<_>>()).ok()?;
    let fee = match fee_text.parse().ok()? {
        DYNAMIC_FEE => DYNAMIC_FEE,
        _ => fee(fee_text)?,
    };
    let key = PoolKey {
        currency0: currency0.parse().ok()?,
        currency1: currency1.parse().ok()?,
        fee,
        tick_spacing: tick_spacing
            .parse()
            .ok()
            .filter(|spacing| (1..=32_767).contains(spacing))?,
        hooks: hooks.parse().ok()?,
    };
    (key.currency0 < key.currency1).then_some(key)
}
