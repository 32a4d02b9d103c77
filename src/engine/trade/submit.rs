//! Assigns nonces to a frozen plan: sign outside, then record everything in one transaction.

use alloy_primitives::U256;
use futures::join;

use crate::engine::{
    checks::{deadline, halted, swap_request, too_expensive},
    core::Engine,
    error::EngineError,
};
use crate::{
    domain::{
        Timestamp,
        costs::{REPLACEMENT_HEADROOM, fee_within, gas_cost, gas_reserve},
        onchain::{Asset, Call, Fees, SignedTransaction, SwapRequest, UnsignedTransaction},
        trade::{Patience, Purpose, raised},
        units::{Amount, MoneyError, Rounding},
    },
    failpoint::reach,
    ports::Market,
    store::{
        jobs::Job,
        room::Reservation,
        signers::{self, Signed, SignerState},
        submission::{self, Submission, Submitted},
        trades::Trade,
    },
    telemetry::job_line,
};

/// Gas that a cancel uses, units.
const CANCEL_GAS: u64 = 21_000;

/// The result of an allocation.
pub(in crate::engine) enum Allocation {
    /// The trade has its nonces: as it is now.
    Recorded(Box<Trade>),
    /// Another worker moved the counter or took the last place first.
    Raced,
    /// The job was stopped meanwhile.
    Unwanted,
    /// This trade cannot get its nonce now, for this reason; another trade of the wallet may.
    Blocked(String),
    /// No trade of this wallet can get a nonce now, for this reason.
    Stopped(String),
}

/// What the ledger says of the wallet.
pub(in crate::engine) struct Known {
    /// Its counter, if this database has one.
    pub(in crate::engine) signer: Option<SignerState>,
    /// Trades of it wait for their turn.
    pub(in crate::engine) calls_next: bool,
}

/// A trade that may be signed: it was tried out a moment ago.
pub(in crate::engine) struct Ready {
    request: SwapRequest,
    deadline: Timestamp,
    calls: Vec<Call>,
    fees: Fees,
    /// What its gas costs at most.
    gas: Amount,
}

/// What a trial came to.
pub(in crate::engine) enum Tried {
    Ready(Box<Ready>),
    /// It is not signed now.
    Not(Allocation),
}

/// Calls that may be signed, or why the chain takes none now.
enum Planned {
    Calls { deadline: Timestamp, calls: Vec<Call> },
    Halted(String),
}

impl From<Submitted> for Allocation {
    fn from(submitted: Submitted) -> Self {
        match submitted {
            Submitted::Recorded(trade) => Self::Recorded(trade),
            Submitted::Unwanted => Self::Unwanted,
            Submitted::Raced | Submitted::PipelineFull => Self::Raced,
            Submitted::Unfunded(Asset::Native) => Self::Blocked("not enough native coin for gas".to_owned()),
            Submitted::Unfunded(Asset::Token(token)) => Self::Blocked(format!(
                "not enough of {token} on top of what other open trades have reserved"
            )),
        }
    }
}

impl Engine {
    /// Tries a pending trade out, whose limits are its configuration's: a plan of a row that was changed after it was
    /// frozen is given up, not signed.
    pub(in crate::engine) async fn try_out(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        known: Option<&SignerState>,
    ) -> Result<Tried, EngineError> {
        if let Some(refused) = &job.refused {
            let why = format!("the job's configuration is refused: {refused}");
            return Ok(Tried::Not(Allocation::Blocked(why)));
        }
        // Nothing is asked for a wallet that the ledger stops.
        if let Some(why) = known.and_then(stopped) {
            return Ok(Tried::Not(Allocation::Stopped(why)));
        }
        let request = self.request(job, trade)?;
        // A moment ago, by the database's clock.
        let now = trade.read_at;
        // Asked together: what they need of the chain shares round trips.
        let (fees, native, planned) = join!(
            market.chain.fees(),
            market.chain.usd_price(Asset::Native),
            self.calls(&request, trade, market, now)
        );
        let (deadline, calls) = match planned? {
            Planned::Calls { deadline, calls } => (deadline, calls),
            Planned::Halted(why) => return Ok(Tried::Not(Allocation::Stopped(why))),
        };
        let fees = fees?;
        if let Some(why) = too_expensive(market, fees) {
            return Ok(Tried::Not(Allocation::Stopped(why)));
        }
        // The plan was approved a while ago: gas may have risen since.
        let (gas, gas_usd) = gas_cost(gas_of(&calls), fees, native?.price)?;
        let allowed = job.config.limits.max_gas_usd;
        if gas_usd > allowed {
            let why = format!("gas would cost {gas_usd} USD now, max_gas_usd is {allowed}");
            return Ok(Tried::Not(Allocation::Blocked(why)));
        }
        Ok(Tried::Ready(Box::new(Ready {
            request,
            deadline,
            calls,
            fees,
            gas,
        })))
    }

