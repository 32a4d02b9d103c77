//! Settles a withdrawal by the same table as a trade: send, replace, confirm, and look again until its block is final.

use alloy_primitives::B256;
use tracing::{error, info, warn};

use crate::engine::{
    core::Engine,
    error::EngineError,
    finish::worth,
    foreign::used_elsewhere,
    observe::{ObservedTrade, observe_signed},
    progress::{BLOCKED_INTERVALS, Progress, SWALLOWED_SENDS},
    settle::send_attempt,
    submit::{bumped, sign_all},
};
use crate::{
    domain::{
        costs::{REPLACEMENT_HEADROOM, gas_paid},
        ids::{TradeId, WithdrawalId},
        onchain::{AnswerKind, Around, Asset, Call, Fees, Receipt, SignedTransaction},
        trade::{FailureKind, Patience, Purpose, Step, TradeStatus, next_step},
        units::{Amount, Rounding, Usd},
    },
    failpoint::reach,
    ports::Market,
    store::{
        foreign, signers,
        withdrawals::{self, Outcome, Withdrawal},
    },
};

/// Most steps of one call, so that others get their turn.
const STEPS_MAX: usize = 24;
/// A withdrawal whose block is not final yet is checked again after this number of check intervals.
const FINAL_INTERVALS: u32 = 5;

impl Engine {
    /// Takes steps until the withdrawal is final or must wait. Its next check is stored before it waits.
    ///
    /// # Errors
    /// [`EngineError`]; the next check is then already planned.
    pub async fn drive_withdrawal(&self, id: WithdrawalId) -> Result<Progress, EngineError> {
        for _ in 0..STEPS_MAX {
            match self.settle_withdrawal(id).await {
                Ok(Progress::Stepped) => {}
                Ok(done) => return Ok(done),
                Err(error) => {
                    let delay = self.intervals(BLOCKED_INTERVALS);
                    withdrawals::check_again(&self.pool, id, delay, Some(&error.to_string())).await?;
                    return Err(error);
                }
            }
        }
        Ok(Progress::Waiting)
    }

    async fn settle_withdrawal(&self, id: WithdrawalId) -> Result<Progress, EngineError> {
        let paid = withdrawals::load(&self.pool, id).await?;
        if paid.is_final {
            return Ok(Progress::Final);
        }
        let market = self.markets.market(&paid.account).await?;
        let observed = observe_signed(&paid.signed, paid.account.wallet, &market).await;
        let patience = patience(&paid, &market);
        let step = next_step(&paid.state, &observed.view, &patience, paid.read_at).map_err(|source| {
            EngineError::Illegal {
                trade: TradeId(id.0),
                source,
            }
        })?;
        let ended = paid.status != TradeStatus::Submitted;
        match step {
            Step::Fill { hash } => self.ended(&paid, &market, &observed, (None, hash)).await,
            Step::Fail { kind, hash } => self.ended(&paid, &market, &observed, (Some(kind), hash)).await,
            Step::Broadcast { .. }
            | Step::Replace { .. }
            | Step::Cancel { .. }
            | Step::Investigate { .. }
                if ended =>
            {
                warn!(
                    withdrawal = id.0,
                    "the block of a withdrawal was reorged out; it is open again"
                );
                withdrawals::reopen(&self.pool, &paid).await?;
                Ok(Progress::Stepped)
            }
            Step::Broadcast { .. } => self.send_withdrawal(&paid, &market).await,
            Step::Replace { .. } => {
                let newest = paid
                    .state
                    .transactions
                    .first()
                    .and_then(|one| one.attempts.last());
                let purpose = newest.map_or(Purpose::Cancel, |attempt| attempt.purpose);
                self.replace_withdrawal(&paid, &market, &patience, purpose).await
            }
            Step::Cancel { .. } => {
                self.replace_withdrawal(&paid, &market, &patience, Purpose::Cancel)
                    .await
            }
            Step::Investigate { .. } => self.investigate_withdrawal(&paid, &market).await,
            Step::Allocate | Step::Expire | Step::Wait | Step::Done => {
                self.later(id, 1, observed.doubt.as_deref()).await
            }
        }
    }

    async fn later(
        &self,
        id: WithdrawalId,
        intervals: u32,
        note: Option<&str>,
    ) -> Result<Progress, EngineError> {
        withdrawals::check_again(&self.pool, id, self.intervals(intervals), note).await?;
        Ok(Progress::Waiting)
    }

