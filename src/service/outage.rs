//! Outages in the log.

use std::{fmt::Display, time::Instant};

use tracing::{info, warn};

/// Logs the start and the end of an outage, once each.
#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    since: Option<Instant>,
}

impl Outage {
    /// No outage yet.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what, since: None }
    }

    /// Notes a failure. Only the first in a row is logged.
    pub fn failed(&mut self, error: &dyn Display) {
        if self.since.is_none() {
            warn!(what = self.what, %error, "unavailable; retrying");
            self.since = Some(Instant::now());
        }
    }

    /// Notes a success. Only the first after a failure is logged.
    pub fn recovered(&mut self) {
        if let Some(since) = self.since.take() {
            info!(what = self.what, after = ?since.elapsed(), "available again");
        }
    }
}
