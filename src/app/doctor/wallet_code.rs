//! Code at a wallet's own address.

use alloy_primitives::Address;

use super::check::{Check, CheckStatus};
use crate::chain::{LiveChain, wallet_code};

/// Whether coins that are sent to the wallet run somebody's code, which may refuse them.
pub(super) async fn check(live: &LiveChain, wallet: Address) -> Check {
    let what = "wallet code";
    match wallet_code(&live.rpc, wallet).await {
        Ok(None) => Check::ok(what, format!("none at {wallet}")),
        Ok(Some(code)) => Check::bad(
            CheckStatus::Warn,
            what,
            format!("{wallet} {code}"),
            "if that code refuses coins, nothing can be sold for them and every buy holds as unsellable: remove the \
             delegation, or trade with another wallet",
        ),
        Err(error) => Check::bad(CheckStatus::Fail, what, error, "no node answers"),
    }
}
