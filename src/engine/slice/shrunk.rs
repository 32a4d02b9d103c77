//! A position of which the wallet holds less than the ledger counts, without a trade: a token that rebases, or one that
//! takes from its holders.
//!
//! A liquidation writes it down and sells the rest. That moves no money: if the nodes were wrong, the tokens are still
//! in the wallet, and `reconcile --count-in JOB` counts them again. The evidence is the balance that a quorum of nodes
//! reports, at two blocks of two ticks.

use std::collections::HashMap;

use serde_json::json;

use crate::engine::{core::Engine, error::EngineError, sights::Sight};
use crate::{
    domain::{job::Realm, onchain::Asset, units::Amount},
    ports::Market,
    store::{dust, jobs::Job},
    telemetry::job_line,
};

impl Engine {
    /// Writes the position down to what the wallet holds, if that is proven and nothing of it is in motion; what was
    /// done, for people.
    pub(in crate::engine) async fn written_down(
        &self,
        job: &Job,
        market: &Market,
        reserved: &HashMap<Asset, Amount>,
    ) -> Result<Option<String>, EngineError> {
        let asset = Asset::of(job.token.address);
        let reserved = reserved.get(&asset).is_some_and(|taken| !taken.is_zero());
        if job.account.realm != Realm::Live || reserved {
            return Ok(None);
        }
        let tracked = job.position.token_balance;
        let chain = &market.chain;
        let held = chain.attested_balance(job.account.wallet, asset).await?;
        if held >= tracked {
            self.sights.forget(job.id);
            return Ok(None);
        }
        let block = chain.agreed_head().await?.number;
        let Some(first) = self.sights.again(job.id, Sight { tracked, held, block }) else {
            return Ok(None);
        };
        let evidence = json!({ "held": held, "blocks": [first.block, block] });
        if !dust::write_off_missing(&self.pool, job, (tracked, held), &evidence).await? {
            return Ok(None);
        }
        self.sights.forget(job.id);
        let whole = |amount: Amount| amount.to_whole(job.token.decimals);
        job_line!(
            warn,
            job,
            tracked = whole(tracked),
            held = whole(held),
            "the wallet holds less than was tracked: written down"
        );
        Ok(Some(format!(
            "the position is written down from {} to {} {}: the wallet holds no more, by its nodes at blocks {} and {block}; the \
             next slot sells the rest",
            whole(tracked),
            whole(held),
            job.token.symbol,
            first.block,
        )))
    }
}
