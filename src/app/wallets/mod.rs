//! Wallets: keys of live jobs, and what each holds. Nothing that writes here opens a database, so what is stored is
//! logged at `info` with its actor and has no audit row.

mod check;
mod choose;
mod holdings;
mod kms;
mod passwd;
mod password;
mod store;

pub use check::{CheckRequest, CheckedWallet, WalletReport, check, needs_password};
pub use choose::choose;
pub use holdings::{HeldAsset, Holdings, ListedWallet, WalletOnChain, holdings, holdings_of};
pub use kms::{KmsWallet, kms};
pub use passwd::{Renewed, change};
pub use password::{known_key, known_password};
pub use store::{KeyOrigin, Wallet, WalletList, create, import, list};

pub use crate::chain::{keystore::SecretText, kms::KmsKey};
