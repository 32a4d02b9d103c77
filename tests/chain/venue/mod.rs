//! The Uniswap venue and on-chain prices, on a chain of one's own with the real contracts.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test may say what it expects and stop"
)]

mod aerodrome;
mod burners;
mod few_units;
mod kept;
mod liars;
mod mixed;
mod odd;
mod pancake;
mod paths;
mod prices;
mod refusals;
mod shapes;
mod signed;
mod slipstream;
mod swaps;
mod taxed;
mod v2_forks;
mod world;
mod young;
