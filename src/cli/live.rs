//! Prompts for the passwords of live jobs, if there is a terminal.

use alloy_primitives::Address;

use super::wallet;
use crate::app::{AppError, wallets::SecretText};

/// Prompts for the password of a wallet; `None`: there is no terminal.
pub(super) fn password(wallet: Address) -> Result<Option<SecretText>, AppError> {
    wallet::ask(&format!("Password of wallet {wallet}"))
}
