//! How a trade ends: what its receipts say goes into the ledger.

use std::collections::HashMap;

use alloy_primitives::B256;
use futures::join;
use metrics::{counter, histogram};
use tracing::debug;

use crate::engine::{core::Engine, error::EngineError, observe::ObservedTrade, progress::Progress};
use crate::{
    domain::{
        accounting::Fill,
        costs::gas_paid,
        decision::Side,
        onchain::{Asset, Receipt, Transfer, UsdPrice},
        trade::{FailureKind, TradeStatus},
        units::{Amount, MoneyError, Price, Usd},
    },
    failpoint::reach,
    ports::Market,
    store::{
        dropped,
        endings::{self, Ended, Settlement, TradeFailure},
        gas::GasPaid,
        jobs::Job,
        trades::Trade,
    },
    telemetry::{job_line, metric},
};

impl Engine {
    pub(in crate::engine) async fn expire(&self, job: &Job, trade: &Trade) -> Result<Progress, EngineError> {
        if !trade.reason.is_wanted(job.status) {
            return self.drop_plan(job, trade).await;
        }
        let error = "no nonce was bound before the plan expired; nothing was sent";
        let failure = TradeFailure::unsent(error.to_owned());
        self.commit_failure(job, trade, &failure).await
    }

    /// Drops a plan of a job that was stopped, or is to be sold, before a nonce was bound. Nobody's failure.
    pub(in crate::engine) async fn drop_plan(
        &self,
        job: &Job,
        trade: &Trade,
    ) -> Result<Progress, EngineError> {
        let why = format!("the job became {} before anything was signed", job.status);
        let places = self.settings.pipeline_max;
        if dropped::drop_plan(&self.pool, trade, &why, places).await? == Ended::Committed {
            count(job, trade, TradeStatus::Dropped);
            job_line!(info, job, trade = trade.id.0, status = %job.status, "plan dropped: the job was stopped");
            return Ok(Progress::Final);
        }
        Ok(Progress::Stepped)
    }

    pub(in crate::engine) async fn fill(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        observed: &ObservedTrade,
        hash: B256,
    ) -> Result<Progress, EngineError> {
        let Some(receipt) = observed.receipts.get(&hash) else {
            return Ok(Progress::Waiting);
        };
        let (base_amount, quote_amount) = moved(job, trade.side, &receipt.transfers)?;
        if base_amount.is_zero() || quote_amount.is_zero() {
            let why = "the receipt of the swap moves none of the expected tokens";
            return self.stays_open(job, trade, why).await;
        }
        let moved = (base_amount, quote_amount);
        let block = receipt.block_number;
        let quote = Asset::of(job.quote.address);
        // Asked together: what they need of the chain shares a round trip.
        let (doubt, quote_price, native_price) = join!(
            self.doubt_fill((job, trade), market, receipt, moved),
            worth(market, quote, block),
            worth(market, Asset::Native, block)
        );
        if let Some(doubt) = doubt? {
            return Ok(doubt);
        }
        let quote_price = quote_price?;
        let quote_unit = (job.quote.decimals, quote_price.price);
        let fill = Fill::of(trade.side, base_amount, quote_amount, quote_unit)?;
        let native_price = match quote {
            Asset::Native => quote_price.price,
            Asset::Token(_) => native_price?.price,
        };
        let paid = gas_of(trade, &observed.receipts, native_price)?;
        let settlement = Settlement {
            hash,
            block_number: receipt.block_number,
            block_hash: receipt.block_hash,
            block_time: receipt.block_time,
            fill,
            quote_price: (quote_price.price, quote_price.source, quote_price.at),
            price: fill.price(job.token.decimals, trade.price),
            gas_native: paid.native,
            gas_usd: paid.usd,
            gas: paid.each,
        };
        reach("filling");
        let places = self.settings.pipeline_max;
        if endings::commit_fill(&self.pool, trade, &settlement, places).await? == Ended::Committed {
            reach("filled");
            count(job, trade, TradeStatus::Executed);
            job_line!(
                info, job, trade = trade.id.0, side = %trade.side, reason = %trade.reason, %hash,
                base = base_amount.to_whole(job.token.decimals), quote = quote_amount.to_whole(job.quote.decimals),
                "trade executed"
            );
            return Ok(Progress::Final);
        }
        Ok(Progress::Stepped)
    }

