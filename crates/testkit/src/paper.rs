//! A job on the paper venue for tests and benches: Base, the default wallet, paid in USDC.

use alloy_primitives::Address;
use lgi_mm::{
    domain::{
        chains,
        config::JobConfig,
        job::{Account, JobMode, Realm, Token},
    },
    paper::default_wallet,
    store::jobs::NewJob,
};

/// A job for the token at `address`, 18 decimals.
pub fn paper_job(address: Address, symbol: impl Into<String>, mode: JobMode, config: JobConfig) -> NewJob {
    NewJob {
        account: Account {
            realm: Realm::Paper,
            chain: "base".to_owned(),
            wallet: default_wallet(),
        },
        token: Token {
            address,
            symbol: symbol.into(),
            decimals: 18,
        },
        quote: Token {
            address: chains::find("base").expect("base").usdc,
            symbol: "USDC".to_owned(),
            decimals: 6,
        },
        mode,
        config,
    }
}
