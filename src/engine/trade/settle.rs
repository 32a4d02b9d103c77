//! Settles an open trade, one step a call. Every step may be repeated by any process.

use std::sync::Arc;

use alloy_primitives::Bytes;
use tracing::{debug, warn};

use crate::engine::{
    core::Engine,
    error::EngineError,
    news::until_news,
    observe::{ObservedTrade, observe},
    progress::{BLOCKED_INTERVALS, Progress, SWALLOWED_SENDS},
};
use crate::{
    domain::{
        Timestamp,
        ids::TradeId,
        job::JobId,
        onchain::{AnswerKind, Sent, SignedTransaction},
        span::Span,
        trade::{ChainView, Patience, Purpose, Step, TransactionState, next_step},
    },
    failpoint::reach,
    ports::{Market, SendError},
    store::{
        StoreError,
        jobs::{self, Job},
        signers, stuck,
        trades::{self, Trade},
    },
    telemetry::job_line,
};

/// What one step knows of the trade for the next one.
#[derive(Default)]
struct Known {
    /// Its job, as it was read.
    job: Option<Arc<Job>>,
    /// The trade, as the step left it.
    trade: Option<Trade>,
}

/// Maximum steps of one call to [`Engine::drive`], so that other trades get their turn.
const STEPS_MAX: usize = 24;

