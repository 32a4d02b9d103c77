//! `reconcile --adopt` and `reconcile --count-in`: a wallet whose history this database does not know.

use std::io::IsTerminal;

use rust_decimal::Decimal;

use super::{
    confirm::{asks, confirm, says_yes},
    out::Out,
    target::actor,
};
use crate::{
    app::{
        App, AppError,
        adopt::{self, WalletPast},
        target::address,
    },
    domain::ids::JobId,
};

fn render(past: &WalletPast) -> String {
    let ours = past
        .our_nonce
        .map_or_else(|| "does not know it".to_owned(), |ours| format!("knows {ours}"));
    let mut lines = vec![format!(
        "LIVE wallet {} on {}: it has {} transactions on the chain, this database {ours}; it holds {} native coins",
        past.wallet, past.chain, past.chain_nonce, past.native
    )];
    let tokens = past.unexplained.iter();
    lines.extend(tokens.map(|found| format!("beyond the ledger: {found}")));
    lines.extend(past.done.iter().cloned());
    lines.join("\n")
}

/// Shows a wallet's history and, if the owner confirms, takes it over.
pub(super) async fn wallet(
    app: &App,
    out: Out,
    wallet: &str,
    chain: &str,
    yes: bool,
) -> Result<(), AppError> {
    let past = adopt::past(app, address(wallet)?, chain).await?;
    if !yes {
        ask(out, &past)?;
    }
    out.show(&adopt::adopt(app, &past, &actor()).await?, render)
}

/// Only the owner knows whether the history is the wallet's own or that of a lost database.
fn ask(out: Out, view: &WalletPast) -> Result<(), AppError> {
    let again = format!(
        "lgi-mm reconcile --adopt {} --chain {} --yes",
        view.wallet, view.chain
    );
    if out.is_json() || !std::io::stdin().is_terminal() {
        return Err(AppError::Refused(format!(
            "{}\nNothing was changed. If the wallet was used elsewhere before, or you know what a lost database had bought, run: \
             `{again}`",
            render(view)
        )));
    }
    out.remark(&render(view));
    if says_yes(
        out,
        "From now on this database uses the chain's nonce as its own. It does not know what a lost database had bought. \
         Continue?",
    )? {
        return Ok(());
    }
    Err(AppError::Refused("nothing was changed".to_owned()))
}

/// Adds tokens that no job tracks to a job's position.
pub(super) async fn tokens(app: &App, out: Out, job: i64, cost: Decimal, yes: bool) -> Result<(), AppError> {
    if asks(out, yes) {
        let surplus = adopt::surplus(app, JobId(job)).await?;
        confirm(
            out,
            &format!(
                "{}: counts in {} {} of wallet {}, at a total cost of {cost} USD. This cannot be undone. Continue?",
                surplus.name, surplus.amount, surplus.name.symbol, surplus.wallet
            ),
        )?;
    }
    let view = adopt::count_in(app, JobId(job), cost, &actor()).await?;
    out.show(&view, |view| view.done.concat())
}
