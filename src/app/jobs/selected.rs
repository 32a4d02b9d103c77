//! Which jobs a command is for: jobs by name, or all of a kind.

use crate::{
    app::{App, AppError, Target, target},
    domain::{
        ids::JobId,
        job::{Command, JobStatus, Realm, transition},
    },
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

/// A kind of jobs; with nothing set, all that were not removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kind {
    pub realm: Option<Realm>,
    pub chain: Option<String>,
    pub status: Option<JobStatus>,
}

/// The jobs of a selection, by number.
pub(super) struct Selected {
    pub jobs: Vec<Job>,
    /// They were named: a command is carried out for all of them or for none.
    pub named: bool,
    pub selection: Selection,
}

impl Selected {
    pub async fn find(app: &App, which: &Jobs) -> Result<Self, AppError> {
        match which {
            Jobs::Named(targets) => {
                let mut found: Vec<Job> = Vec::with_capacity(targets.len());
                for target in targets {
                    found.push(target::find(&app.pool, target).await?);
                }
                Ok(Self::named(found))
            }
            Jobs::Kind(kind) => Self::kind(app, kind).await,
        }
    }

    /// Jobs by number.
    pub async fn numbered(app: &App, ids: Vec<JobId>) -> Result<Self, AppError> {
        let mut all = jobs::list(&app.pool, &Filter::default()).await?;
        all.retain(|job| ids.contains(&job.id));
        Ok(Self::named(all))
    }

    fn named(mut jobs: Vec<Job>) -> Self {
        jobs.sort_unstable_by_key(|job| job.id);
        jobs.dedup_by_key(|job| job.id);
        let selection = Selection {
            jobs: Some(jobs.iter().map(|job| job.id).collect()),
            ..Selection::default()
        };
        Self {
            jobs,
            named: true,
            selection,
        }
    }

    async fn kind(app: &App, kind: &Kind) -> Result<Self, AppError> {
        let filter = Filter {
            token: None,
            chain: kind.chain.clone(),
            status: kind.status,
        };
        let mut all = jobs::list(&app.pool, &filter).await?;
        all.retain(|job| kind.realm.is_none_or(|realm| job.account.realm == realm));
        Ok(Self {
            jobs: all,
            named: false,
            selection: Selection {
                jobs: None,
                realm: kind.realm,
                chain: kind.chain.clone(),
                status: kind.status,
            },
        })
    }

    /// Refuses the command if it was given for named jobs and the status of one does not allow it.
    pub fn must_allow(&self, command: Command) -> Result<(), AppError> {
        if !self.named {
            return Ok(());
        }
        for job in &self.jobs {
            transition(job.status, job.status_before_stop, command)
                .map_err(|refused| about(job, refused.into()))?;
        }
        Ok(())
    }
}

/// A refusal that names its job.
pub(super) fn about(job: &Job, error: CommandError) -> AppError {
    match error {
        CommandError::Refused(refused) => {
            let (realm, chain) = (job.account.realm.label(), &job.account.chain);
            let (id, symbol) = (job.id, &job.token.symbol);
            AppError::Refused(format!("job {id} ({symbol}, {realm} on {chain}): {refused}"))
        }
        error => error.into(),
    }
}
