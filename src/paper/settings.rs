//! `[paper]` in `lgi-mm.toml`.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{
    chains::USDC_DECIMALS,
    config::{InvalidConfig, Validator},
    span::Span,
    trade::Patience,
    units::{Amount, BPS, NATIVE_DECIMALS, Price, exact_decimal},
};

/// Decimals of wei in a gwei.
const GWEI_DECIMALS: u8 = 9;
/// What any transaction costs at least, units of gas.
pub(super) const GAS_INTRINSIC: u64 = 21_000;
/// Gas of a whole block: no transaction may ask for more.
pub(super) const BLOCK_GAS_LIMIT: u64 = 30_000_000;
/// More coins than any token of value has.
const COINS_MAX: u64 = 1_000_000_000_000_000;
const GWEI_MAX: u64 = 1_000_000;

/// How the paper venue behaves and what a new paper wallet holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaperSettings {
    /// USDC that a new paper wallet gets, whole coins; 0 to 10^15, at most 6 digits after the point.
    #[serde(deserialize_with = "exact_decimal")]
    pub wallet_usd: Decimal,
    /// Native coins that a new paper wallet gets, for gas; 0 to 10^15, at most 18 digits after the point.
    #[serde(deserialize_with = "exact_decimal")]
    pub native: Decimal,
    /// USD for one native coin; above 0.
    pub native_price_usd: Price,
    /// What the pool keeps of each swap's output; 0 to 10000 bps.
    pub fee_bps: u32,
    /// What each swap loses to slippage, after the fee; 0 to 10000 bps.
    pub slippage_bps: u32,
    /// The price impact that quotes report (it takes nothing off the output); 0 to 10000 bps.
    pub impact_bps: u32,
    /// Gas of one swap; 21000 to 30000000 units.
    pub gas_units: u64,
    /// Base fee, gwei per unit of gas; 0 to 1000000, at most 9 digits after the point.
    #[serde(deserialize_with = "exact_decimal")]
    pub base_fee_gwei: Decimal,
    /// Priority fee, gwei per unit of gas; 0 to 1000000, at most 9 digits after the point.
    #[serde(deserialize_with = "exact_decimal")]
    pub tip_gwei: Decimal,
    /// Time from block to block; 1ms to 1h. A chain keeps the one it was first used with.
    pub block_time: Span,
    /// Least time a transaction waits in the pool; 0s to 1h. It is mined in the first block after that.
    pub mine_after: Span,
    /// Blocks, its own included, after which a receipt counts; 1 to 1000.
    pub required_depth: u64,
    /// Bytes are sent again after this long without an answer; 1ms to 1h.
    pub resend_after: Span,
    /// A pooled attempt is replaced with higher fees after this long; 1ms to 24h.
    pub replace_after: Span,
    /// Most attempts of one transaction; 1 to 100.
    pub attempts_max: usize,
}

impl Default for PaperSettings {
    fn default() -> Self {
        Self {
            wallet_usd: Decimal::from(10_000),
            native: Decimal::ONE,
            native_price_usd: Price::new(Decimal::from(3_000)).unwrap_or(Price::ONE),
            fee_bps: 30,
            slippage_bps: 10,
            impact_bps: 0,
            gas_units: 150_000,
            base_fee_gwei: Decimal::new(1, 2),
            tip_gwei: Decimal::new(1, 3),
            block_time: Span::from_secs(1),
            mine_after: Span::ZERO,
            required_depth: 1,
            resend_after: Span::from_secs(2),
            replace_after: Span::from_secs(5),
            attempts_max: 8,
        }
    }
}

impl PaperSettings {
    /// Checks every range.
    ///
    /// # Errors
    /// All that is wrong, not only the first.
    pub fn validate(&self) -> Result<(), Vec<InvalidConfig>> {
        let mut found = Validator::below("paper");
        let millis = |millis| Span::from_millis(millis);
        let (instant, hour, day) = (millis(1), Span::from_secs(3_600), Span::from_secs(86_400));
        decimal(
            &mut found,
            "wallet_usd",
            self.wallet_usd,
            COINS_MAX,
            USDC_DECIMALS,
        );
        decimal(&mut found, "native", self.native, COINS_MAX, NATIVE_DECIMALS);
        found.range("fee_bps", self.fee_bps, 0, BPS);
        found.range("slippage_bps", self.slippage_bps, 0, BPS);
        found.range("impact_bps", self.impact_bps, 0, BPS);
        found.range("gas_units", self.gas_units, GAS_INTRINSIC, BLOCK_GAS_LIMIT);
        decimal(
            &mut found,
            "base_fee_gwei",
            self.base_fee_gwei,
            GWEI_MAX,
            GWEI_DECIMALS,
        );
        decimal(&mut found, "tip_gwei", self.tip_gwei, GWEI_MAX, GWEI_DECIMALS);
        found.range("block_time", self.block_time, instant, hour);
        found.range("mine_after", self.mine_after, Span::ZERO, hour);
        found.range("required_depth", self.required_depth, 1, 1_000);
        found.range("resend_after", self.resend_after, instant, hour);
        found.range("replace_after", self.replace_after, instant, day);
        found.range("attempts_max", self.attempts_max, 1, 100);
        found.or_errors(())
    }

