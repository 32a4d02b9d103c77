//! What a process finds when it starts.

use std::collections::{HashMap, HashSet};

use tracing::{error, info, warn};

use crate::engine::{core::Engine, error::EngineError};
use crate::{
    domain::{ids::JobId, job::JobStatus},
    store::{
        jobs::{self, Filter, Job},
        trades::{self, OpenTradeRow},
    },
    telemetry::job_line,
};

/// Above this number of jobs or open trades, each is logged at debug level only.
const FEW: usize = 20;

impl Engine {
    /// Says how many jobs were running and how many trades are open, and which if they are few, and compares the
    /// signers' counts with the chain. Nothing is restarted here: slots and open trades are rows, and the schedulers
    /// find them.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn recover(&self) -> Result<(), EngineError> {
        let mut found = Vec::new();
        for status in [JobStatus::Running, JobStatus::Liquidating] {
            let of_status = Filter {
                status: Some(status),
                ..Filter::default()
            };
            let (jobs, unreadable) = jobs::readable(&self.pool, &of_status).await?;
            found.extend(jobs);
            for (job, error) in unreadable {
                error!(%job, %error, "a job that this build cannot read is left alone: is another, newer build running?");
            }
        }
        let open = trades::open(&self.pool).await?;
        info!(
            jobs = found.len(),
            open_trades = open.len(),
            "found jobs that trade, and open trades to carry on"
        );
        for job in &found {
            say_job(job, found.len() <= FEW);
        }
        self.say_trades(&found, &open).await?;
        let accounts: HashSet<_> = found.iter().map(|job| &job.account).collect();
        for account in accounts {
            if let Err(error) = self.check_signer(account).await {
                warn!(realm = %account.realm, chain = account.chain, wallet = %account.wallet, %error, "the signer's count was not compared");
            }
        }
        Ok(())
    }

    async fn say_trades(&self, found: &[Job], open: &[OpenTradeRow]) -> Result<(), EngineError> {
        let mut jobs: HashMap<JobId, &Job> = found.iter().map(|job| (job.id, job)).collect();
        // A paused job's open trade is settled too.
        let others = open.iter().map(|trade| trade.job);
        let others: Vec<JobId> = others.filter(|job| !jobs.contains_key(job)).collect();
        let others = jobs::by_ids(&self.pool, &others).await?;
        jobs.extend(others.iter().flatten().map(|job| (job.id, job)));
        for trade in open {
            say_trade(trade, jobs.get(&trade.job).copied(), open.len() <= FEW);
        }
        Ok(())
    }
}

fn say_job(job: &Job, few: bool) {
    let status = job.status;
    let last_dca_buy = job
        .last
        .dca
        .map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
    let balance = job.position.token_balance.to_whole(job.token.decimals);
    let spent_usd = job.total_accumulated;
    if few {
        job_line!(info, job, %status, last_dca_buy, balance, %spent_usd, "found job");
    } else {
        job_line!(debug, job, %status, last_dca_buy, balance, %spent_usd, "found job");
    }
}

/// A job that this build cannot read has no name.
fn say_trade(found: &OpenTradeRow, job: Option<&Job>, few: bool) {
    const SAID: &str = "found open trade, carrying it on";
    let trade = found.id.0;
    match job {
        Some(job) if few => job_line!(info, job, trade, "{SAID}"),
        Some(job) => job_line!(debug, job, trade, "{SAID}"),
        None => info!(job = found.job.0, trade, "{SAID}"),
    }
}
