//! Pool states as prices, exact to as many digits as a decimal holds; the rest is cut off.

use alloy_primitives::{U256, U512};
use rust_decimal::Decimal;

/// Most digits after the point.
const DIGITS_MAX: u32 = 28;
/// Highest and lowest tick of a V3 or V4 pool.
const TICK_MAX: u32 = 887_272;

/// How much of one token a base unit of another is worth: base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    pub(super) numerator: U512,
    pub(super) denominator: U512,
}

impl Ratio {
    /// Of a pool's square-root price (currency one for currency zero, times 2^96): the worth of the token, in the other
    /// currency. `None` for a pool that was never opened.
    pub(super) fn of_sqrt_price(sqrt_price_x96: U256, token_is_zero: bool) -> Option<Self> {
        if sqrt_price_x96.is_zero() {
            return None;
        }
        let root = U512::from(sqrt_price_x96);
        let square = root.checked_mul(root)?;
        let one = U512::from(1).checked_shl(192)?;
        Some(if token_is_zero {
            Self {
                numerator: square,
                denominator: one,
            }
        } else {
            Self {
                numerator: one,
                denominator: square,
            }
        })
    }

    /// USD for one whole token, where one whole of the other currency is worth `quote_usd`. `None` out of range.
    pub(super) fn usd(self, token_decimals: u8, quote_decimals: u8, quote_usd: Decimal) -> Option<Decimal> {
        let mantissa = u128::try_from(quote_usd.mantissa()).ok()?;
        let numerator = self
            .numerator
            .checked_mul(pow10(u32::from(token_decimals))?)?
            .checked_mul(U512::from(mantissa))?;
        let denominator = self
            .denominator
            .checked_mul(pow10(u32::from(quote_decimals))?)?
            .checked_mul(pow10(quote_usd.scale())?)?;
        quotient(numerator, denominator)
    }
}

fn pow10(exponent: u32) -> Option<U512> {
    U512::from(10).checked_pow(U512::from(exponent))
}

/// Long division, digit by digit, until a decimal is full.
fn quotient(numerator: U512, denominator: U512) -> Option<Decimal> {
    if denominator.is_zero() {
        return None;
    }
    let (whole, mut rest) = numerator.div_rem(denominator);
    let mut mantissa = i128::try_from(whole).ok()?;
    let mut value = Decimal::try_from_i128_with_scale(mantissa, 0).ok()?;
    for scale in 1..=DIGITS_MAX {
        let (digit, left) = rest.checked_mul(U512::from(10))?.div_rem(denominator);
        mantissa = mantissa
            .checked_mul(10)?
            .checked_add(i128::try_from(digit).ok()?)?;
        match Decimal::try_from_i128_with_scale(mantissa, scale) {
            Ok(longer) => value = longer,
            Err(_) => break,
        }
        rest = left;
    }
    Some(value.normalize())
}

/// A pool's square-root price at `tick`, as the contracts compute it. `None` beyond the last tick.
pub(super) fn sqrt_price_at(tick: i32) -> Option<U256> {
    const FACTORS: [u128; 20] = [
        0xfffc_b933_bd6f_ad37_aa2d_162d_1a59_4001,
        0xfff9_7272_373d_4132_59a4_6990_580e_213a,
        0xfff2_e50f_5f65_6932_ef12_357c_f3c7_fdcc,
        0xffe5_caca_7e10_e4e6_1c36_24ea_a094_1cd0,
        0xffcb_9843_d60f_6159_c9db_5883_5c92_6644,
        0xff97_3b41_fa98_c081_472e_6896_dfb2_54c0,
        0xff2e_a164_66c9_6a38_43ec_78b3_26b5_2861,
        0xfe5d_ee04_6a99_a2a8_11c4_61f1_969c_3053,
        0xfcbe_86c7_900a_88ae_dcff_c83b_479a_a3a4,
        0xf987_a725_3ac4_1317_6f2b_074c_f781_5e54,
        0xf339_2b08_22b7_0005_940c_7a39_8e4b_70f3,
        0xe715_9475_a2c2_9b74_43b2_9c7f_a6e8_89d9,
        0xd097_f3bd_fd20_22b8_845a_d8f7_92aa_5825,
        0xa9f7_4646_2d87_0fdf_8a65_dc1f_90e0_61e5,
        0x70d8_69a1_56d2_a1b8_90bb_3df6_2baf_32f7,
        0x31be_135f_97d0_8fd9_8123_1505_542f_cfa6,
        0x09aa_508b_5b7a_84e1_c677_de54_f3e9_9bc9,
        0x005d_6af8_dedb_8119_6699_c329_225e_e604,
        0x0000_2216_e584_f5fa_1ea9_2604_1bed_fe98,
        0x0000_0000_048a_1703_91f7_dc42_444e_8fa2,
    ];
    let distance = tick.unsigned_abs();
    if distance > TICK_MAX {
        return None;
    }
    let mut ratio = U256::from(1).checked_shl(128)?;
    for (bit, factor) in FACTORS.into_iter().enumerate() {
        if distance >> bit & 1 == 1 {
            ratio = ratio.checked_mul(U256::from(factor))? >> 128;
        }
    }
    if tick > 0 {
        ratio = U256::MAX / ratio;
    }
    Some(ratio.div_ceil(U256::from(1_u64 << 32)))
}

/// The tick that held on average, from two sums of it; rounded down.
pub(super) fn mean_tick(earlier: i64, later: i64, seconds: u32) -> Option<i32> {
    let moved = later.checked_sub(earlier)?;
    i32::try_from(moved.div_euclid(i64::from(seconds))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_the_prices_that_the_contracts_give_them() {
        for (tick, price) in [
            (-887_272, "4295128739"),
            (0, "79228162514264337593543950336"),
            (1, "79232123823359799118286999568"),
            (-1, "79224201403219477170569942574"),
            (887_272, "1461446703485210103287273052203988822378723970342"),
        ] {
            let expected: U256 = price.parse().expect("digits");
            assert_eq!(sqrt_price_at(tick), Some(expected), "{tick}");
        }
        assert_eq!(sqrt_price_at(887_273), None);
    }

    #[test]
    fn prices_are_exact_both_ways_round() {
        let even = U256::from(1).checked_shl(96).expect("fits");
        let double = even * U256::from(2);
        for (root, token_is_zero, decimals, quote_usd, price) in [
            (even, true, (18, 18), "3000", "3000"),
            (double, true, (18, 18), "3000", "12000"),
            (double, false, (18, 18), "3000", "750"),
            (double, false, (18, 6), "1", "250000000000"),
            (double, true, (6, 18), "3000.5", "0.000000012002"),
        ] {
            let ratio = Ratio::of_sqrt_price(root, token_is_zero).expect("open");
            let quote: Decimal = quote_usd.parse().expect("a decimal");
            let usd = ratio.usd(decimals.0, decimals.1, quote).expect("in range");
            assert_eq!(usd, price.parse().expect("a decimal"), "{root} {token_is_zero}");
        }
        assert_eq!(Ratio::of_sqrt_price(U256::ZERO, true), None);
    }

    #[test]
    fn a_mean_of_ticks_is_rounded_down() {
        assert_eq!(mean_tick(0, 600, 600), Some(1));
        assert_eq!(mean_tick(0, 599, 600), Some(0));
        assert_eq!(mean_tick(0, -1, 600), Some(-1));
        assert_eq!(mean_tick(-1_200, -1_800, 600), Some(-1));
    }
}
