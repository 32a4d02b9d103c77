//! One slice of ticks: loaded together, priced together, decided apart, recorded together.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use chrono::SecondsFormat;
use futures::{
    StreamExt,
    future::{join, join_all},
    stream,
};
use metrics::{counter, histogram};
use tracing::{debug, info, warn};

use crate::engine::{
    approve::{Approval, Refusal},
    core::Engine,
    error::EngineError,
    facts::{Priced, by_source, decision, facts, gate, hold, hold_on, name, sold_out, window},
    logged::Named,
    tick::{Tick, TickOutcome, TickResult},
};
use crate::{
    domain::{
        Timestamp,
        decision::{Decision, Facts, HoldReason, Plan, Side},
        job::{JobId, JobStatus},
        order::OrderEnd,
        span::Span,
    },
    failpoint::reach,
    store::{
        StoreError, dust, ordered,
        samples::{self, SampleWindow},
        slots,
        ticks::{self, Hold, TickJob},
        trades::{self, Frozen, NewTrade},
    },
    telemetry::{job_line, metric},
};

/// A frozen trade whose worker died is taken over after this many check intervals.
const FIRST_CHECK_INTERVALS: u32 = 2;
/// But not sooner than this: the process that froze it may still ask its nodes, and two processes that sign the same
/// trade both use up what the policy allows.
const FIRST_CHECK_MIN: Span = Span::from_secs(1);

/// Plans of one slice that talk to their venues at the same time.
const QUOTES_AT_ONCE: usize = 16;

