//! Error of a report.

/// A result that cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The data cannot be serialized.
    #[error("the charts' data cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}
