//! The price of a token from the states of the pools on its way to the quote.

use alloy_primitives::U256;
use rust_decimal::Decimal;

use super::{
    api::{Leg, Route, When},
    math::Ratio,
    reverts::reason,
};
use crate::chain::multicall::{Read, Reading};
use crate::chain::settings::ChainSpec;

/// 10^-23 USD: below that, a price of 28 digits is wrong by a tenth of a basis point and more, and soon zero.
const PRICE_MIN: Decimal = Decimal::from_parts(100_000, 0, 0, false, 28);

/// Digits of the three assets that a price depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digits {
    pub(crate) token: u8,
    /// Of the native coin, which routes of two pools go through.
    pub(crate) native: u8,
    pub(crate) quote: u8,
}

/// The pools that one price is read from: one, or two in a row.
#[derive(Debug)]
pub(crate) struct PoolPrice {
    legs: Vec<Leg>,
}

impl PoolPrice {
    /// The pools of `route`, from the token to its quote.
    ///
    /// # Errors
    /// Why there is no such price, in words for the owner.
    pub(crate) fn new(spec: &ChainSpec, route: &Route, when: When) -> Result<Self, String> {
        let legs = route.dex.price(spec, route, when)?;
        Ok(Self { legs })
    }

    /// What is to be read.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Read> + '_ {
        self.legs.iter().map(|leg| leg.read.clone())
    }

    /// USD for one whole token, from what was read.
    ///
    /// # Errors
    /// Why there is no such price, in words for the owner.
    pub(crate) fn usd(
        &self,
        readings: &[Reading],
        digits: Digits,
        quote_usd: Decimal,
    ) -> Result<Decimal, String> {
        let Digits { token, native, quote } = digits;
        // The digits of what is in between cancel out: any will do.
        let between = self.legs.len().saturating_sub(1);
        let nears = std::iter::once(token).chain(std::iter::repeat_n(native, between));
        let fars = std::iter::repeat_n(native, between).chain([quote]);
        let sides: Vec<_> = nears.zip(fars).collect();
        if readings.len() != self.legs.len() {
            return Err("the pool was not read".to_owned());
        }
        // From the quote back to the token: each pool's price is the next one's quote.
        let mut pools = self.legs.iter().zip(readings).zip(sides).rev();
        let usd = pools.try_fold(quote_usd, |usd, ((leg, reading), (near, far))| {
            let ratio = (leg.ratio)(reading, leg.token_is_zero)?;
            ratio
                .usd(near, far, usd)
                .ok_or_else(|| "the pool's price is out of range".to_owned())
        })?;
        if usd < PRICE_MIN {
            return Err(
                "the pool's price is below 10^-23 USD for a whole token: too few digits of it are left"
                    .to_owned(),
            );
        }
        Ok(usd)
    }
}

/// Why a reading holds no state of a pool.
pub(super) fn unanswered(reading: &Reading) -> String {
    match reading {
        Err(data) => format!("the pool does not answer: {}", reason(data)),
        Ok(_) => "there is no such pool".to_owned(),
    }
}

/// The ratio of a square-root price; zero means that the pool was never initialised.
pub(super) fn of_root(sqrt_price_x96: U256, token_is_zero: bool) -> Result<Ratio, String> {
    Ratio::of_sqrt_price(sqrt_price_x96, token_is_zero).ok_or_else(|| "the pool was never opened".to_owned())
}
