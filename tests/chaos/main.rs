//! Nodes that lie, forget, stall and take blocks back: however they do it, each trade swaps at most once, the ledger
//! says what the chain says, and no nonce stays open.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot go on in a test fails it"
)]

#[path = "../support/devnet.rs"]
mod devnet;

mod door;
mod mempool;
mod proxy;
mod weather;
