//! Tools for agents: the Model Context Protocol over standard input and output.
//!
//! The model at the other end reads text that strangers wrote, such as tickers and the errors of nodes, and may follow
//! what it says. So a server only reads unless its owner allows more, nothing that it may be allowed moves real money,
//! and text that is not ours is marked ([`untrusted`]).

mod agent;
mod call;
mod server;
mod tools;
mod turns;
mod untrusted;
pub(crate) mod wording;

pub use server::serve;
pub use tools::Allowed;
