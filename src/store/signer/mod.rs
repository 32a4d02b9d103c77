//! Wallets: nonces, reservations, turns, and what differs between ledger and chain.

pub mod foreign;
pub mod gaps;
pub mod next;
pub mod release;
pub mod repairs;
pub mod room;
pub mod seen;
pub mod signers;
pub mod turns;
