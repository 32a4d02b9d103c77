//! Checks of an installation, each with its fix.

mod check;
mod database;
mod examine;
mod forks;
mod live;
mod nodes;
mod nonce;
mod policy;
mod receivers;
mod settings;
mod signals;
mod wallet_code;
mod zones;

pub use check::{Check, CheckStatus};
pub use examine::{doctor, doctor_of};
