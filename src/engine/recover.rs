//! What a process finds when it starts.

use tracing::info;

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
    /// Says which jobs were running and which trades are open. Nothing is restarted here: slots and open
    /// trades are rows, and the schedulers find them.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn recover(&self) -> Result<Recovered, EngineError> {
        let mut running = 0;
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
                info!(
                    job = %job.id, symbol = job.token.symbol, status = %job.status, last_dca_buy = ?job.last.dca,
                    balance = job.position.token_balance.to_whole(job.token.decimals),
                    spent_usd = %job.total_accumulated, "found job"
                );
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
