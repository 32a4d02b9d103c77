//! The defaults, chosen so that a paper job runs with no further configuration.

use rust_decimal::Decimal;

use super::sections::{GeneratedConfig, LimitsConfig, PriceConfig, ScheduleConfig, SourceName};
use crate::{
    schedule::CronExpr,
    span::Span,
    units::{Rounding, Usd},
};

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            cron: CronExpr::every_minute(),
            timezone: crate::zone::Zone::UTC,
            jitter: Span::ZERO,
            max_lateness: Span::from_secs(15 * 60),
        }
    }
}

impl Default for PriceConfig {
    fn default() -> Self {
        Self {
            sources: vec![SourceName::Generated],
            max_price_age: Span::from_secs(2 * 60),
            max_price_deviation_bps: 200,
            max_price_move_pct: Decimal::from(50),
            single_source: false,
            generated: GeneratedConfig::default(),
            recorded: None,
        }
    }
}

impl Default for GeneratedConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            start_usd: Decimal::ONE,
            swing_pct: Decimal::from(20),
            period: Span::from_secs(24 * 3_600),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            min_trade_usd: usd(1),
            max_position_usd: Usd::ZERO,
            max_trades_per_hour: 60,
            max_daily_spend_usd: usd(500),
            max_slippage_bps: 100,
            max_pool_fee_bps: 300,
            max_slip_from_quote_bps: 30,
            max_price_impact_bps: 100,
            max_round_trip_loss_bps: 0,
            max_gas_usd: usd(2),
            failure_backoff: Span::from_secs(60),
            gas_reserve: Decimal::new(1, 3),
        }
    }
}

pub(super) fn usd(dollars: i64) -> Usd {
    Usd::rounded(Decimal::from(dollars), Rounding::Down)
}