impl Engine {
    /// Takes steps until the trade is final or must wait. Its next check is stored before it waits.
    ///
    /// # Errors
    /// [`EngineError`]; the trade's next check is then already planned.
    pub async fn drive(&self, trade: TradeId) -> Result<Progress, EngineError> {
        let mut known = Known::default();
        for _ in 0..STEPS_MAX {
            match self.step(trade, &mut known).await {
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

    /// [Drives](Self::drive) a trade and logs what keeps it from continuing: `None`. The schedulers follow it further.
    pub async fn carry_on(&self, trade: TradeId) -> Option<Progress> {
        match self.drive(trade).await {
            Ok(progress) => Some(progress),
            Err(error) => {
                self.say_of(trade, &error, "trade not continued; will retry")
                    .await;
                None
            }
        }
    }

    /// Logs an error of a trade, with its job if the ledger can be read.
    pub(in crate::engine) async fn say_of(&self, trade: TradeId, error: &EngineError, what: &str) {
        let job = async {
            let loaded = trades::load(&self.pool, trade).await?;
            self.job_of(loaded.job).await
        };
        match job.await {
            Ok(job) => job_line!(warn, job, trade = trade.0, %error, "{what}"),
            Err(_) => warn!(trade = trade.0, %error, "{what}"),
        }
    }

    /// Takes one step.
    ///
    /// # Errors
    /// [`EngineError`]; nothing is half done, and the step may be tried again.
    pub async fn settle(&self, id: TradeId) -> Result<Progress, EngineError> {
        self.step(id, &mut Known::default()).await
    }

    /// Takes one step. What a job orders of a plan counts until the plan is signed, so the job is read again before
    /// that.
    async fn step(&self, id: TradeId, known: &mut Known) -> Result<Progress, EngineError> {
        let (trade, remembered) = match known.trade.take() {
            Some(trade) => (trade, None),
            None => trades::load_with_job(&self.pool, &self.memory, id).await?,
        };
        let before = known.job.take().filter(|_| !trade.state.transactions.is_empty());
        let job = match remembered.or(before) {
            Some(job) => job,
            None => Arc::new(self.job_of(trade.job).await?),
        };
        let job: &Job = known.job.insert(job);
        let next = &mut known.trade;
        let market = self.markets.market(&job.account).await?;
        if let Some(transaction) = unsent(&trade, &market.chain.patience()) {
            return self.broadcast(job, trade, &market, transaction, next).await;
        }
        let observed = observe(&trade, job, &market).await;
        let next_of = |patience: &Patience| {
            next_step(&trade.state, &observed.view, patience, trade.read_at)
                .map_err(|source| EngineError::Illegal { trade: id, source })
        };
        // The job's gas limit only applies to replacements, and reading it takes a request.
        let mut step = next_of(&market.chain.patience())?;
        if matches!(step, Step::Replace { .. }) {
            step = next_of(&self.patience(job, &trade, &market).await?)?;
        }
        job_line!(debug, job, trade = id.0, ?step, "step");
        match step {
            Step::Done => Ok(Progress::Final),
            Step::Allocate => self.allocate_step(job, &trade, &market, next).await,
            Step::Expire => self.expire(job, &trade).await,
            Step::Broadcast { transaction } => self.broadcast(job, trade, &market, transaction, next).await,
            Step::Replace { transaction } => {
                let purpose = newest_purpose(&trade, transaction);
                self.replace(job, &trade, &market, transaction, purpose).await?;
                Ok(Progress::Stepped)
            }
            Step::Cancel { transaction } => {
                self.replace(job, &trade, &market, transaction, Purpose::Cancel)
                    .await?;
                Ok(Progress::Stepped)
            }
            Step::Fill { hash } => self.fill(job, &trade, &market, &observed, hash).await,
            Step::Fail { kind, hash } => self.fail(job, &trade, &market, &observed, kind, hash).await,
            Step::Investigate { transaction } => self.investigate(job, &trade, &market, transaction).await,
            Step::Wait => self.wait(&trade, &market, &observed).await,
        }
    }

    pub(in crate::engine) async fn job_of(&self, id: JobId) -> Result<Job, EngineError> {
        let found = jobs::by_ids(&self.pool, &[id]).await?;
        let found = found.into_iter().next();
        let read = found.ok_or_else(|| StoreError::NoSuchJob(id.to_string()))?;
        Ok(read.map_err(|(_, error)| error)?)
    }

    /// Wakes the schedulers for open trades that this process does not follow. Losing it only costs time.
    pub async fn call_schedulers(&self) {
        let called =
            async { signers::wake(&mut *self.pool.acquire().await.map_err(StoreError::from)?).await };
        if let Err(error) = called.await {
            debug!(%error, "the schedulers were not called");
        }
    }

    /// Plans the next check after `intervals` check intervals.
    pub(in crate::engine) async fn look_later(
        &self,
        trade: TradeId,
        intervals: u32,
        note: Option<&str>,
    ) -> Result<Progress, EngineError> {
        trades::check_again(&self.pool, trade, self.intervals(intervals), note).await?;
        Ok(Progress::Waiting)
    }

    /// Waits until the chain may have something new about the trade.
    async fn wait(
        &self,
        trade: &Trade,
        market: &Market,
        observed: &ObservedTrade,
    ) -> Result<Progress, EngineError> {
        let patience = market.chain.patience();
        let news = market.chain.block_time().and_then(|block_time| {
            until_news(&trade.state, &observed.view, &patience, block_time, trade.read_at)
        });
        let pause = news.unwrap_or_else(|| self.intervals(1));
        if !self.is_planned(trade, pause) || observed.doubt.is_some() {
            let later = pause.saturating_add(self.follows);
            trades::check_again(&self.pool, trade.id, later, observed.doubt.as_deref()).await?;
        }
        Ok(Progress::Sent(pause))
    }

    /// Whether the schedulers leave a trade alone until well after a look in `pause`: its caller follows it.
    fn is_planned(&self, trade: &Trade, pause: Span) -> bool {
        let least = pause.saturating_add(self.follows.halved()).after(trade.read_at);
        !self.follows.is_zero() && trade.next_check_at.is_some_and(|planned| planned >= least)
    }

    /// How long bytes that were just sent are left alone: they are in the next block at the earliest, whenever that
    /// comes.
    fn until_a_block(&self, market: &Market) -> Span {
        let resend_after = market.chain.patience().resend_after;
        let block_time = market
            .chain
            .block_time()
            .map(|block_time| block_time.min(resend_after));
        block_time.unwrap_or_else(|| self.intervals(1))
    }

    /// The length of `count` check intervals.
    pub(in crate::engine) fn intervals(&self, count: u32) -> Span {
        let millis = u64::try_from(self.settings.check_interval.std().as_millis()).unwrap_or(u64::MAX);
        Span::from_millis(millis.saturating_mul(count.into()))
    }

    /// Sends the newest attempt's stored bytes to the node. `next`: the trade after that, if more of it is to be sent
    /// at once. No answer frees a nonce or fails a trade.
    async fn broadcast(
        &self,
        job: &Job,
        mut trade: Trade,
        market: &Market,
        index: usize,
        next: &mut Option<Trade>,
    ) -> Result<Progress, EngineError> {
        let open = trade.state.transactions.get(index);
        let Some((open, newest)) = open.and_then(|open| Some((open, open.attempts.last()?))) else {
            return Ok(Progress::Waiting);
        };
        let signed = trade.signed.iter().find(|signed| signed.hash == newest.hash);
        let Some(SignedTransaction { raw, .. }) = signed else {
            return Ok(Progress::Waiting);
        };
        let answer = send_attempt(market, open, raw, trade.read_at).await;
        let (kind, said) = match &answer {
            Ok(sent) => (AnswerKind::from(*sent), sent.to_string()),
            Err(error) => (error.kind(), error.to_string()),
        };
        reach("sent");
        // The swap behind an approve goes out at once: nonces keep their order.
        let last = trade.state.transactions.len() <= index.saturating_add(1);
        let pause = self.until_a_block(market);
        let done = match &answer {
            Ok(_) if !last => None,
            Ok(_) | Err(SendError::NonceTooLow) => Some(pause.saturating_add(self.follows)),
            Err(_) => None,
        };
        let sends = signers::note_sent(&self.pool, newest.hash, kind, &said, done).await?;
        reach("noted");
        job_line!(info, job, trade = trade.id.0, hash = %newest.hash, answer = said, "transaction sent");
        let swallowed = answer.is_ok() && sends >= SWALLOWED_SENDS;
        if swallowed && open.has_waited_long(&market.chain.patience(), trade.read_at) {
            job_line!(warn, job, trade = trade.id.0, hash = %newest.hash, sends, "accepted repeatedly, but in no block: the node does not forward it");
            stuck::tell(&self.pool, &trade, newest.hash, sends).await?;
        }
        match answer {
            Ok(_) if !last => {
                let attempts = trade.state.transactions.get_mut(index);
                if let Some(sent) = attempts.and_then(|open| open.attempts.last_mut()) {
                    sent.sent_at = Some(trade.read_at);
                    *next = Some(trade);
                }
                Ok(Progress::Stepped)
            }
            Ok(_) | Err(SendError::NonceTooLow) => Ok(Progress::Sent(pause)),
            Err(SendError::Underpriced) => {
                let purpose = newest_purpose(&trade, index);
                let patience = self.patience(job, &trade, market).await?;
                // A node that always says so must not drive the fees up without end.
                if patience.allows(open, purpose) && self.replace(job, &trade, market, index, purpose).await?
                {
                    return Ok(Progress::Stepped);
                }
                self.look_later(trade.id, 1, Some(&said)).await
            }
            Err(SendError::Ambiguous(_)) => self.look_later(trade.id, 1, Some(&said)).await,
            // The note keeps this signer from taking new trades; see `SignerState::unfunded`.
            Err(SendError::InsufficientFunds | SendError::Rejected(_)) => {
                job_line!(
                    warn,
                    job,
                    trade = trade.id.0,
                    answer = said,
                    "the node refuses the transaction"
                );
                self.look_later(trade.id, BLOCKED_INTERVALS, Some(&said)).await
            }
        }
    }
}

/// Hands over the bytes of a transaction's newest attempt: a cancel that has waited too long in every way there is.
pub(in crate::engine) async fn send_attempt(
    market: &Market,
    open: &TransactionState,
    raw: &Bytes,
    now: Timestamp,
) -> Result<Sent, SendError> {
    if open.is_cancel_overdue(&market.chain.patience(), now) {
        market.chain.send_cancel(raw).await
    } else {
        market.chain.send(raw).await
    }
}

/// The next transaction of a trade that was signed a moment ago and not sent: the chain cannot know it, so that it is
/// not asked first. After a crash, or a rest, it is.
fn unsent(trade: &Trade, patience: &Patience) -> Option<usize> {
    let attempts = || trade.state.transactions.iter().flat_map(|open| &open.attempts);
    let is_fresh =
        attempts().all(|attempt| !patience.resend_after.passed(attempt.recorded_at, trade.read_at));
    if !is_fresh || attempts().all(|attempt| attempt.sent_at.is_some()) {
        return None;
    }
    match next_step(&trade.state, &ChainView::UNKNOWN, patience, trade.read_at) {
        Ok(Step::Broadcast { transaction }) => Some(transaction),
        _ => None,
    }
}

/// The purpose of a transaction's newest attempt: a replacement keeps it.
fn newest_purpose(trade: &Trade, index: usize) -> Purpose {
    let transaction = trade.state.transactions.get(index);
    transaction
        .and_then(|t| t.attempts.last())
        .map_or(Purpose::Cancel, |attempt| attempt.purpose)
}
