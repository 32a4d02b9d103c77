//! How much of its limits each wallet has used, kept up to date for metrics.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use crate::chain::policy::PolicyBook;

/// Between two looks: spending leaves its hour without anything being signed.
const EVERY: Duration = Duration::from_secs(15);

/// Exports what wallets have spent against the policy of this machine, until `stop`.
pub async fn export(book: Arc<PolicyBook>, stop: CancellationToken) {
    loop {
        book.export(Utc::now());
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}
