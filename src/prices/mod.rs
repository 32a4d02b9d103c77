//! Price sources.

use crate::domain::config::{PriceConfig, SourceName};

/// Names the series that samples of a source belong to.
#[must_use]
pub fn series(name: SourceName, config: &PriceConfig) -> String {
    let _ = config;
    name.to_string()
}
