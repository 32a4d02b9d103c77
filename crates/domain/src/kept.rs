//! What of a swap never reaches its owner, whatever the price does: what the pool, its hook and the token keep.
//!
//! These shares are known beforehand, from the pool's own state or from a trial, and count apart from slippage: they
//! are what a trade costs, not what other traders take from it. Each is rounded down, since it excuses that less
//! arrives than the price implies: nothing is excused that is not proven.

use std::fmt;

use alloy_primitives::{U256, U512};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::units::BPS;

/// One whole, in the parts that shares are counted in.
pub const MILLION: u32 = 1_000_000;

/// Millionths in a basis point.
const PER_BPS: u32 = 100;

/// Shares that are kept of one swap, in turn: the pool of what comes by, the hook of the rest, the token of the rest.
/// Millionths, 0 to 1000000, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kept {
    pool: u32,
    hook: u32,
    token: u32,
}

impl Kept {
    /// Nothing is kept, or nothing is proven to be.
    pub const NOTHING: Self = Self {
        pool: 0,
        hook: 0,
        token: 0,
    };

    /// What a pool keeps by its own fee, millionths; more than all counts as all.
    #[must_use]
    pub fn by_pool(millionths: u32) -> Self {
        Self {
            pool: millionths.min(MILLION),
            ..Self::NOTHING
        }
    }

    /// The same after one more pool on the way, which keeps `millionths` of the rest.
    #[must_use]
    pub fn and_by_pool(self, millionths: u32) -> Self {
        self.and(Self::by_pool(millionths))
    }

    /// What two swaps one after the other keep, each of what the one before lets pass.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        let both = |one: u32, other: u32| {
            let (rest, passes) = (MILLION.saturating_sub(one), MILLION.saturating_sub(other));
            MILLION.saturating_sub(part(rest, passes, MILLION))
        };
        Self {
            pool: both(self.pool, next.pool),
            hook: both(self.hook, next.hook),
            token: both(self.token, next.token),
        }
    }

    /// All that a pool with a hook was measured to keep, millionths, of which `stated` is the pool's own fee: the hook
    /// keeps the rest.
    #[must_use]
    pub fn measured(all: u32, stated: u32) -> Self {
        let all = all.min(MILLION);
        let pool = stated.min(all);
        let (left, passed) = (MILLION.saturating_sub(all), MILLION.saturating_sub(pool));
        Self {
            pool,
            hook: missing(U256::from(passed), U256::from(left)),
            token: 0,
        }
    }

    /// The same, with what a trial shows that the token or the hook keeps besides: `expected` base units leave the pool
    /// by its own numbers and `arrived` reach the wallet.
    #[must_use]
    pub fn with_arrival(self, expected: U256, arrived: U256) -> Self {
        Self {
            token: missing(expected, arrived),
            ..self
        }
    }

    /// The pool's own fee, millionths.
    #[must_use]
    pub const fn pool(self) -> u32 {
        self.pool
    }

    /// What the hook keeps besides, millionths of what the pool lets pass.
    #[must_use]
    pub const fn hook(self) -> u32 {
        self.hook
    }

    /// What the token keeps of what is left then, millionths.
    #[must_use]
    pub const fn token(self) -> u32 {
        self.token
    }

    /// What is left of a whole, millionths, rounded up.
    fn left(self) -> u32 {
        let kept = [self.pool, self.hook, self.token];
        kept.into_iter().fold(MILLION, |left, kept| {
            part(left, MILLION.saturating_sub(kept), MILLION)
        })
    }

    /// All of it together, basis points, rounded down: what it may excuse.
    #[must_use]
    pub fn excuses_bps(self) -> u32 {
        MILLION.saturating_sub(self.left()).div_euclid(PER_BPS)
    }

    /// All of it together, basis points, rounded up: what a limit is held to.
    #[must_use]
    pub fn bps(self) -> u32 {
        MILLION.saturating_sub(self.left()).div_ceil(PER_BPS)
    }

    /// The share of a fair value that must arrive if it may be `worse_bps` worse after what is kept: parts and whole,
    /// rounded up. `None` if `worse_bps` is more than all.
    #[must_use]
    pub fn least_share(self, worse_bps: u32) -> Option<(u32, u32)> {
        let may_stay = BPS.checked_sub(worse_bps)?;
        Some((part(self.left(), may_stay, BPS), MILLION))
    }
}