    pub(in crate::engine) async fn fail(
        &self,
        job: &Job,
        trade: &Trade,
        market: &Market,
        observed: &ObservedTrade,
        kind: FailureKind,
        hash: B256,
    ) -> Result<Progress, EngineError> {
        if let Some(receipt) = observed.receipts.get(&hash)
            && let Some(doubt) = self
                .doubt_failure((job, trade), market, receipt.block_number)
                .await?
        {
            return Ok(doubt);
        }
        let native_price = match observed.receipts.get(&hash) {
            Some(receipt) => worth(market, Asset::Native, receipt.block_number).await?.price,
            None => market.chain.usd_price(Asset::Native).await?.price,
        };
        // A foreign transaction is somewhere below the newest block.
        let block_number = match kind {
            FailureKind::Foreign => market.chain.agreed_head().await?.number,
            _ => observed
                .receipts
                .values()
                .map(|receipt| receipt.block_number)
                .max()
                .unwrap_or_default(),
        };
        let paid = gas_of(trade, &observed.receipts, native_price)?;
        let failure = TradeFailure {
            kind,
            error: match kind {
                FailureKind::Cancelled => {
                    "not mined before its deadline; cancelled on its own nonce".to_owned()
                }
                FailureKind::Foreign => {
                    format!("transaction {hash}, which is not ours, used a nonce of this trade")
                }
                FailureKind::Reverted | FailureKind::Expired => {
                    format!("transaction {hash} was mined and {kind}")
                }
            },
            hash: Some(hash),
            block_number,
            gas_usd: paid.usd,
            gas: paid.each,
        };
        let done = self.commit_failure(job, trade, &failure).await?;
        // Once for each revert, and so after the ledger has it.
        if kind == FailureKind::Reverted && done == Progress::Final {
            let (token_in, token_out) = match trade.side {
                Side::Buy => (job.quote.address, job.token.address),
                Side::Sell => (job.token.address, job.quote.address),
            };
            market.venue.reverted(token_in, token_out).await;
        }
        Ok(done)
    }

    async fn commit_failure(
        &self,
        job: &Job,
        trade: &Trade,
        failure: &TradeFailure,
    ) -> Result<Progress, EngineError> {
        reach("failing");
        let places = self.settings.pipeline_max;
        if endings::commit_failure(&self.pool, trade, failure, places).await? == Ended::Committed {
            reach("failed");
            count(job, trade, TradeStatus::Failed);
            counter!(metric::TRADE_FAILURES, "reason" => <&'static str>::from(failure.kind)).increment(1);
            job_line!(warn, job, trade = trade.id.0, kind = %failure.kind, error = failure.error, "trade failed");
            return Ok(Progress::Final);
        }
        Ok(Progress::Stepped)
    }
}

/// What something was worth when it moved. A trade may be booked long after its block: whatever the price is by then
/// says nothing about what was paid. Where the node has forgotten that block, the price now has to do; its time is kept
/// with it.
pub(in crate::engine) async fn worth(
    market: &Market,
    asset: Asset,
    block: u64,
) -> Result<UsdPrice, EngineError> {
    match market.chain.usd_price_at(asset, block).await {
        Ok(price) => Ok(price),
        Err(error) => {
            debug!(block, %error, "no price as of this block: the one of now is taken");
            Ok(market.chain.usd_price(asset).await?)
        }
    }
}

fn count(job: &Job, trade: &Trade, status: TradeStatus) {
    let labels = [
        ("realm", <&'static str>::from(job.account.realm)),
        ("side", <&'static str>::from(trade.side)),
        ("reason", <&'static str>::from(trade.reason)),
        ("status", <&'static str>::from(status)),
    ];
    counter!(metric::TRADES, &labels).increment(1);
    // This machine's clock may be ahead of the database's, by which slots are dated.
    let age = (chrono::Utc::now() - trade.slot).to_std().unwrap_or_default();
    histogram!(metric::TRADE_DURATION).record(age);
}

/// Gas of everything that a trade got mined.
struct Gas {
    native: Amount,
    usd: Usd,
    each: Vec<GasPaid>,
}

/// Adds up the gas of a trade's receipts, in the order of its transactions. Each has what it adds to the sum in USD,
/// which is rounded up: so the parts make exactly the sum.
fn gas_of(trade: &Trade, receipts: &HashMap<B256, Receipt>, native: Price) -> Result<Gas, EngineError> {
    let mut gas = Gas {
        native: Amount::ZERO,
        usd: Usd::ZERO,
        each: Vec::new(),
    };
    for signed in &trade.signed {
        let Some(receipt) = receipts.get(&signed.hash) else {
            continue;
        };
        gas.native = gas.native.checked_add(receipt.gas_native)?;
        let usd = gas_paid(gas.native, native)?;
        gas.each.push(GasPaid {
            hash: signed.hash,
            success: receipt.success,
            gas_native: receipt.gas_native,
            gas_usd: usd.checked_sub(gas.usd)?,
            mined_at: receipt.block_time,
        });
        gas.usd = usd;
    }
    Ok(gas)
}

/// What moved in and out of the wallet, by the receipt's logs alone.
pub(in crate::engine) fn moved(
    job: &Job,
    side: Side,
    transfers: &[Transfer],
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
