//! Live chains: nodes, contracts and keys behind the engine's ports.

mod contracts;
mod endpoint;
mod evm;
mod fresh;
pub mod keystore;
pub mod kms;
mod known;
mod markets;
mod multicall;
mod prices;
mod receipts;
mod rpc;
mod send;
mod settings;
mod signer;
mod token;
mod uniswap;

pub use evm::{EvmChain, NativePrice};
pub use known::Contracts;
pub use markets::{LiveChain, LiveChains, LiveMarkets, Realms, open_chains};
pub use prices::OnchainPrices;
pub use rpc::{CallError, Rpc};
pub use settings::{ChainKeys, ChainSpec, InvalidChain, WalletKeys};
pub use signer::LocalSigner;
pub use token::{TokenError, TokenInfo, token_info};
pub use uniswap::UniswapVenue;
