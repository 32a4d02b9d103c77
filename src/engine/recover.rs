//! What a process finds when it starts.

use std::collections::HashSet;

use tracing::{info, warn};

use super::{Engine, EngineError};
use crate::{
    domain::job::JobStatus,
    store::{
        jobs::{self, Filter},
        trades,
    },
};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Jobs that trade.
    pub running: usize,
    /// Trades that are not final.
    pub open_trades: usize,
}

impl Engine {
    /// Says which jobs were running and which trades are open, and compares their signers' counts with the chain.
    /// Nothing is restarted here: slots and open trades are rows, and the schedulers find them.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn recover(&self) -> Result<Recovered, EngineError> {
        let mut running = 0;
        let mut accounts = HashSet::new();
        for status in [JobStatus::Running, JobStatus::Liquidating] {
            for job in jobs::list(
                &self.pool,
                &Filter {
                    status: Some(status),
                    ..Filter::default()
                },
            )
            .await?
            {
                running += 1;
                accounts.insert(job.account.clone());
                let last_dca_buy = job
                    .last
                    .dca
                    .map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
                info!(
                    job = %job.id, symbol = job.token.symbol, status = %job.status, last_dca_buy,
                    balance = job.position.token_balance.to_whole(job.token.decimals),
                    spent_usd = %job.total_accumulated, "found job"
                );
            }
        }
        for account in accounts {
            if let Err(error) = self.check_signer(&account).await {
                warn!(chain = account.chain, wallet = %account.wallet, %error, "the signer's count was not compared");
            }
        }
        let open = trades::open(&self.pool).await?;
        for trade in &open {
            info!(trade, "found open trade, carrying it on");
        }
        Ok(Recovered {
            running,
            open_trades: open.len(),
        })
    }
}
