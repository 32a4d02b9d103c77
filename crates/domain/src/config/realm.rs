//! Floors for configurations with real money; no file and no flag lowers them.

use rust_decimal::Decimal;

use super::{
    invalid::{InvalidConfig, Validator},
    job::JobConfig,
    sections::SourceName,
};
use crate::{
    chains,
    job::{JobMode, Realm},
    span::Span,
};

/// Least jitter of a live job: slots are predictable, and an attacker who knows the second of a trade can wait for it.
pub const LIVE_JITTER_MIN: Span = Span::from_secs(5);
/// Default jitter of a live job.
const LIVE_JITTER_USUAL: Span = Span::from_secs(10);
/// Default of a live job, per cent. If the pool is the only source, our own last sample is the independent
/// source: pushing the price further than this within a block causes no trade.
const LIVE_MOVE_USUAL: i64 = 5;
/// Default age of a pool that a live job buys in: the first minutes of a launch belong to snipers and their taxes.
const LIVE_POOL_AGE_USUAL: Span = Span::from_secs(10 * 60);
/// Most jitter of any job.
const JITTER_MAX: Span = Span::from_secs(3_600);
/// A price's age allows one more `max_price_move_pct` each time it has passed: a short one would be no limit.
const LIVE_PRICE_AGE: (Span, Span) = (Span::from_secs(30), Span::from_secs(15 * 60));
/// Maximum accepted move from one sample to the next, per cent, with a single source.
const LIVE_MOVE_ONE_SOURCE: i64 = 10;
/// The same where sources check each other.
const LIVE_MOVE_SEVERAL: i64 = 50;
/// Most slippage, fee, price impact and distance between sources, basis points.
const LIVE_BPS_MAX: u32 = 1_000;

impl JobConfig {
    /// The configuration of a new job of `mode` in `realm`, before files and flags: [`JobConfig::for_mode`], and for a
    /// live job the pool's own price, a small believable move and a jitter,
    /// and on every chain except [`chains::PRACTICE`] a least age of pools.
    #[must_use]
    pub fn beginning(mode: JobMode, realm: Realm, chain: &str) -> Self {
        let mut config = Self::for_mode(mode);
        if realm == Realm::Live {
            config.price.sources = vec![SourceName::Onchain];
            config.price.max_price_move_pct = Decimal::from(LIVE_MOVE_USUAL);
            config.schedule.jitter = LIVE_JITTER_USUAL;
            if chain != chains::PRACTICE {
                config.venue.min_pool_age = LIVE_POOL_AGE_USUAL;
            }
        }
        config
    }

    /// [`JobConfig::validate`], and the floors of the realm. A live job never trades on invented or recorded prices.
    /// On every chain except [`chains::PRACTICE`], whose coins are worthless, its safeguards also have floors.
    ///
    /// # Errors
    /// Every error, not only the first.
    pub fn validate_for(&self, mode: JobMode, realm: Realm, chain: &str) -> Result<(), Vec<InvalidConfig>> {
        let mut found = Validator::default();
        if let Err(wrong) = self.validate(mode) {
            found.extend(wrong);
        }
        if realm == Realm::Live {
            real_prices(self, &mut found);
            if chain != chains::PRACTICE {
                floors(self, chain, &mut found);
            }
        }
        found.or_errors(())
    }
}

impl SourceName {
    /// Whether real money may trade on its prices: neither generated nor recorded.
    #[must_use]
    pub const fn is_real(self) -> bool {
        match self {
            Self::Generated | Self::Recorded => false,
            Self::Dexscreener | Self::Onchain | Self::Twap => true,
        }
    }

    /// Whether it asks the chain's nodes.
    #[must_use]
    pub const fn asks_nodes(self) -> bool {
        match self {
            Self::Onchain | Self::Twap => true,
            Self::Generated | Self::Recorded | Self::Dexscreener => false,
        }
    }
}

fn real_prices(config: &JobConfig, found: &mut Validator) {
    let names: Vec<String> = config.price.sources.iter().map(ToString::to_string).collect();
    found.require(
        config.price.sources.iter().all(|source| source.is_real()),
        "price.sources",
        format_args!("[{}]", names.join(", ")),
        "onchain, dexscreener and twap for a live job: generated prices are not real and recorded ones are old, so \
         both are for paper; for example price.sources = onchain,dexscreener",
    );
}

