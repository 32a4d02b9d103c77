//! `reconcile --adopt` and `reconcile --count-in`: what a database takes over from a life it does not know.

use std::io::{BufRead, IsTerminal, Write};

use rust_decimal::Decimal;
use serde::Serialize;

use super::{out::Out, target};
use crate::{
    app::{App, AppError},
    domain::{
        job::{Account, JobId, Realm},
        units::{Rounding, Usd},
    },
    engine::adopt::Past,
};

#[derive(Debug, Serialize)]
struct Adopted {
    wallet: String,
    chain: String,
    /// Transactions that the chain has of the wallet.
    chain_nonce: u64,
    /// The nonce this database would have taken next; none: it did not know the wallet.
    our_nonce: Option<u64>,
    native: String,
    /// Tokens that the wallet holds and no job tracks.
    unexplained: Vec<String>,
    /// What was done, a line each.
    done: Vec<String>,
}

impl Adopted {
    fn of(past: &Past) -> Self {
        Self {
            wallet: past.account.wallet.to_string(),
            chain: past.account.chain.clone(),
            chain_nonce: past.chain_nonce,
            our_nonce: past.ours,
            native: past.native.to_whole(18),
            unexplained: past
                .unexplained
                .iter()
                .map(|found| format!("job {}: {}", found.job.id, found.whole()))
                .collect(),
            done: vec![],
        }
    }

    fn render(&self) -> String {
        let ours = self
            .our_nonce
            .map_or_else(|| "does not know it".to_owned(), |ours| format!("knows {ours}"));
        let mut lines = vec![format!(
            "LIVE wallet {} on {}: the chain has {} transactions of it, this database {ours}; it holds {} native coins",
            self.wallet, self.chain, self.chain_nonce, self.native
        )];
        let tokens = self.unexplained.iter();
        lines.extend(tokens.map(|found| format!("beyond the ledger: {found}")));
        lines.extend(self.done.iter().cloned());
        lines.join("\n")
    }
}

/// Shows a wallet's past and, if its owner says so, takes it over.
pub(super) async fn wallet(
    world: &App,
    out: Out,
    wallet: &str,
    chain: &str,
    yes: bool,
) -> Result<(), AppError> {
    let account = Account {
        realm: Realm::Live,
        chain: chain.to_owned(),
        wallet: crate::app::target::address(wallet)?,
    };
    world.live().chain(chain)?;
    let engine = world.engine().await?;
    let past = engine.past(&account).await?;
    let mut view = Adopted::of(&past);
    if past.ours.is_some() && !past.is_unknown() {
        return Err(AppError::Refused(format!(
            "this database knows every transaction of wallet {}: there is nothing to adopt; `lgi-mm reconcile` shows what \
             else differs",
            account.wallet
        )));
    }
    if !yes {
        ask(out, &view)?;
    }
    view.done = engine.adopt(&past, target::actor().as_str()).await?;
    out.show(&view, Adopted::render)
}

/// Only its owner can say whether a past is the wallet's own or that of a lost database.
fn ask(out: Out, view: &Adopted) -> Result<(), AppError> {
    let again = format!(
        "lgi-mm reconcile --adopt {} --chain {} --yes",
        view.wallet, view.chain
    );
    if out.is_json() || !std::io::stdin().is_terminal() {
        return Err(AppError::Refused(format!(
            "{}\nNothing was changed. If the wallet was used elsewhere before, or you know what a lost database had bought: \
             `{again}`",
            view.render()
        )));
    }
    out.remark(&view.render());
    out.remark("From here on this database takes the chain's count as its own. Whatever a lost database had bought, it \
                does not know. Go on? [y/N] ");
    let io = |source| AppError::Io {
        what: "the terminal".to_owned(),
        source,
    };
    std::io::stderr().flush().map_err(io)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(io)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(AppError::Refused("nothing was changed".to_owned()))
}

/// Counts tokens that no job tracks into a job's position.
pub(super) async fn tokens(world: &App, out: Out, job: i64, cost: Decimal) -> Result<(), AppError> {
    if cost.is_sign_negative() {
        return Err(AppError::Usage(format!(
            "--cost {cost}: 0 or more is allowed: what the tokens cost in USD, all together"
        )));
    }
    let cost = Usd::rounded(cost, Rounding::Up);
    let engine = world.engine().await?;
    let done = engine
        .count_in(JobId(job), cost, target::actor().as_str())
        .await?;
    out.show(&serde_json::json!({ "done": [done] }), |_| done.clone())
}
