//! One slice of ticks: loaded together, priced together, decided apart, recorded together.

use std::collections::{HashMap, HashSet};

use alloy_primitives::Address;
use futures::{StreamExt, future::join_all, stream};
use metrics::{counter, histogram};
use tracing::{info, warn};

use super::{
    Engine, EngineError, Outcome, Tick, TickResult,
    facts::{
        Priced, by_who_is_asked, decision, facts, gate, hold, hold_on, last_accepted, name, sold_out, window,
    },
    market::{Purse, Quoting, halted, quoted, swap_request, too_dear},
};
use crate::{
    domain::{
        chains,
        decision::{Decision, Facts, HoldReason, Plan, Reason},
        job::{Account, JobId},
        limits::{self, ApprovedPlan},
        liquidate,
        price::accept,
        units::Price,
    },
    failpoint::reach,
    ports::{Asset, Market, PriceRequest, QuoteError},
    store::{
        fills,
        samples::{self, Window},
        signers,
        ticks::{self, Hold, TickJob},
        trades::{self, Frozen, NewTrade},
    },
    telemetry::metric,
};

/// A trade that was frozen and not carried on, since its worker died, is taken over after this many check intervals.
const FIRST_CHECK_INTERVALS: u32 = 2;

/// Plans of one slice that talk to their venues at the same time.
const QUOTES_AT_ONCE: usize = 16;

impl Engine {
    /// Evaluates a slice: one result for each tick, in no particular order. An error of one tick harms no
    /// other; a tick with an error was not recorded and may be tried again.
    pub async fn evaluate(&self, slice: &[Tick]) -> Vec<TickResult> {
        let begun = std::time::Instant::now();
        let results = self.evaluate_all(slice).await;
        histogram!(metric::TICK_DURATION).record(begun.elapsed());
        results.iter().for_each(count);
        results
    }

    async fn evaluate_all(&self, slice: &[Tick]) -> Vec<TickResult> {
        let mut results = Vec::with_capacity(slice.len());
        let mut rest = slice.to_vec();
        // Two slots of one job in a slice are evaluated one after the other.
        while !rest.is_empty() {
            let mut seen = HashSet::new();
            let (round, later): (Vec<Tick>, Vec<Tick>) = rest.iter().partition(|tick| seen.insert(tick.job));
            match self.evaluate_round(&round).await {
                Ok(done) => results.extend(done),
                Err(error) => results.extend(fail_all(&round, &error)),
            }
            rest = later;
        }
        results
    }

    async fn evaluate_round(&self, round: &[Tick]) -> Result<Vec<TickResult>, EngineError> {
        let loaded = ticks::load(&self.pool, &self.memory, round).await?;
        let known: HashSet<JobId> = loaded.iter().map(|(job, _)| *job).collect();
        let mut results: Vec<TickResult> = round
            .iter()
            .filter(|tick| !known.contains(&tick.job))
            .map(|tick| TickResult {
                tick: *tick,
                outcome: Ok(Outcome::NoSuchJob),
            })
            .collect();
        let (mut holds, mut live) = (Vec::new(), Vec::new());
        for (job, tick) in loaded {
            let tick = match tick {
                Ok(tick) => tick,
                Err(error) => {
                    // A round has one slot of each job.
                    let named = round.iter().find(|tick| tick.job == job);
                    results.extend(named.map(|tick| TickResult {
                        tick: *tick,
                        outcome: Err(EngineError::Store(error)),
                    }));
                    continue;
                }
            };
            let lag = (tick.now - tick.slot).to_std().unwrap_or_default();
            histogram!(metric::TICK_LAG).record(lag);
            if tick.recorded {
                let trade = tick.trade_of_slot;
                results.push(TickResult {
                    tick: name(&tick),
                    outcome: Ok(Outcome::AlreadyRecorded { trade }),
                });
            } else if let Some(reason) = gate(&tick) {
                holds.push(hold(&tick, reason, None));
            } else if sold_out(&tick) {
                holds.push(self.finish_liquidation(&tick).await?);
            } else {
                live.push(tick);
            }
        }
        let groups = by_who_is_asked(live, holds);
        let decided = groups
            .into_iter()
            .map(|(live, holds)| self.evaluate_live(live, holds));
        results.extend(join_all(decided).await.into_iter().flatten());
        Ok(results)
    }

    /// Prices and decides ticks that may trade, and records them with `holds`, which are decided already.
    async fn evaluate_live(&self, live: Vec<TickJob>, mut holds: Vec<Hold>) -> Vec<TickResult> {
        let decided = holds.iter().map(|hold| hold.tick);
        let ticks: Vec<Tick> = live.iter().map(name).chain(decided).collect();
        let mut results = Vec::with_capacity(ticks.len());
        let recorded = async {
            let priced = self.price(live, &mut holds).await;
            self.decide(priced, &mut holds, &mut results).await?;
            ticks::record_holds(&self.pool, &holds).await?;
            Ok::<_, EngineError>(())
        };
        if let Err(error) = recorded.await {
            return fail_all(&ticks, &error);
        }
        results.extend(holds.into_iter().map(held));
        results
    }

