//! Failures are watched until the chain cannot take them back, as fills are: law 8.
//!
//! A trade that failed is opened again on positive evidence only: its swap is in a block after all, and has succeeded;
//! or one of its nonces is free on a node that has passed the block, twice; or a foreign transaction used it.
//! Open, it is what it was before it failed, and its receipts decide.

use crate::engine::{
    core::Engine, error::EngineError, foreign::foreign_use, observe::observe, watch_fills::MISSES_MAX,
};
use crate::{
    domain::{
        ids::TradeId,
        trade::{FailureCheck, TradeStatus, check_failure},
    },
    ports::Market,
    store::{
        failure_watches::{self, WatchedFailure},
        foreign,
        jobs::Job,
        trades::{self, Trade},
    },
    telemetry::job_line,
};

impl Engine {
    /// Looks at failures that are not final yet. One trade's trouble harms no other.
    ///
    /// # Errors
    /// [`EngineError::Store`] if the ledger cannot be read. Every failure is looked at again at its next time.
    pub async fn watch_failures(&self, trades: &[TradeId]) -> Result<(), EngineError> {
        for watched in failure_watches::load(&self.pool, trades).await? {
            if let Err(error) = self.watch_failure(&watched).await {
                self.say_of(watched.trade, &error, "failure not looked at; it is again")
                    .await;
            }
        }
        Ok(())
    }

    async fn watch_failure(&self, watched: &WatchedFailure) -> Result<(), EngineError> {
        let trade = trades::load(&self.pool, watched.trade).await?;
        if trade.state.status != TradeStatus::Failed {
            return Ok(());
        }
        let job = self.job_of(trade.job).await?;
        let market = self.markets.market(&job.account).await?;
        // What is final before the hashes are looked for: their blocks are compared with it.
        let finalized = market.chain.finalized().await?;
        let observed = observe(&trade, &job, &market).await;
        let patience = market.chain.patience();
        let found = check_failure(&trade.state, &observed.view, &patience).map_err(|source| {
            EngineError::Illegal {
                trade: trade.id,
                source,
            }
        })?;
        match found {
            FailureCheck::Stands => {
                let blocks = observed.receipts.values().map(|receipt| receipt.block_number);
                let highest = blocks.max().unwrap_or_default().max(watched.block_number);
                if finalized >= highest {
                    failure_watches::finish(&self.pool, trade.id).await?;
                } else if watched.misses > 0 {
                    failure_watches::seen(&self.pool, trade.id).await?;
                }
                Ok(())
            }
            FailureCheck::Swapped => {
                self.reopen(
                    &job,
                    &trade,
                    "its swap is in a block after all, and has succeeded",
                )
                .await
            }
            FailureCheck::Free => self.freed(watched, &job, &trade, &market).await,
            FailureCheck::Used { nonce } => self.taken(&job, &trade, &market, nonce).await,
            FailureCheck::Unclear => Ok(()),
        }
    }

    async fn freed(
        &self,
        watched: &WatchedFailure,
        job: &Job,
        trade: &Trade,
        market: &Market,
    ) -> Result<(), EngineError> {
        // A node that is behind the block proves nothing.
        if market.chain.agreed_head().await?.number < watched.block_number {
            return Ok(());
        }
        job_line!(
            warn,
            job,
            trade = trade.id.0,
            "what a trade failed by is in no block any more"
        );
        failure_watches::missed(&self.pool, job.id, trade.id).await?;
        if watched.misses.saturating_add(1) < MISSES_MAX {
            return Ok(());
        }
        self.reopen(job, trade, "a reorganisation freed its nonce").await
    }

    /// Once the trade is open, the foreign transaction is recorded and the signer halts, as always.
    async fn taken(&self, job: &Job, trade: &Trade, market: &Market, nonce: u64) -> Result<(), EngineError> {
        let Some(used) = market.chain.nonce_use(job.account.wallet, nonce).await? else {
            return Ok(());
        };
        let head = market.chain.agreed_head().await?;
        let settled = head.depth(used.block_number) >= market.chain.patience().required_depth;
        if !settled || foreign::is_ours(&self.pool, used.hash).await? {
            return Ok(());
        }
        self.reopen(job, trade, &foreign_use(nonce, &used)).await
    }

    async fn reopen(&self, job: &Job, trade: &Trade, why: &str) -> Result<(), EngineError> {
        let why = format!("its failure was reorged out: {why}");
        if failure_watches::reopen(&self.pool, trade, &why).await? {
            job_line!(warn, job, trade = trade.id.0, why, "failed trade is open again");
        }
        Ok(())
    }
}
