//! Lies about prices, decimals, gas and calldata; tokens that cannot be sold.

mod lies;
mod referees;
mod sales;
mod set_up;
mod witnesses;