    /// A liquidation that finds nothing to sell is over.
    async fn finish_liquidation(&self, tick: &TickJob) -> Result<Hold, EngineError> {
        fills::write_off_dust(&self.pool, &tick.job).await?;
        let detail = "nothing is left to sell: the job is IDLE";
        Ok(hold(tick, HoldReason::Idle, Some(detail.to_owned())))
    }

    /// Asks every source once for the whole slice; refused prices become holds.
    async fn price(&self, live: Vec<TickJob>, holds: &mut Vec<Hold>) -> Vec<Priced> {
        let Some(now) = live.iter().map(|tick| tick.now).max() else {
            return Vec::new();
        };
        let requests: Vec<PriceRequest<'_>> = live
            .iter()
            .map(|tick| PriceRequest {
                chain: &tick.job.account.chain,
                token: tick.job.token.address,
                quote: tick.job.quote.address,
                pool: tick.job.config.venue.pool,
                config: &tick.job.config.price,
            })
            .collect();
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
            match accept(&answers, config, last, now) {
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

    /// What jobs pay with, where that is not simply a dollar: asked once for a slice, however many jobs share it, so
    /// that a chain that does not answer costs one wait.
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

    async fn decide(
        &self,
        priced: Vec<Priced>,
        holds: &mut Vec<Hold>,
        results: &mut Vec<TickResult>,
    ) -> Result<(), EngineError> {
        let windows: Vec<Window> = priced.iter().map(window).collect();
        let histories = samples::observe(&self.pool, &windows, self.settings.sample_interval).await?;
        let mut plans = Vec::new();
        for (mut priced, observed) in priced.into_iter().zip(histories) {
            priced.sample_high = observed.sample_high;
            let facts = facts(&priced, &observed.history);
            match decision(&priced.tick, &facts) {
                Decision::Hold(reason) => holds.push(hold_on(&priced, &facts, reason, None)),
                Decision::Trade(plan) => plans.push((priced, facts, plan)),
            }
        }
        let mut acted = stream::iter(plans)
            .map(|(priced, facts, plan)| async move {
                let done = self.act(&priced, &facts, plan).await;
                (priced, facts, done)
            })
            .buffer_unordered(QUOTES_AT_ONCE);
        while let Some((priced, facts, done)) = acted.next().await {
            match done {
                Ok(Acted::Held(reason, detail)) => holds.push(hold_on(&priced, &facts, reason, detail)),
                Ok(Acted::Done(outcome)) => results.push(TickResult {
                    tick: name(&priced.tick),
                    outcome: Ok(outcome),
                }),
                Err(error) => results.push(TickResult {
                    tick: name(&priced.tick),
                    outcome: Err(error),
                }),
            }
        }
        Ok(())
    }

    /// Quotes a plan, takes it through the limits and freezes it.
    async fn act(&self, priced: &Priced, facts: &Facts, plan: Plan) -> Result<Acted, EngineError> {
        let job = &priced.tick.job;
        let market = self.markets.market(&job.account).await?;
        let approved = match self.approve(priced, facts, plan, &market).await? {
            Ok(approved) => approved,
            Err(Refusal { reason, detail }) => return Ok(Acted::Held(reason, detail)),
        };
        let new = NewTrade {
            job,
            slot: priced.tick.slot,
            approved,
            seen: priced.seen(facts),
            expires_at: self.settings.plan_lifetime.after(priced.tick.now),
            first_check: self.intervals(FIRST_CHECK_INTERVALS),
        };
        match trades::freeze(&self.pool, &new).await? {
            Frozen::New(trade) => {
                reach("frozen");
                let plan = approved.plan();
                info!(job = %job.id, trade, side = %plan.side, reason = %plan.reason, value_usd = %plan.value, price_usd = %plan.price, slot = %priced.tick.slot, "trade planned");
                Ok(Acted::Done(Outcome::Traded { trade }))
            }
            Frozen::Already(trade) => Ok(Acted::Done(Outcome::AlreadyRecorded { trade })),
            Frozen::TradeOpen => Ok(Acted::Held(HoldReason::TradeOpen, None)),
            Frozen::JobChanged => Ok(Acted::Held(HoldReason::JobChanged, None)),
        }
    }

    /// Quote and limits; a liquidation that is too large for the market is halved until it fits or is dust.
    async fn approve(
        &self,
        priced: &Priced,
        facts: &Facts,
        mut plan: Plan,
        market: &Market,
    ) -> Result<Result<ApprovedPlan, Refusal>, EngineError> {
        let job = &priced.tick.job;
        if let Some(reason) = signers::find(&self.pool, &job.account)
            .await?
            .and_then(|signer| signer.halted)
        {
            return Ok(Err(Refusal::because(HoldReason::SignerHalted, reason)));
        }
        if let Some(detail) = halted(market, market.chain.head().await?, priced.tick.now) {
            return Ok(Err(Refusal::because(HoldReason::ChainHalted, detail)));
        }
        if let Some(detail) = market.chain.disagreement().await {
            return Ok(Err(Refusal::because(HoldReason::NodesDisagree, detail)));
        }
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(crate::store::StoreError::from)?;
        let reserved = signers::reserved(&mut connection, &job.account).await?;
        drop(connection);
        let fees = market.chain.fees().await?;
        if let Some(detail) = too_dear(market, fees) {
            return Ok(Err(Refusal::because(HoldReason::GasTooExpensive, detail)));
        }
        let costs = (fees, market.chain.usd_price(Asset::Native).await?.price);
        loop {
            let request = swap_request(job, plan.side, plan.amount_in, plan.value, plan.price)?;
            let purse = Purse::open(market, &request, &reserved).await?;
            if plan.reason == Reason::Liquidate && purse.token_in < plan.amount_in {
                // The wallet lost tokens that the ledger still counts: sell what is really there.
                match liquidate::within_wallet(plan, purse.token_in, facts)? {
                    Some(smaller) => plan = smaller,
                    None => return Ok(Err(Refusal::plain(HoldReason::InsufficientBalance))),
                }
                continue;
            }
            let quote = match market.venue.quote(&request).await {
                Ok(quote) => quote,
                // Half of a liquidation may still find a buyer; without a quote, its gas is the most allowed.
                Err(error @ QuoteError::NoLiquidity(_)) => {
                    match liquidate::split(
                        plan,
                        HoldReason::NoLiquidity,
                        job.config.limits.max_gas_usd,
                        facts,
                    )? {
                        Some(half) => plan = half,
                        None => return Ok(Err(Refusal::because(HoldReason::NoLiquidity, error.to_string()))),
                    }
                    continue;
                }
                Err(error) => return Ok(Err(Refusal::unquoted(&error))),
            };
            let quoted = quoted(Quoting::of(job), &plan, &quote, purse, costs)?;
            // Gas dearer than the job allows is a hold: it may fall again, and what is written down is gone.
            let allowed_gas = quoted.gas_usd.min(job.config.limits.max_gas_usd);
            if plan.reason == Reason::Liquidate
                && liquidate::is_dust(&facts.position, facts.price, allowed_gas)?
                && fills::write_off_dust(&self.pool, job).await?
            {
                let detail = "what was left is worth less than its gas: written down, the job is IDLE";
                return Ok(Err(Refusal::because(HoldReason::Idle, detail.to_owned())));
            }
            match limits::approve(plan, &job.config, &quoted) {
                Ok(approved) => return Ok(Ok(approved)),
                Err(reason) => match liquidate::split(plan, reason, quoted.gas_usd, facts)? {
                    Some(half) => plan = half,
                    None => return Ok(Err(Refusal::plain(reason))),
                },
            }
        }
    }
}

fn count(result: &TickResult) {
    let outcome = match &result.outcome {
        Ok(Outcome::Held { reason, .. }) => {
            counter!(metric::HOLDS, "reason" => <&'static str>::from(*reason)).increment(1);
            "held"
        }
        Ok(Outcome::Traded { .. }) => "traded",
        Ok(Outcome::AlreadyRecorded { .. }) => "repeated",
        Ok(Outcome::NoSuchJob) => "unknown",
        Err(_) => "failed",
    };
    counter!(metric::TICKS, "outcome" => outcome).increment(1);
}

/// What acting on a plan came to.
enum Acted {
    Held(HoldReason, Option<String>),
    Done(Outcome),
}

/// A plan that a limit refused.
struct Refusal {
    reason: HoldReason,
    detail: Option<String>,
}

impl Refusal {
    const fn plain(reason: HoldReason) -> Self {
        Self { reason, detail: None }
    }

    fn unquoted(error: &QuoteError) -> Self {
        let reason = match error {
            QuoteError::NoLiquidity(_) => HoldReason::NoLiquidity,
            QuoteError::Reverts(_) => HoldReason::SimulationFailed,
            QuoteError::Unsellable(_) => HoldReason::Unsellable,
            QuoteError::Rpc(_) => HoldReason::QuoteMissing,
        };
        Self::because(reason, error.to_string())
    }

    const fn because(reason: HoldReason, detail: String) -> Self {
        Self {
            reason,
            detail: Some(detail),
        }
    }
}

fn held(hold: Hold) -> TickResult {
    let Hold {
        tick, reason, detail, ..
    } = hold;
    info!(job = %tick.job, slot = %tick.slot, reason = %reason, detail, "held");
    TickResult {
        tick,
        outcome: Ok(Outcome::Held { reason, detail }),
    }
}

/// The slice could not even be loaded or recorded: every tick of it may be tried again.
fn fail_all(round: &[Tick], error: &EngineError) -> Vec<TickResult> {
    warn!(ticks = round.len(), %error, "slice not evaluated");
    round
        .iter()
        .map(|tick| {
            let error = crate::store::StoreError::SliceFailed(error.to_string());
            TickResult {
                tick: *tick,
                outcome: Err(error.into()),
            }
        })
        .collect()
}
