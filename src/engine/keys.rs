//! Wallets whose key does not open hold their own jobs, and nobody else's.

use std::collections::HashMap;

use super::{Engine, facts::hold};
use crate::{
    domain::{decision::HoldReason, job::Account},
    ports::Missing,
    store::ticks::{Hold, TickJob},
};

impl Engine {
    /// The ticks whose wallet this process can sign for; the others become holds that say what is wrong with the key.
    pub(super) async fn with_keys(&self, live: Vec<TickJob>, holds: &mut Vec<Hold>) -> Vec<TickJob> {
        let mut known: HashMap<Account, Option<String>> = HashMap::new();
        let mut usable = Vec::with_capacity(live.len());
        for tick in live {
            let account = &tick.job.account;
            if !known.contains_key(account) {
                let problem = match self.markets.market(account).await {
                    Err(error) if error.missing == Missing::Key => Some(error.detail),
                    _ => None,
                };
                known.insert(account.clone(), problem);
            }
            match known.get(account).cloned().flatten() {
                Some(problem) => holds.push(hold(&tick, HoldReason::KeyUnavailable, Some(problem))),
                None => usable.push(tick),
            }
        }
        usable
    }
}
