//! Allowed values of a configuration.

mod basket;
mod order;
mod whole;

use lgi_mm::domain::{
    config::{AccumulateConfig, AfterStop, JobConfig, LiquidityConfig, RecordedConfig, SourceName},
    job::JobMode,
    schedule::CronExpr,
    span::Span,
    units::Usd,
};

use super::support::{dec, usd};

fn accumulate(config: &mut JobConfig) -> &mut AccumulateConfig {
    config.rules.accumulate_mut().expect("mode accumulate")
}

fn liquidity(config: &mut JobConfig) -> &mut LiquidityConfig {
    config.rules.liquidity_mut().expect("mode liquidity")
}

fn span(text: &str) -> Span {
    text.parse().expect("a span")
}

type Change = fn(&mut JobConfig);

/// All messages about the mode's default configuration after a change.
fn messages(mode: JobMode, change: Change) -> Vec<String> {
    let mut config = JobConfig::for_mode(mode);
    change(&mut config);
    let found = config.validate(mode).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_of_every_mode_are_valid() {
    for mode in [JobMode::Accumulate, JobMode::Liquidity, JobMode::Order] {
        assert_eq!(JobConfig::for_mode(mode).validate(mode), Ok(()));
    }
}

/// A change, and the message it causes.
const SHARED: &[(Change, &str)] = &[
    (
        |c| c.schedule.jitter = span("61m"),
        "schedule.jitter = 1h 1m is not allowed: 0s to 1h",
    ),
    (
        |c| c.schedule.jitter = span("15m"),
        "schedule.jitter = 15m is not allowed: less than schedule.max_lateness (15m)",
    ),
    (
        |c| c.schedule.max_lateness = span("500ms"),
        "schedule.max_lateness = 500ms is not allowed: 1s to 1d",
    ),
    (
        |c| c.schedule.max_lateness = span("25h"),
        "schedule.max_lateness = 1d 1h is not allowed: 1s to 1d",
    ),
    (
        |c| c.price.sources.clear(),
        "price.sources = [] is not allowed: at least one of generated, recorded, dexscreener, onchain and twap, each once",
    ),
    (
        |c| c.price.sources.push(SourceName::Generated),
        "price.sources = [generated, generated] is not allowed: at least one of generated, recorded, dexscreener, onchain and twap, each once",
    ),
    (
        |c| c.price.sources = vec![SourceName::Recorded],
        "price.sources = [recorded] is not allowed: recorded only with a section [price.recorded] that names its file",
    ),
    (
        |c| c.price.max_price_age = span("0s"),
        "price.max_price_age = 0s is not allowed: 1s to 1d",
    ),
    (
        |c| c.price.max_price_deviation_bps = 0,
        "price.max_price_deviation_bps = 0 is not allowed: 1 to 10000",
    ),
    (
        |c| c.price.max_price_deviation_bps = 10_001,
        "price.max_price_deviation_bps = 10001 is not allowed: 1 to 10000",
    ),
    (
        |c| c.price.max_price_move_pct = dec("-1"),
        "price.max_price_move_pct = -1 is not allowed: 0 to 10000",
    ),
    (
        |c| c.price.generated.start_usd = dec("0"),
        "price.generated.start_usd = 0 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| c.price.generated.swing_pct = dec("90.1"),
        "price.generated.swing_pct = 90.1 is not allowed: 0 to 90",
    ),
    (
        |c| c.price.generated.period = span("1s"),
        "price.generated.period = 1s is not allowed: 2s to 365d",
    ),
    (
        |c| {
            c.price.recorded = Some(RecordedConfig {
                file: " ".to_owned(),
                speed: dec("1"),
                starts_at: None,
            })
        },
        "price.recorded.file = ' ' is not allowed: the path of a CSV file",
    ),
    (
        |c| {
            c.price.recorded = Some(RecordedConfig {
                file: "a.csv".to_owned(),
                speed: dec("0"),
                starts_at: None,
            })
        },
        "price.recorded.speed = 0 is not allowed: 0.001 to 1000000",
    ),
    (
        |c| c.limits.min_trade_usd = Usd::ZERO,
        "limits.min_trade_usd = 0 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| c.limits.max_position_usd = usd("-5"),
        "limits.max_position_usd = -5 is not allowed: 0 (no limit) to 1000000000",
    ),
    (
        |c| c.limits.max_position_usd = usd("1000000000.01"),
        "limits.max_position_usd = 1000000000.01 is not allowed: 0 (no limit) to 1000000000",
    ),
    (
        |c| c.limits.max_position_usd = usd("0.5"),
        "limits.min_trade_usd = 1 is not allowed: at most limits.max_position_usd (0.5)",
    ),
    (
        |c| c.limits.max_daily_spend_usd = usd("0.5"),
        "limits.min_trade_usd = 1 is not allowed: at most limits.max_daily_spend_usd (0.5)",
    ),
    (
        |c| c.limits.max_trades_per_hour = 3_601,
        "limits.max_trades_per_hour = 3601 is not allowed: 0 to 3600",
    ),
    (
        |c| c.limits.max_slippage_bps = 0,
        "limits.max_slippage_bps = 0 is not allowed: 1 to 5000",
    ),
    (
        |c| c.limits.max_slippage_bps = 5_001,
        "limits.max_slippage_bps = 5001 is not allowed: 1 to 5000",
    ),
    (
        |c| c.limits.max_price_impact_bps = 0,
        "limits.max_price_impact_bps = 0 is not allowed: 1 to 5000",
    ),
    (
        |c| c.limits.max_gas_usd = usd("-2"),
        "limits.max_gas_usd = -2 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| c.limits.failure_backoff = span("0s"),
        "limits.failure_backoff = 0s is not allowed: 1s to 1d",
    ),
    (
        |c| c.limits.gas_reserve = dec("-0.1"),
        "limits.gas_reserve = -0.1 is not allowed: 0 to 1000000",
    ),
];

#[test]
fn shared_sections_refuse_what_is_out_of_range_and_say_what_is_allowed() {
    for (change, expected) in SHARED {
        for mode in [JobMode::Accumulate, JobMode::Liquidity] {
            let found = messages(mode, *change);
            assert!(
                found.iter().any(|message| message == expected),
                "{expected}: {found:#?}"
            );
        }
    }
}

/// A change, and the message it causes.
const ACCUMULATE: &[(Change, &str)] = &[
    (
        |c| accumulate(c).dca_amount_usd = Usd::ZERO,
        "accumulate.dca_amount_usd = 0 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| accumulate(c).dca_amount_usd = usd("-10"),
        "accumulate.dca_amount_usd = -10 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| accumulate(c).dca_amount_usd = usd("2000000000"),
        "accumulate.dca_amount_usd = 2000000000 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| accumulate(c).dca_amount_usd = usd("0.5"),
        "accumulate.dca_amount_usd = 0.5 is not allowed: at least limits.min_trade_usd (1)",
    ),
    (
        |c| accumulate(c).dca_amount_usd = usd("501"),
        "accumulate.dca_amount_usd = 501 is not allowed: at most limits.max_daily_spend_usd (500)",
    ),
    (
        |c| c.limits.max_position_usd = usd("9"),
        "accumulate.dca_amount_usd = 10 is not allowed: at most limits.max_position_usd (9)",
    ),
    (
        |c| accumulate(c).max_accumulation_usd = usd("9"),
        "accumulate.dca_amount_usd = 10 is not allowed: at most accumulate.max_accumulation_usd (9)",
    ),
    (
        |c| accumulate(c).max_accumulation_usd = Usd::ZERO,
        "accumulate.max_accumulation_usd = 0 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| accumulate(c).dca_interval = Some(span("366d")),
        "accumulate.dca_interval = 366d is not allowed: 1s to 365d",
    ),
    (
        |c| accumulate(c).dca_interval = None,
        "accumulate.dca_interval: it is missing; give accumulate.dca_interval or accumulate.dca_schedule",
    ),
    (
        |c| accumulate(c).dca_schedule = Some(CronExpr::every_minute()),
        "accumulate.dca_interval = 4h is not allowed: one of accumulate.dca_interval and accumulate.dca_schedule, not both",
    ),
    (
        |c| accumulate(c).buy_above_usd = dec("-0.1"),
        "accumulate.buy_above_usd = -0.1 is not allowed: 0 to 1000000000",
    ),
    (
        |c| accumulate(c).buy_below_usd = dec("1000000000.1"),
        "accumulate.buy_below_usd = 1000000000.1 is not allowed: 0 to 1000000000",
    ),
    (
        |c| {
            accumulate(c).buy_above_usd = dec("0.5");
            accumulate(c).buy_below_usd = dec("0.4999");
        },
        "accumulate.buy_below_usd = 0.4999 is not allowed: 0 (no bound), or at least accumulate.buy_above_usd (0.5): no price is between the two",
    ),
    (
        |c| accumulate(c).dip_buy_threshold_pct = dec("100"),
        "accumulate.dip_buy_threshold_pct = 100 is not allowed: 0 to 99",
    ),
    (
        |c| accumulate(c).dip_buy_multiplier = dec("0.05"),
        "accumulate.dip_buy_multiplier = 0.05 is not allowed: 0.1 to 100",
    ),
    (
        |c| {
            accumulate(c).dip_buy_multiplier = dec("0.5");
            c.limits.min_trade_usd = usd("6");
        },
        "accumulate.dip_buy_multiplier = 0.5 is not allowed: large enough that accumulate.dca_amount_usd (10) times it reaches limits.min_trade_usd (6)",
    ),
    (
        |c| accumulate(c).dip_window = span("91d"),
        "accumulate.dip_window = 91d is not allowed: 1s to 90d",
    ),
    (
        |c| accumulate(c).dip_cooldown = span("366d"),
        "accumulate.dip_cooldown = 366d is not allowed: 0s to 365d",
    ),
    (
        |c| accumulate(c).stop_loss_pct = dec("99.5"),
        "accumulate.stop_loss_pct = 99.5 is not allowed: 0 to 99",
    ),
    (
        |c| accumulate(c).stop_price_usd = dec("-1"),
        "accumulate.stop_price_usd = -1 is not allowed: 0 to 1000000000",
    ),
    (
        |c| {
            accumulate(c).stop_price_usd = dec("0.5");
            accumulate(c).buy_below_usd = dec("0.5");
        },
        "accumulate.stop_price_usd = 0.5 is not allowed: 0 (off), or below accumulate.buy_below_usd (0.5): no price is left to buy at",
    ),
    (
        |c| accumulate(c).trailing_stop_pct = dec("99.01"),
        "accumulate.trailing_stop_pct = 99.01 is not allowed: 0 to 99",
    ),
    (
        |c| accumulate(c).trailing_arm_pct = dec("-1"),
        "accumulate.trailing_arm_pct = -1 is not allowed: 0 to 100000",
    ),
    (
        |c| accumulate(c).stop_sells_pct = dec("0"),
        "accumulate.stop_sells_pct = 0 is not allowed: above 0, up to 100",
    ),
    (
        |c| {
            accumulate(c).stop_sells_pct = dec("50");
            accumulate(c).after_stop = AfterStop::Idle;
        },
        "accumulate.after_stop = idle is not allowed: pause or continue, unless accumulate.stop_sells_pct (50) is 100: an idle job holds nothing",
    ),
    (
        |c| accumulate(c).stop_cooldown = span("366d"),
        "accumulate.stop_cooldown = 366d is not allowed: 0s to 365d",
    ),
    (
        |c| accumulate(c).trailing_take_profit_pct = dec("100"),
        "accumulate.trailing_take_profit_pct = 100 is not allowed: 0 to 99",
    ),
    (
        |c| accumulate(c).take_profit_cooldown = span("366d"),
        "accumulate.take_profit_cooldown = 366d is not allowed: 0s to 365d",
    ),
    (
        |c| accumulate(c).take_profit_pct = dec("-0.1"),
        "accumulate.take_profit_pct = -0.1 is not allowed: 0 to 100000",
    ),
    (
        |c| accumulate(c).take_profit_sell_pct = dec("0"),
        "accumulate.take_profit_sell_pct = 0 is not allowed: above 0, up to 100",
    ),
    (
        |c| accumulate(c).take_profit_sell_pct = dec("100.01"),
        "accumulate.take_profit_sell_pct = 100.01 is not allowed: above 0, up to 100",
    ),
];

#[test]
fn accumulate_refuses_what_is_out_of_range_or_contradicts_itself() {
    for (change, expected) in ACCUMULATE {
        let found = messages(JobMode::Accumulate, *change);
        assert!(
            found.iter().any(|message| message == expected),
            "{expected}: {found:#?}"
        );
    }
}

/// A change, and the message it causes.
const LIQUIDITY: &[(Change, &str)] = &[
    (
        |c| liquidity(c).budget_usd = Usd::ZERO,
        "liquidity.budget_usd = 0 is not allowed: above 0, up to 1000000000",
    ),
    (
        |c| liquidity(c).budget_usd = usd("20"),
        "liquidity.spread_trade_usd = 25 is not allowed: at most liquidity.budget_usd (20)",
    ),
    (
        |c| liquidity(c).spread_trade_usd = usd("0.5"),
        "liquidity.spread_trade_usd = 0.5 is not allowed: at least limits.min_trade_usd (1)",
    ),
    (
        |c| c.limits.max_daily_spend_usd = usd("20"),
        "liquidity.spread_trade_usd = 25 is not allowed: at most limits.max_daily_spend_usd (20)",
    ),
    (
        |c| liquidity(c).max_daily_volume_usd = usd("20"),
        "liquidity.spread_trade_usd = 25 is not allowed: at most liquidity.max_daily_volume_usd (20)",
    ),
    (
        |c| liquidity(c).max_daily_volume_usd = usd("-1"),
        "liquidity.max_daily_volume_usd = -1 is not allowed: 0 (no limit) to 1000000000",
    ),
    (
        |c| liquidity(c).spread_pct = dec("0"),
        "liquidity.spread_pct = 0 is not allowed: above 0, up to 50",
    ),
    (
        |c| liquidity(c).spread_cooldown = span("366d"),
        "liquidity.spread_cooldown = 366d is not allowed: 0s to 365d",
    ),
    (
        |c| liquidity(c).support_buy_multiplier = dec("0.9"),
        "liquidity.support_buy_multiplier = 0.9 is not allowed: 1 to 100",
    ),
    (
        |c| liquidity(c).support_dip_pct = dec("1.9"),
        "liquidity.support_dip_pct = 1.9 is not allowed: liquidity.spread_pct (2) to 99",
    ),
    (
        |c| liquidity(c).target_ratio_pct = dec("0.5"),
        "liquidity.target_ratio_pct = 0.5 is not allowed: 1 to 99",
    ),
    (
        |c| liquidity(c).rebalance_threshold_pct = dec("0"),
        "liquidity.rebalance_threshold_pct = 0 is not allowed: above 0, up to 50",
    ),
    (
        |c| liquidity(c).target_ratio_pct = dec("5"),
        "liquidity.rebalance_threshold_pct = 10 is not allowed: a band around liquidity.target_ratio_pct (5) that stays within 0 to 100",
    ),
    (
        |c| liquidity(c).target_ratio_pct = dec("91"),
        "liquidity.rebalance_threshold_pct = 10 is not allowed: a band around liquidity.target_ratio_pct (91) that stays within 0 to 100",
    ),
    (
        |c| liquidity(c).ma_window = span("1s"),
        "liquidity.ma_window = 1s is not allowed: 2s to 30d",
    ),
    (
        |c| liquidity(c).ma_window = span("31d"),
        "liquidity.ma_window = 31d is not allowed: 2s to 30d",
    ),
];

#[test]
fn liquidity_refuses_what_is_out_of_range_or_contradicts_itself() {
    for (change, expected) in LIQUIDITY {
        let found = messages(JobMode::Liquidity, *change);
        assert!(
            found.iter().any(|message| message == expected),
            "{expected}: {found:#?}"
        );
    }
}
