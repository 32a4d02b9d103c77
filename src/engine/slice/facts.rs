//! The facts that rules decide on, built from the ledger, the price and the samples.

use std::collections::HashMap;

use crate::engine::tick::Tick;
use crate::{
    domain::{
        config::SourceName,
        decision::{Decision, Facts, HoldReason, Peers, Plan},
        job::{JobStatus, Realm},
        limits,
        liquidate::Liquidation,
        price::AcceptedPrice,
        samples::{History, HistoryQuery},
    },
    ports::PriceRequest,
    store::{
        samples::{SampleHigh, SampleWindow, series_of},
        ticks::{Hold, SlotSeen, TickJob},
    },
};

/// A job that may trade, with the price it may trade on.
pub(in crate::engine) struct Priced {
    pub(in crate::engine) tick: TickJob,
    pub(in crate::engine) accepted: AcceptedPrice,
    /// The highest sample, once the samples were looked at.
    pub(in crate::engine) sample_high: Option<SampleHigh>,
}

impl Priced {
    /// What a slot was decided on that traded `plan`, or held.
    pub(in crate::engine) fn seen(&self, facts: &Facts, plan: Option<&Plan>) -> SlotSeen {
        let config_version = self.tick.job.config_version;
        SlotSeen {
            price: (self.accepted.price, self.accepted.observed_at),
            recent_high: Some(facts.recent_high),
            sample_high: self.sample_high.map(|high| (high, config_version)),
            trailing_high: limits::remembered_high(&self.tick.job.config, facts, plan),
            profit_high: limits::remembered_profit_high(&self.tick.job.config, facts),
        }
    }
}

/// Why a job is not evaluated further, with details.
pub(in crate::engine) fn gate(tick: &TickJob) -> Option<(HoldReason, Option<String>)> {
    let reason = gate_reason(tick)?;
    let detail = (reason == HoldReason::ConfigRefused).then(|| tick.job.refused.clone());
    Some((reason, detail.flatten()))
}

fn gate_reason(tick: &TickJob) -> Option<HoldReason> {
    let lateness = tick.job.config.schedule.max_lateness;
    match tick.job.status {
        JobStatus::Idle => Some(HoldReason::Idle),
        JobStatus::Paused => Some(HoldReason::Paused),
        JobStatus::Error => Some(HoldReason::Error),
        JobStatus::Running | JobStatus::Liquidating if tick.open_trade.is_some() => {
            Some(HoldReason::TradeOpen)
        }
        JobStatus::Running | JobStatus::Liquidating if tick.job.refused.is_some() => {
            Some(HoldReason::ConfigRefused)
        }
        // A liquidation that was ordered is carried out, however late.
        JobStatus::Running if lateness.after(tick.slot) < tick.now => Some(HoldReason::TooLate),
        JobStatus::Running | JobStatus::Liquidating => None,
    }
}

/// Groups ticks by the source they wait for, so that a slow source delays only its own ticks. The `held` ones join the
/// group without outside sources.
pub(in crate::engine) fn by_source(live: Vec<TickJob>, held: Vec<Hold>) -> Vec<(Vec<TickJob>, Vec<Hold>)> {
    let mut local = Vec::new();
    let mut waiting: HashMap<(bool, Option<String>), Vec<TickJob>> = HashMap::new();
    for tick in live {
        let asks = |source| tick.job.config.price.sources.contains(&source);
        let api = asks(SourceName::Dexscreener);
        let on_chain = asks(SourceName::Onchain) || asks(SourceName::Twap);
        let account = &tick.job.account;
        let node = (on_chain || account.realm == Realm::Live).then(|| account.chain.clone());
        if api || node.is_some() {
            waiting.entry((api, node)).or_default().push(tick);
        } else {
            local.push(tick);
        }
    }
    let waiting = waiting.into_values().map(|ticks| (ticks, Vec::new()));
    std::iter::once((local, held)).chain(waiting).collect()
}

pub(in crate::engine) fn sold_out(tick: &TickJob) -> bool {
    tick.job.status == JobStatus::Liquidating && tick.job.position.token_balance.is_zero()
}

pub(in crate::engine) fn decision(tick: &TickJob, facts: &Facts) -> Decision {
    limits::decide_job(liquidation(tick), &tick.job.config, facts)
}

fn liquidation(tick: &TickJob) -> Option<&Liquidation> {
    let job = &tick.job;
    job.liquidation
        .as_ref()
        .filter(|_| job.status == JobStatus::Liquidating)
}

pub(in crate::engine) fn last_accepted(tick: &TickJob, source: Option<SourceName>) -> Option<AcceptedPrice> {
    let (price, observed_at) = tick.last_price?;
    Some(AcceptedPrice {
        price,
        source: source?,
        observed_at,
    })
}

/// The price request of a tick.
pub(in crate::engine) fn price_request(tick: &TickJob) -> PriceRequest<'_> {
    PriceRequest {
        chain: &tick.job.account.chain,
        token: tick.job.token.address,
        quote: tick.job.quote.address,
        pool: tick.job.config.venue.pool,
        decimals: Some(tick.job.token.decimals),
        config: &tick.job.config.price,
    }
}

pub(in crate::engine) fn window(priced: &Priced) -> SampleWindow {
    let (job, now) = (&priced.tick.job, priced.accepted.observed_at);
    let lookback = HistoryQuery::of(&job.config, &job.last, now);
    SampleWindow {
        chain: job.account.chain.clone(),
        token: job.token.address,
        series: series_of(job),
        price: priced.accepted.price,
        observed_at: now,
        high_since: lookback.high_since,
        average_over: lookback.average_over,
        known: priced.tick.known_high,
        late: job.config.price.max_price_age,
    }
}

pub(in crate::engine) fn facts(priced: &Priced, history: &History) -> Facts {
    let TickJob {
        job,
        slot,
        last_price,
        spent,
        ..
    } = &priced.tick;
    let lookback = HistoryQuery::of(&job.config, &job.last, priced.accepted.observed_at);
    Facts {
        now: *slot,
        started_at: job.started_at.unwrap_or(job.created_at),
        price: priced.accepted.price,
        previous_price: job.last.previous_price(*last_price, lookback.previous_since),
        last_price: *last_price,
        trailing_high: priced.tick.trailing_high,
        profit_high: priced.tick.profit_high,
        recent_high: history.high,
        moving_average: history.average,
        position: job.position,
        bought: job.total_accumulated,
        last: job.last,
        spent: *spent,
        peers: Peers::default(),
    }
}

pub(in crate::engine) fn name(tick: &TickJob) -> Tick {
    Tick {
        job: tick.job.id,
        slot: tick.slot,
    }
}

pub(in crate::engine) fn hold(tick: &TickJob, reason: HoldReason, detail: Option<String>) -> Hold {
    Hold {
        tick: name(tick),
        reason,
        detail,
        price: None,
        recent_high: None,
        sample_high: None,
        trailing_high: None,
        profit_high: None,
        stop_is_due: false,
    }
}

pub(in crate::engine) fn hold_on(
    priced: &Priced,
    facts: &Facts,
    reason: HoldReason,
    detail: Option<String>,
) -> Hold {
    let seen = priced.seen(facts, None);
    Hold {
        price: Some(seen.price),
        recent_high: seen.recent_high,
        sample_high: seen.sample_high,
        trailing_high: seen.trailing_high,
        profit_high: seen.profit_high,
        stop_is_due: limits::stop_is_due(liquidation(&priced.tick), &priced.tick.job.config, facts),
        ..hold(&priced.tick, reason, detail)
    }
}
