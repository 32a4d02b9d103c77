//! The configuration as a whole: every error at once, every key covered, one table per job.

use lgi_mm::domain::config::{JobConfigFile, KEYS};
use strum::VariantArray;

use super::{basket::BASKET, order::ORDER, *};

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let found = messages(JobMode::Accumulate, |c| {
        c.limits.max_slippage_bps = 0;
        c.price.sources.clear();
        accumulate(c).take_profit_sell_pct = dec("0");
    });
    assert_eq!(found.len(), 3, "{found:#?}");
}

/// A new key of a rule needs a range, and a refusal of a value outside of it.
#[test]
fn every_key_of_a_rule_has_a_value_that_is_refused() {
    // These are refused as they are read, or as one of two that exclude each other.
    let by_type = ["accumulate.dca_schedule", "order.side", "order.until"];
    let refused: Vec<&str> = ACCUMULATE
        .iter()
        .chain(LIQUIDITY)
        .chain(ORDER)
        .chain(BASKET)
        .map(|(_, said)| *said)
        .collect();
    for mode in JobMode::VARIANTS {
        let prefix = format!("{}.", mode.section());
        for key in KEYS.iter().filter(|key| key.name.starts_with(&prefix)) {
            let begins = format!("{} = ", key.name);
            assert!(
                by_type.contains(&key.name) || refused.iter().any(|said| said.starts_with(&begins)),
                "{} is never refused",
                key.name
            );
        }
    }
}

#[test]
fn a_job_has_the_table_of_its_own_mode_and_of_no_other() {
    let missing = |mode: JobMode| {
        format!(
            "{}: this section is missing, and a job of mode {mode} needs it",
            mode.section()
        )
    };
    let present = |other: JobMode, mode: JobMode| {
        format!(
            "{}: a job of mode {mode} has the section {} and no other of this kind; remove the keys of {}",
            other.section(),
            mode.section(),
            other.section()
        )
    };
    let both = JobConfigFile {
        accumulate: Some(AccumulateConfig::default()),
        liquidity: Some(LiquidityConfig::default()),
        ..JobConfigFile::default()
    };
    let said = |file: &JobConfigFile, mode| -> Vec<String> {
        let found = file.clone().validated(mode).err().unwrap_or_default();
        found.iter().map(ToString::to_string).collect()
    };
    for (mode, other) in [
        (JobMode::Accumulate, JobMode::Liquidity),
        (JobMode::Liquidity, JobMode::Accumulate),
    ] {
        assert_eq!(said(&JobConfigFile::default(), mode), [missing(mode)]);
        assert_eq!(said(&both, mode), [present(other, mode)]);
        let mut others: Vec<String> = said(&JobConfig::for_mode(other).into(), mode);
        others.sort();
        let mut expected = [missing(mode), present(other, mode)];
        expected.sort();
        assert_eq!(others, expected);
        let own = JobConfigFile::from(JobConfig::for_mode(mode));
        assert_eq!(own.validated(mode), Ok(JobConfig::for_mode(mode)));
        let found = JobConfig::for_mode(other)
            .validate(mode)
            .err()
            .unwrap_or_default();
        assert_eq!(found.len(), 2, "{found:?}");
    }
}

#[test]
fn the_sources_that_an_error_names_are_those_that_there_are() {
    let found = messages(JobMode::Accumulate, |c| c.price.sources.clear());
    let [said] = found.as_slice() else {
        panic!("{found:?}");
    };
    for source in SourceName::VARIANTS {
        assert!(said.contains(source.to_string().as_str()), "{source}: {said}");
    }
}

#[test]
fn the_edges_of_every_range_are_allowed() {
    let cases: [(JobMode, Change); 8] = [
        (JobMode::Accumulate, |c| c.limits.max_daily_spend_usd = Usd::ZERO),
        (JobMode::Accumulate, |c| c.limits.min_trade_usd = usd("10")),
        (JobMode::Accumulate, |c| {
            accumulate(c).max_accumulation_usd = usd("10")
        }),
        (JobMode::Accumulate, |c| {
            accumulate(c).dip_buy_threshold_pct = dec("0")
        }),
        (JobMode::Accumulate, |c| {
            accumulate(c).dca_interval = None;
            accumulate(c).dca_schedule = Some(CronExpr::every_minute());
        }),
        (JobMode::Liquidity, |c| liquidity(c).support_dip_pct = dec("2")),
        (JobMode::Liquidity, |c| {
            liquidity(c).rebalance_threshold_pct = dec("50")
        }),
        (JobMode::Liquidity, |c| liquidity(c).budget_usd = usd("25")),
    ];
    for (index, (mode, change)) in cases.into_iter().enumerate() {
        assert_eq!(messages(mode, change), Vec::<String>::new(), "case {index}");
    }
}
