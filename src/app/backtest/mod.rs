//! Runs a job's rules over a file of prices. No database, no network.

mod asked;
mod basket;
mod outcome;
mod request;
pub mod runs;
mod sweep;

use std::sync::atomic::AtomicBool;

use crate::{
    app::AppError,
    backtest::{Detail, backtest, result::BacktestResult, series::Until},
    config::Settings,
};

pub use self::{
    basket::{BASKET_DRAWN, BasketRequest, run_basket, sweep_basket},
    request::BacktestRequest,
    sweep::{SweepLine, SweepRequest, Swept, WalkForward, sweep, sweep_until},
};

/// Runs one configuration. `detail`: what to keep for files and charts.
pub fn run(
    settings: &Settings,
    request: &BacktestRequest,
    detail: Detail,
) -> Result<BacktestResult, AppError> {
    run_until(settings, request, detail, &AtomicBool::new(false))
}

/// The same, given up once `stop` is set.
fn run_until(
    settings: &Settings,
    request: &BacktestRequest,
    detail: Detail,
    stop: &AtomicBool,
) -> Result<BacktestResult, AppError> {
    let series = request.open()?;
    let mode = request.mode(&[])?;
    let setup = request.setup(settings, mode, &[])?;
    let series = Until {
        series: &series,
        stop,
    };
    backtest(&setup, detail, &series).map_err(request::unreadable)
}
