//! Lists of jobs that read only the rows that have changed since this process read them: most jobs are as they were.

use std::{collections::HashMap, sync::Arc};

use sqlx::PgPool;
use tracing::error;

use super::{
    filter::Filter,
    jobs::{self, Job},
    memory::JobMemory,
};
use crate::{domain::job::JobId, store::StoreError};

/// All jobs that match, by number, each as its row is. One that this build cannot read is logged, and hides no other.
///
/// # Errors
/// [`StoreError`] if the database does not answer.
pub async fn list(pool: &PgPool, memory: &JobMemory, filter: &Filter) -> Result<Vec<Arc<Job>>, StoreError> {
    let found = jobs::versions(pool, filter).await?;
    let ids: Vec<JobId> = found.iter().map(|(job, _)| *job).collect();
    let remembered = memory.recall(&ids).into_iter().zip(&found);
    let mut known: HashMap<JobId, Arc<Job>> = remembered
        .filter_map(|(known, (_, version))| known.filter(|known| known.version == *version))
        .map(|known| (known.job.id, known.job))
        .collect();
    let changed: Vec<JobId> = ids
        .iter()
        .copied()
        .filter(|job| !known.contains_key(job))
        .collect();
    if !changed.is_empty() {
        for read in jobs::versioned(pool, &changed).await? {
            match read {
                Ok((job, version)) => {
                    let job = Arc::new(job);
                    memory.keep(version, Arc::clone(&job));
                    known.insert(job.id, job);
                }
                Err((job, error)) => error!(%job, %error, "a job that this build cannot read is left out"),
            }
        }
    }
    Ok(ids.iter().filter_map(|job| known.remove(job)).collect())
}
