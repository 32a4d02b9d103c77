//! The ranges of a configuration.

use rust_decimal::Decimal;
use strum::VariantArray;

use super::{
    invalid::{DAY, InvalidConfig, USD_MAX, Validator, ZeroIs},
    job::JobConfig,
    rules::Rules,
    sections::{LimitsConfig, PriceConfig, ScheduleConfig, SourceName, VenueConfig},
};
use crate::job::JobMode;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

impl JobConfig {
    /// Checks every range, every contradiction between limits, and that the rules are those of `mode`.
    ///
    /// # Errors
    /// Every error, not only the first.
    pub fn validate(&self, mode: JobMode) -> Result<(), Vec<InvalidConfig>> {
        let mut found = Validator::default();
        for each in JobMode::VARIANTS {
            found.section(*each, *each == self.mode(), mode);
        }
        schedule(&self.schedule, &mut found);
        price(&self.price, &mut found);
        venue(&self.venue, &mut found);
        limits(&self.limits, &mut found);
        match &self.rules {
            Rules::Accumulate(rules) => rules.check(&self.limits, &mut found),
            Rules::Liquidity(rules) => rules.check(&self.limits, &mut found),
            Rules::Order(rules) => rules.check(&self.limits, &mut found),
            Rules::Basket(rules) => rules.check(&self.limits, &mut found),
        }
        found.or_errors(())
    }
}

fn schedule(config: &ScheduleConfig, found: &mut Validator) {
    found.span("schedule.jitter", config.jitter, 0, HOUR);
    found.span("schedule.max_lateness", config.max_lateness, 1, DAY);
    found.require(
        config.jitter < config.max_lateness,
        "schedule.jitter",
        config.jitter,
        format_args!("less than schedule.max_lateness ({})", config.max_lateness),
    );
}

fn venue(config: &VenueConfig, found: &mut Validator) {
    found.span("venue.min_pool_age", config.min_pool_age, 0, 7 * DAY);
    found.range("venue.referee_bps", config.referee_bps, 0, 5_000);
    let names: Vec<String> = config.referees.iter().map(ToString::to_string).collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    found.require(
        distinct.len() == names.len(),
        "venue.referees",
        format_args!("[{}]", names.join(", ")),
        "each referee once",
    );
}

fn price(config: &PriceConfig, found: &mut Validator) {
    let mut distinct = config.sources.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let names: Vec<String> = config.sources.iter().map(ToString::to_string).collect();
    found.require(
        !distinct.is_empty() && distinct.len() == names.len(),
        "price.sources",
        format_args!("[{}]", names.join(", ")),
        format_args!("at least one of {}, each once", SourceName::list()),
    );
    found.span("price.max_price_age", config.max_price_age, 1, DAY);
    found.range(
        "price.max_price_deviation_bps",
        config.max_price_deviation_bps,
        1,
        10_000,
    );
    found.range(
        "price.max_price_move_pct",
        config.max_price_move_pct,
        0.into(),
        10_000.into(),
    );
    let generated = &config.generated;
    found.above_zero("price.generated.start_usd", generated.start_usd, USD_MAX.into());
    found.range(
        "price.generated.swing_pct",
        generated.swing_pct,
        0.into(),
        90.into(),
    );
    found.span("price.generated.period", generated.period, 2, 365 * DAY);
    found.require(
        config.recorded.is_some() || !config.sources.contains(&SourceName::Recorded),
        "price.sources",
        format_args!("[{}]", names.join(", ")),
        "recorded only with a section [price.recorded] that names its file",
    );
    if let Some(recorded) = &config.recorded {
        found.require(
            !recorded.file.trim().is_empty(),
            "price.recorded.file",
            format_args!("'{}'", recorded.file),
            "the path of a CSV file",
        );
        found.range(
            "price.recorded.speed",
            recorded.speed,
            Decimal::new(1, 3),
            1_000_000.into(),
        );
    }
}

fn limits(config: &LimitsConfig, found: &mut Validator) {
    found.money("limits.min_trade_usd", config.min_trade_usd);
    for (key, limit) in [
        ("limits.max_position_usd", config.max_position_usd),
        ("limits.max_daily_spend_usd", config.max_daily_spend_usd),
    ] {
        found.money_or_off(key, limit);
        found.at_most(
            "limits.min_trade_usd",
            config.min_trade_usd,
            key,
            limit,
            ZeroIs::NoLimit,
        );
    }
    found.range("limits.max_trades_per_hour", config.max_trades_per_hour, 0, 3_600);
    found.range("limits.max_slippage_bps", config.max_slippage_bps, 1, 5_000);
    found.range("limits.max_pool_fee_bps", config.max_pool_fee_bps, 1, 5_000);
    found.range(
        "limits.max_slip_from_quote_bps",
        config.max_slip_from_quote_bps,
        1,
        5_000,
    );
    found.range(
        "limits.max_price_impact_bps",
        config.max_price_impact_bps,
        1,
        5_000,
    );
    found.range(
        "limits.max_round_trip_loss_bps",
        config.max_round_trip_loss_bps,
        0,
        5_000,
    );
    found.money("limits.max_gas_usd", config.max_gas_usd);
    found.span("limits.failure_backoff", config.failure_backoff, 1, DAY);
    found.range(
        "limits.gas_reserve",
        config.gas_reserve,
        0.into(),
        1_000_000.into(),
    );
}
