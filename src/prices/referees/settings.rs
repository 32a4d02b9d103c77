//! `[referees]` of the settings.

use serde::{Deserialize, Serialize};

use crate::domain::span::Span;

/// `[referees]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefereeSettings {
    /// Where `KyberSwap`'s aggregator is.
    pub kyberswap_url: String,
    /// Where Velora's API is.
    pub velora_url: String,
    /// Longest wait for an answer, 100ms to 1m.
    pub timeout: Span,
}

impl Default for RefereeSettings {
    fn default() -> Self {
        Self {
            kyberswap_url: "https://aggregator-api.kyberswap.com".to_owned(),
            velora_url: "https://api.paraswap.io".to_owned(),
            timeout: Span::from_secs(3),
        }
    }
}