    /// Sends the newest attempt's stored bytes. No answer frees the nonce or fails the withdrawal.
    async fn send_withdrawal(&self, paid: &Withdrawal, market: &Market) -> Result<Progress, EngineError> {
        let (Some(open), Some(newest)) = (paid.state.transactions.first(), paid.signed.last()) else {
            return self.later(paid.id, BLOCKED_INTERVALS, None).await;
        };
        let answer = send_attempt(market, open, &newest.raw, paid.read_at).await;
        let (kind, said) = match &answer {
            Ok(sent) => (AnswerKind::from(*sent), sent.to_string()),
            Err(error) => (error.kind(), error.to_string()),
        };
        reach("withdrawal_sent");
        let sends = signers::note_sent(&self.pool, newest.hash, kind, &said, None).await?;
        info!(withdrawal = paid.id.0, hash = %newest.hash, answer = said, "withdrawal sent");
        let note = match answer {
            Err(_) => Some(said),
            Ok(_) if sends >= SWALLOWED_SENDS => Some(format!(
                "accepted {sends} times and in no block: the node or relay that accepts it does not pass it on"
            )),
            Ok(_) => None,
        };
        self.later(paid.id, 1, note.as_deref()).await
    }

    /// Signs one more attempt on the same nonce at higher fees, and records it.
    async fn replace_withdrawal(
        &self,
        paid: &Withdrawal,
        market: &Market,
        patience: &Patience,
        purpose: Purpose,
    ) -> Result<Progress, EngineError> {
        let (Some(state), Some(newest)) = (paid.state.transactions.first(), paid.signed.last()) else {
            return self.later(paid.id, BLOCKED_INTERVALS, None).await;
        };
        let call = match purpose {
            Purpose::Cancel => Call::cancel(paid.account.wallet),
            _ => {
                let attempt = SignedTransaction {
                    hash: newest.hash,
                    raw: newest.raw.clone(),
                };
                market.signer.call_of(&attempt, state.nonce, purpose)?
            }
        };
        let first_cancel =
            purpose == Purpose::Cancel && state.attempts.iter().all(|attempt| attempt.purpose != purpose);
        let before: Vec<Fees> = state.attempts.iter().map(|attempt| attempt.fees).collect();
        let now = market.chain.fees().await?;
        let Some(fees) = bumped(&before, now, patience.fee_cap(purpose), first_cancel) else {
            let note = "its fee is at the cap and it is not mined; it is sent again and again";
            return self.later(paid.id, BLOCKED_INTERVALS, Some(note)).await;
        };
        if let Some(signed) = sign_all(market, &[call], state.nonce, fees).await?.pop() {
            withdrawals::record_attempt(&self.pool, paid, state.id, &signed).await?;
        }
        Ok(Progress::Stepped)
    }

    /// Records the outcome, and whether its block is final.
    async fn ended(
        &self,
        paid: &Withdrawal,
        market: &Market,
        observed: &ObservedTrade,
        (failure, hash): (Option<FailureKind>, B256),
    ) -> Result<Progress, EngineError> {
        let block = match observed.receipts.get(&hash) {
            Some(receipt) => receipt.block_number,
            None => market.chain.agreed_head().await?.number,
        };
        // A foreign use is on record with its block; nothing of ours is left to watch.
        let is_final = failure == Some(FailureKind::Foreign) || market.chain.finalized().await? >= block;
        let receipt = observed.receipts.get(&hash);
        let paid_out = receipt.is_none_or(|receipt| failure.is_some() || moved(paid, receipt));
        if !is_final && let Some(doubt) = self.doubt_payment(paid, market, block, failure.is_none()).await? {
            return self.later(paid.id, FINAL_INTERVALS, Some(&doubt)).await;
        }
        let native = worth(market, Asset::Native, block).await?.price;
        let receipts = observed.receipts.values();
        let gas = receipts.fold(Amount::ZERO, |sum, receipt| {
            sum.checked_add(receipt.gas_native).unwrap_or(sum)
        });
        let failure = failure.or((!paid_out).then_some(FailureKind::Reverted));
        let value_usd = match failure {
            None => self.value(paid, market, block).await?,
            Some(_) => None,
        };
        let note = failure.map(|kind| match kind {
            FailureKind::Cancelled => "not mined for a day; cancelled on its own nonce".to_owned(),
            FailureKind::Foreign => format!("transaction {hash}, which is not ours, used its nonce"),
            _ if !paid_out => format!("transaction {hash} succeeded and logged no transfer to the receiver"),
            _ => format!("transaction {hash} was mined and reverted: nothing was paid"),
        });
        let outcome = Outcome {
            failure,
            note,
            hash,
            gas_native: gas,
            gas_usd: gas_paid(gas, native)?,
            value_usd,
            look_again: (!is_final).then(|| self.intervals(FINAL_INTERVALS)),
        };
        let known = paid.status != TradeStatus::Submitted;
        if withdrawals::end(&self.pool, paid, &outcome, self.settings.pipeline_max).await? {
            let amount = paid.amount.to_whole(paid.decimals);
            match &outcome.note {
                _ if known => {}
                None => {
                    info!(withdrawal = paid.id.0, %hash, amount, symbol = paid.symbol, receiver = %paid.receiver, "withdrawal executed");
                }
                Some(why) => warn!(withdrawal = paid.id.0, %hash, why, "withdrawal failed"),
            }
            return Ok(if is_final {
                Progress::Final
            } else {
                Progress::Waiting
            });
        }
        Ok(Progress::Stepped)
    }

