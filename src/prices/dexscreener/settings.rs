//! `[dexscreener]` of the settings.

use serde::{Deserialize, Serialize};

use crate::domain::span::Span;

/// `[dexscreener]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DexscreenerSettings {
    /// Where the API is.
    pub base_url: String,
    /// Longest wait for one answer; all tries of a request together may take twice that.
    pub timeout: Span,
    /// Requests a minute of all processes together.
    pub requests_per_minute: u32,
}

impl Default for DexscreenerSettings {
    fn default() -> Self {
        Self {
            base_url: "https://api.dexscreener.com".to_owned(),
            timeout: Span::from_secs(5),
            requests_per_minute: 300,
        }
    }
}
