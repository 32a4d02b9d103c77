//! Live chains: nodes, contracts and keys behind the engine's ports.

mod evm;
pub mod keystore;
mod known;
mod receipts;
mod rpc;
mod send;
mod settings;
mod signer;

pub use evm::{EvmChain, NativePrice};
pub use known::Contracts;
pub use rpc::{CallError, Rpc};
pub use settings::{ChainKeys, ChainSpec, InvalidChain, WalletKeys};
pub use signer::LocalSigner;
