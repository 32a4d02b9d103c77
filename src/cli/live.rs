//! Prompts for the passwords of live jobs, if there is a terminal.

use super::wallet;
use crate::app::{App, AppError, preflight};

/// Prepares the process to trade with real money: see [`preflight::ready`].
pub(super) async fn ready(app: &App) -> Result<(), AppError> {
    preflight::ready(app, |wallet| wallet::ask(&format!("Password of wallet {wallet}"))).await
}
