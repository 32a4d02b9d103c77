//! Which prices are believed.

use alloy_primitives::Address;
use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::{
    Timestamp,
    config::{PriceConfig, SourceName},
    decision::HoldReason,
    foreign::Foreign,
    pool::Pool,
    units::Price,
};

/// How far ahead of our clock a source's clock may be.
pub const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

/// A last sample older than this says nothing about the present.
pub const JUMP_MEMORY: TimeDelta = TimeDelta::hours(24);

/// Names the series of samples that a source writes. Jobs with the same name share their samples, so the name holds
/// everything that changes a price, in one notation for each number. An on-chain price also depends on `quote` and the
/// pinned `pool`: a thin pool must not set the highs and means of jobs that trade in a deep one.
#[must_use]
pub fn series(name: SourceName, config: &PriceConfig, quote: Address, pool: Option<Pool>) -> String {
    match (name, &config.recorded) {
        (SourceName::Generated, _) => {
            let generated = &config.generated;
            format!(
                "generated:seed={},start={},swing={},period={}",
                generated.seed,
                generated.start_usd.normalize(),
                generated.swing_pct.normalize(),
                generated.period
            )
        }
        (SourceName::Recorded, Some(recorded)) => {
            let (file, speed) = (&recorded.file, recorded.speed.normalize());
            recorded.starts_at.map_or_else(
                || format!("recorded:{file}@{speed}"),
                |starts_at| format!("recorded:{file}@{speed},from={}", starts_at.to_rfc3339()),
            )
        }
        (SourceName::Onchain | SourceName::Twap, _) => {
            let pool = pool.map_or_else(|| "best".to_owned(), |pool| pool.to_string());
            format!("{name}:{quote:#x}:{pool}")
        }
        (SourceName::Recorded | SourceName::Dexscreener, _) => name.to_string(),
    }
}

/// What a source said, before anybody believed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Who said it.
    pub source: SourceName,
    /// USD per whole token, as it came: may be zero or negative.
    pub price_usd: Decimal,
    /// The instant the price is for. A source without timestamps says when it was asked.
    pub observed_at: Timestamp,
}

/// A source's answer for one token.
pub type Answer = Result<Observation, PriceMissing>;

/// Why a source has no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {}", Foreign::new(detail))]
pub struct PriceMissing {
    /// Who was asked.
    pub source_name: SourceName,
    /// What went wrong, for people.
    pub detail: String,
    /// The named hold, if it is this source that is to be believed.
    pub reason: HoldReason,
}

impl PriceMissing {
    /// A source without a price, and why, in words for people.
    #[must_use]
    pub fn new(source_name: SourceName, detail: impl ToString) -> Self {
        Self {
            source_name,
            detail: detail.to_string(),
            reason: HoldReason::PriceMissing,
        }
    }
}

/// A price that passed every check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedPrice {
    /// USD per whole token.
    pub price: Price,
    /// The source it came from.
    pub source: SourceName,
    /// The instant it is for.
    pub observed_at: Timestamp,
}

/// A price that must not be traded on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPrice {
    /// The named hold.
    pub reason: HoldReason,
    /// What was seen and what was allowed, for people.
    pub detail: String,
}

/// Believes the first answer if it is there, above zero, fresh, near to the last accepted sample, and every
/// other source agrees. `answers` are in the order of `price.sources`; `now` is the instant of the check, not
/// the slot; `last` is the last accepted sample, whatever its age.
///
/// How far a price may have moved grows with the time since `last`, compounding: each `max_price_age` begun
/// allows `max_price_move_pct` again, up or down (a fall is measured by the rise that undoes it). So a wild
/// price holds the job for a while, and a real one that lasts is believed in the end: at 50 % and 2 minutes,
/// ten times the price after 10 minutes. A last sample from another source, or older than
/// [`JUMP_MEMORY`], is not compared at all.
///
/// # Errors
/// [`RefusedPrice`] with the first check that failed.
pub fn accept(
    answers: &[Answer],
    config: &PriceConfig,
    last: Option<AcceptedPrice>,
    now: Timestamp,
) -> Result<AcceptedPrice, RefusedPrice> {
    let (first, others) = answers.split_first().ok_or_else(|| {
        refused(
            HoldReason::PriceMissing,
            format_args!("no price source was asked"),
        )
    })?;
    let first = first
        .as_ref()
        .map_err(|missing| refused(missing.reason, missing))?;
    let price = usable(first, config, now)?;
    if let Some(last) = last.filter(|last| last.source == first.source) {
        check_move(price, first.observed_at, &last, config)?;
    }
    if answers.len() < config.sources.len() {
        return Err(refused(
            HoldReason::CrossCheckMissing,
            format_args!("{} of {} sources answered", answers.len(), config.sources.len()),
        ));
    }
    for other in others {
        check_agreement(first, price, other, config, now)?;
    }
    Ok(AcceptedPrice {
        price,
        source: first.source,
        observed_at: first.observed_at,
    })
}

