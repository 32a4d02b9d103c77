//! Live jobs that this process cannot trade for, because their key does not open or their chain has no node, hold; all
//! other jobs continue.

use std::collections::HashMap;

use crate::engine::{core::Engine, facts::hold};
use crate::{
    domain::{
        decision::HoldReason,
        job::{Account, Realm},
    },
    ports::Missing,
    store::ticks::{Hold, TickJob},
};

impl Engine {
    /// The ticks whose account this process can trade for; the others become holds that say what is missing.
    pub(in crate::engine) async fn with_markets(
        &self,
        live: Vec<TickJob>,
        holds: &mut Vec<Hold>,
    ) -> Vec<TickJob> {
        let mut known: HashMap<Account, Option<(HoldReason, String)>> = HashMap::new();
        let mut usable = Vec::with_capacity(live.len());
        for tick in live {
            let account = &tick.job.account;
            if !known.contains_key(account) {
                let problem = match self.markets.market(account).await {
                    Err(error) if error.missing == Missing::Key => {
                        Some((HoldReason::KeyUnavailable, error.detail))
                    }
                    // Another worker may know the chain; this one cannot reach the venue.
                    Err(error) if account.realm == Realm::Live => {
                        Some((HoldReason::QuoteMissing, error.detail))
                    }
                    _ => None,
                };
                known.insert(account.clone(), problem);
            }
            match known.get(account).cloned().flatten() {
                Some((reason, problem)) => holds.push(hold(&tick, reason, Some(problem))),
                None => usable.push(tick),
            }
        }
        usable
    }
}
