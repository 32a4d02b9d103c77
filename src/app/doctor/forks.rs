//! The forks of Uniswap V2 that settings name.

use super::check::{Check, CheckStatus};
use crate::chain::{LiveChain, fork_misfits};

/// Whether router, factory and hash of each fork belong together; `None`: the settings name no fork.
pub(super) async fn check(live: &LiveChain) -> Option<Check> {
    let (what, forks) = ("V2 forks", live.spec.v2_forks.len());
    if forks == 0 {
        return None;
    }
    Some(match fork_misfits(&live.rpc, &live.spec).await {
        Ok(wrong) if wrong.is_empty() => Check::ok(what, format!("{forks} on {} fit", live.spec.name)),
        Ok(wrong) => Check::bad(
            CheckStatus::Fail,
            what,
            wrong.join("; "),
            format!(
                "nothing is traded there: fix [chains.{}.v2_forks]",
                live.spec.name
            ),
        ),
        Err(error) => Check::bad(CheckStatus::Fail, what, error, "no node answers"),
    })
}
