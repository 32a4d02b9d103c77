//! Settings of the engine.

use crate::domain::{span::Span, trouble::Patience};

/// Time limits and intervals of the engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineSettings {
    /// One price sample is kept per interval.
    pub sample_interval: Span,
    /// A frozen plan without a nonce expires after this long.
    pub plan_lifetime: Span,
    /// The chain reverts calldata this long after it was made.
    pub trade_deadline: Span,
    /// Interval between checks of an open trade.
    pub check_interval: Span,
    /// Maximum number of open transactions of one signer.
    pub pipeline_max: i64,
    /// How long something may block a job before its owner is notified.
    pub patience: Patience,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            sample_interval: Span::from_secs(60),
            plan_lifetime: Span::from_secs(60),
            trade_deadline: Span::from_secs(120),
            check_interval: Span::from_secs(1),
            pipeline_max: 16,
            patience: Patience::default(),
        }
    }
}
