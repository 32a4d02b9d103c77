//! Which prices are accepted.

use chrono::TimeDelta;
use lgi_mm::domain::{
    config::{PriceConfig, SourceName},
    decision::HoldReason,
    price::{AcceptedPrice, Answer, Observation, PriceMissing, RefusedPrice, accept},
    span::Span,
    units::Price,
};
use proptest::prelude::*;

use super::support::{any_price, at, dec, price, scaled};

/// The instant of the check.
const NOW: i64 = 1_000_000;

fn config(sources: &[SourceName]) -> PriceConfig {
    PriceConfig {
        sources: sources.to_vec(),
        ..PriceConfig::default()
    }
}

fn seen(source: SourceName, price_usd: &str, secs_ago: i64) -> Answer {
    Ok(Observation {
        source,
        price_usd: dec(price_usd),
        observed_at: at(NOW - secs_ago),
    })
}

fn nothing(source_name: SourceName) -> Answer {
    Err(PriceMissing {
        source_name,
        detail: "no pair".to_owned(),
        reason: HoldReason::PriceMissing,
    })
}

fn last(at_price: &str, secs_ago: i64) -> Option<AcceptedPrice> {
    Some(AcceptedPrice {
        price: price(at_price),
        source: SourceName::Dexscreener,
        observed_at: at(NOW - secs_ago),
    })
}

fn reason(result: &Result<AcceptedPrice, RefusedPrice>) -> Option<HoldReason> {
    result.as_ref().err().map(|refused| refused.reason)
}

#[test]
fn one_source_is_believed_if_it_is_fresh_and_above_zero() {
    use HoldReason::{PriceInvalid, PriceMissing, PriceStale};
    use SourceName::Dexscreener as Dex;
    for (name, answers, expected) in [
        ("no source", vec![], Some(PriceMissing)),
        ("no answer", vec![nothing(Dex)], Some(PriceMissing)),
        ("the first sample", vec![seen(Dex, "1", 0)], None),
        ("zero", vec![seen(Dex, "0", 0)], Some(PriceInvalid)),
        ("negative", vec![seen(Dex, "-1", 0)], Some(PriceInvalid)),
        ("as old as allowed", vec![seen(Dex, "1", 120)], None),
        ("too old", vec![seen(Dex, "1", 121)], Some(PriceStale)),
        ("a clock a little ahead", vec![seen(Dex, "1", -30)], None),
        ("from the future", vec![seen(Dex, "1", -31)], Some(PriceStale)),
    ] {
        let result = accept(&answers, &config(&[Dex]), None, at(NOW));
        assert_eq!(reason(&result), expected, "{name}: {result:?}");
    }
}

#[test]
fn a_move_is_believed_as_far_as_the_time_since_the_last_sample_allows() {
    use SourceName::Dexscreener as Dex;
    for (name, (before, before_secs_ago), (now, secs_ago), believed) in [
        ("up as far as allowed", ("1", 60), ("1.5", 0), true),
        ("up too far", ("1", 60), ("1.51", 0), false),
        ("down as far as allowed", ("1.5", 60), ("1", 0), true),
        ("down too far", ("1.5", 60), ("0.99", 0), false),
        ("twice as far after one period", ("1", 120), ("2.25", 0), true),
        ("not quite one period", ("1", 119), ("2.25", 0), false),
        ("wild", ("1", 60), ("1000000", 0), false),
        ("nearly nothing", ("1", 60), ("0.000001", 0), false),
        (
            "wild, but nothing is remembered",
            ("1", 86_401),
            ("1000000", 0),
            true,
        ),
        ("an older sample than the last", ("1", 0), ("1.6", 100), false),
    ] {
        let answers = [seen(Dex, now, secs_ago)];
        let result = accept(&answers, &config(&[Dex]), last(before, before_secs_ago), at(NOW));
        let expected = (!believed).then_some(HoldReason::PriceJump);
        assert_eq!(reason(&result), expected, "{name}: {result:?}");
    }
}

