//! Starts all members of a basket: all of them, or none.

use std::collections::BTreeSet;

use super::{
    Prepared, Proposal,
    fit::{member, require_fit},
    funds,
    made::new_one,
    propose,
    request::StartRequest,
    started::{Started, Step},
};
use crate::{
    app::{
        Actor, App, AppError, ErrorKind,
        message::{Message, message},
        target,
    },
    config::MemberGiven,
    domain::{
        basket::Member,
        job::{JobMode, JobStatus, Realm},
    },
    store::together::{self, NotStarted, Starter},
};

/// What all members of a basket have in common, as a request gives it.
#[derive(Debug)]
pub struct BasketRequest {
    pub realm: Realm,
    pub chain: String,
    /// Keys of the configuration of all members as KEY=VALUE.
    pub set: Vec<String>,
    /// Live: ticker of the quote token; none: the native coin.
    pub quote: Option<String>,
}

impl BasketRequest {
    /// The request of one member. `set`: what the face calls its field of that name.
    ///
    /// # Errors
    /// [`AppError`] names what cannot be used.
    pub fn member(&self, member: MemberGiven, set: &str) -> Result<StartRequest, AppError> {
        let request = StartRequest {
            token: target::address(&member.token)?,
            realm: self.realm,
            chain: self.chain.clone(),
            mode: Some(JobMode::Basket),
            given: member.given.assignments(&self.set, set)?,
            budget: None,
            symbol: member.symbol,
            decimals: member.decimals,
            quote: self.quote.clone(),
            placed: None,
        };
        request.check()?;
        Ok(request)
    }
}

/// What starting all of these would do; each of them is a member of a basket. Changes nothing.
///
/// # Errors
/// [`AppError`] names the member.
pub async fn propose_all(app: &App, requests: &[StartRequest]) -> Result<Vec<Proposal>, AppError> {
    let mut tokens = BTreeSet::new();
    let (mut proposals, mut siblings) = (Vec::with_capacity(requests.len()), Vec::new());
    for (place, request) in requests.iter().enumerate() {
        let at = |error| about(place, request, error);
        if !tokens.insert(request.token) {
            let problem = "another member has this token; a basket has each token once";
            return Err(at(AppError::Usage(problem.to_owned())));
        }
        let proposal = propose(app, request).await.map_err(at)?;
        let member = match &proposal.0 {
            Prepared::Create { new, .. } => {
                require_fit(app, new, &siblings).await.map_err(at)?;
                member(new)
            }
            Prepared::Again { job, .. } if job.status == JobStatus::Idle => Member {
                name: format!("job {} ({})", job.id, job.token.symbol),
                account: job.account.clone(),
                quote: job.quote.clone(),
                status: JobStatus::Running,
                config: job.config.clone(),
            },
            Prepared::Again { job, .. } => {
                let problem = format!(
                    "job {} trades this token already, in mode {}, {}: a basket is started as a whole; remove that job first, \
                     or start the other members one by one",
                    job.id, job.mode, job.status
                );
                return Err(at(AppError::Refused(problem)));
            }
            Prepared::Before(job, _) => return Err(at(AppError::Refused(format!("job {job} is an order")))),
        };
        siblings.push(member);
        proposals.push(proposal);
    }
    enough(app, &mut proposals).await;
    Ok(proposals)
}

/// Says with the first member what its wallet lacks for all. The members of a basket have one wallet and one quote.
async fn enough(app: &App, proposals: &mut [Proposal]) {
    let made = proposals.iter().filter_map(|proposal| match &proposal.0 {
        Prepared::Create { new, quote_price, .. } => Some((&**new, *quote_price)),
        Prepared::Again { .. } | Prepared::Before(..) => None,
    });
    let (all, prices): (Vec<_>, Vec<_>) = made.unzip();
    let Some(price) = prices.first() else { return };
    let lacks = funds::short_together(app, &all, *price).await;
    let first = proposals.iter_mut().find_map(|proposal| match &mut proposal.0 {
        Prepared::Create { assumed, .. } => Some(assumed),
        Prepared::Again { .. } | Prepared::Before(..) => None,
    });
    if let Some(assumed) = first {
        assumed.extend(lacks);
    }
}

/// Makes these starts as they were proposed: all of them, or none.
///
/// # Errors
/// [`AppError`] names the member; nothing was started then.
pub async fn start_all(app: &App, proposals: Vec<Proposal>, actor: &Actor) -> Result<Vec<Started>, AppError> {
    let mut starters = Vec::with_capacity(proposals.len());
    for proposal in &proposals {
        starters.push(match &proposal.0 {
            Prepared::Create { new, order, .. } => (Starter::New(new.clone()), *order),
            Prepared::Again { job, order } => (Starter::There(job.id), *order),
            Prepared::Before(job, _) => return Err(AppError::Refused(format!("job {job} is an order"))),
        });
    }
    let jobs = together::start_all(&app.pool, &starters, actor.as_str()).await;
    let jobs = jobs.map_err(|NotStarted { place, error }| {
        let symbol = proposals.get(place).map_or("", |proposal| proposal.symbol());
        let error = AppError::from(error);
        let kind = error.kind();
        match kind {
            ErrorKind::Refused => message![format!("{symbol}: "), error.to_string()].error(kind),
            _ => error,
        }
    })?;
    let mut all = Vec::with_capacity(jobs.len());
    for (job, proposal) in jobs.into_iter().zip(proposals) {
        all.push(match proposal.0 {
            Prepared::Create {
                new, assumed, costs, ..
            } => {
                let mut started = new_one(job, &new, assumed);
                started.costs = costs.map(|costs| *costs);
                if new.account.realm == Realm::Live {
                    started.policy = super::not_allowed(app, job).await?;
                }
                started
            }
            Prepared::Again { job, .. } => {
                super::resumed(&job, JobStatus::Running, Step::Cycle(job.cycle.saturating_add(1)))
            }
            Prepared::Before(job, at) => super::before::started(app, job, at).await?,
        });
    }
    Ok(all)
}

/// The error of one member of a request for several.
fn about(place: usize, request: &StartRequest, error: AppError) -> AppError {
    let kind = error.kind();
    let number = place.saturating_add(1);
    let name = request
        .symbol
        .clone()
        .unwrap_or_else(|| request.token.to_string());
    let mut pieces = Message::from(format!("member {number} ({name}): ")).pieces();
    pieces.extend(Message::from(error).pieces());
    Message::new(pieces).error(kind)
}
