//! Carries an open trade on, one step a call. Every step is safe to do twice, anywhere.

use std::collections::HashMap;

use alloy_primitives::B256;
use metrics::counter;
use tracing::{debug, info, warn};

use super::{
    Engine, EngineError,
    market::gas_paid,
    submit::{Allocation, moved},
};
use crate::{
    domain::{
        accounting::Fill,
        job::JobId,
        span::Span,
        trade::{ChainView, FailureKind, Purpose, Seen, Step, TradeStatus, next_step},
        units::{Amount, Price, Rounding, Usd},
    },
    ports::{Asset, Lookup, Market, Receipt, SendError, Sent},
    store::{
        StoreError,
        fills::{self, Ended, Failure, Settlement},
        jobs::{self, Job},
        signers,
        trades::{self, Trade},
    },
    telemetry::metric,
};

/// Steps that one call to [`Engine::drive`] takes before it lets others have a turn.
const STEPS_MAX: usize = 24;

/// A trade that waits for something outside is looked at again after this many check intervals.
const BLOCKED_INTERVALS: u32 = 2;

/// How far a trade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something was done; there may be more to do at once.
    Stepped,
    /// Nothing can be done before the next check.
    Waiting,
    /// The trade is final.
    Final,
}

/// What was seen of the chain, and the receipts that go with it.
struct Observed {
    view: ChainView,
    receipts: HashMap<B256, Receipt>,
}

impl Engine {
    /// Takes steps until the trade is final or must wait. When it waits, its next check is written down first.
    ///
    /// # Errors
    /// [`EngineError`]; the trade's next check is then already planned.
    pub async fn drive(&self, trade: i64) -> Result<Progress, EngineError> {
        for _ in 0..STEPS_MAX {
            match self.settle(trade).await {
                Ok(Progress::Stepped) => {}
                Ok(done) => return Ok(done),
                Err(error) => {
                    self.look_later(trade, BLOCKED_INTERVALS, Some(&error.to_string()))
                        .await?;
                    return Err(error);
                }
            }
        }
        self.look_later(trade, 0, None).await?;
        Ok(Progress::Waiting)
    }

    /// Takes one step.
    ///
    /// # Errors
    /// [`EngineError`]; nothing is half done, and the step may be tried again.
    pub async fn settle(&self, id: i64) -> Result<Progress, EngineError> {
        let trade = trades::load(&self.pool, id).await?;
        let job = self.job_of(trade.job).await?;
        let market = self.markets.market(&job.account).await?;
        let observed = observe(&trade, &job, &market).await;
        let now = crate::store::now(&self.pool).await?;
        let step = next_step(&trade.state, &observed.view, &market.chain.patience(), now)
            .map_err(|source| EngineError::Illegal { trade: id, source })?;
        debug!(job = %job.id, trade = id, ?step, "step");
        match step {
            Step::Done => Ok(Progress::Final),
            Step::Allocate => self.allocate_step(&job, &trade, &market).await,
            Step::Expire => self.expire(&trade).await,
            Step::Broadcast { transaction } => self.broadcast(&job, &trade, &market, transaction).await,
            Step::Replace { transaction } => {
                let purpose = newest_purpose(&trade, transaction);
                self.replace(&job, &trade, &market, transaction, purpose).await?;
                Ok(Progress::Stepped)
            }
            Step::Cancel { transaction } => {
                self.replace(&job, &trade, &market, transaction, Purpose::Cancel)
                    .await?;
                Ok(Progress::Stepped)
            }
            Step::Fill { hash } => self.fill(&job, &trade, &market, &observed, hash).await,
            Step::Fail { kind, hash } => self.fail(&trade, &market, &observed, kind, hash).await,
            Step::Investigate { .. } => {
                let note = "the nonce is used, but none of our transactions explains it; looking on";
                warn!(job = %job.id, trade = id, note);
                self.look_later(id, BLOCKED_INTERVALS, Some(note)).await
            }
            Step::Wait => self.look_later(id, 1, None).await,
        }
    }