#[test]
fn every_other_source_must_be_there_and_agree() {
    use HoldReason::{CrossCheckMissing, PriceDeviation, PriceMissing};
    use SourceName::{Dexscreener as Dex, Recorded};
    for (name, answers, expected) in [
        ("agree", vec![seen(Dex, "1", 0), seen(Recorded, "1.02", 0)], None),
        (
            "just too far above",
            vec![seen(Dex, "1", 0), seen(Recorded, "1.0201", 0)],
            Some(PriceDeviation),
        ),
        (
            "just too far below",
            vec![seen(Dex, "1.0201", 0), seen(Recorded, "1", 0)],
            Some(PriceDeviation),
        ),
        (
            "worlds apart",
            vec![
                seen(Dex, "9000000000", 0),
                seen(Recorded, "0.00000000000000000001", 0),
            ],
            Some(PriceDeviation),
        ),
        ("not asked", vec![seen(Dex, "1", 0)], Some(CrossCheckMissing)),
        (
            "no answer",
            vec![seen(Dex, "1", 0), nothing(Recorded)],
            Some(CrossCheckMissing),
        ),
        (
            "stale",
            vec![seen(Dex, "1", 0), seen(Recorded, "1", 121)],
            Some(CrossCheckMissing),
        ),
        (
            "zero",
            vec![seen(Dex, "1", 0), seen(Recorded, "0", 0)],
            Some(CrossCheckMissing),
        ),
        (
            "the first is missing",
            vec![nothing(Dex), seen(Recorded, "1", 0)],
            Some(PriceMissing),
        ),
    ] {
        let result = accept(&answers, &config(&[Dex, Recorded]), None, at(NOW));
        assert_eq!(reason(&result), expected, "{name}: {result:?}");
    }
}

#[test]
fn a_last_sample_of_another_source_is_not_compared() {
    let answers = [seen(SourceName::Generated, "1000", 0)];
    let result = accept(
        &answers,
        &config(&[SourceName::Generated]),
        last("1", 60),
        at(NOW),
    );
    assert_eq!(result.map(|accepted| accepted.price), Ok(price("1000")));
}

#[test]
fn a_move_limit_of_zero_is_off() {
    let unlimited = PriceConfig {
        max_price_move_pct: dec("0"),
        ..config(&[SourceName::Dexscreener])
    };
    let answers = [seen(SourceName::Dexscreener, "1000000", 0)];
    assert!(accept(&answers, &unlimited, last("1", 60), at(NOW)).is_ok());
}

#[test]
fn a_refusal_says_what_was_seen_and_what_is_allowed() {
    let answers = [seen(SourceName::Dexscreener, "3", 0)];
    let config = config(&[SourceName::Dexscreener]);
    let refused = accept(&answers, &config, last("1", 60), at(NOW)).expect_err("a jump");
    assert_eq!(
        refused.detail,
        "3 USD after 1 USD 60 s before, max_price_move_pct is 50"
    );
}

proptest! {
    #[test]
    fn no_real_move_locks_a_job_out_for_longer_than_a_day(
        before in any_price(), after in any_price(), move_pct in 1_i64..=10_000,
    ) {
        let config = PriceConfig {
            max_price_move_pct: move_pct.into(),
            ..config(&[SourceName::Dexscreener])
        };
        let last = Some(AcceptedPrice { price: before, source: SourceName::Dexscreener, observed_at: at(0) });
        let mut believed = Vec::new();
        for minute in 0..=24 * 60 + 1 {
            let now = at(60 * minute);
            let answer = Ok(Observation {
                source: SourceName::Dexscreener, price_usd: after.decimal(), observed_at: now,
            });
            believed.push(accept(&[answer], &config, last, now).is_ok());
        }
        prop_assert_eq!(believed.last(), Some(&true));
        // Once a price is believable it stays so: refusals come first, then none.
        prop_assert!(believed.is_sorted());
    }

    #[test]
    fn whatever_is_accepted_is_fresh_positive_and_near(
        first in -3_i64..1_000, other in -3_i64..1_000, before in 1_i64..1_000,
        age in -100_i64..300, since in 0_i64..1_000,
    ) {
        use SourceName::{Dexscreener, Generated};
        let config = config(&[Dexscreener, Generated]);
        let answers = [seen(Dexscreener, &first.to_string(), age), seen(Generated, &other.to_string(), 0)];
        let last = last(&before.to_string(), since + age);
        if let Ok(accepted) = accept(&answers, &config, last, at(NOW)) {
            prop_assert!(first > 0 && other > 0);
            prop_assert!((-30..=120).contains(&age));
            prop_assert!((first - other).abs() * 10_000 <= 200 * first.min(other));
            prop_assert_eq!(accepted.observed_at, at(NOW - age));
            if since < 120 {
                prop_assert!(2 * first <= 3 * before && 2 * before <= 3 * first);
            }
        }
    }

    #[test]
    fn small_steps_are_never_a_jump(from in any_price(), percent in 68_i64..=149) {
        let to: Price = scaled(from, percent.into());
        prop_assume!(to.decimal().scale() < 20);
        let config = PriceConfig { max_price_age: Span::from_secs(60), ..config(&[SourceName::Dexscreener]) };
        let last = Some(AcceptedPrice { price: from, source: SourceName::Dexscreener, observed_at: at(NOW) });
        let answer = Ok(Observation {
            source: SourceName::Dexscreener, price_usd: to.decimal(),
            observed_at: at(NOW) + TimeDelta::seconds(1),
        });
        prop_assert!(accept(&[answer], &config, last, at(NOW)).is_ok());
    }
}
