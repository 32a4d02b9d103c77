//! Which jobs a command is for: jobs by name, all of a kind, or the members of a basket.

use alloy_primitives::Address;

use super::export::check_chain;
use crate::{
    app::{
        App, AppError, ErrorKind, Target,
        message::{Advice, Field, Message, message},
        name::JobName,
        target,
    },
    domain::{
        ids::JobId,
        job::{Account, JobStatus, Realm},
    },
    store::{
        bulk::Selection,
        jobs::{self, CommandError, Filter, Job},
        members,
    },
};

/// Jobs as a person selects them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jobs {
    /// These; at least one.
    Named(Vec<Target>),
    /// All of a kind.
    Kind(Kind),
    /// The members of one basket.
    Basket(BasketName),
    /// The members that [`members`] found: nobody who joins later.
    Members(Vec<JobId>),
}

/// A basket as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasketName {
    /// `basket.name`
    pub name: String,
    /// Paper or live; `None`: whichever has this basket.
    pub realm: Option<Realm>,
    pub chain: Option<String>,
}

/// A kind of jobs: those that fit every field that is set; with none, all that were not removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kind {
    pub realm: Option<Realm>,
    pub chain: Option<String>,
    /// Token address or ticker.
    pub token: Option<String>,
    pub status: Option<JobStatus>,
}

impl Jobs {
    /// Whether one job was named: its failure is that of the request.
    #[must_use]
    pub const fn is_one(&self) -> bool {
        matches!(self, Self::Named(targets) if targets.len() == 1)
    }
}

/// A job that was named and cannot follow; the others are not stopped by it.
#[derive(Debug)]
pub struct Refused {
    /// As it was named, or `job 3 (CLAWD, LIVE on base)`.
    pub name: String,
    pub error: AppError,
}

/// The jobs of a selection, by number.
pub(super) struct Selected {
    pub jobs: Vec<Job>,
    /// Names that mean no job, or several.
    pub unknown: Vec<Refused>,
    /// They were named: one that cannot follow was not meant to be left out.
    pub named: bool,
    pub selection: Selection,
}

impl Selected {
    pub async fn find(app: &App, which: &Jobs) -> Result<Self, AppError> {
        match which {
            Jobs::Named(targets) => Self::named(app, targets).await,
            Jobs::Kind(kind) => Self::kind(app, kind).await,
            Jobs::Basket(basket) => Self::members(app, &member_ids(app, basket).await?).await,
            Jobs::Members(ids) => Self::members(app, ids).await,
        }
    }

    async fn named(app: &App, targets: &[Target]) -> Result<Self, AppError> {
        let (mut found, mut unknown) = (Vec::with_capacity(targets.len()), Vec::new());
        for (target, job) in targets.iter().zip(target::find_each(&app.pool, targets).await?) {
            match job {
                Ok(job) => found.push(job),
                Err(error) => unknown.push(Refused {
                    name: target.token.clone(),
                    error,
                }),
            }
        }
        found.sort_unstable_by_key(|job| job.id);
        found.dedup_by_key(|job| job.id);
        Ok(Self {
            selection: Selection {
                jobs: Some(found.iter().map(|job| job.id).collect()),
                ..Selection::default()
            },
            jobs: found,
            unknown,
            named: true,
        })
    }

    async fn members(app: &App, ids: &[JobId]) -> Result<Self, AppError> {
        let (mut found, mut unknown) = (Vec::with_capacity(ids.len()), Vec::new());
        for read in jobs::by_ids(&app.pool, ids).await? {
            match read {
                Ok(job) => found.push(job),
                Err((job, error)) => unknown.push(Refused {
                    name: format!("job {job}"),
                    error: error.into(),
                }),
            }
        }
        Ok(Self {
            selection: Selection {
                jobs: Some(found.iter().map(|job| job.id).collect()),
                ..Selection::default()
            },
            jobs: found,
            unknown,
            named: false,
        })
    }

