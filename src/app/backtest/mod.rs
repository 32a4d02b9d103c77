//! Runs a job's rules over a file of prices. No database, no network.

mod basket;
mod request;
pub mod runs;
mod sweep;

use crate::{
    app::AppError,
    backtest::{Detail, backtest, result::BacktestResult},
    config::Settings,
};

pub use self::{
    basket::{BasketRequest, run_basket, sweep_basket},
    request::BacktestRequest,
    sweep::{SweepLine, SweepRequest, Swept, WalkForward, sweep},
};

/// Runs one configuration. `detail`: what to keep for files and charts.
pub fn run(
    settings: &Settings,
    request: &BacktestRequest,
    detail: Detail,
) -> Result<BacktestResult, AppError> {
    let series = request.open()?;
    let mode = request.mode(&[])?;
    let setup = request.setup(settings, mode, &[])?;
    backtest(&setup, detail, &series).map_err(request::unreadable)
}
