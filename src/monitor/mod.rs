//! What an operator watches: `/metrics`, `/healthz`, `/readyz`, and the census of the whole installation.

mod alerts;
mod balances;
mod census;
mod door;
mod facts;
mod http;
mod ready;
mod settings;

pub use balances::Nodes;
pub use census::Census;
pub use http::{Served, serve};
pub use settings::CensusSettings;
