//! What a job that is removed leaves behind.

use std::fmt;

use alloy_primitives::Address;

use crate::{
    app::whole::Whole,
    domain::{brief, job::Realm, units::Usd},
    store::jobs::Job,
};

/// Tokens that a job held when it was removed: they stay where they are, and no job counts them. Displayed with few
/// digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub tokens: Whole,
    pub symbol: String,
    /// What they cost in all.
    pub cost_usd: Usd,
    pub realm: Realm,
    pub wallet: Address,
}

impl Left {
    /// `None`: the job holds nothing.
    pub(super) fn of(job: &Job) -> Option<Self> {
        let held = job.position.token_balance;
        (!held.is_zero()).then(|| Self {
            tokens: Whole::new(held, job.token.decimals),
            symbol: job.token.symbol.clone(),
            cost_usd: job.position.cost_basis,
            realm: job.account.realm,
            wallet: job.account.wallet,
        })
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tokens,
            symbol,
            cost_usd,
            ..
        } = self;
        let (tokens, cost) = (brief::amount(&tokens.to_string()), brief::usd(*cost_usd));
        write!(f, "{tokens} {symbol}, which cost {cost} USD, stay in ")?;
        match self.realm {
            Realm::Paper => f.write_str("the paper wallet")?,
            Realm::Live => write!(f, "wallet {}", self.wallet)?,
        }
        f.write_str(", and no job counts or sells them any more")
    }
}
