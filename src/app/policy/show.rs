//! The policy in force, and current usage of its limits.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    app::{context::App, error::AppError},
    chain::policy::{Entry, PolicyBook},
    config::Settings,
    domain::units::Usd,
};

/// The policy of this machine.
#[derive(Debug, Serialize)]
pub struct PolicyView {
    /// The file.
    pub file: PathBuf,
    /// The directory of the signing journal.
    pub state: PathBuf,
    /// Whether only cancels are signed.
    pub stop: bool,
    /// Every key that may sign something.
    pub keys: Vec<KeyView>,
}

/// What one key may sign.
#[derive(Debug, Serialize)]
pub struct KeyView {
    /// The entry in the file.
    #[serde(flatten)]
    pub entry: Entry,
    /// Signed in the last 60 minutes, USD; `None`: the journal cannot be read.
    pub hour_used_usd: Option<Usd>,
    /// Signed on this UTC day, USD.
    pub day_used_usd: Option<Usd>,
    /// Why the journal cannot be read.
    pub problem: Option<String>,
}

/// The policy of the machine that this process runs on.
///
/// # Errors
/// As [`show`].
pub fn show_of(app: &App) -> Result<PolicyView, AppError> {
    show(&app.settings)
}

/// Reads the policy and its journal of signatures.
///
/// # Errors
/// [`AppError::Refused`] if there is no policy, or one that cannot be trusted.
pub fn show(settings: &Settings) -> Result<PolicyView, AppError> {
    let book: PolicyBook = settings.policy()?;
    let policy = book.policy()?;
    let now = chrono::Utc::now();
    let keys = policy.allow.iter().map(|entry| {
        let spent = book.spent(&entry.chain, entry.wallet, now);
        KeyView {
            entry: entry.clone(),
            hour_used_usd: spent.as_ref().ok().map(|spent| spent.hour),
            day_used_usd: spent.as_ref().ok().map(|spent| spent.day),
            problem: spent.err().map(|refusal| refusal.detail),
        }
    });
    Ok(PolicyView {
        file: book.path().to_owned(),
        state: book.journal().dir().to_owned(),
        stop: policy.stop,
        keys: keys.collect(),
    })
}
