//! How a configuration is written and read.

use std::collections::BTreeSet;

use lgi_mm::domain::{
    config::{
        ALTERNATIVES, AccumulateConfig, BasketConfig, JobConfig, JobConfigFile, KEYS, LiquidityConfig,
        OrderConfig, RecordedConfig, VenueConfig,
    },
    job::JobMode,
    notice::EventChoice,
    referees::{RefereeAction, RefereeName},
    schedule::CronExpr,
    span::Span,
};
use serde_json::{Value, json};
use strum::VariantArray;

use super::support::{at, dec, usd};

fn span(text: &str) -> Span {
    text.parse().expect("a span")
}

/// Dotted names of all leaves.
fn leaves(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if prefix.is_empty() { "" } else { "." };
                leaves(&format!("{prefix}{dot}{name}"), value, into);
            }
        }
        _ => {
            into.insert(prefix.to_owned());
        }
    }
}

#[test]
fn the_key_list_is_what_a_full_configuration_serialises_to() {
    let mut full = JobConfigFile::from(JobConfig::for_mode(JobMode::Accumulate));
    full.liquidity = Some(LiquidityConfig::default());
    full.order = Some(OrderConfig {
        until: Some(at(0)),
        ..OrderConfig::default()
    });
    full.basket = Some(BasketConfig::default());
    if let Some(rules) = &mut full.accumulate {
        rules.dca_schedule = Some(CronExpr::every_minute());
    }
    full.venue = VenueConfig {
        min_pool_age: "15m".parse().expect("a span"),
        pool: Some(lgi_mm::domain::pool::Pool::V2),
        referees: vec![RefereeName::Velora],
        referee_bps: 7,
        referee_action: RefereeAction::Warn,
    };
    full.notify.events = EventChoice::Only(vec![]);
    full.price.recorded = Some(RecordedConfig {
        file: "prices.csv".to_owned(),
        speed: dec("1"),
        starts_at: Some(at(0)),
    });
    let mut serialised = BTreeSet::new();
    leaves(
        "",
        &serde_json::to_value(&full).expect("serialises"),
        &mut serialised,
    );
    let listed: BTreeSet<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    assert_eq!(listed, serialised);
    assert_eq!(listed.len(), KEYS.len(), "a key is listed twice");
    assert!(KEYS.iter().all(|key| !key.about.is_empty()));
    for (one, other) in ALTERNATIVES {
        assert!(listed.contains(*one) && listed.contains(*other));
    }
}

#[test]
fn what_is_stored_reads_back_the_same() {
    for mode in JobMode::VARIANTS {
        let config = JobConfig::for_mode(*mode);
        let stored = serde_json::to_value(&config).expect("serialises");
        assert_eq!(serde_json::from_value::<JobConfig>(stored).ok(), Some(config));
    }
}

/// What files and databases hold is a table for each mode, whatever it is called in here.
#[test]
fn rules_are_written_as_the_table_of_their_mode_and_a_job_has_one() {
    for mode in JobMode::VARIANTS {
        let stored = serde_json::to_value(JobConfig::for_mode(*mode)).expect("serialises");
        for other in JobMode::VARIANTS {
            assert_eq!(stored.get(other.section()).is_some(), mode == other, "{mode}");
        }
        let read = serde_json::from_value::<JobConfig>(json!({ mode.section(): {} })).expect("reads");
        assert_eq!(read, JobConfig::for_mode(*mode));
    }
    for (tables, found) in [
        (json!({}), "here are 0"),
        (json!({ "accumulate": {}, "liquidity": {} }), "here are 2"),
        (
            json!({ "accumulate": {}, "liquidity": {}, "order": {} }),
            "here are 3",
        ),
        (json!({ "liquidity": {}, "order": {} }), "here are 2"),
    ] {
        let refused = serde_json::from_value::<JobConfig>(tables).expect_err(found);
        assert!(refused.to_string().contains(found), "{refused}");
    }
}

#[test]
fn one_way_to_time_dca_is_enough() {
    let timing = |section: Value| {
        let config: AccumulateConfig = serde_json::from_value(section).expect("reads");
        (config.dca_interval, config.dca_schedule)
    };
    assert_eq!(timing(json!({})), (Some(span("4h")), None));
    assert_eq!(timing(json!({"dca_interval": "1d"})), (Some(span("1d")), None));
    assert_eq!(
        timing(json!({"dca_schedule": "* * * * *"})),
        (None, Some(CronExpr::every_minute()))
    );
}

#[test]
fn numbers_may_be_written_with_or_without_quotes() {
    let section: AccumulateConfig = serde_json::from_value(
        json!({"dca_amount_usd": 25, "dip_buy_multiplier": 1.5, "take_profit_pct": "12.5"}),
    )
    .expect("reads");
    assert_eq!(section.dca_amount_usd, usd("25"));
    assert_eq!(section.dip_buy_multiplier, dec("1.5"));
    assert_eq!(section.take_profit_pct, dec("12.5"));
}

#[test]
fn unknown_keys_and_wrong_types_are_refused_by_name() {
    for (config, named) in [
        (json!({"limit": {}}), "unknown field `limit`"),
        (
            json!({"accumulate": {"dca_amount": 1}}),
            "unknown field `dca_amount`",
        ),
        (json!({"liquidity": {"budget_usd": "much"}}), "a number such as"),
        (json!({"limits": {"max_slippage_bps": -1}}), "u32"),
        (
            json!({"limits": {"max_gas_usd": "0.0000000000001"}}),
            "more than 12 digits",
        ),
        (
            json!({"price": {"sources": ["coingecko"]}}),
            "unknown variant `coingecko`",
        ),
        (json!({"price": {"max_price_age": "2"}}), "not a length of time"),
        (json!({"schedule": {"timezone": "Mars/Olympus"}}), "Mars/Olympus"),
    ] {
        let refused = serde_json::from_value::<JobConfig>(config).expect_err(named);
        assert!(refused.to_string().contains(named), "{refused}");
    }
}
