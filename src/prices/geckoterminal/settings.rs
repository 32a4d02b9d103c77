//! `[geckoterminal]` of the settings.

use serde::{Deserialize, Serialize};

use crate::domain::span::Span;

/// `[geckoterminal]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeckoterminalSettings {
    /// Where the API is.
    pub base_url: String,
    /// Longest wait for one answer.
    pub timeout: Span,
    /// Requests a minute of all processes that share a data directory.
    pub requests_per_minute: u32,
}

impl Default for GeckoterminalSettings {
    fn default() -> Self {
        Self {
            base_url: "https://api.geckoterminal.com/api/v2".to_owned(),
            timeout: Span::from_secs(10),
            requests_per_minute: 30,
        }
    }
}
