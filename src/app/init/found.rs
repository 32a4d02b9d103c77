//! What was found out about a token, and what its job shall do.

use alloy_primitives::Address;
use serde::Serialize;

use crate::{
    app::{
        history::{History, PoolView},
        message::Message,
        whole::checksum,
    },
    domain::{
        span::Span,
        units::{Price, Usd},
    },
};

/// What is known of a token.
#[derive(Debug, Serialize)]
pub struct Found {
    #[serde(serialize_with = "checksum")]
    pub token: Address,
    pub chain: String,
    /// Its ticker, if it has one that can be shown.
    pub symbol: Option<String>,
    pub name: Option<String>,
    pub decimals: u8,
    pub price_usd: Option<Price>,
    /// The deepest first.
    pub pools: Vec<PoolView>,
    /// What could not be found out, and why.
    pub remarks: Vec<Message>,
    #[serde(skip)]
    pub history: Option<History>,
}

/// What the job shall do.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// USD of one buy.
    pub amount: Usd,
    pub interval: Span,
    /// Most USD in the position.
    pub most: Usd,
}
