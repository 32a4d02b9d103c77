//! Live chains: nodes, contracts and keys behind the engine's ports.

mod known;
mod rpc;
mod settings;

pub use known::Contracts;
pub use rpc::{CallError, Rpc};
pub use settings::{ChainKeys, ChainSpec, InvalidChain, WalletKeys};
