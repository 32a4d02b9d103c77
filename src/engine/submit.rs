//! A frozen plan gets its nonces: sign outside, then record everything in one transaction.

use tracing::{error, info};

use super::{
    Engine, EngineError,
    market::{gas_cost, gas_reserve, swap_request},
};
use crate::{
    domain::{
        decision::Side,
        trade::Purpose,
        units::{Amount, MoneyError},
    },
    ports::{Asset, Call, Fees, Market, SwapRequest, UnsignedTransaction},
    store::{
        jobs::Job,
        signers::{self, Reservation, Signed, SignerState, Submission, Submitted},
        trades::Trade,
    },
};

/// A replacement pays at least an eighth more than all before it: 12.5 %, above the 10 % that nodes ask.
const BUMP_DIVISOR: u128 = 8;

/// What became of an allocation.
pub(super) enum Allocation {
    /// The trade has its nonces.
    Recorded,
    /// Somebody was faster with the counter: try again at once.
    Raced,
    /// Not now, because.
    Blocked(String),
}

impl Engine {
    /// Takes nonces for a pending trade. Nothing is sent here.
    pub(super) async fn allocate(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
    ) -> Result<Allocation, EngineError> {
        let Some(seen) = self.counter(job, market).await? else {
            return Ok(Allocation::Blocked(
                "transactions of this wallet that are not ours are pending".to_owned(),
            ));
        };
        if let Some(reason) = &seen.halted {
            return Ok(Allocation::Blocked(format!("the signer is halted: {reason}")));
        }
        let request = self.request(job, trade)?;
        let deadline = self
            .settings
            .trade_deadline
            .after(market.chain.head().await?.time);
        let calls = market
            .venue
            .calls(&request, trade.amount_out_min, deadline)
            .await?;
        let fees = market.chain.fees().await?;
        let transactions = sign_all(market, &calls, seen.next_nonce, fees).await?;
        let reservations = self.reservations(job, market, &request, &calls, fees).await?;
        let submission = Submission {
            trade: trade.id,
            version: trade.version,
            account: &job.account,
            seen: &seen,
            transactions: &transactions,
            deadline,
            reservations: &reservations,
            pipeline_max: self.settings.pipeline_max,
        };
        Ok(match signers::submit(&self.pool, &submission).await? {
            Submitted::Recorded => {
                info!(job = %job.id, trade = trade.id, nonce = seen.next_nonce, "transaction recorded");
                Allocation::Recorded
            }
            Submitted::Raced => Allocation::Raced,
            Submitted::PipelineFull => {
                Allocation::Blocked("too many transactions of this signer are open".to_owned())
            }
            Submitted::Unfunded(Asset::Native) => {
                Allocation::Blocked("not enough native coin for gas".to_owned())
            }
            Submitted::Unfunded(Asset::Token(token)) => Allocation::Blocked(format!(
                "not enough of {token} beside what other open trades have reserved"
            )),
        })
    }

    /// The signer's counter, compared with the chain's. `None`: the wallet is new to us and busy elsewhere.
    async fn counter(&self, job: &Job, market: &Market) -> Result<Option<SignerState>, EngineError> {
        let nonces = market.chain.nonces(job.account.wallet).await?;
        let known = signers::find(&self.pool, &job.account).await?;
        let Some(known) = known else {
            if nonces.pending != nonces.latest {
                return Ok(None);
            }
            return Ok(Some(
                signers::open(&self.pool, &job.account, nonces.latest).await?,
            ));
        };
        if nonces.latest <= known.next_nonce {
            return Ok(Some(known));
        }
        // Ours may just have grown under us: only a counter that is still behind proves anything.
        let again = signers::find(&self.pool, &job.account).await?.unwrap_or(known);
        if nonces.latest > again.next_nonce && again.halted.is_none() {
            let reason = format!(
                "the chain has used nonce {} but this database only knows nonces below {}: it is older than the \
                 chain (a restored backup?), or somebody else uses this key",
                nonces.latest.saturating_sub(1),
                again.next_nonce
            );
            error!(job = %job.id, wallet = %job.account.wallet, reason, "signer halted");
            signers::halt(&self.pool, &job.account, &reason).await?;
            return Ok(Some(SignerState {
                halted: Some(reason),
                ..again
            }));
        }
        Ok(Some(again))
    }

