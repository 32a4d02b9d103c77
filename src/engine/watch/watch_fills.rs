//! Fills are watched until the chain cannot take them back: law 8.
//!
//! A fill whose transaction has vanished is first sent again, with the same bytes. It is undone only on positive
//! evidence: its nonce is free on a node that has passed its block, twice; or its transaction now does something
//! else; or another transaction used its nonce.

use std::collections::HashMap;

use futures::join;
use tracing::warn;

use crate::engine::{
    core::Engine,
    error::EngineError,
    finish::moved,
    foreign::foreign_use,
    observe::{ObservedTrade, observe},
};
use crate::{
    domain::{
        ids::{FillId, JobId},
        onchain::{Head, Lookup, Nonces, Receipt, SignedTransaction},
        trade::Seen,
    },
    ports::Market,
    store::{
        fill_watches::{self, Reversed, WatchedFill},
        foreign,
        jobs::{self, Job},
        signers, trades,
    },
    telemetry::job_line,
};

/// A fill that this many consecutive checks have missed, with its nonce free, was reorged out.
pub(in crate::engine) const MISSES_MAX: u32 = 2;
/// After this many misses it is not just waiting for its next block, or for the reversal of a later fill.
const HALTING_MISSES: u32 = 10;

/// The chain state that all fills of one account are compared with.
struct AccountView {
    head: Head,
    finalized: u64,
    nonces: Nonces,
}

impl Engine {
    /// Looks at fills that are not final yet, all of an account together. One account's trouble harms no other.
    ///
    /// # Errors
    /// [`EngineError::Store`] if the ledger cannot be read. Every fill is looked at again at its next time.
    pub async fn watch(&self, fills: &[FillId]) -> Result<(), EngineError> {
        let watched = fill_watches::load(&self.pool, fills).await?;
        let mut ids: Vec<JobId> = watched.iter().map(|watched| watched.job).collect();
        ids.dedup();
        let mut jobs = HashMap::new();
        for read in jobs::by_ids(&self.pool, &ids).await? {
            match read {
                Ok(job) => {
                    jobs.insert(job.id, job);
                }
                Err((job, error)) => warn!(%job, %error, "fills of this job not looked at; they are again"),
            }
        }
        let mut accounts: HashMap<_, Vec<(WatchedFill, &Job)>> = HashMap::new();
        // The newest first: what was bought can be given back once what sold it is undone.
        for watched in watched.into_iter().rev() {
            if let Some(job) = jobs.get(&watched.job) {
                accounts.entry(&job.account).or_default().push((watched, job));
            }
        }
        for (account, fills) in accounts {
            if let Err(error) = self.watch_account(&fills).await {
                warn!(realm = %account.realm, chain = account.chain, wallet = %account.wallet, %error, "fills not looked at; they are again");
            }
        }
        Ok(())
    }

    async fn watch_account(&self, fills: &[(WatchedFill, &Job)]) -> Result<(), EngineError> {
        let Some((_, job)) = fills.first() else {
            return Ok(());
        };
        let market = self.markets.market(&job.account).await?;
        // The nonce is asked for before the hashes, as before a step.
        let signed: Vec<SignedTransaction> = fills
            .iter()
            .map(|(watched, _)| SignedTransaction {
                hash: watched.hash,
                raw: watched.raw.clone(),
            })
            .collect();
        let (finalized, nonces, head, answers) = join!(
            market.chain.finalized(),
            market.chain.nonces(job.account.wallet),
            market.chain.agreed_head(),
            market.chain.lookup_signed(&signed)
        );
        let sight = AccountView {
            finalized: finalized?,
            nonces: nonces?,
            head: head?,
        };
        let mut done = Vec::new();
        for ((watched, job), answer) in fills.iter().zip(answers) {
            match answer {
                Ok(Lookup::Mined(receipt))
                    if self.still_there(watched, job, &market, &sight, &receipt).await? =>
                {
                    done.push(watched.fill);
                }
                Ok(Lookup::Mined(_)) | Err(_) => {}
                Ok(Lookup::Absent | Lookup::Pooled) => self.vanished(watched, job, &market, &sight).await?,
            }
        }
        if !done.is_empty() {
            fill_watches::finish(&self.pool, &done).await?;
        }
        Ok(())
    }

    /// Whether the fill is final now.
    async fn still_there(
        &self,
        watched: &WatchedFill,
        job: &Job,
        market: &Market,
        sight: &AccountView,
        receipt: &Receipt,
    ) -> Result<bool, EngineError> {
        let moved_block = receipt.block_hash != watched.block_hash;
        if moved_block {
            let effects = moved(job, watched.booked.side, &receipt.transfers)?;
            let same =
                receipt.success && effects == (watched.booked.base_amount, watched.booked.quote_amount);
            if !same {
                if sight.head.depth(receipt.block_number) >= market.chain.patience().required_depth {
                    let why = format!("block {} holds it with other effects", receipt.block_number);
                    self.reverse(watched, job, &why, true).await?;
                }
                return Ok(false);
            }
        }
        if sight.finalized >= receipt.block_number {
            return Ok(true);
        }
        if moved_block {
            job_line!(info, job, trade = watched.trade.0, hash = %watched.hash, block = receipt.block_number, "fill moved to another block");
        }
        if moved_block || watched.misses > 0 {
            fill_watches::seen(&self.pool, watched.fill, receipt).await?;
        }
        Ok(false)
    }

