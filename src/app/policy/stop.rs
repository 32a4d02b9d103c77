//! The kill switch.

use std::path::PathBuf;

use alloy_primitives::Address;
use serde::Serialize;
use tracing::info;

use crate::{
    app::{actor::Actor, error::AppError},
    chain::policy::edit,
    config::Settings,
};

/// One key of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyKey {
    /// The chain it signs for.
    pub chain: String,
    /// The wallet.
    pub wallet: Address,
}

/// State of the kill switch.
#[derive(Debug, Serialize)]
pub struct Stopped {
    /// The policy file.
    pub file: PathBuf,
    /// Whether only cancels are signed.
    pub stop: bool,
    /// Affected keys: one wallet, or every wallet.
    pub whose: String,
}

/// Sets or resets the kill switch of one key, or of all. It applies to running workers from their next signature on.
///
/// # Errors
/// [`AppError`] if there is no policy to resume, no such entry, or a file that cannot be written.
pub fn set_stop(
    settings: &Settings,
    key: Option<&PolicyKey>,
    stop: bool,
    actor: &Actor,
) -> Result<Stopped, AppError> {
    let path = settings.policy()?.path().to_owned();
    if !stop && !path.exists() {
        return Err(AppError::Refused(format!(
            "there is no policy at {}",
            path.display()
        )));
    }
    let of = key.map(|key| (key.chain.as_str(), key.wallet));
    let text = edit::with_stop(&path, of, stop)?;
    edit::write(&path, &text)?;
    let whose = key.map_or_else(
        || "every wallet".to_owned(),
        |key| format!("wallet {} on {}", key.wallet, key.chain),
    );
    info!(actor = actor.as_str(), file = %path.display(), stop, whose, "kill switch set");
    Ok(Stopped {
        file: path,
        stop,
        whose,
    })
}
