//! Live chains: nodes, contracts and keys behind the engine's ports.

mod contracts;
mod dex;
mod endpoint;
mod evm;
mod foreign_use;
mod fresh;
pub mod keystore;
pub mod kms;
mod known;
mod lookup;
mod markets;
mod multicall;
mod node;
pub mod policy;
mod prices;
mod quorum;
mod receipts;
mod rpc;
mod send;
mod settings;
mod signer;
mod token;
mod unfit;
mod wire;

pub use dex::BestOf;
pub use evm::{EvmChain, NativePrice};
pub use known::Contracts;
pub use markets::{LiveChain, LiveChains, LiveMarkets, Realms, open_chains, price_witnesses};
pub use prices::OnchainPrices;
pub use rpc::{CallError, NodeState, Rpc};
pub use settings::{ChainKeys, ChainSpec, InvalidChain, WalletKeys, one_node_warning};
pub use signer::LocalSigner;
pub use token::{TokenError, TokenInfo, agreed_token_info, token_info};