    /// The swap this trade froze. The same trade always asks for the same swap.
    pub(super) fn request(&self, job: &Job, trade: &Trade) -> Result<SwapRequest, MoneyError> {
        swap_request(job, trade.side, trade.amount_in, trade.value, trade.price)
    }

    async fn reservations(
        &self,
        job: &Job,
        market: &Market,
        request: &SwapRequest,
        calls: &[Call],
        fees: Fees,
    ) -> Result<Vec<Reservation>, EngineError> {
        let balances = market
            .chain
            .balances(job.account.wallet, &[Asset::of(request.token_in), Asset::Native])
            .await?;
        let balance = |index: usize| balances.get(index).copied().unwrap_or_default();
        let units = calls
            .iter()
            .fold(0_u64, |sum, call| sum.saturating_add(call.gas_limit));
        let native_price = market.chain.usd_price(Asset::Native).await?.price;
        let (gas, _) = gas_cost(units, fees, native_price)?;
        let mut native = Reservation {
            asset: Asset::Native,
            amount: gas,
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

    /// Signs one more attempt for an open transaction, paying at least an eighth more than all before it, and
    /// records it. Nothing is sent here. `false`: somebody else moved the trade first.
    pub(super) async fn replace(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        index: usize,
        purpose: Purpose,
    ) -> Result<bool, EngineError> {
        let (Some(state), Some(row)) = (trade.state.transactions.get(index), trade.transactions.get(index))
        else {
            return Ok(false);
        };
        let call = match purpose {
            Purpose::Cancel => Call::cancel(job.account.wallet),
            // Exactly what was signed before: only the fees differ.
            _ => {
                let Some(newest) = state.attempts.last() else {
                    return Ok(false);
                };
                let raw = signers::raw(&self.pool, newest.hash).await?;
                market.signer.call_of(&raw, purpose)?
            }
        };
        let fees = bumped(&row.fees, market.chain.fees().await?);
        let Some(signed) = sign_all(market, &[call], state.nonce, fees).await?.pop() else {
            return Ok(false);
        };
        info!(job = %job.id, trade = trade.id, nonce = state.nonce, %purpose, hash = %signed.signed.hash, "replacement recorded");
        Ok(signers::record_attempt(&self.pool, trade.id, trade.version, row.id, &signed).await?)
    }
}

async fn sign_all(
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

/// Higher than all of `before` by an eighth, rounded up, and never below what the chain asks now.
fn bumped(before: &[Fees], now: Fees) -> Fees {
    let raise = |fee: u128| {
        fee.saturating_add(fee.div_ceil(BUMP_DIVISOR))
            .max(fee.saturating_add(1))
    };
    before.iter().fold(now, |high, fees| Fees {
        max_fee_per_gas: high.max_fee_per_gas.max(raise(fees.max_fee_per_gas)),
        max_priority_fee_per_gas: high
            .max_priority_fee_per_gas
            .max(raise(fees.max_priority_fee_per_gas)),
    })
}

/// What moved in and out of the wallet, by the receipt's logs alone.
pub(super) fn moved(
    job: &Job,
    side: Side,
    transfers: &[crate::ports::Transfer],
) -> Result<(Amount, Amount), MoneyError> {
    let net = |token: alloy_primitives::Address, inwards: bool| -> Result<Amount, MoneyError> {
        let (mut to_us, mut from_us) = (Amount::ZERO, Amount::ZERO);
        for transfer in transfers.iter().filter(|transfer| transfer.token == token) {
            if transfer.to == job.account.wallet {
                to_us = to_us.checked_add(transfer.amount)?;
            }
            if transfer.from == job.account.wallet {
                from_us = from_us.checked_add(transfer.amount)?;
            }
        }
        Ok(if inwards {
            to_us.saturating_sub(from_us)
        } else {
            from_us.saturating_sub(to_us)
        })
    };
    let buying = side == Side::Buy;
    Ok((net(job.token.address, buying)?, net(job.quote.address, !buying)?))
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
        assert_eq!(bumped(&[fees(100, 8), fees(81, 16)], fees(1, 1)), fees(113, 18));
        assert_eq!(bumped(&[fees(0, 0)], fees(0, 0)), fees(1, 1));
        assert_eq!(bumped(&[fees(100, 8)], fees(500, 50)), fees(500, 50));
    }
}