    async fn job_of(&self, id: JobId) -> Result<Job, EngineError> {
        let found = jobs::by_ids(&self.pool, &[id.0]).await?;
        Ok(found
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::NoSuchJob(id.to_string()))?)
    }

    /// Looks again after so many check intervals.
    async fn look_later(
        &self,
        trade: i64,
        intervals: u32,
        note: Option<&str>,
    ) -> Result<Progress, EngineError> {
        let millis = u64::try_from(self.settings.check_interval.std().as_millis()).unwrap_or(u64::MAX);
        let delay = Span::from_millis(millis.saturating_mul(intervals.into()));
        trades::check_again(&self.pool, trade, delay, note).await?;
        Ok(Progress::Waiting)
    }

    async fn allocate_step(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
    ) -> Result<Progress, EngineError> {
        match self.allocate(job, trade, market).await? {
            Allocation::Recorded | Allocation::Raced => Ok(Progress::Stepped),
            Allocation::Blocked(why) => {
                info!(job = %job.id, trade = trade.id, why, "trade waits for its nonce");
                self.look_later(trade.id, BLOCKED_INTERVALS, Some(&why)).await
            }
        }
    }

    async fn expire(&self, trade: &Trade) -> Result<Progress, EngineError> {
        let failure = Failure {
            kind: FailureKind::Expired,
            error: "no nonce was bound before the plan expired; nothing was sent".to_owned(),
            hash: None,
            gas_usd: Usd::ZERO,
        };
        self.commit_failure(trade, &failure).await
    }

    /// Hands the newest attempt's stored bytes to the node. Whatever it answers frees nothing and fails nothing.
    async fn broadcast(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        index: usize,
    ) -> Result<Progress, EngineError> {
        let newest = trade
            .state
            .transactions
            .get(index)
            .and_then(|transaction| transaction.attempts.last());
        let Some(newest) = newest else {
            return Ok(Progress::Waiting);
        };
        let raw = signers::raw(&self.pool, newest.hash).await?;
        let answer = market.chain.send(&raw).await;
        let said = match &answer {
            Ok(Sent::Accepted) => "accepted".to_owned(),
            Ok(Sent::AlreadyKnown) => "already known".to_owned(),
            Err(error) => error.to_string(),
        };
        signers::note_sent(&self.pool, newest.hash, &said).await?;
        info!(job = %job.id, trade = trade.id, hash = %newest.hash, answer = said, "transaction sent");
        match answer {
            Ok(_) | Err(SendError::NonceTooLow) => self.look_later(trade.id, 1, None).await,
            Err(SendError::Underpriced) => {
                let purpose = newest_purpose(trade, index);
                self.replace(job, trade, market, index, purpose).await?;
                Ok(Progress::Stepped)
            }
            Err(SendError::Ambiguous(_)) => self.look_later(trade.id, 1, Some(&said)).await,
            Err(SendError::InsufficientFunds | SendError::Rejected(_)) => {
                warn!(job = %job.id, trade = trade.id, answer = said, "the node refuses the transaction");
                self.look_later(trade.id, BLOCKED_INTERVALS, Some(&said)).await
            }
        }
    }

    async fn fill(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        observed: &Observed,
        hash: B256,
    ) -> Result<Progress, EngineError> {
        let Some(receipt) = observed.receipts.get(&hash) else {
            return Ok(Progress::Waiting);
        };
        let (base_amount, quote_amount) = moved(job, trade.side, &receipt.transfers)?;
        if base_amount.is_zero() || quote_amount.is_zero() {
            return Err(EngineError::NoTransfers(trade.id));
        }
        let quote_price = market.chain.usd_price(Asset::of(job.quote.address)).await?;
        let quote_usd = quote_amount.value(job.quote.decimals, quote_price.price, Rounding::Down)?;
        let native_price = market.chain.usd_price(Asset::Native).await?.price;
        let gas_native = gas_of(&observed.receipts)?;
        let settlement = Settlement {
            hash,
            block_number: receipt.block_number,
            block_hash: receipt.block_hash,
            block_time: receipt.block_time,
            fill: Fill {
                side: trade.side,
                base_amount,
                quote_amount,
                quote_usd,
            },
            quote_price: (quote_price.price, quote_price.source, quote_price.at),
            // A fill too small to have a price of its own keeps the planned one.
            price: Price::of(quote_usd, base_amount, job.token.decimals).unwrap_or(trade.price),
            gas_native,
            gas_usd: gas_paid(gas_native, native_price)?,
        };
        if fills::commit_fill(&self.pool, trade, &settlement).await? == Ended::Committed {
            count(trade, TradeStatus::Executed);
            info!(
                job = %job.id, trade = trade.id, side = %trade.side, reason = %trade.reason, %hash,
                base = base_amount.to_whole(job.token.decimals), quote = quote_amount.to_whole(job.quote.decimals),
                "trade executed"
            );
        }
        Ok(Progress::Final)
    }

    async fn fail(
        &self,
        trade: &Trade,
        market: &Market,
        observed: &Observed,
        kind: FailureKind,
        hash: B256,
    ) -> Result<Progress, EngineError> {
        let gas = gas_of(&observed.receipts)?;
        let failure = Failure {
            kind,
            error: match kind {
                FailureKind::Cancelled => {
                    "not mined before its deadline; cancelled on its own nonce".to_owned()
                }
                _ => format!("transaction {hash} was mined and {kind}"),
            },
            hash: Some(hash),
            gas_usd: gas_paid(gas, market.chain.usd_price(Asset::Native).await?.price)?,
        };
        self.commit_failure(trade, &failure).await
    }

    async fn commit_failure(&self, trade: &Trade, failure: &Failure) -> Result<Progress, EngineError> {
        if fills::commit_failure(&self.pool, trade, failure).await? == Ended::Committed {
            count(trade, TradeStatus::Failed);
            warn!(job = %trade.job, trade = trade.id, kind = %failure.kind, error = failure.error, "trade failed");
            return Ok(Progress::Final);
        }
        Ok(Progress::Stepped)
    }
}