/// Holds a price that only one source said against what single nodes say of it. `last`: the last accepted sample. It is
/// needed for the first price of a live job, which nothing was before, and for every price that a liquidation sells on.
///
/// Two nodes must agree with the price, the one that said it included; one that disagrees is enough to refuse it. Where
/// fewer can be asked, a sample of our own, not older than [`JUMP_MEMORY`], stands for one of them: that nodes are down
/// must not keep anybody in a position.
///
/// # Errors
/// [`RefusedPrice`]: `price_deviation` if a node says something else, `cross_check_missing` if too few say anything.
pub fn confirm(
    accepted: &AcceptedPrice,
    said: &[Answer],
    last: Option<AcceptedPrice>,
    config: &PriceConfig,
    now: Timestamp,
) -> Result<(), RefusedPrice> {
    if config.single_source {
        return Ok(());
    }
    let first = Observation {
        source: accepted.source,
        price_usd: accepted.price.decimal(),
        observed_at: accepted.observed_at,
    };
    let mut agree = 0_u32;
    for answer in said {
        match check_agreement(&first, accepted.price, answer, config, now) {
            Ok(()) => agree = agree.saturating_add(1),
            Err(refused) if refused.reason == HoldReason::PriceDeviation => return Err(refused),
            Err(_) => {}
        }
    }
    let remembered = is_recent(last, now);
    if agree >= 2 || remembered {
        return Ok(());
    }
    Err(refused(
        HoldReason::CrossCheckMissing,
        format_args!(
            "{}: {} USD is what one source says, and {agree} of 2 nodes that were asked apart confirm it: give the chain a \
             second URL of another provider (rpc_urls), add a source (price.sources), or say that one is enough \
             (price.single_source = true)",
            accepted.source, accepted.price
        ),
    ))
}

/// Whether the last sample is young enough to say anything of the present.
#[must_use]
pub fn is_recent(last: Option<AcceptedPrice>, now: Timestamp) -> bool {
    last.is_some_and(|last| now.signed_duration_since(last.observed_at) <= JUMP_MEMORY)
}

/// A price above zero, neither old nor from the future.
fn usable(seen: &Observation, config: &PriceConfig, now: Timestamp) -> Result<Price, RefusedPrice> {
    let source = seen.source;
    let price = Price::new(seen.price_usd).map_err(|_| {
        refused(
            HoldReason::PriceInvalid,
            format_args!("{source}: {} is not above 0", seen.price_usd),
        )
    })?;
    let age = now.signed_duration_since(seen.observed_at);
    let oldest = config.max_price_age;
    if age > oldest.delta() {
        return Err(refused(
            HoldReason::PriceStale,
            format_args!("{source}: {} s old, max_price_age is {oldest}", age.num_seconds()),
        ));
    }
    if seen.observed_at.signed_duration_since(now) > CLOCK_SKEW_MAX {
        return Err(refused(
            HoldReason::PriceStale,
            format_args!(
                "{source}: observed at {}, which is in the future",
                seen.observed_at
            ),
        ));
    }
    Ok(price)
}

fn check_move(
    price: Price,
    observed_at: Timestamp,
    last: &AcceptedPrice,
    config: &PriceConfig,
) -> Result<(), RefusedPrice> {
    let since_last = observed_at.signed_duration_since(last.observed_at);
    if config.max_price_move_pct.is_zero() || since_last > JUMP_MEMORY {
        return Ok(());
    }
    let (higher, lower) = (price.max(last.price), price.min(last.price));
    let periods = since_last
        .num_milliseconds()
        .checked_div(config.max_price_age.delta().num_milliseconds().max(1))
        .map_or(0, |whole| u32::try_from(whole).unwrap_or(0))
        .saturating_add(1);
    let allowed = growth(config.max_price_move_pct, periods);
    let ratio = higher.decimal().checked_div(lower.decimal());
    // A growth past what a decimal holds allows any move; a ratio past it is allowed by none.
    match (allowed, ratio) {
        (None, _) => Ok(()),
        (Some(allowed), Some(ratio)) if ratio <= allowed => Ok(()),
        _ => Err(refused(
            HoldReason::PriceJump,
            format_args!(
                "{price} USD after {} USD {} s before, max_price_move_pct is {}",
                last.price,
                since_last.num_seconds(),
                config.max_price_move_pct
            ),
        )),
    }
}

/// `(1 + percent / 100) ^ periods`; `None` past the range of a decimal.
fn growth(percent: Decimal, periods: u32) -> Option<Decimal> {
    let mut base = percent
        .checked_div(Decimal::ONE_HUNDRED)?
        .checked_add(Decimal::ONE)?;
    let mut result = Decimal::ONE;
    let mut bits = periods;
    while bits > 0 {
        if bits & 1 == 1 {
            result = result.checked_mul(base)?;
        }
        bits >>= 1_u32;
        if bits > 0 {
            base = base.checked_mul(base)?;
        }
    }
    Some(result)
}

/// Another source agrees, measured against the lower of the two prices.
fn check_agreement(
    first: &Observation,
    price: Price,
    other: &Answer,
    config: &PriceConfig,
    now: Timestamp,
) -> Result<(), RefusedPrice> {
    let missing = |detail: &dyn std::fmt::Display| refused(HoldReason::CrossCheckMissing, detail);
    let other = other.as_ref().map_err(|e| missing(e))?;
    // A cross-check that is stale or invalid is as good as none, whatever is wrong with it.
    let checked = usable(other, config, now).map_err(|e| missing(&e.detail))?;
    let (higher, lower) = (price.max(checked), price.min(checked));
    let distance = higher
        .percent_above(lower)
        .ok()
        .and_then(|percent| percent.checked_mul(Decimal::ONE_HUNDRED));
    if distance.is_some_and(|bps| bps <= Decimal::from(config.max_price_deviation_bps)) {
        return Ok(());
    }
    Err(refused(
        HoldReason::PriceDeviation,
        format_args!(
            "{}: {price}, {}: {checked}, max_price_deviation_bps is {}",
            first.source, other.source, config.max_price_deviation_bps
        ),
    ))
}

fn refused(reason: HoldReason, detail: impl std::fmt::Display) -> RefusedPrice {
    RefusedPrice {
        reason,
        detail: detail.to_string(),
    }
}
