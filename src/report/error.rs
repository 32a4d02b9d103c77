//! A result that cannot be shown.

/// A result that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A number that JSON cannot hold.
    #[error("the charts' data cannot be written as JSON: {0}; `--json` may still show the result")]
    Json(#[from] serde_json::Error),
}