/// For people: `1.75 % (pool 0.3 %, token 1.455 %)`.
impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |millionths: u32| Decimal::new(i64::from(millionths), 4).normalize();
        write!(f, "{} %", percent(MILLION.saturating_sub(self.left())))?;
        let shares = [("pool", self.pool), ("hook", self.hook), ("token", self.token)];
        let named = shares.into_iter().filter(|(_, share)| *share > 0);
        let named: Vec<String> = named
            .map(|(who, share)| format!("{who} {} %", percent(share)))
            .collect();
        if named.len() > 1 || self.pool == 0 && !named.is_empty() {
            write!(f, " ({})", named.join(", "))?;
        }
        Ok(())
    }
}

/// The share of `expected` that is missing in `arrived`, millionths, rounded down.
fn missing(expected: U256, arrived: U256) -> u32 {
    let Some(lost) = expected.checked_sub(arrived).filter(|lost| !lost.is_zero()) else {
        return 0;
    };
    let share = U512::from(lost).saturating_mul(U512::from(MILLION));
    let share = share.checked_div(U512::from(expected)).unwrap_or_default();
    u32::try_from(share).unwrap_or(MILLION).min(MILLION)
}

/// `value * numerator / denominator`, rounded up; at most `value`.
fn part(value: u32, numerator: u32, denominator: u32) -> u32 {
    let part = u64::from(value)
        .saturating_mul(u64::from(numerator))
        .div_ceil(u64::from(denominator.max(1)));
    u32::try_from(part).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(pool: u32, hook: u32, token: u32) -> Kept {
        Kept { pool, hook, token }
    }

    #[test]
    fn shares_are_taken_in_turn_and_rounded_so_that_nothing_unproven_is_excused() {
        for (shares, excuses, limit, least) in [
            (kept(0, 0, 0), 0, 0, 990_000),
            (kept(3_000, 0, 0), 30, 30, 987_030),
            (kept(17_500, 0, 0), 175, 175, 972_675),
            (kept(10_000, 10_000, 0), 199, 199, 970_299),
            (kept(3_000, 0, 50_000), 528, 529, 937_679),
            (kept(100, 0, 1), 1, 1, 989_901),
            (kept(1_000_000, 0, 0), 10_000, 10_000, 0),
        ] {
            assert_eq!(
                (shares.excuses_bps(), shares.bps(), shares.least_share(100)),
                (excuses, limit, Some((least, MILLION))),
                "{shares:?}"
            );
        }
        assert_eq!(Kept::NOTHING.least_share(10_001), None);
        let twice = Kept::by_pool(10_000).and_by_pool(3_000);
        assert_eq!(twice, kept(12_970, 0, 0));
        assert_eq!(twice.and_by_pool(2_000_000), Kept::by_pool(MILLION));
    }

    #[test]
    fn what_is_measured_is_split_between_the_pools_own_fee_and_the_hook() {
        assert_eq!(Kept::measured(19_900, 10_000), kept(10_000, 10_000, 0));
        assert_eq!(
            Kept::measured(5_000, 10_000),
            kept(5_000, 0, 0),
            "never more than was measured"
        );
        assert_eq!(Kept::measured(2_000_000, 0), kept(0, MILLION, 0));
    }

    #[test]
    fn what_a_token_keeps_is_rounded_down_and_more_than_expected_keeps_nothing() {
        let units = |units: u64| U256::from(units);
        for (expected, arrived, share) in [
            (1_000_000, 950_000, 50_000),
            (3, 2, 333_333),
            (3, 3, 0),
            (3, 4, 0),
            (0, 0, 0),
            (7, 0, 1_000_000),
        ] {
            let kept = Kept::by_pool(3_000).with_arrival(units(expected), units(arrived));
            assert_eq!(kept.token(), share, "{expected} {arrived}");
        }
        let large = Kept::NOTHING.with_arrival(U256::MAX, U256::MAX >> 1_usize);
        assert_eq!(large.token(), 500_000);
    }

    #[test]
    fn people_read_per_cent_and_who_keeps_it() {
        assert_eq!(kept(3_000, 0, 0).to_string(), "0.3 %");
        assert_eq!(
            kept(3_000, 0, 50_000).to_string(),
            "5.285 % (pool 0.3 %, token 5 %)"
        );
        assert_eq!(kept(0, 10_000, 0).to_string(), "1 % (hook 1 %)");
        assert_eq!(Kept::NOTHING.to_string(), "0 %");
    }
}
