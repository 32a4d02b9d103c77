//! Sweeps: exact ranges, crossed grids, ranking and its doubts, folds, thinning.
#![expect(clippy::expect_used, reason = "an error in a test's set-up fails the test")]

mod grid;
mod ranking;
mod thin;