    /// Takes nonces for a trade that was tried out. Nothing is sent here.
    pub(in crate::engine) async fn allocate(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        ready: &Ready,
        Known {
            signer: known,
            calls_next,
        }: Known,
    ) -> Result<Allocation, EngineError> {
        if let Some(why) = known.as_ref().and_then(stopped) {
            return Ok(Allocation::Stopped(why));
        }
        let assets = [Asset::of(ready.request.token_in), Asset::Native];
        let (seen, balances) = join!(
            self.counter_since(&job.account, market, known),
            market.chain.balances(job.account.wallet, &assets)
        );
        let Some(seen) = seen? else {
            return Ok(Allocation::Stopped(
                "transactions of this wallet that are not ours are pending".to_owned(),
            ));
        };
        if let Some(why) = stopped(&seen) {
            return Ok(Allocation::Stopped(why));
        }
        let transactions = match sign_all(market, &ready.calls, seen.next_nonce, ready.fees).await {
            Err(EngineError::Sign(error)) => return Ok(Allocation::Blocked(error.to_string())),
            signed => signed?,
        };
        reach("signed");
        let reservations = reservations(job, &ready.request, ready.gas, &balances?)?;
        let submission = Submission {
            trade,
            account: &job.account,
            seen: &seen,
            transactions: &transactions,
            deadline: ready.deadline,
            reservations: &reservations,
            pipeline_max: self.settings.pipeline_max,
            first_check: self.follows,
            calls_next,
        };
        let submitted = submission::submit(&self.pool, &submission).await?;
        if matches!(submitted, Submitted::Recorded(_)) {
            reach("recorded");
            say_recorded(job, trade, seen.next_nonce);
        }
        Ok(submitted.into())
    }

    /// The swap this trade froze. The same trade always asks for the same swap.
    pub(in crate::engine) fn request(&self, job: &Job, trade: &Trade) -> Result<SwapRequest, MoneyError> {
        swap_request(job, trade.side, trade.amount_in, trade.value, trade.price)
    }

    /// The calls of a plan, with the deadline that stands in them.
    async fn calls(
        &self,
        request: &SwapRequest,
        trade: &Trade,
        market: &Market,
        now: Timestamp,
    ) -> Result<Planned, EngineError> {
        let head = market.chain.head().await?;
        if let Some((_, why)) = halted(market, head, now) {
            return Ok(Planned::Halted(why));
        }
        let deadline = deadline(self.settings.trade_deadline, head, now);
        let calls = market
            .venue
            .calls(request, trade.amount_out_min, deadline)
            .await?;
        Ok(Planned::Calls { deadline, calls })
    }

