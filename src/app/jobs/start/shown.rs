//! What a start would do, shown before it is made.

use super::{Prepared, Proposal, Step, spends::spends};
use crate::{
    app::{costs::Costs, message::Message},
    domain::{
        config::JobConfig,
        ids::JobId,
        job::{Account, JobMode, Token, transition},
    },
};

/// What a start would do.
#[derive(Debug)]
pub struct Proposed<'a> {
    /// A job that is there already; `None`: a new one.
    pub job: Option<JobId>,
    pub account: &'a Account,
    pub token: &'a Token,
    pub quote: &'a Token,
    pub mode: JobMode,
    /// What becomes of the job; `None`: its status does not allow it.
    pub step: Option<Step>,
    pub config: &'a JobConfig,
    /// What it may spend, in one sentence.
    pub spends: String,
    pub costs: Option<&'a Costs>,
    pub assumed: &'a [Message],
}

impl Proposal {
    /// What it would do; `None`: it is an order that was placed before.
    #[must_use]
    pub fn shown(&self) -> Option<Proposed<'_>> {
        match &self.0 {
            Prepared::Create {
                new, assumed, costs, ..
            } => Some(Proposed {
                job: None,
                account: &new.account,
                token: &new.token,
                quote: &new.quote,
                mode: new.mode,
                step: Some(Step::Created(new.mode)),
                config: &new.config,
                spends: spends(&new.config),
                costs: costs.as_deref(),
                assumed,
            }),
            Prepared::Again { job, order } => Some(Proposed {
                job: Some(job.id),
                account: &job.account,
                token: &job.token,
                quote: &job.quote,
                mode: job.mode,
                step: transition(job.status, job.status_before_stop, order.command())
                    .ok()
                    .map(|made| Step::of(job, made)),
                config: &job.config,
                spends: spends(&job.config),
                costs: None,
                assumed: &[],
            }),
            Prepared::Before(..) => None,
        }
    }
}
