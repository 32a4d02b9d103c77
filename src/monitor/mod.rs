//! What an operator watches: `/metrics`, `/healthz`, `/readyz`, and the census of the whole installation.

mod balances;
mod census;
mod door;
mod facts;
mod http;
mod ready;

pub use balances::Nodes;
pub use census::{Census, CensusSettings};
pub use http::{Served, serve};
