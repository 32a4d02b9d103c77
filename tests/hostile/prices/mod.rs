//! Lies about prices, decimals, gas and calldata; tokens that cannot be sold.

mod hidden;
mod lies;
mod referees;
mod sales;
mod set_up;
mod witnesses;

pub use set_up::BOUGHT;
