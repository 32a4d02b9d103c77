//! The engine: its ports, its settings and its connection to the ledger.

use std::sync::Arc;

use metrics::counter;
use sqlx::PgPool;
use strum::VariantArray;

use super::{
    dry_sales::DrySales, logged::LoggedHolds, settings::EngineSettings, sights::Sights, wallets::Wallets,
};
use crate::{
    domain::{span::Span, trade::FailureKind},
    ports::{Markets, Prices, Referees},
    store::memory::JobMemory,
    telemetry::metric,
};

/// Evaluates ticks and settles trades. Its state is in the database; the memory of jobs only saves reading rows that
/// have not changed.
#[derive(Clone)]
pub struct Engine {
    pub(super) pool: PgPool,
    pub(super) prices: Arc<dyn Prices>,
    pub(super) markets: Arc<dyn Markets>,
    pub(super) referees: Option<Arc<dyn Referees>>,
    pub(super) settings: EngineSettings,
    pub(super) memory: Arc<JobMemory>,
    pub(super) dry_sales: Arc<DrySales>,
    pub(super) sights: Arc<Sights>,
    pub(super) logged: Arc<LoggedHolds>,
    pub(super) wallets: Arc<Wallets>,
    /// How much later than its time the next check of a trade is planned whose bytes are sent.
    pub(super) follows: Span,
}

impl Engine {
    /// An engine over this ledger, these prices and these markets.
    #[must_use]
    pub fn new(
        pool: PgPool,
        prices: Arc<dyn Prices>,
        markets: Arc<dyn Markets>,
        settings: EngineSettings,
    ) -> Self {
        // Export zeros first: a counter that first appears at one shows no increase.
        for kind in FailureKind::VARIANTS {
            counter!(metric::TRADE_FAILURES, "reason" => <&'static str>::from(kind)).increment(0);
        }
        Self {
            pool,
            prices,
            markets,
            referees: None,
            settings,
            memory: Arc::default(),
            dry_sales: Arc::default(),
            sights: Arc::default(),
            logged: Arc::default(),
            wallets: Arc::default(),
            follows: Span::ZERO,
        }
    }

    /// The same engine, for a caller that follows a trade by itself while [`Progress::Sent`](super::Progress::Sent)
    /// says when to look: the schedulers take the trade over once it is late by `lease`.
    #[must_use]
    pub fn following(&self, lease: Span) -> Self {
        Self {
            follows: lease,
            ..self.clone()
        }
    }

    /// The same engine, which can ask `referees` for the jobs that name one.
    #[must_use]
    pub fn with_referees(self, referees: Arc<dyn Referees>) -> Self {
        Self {
            referees: Some(referees),
            ..self
        }
    }

    /// The connection pool of the ledger.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }
}