fn floors(config: &JobConfig, chain: &str, found: &mut Validator) {
    let whose = format!("for a live job on {chain}, where money is real");
    let jitter = config.schedule.jitter;
    found.require(
        (LIVE_JITTER_MIN..=JITTER_MAX).contains(&jitter),
        "schedule.jitter",
        jitter,
        format_args!("{LIVE_JITTER_MIN} to {JITTER_MAX} {whose}: without it others can foresee each trade"),
    );
    let (age, (least, most)) = (config.price.max_price_age, LIVE_PRICE_AGE);
    found.require(
        (least..=most).contains(&age),
        "price.max_price_age",
        age,
        format_args!("{least} to {most} {whose}"),
    );
    let several = config.price.sources.len() > 1;
    let most = Decimal::from(if several {
        LIVE_MOVE_SEVERAL
    } else {
        LIVE_MOVE_ONE_SOURCE
    });
    let moved = config.price.max_price_move_pct;
    let why = if several {
        "this limit cannot be off"
    } else {
        "its only source has nothing else to be checked against; a second one, as in \
         price.sources = onchain,dexscreener, allows up to 50"
    };
    found.require(
        moved > Decimal::ZERO && moved <= most,
        "price.max_price_move_pct",
        moved,
        format_args!("above 0, up to {most} {whose}: {why}"),
    );
    for (key, value) in [
        (
            "price.max_price_deviation_bps",
            config.price.max_price_deviation_bps,
        ),
        ("limits.max_slippage_bps", config.limits.max_slippage_bps),
        ("limits.max_pool_fee_bps", config.limits.max_pool_fee_bps),
        ("limits.max_price_impact_bps", config.limits.max_price_impact_bps),
        (
            "limits.max_slip_from_quote_bps",
            config.limits.max_slip_from_quote_bps,
        ),
    ] {
        found.require(
            value <= LIVE_BPS_MAX,
            key,
            value,
            format_args!("1 to {LIVE_BPS_MAX} {whose}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(change: impl FnOnce(&mut JobConfig)) -> JobConfig {
        let mut config = JobConfig::beginning(JobMode::Accumulate, Realm::Live, "base");
        change(&mut config);
        config
    }

    fn refused(config: &JobConfig, realm: Realm, chain: &str) -> Vec<String> {
        let wrong = config.validate_for(JobMode::Accumulate, realm, chain);
        wrong
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|one| one.key)
            .collect()
    }

    #[test]
    fn invented_and_recorded_prices_are_for_paper_on_every_chain() {
        for source in [SourceName::Generated, SourceName::Recorded] {
            for sources in [
                vec![source],
                vec![SourceName::Onchain, source],
                vec![source, SourceName::Onchain],
            ] {
                let mut config = live(|config| config.price.sources = sources);
                config.price.recorded = Some(super::super::sections::RecordedConfig {
                    file: "prices.csv".to_owned(),
                    speed: Decimal::ONE,
                    starts_at: None,
                });
                for chain in ["base", "local", "moon"] {
                    assert_eq!(refused(&config, Realm::Live, chain), ["price.sources"]);
                    assert_eq!(refused(&config, Realm::Paper, chain), [""; 0]);
                }
            }
        }
    }

    #[test]
    fn each_safeguard_of_live_has_a_floor_everywhere_but_on_the_practice_chain() {
        type Change = fn(&mut JobConfig);
        let changes: [(&str, Change); 11] = [
            ("schedule.jitter", |c| c.schedule.jitter = Span::ZERO),
            ("schedule.jitter", |c| c.schedule.jitter = Span::from_secs(4)),
            ("price.max_price_age", |c| {
                c.price.max_price_age = Span::from_secs(1)
            }),
            ("price.max_price_move_pct", |c| {
                c.price.max_price_move_pct = Decimal::ZERO;
            }),
            ("price.max_price_move_pct", |c| {
                c.price.max_price_move_pct = Decimal::from(11);
            }),
            ("price.max_price_move_pct", |c| {
                c.price.sources.push(SourceName::Dexscreener);
                c.price.max_price_move_pct = Decimal::from(51);
            }),
            ("price.max_price_deviation_bps", |c| {
                c.price.max_price_deviation_bps = 1_001;
            }),
            ("limits.max_slippage_bps", |c| c.limits.max_slippage_bps = 1_001),
            ("limits.max_pool_fee_bps", |c| c.limits.max_pool_fee_bps = 1_001),
            ("limits.max_slip_from_quote_bps", |c| {
                c.limits.max_slip_from_quote_bps = 1_001;
            }),
            ("limits.max_price_impact_bps", |c| {
                c.limits.max_price_impact_bps = 5_000;
            }),
        ];
        assert_eq!(refused(&live(|_| {}), Realm::Live, "base"), [""; 0]);
        for (key, change) in changes {
            let config = live(change);
            for chain in ["base", "moon", "Local", ""] {
                assert_eq!(refused(&config, Realm::Live, chain), [key], "{chain}");
            }
            assert_eq!(refused(&config, Realm::Live, chains::PRACTICE), [""; 0], "{key}");
            assert_eq!(refused(&config, Realm::Paper, "base"), [""; 0], "{key}");
        }
    }
}
