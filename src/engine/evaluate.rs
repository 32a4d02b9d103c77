//! One slice of ticks: loaded together, priced together, decided apart, recorded together.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, future::join_all, stream};
use metrics::{counter, histogram};
use tracing::{info, warn};

use super::{
    Engine, EngineError, Outcome, Tick, TickResult,
    facts::{Priced, by_who_is_asked, decision, facts, gate, hold, hold_on, name, sold_out, window},
    market::{Purse, Quoting, halted, quoted, swap_request, too_dear},
};
use crate::{
    domain::{
        decision::{Decision, Facts, HoldReason, Plan, Reason, Side},
        job::JobId,
        limits::{self, ApprovedPlan},
        liquidate,
        onchain::Asset,
    },
    failpoint::reach,
    ports::{Market, QuoteError},
    store::{
        StoreError, fills,
        samples::{self, Window},
        signers, slots,
        ticks::{self, Hold, TickJob},
        trades::{self, Frozen, NewTrade},
    },
    telemetry::metric,
};

/// A trade that was frozen and not carried on, since its worker died, is taken over after this many check intervals.
const FIRST_CHECK_INTERVALS: u32 = 2;

/// How often a liquidation that reverts is halved in one tick: each half is tried out in several pools.
const HALVES_MAX: u32 = 6;

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
                    results.extend(named.map(|tick| failed(*tick, error)));
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
            } else if let Some((reason, detail)) = gate(&tick) {
                holds.push(hold(&tick, reason, detail));
            } else if sold_out(&tick) {
                match self.finish_liquidation(&tick).await {
                    Ok(done) => holds.push(done),
                    Err(error) => results.push(failed(name(&tick), error)),
                }
            } else {
                live.push(tick);
            }
        }
        let groups = by_who_is_asked(live, holds);
        let decided = groups
            .into_iter()
            .map(|(live, holds)| self.evaluate_live(live, holds));
        results.extend(join_all(decided).await.into_iter().flatten());
        let passed = results
            .iter()
            .filter(|result| matches!(result.outcome, Ok(Outcome::AlreadyRecorded { .. })))
            .map(|result| result.tick.job);
        let passed: Vec<JobId> = passed.collect();
        if let Err(error) = slots::close_decided(&self.pool, &passed).await {
            warn!(jobs = passed.len(), %error, "decided slots were not closed; the scheduler closes them");
        }
        Ok(results)
    }

    /// Prices and decides ticks that may trade, and records them with `holds`, which are decided already.
    async fn evaluate_live(&self, live: Vec<TickJob>, mut holds: Vec<Hold>) -> Vec<TickResult> {
        let decided = holds.iter().map(|hold| hold.tick);
        let ticks: Vec<Tick> = live.iter().map(name).chain(decided).collect();
        let mut results = Vec::with_capacity(ticks.len());
        let recorded = async {
            let live = self.with_markets(live, &mut holds).await;
            let priced = self.price(live, &mut holds).await;
            self.decide(priced, &mut holds, &mut results).await?;
            Ok::<_, EngineError>(ticks::record_holds(&self.pool, &holds).await?.refused)
        };
        let mut refused: HashMap<JobId, StoreError> = match recorded.await {
            Ok(refused) => refused.into_iter().collect(),
            Err(error) => return fail_all(&ticks, &error),
        };
        results.extend(
            holds
                .into_iter()
                .map(|hold| match refused.remove(&hold.tick.job) {
                    None => held(hold),
                    Some(error) => failed(hold.tick, error),
                }),
        );
        results
    }

    /// A liquidation that finds nothing to sell is over.
    async fn finish_liquidation(&self, tick: &TickJob) -> Result<Hold, EngineError> {
        fills::write_off_dust(&self.pool, &tick.job).await?;
        let detail = "nothing is left to sell: the job is IDLE";
        Ok(hold(tick, HoldReason::Idle, Some(detail.to_owned())))
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
                Decision::Hold(reason) => {
                    self.dry_sale(&priced).await;
                    holds.push(hold_on(&priced, &facts, reason, None));
                }
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
            Approval::Approved(approved) => approved,
            Approval::Refused(Refusal { reason, detail }) => {
                if reason == HoldReason::Unsellable {
                    self.note_sale(job, detail.as_deref()).await?;
                }
                return Ok(Acted::Held(reason, detail));
            }
        };
        if approved.plan().side == Side::Buy {
            self.note_sale(job, None).await?;
        }
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
                info!(job = %job.id, trade = trade.0, side = %plan.side, reason = %plan.reason, value_usd = %plan.value, price_usd = %plan.price, slot = %priced.tick.slot, "trade planned");
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
    ) -> Result<Approval, EngineError> {
        let job = &priced.tick.job;
        if let Some(reason) = signers::find(&self.pool, &job.account)
            .await?
            .and_then(|signer| signer.halted)
        {
            return Ok(Approval::Refused(Refusal::because(
                HoldReason::SignerHalted,
                reason,
            )));
        }
        if let Some((reason, detail)) = halted(market, market.chain.head().await?, priced.tick.now) {
            return Ok(Approval::Refused(Refusal::because(reason, detail)));
        }
        if let Some(detail) = market.chain.disagreement().await {
            return Ok(Approval::Refused(Refusal::because(
                HoldReason::NodesDisagree,
                detail,
            )));
        }
        let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
        let reserved = signers::reserved(&mut connection, &job.account).await?;
        drop(connection);
        let fees = market.chain.fees().await?;
        if let Some(detail) = too_dear(market, fees) {
            return Ok(Approval::Refused(Refusal::because(
                HoldReason::GasTooExpensive,
                detail,
            )));
        }
        let costs = (fees, market.chain.usd_price(Asset::Native).await?.price);
        let mut refusals = 0_u32;
        loop {
            let request = swap_request(job, plan.side, plan.amount_in, plan.value, plan.price)?;
            // Nothing is quoted, frozen or failed that would not be signed.
            if let Err(refused) = market.signer.permits(&request).await {
                return Ok(Approval::Refused(Refusal::because(
                    HoldReason::PolicyRefused,
                    refused.detail,
                )));
            }
            let purse = Purse::open(market, &request, &reserved).await?;
            if plan.reason == Reason::Liquidate && purse.token_in < plan.amount_in {
                // The wallet lost tokens that the ledger still counts: sell what is really there.
                match liquidate::within_wallet(plan, purse.token_in, facts)? {
                    Some(smaller) => plan = smaller,
                    None => return Ok(Approval::Refused(Refusal::plain(HoldReason::InsufficientBalance))),
                }
                continue;
            }
            let quote = match market.venue.quote(&request).await {
                Ok(quote) => quote,
                // Half of a liquidation may still find a buyer, or pass a token's limit on the size of a transfer;
                // without a quote, its gas is the most allowed.
                Err(error) => {
                    let refusal = Refusal::unquoted(&error);
                    refusals += u32::from(refusal.reason == HoldReason::SimulationFailed);
                    let gas = job.config.limits.max_gas_usd;
                    match liquidate::split(plan, refusal.reason, gas, facts)? {
                        Some(half) if refusals < HALVES_MAX => plan = half,
                        _ => return Ok(Approval::Refused(refusal)),
                    }
                    continue;
                }
            };
            let quoted = quoted(Quoting::of(job), &plan, &quote, purse, costs)?;
            // Gas dearer than the job allows is a hold: it may fall again, and what is written down is gone.
            let allowed_gas = quoted.gas_usd.min(job.config.limits.max_gas_usd);
            if plan.reason == Reason::Liquidate
                && liquidate::is_dust(&facts.position, facts.price, allowed_gas)?
                && fills::write_off_dust(&self.pool, job).await?
            {
                let detail = "what was left is worth less than its gas: written down, the job is IDLE";
                return Ok(Approval::Refused(Refusal::because(
                    HoldReason::Idle,
                    detail.to_owned(),
                )));
            }
            match limits::approve(plan, &job.config, &quoted) {
                Ok(approved) => return Ok(Approval::Approved(approved)),
                Err(reason) => match liquidate::split(plan, reason, quoted.gas_usd, facts)? {
                    Some(half) => plan = half,
                    None => {
                        let detail = limits::figures(reason, &plan, &job.config, &quoted);
                        return Ok(Approval::Refused(Refusal { reason, detail }));
                    }
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

/// What the limits say of a plan.
enum Approval {
    Approved(ApprovedPlan),
    Refused(Refusal),
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
            QuoteError::Disagrees(_) => HoldReason::QuoteDisagrees,
            QuoteError::DecimalsChanged(_) => HoldReason::DecimalsChanged,
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

/// One tick that could not be carried out, and no other with it.
fn failed(tick: Tick, error: impl Into<EngineError>) -> TickResult {
    TickResult {
        tick,
        outcome: Err(error.into()),
    }
}

/// The slice could not even be loaded or recorded: every tick of it may be tried again.
fn fail_all(round: &[Tick], error: &EngineError) -> Vec<TickResult> {
    warn!(ticks = round.len(), %error, "slice not evaluated");
    round
        .iter()
        .map(|tick| {
            let error = StoreError::SliceFailed(error.to_string());
            TickResult {
                tick: *tick,
                outcome: Err(error.into()),
            }
        })
        .collect()
}
