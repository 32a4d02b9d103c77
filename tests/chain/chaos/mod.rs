//! Nodes that lie, forget, stall and take blocks back: however they do it, each trade swaps at most once, the ledger
//! says what the chain says, and no nonce stays open.
//!
//! The seed of a run is printed; `LGI_MM_CHAOS_SEED` meets the same requests with the same faults again, and
//! `LGI_MM_CHAOS` says how many trades there shall be.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod audit;
mod door;
mod mempool;
mod proxy;
mod storm;
mod unrest;
mod weather;
mod world;