    /// What was paid was worth in its block. Only the native coin, its wrapped form and USDC have a price feed.
    async fn value(
        &self,
        paid: &Withdrawal,
        market: &Market,
        block: u64,
    ) -> Result<Option<Usd>, EngineError> {
        if !market.chain.has_usd_price(paid.asset) {
            return Ok(None);
        }
        let price = worth(market, paid.asset, block).await?.price;
        Ok(Some(paid.amount.value(paid.decimals, price, Rounding::Down)?))
    }

    /// Where one node decides: the balances around the block must agree with it, or the block must be final.
    async fn doubt_payment(
        &self,
        paid: &Withdrawal,
        market: &Market,
        block: u64,
        success: bool,
    ) -> Result<Option<String>, EngineError> {
        let around = market
            .chain
            .balance_around(paid.account.wallet, paid.asset, block)
            .await?;
        let fell = match around {
            Around::Agreed => return Ok(None),
            Around::Seen { before, after } => before.saturating_sub(after) >= paid.amount,
            Around::Unproven => {
                return Ok(Some(format!(
                    "unproven by one node; it counts once block {block} is final"
                )));
            }
        };
        Ok((fell != success).then(|| {
            format!(
                "the balance around block {block} contradicts the receipt; it counts once that block is final"
            )
        }))
    }

    /// The nonce is used, and none of our hashes explains it.
    async fn investigate_withdrawal(
        &self,
        paid: &Withdrawal,
        market: &Market,
    ) -> Result<Progress, EngineError> {
        let Some(nonce) = paid
            .state
            .transactions
            .first()
            .map(|transaction| transaction.nonce)
        else {
            return self.later(paid.id, BLOCKED_INTERVALS, None).await;
        };
        let Some(used) = market.chain.nonce_use(paid.account.wallet, nonce).await? else {
            let note =
                format!("nonce {nonce} is used, but the block that holds it was not found; looking on");
            return self.later(paid.id, BLOCKED_INTERVALS, Some(&note)).await;
        };
        let depth = market.chain.agreed_head().await?.depth(used.block_number);
        if foreign::is_ours(&self.pool, used.hash).await? || depth < market.chain.patience().required_depth {
            return self.later(paid.id, 1, None).await;
        }
        let reason = used_elsewhere(nonce, &used);
        error!(withdrawal = paid.id.0, wallet = %paid.account.wallet, reason, "signer halted");
        foreign::record(&self.pool, &paid.account, nonce, &used, None, Some(&reason)).await?;
        Ok(Progress::Stepped)
    }
}

/// The chain's patience, and a fee cap within what was reserved for gas.
fn patience(paid: &Withdrawal, market: &Market) -> Patience {
    let chain = market.chain.patience();
    let attempts = paid
        .state
        .transactions
        .iter()
        .flat_map(|one| one.attempts.first());
    let first = attempts.map(|attempt| attempt.fees.max_fee_per_gas).max();
    let most = first.unwrap_or_default().saturating_mul(REPLACEMENT_HEADROOM);
    Patience {
        max_fee_per_gas: chain.max_fee_per_gas.min(most),
        ..chain
    }
}

/// Whether the receipt shows the payment. Native coin has no logs: a transaction that succeeded has paid its value.
fn moved(paid: &Withdrawal, receipt: &Receipt) -> bool {
    let Asset::Token(token) = paid.asset else {
        return true;
    };
    let mut transfers = receipt.transfers.iter();
    transfers.any(|moved| {
        moved.token == token
            && moved.from == paid.account.wallet
            && moved.to == paid.receiver
            && !moved.amount.is_zero()
    })
}