fn count(trade: &Trade, status: TradeStatus) {
    let labels = [
        ("side", <&'static str>::from(trade.side)),
        ("reason", <&'static str>::from(trade.reason)),
        ("status", <&'static str>::from(status)),
    ];
    counter!(metric::TRADES, &labels).increment(1);
}

/// What the newest attempt of a transaction is for: a replacement does the same.
fn newest_purpose(trade: &Trade, index: usize) -> Purpose {
    let transaction = trade.state.transactions.get(index);
    transaction
        .and_then(|t| t.attempts.last())
        .map_or(Purpose::Cancel, |attempt| attempt.purpose)
}

/// Gas of everything this trade got mined, wei.
fn gas_of(receipts: &HashMap<B256, Receipt>) -> Result<Amount, EngineError> {
    let mut sum = Amount::ZERO;
    for receipt in receipts.values() {
        sum = sum.checked_add(receipt.gas_native)?;
    }
    Ok(sum)
}

/// Looks at everything the next step may depend on. The nonce is read *before* the hashes: if it is used by
/// one of ours, the look-ups that follow see it.
async fn observe(trade: &Trade, job: &Job, market: &Market) -> Observed {
    let hashes: Vec<B256> = trade
        .state
        .transactions
        .iter()
        .flat_map(|t| t.attempts.iter().map(|attempt| attempt.hash))
        .collect();
    if hashes.is_empty() {
        let view = ChainView {
            attempts: vec![],
            block_time: None,
            next_nonce: None,
        };
        return Observed {
            view,
            receipts: HashMap::new(),
        };
    }
    let next_nonce = market
        .chain
        .nonces(job.account.wallet)
        .await
        .ok()
        .map(|nonces| nonces.latest);
    let answers = market.chain.lookup(&hashes).await;
    let head = market.chain.head().await.ok();
    let mut receipts = HashMap::new();
    let mut seen_by_hash = HashMap::new();
    for (hash, answer) in hashes.iter().zip(answers) {
        let seen = match (answer, head) {
            (Ok(Lookup::Absent), _) => Seen::Absent,
            (Ok(Lookup::Pooled), _) => Seen::Pooled,
            (Ok(Lookup::Mined(receipt)), Some(head)) => {
                let depth = head.number.saturating_sub(receipt.block_number).saturating_add(1);
                let seen = Seen::Mined {
                    success: receipt.success,
                    depth,
                };
                receipts.insert(*hash, receipt);
                seen
            }
            (Ok(Lookup::Mined(_)), None) | (Err(_), _) => Seen::Unknown,
        };
        seen_by_hash.insert(*hash, seen);
    }
    let attempts = trade
        .state
        .transactions
        .iter()
        .map(|transaction| {
            let seen = |hash| seen_by_hash.get(&hash).copied().unwrap_or(Seen::Unknown);
            transaction
                .attempts
                .iter()
                .map(|attempt| seen(attempt.hash))
                .collect()
        })
        .collect();
    let view = ChainView {
        attempts,
        block_time: head.map(|head| head.time),
        next_nonce,
    };
    Observed { view, receipts }
}
