//! The ranges of a configuration.

use rust_decimal::Decimal;
use strum::VariantArray;

use super::{
    invalid::{InvalidConfig, Validator},
    job::JobConfig,
    rules::{AccumulateConfig, LiquidityConfig, Rules},
    sections::{LimitsConfig, PriceConfig, ScheduleConfig, SourceName},
};
use crate::{
    job::JobMode,
    units::{Rounding, Usd},
};

/// Largest amount of USD in a configuration; more is taken for a typing error.
const USD_MAX: i64 = 1_000_000_000;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

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
        limits(&self.limits, &mut found);
        match &self.rules {
            Rules::Accumulate(rules) => accumulate(rules, &self.limits, &mut found),
            Rules::Liquidity(rules) => liquidity(rules, &self.limits, &mut found),
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

fn accumulate(config: &AccumulateConfig, limits: &LimitsConfig, found: &mut Validator) {
    let amount = ("accumulate.dca_amount_usd", config.dca_amount_usd);
    found.money(amount.0, amount.1);
    found.money("accumulate.max_accumulation_usd", config.max_accumulation_usd);
    found.buy_fits(amount, limits);
    found.at_most(
        amount.0,
        amount.1,
        "accumulate.max_accumulation_usd",
        config.max_accumulation_usd,
        ZeroIs::Zero,
    );
    match (config.dca_interval, &config.dca_schedule) {
        (Some(interval), None) => found.span("accumulate.dca_interval", interval, 1, 365 * DAY),
        (None, Some(_)) => {}
        (Some(interval), Some(_)) => found.refuse(
            "accumulate.dca_interval",
            interval,
            "one of accumulate.dca_interval and accumulate.dca_schedule, not both",
        ),
        (None, None) => found.refuse(
            "accumulate.dca_interval",
            "missing",
            "one of accumulate.dca_interval and accumulate.dca_schedule",
        ),
    }
    dip(config, limits, found);
    found.range(
        "accumulate.take_profit_pct",
        config.take_profit_pct,
        0.into(),
        100_000.into(),
    );
    found.above_zero(
        "accumulate.take_profit_sell_pct",
        config.take_profit_sell_pct,
        100.into(),
    );
    found.span(
        "accumulate.take_profit_cooldown",
        config.take_profit_cooldown,
        0,
        365 * DAY,
    );
}

fn dip(config: &AccumulateConfig, limits: &LimitsConfig, found: &mut Validator) {
    let multiplier = config.dip_buy_multiplier;
    found.range(
        "accumulate.dip_buy_threshold_pct",
        config.dip_buy_threshold_pct,
        0.into(),
        99.into(),
    );
    found.range(
        "accumulate.dip_buy_multiplier",
        multiplier,
        Decimal::new(1, 1),
        100.into(),
    );
    found.span("accumulate.dip_window", config.dip_window, 1, 90 * DAY);
    found.span("accumulate.dip_cooldown", config.dip_cooldown, 0, 365 * DAY);
    let on = config.dip_buy_threshold_pct > Decimal::ZERO;
    let money = config.dca_amount_usd.times(multiplier, Rounding::Down);
    found.require(
        !on || money.is_ok_and(|money| money >= limits.min_trade_usd),
        "accumulate.dip_buy_multiplier",
        multiplier,
        format_args!(
            "large enough that accumulate.dca_amount_usd ({}) times it reaches limits.min_trade_usd ({})",
            config.dca_amount_usd, limits.min_trade_usd
        ),
    );
}

fn liquidity(config: &LiquidityConfig, limits: &LimitsConfig, found: &mut Validator) {
    let trade = ("liquidity.spread_trade_usd", config.spread_trade_usd);
    found.money("liquidity.budget_usd", config.budget_usd);
    found.money(trade.0, trade.1);
    found.buy_fits(trade, limits);
    found.at_most(
        trade.0,
        trade.1,
        "liquidity.budget_usd",
        config.budget_usd,
        ZeroIs::Zero,
    );
    found.money_or_off("liquidity.max_daily_volume_usd", config.max_daily_volume_usd);
    found.at_most(
        trade.0,
        trade.1,
        "liquidity.max_daily_volume_usd",
        config.max_daily_volume_usd,
        ZeroIs::NoLimit,
    );
    found.above_zero("liquidity.spread_pct", config.spread_pct, 50.into());
    found.span("liquidity.spread_cooldown", config.spread_cooldown, 0, 365 * DAY);
    found.range(
        "liquidity.support_buy_multiplier",
        config.support_buy_multiplier,
        1.into(),
        100.into(),
    );
    found.require(
        config.support_dip_pct >= config.spread_pct && config.support_dip_pct <= Decimal::from(99),
        "liquidity.support_dip_pct",
        config.support_dip_pct,
        format_args!("liquidity.spread_pct ({}) to 99", config.spread_pct),
    );
    let (target, threshold) = (config.target_ratio_pct, config.rebalance_threshold_pct);
    found.range("liquidity.target_ratio_pct", target, 1.into(), 99.into());
    found.above_zero("liquidity.rebalance_threshold_pct", threshold, 50.into());
    let upper = target.checked_add(threshold);
    found.require(
        threshold <= target && upper.is_some_and(|upper| upper <= Decimal::ONE_HUNDRED),
        "liquidity.rebalance_threshold_pct",
        threshold,
        format_args!("a band around liquidity.target_ratio_pct ({target}) that stays within 0 to 100"),
    );
    found.span("liquidity.ma_window", config.ma_window, 2, 30 * DAY);
}

/// Meaning of zero for a limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ZeroIs {
    NoLimit,
    Zero,
}

impl Validator {
    fn money(&mut self, key: &str, value: Usd) {
        self.above_zero(key, value.decimal(), USD_MAX.into());
    }

    fn money_or_off(&mut self, key: &str, value: Usd) {
        let holds = value >= Usd::ZERO && value.decimal() <= Decimal::from(USD_MAX);
        self.require(holds, key, value, format_args!("0 (no limit) to {USD_MAX}"));
    }

    /// `value` must not be above what another key allows.
    fn at_most(&mut self, key: &str, value: Usd, limit_key: &str, limit: Usd, zero: ZeroIs) {
        let unlimited = limit == Usd::ZERO && zero == ZeroIs::NoLimit;
        self.require(
            unlimited || value <= limit,
            key,
            value,
            format_args!("at most {limit_key} ({limit})"),
        );
    }

    /// A regular buy must be able to happen at all under the limits.
    fn buy_fits(&mut self, (key, money): (&str, Usd), limits: &LimitsConfig) {
        self.require(
            money >= limits.min_trade_usd,
            key,
            money,
            format_args!("at least limits.min_trade_usd ({})", limits.min_trade_usd),
        );
        for (limit_key, limit) in [
            ("limits.max_daily_spend_usd", limits.max_daily_spend_usd),
            ("limits.max_position_usd", limits.max_position_usd),
        ] {
            self.at_most(key, money, limit_key, limit, ZeroIs::NoLimit);
        }
    }

    /// A job has the table of its own mode and of no other. `table` is the mode of a table, `present` whether it is
    /// there.
    pub(super) fn section(&mut self, table: JobMode, present: bool, mode: JobMode) {
        if present && mode != table {
            let allowed = format_args!("absent in mode {mode}: a job has only the section of its own mode");
            self.refuse(table.section(), "present", allowed);
        } else if !present && mode == table {
            self.refuse(table.section(), "missing", format_args!("present in mode {mode}"));
        }
    }
}
