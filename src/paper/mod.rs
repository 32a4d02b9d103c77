//! The paper venue: an external ledger with transactions of its own, polled like a chain.
//!
//! It lives in the Postgres schema `paper`, and is only ever touched through its own short transactions, never
//! together with the trading ledger: a crash between "sent" and "recorded" is as real here as on a chain.
//!
//! Nothing runs in the background. Blocks are a function of time, and the first caller that looks at a sender mines
//! what has become due, into the blocks it would have been in.

mod admit;
pub mod audit;
mod chain;
mod clock;
mod codec;
mod costs;
mod error;
mod execute;
mod faults;
mod gauge;
mod lock;
mod made;
mod markets;
mod mine;
mod node;
mod open;
mod reads;
mod settings;
mod signer;
mod together;
mod venue;

pub use chain::PaperChain;
pub use codec::pool_address;
pub use error::PaperError;
pub use faults::{ActiveFault, Fault, FaultKind, Faults};
pub use markets::{Funding, PaperMarkets, default_wallet};
pub use settings::PaperSettings;
pub use signer::PaperSigner;
pub use venue::PaperVenue;
