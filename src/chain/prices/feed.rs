//! The native coin's USD price from Chainlink, with plausibility checks.

use alloy_primitives::{I256, U256};
use rust_decimal::Decimal;

use crate::{
    chain::{
        contracts::{Feed, Multicall3},
        multicall::{Read, Reading, decode},
        settings::ChainSpec,
    },
    domain::{Timestamp, units::Price},
};

/// Decimals of every Chainlink USD feed.
const FEED_DECIMALS: u32 = 8;
/// Grace period after a sequencer restart.
const GRACE_SECONDS: u64 = 60 * 60;

/// Reads that every round of prices needs.
pub(super) fn reads(spec: &ChainSpec) -> [Read; 3] {
    let contracts = &spec.contracts;
    [
        Read::new(contracts.multicall3, &Multicall3::getCurrentBlockTimestampCall {}),
        Read::new(contracts.native_usd_feed, &Feed::latestRoundDataCall {}),
        Read::new(contracts.sequencer_feed, &Feed::latestRoundDataCall {}),
    ]
}

/// A chain's time, and its native USD price or why there is none.
#[derive(Debug, Clone)]
pub(super) struct Native {
    /// Time of the newest block.
    pub(super) block_time: Timestamp,
    pub(super) price: Result<FeedPrice, String>,
}

/// Answer of a price feed.
#[derive(Debug, Clone, Copy)]
pub(super) struct FeedPrice {
    /// USD per whole coin.
    pub(super) usd: Price,
    pub(super) updated_at: Timestamp,
}

/// Decodes the results of [`reads`]; `None` if even the time is missing.
pub(super) fn understand(spec: &ChainSpec, readings: &[Reading]) -> Option<Native> {
    let now = decode::<Multicall3::getCurrentBlockTimestampCall>(readings.first())?;
    let now = u64::try_from(now).ok()?;
    Some(Native {
        block_time: instant(now)?,
        price: price(spec, now, readings),
    })
}

fn instant(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_timestamp(i64::try_from(seconds).ok()?, 0)
}

fn price(spec: &ChainSpec, now: u64, readings: &[Reading]) -> Result<FeedPrice, String> {
    if spec.contracts.native_usd_feed.is_zero() {
        return Err(format!(
            "no price feed is known for {} on {}: set chains.{}.contracts.native_usd_feed, or quote in USDC",
            spec.native_symbol, spec.name, spec.name
        ));
    }
    if !spec.contracts.sequencer_feed.is_zero() {
        let up = decode::<Feed::latestRoundDataCall>(readings.get(2));
        let up = up.ok_or("the sequencer's feed does not answer")?;
        check_sequencer(up.answer, up.startedAt, now)?;
    }
    let round = decode::<Feed::latestRoundDataCall>(readings.get(1));
    let round = round.ok_or_else(|| format!("the price feed of {} does not answer", spec.native_symbol))?;
    let updated = u64::try_from(round.updatedAt).unwrap_or_default();
    let age = now.saturating_sub(updated);
    let age_max = spec.feed_age_max.std().as_secs();
    if age > age_max {
        return Err(format!(
            "the price feed of {} is {age} s old, at most {age_max} s are allowed",
            spec.native_symbol
        ));
    }
    let price = i128::try_from(round.answer)
        .ok()
        .and_then(|answer| Decimal::try_from_i128_with_scale(answer, FEED_DECIMALS).ok())
        .and_then(|answer| Price::new(answer).ok());
    let price =
        price.ok_or_else(|| format!("the price feed of {} says {}", spec.native_symbol, round.answer))?;
    Ok(FeedPrice {
        usd: price,
        updated_at: instant(updated).ok_or("the price feed's time is invalid")?,
    })
}

fn check_sequencer(answer: I256, started_at: U256, now: u64) -> Result<(), String> {
    if !answer.is_zero() {
        return Err("the chain's sequencer is down".to_owned());
    }
    let up_for = now.saturating_sub(u64::try_from(started_at).unwrap_or(u64::MAX));
    if up_for <= GRACE_SECONDS {
        return Err(format!(
            "the chain's sequencer came back {up_for} s ago; prices are accepted after {GRACE_SECONDS} s"
        ));
    }
    Ok(())
}
