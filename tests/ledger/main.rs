//! Parts of the program on a real PostgreSQL, in the test's own process.

mod backtest;
mod bulk;
mod engine;
mod paper;
mod prices;
mod queue;
