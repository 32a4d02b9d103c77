//! Tracing, and every metric name.

use std::{fmt::Display, time::Instant};

use tracing::{info, warn};

/// Says once that something is gone, and once that it is back.
#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    since: Option<Instant>,
}

impl Outage {
    /// Nothing is wrong yet.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        Self { what, since: None }
    }

    /// It failed. Only the first failure in a row is said.
    pub fn failed(&mut self, error: &dyn Display) {
        if self.since.is_none() {
            warn!(what = self.what, %error, "not available; trying on");
            self.since = Some(Instant::now());
        }
    }

    /// It worked. Only the first success after a failure is said.
    pub fn recovered(&mut self) {
        if let Some(since) = self.since.take() {
            info!(what = self.what, after = ?since.elapsed(), "available again");
        }
    }
}