impl Engine {
    /// Evaluates a slice: one result for each tick, in no particular order. An error of one tick harms no
    /// other; a tick with an error was not recorded and may be tried again.
    pub async fn evaluate(&self, slice: &[Tick]) -> Vec<TickResult> {
        let begun = Instant::now();
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
                outcome: Ok(TickOutcome::NoSuchJob),
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
            self.logged.know(&tick.job, Instant::now());
            if tick.recorded {
                let trade = tick.trade_of_slot;
                results.push(TickResult {
                    tick: name(&tick),
                    outcome: Ok(TickOutcome::AlreadyRecorded { trade }),
                });
            } else if let Some((reason, detail)) = gate(&tick) {
                holds.push(hold(&tick, reason, detail));
            } else if sold_out(&tick) {
                match self.finish_liquidation(&tick).await {
                    Ok(done) => holds.push(done),
                    Err(error) => results.push(failed(name(&tick), error)),
                }
            } else if let Some(over) = self.end_order(&tick).await.transpose() {
                match over {
                    Ok(done) => holds.push(done),
                    Err(error) => results.push(failed(name(&tick), error)),
                }
            } else {
                live.push(tick);
            }
        }
        let groups = by_source(live, holds);
        let decided = groups
            .into_iter()
            .map(|(live, holds)| self.evaluate_live(live, holds));
        results.extend(join_all(decided).await.into_iter().flatten());
        let passed = results
            .iter()
            .filter(|result| matches!(result.outcome, Ok(TickOutcome::AlreadyRecorded { .. })))
            .map(|result| result.tick.job);
        let passed: Vec<JobId> = passed.collect();
        if let Err(error) = slots::close_decided(&self.pool, &passed).await {
            warn!(jobs = passed.len(), %error, "decided slots were not closed; the scheduler closes them");
        }
        Ok(results)
    }

    /// Prices and decides ticks that may trade, and records them with `holds`, which are decided already. Holds are
    /// recorded while plans are quoted: none waits for the quote of another job.
    async fn evaluate_live(&self, live: Vec<TickJob>, mut holds: Vec<Hold>) -> Vec<TickResult> {
        let decided = holds.iter().map(|hold| hold.tick);
        let ticks: Vec<Tick> = live.iter().map(name).chain(decided).collect();
        let mut results = Vec::with_capacity(ticks.len());
        let plans = async {
            let live = self.with_markets(live, &mut holds).await;
            let priced = self.price(live, &mut holds).await;
            self.decide(priced, &mut holds, &mut results).await
        };
        let plans = match plans.await {
            Ok(plans) => plans,
            Err(error) => return fail_all(&ticks, &error),
        };
        let (recorded, acted) = join(self.record(holds), self.act_on(plans)).await;
        let (refused, acted) = acted;
        results.extend(recorded);
        results.extend(acted);
        results.extend(self.record(refused).await);
        results
    }

    async fn record(&self, holds: Vec<Hold>) -> Vec<TickResult> {
        let recorded = ticks::record_holds(&self.pool, &holds, self.settings.patience).await;
        let mut refused: HashMap<JobId, StoreError> = match recorded {
            Ok(recorded) => recorded.refused.into_iter().collect(),
            Err(error) => {
                let ticks: Vec<Tick> = holds.iter().map(|hold| hold.tick).collect();
                return fail_all(&ticks, &error.into());
            }
        };
        let results = holds
            .into_iter()
            .map(|hold| match refused.remove(&hold.tick.job) {
                None => self.held(hold),
                Some(error) => failed(hold.tick, error),
            });
        results.collect()
    }

    fn held(&self, hold: Hold) -> TickResult {
        let Hold {
            tick, reason, detail, ..
        } = hold;
        let (job, slot) = (tick.job.0, at(tick.slot));
        match self.logged.line(tick.job, reason, Instant::now()) {
            Some((Named { realm, symbol }, true)) => {
                info!(job, %realm, symbol, slot, %reason, detail, "held")
            }
            Some((Named { realm, symbol }, false)) => {
                debug!(job, %realm, symbol, slot, %reason, detail, "held")
            }
            None => debug!(job, slot, %reason, detail, "held"),
        }
        TickResult {
            tick,
            outcome: Ok(TickOutcome::Held { reason, detail }),
        }
    }

    /// Ends a liquidation that has nothing left to sell.
    async fn finish_liquidation(&self, tick: &TickJob) -> Result<Hold, EngineError> {
        dust::write_off_dust(&self.pool, &tick.job, "worth less than the gas of selling it").await?;
        let detail = "nothing is left to sell: the job is IDLE";
        Ok(hold(tick, HoldReason::Idle, Some(detail.to_owned())))
    }

    /// Ends an order that has nothing left to trade, or whose time is over; `None`: it continues.
    async fn end_order(&self, tick: &TickJob) -> Result<Option<Hold>, EngineError> {
        let runs = tick.job.status == JobStatus::Running;
        // A slot may be evaluated late: the order expires by the clock.
        let at = tick.slot.max(tick.now);
        if !runs || ordered::has_ended(&tick.job, at).is_none() {
            return Ok(None);
        }
        let (reason, detail) = match ordered::end_if_over(&self.pool, &tick.job, at).await? {
            Some(OrderEnd::Filled) => (HoldReason::Idle, "nothing of the order is left: the job is IDLE"),
            Some(OrderEnd::Expired) => (HoldReason::OrderOver, "the order's time is over: the job is IDLE"),
            None => (HoldReason::JobChanged, "the order changed while it was evaluated"),
        };
        Ok(Some(hold(tick, reason, Some(detail.to_owned()))))
    }

    async fn decide(
        &self,
        priced: Vec<Priced>,
        holds: &mut Vec<Hold>,
        results: &mut Vec<TickResult>,
    ) -> Result<Vec<Planned>, EngineError> {
        let windows: Vec<SampleWindow> = priced.iter().map(window).collect();
        let histories = samples::observe(&self.pool, &windows, self.settings.sample_interval).await?;
        let mut peers = self.peers(&priced).await?;
        let mut plans = Vec::new();
        for (mut priced, observed) in priced.into_iter().zip(histories) {
            priced.sample_high = observed.sample_high;
            let mut facts = facts(&priced, &observed.history);
            facts.peers = peers.remove(&priced.tick.job.id).unwrap_or_default();
            match decision(&priced.tick, &facts) {
                Decision::Hold(reason @ HoldReason::BasketQuote) => {
                    match self.gather(&priced, &facts).await {
                        Ok(detail) => holds.push(hold_on(&priced, &facts, reason, detail)),
                        Err(error) => results.push(failed(name(&priced.tick), error)),
                    }
                }
                Decision::Hold(reason) => {
                    self.dry_sale(&priced).await;
                    holds.push(hold_on(&priced, &facts, reason, None));
                }
                Decision::Trade(plan) => plans.push((priced, facts, plan)),
            }
        }
        Ok(plans)
    }

    /// Carries plans out as far as their trades are frozen; holds of those that are refused.
    async fn act_on(&self, plans: Vec<Planned>) -> (Vec<Hold>, Vec<TickResult>) {
        let (mut holds, mut results) = (Vec::new(), Vec::new());
        let mut acted = stream::iter(plans)
            .map(|(priced, facts, plan)| async move {
                let done = self.act(&priced, &facts, plan).await;
                (priced, facts, done)
            })
            .buffer_unordered(QUOTES_AT_ONCE);
        while let Some((priced, facts, done)) = acted.next().await {
            let outcome = match done {
                Ok(Acted::Held(reason, detail)) => {
                    holds.push(hold_on(&priced, &facts, reason, detail));
                    continue;
                }
                Ok(Acted::Done(outcome)) => Ok(outcome),
                Err(error) => Err(error),
            };
            results.push(TickResult {
                tick: name(&priced.tick),
                outcome,
            });
        }
        (holds, results)
    }

    /// Quotes a plan, takes it through the limits and freezes it.
    async fn act(&self, priced: &Priced, facts: &Facts, plan: Plan) -> Result<Acted, EngineError> {
        let job = &priced.tick.job;
        let market = self.markets.market(&job.account).await?;
        let (approved, trip) = match self.approve(priced, facts, plan, &market).await? {
            Approval::Approved(approved, trip) => (approved, trip),
            Approval::Refused(Refusal { reason, detail }) => {
                if reason == HoldReason::Unsellable {
                    self.note_sale(job, detail.as_deref(), None).await?;
                }
                return Ok(Acted::Held(reason, detail));
            }
        };
        if approved.plan().side == Side::Buy {
            self.note_sale(job, None, trip.as_ref()).await?;
        }
        let new = NewTrade {
            job,
            slot: priced.tick.slot,
            approved,
            seen: priced.seen(facts, Some(approved.plan())),
            expires_at: self.settings.plan_lifetime.after(priced.tick.now),
            first_check: self.intervals(FIRST_CHECK_INTERVALS).max(FIRST_CHECK_MIN),
        };
        match trades::freeze(&self.pool, &new).await? {
            Frozen::New(trade) => {
                reach("frozen");
                let plan = approved.plan();
                job_line!(info, job, trade = trade.0, side = %plan.side, reason = %plan.reason, value_usd = %plan.value, price_usd = %plan.price, slot = at(priced.tick.slot), "trade planned");
                Ok(Acted::Done(TickOutcome::Traded { trade }))
            }
            Frozen::Already(trade) => Ok(Acted::Done(TickOutcome::AlreadyRecorded { trade })),
            Frozen::TradeOpen => Ok(Acted::Held(HoldReason::TradeOpen, None)),
            Frozen::JobChanged => Ok(Acted::Held(HoldReason::JobChanged, None)),
        }
    }
}

fn count(result: &TickResult) {
    let outcome = match &result.outcome {
        Ok(TickOutcome::Held { reason, .. }) => {
            counter!(metric::HOLDS, "reason" => <&'static str>::from(*reason)).increment(1);
            "held"
        }
        Ok(TickOutcome::Traded { .. }) => "traded",
        Ok(TickOutcome::AlreadyRecorded { .. }) => "repeated",
        Ok(TickOutcome::NoSuchJob) => "unknown",
        Err(_) => "failed",
    };
    counter!(metric::TICKS, "outcome" => outcome).increment(1);
}

/// A tick whose rules want to trade.
type Planned = (Priced, Facts, Plan);

/// The result of acting on a plan.
enum Acted {
    Held(HoldReason, Option<String>),
    Done(TickOutcome),
}

/// A slot as log lines write it: ISO 8601.
fn at(slot: Timestamp) -> String {
    slot.to_rfc3339_opts(SecondsFormat::AutoSi, true)
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
