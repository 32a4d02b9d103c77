//! Compares a wallet's nonce on the chain with this database's.

use super::check::{Check, CheckStatus};
use crate::app::message::{Advice, message};
use crate::{
    app::{context::App, error::AppError},
    chain::LiveChain,
    domain::job::Account,
    ports::Chain,
    store::{gaps, signers},
};

pub(super) async fn check(app: &App, live: &LiveChain, account: &Account) -> Result<Check, AppError> {
    let known = signers::find(&app.pool, account).await?;
    let what = "nonce";
    Ok(match (live.chain.nonces(account.wallet).await, known) {
        (Err(error), _) => Check::bad(CheckStatus::Fail, what, error, "no node answers"),
        (Ok(chain), Some(ours)) if chain.latest > ours.next_nonce => Check::bad(
            CheckStatus::Fail,
            what,
            format!("chain {}, database {}", chain.latest, ours.next_nonce),
            message![
                "the database is older than the chain, or the key is also used elsewhere: run ",
                Advice::Reconcile,
            ],
        ),
        (Ok(chain), Some(_)) if gaps::unexplained(&app.pool, account, chain.latest).await? > 0 => Check::bad(
            CheckStatus::Fail,
            what,
            format!(
                "chain {}, and the database counts nonces beyond it that were never used",
                chain.latest
            ),
            message!["nothing behind them can be mined: run ", Advice::Reconcile],
        ),
        (Ok(chain), Some(ours)) => Check::ok(
            what,
            format!("chain {}, database {}", chain.latest, ours.next_nonce),
        ),
        (Ok(chain), None) if chain.pending > chain.latest => Check::bad(
            CheckStatus::Warn,
            what,
            format!(
                "{} transactions are pending that are not ours",
                chain.pending - chain.latest
            ),
            "the first trade waits until they are mined",
        ),
        (Ok(chain), None) if chain.latest > 0 => Check::bad(
            CheckStatus::Fail,
            what,
            format!("chain {}, this database knows none of them", chain.latest),
            message![
                "the database was restored or replaced, or the wallet was used elsewhere: ",
                Advice::Adopt {
                    wallet: account.wallet,
                    chain: account.chain.clone(),
                },
            ],
        ),
        (Ok(chain), None) => Check::ok(what, format!("chain {}, not used yet", chain.latest)),
    })
}