    /// The patience of a paper chain.
    #[must_use]
    pub const fn patience(&self) -> Patience {
        Patience {
            required_depth: self.required_depth,
            resend_after: self.resend_after,
            replace_after: self.replace_after,
            attempts_max: self.attempts_max,
            max_fee_per_gas: u128::MAX,
        }
    }

    /// USDC of a new wallet, base units. Values that [`Self::validate`] refuses count as zero.
    pub(crate) fn wallet_usdc(&self) -> Amount {
        scaled(self.wallet_usd, USDC_DECIMALS)
    }

    /// Native coin of a new wallet, wei.
    pub(crate) fn wallet_native(&self) -> Amount {
        scaled(self.native, NATIVE_DECIMALS)
    }

    /// Base fee, wei per unit of gas.
    pub(super) fn base_fee(&self) -> u128 {
        wei(self.base_fee_gwei)
    }

    /// Priority fee, wei per unit of gas.
    pub(super) fn tip(&self) -> u128 {
        wei(self.tip_gwei)
    }
}

fn decimal(found: &mut Validator, key: &str, value: Decimal, max: u64, digits: u8) {
    let in_range = value >= Decimal::ZERO && value <= max.into();
    let holds = in_range && value.normalize().scale() <= u32::from(digits);
    let allowed = format_args!("0 to {max}, with at most {digits} digits after the point");
    found.require(holds, key, value, allowed);
}

fn scaled(whole: Decimal, decimals: u8) -> Amount {
    Amount::from_whole(&whole.normalize().to_string(), decimals).unwrap_or(Amount::ZERO)
}

fn wei(gwei: Decimal) -> u128 {
    u128::try_from(scaled(gwei, GWEI_DECIMALS).units()).unwrap_or(u128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PaperSettings, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_means_valid_defaults() {
        let settings = parse("{}").expect("defaults");
        assert_eq!(settings, PaperSettings::default());
        assert_eq!(settings.validate(), Ok(()));
        assert_eq!(settings.native_price_usd.decimal(), Decimal::from(3_000));
        assert_eq!(settings.wallet_usdc().to_whole(USDC_DECIMALS), "10000");
        assert_eq!(settings.wallet_native().to_whole(NATIVE_DECIMALS), "1");
        assert_eq!((settings.base_fee(), settings.tip()), (10_000_000, 1_000_000));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = parse(r#"{"fee_pct": 1}"#).expect_err("unknown key");
        assert!(error.contains("fee_pct") && error.contains("fee_bps"), "{error}");
    }

    #[test]
    fn every_range_is_checked_and_the_error_names_key_value_and_range() {
        for (text, expected) in [
            (
                r#"{"wallet_usd": -1}"#,
                "paper.wallet_usd = -1 is not allowed: 0 to 1000000000000000",
            ),
            (r#"{"wallet_usd": "0.0000001"}"#, "at most 6 digits"),
            (
                r#"{"native": "1000000000000001"}"#,
                "paper.native = 1000000000000001",
            ),
            (
                r#"{"fee_bps": 10001}"#,
                "paper.fee_bps = 10001 is not allowed: 0 to 10000",
            ),
            (r#"{"slippage_bps": 10001}"#, "paper.slippage_bps"),
            (r#"{"impact_bps": 10001}"#, "paper.impact_bps"),
            (r#"{"gas_units": 20999}"#, "21000 to 30000000"),
            (r#"{"base_fee_gwei": "0.0000000001"}"#, "at most 9 digits"),
            (r#"{"tip_gwei": 1000001}"#, "paper.tip_gwei"),
            (
                r#"{"block_time": "0s"}"#,
                "paper.block_time = 0s is not allowed: 1ms to 1h",
            ),
            (r#"{"mine_after": "2h"}"#, "paper.mine_after = 2h"),
            (r#"{"required_depth": 0}"#, "paper.required_depth"),
            (r#"{"resend_after": "0s"}"#, "paper.resend_after"),
            (r#"{"replace_after": "25h"}"#, "paper.replace_after"),
            (
                r#"{"attempts_max": 0}"#,
                "paper.attempts_max = 0 is not allowed: 1 to 100",
            ),
        ] {
            let wrong = parse(text).expect(text).validate().expect_err(text);
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert!(wrong[0].to_string().contains(expected), "{}", wrong[0]);
        }
    }

    #[test]
    fn a_coin_without_a_price_is_refused() {
        assert!(parse(r#"{"native_price_usd": "0"}"#).is_err());
    }
}
