//! What a swap gives for each base unit that goes in, as an exact fraction.

use alloy_primitives::{U256, U512, Uint};

/// Wide enough for an amount times the prices of two pools in a row: each is a square of 160 bits.
type Wide = Uint<1024, 16>;

/// Base units out for base units in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    out: Wide,
    per: Wide,
}

fn wide(value: U512) -> Wide {
    Wide::from(value)
}

impl Rate {
    /// One for one.
    pub(super) const ONE: Self = Self {
        out: Wide::from_limbs([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        per: Wide::from_limbs([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    };

    /// `out` for `per`.
    pub(super) fn new(out: U512, per: U512) -> Self {
        Self {
            out: wide(out),
            per: wide(per),
        }
    }

    /// The most that a pool may have computed before it cut `out`: less than a unit more of it, for less than a unit
    /// less of `amount`. `None`: any.
    pub(super) fn before_rounding(amount: U256, out: U256) -> Option<Self> {
        let one = U512::from(1);
        let used = U512::from(amount).saturating_sub(one);
        (!used.is_zero()).then(|| Self::new(U512::from(out).saturating_add(one), used))
    }

    /// This rate through one more pool, which gives `numerator` for `denominator`. `None` out of range.
    pub(super) fn times(self, numerator: U512, denominator: U512) -> Option<Self> {
        Some(Self {
            out: self.out.checked_mul(wide(numerator))?,
            per: self.per.checked_mul(wide(denominator))?,
        })
    }

    /// What `amount` gives, rounded down. `None` out of range.
    pub(super) fn of(self, amount: U256) -> Option<U256> {
        let out = self.out.checked_mul(Wide::from(amount))?.checked_div(self.per)?;
        U256::checked_from_limbs_slice(out.as_limbs())
    }

    /// This rate in parts of `other`, of which it has `whole`; rounded down. `None` if `other` is nothing.
    pub(super) fn share_of(self, other: Self, whole: u32) -> Option<u32> {
        let numerator = self.out.checked_mul(other.per)?.checked_mul(Wide::from(whole))?;
        let share = numerator.checked_div(self.per.checked_mul(other.out)?)?;
        Some(u32::try_from(share).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_numbers_of_two_pools_fit() {
        let root = U512::from(1) << 160_usize;
        let square = root * root - U512::from(1);
        let one = U512::from(1) << 192_usize;
        let million = U512::from(1_000_000);
        let twice = Rate::ONE
            .times(square, one)
            .and_then(|rate| rate.times(square, one));
        let rate = twice.and_then(|rate| rate.times(million, million)).expect("fits");
        assert_eq!(rate.of(U256::from(1)), Some(U256::MAX), "just below 2^256 units");
        assert_eq!(rate.of(U256::from(2)), None, "more than 2^256 units");
        let small = Rate::new(U512::from(U256::MAX), U512::from(U256::MAX));
        assert_eq!(small.share_of(rate, 10_000), Some(0));
        let inverse = Rate {
            out: rate.per,
            per: rate.out,
        };
        assert_eq!(small.share_of(inverse, 10_000), Some(u32::MAX));
        assert_eq!(
            Rate::new(U512::ZERO, U512::from(1)).share_of(Rate::ONE, 10_000),
            Some(0)
        );
        assert_eq!(
            Rate::ONE.share_of(Rate::new(U512::ZERO, U512::from(1)), 10_000),
            None
        );
    }
}
