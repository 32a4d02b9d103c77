//! What a live start would do with real money, shown before it is confirmed.

use alloy_primitives::Address;

use super::{Prepared, Proposal, Step, spends::spends};
use crate::{
    app::{costs::Costs, jobs::start::Pair, message::Message},
    domain::{
        config::JobConfig,
        job::{Account, JobStatus, Realm, Token, transition},
    },
};

/// What the owner agrees to.
#[derive(Debug)]
pub struct Terms<'a> {
    pub chain: &'a str,
    pub pair: Pair,
    /// The token's contract: any token may have its ticker.
    pub contract: Address,
    /// What becomes of the job.
    pub step: Step,
    /// What it may spend, in one sentence.
    pub spends: String,
    /// What its first buy and a sale right after it would cost, where that is known.
    pub costs: Option<&'a Costs>,
    pub assumed: &'a [Message],
}

impl Proposal {
    /// What a live start would do; `None`: it moves no real money.
    #[must_use]
    pub fn terms(&self) -> Option<Terms<'_>> {
        let (account, token, quote, config, step, assumed): (
            &Account,
            &Token,
            &Token,
            &JobConfig,
            _,
            &[Message],
        ) = match &self.0 {
            Prepared::Create { new, assumed, .. } => (
                &new.account,
                &new.token,
                &new.quote,
                &new.config,
                Step::Created(new.mode),
                assumed,
            ),
            Prepared::Again { job, order } => {
                let made = transition(job.status, job.status_before_stop, order.command()).ok()?;
                let step = Step::of(job, made);
                (&job.account, &job.token, &job.quote, &job.config, step, &[])
            }
            Prepared::Before(..) => return None,
        };
        let moves = !matches!(step, Step::AlreadyRunning);
        (account.realm == Realm::Live && moves).then(|| Terms {
            chain: &account.chain,
            pair: Pair::new(account, token, quote),
            contract: token.address,
            step,
            spends: match step {
                Step::Resumed {
                    to: JobStatus::Liquidating,
                    ..
                } => "sells what it holds".to_owned(),
                _ => spends(config),
            },
            costs: match &self.0 {
                Prepared::Create { costs, .. } => costs.as_deref(),
                Prepared::Again { .. } | Prepared::Before(..) => None,
            },
            assumed,
        })
    }
}
