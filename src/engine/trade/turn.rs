//! Whose turn it is: a trade takes its nonces if its wallet has room for it, and otherwise sleeps until it is called.

use crate::engine::{
    core::Engine,
    error::EngineError,
    progress::{BLOCKED_INTERVALS, Progress},
    submit::{Allocation, Known, Ready, Tried},
};
use crate::{
    ports::{Market, QuoteError},
    store::{
        jobs::Job,
        next::next,
        signers::SignerState,
        trades::Trade,
        turns::{self, Turn, TurnState, Waiting},
    },
    telemetry::job_line,
};

/// A trade that waits for its turn checks again after this many check intervals, in case it is not called.
const TURN_INTERVALS: u32 = 30;

/// Tries of a trade whose counter or balances change while it signs, before it waits for its turn.
const RACES_MAX: u32 = 4;

/// What the ledger says of a trade's wallet and of its turn there.
struct Place<'a> {
    turn: &'a Turn<'a>,
    state: &'a mut TurnState,
    signer: Option<SignerState>,
}

impl Engine {
    /// Assigns nonces to a pending trade, if it is its turn. `after`: the trade after that, if it has them.
    pub(in crate::engine) async fn allocate_step(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        after: &mut Option<Trade>,
    ) -> Result<Progress, EngineError> {
        if !trade.reason.is_wanted(job.status) {
            return self.drop_plan(job, trade).await;
        }
        let turn = Turn {
            trade: trade.id,
            account: &job.account,
            pipeline_max: self.settings.pipeline_max,
        };
        // Before anything that costs: most of those who ask must wait, and wait for nobody else in this process.
        let (mut state, mut signer) = next(&self.pool, &turn).await?;
        if !state.may_go {
            return self.wait_for_turn(&turn, job).await;
        }
        let trial = self.wallets.trial(&job.account).await;
        if trial.waited {
            (state, signer) = next(&self.pool, &turn).await?;
            if !state.may_go {
                return self.wait_for_turn(&turn, job).await;
            }
        }
        let allocated = match self.try_out(job, trade, market, signer.as_ref()).await {
            Ok(Tried::Ready(ready)) => {
                let place = Place {
                    turn: &turn,
                    state: &mut state,
                    signer,
                };
                self.take_nonces(job, trade, market, &ready, place).await
            }
            Ok(Tried::Not(why)) => Ok(why),
            Err(error) => Err(error),
        };
        drop(trial);
        match allocated {
            Ok(Allocation::Raced) => self.wait_for_turn(&turn, job).await,
            Ok(Allocation::Recorded(recorded)) => {
                *after = Some(*recorded);
                Ok(Progress::Stepped)
            }
            Ok(Allocation::Unwanted) => Ok(Progress::Stepped),
            // One of them looks for all.
            Ok(Allocation::Stopped(why)) => match self.wait_for_turn(&turn, job).await? {
                Progress::Stepped => self.wait_for_nonce(&turn, job, &why).await,
                asleep => Ok(asleep),
            },
            Ok(Allocation::Blocked(why)) => {
                if state.waits {
                    turns::leave(&self.pool, &turn).await?;
                }
                self.wait_for_nonce(&turn, job, &why).await
            }
            Err(error) => {
                let of_this_trade =
                    matches!(&error, EngineError::Quote(quote) if !matches!(quote, QuoteError::Rpc(_)));
                if of_this_trade && state.waits {
                    turns::leave(&self.pool, &turn).await?;
                }
                Err(error)
            }
        }
    }

    /// Takes the nonces of a trade that was tried out, one trade of the wallet at a time.
    async fn take_nonces(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        ready: &Ready,
        Place {
            turn,
            state,
            mut signer,
        }: Place<'_>,
    ) -> Result<Allocation, EngineError> {
        let alone = self.wallets.alone(&job.account).await;
        for tries in 0..RACES_MAX {
            if tries > 0 || alone.waited {
                (*state, signer) = next(&self.pool, turn).await?;
            }
            if !state.may_go {
                break;
            }
            let known = Known {
                signer: signer.take(),
                calls_next: state.any_waits,
            };
            let allocated = self.allocate(job, trade, market, ready, known).await;
            if !matches!(allocated, Ok(Allocation::Raced)) {
                return allocated;
            }
        }
        Ok(Allocation::Raced)
    }

    /// Goes to sleep, or continues at once if it is first in line.
    async fn wait_for_turn(&self, turn: &Turn<'_>, job: &Job) -> Result<Progress, EngineError> {
        let note = format!(
            "waits for its turn: a wallet has at most {} open transactions (trading.pipeline_max)",
            turn.pipeline_max
        );
        let sleep = self.intervals(TURN_INTERVALS);
        match turns::wait(&self.pool, turn, sleep, &note).await? {
            Waiting::First => Ok(Progress::Stepped),
            Waiting::Asleep => {
                job_line!(info, job, trade = turn.trade.0, "trade waits for its turn");
                Ok(Progress::Waiting)
            }
            Waiting::Taken => Ok(Progress::Waiting),
        }
    }

    async fn wait_for_nonce(&self, turn: &Turn<'_>, job: &Job, why: &str) -> Result<Progress, EngineError> {
        job_line!(info, job, trade = turn.trade.0, why, "trade waits for its nonce");
        self.look_later(turn.trade, BLOCKED_INTERVALS, Some(why)).await
    }
}
