//! What a process finds when it starts.

use std::collections::HashSet;

use tracing::{debug, error, info, warn};

use crate::engine::{core::Engine, error::EngineError};
use crate::{
    domain::job::JobStatus,
    store::{
        jobs::{self, Filter, Job},
        trades::{self, OpenTradeRow},
    },
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
        for trade in &open {
            say_trade(trade, open.len() <= FEW);
        }
        let accounts: HashSet<_> = found.iter().map(|job| &job.account).collect();
        for account in accounts {
            if let Err(error) = self.check_signer(account).await {
                warn!(chain = account.chain, wallet = %account.wallet, %error, "the signer's count was not compared");
            }
        }
        Ok(())
    }
}

fn say_job(found: &Job, few: bool) {
    let (job, symbol, status) = (found.id, &found.token.symbol, found.status);
    let last_dca_buy = found
        .last
        .dca
        .map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
    let balance = found.position.token_balance.to_whole(found.token.decimals);
    let spent_usd = found.total_accumulated;
    if few {
        info!(%job, symbol, %status, last_dca_buy, balance, %spent_usd, "found job");
    } else {
        debug!(%job, symbol, %status, last_dca_buy, balance, %spent_usd, "found job");
    }
}

fn say_trade(found: &OpenTradeRow, few: bool) {
    let (job, trade) = (found.job, found.id.0);
    if few {
        info!(%job, trade, "found open trade, carrying it on");
    } else {
        debug!(%job, trade, "found open trade, carrying it on");
    }
}
