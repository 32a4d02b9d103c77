//! Operations that write. Each has an Idempotency-Key; what moves real money is confirmed by a second request.

pub(super) mod backtest;
pub(super) mod baskets;
pub(super) mod config;
pub(super) mod jobs;
mod once;
pub(super) mod paper;
pub(super) mod positions;
pub(super) mod several;
pub(super) mod start;
pub(super) mod tokens;
pub(super) mod trial;
