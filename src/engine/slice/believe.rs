//! Prices of a slice's tokens, and whether they are accepted.

use std::collections::{HashMap, HashSet};

use alloy_primitives::Address;
use futures::future::join_all;

use crate::engine::{
    core::Engine,
    error::EngineError,
    facts::{Priced, hold, last_accepted, price_request},
};
use crate::{
    domain::{
        Timestamp, chains,
        decision::HoldReason,
        job::{Account, JobStatus, Realm},
        onchain::Asset,
        price::{AcceptedPrice, RefusedPrice, accept, confirm, is_recent},
        units::Price,
    },
    ports::{PriceRequest, Witnesses},
    store::ticks::{Hold, TickJob},
};

impl Engine {
    /// Asks every source once for the whole slice; refused prices become holds.
    pub(in crate::engine) async fn price(&self, live: Vec<TickJob>, holds: &mut Vec<Hold>) -> Vec<Priced> {
        let Some(now) = live.iter().map(|tick| tick.now).max() else {
            return Vec::new();
        };
        let requests: Vec<PriceRequest<'_>> = live.iter().map(price_request).collect();
        let answers = self.prices.answers(&requests, now).await;
        let quotes = self.quote_prices(&live).await;
        let mut priced = Vec::with_capacity(live.len());
        for (mut tick, answers) in live.into_iter().zip(answers) {
            match quotes.get(&(tick.job.account.clone(), tick.job.quote.address)) {
                Some(Ok(price)) => tick.job.position.quote_price = *price,
                Some(Err(error)) => {
                    let detail = format!("{}: {error}", tick.job.quote.symbol);
                    holds.push(hold(&tick, HoldReason::PriceMissing, Some(detail)));
                    continue;
                }
                // Worth a dollar.
                None => {}
            }
            let config = &tick.job.config.price;
            let last = last_accepted(&tick, config.sources.first().copied());
            let believed = match accept(&answers, config, last, now) {
                Ok(accepted) => self.confirmed(&tick, accepted, last, now).await,
                refused => refused,
            };
            match believed {
                Ok(accepted) => priced.push(Priced {
                    tick,
                    accepted,
                    sample_high: None,
                }),
                Err(refused) => holds.push(hold(&tick, refused.reason, Some(refused.detail))),
            }
        }
        priced
    }

    /// Confirms the price of a single source with single nodes, where that is needed.
    async fn confirmed(
        &self,
        tick: &TickJob,
        accepted: AcceptedPrice,
        last: Option<AcceptedPrice>,
        now: Timestamp,
    ) -> Result<AcceptedPrice, RefusedPrice> {
        let job = &tick.job;
        let config = &job.config.price;
        let sells_out = job.status == JobStatus::Liquidating;
        let alone = job.account.realm == Realm::Live && config.on_chain_only() && !config.single_source;
        if !alone || (is_recent(last, now) && !sells_out) {
            return Ok(accepted);
        }
        match self.prices.witnesses(&price_request(tick)).await {
            Witnesses::NotNeeded => Ok(accepted),
            Witnesses::Said(said) => confirm(&accepted, &said, last, config, now).map(|()| accepted),
        }
    }

    /// USD prices of the quote tokens that are not USDC: one request for a slice, however many jobs share the token,
    /// so that a chain that does not answer costs one wait.
    async fn quote_prices(
        &self,
        live: &[TickJob],
    ) -> HashMap<(Account, Address), Result<Price, EngineError>> {
        let quotes: HashSet<(Account, Address)> = live
            .iter()
            .map(|tick| (tick.job.account.clone(), tick.job.quote.address))
            .filter(|(account, quote)| {
                chains::find(&account.chain).map(|chain| chain.usdc).ok() != Some(*quote)
            })
            .collect();
        let asked = quotes.into_iter().map(|(account, quote)| async move {
            let price = self.quote_price(&account, quote).await;
            ((account, quote), price)
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn quote_price(&self, account: &Account, quote: Address) -> Result<Price, EngineError> {
        let market = self.markets.market(account).await?;
        Ok(market.chain.usd_price(Asset::of(quote)).await?.price)
    }
}