    async fn kind(app: &App, kind: &Kind) -> Result<Self, AppError> {
        if let Some(token) = kind.token.as_ref().filter(|token| target::is_address(token)) {
            target::address(token)?;
        }
        check_chain(app, kind.chain.as_deref()).await?;
        let filter = Filter {
            chain: kind.chain.clone(),
            status: kind.status,
            ..Filter::default()
        };
        let mut all = jobs::list(&app.pool, &filter).await?;
        all.retain(|job| kind.realm.is_none_or(|realm| job.account.realm == realm));
        let named = |job: &Job, token: &str| {
            job.token.symbol.eq_ignore_ascii_case(token)
                || job.token.address.to_string().eq_ignore_ascii_case(token)
        };
        all.retain(|job| kind.token.as_ref().is_none_or(|token| named(job, token)));
        Ok(Self {
            jobs: all,
            unknown: vec![],
            named: false,
            selection: Selection {
                jobs: None,
                realm: kind.realm,
                chain: kind.chain.clone(),
                token: kind.token.clone(),
                status: kind.status,
            },
        })
    }
}

/// The members of a basket as they are now.
///
/// # Errors
/// [`AppError`] if there is no such basket, or more than one.
pub async fn members(app: &App, basket: &BasketName) -> Result<Jobs, AppError> {
    Ok(Jobs::Members(member_ids(app, basket).await?))
}

/// All members that were not removed. Those that are IDLE are among them: the order of all is for each of them. So are
/// those whose rows cannot be read: they may be of this basket.
async fn member_ids(app: &App, basket: &BasketName) -> Result<Vec<JobId>, AppError> {
    let chain = basket.chain.as_deref();
    check_chain(app, chain).await?;
    let mut ids = members::numbers_of(&app.pool, &basket.name, basket.realm, chain).await?;
    if ids.is_empty() {
        return Err(no_such(basket));
    }
    let read: Vec<Job> = jobs::by_ids(&app.pool, &ids)
        .await?
        .into_iter()
        .flatten()
        .collect();
    let readable: Vec<JobId> = read.iter().map(|job| job.id).collect();
    let members = of_one(read, &basket.name)?;
    ids.retain(|id| !readable.contains(id) || members.iter().any(|job| job.id == *id));
    Ok(ids)
}

fn no_such(basket: &BasketName) -> AppError {
    let realm = basket.realm.map(Realm::label).map(|realm| format!("{realm} "));
    let chain = basket.chain.as_ref().map(|chain| format!(" on {chain}"));
    let problem = format!(
        "no {}job{} is a member of a basket {}: give its basket.name; ",
        realm.unwrap_or_default(),
        chain.unwrap_or_default(),
        basket.name
    );
    message![problem, Advice::ListJobs, " shows it for each job"].error(ErrorKind::NotFound)
}

/// The members of the one basket among these that is not sold; jobs of one name are several baskets if their wallets,
/// chains or quotes differ.
fn of_one(mut jobs: Vec<Job>, name: &str) -> Result<Vec<Job>, AppError> {
    fn place(job: &Job) -> (&Account, Address) {
        (&job.account, job.quote.address)
    }
    let sold = |job: &Job| job.status == JobStatus::Idle && job.position.token_balance.is_zero();
    let mut baskets: Vec<(Account, Address)> = jobs
        .iter()
        .filter(|job| !sold(job))
        .map(|job| (job.account.clone(), job.quote.address))
        .collect();
    baskets.sort_unstable();
    baskets.dedup();
    match baskets.as_slice() {
        [] => {}
        [(account, quote)] => jobs.retain(|job| place(job) == (account, *quote)),
        several => {
            let named = several
                .iter()
                .map(|(account, _)| format!("{} on {}", account.realm.label(), account.chain));
            let named: Vec<String> = named.collect();
            return Err(message![
                format!(
                    "{} baskets have the name {name} ({}): choose one by ",
                    several.len(),
                    named.join(", ")
                ),
                Field::Realm,
                " or ",
                Field::Chain,
                ", or give the numbers of its members one by one"
            ]
            .bad_input());
        }
    }
    Ok(jobs)
}

/// Why a job cannot follow a command, with its name.
pub(super) fn about(job: &Job, error: CommandError) -> AppError {
    let error = AppError::from(error);
    match error.kind() {
        ErrorKind::Refused => Message::from(format!("{}: {error}", JobName::from(job))).refused(),
        _ => error,
    }
}