    /// The node does not have it in a block any more.
    async fn vanished(
        &self,
        watched: &WatchedFill,
        job: &Job,
        market: &Market,
        sight: &AccountView,
    ) -> Result<(), EngineError> {
        job_line!(warn, job, trade = watched.trade.0, hash = %watched.hash, "a fill's transaction is in no block any more");
        if sight.nonces.latest > watched.nonce {
            return self.used_by_another(watched, job, market, sight).await;
        }
        self.send_again(watched, job, market, sight).await?;
        // A node that is behind the block proves nothing.
        if sight.head.number < watched.block_number {
            return Ok(());
        }
        fill_watches::missed(&self.pool, watched.fill).await?;
        // If it still cannot be undone in the end, it is only sent again from then on.
        if (MISSES_MAX..=HALTING_MISSES).contains(&watched.misses.saturating_add(1)) {
            let why = "a reorganisation took its block back";
            self.reverse(watched, job, why, false).await?;
        }
        Ok(())
    }

    /// Hands over the same bytes: of the approves before the swap too, which were in the same blocks.
    async fn send_again(
        &self,
        watched: &WatchedFill,
        job: &Job,
        market: &Market,
        sight: &AccountView,
    ) -> Result<(), EngineError> {
        let trade = trades::load(&self.pool, watched.trade).await?;
        let free = |nonce: u64| (sight.nonces.latest..=watched.nonce).contains(&nonce);
        for transaction in trade.state.transactions.iter().filter(|t| free(t.nonce)) {
            let newest = transaction.attempts.last().map(|attempt| attempt.hash);
            let hash = if transaction.nonce == watched.nonce {
                watched.hash
            } else {
                newest.unwrap_or(watched.hash)
            };
            let raw = signers::raw(&self.pool, hash).await?;
            let answer = market.chain.send(&raw).await;
            job_line!(info, job, trade = trade.id.0, %hash, ?answer, "sent again");
        }
        Ok(())
    }

    async fn used_by_another(
        &self,
        watched: &WatchedFill,
        job: &Job,
        market: &Market,
        sight: &AccountView,
    ) -> Result<(), EngineError> {
        let trade = trades::load(&self.pool, watched.trade).await?;
        let ObservedTrade { view, .. } = observe(&trade, job, market).await;
        let required = market.chain.patience().required_depth;
        let transactions = trade.state.transactions.iter();
        let attempts = transactions
            .filter(|transaction| transaction.nonce == watched.nonce)
            .flat_map(|transaction| &transaction.attempts);
        for attempt in attempts {
            if let Seen::Mined { depth, .. } = view.of(attempt) {
                if depth >= required && attempt.hash != watched.hash {
                    let why = format!("{}, another attempt of ours, used its nonce", attempt.hash);
                    self.reverse(watched, job, &why, true).await?;
                }
                return Ok(());
            }
        }
        let Some(used) = market.chain.nonce_use(job.account.wallet, watched.nonce).await? else {
            return Ok(());
        };
        if foreign::is_ours(&self.pool, used.hash).await? || sight.head.depth(used.block_number) < required {
            return Ok(());
        }
        let why = foreign_use(watched.nonce, &used);
        let halt = format!(
            "{why}, in place of the fill of trade {}: this key is used elsewhere. Nothing is signed until \
             `lgi-mm reconcile` has been run",
            watched.trade
        );
        job_line!(error, job, trade = watched.trade.0, wallet = %job.account.wallet, reason = halt, "signer halted");
        foreign::record(
            &self.pool,
            &job.account,
            watched.nonce,
            &used,
            Some(watched.trade),
            Some(&halt),
        )
        .await?;
        self.reverse(watched, job, &why, true).await
    }

    /// Undoes a fill. If what it brought is not there any more, the signer halts and says so; `settled`: then
    /// there is nothing left to watch.
    async fn reverse(
        &self,
        watched: &WatchedFill,
        job: &Job,
        why: &str,
        settled: bool,
    ) -> Result<(), EngineError> {
        let trade = trades::load(&self.pool, watched.trade).await?;
        let why = format!("the fill by {} was reorged out: {why}", watched.hash);
        match fill_watches::reverse(&self.pool, &trade, watched, &why).await? {
            Reversed::Committed => {
                job_line!(
                    warn,
                    job,
                    trade = trade.id.0,
                    why,
                    "fill reversed; the trade is open again"
                );
            }
            Reversed::Raced => {}
            Reversed::Impossible(source) if !settled && watched.misses.saturating_add(1) < HALTING_MISSES => {
                job_line!(info, job, trade = trade.id.0, why, %source, "cannot be undone yet");
            }
            Reversed::Impossible(source) => {
                let reason = format!(
                    "trade {}: {why}; it cannot be undone, because what it moved has been traded on ({source}). \
                     Compare with `lgi-mm reconcile`",
                    trade.id
                );
                job_line!(error, job, trade = trade.id.0, wallet = %job.account.wallet, reason, "signer halted");
                signers::halt(&self.pool, &job.account, &reason).await?;
                if settled {
                    fill_watches::finish(&self.pool, &[watched.fill]).await?;
                }
            }
        }
        Ok(())
    }
}