    /// Time limits and fee cap for this trade: a replacement of a swap pays no more than the job allows for gas, times
    /// the reserved headroom. A cancel is small and frees the nonces behind it, so it may pay more per unit of gas, but
    /// in total no more than the swap might have.
    ///
    /// Without a price of the native coin the cap is twice the first fee: that fee was within the job's limit at the
    /// last known price.
    pub(in crate::engine) async fn patience(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
    ) -> Result<Patience, EngineError> {
        let chain = market.chain.patience();
        let transactions = &trade.state.transactions;
        if transactions.is_empty() {
            return Ok(chain);
        }
        let units = transactions.iter().fold(0_u64, |sum, transaction| {
            sum.saturating_add(transaction.gas_limit)
        });
        let once = match market.chain.usd_price(Asset::Native).await {
            Ok(native) => fee_within(job.config.limits.max_gas_usd, units, native.price)?,
            Err(_) => {
                let first = transactions.iter().filter_map(|t| t.attempts.first());
                first
                    .map(|attempt| attempt.fees.max_fee_per_gas)
                    .max()
                    .unwrap_or_default()
            }
        };
        let most = once.saturating_mul(REPLACEMENT_HEADROOM);
        let mut attempts = transactions.iter().flat_map(|t| &t.attempts);
        let cancelling = attempts.any(|attempt| attempt.purpose == Purpose::Cancel);
        let most = if cancelling { per_cancel(most, units) } else { most };
        Ok(Patience {
            max_fee_per_gas: chain.max_fee_per_gas.min(most),
            ..chain
        })
    }

    /// Signs one more attempt for an open transaction, paying at least an eighth more than all before it, and
    /// records it. Nothing is sent here. `false`: another worker moved the trade first, or the fee cap does not
    /// allow it; the first cancel is always allowed.
    pub(in crate::engine) async fn replace(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        index: usize,
        purpose: Purpose,
    ) -> Result<bool, EngineError> {
        let Some(state) = trade.state.transactions.get(index) else {
            return Ok(false);
        };
        let call = match purpose {
            Purpose::Cancel => Call::cancel(job.account.wallet),
            // Exactly what was signed before: only the fees differ.
            _ => {
                let Some(newest) = state.attempts.last() else {
                    return Ok(false);
                };
                let attempt = SignedTransaction {
                    hash: newest.hash,
                    raw: signers::raw(&self.pool, newest.hash).await?,
                };
                market.signer.call_of(&attempt, state.nonce, purpose)?
            }
        };
        let cap = self.patience(job, trade, market).await?.fee_cap(purpose);
        let first_cancel =
            purpose == Purpose::Cancel && state.attempts.iter().all(|attempt| attempt.purpose != purpose);
        let before: Vec<Fees> = state.attempts.iter().map(|attempt| attempt.fees).collect();
        let Some(fees) = bumped(&before, market.chain.fees().await?, cap, first_cancel) else {
            return Ok(false);
        };
        let Some(signed) = sign_all(market, &[call], state.nonce, fees).await?.pop() else {
            return Ok(false);
        };
        job_line!(info, job, trade = trade.id.0, nonce = state.nonce, %purpose, hash = %signed.signed.hash, "replacement recorded");
        let recorded =
            signers::record_attempt(&self.pool, trade.id, trade.version, state.id, &signed).await?;
        reach("bumped");
        Ok(recorded)
    }
}

fn say_recorded(job: &Job, trade: &Trade, nonce: u64) {
    job_line!(info, job, trade = trade.id.0, nonce, "transaction recorded");
}

/// What the trade may take out of the wallet, of `balances` of the asset that goes out and of the native coin.
fn reservations(
    job: &Job,
    request: &SwapRequest,
    gas: Amount,
    balances: &[Amount],
) -> Result<Vec<Reservation>, MoneyError> {
    let balance = |index: usize| balances.get(index).copied().unwrap_or_default();
    let mut native = Reservation {
        asset: Asset::Native,
        amount: gas.mul_div(U256::from(REPLACEMENT_HEADROOM), U256::from(1), Rounding::Up)?,
        spendable: balance(1).saturating_sub(gas_reserve(&job.config.limits)?),
    };
    match Asset::of(request.token_in) {
        // The coin that is spent and the coin that pays the gas come out of one balance.
        Asset::Native => {
            native.amount = native.amount.checked_add(request.amount_in)?;
            Ok(vec![native])
        }
        asset => Ok(vec![
            Reservation {
                asset,
                amount: request.amount_in,
                spendable: balance(0),
            },
            native,
        ]),
    }
}

