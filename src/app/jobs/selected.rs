//! Which jobs a command is for: jobs by name, or all of a kind.

use super::export::check_chain;
use crate::{
    app::{App, AppError, ErrorKind, Target, message::Message, name::JobName, target},
    domain::job::{JobStatus, Realm},
    store::{
        bulk::Selection,
        jobs::{self, CommandError, Filter, Job},
    },
};

/// Jobs as a person selects them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jobs {
    /// These; at least one.
    Named(Vec<Target>),
    /// All of a kind.
    Kind(Kind),
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

/// Why a job cannot follow a command, with its name.
pub(super) fn about(job: &Job, error: CommandError) -> AppError {
    let error = AppError::from(error);
    match error.kind() {
        ErrorKind::Refused => Message::from(format!("{}: {error}", JobName::from(job))).refused(),
        _ => error,
    }
}
