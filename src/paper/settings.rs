//! `[paper]` in `lgi-mm.toml`.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{
    chains::USDC_DECIMALS,
    config::InvalidConfig,
    span::Span,
    trade::Patience,
    units::{Amount, Price},
};

/// Decimals of every chain's native coin.
const NATIVE_DECIMALS: u8 = 18;
/// Decimals of wei in a gwei.
const GWEI_DECIMALS: u8 = 9;
/// A whole, in basis points.
pub(super) const BPS: u32 = 10_000;
/// What any transaction costs at least, units of gas.
pub(super) const GAS_INTRINSIC: u64 = 21_000;

/// How the paper venue behaves and what a new paper wallet holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaperSettings {
    /// USDC that a new paper wallet gets, whole coins; 0 to 10^15, at most 6 digits after the point.
    pub wallet_usd: Decimal,
    /// Native coins that a new paper wallet gets, for gas; 0 to 10^15, at most 18 digits after the point.
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
    pub base_fee_gwei: Decimal,
    /// Priority fee, gwei per unit of gas; 0 to 1000000, at most 9 digits after the point.
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
        let coins = |decimals| format!("0 to 10^15, at most {decimals} digits after the point");
        let gwei = format!("0 to 1000000, at most {GWEI_DECIMALS} digits after the point");
        let (bps, hour) = ("0 to 10000", Span::from_secs(3_600));
        let coins_fit = |coins, decimals| in_range(coins, Decimal::from(1_000_000_000_000_000_u64), decimals);
        let gwei_fits = |gwei| in_range(gwei, Decimal::from(1_000_000), GWEI_DECIMALS);
        let lasts = |span: Span, least, most: Span| span.std().as_millis() >= least && span <= most;
        let checks = [
            Check::new(
                "wallet_usd",
                self.wallet_usd,
                coins(USDC_DECIMALS),
                coins_fit(self.wallet_usd, USDC_DECIMALS),
            ),
            Check::new(
                "native",
                self.native,
                coins(NATIVE_DECIMALS),
                coins_fit(self.native, NATIVE_DECIMALS),
            ),
            Check::new("fee_bps", self.fee_bps, bps, self.fee_bps <= BPS),
            Check::new("slippage_bps", self.slippage_bps, bps, self.slippage_bps <= BPS),
            Check::new("impact_bps", self.impact_bps, bps, self.impact_bps <= BPS),
            Check::new(
                "gas_units",
                self.gas_units,
                "21000 to 30000000",
                (GAS_INTRINSIC..=30_000_000).contains(&self.gas_units),
            ),
            Check::new(
                "base_fee_gwei",
                self.base_fee_gwei,
                gwei.as_str(),
                gwei_fits(self.base_fee_gwei),
            ),
            Check::new("tip_gwei", self.tip_gwei, gwei, gwei_fits(self.tip_gwei)),
            Check::new(
                "block_time",
                self.block_time,
                "1ms to 1h",
                lasts(self.block_time, 1, hour),
            ),
            Check::new(
                "mine_after",
                self.mine_after,
                "0s to 1h",
                lasts(self.mine_after, 0, hour),
            ),
            Check::new(
                "required_depth",
                self.required_depth,
                "1 to 1000",
                (1..=1_000).contains(&self.required_depth),
            ),
            Check::new(
                "resend_after",
                self.resend_after,
                "1ms to 1h",
                lasts(self.resend_after, 1, hour),
            ),
            Check::new(
                "replace_after",
                self.replace_after,
                "1ms to 24h",
                lasts(self.replace_after, 1, Span::from_secs(86_400)),
            ),
            Check::new(
                "attempts_max",
                self.attempts_max,
                "1 to 100",
                (1..=100).contains(&self.attempts_max),
            ),
        ];
        let wrong: Vec<_> = checks.into_iter().filter_map(|check| check.refused).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// How patient a paper chain is.
    #[must_use]
    pub const fn patience(&self) -> Patience {
        Patience {
            required_depth: self.required_depth,
            resend_after: self.resend_after,
            replace_after: self.replace_after,
            attempts_max: self.attempts_max,
        }
    }

    /// USDC of a new wallet, base units. What [`Self::validate`] refuses counts as nothing.
    pub(super) fn wallet_usdc(&self) -> Amount {
        scaled(self.wallet_usd, USDC_DECIMALS)
    }

    /// Native coin of a new wallet, wei.
    pub(super) fn wallet_native(&self) -> Amount {
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

struct Check {
    refused: Option<InvalidConfig>,
}

impl Check {
    fn new(key: &str, value: impl ToString, allowed: impl Into<String>, ok: bool) -> Self {
        let refused = (!ok).then(|| InvalidConfig {
            key: format!("paper.{key}"),
            value: value.to_string(),
            allowed: allowed.into(),
        });
        Self { refused }
    }
}

fn in_range(value: Decimal, most: Decimal, decimals: u8) -> bool {
    value >= Decimal::ZERO && value <= most && value.normalize().scale() <= u32::from(decimals)
}

fn scaled(whole: Decimal, decimals: u8) -> Amount {
    Amount::from_whole(&whole.normalize().to_string(), decimals).unwrap_or(Amount::ZERO)
}

fn wei(gwei: Decimal) -> u128 {
    u128::try_from(scaled(gwei, GWEI_DECIMALS).units()).unwrap_or(u128::MAX)
}