/// What a unit of gas may cost in a cancel, for the cancel to cost no more than `units` at `most`; halved, since a
/// cancel may pay twice what patience says.
fn per_cancel(most: u128, units: u64) -> u128 {
    most.saturating_mul(u128::from(units)) / u128::from(CANCEL_GAS) / 2
}

/// Why a signer assigns no nonce now.
pub(in crate::engine) fn stopped(seen: &SignerState) -> Option<String> {
    if let Some(reason) = &seen.halted {
        return Some(format!("the signer is halted: {reason}"));
    }
    let waiting = seen.unfunded?;
    Some(format!(
        "the wallet cannot pay for trade {waiting}, which goes first: send it native coin for gas"
    ))
}

fn gas_of(calls: &[Call]) -> u64 {
    calls
        .iter()
        .fold(0, |sum: u64, call| sum.saturating_add(call.gas_limit))
}

pub(in crate::engine) async fn sign_all(
    market: &Market,
    calls: &[Call],
    first: u64,
    fees: Fees,
) -> Result<Vec<Signed>, EngineError> {
    let mut signed = Vec::with_capacity(calls.len());
    let mut nonce = first;
    for call in calls {
        let unsigned = UnsignedTransaction {
            call: call.clone(),
            nonce,
            fees,
        };
        signed.push(Signed {
            purpose: call.purpose,
            signed: market.signer.sign(&unsigned).await?,
            fees,
            gas_limit: call.gas_limit,
        });
        nonce = nonce.saturating_add(1);
    }
    Ok(signed)
}

/// Higher than all of `before` by an eighth, rounded up, and what the chain asks now as far as `cap` allows.
/// `None`: the cap does not even allow the eighth, and it may not be broken.
pub(in crate::engine) fn bumped(before: &[Fees], now: Fees, cap: u128, may_break_cap: bool) -> Option<Fees> {
    let least = before.iter().fold((0, 0), |(fee, tip): (u128, u128), fees| {
        (
            fee.max(raised(fees.max_fee_per_gas)),
            tip.max(raised(fees.max_priority_fee_per_gas)),
        )
    });
    if least.0 > cap && !may_break_cap {
        return None;
    }
    let max_fee_per_gas = now.max_fee_per_gas.min(cap).max(least.0);
    Some(Fees {
        max_fee_per_gas,
        max_priority_fee_per_gas: now.max_priority_fee_per_gas.max(least.1).min(max_fee_per_gas),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_pays_an_eighth_more_than_every_attempt_before_it() {
        let fees = |max, tip| Fees {
            max_fee_per_gas: max,
            max_priority_fee_per_gas: tip,
        };
        let free = |before: &[Fees], now| bumped(before, now, u128::MAX, false).expect("no cap");
        assert_eq!(free(&[fees(100, 8), fees(81, 16)], fees(1, 1)), fees(113, 18));
        assert_eq!(free(&[fees(0, 0)], fees(0, 0)), fees(1, 1));
        assert_eq!(free(&[fees(100, 8)], fees(500, 50)), fees(500, 50));
    }

    #[test]
    fn a_cancel_costs_no_more_in_all_than_the_swap_might_have() {
        let (most, units) = (3_000_000_000_u128, 250_000_u64);
        let cap = per_cancel(most, units).saturating_mul(2);
        assert!(cap > most, "a unit of it may cost more");
        assert!(cap * u128::from(CANCEL_GAS) <= most * u128::from(units));
    }

    #[test]
    fn a_replacement_stops_at_the_cap_and_only_the_first_cancel_may_pass_it() {
        let fees = |max, tip| Fees {
            max_fee_per_gas: max,
            max_priority_fee_per_gas: tip,
        };
        let before = [fees(100, 8)];
        assert_eq!(bumped(&before, fees(500, 50), 200, false), Some(fees(200, 50)));
        assert_eq!(bumped(&before, fees(500, 300), 113, false), Some(fees(113, 113)));
        assert_eq!(bumped(&before, fees(500, 50), 112, false), None);
        assert_eq!(bumped(&before, fees(500, 50), 112, true), Some(fees(113, 50)));
    }
}
