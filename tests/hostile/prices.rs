//! Lies about prices, decimals, gas and calldata; tokens that cannot be sold.
