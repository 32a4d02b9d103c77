//! Checks a new live job's wallet: this database must know its history.

use crate::app::message::{Advice, Message, message};
use crate::{
    app::{App, AppError},
    chain::LiveChain,
    domain::{
        job::{Account, Token},
        onchain::Asset,
    },
    ports::Chain,
    store::{
        jobs::{self, Filter},
        signers,
    },
};

/// Refuses a wallet with transactions that this database does not know: the database may be new or an old backup,
/// and the unknown transactions may have bought what a new job would buy again.
pub(super) async fn require_known(app: &App, live: &LiveChain, account: &Account) -> Result<(), AppError> {
    let (wallet, chain) = (account.wallet, &account.chain);
    let nonces = live.chain.nonces(wallet).await;
    let nonces =
        nonces.map_err(|error| AppError::Network(format!("the nonce of wallet {wallet}: {error}")))?;
    match signers::find(&app.pool, account).await? {
        Some(known) if nonces.latest > known.next_nonce => Err(message![
            format!(
                "the chain has {} transactions of wallet {wallet}, this database knows {}: it is older than the chain (a \
                 restored backup?), or the key is used elsewhere; run ",
                nonces.latest, known.next_nonce
            ),
            Advice::Reconcile,
        ]
        .refused()),
        None if nonces.pending > nonces.latest => Err(AppError::Refused(format!(
            "{} transactions of wallet {wallet} are pending; wait until they are mined, then start again",
            nonces.pending.saturating_sub(nonces.latest)
        ))),
        None if nonces.latest > 0 => Err(message![
            format!(
                "wallet {wallet} has made {} transactions on {chain}, and this database knows none of them. If another \
                 database traded with it, restore that one: this one does not know what was bought. If the wallet was used \
                 elsewhere, accept its past: ",
                nonces.latest
            ),
            Advice::Adopt {
                wallet,
                chain: chain.clone(),
            },
        ]
        .refused()),
        _ => Ok(()),
    }
}

/// Reports tokens in the wallet that no job has bought; `None`: there are none.
pub(super) async fn unexplained(
    app: &App,
    live: &LiveChain,
    account: &Account,
    token: &Token,
) -> Result<Option<Message>, AppError> {
    let held = live
        .chain
        .balances(account.wallet, &[Asset::Token(token.address)])
        .await;
    let held =
        held.map_err(|error| AppError::Network(format!("the balance of {}: {error}", token.symbol)))?;
    let held = held.first().copied().unwrap_or_default();
    let filter = Filter {
        token: Some(token.address),
        chain: Some(account.chain.clone()),
        status: None,
        archived: false,
        ..Filter::default()
    };
    let jobs = jobs::list(&app.pool, &filter).await?;
    let mut surplus = held;
    for job in jobs.iter().filter(|job| job.account == *account) {
        surplus = surplus.saturating_sub(job.position.token_balance);
    }
    Ok((!surplus.is_zero()).then(|| {
        let found = format!(
            "the {} {} that the wallet holds were bought by no job of this database: they are neither counted nor sold (",
            surplus.to_whole(token.decimals),
            token.symbol
        );
        message![found, Advice::CountIn, " counts them in)"]
    }))
}
