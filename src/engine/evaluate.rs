//! One slice of ticks: loaded together, priced together, decided apart, recorded together.

use std::collections::HashSet;

use futures::{StreamExt, stream};
use tracing::{info, warn};

use super::{
    Engine, EngineError, Outcome, Tick, TickResult,
    market::{Purse, quoted, swap_request},
};
use crate::{
    domain::{
        Timestamp,
        config::SourceName,
        decision::{Decision, Facts, HoldReason, Plan, Reason},
        job::{JobId, JobStatus},
        limits::{self, ApprovedPlan},
        liquidate,
        price::{AcceptedPrice, accept},
        span::Span,
    },
    ports::{Market, PriceRequest, QuoteError},
    prices::series,
    store::{
        fills,
        samples::{self, History, Window},
        signers,
        ticks::{self, Hold, TickJob},
        trades::{self, Frozen, NewTrade},
    },
};

/// Plans of one slice that talk to their venues at the same time.
const QUOTES_AT_ONCE: usize = 16;

/// A job that may trade, with the price it may trade on.
struct Priced {
    tick: TickJob,
    accepted: AcceptedPrice,
}

impl Engine {
    /// Evaluates a slice: one result for each tick, in no particular order. An error of one tick harms no
    /// other; a tick with an error was not recorded and may be tried again.
    pub async fn evaluate(&self, slice: &[Tick]) -> Vec<TickResult> {
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
        let loaded = ticks::load(&self.pool, round).await?;
        let known: HashSet<JobId> = loaded.iter().map(|tick| tick.job.id).collect();
        let mut results: Vec<TickResult> = round
            .iter()
            .filter(|tick| !known.contains(&tick.job))
            .map(|tick| TickResult {
                tick: *tick,
                outcome: Ok(Outcome::NoSuchJob),
            })
            .collect();
        let (mut holds, mut live) = (Vec::new(), Vec::new());
        for tick in loaded {
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
        let priced = self.price(live, &mut holds).await;
        self.decide(priced, &mut holds, &mut results).await?;
        ticks::record_holds(&self.pool, &holds).await?;
        results.extend(holds.into_iter().map(held));
        Ok(results)
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
                config: &tick.job.config.price,
            })
            .collect();
        let answers = self.prices.answers(&requests, now).await;
        let mut priced = Vec::with_capacity(live.len());
        for (tick, answers) in live.into_iter().zip(answers) {
            let config = &tick.job.config.price;
            let last = last_accepted(&tick, config.sources.first().copied());
            match accept(&answers, config, last, now) {
                Ok(accepted) => priced.push(Priced { tick, accepted }),
                Err(refused) => holds.push(hold(&tick, refused.reason, Some(refused.detail))),
            }
        }
        priced
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
        for (priced, history) in priced.into_iter().zip(histories) {
            let facts = facts(&priced, &history);
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
            seen: (priced.accepted.price, priced.accepted.observed_at),
            recent_high: Some(facts.recent_high),
            expires_at: self.settings.plan_lifetime.after(priced.tick.now),
        };
        match trades::freeze(&self.pool, &new).await? {
            Frozen::New(trade) => {
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
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(crate::store::StoreError::from)?;
        let reserved = signers::reserved(&mut connection, &job.account).await?;
        drop(connection);
        let costs = (market.chain.fees().await?, market.chain.native_price().await?);
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
                Err(error) => return Ok(Err(Refusal::because(HoldReason::QuoteMissing, error.to_string()))),
            };
            let quoted = quoted(job, &plan, &quote, purse, costs)?;
            if plan.reason == Reason::Liquidate
                && liquidate::is_dust(&facts.position, facts.price, quoted.gas_usd)?
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

    const fn because(reason: HoldReason, detail: String) -> Self {
        Self {
            reason,
            detail: Some(detail),
        }
    }
}

/// What keeps a job from being looked at any further.
fn gate(tick: &TickJob) -> Option<HoldReason> {
    let lateness = tick.job.config.schedule.max_lateness;
    match tick.job.status {
        JobStatus::Idle => Some(HoldReason::Idle),
        JobStatus::Paused => Some(HoldReason::Paused),
        JobStatus::Error => Some(HoldReason::Error),
        JobStatus::Running | JobStatus::Liquidating if tick.open_trade.is_some() => {
            Some(HoldReason::TradeOpen)
        }
        // A liquidation that was ordered is carried out, however late.
        JobStatus::Running if lateness.after(tick.slot) < tick.now => Some(HoldReason::TooLate),
        JobStatus::Running | JobStatus::Liquidating => None,
    }
}

fn sold_out(tick: &TickJob) -> bool {
    tick.job.status == JobStatus::Liquidating && tick.job.position.token_balance.is_zero()
}

fn decision(tick: &TickJob, facts: &Facts) -> Decision {
    match (tick.job.status, &tick.job.liquidation) {
        (JobStatus::Liquidating, Some(plan)) => match liquidate::decide(plan, facts) {
            Decision::Trade(plan) => match limits::clip(plan, &tick.job.config, facts) {
                Ok(plan) => Decision::Trade(plan),
                Err(reason) => Decision::Hold(reason),
            },
            hold @ Decision::Hold(_) => hold,
        },
        _ => limits::decide(&tick.job.config, facts),
    }
}

fn last_accepted(tick: &TickJob, source: Option<SourceName>) -> Option<AcceptedPrice> {
    let (price, observed_at) = tick.last_price?;
    Some(AcceptedPrice {
        price,
        source: source?,
        observed_at,
    })
}

fn window(priced: &Priced) -> Window {
    let (job, now) = (&priced.tick.job, priced.accepted.observed_at);
    let (dip_window, average_over) = match (&job.config.accumulate, &job.config.liquidity) {
        (Some(rules), _) => (rules.dip_window, Span::ZERO),
        (None, Some(rules)) => (rules.ma_window, rules.ma_window),
        (None, None) => (Span::ZERO, Span::ZERO),
    };
    let since = dip_window.before(now);
    Window {
        chain: job.account.chain.clone(),
        token: job.token.address,
        series: series_of(&priced.tick),
        price: priced.accepted.price,
        observed_at: now,
        high_since: job.last.dip.map_or(since, |dip| since.max(dip)),
        average_over,
    }
}

fn series_of(tick: &TickJob) -> String {
    let config = &tick.job.config.price;
    config
        .sources
        .first()
        .map_or_else(String::new, |first| series(*first, config))
}

fn facts(priced: &Priced, history: &History) -> Facts {
    let TickJob {
        job,
        slot,
        last_price,
        spent,
        ..
    } = &priced.tick;
    let after_dip = |at: Timestamp| job.last.dip.is_none_or(|dip| at > dip);
    Facts {
        now: *slot,
        started_at: job.started_at.unwrap_or(job.created_at),
        price: priced.accepted.price,
        previous_price: last_price
            .filter(|(_, at)| after_dip(*at))
            .map(|(price, _)| price),
        recent_high: history.high,
        moving_average: history.average,
        position: job.position,
        last: job.last,
        spent: *spent,
    }
}

fn name(tick: &TickJob) -> Tick {
    Tick {
        job: tick.job.id,
        slot: tick.slot,
    }
}

fn hold(tick: &TickJob, reason: HoldReason, detail: Option<String>) -> Hold {
    Hold {
        tick: name(tick),
        reason,
        detail,
        price: None,
        recent_high: None,
    }
}

fn hold_on(priced: &Priced, facts: &Facts, reason: HoldReason, detail: Option<String>) -> Hold {
    Hold {
        price: Some((priced.accepted.price, priced.accepted.observed_at)),
        recent_high: Some(facts.recent_high),
        ..hold(&priced.tick, reason, detail)
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
