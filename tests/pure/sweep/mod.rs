//! Sweeps: exact ranges, crossed grids, what is best and how far it may be believed, folds, thinning.
#![expect(clippy::expect_used, reason = "what cannot go on in a test fails it")]

mod grid;
mod ranking;
mod thin;
