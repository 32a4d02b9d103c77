//! Which prices are believed.

use rust_decimal::Decimal;

use super::{Timestamp, config::SourceName, decision::HoldReason, units::Price};

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
#[error("{source_name}: {detail}")]
pub struct PriceMissing {
    /// Who was asked.
    pub source_name: SourceName,
    /// What went wrong, for people.
    pub detail: String,
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
