//! All jobs, one line each.

use std::fmt;

use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    app::{
        App, AppError,
        whole::{Whole, checksum, shown},
    },
    domain::{
        Timestamp,
        accounting::{average_cost, unrealized},
        figures::{net, return_pct},
        ids::JobId,
        job::{JobMode, JobStatus, Realm},
        units::{Amount, Price, Usd},
    },
    store::{
        jobs::{self, Filter, Job},
        views::{self, Pulse},
    },
};

/// One job in one line.
#[derive(Debug, Serialize)]
pub struct JobLine {
    pub job: JobId,
    pub symbol: String,
    #[serde(serialize_with = "checksum")]
    pub token: Address,
    pub chain: String,
    pub realm: Realm,
    pub mode: JobMode,
    pub status: JobStatus,
    /// Last accepted price; none before the first slot.
    pub price_usd: Option<Price>,
    pub position: Whole,
    /// Tokens held, base units.
    pub position_units: Amount,
    /// Spent on buys in this cycle.
    pub spent_usd: Usd,
    /// USD per whole token; none without a position.
    pub average_cost_usd: Option<Price>,
    /// Proceeds less cost of what was sold in this cycle, before gas.
    pub realized_usd: Usd,
    /// Value less cost of what is held, at the last accepted price, before gas.
    pub unrealized_usd: Option<Usd>,
    /// Gas of this cycle, failed, approve and cancel transactions included.
    pub gas_usd: Usd,
    /// Realised plus unrealised less gas; none while tokens are held whose price is not known yet.
    pub net_usd: Option<Usd>,
    /// Money in: the most that was ever out of the owner's pocket in this cycle, gas included.
    pub money_in_usd: Usd,
    /// Net in per cent of the money in; none without money in, or while net is unknown.
    pub return_pct: Option<Decimal>,
    pub last_decision: Option<LastDecision>,
    /// Reason and instant of the last decision.
    pub last_detail: Option<String>,
    pub next_slot: Option<Timestamp>,
}

/// Decision of the last slot; displayed as `TAKE_PROFIT` for a trade, `hold: in_range` for a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDecision {
    pub traded: bool,
    /// The trade's or the hold's reason.
    pub reason: String,
}

impl fmt::Display for LastDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hold = if self.traded { "" } else { "hold: " };
        write!(f, "{hold}{}", self.reason)
    }
}

impl Serialize for LastDecision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}

impl JobLine {
    pub(super) fn new(job: &Job, pulse: &Pulse) -> Self {
        let price = pulse.last_price.map(|(price, _)| price);
        let last = pulse.last_decision.as_ref();
        let unrealized = match price {
            Some(price) => unrealized(&job.position, price).ok(),
            // Without tokens there is nothing whose price matters.
            None => job.position.token_balance.is_zero().then_some(Usd::ZERO),
        };
        let net = unrealized.and_then(|open| net(job.position.realized_pnl, open, job.gas_usd).ok());
        let money_in = job.pocket.money_in();
        Self {
            job: job.id,
            symbol: job.token.symbol.clone(),
            token: job.token.address,
            chain: job.account.chain.clone(),
            realm: job.account.realm,
            mode: job.mode,
            status: job.status,
            price_usd: price,
            position: Whole::new(job.position.token_balance, job.token.decimals),
            position_units: job.position.token_balance,
            spent_usd: job.total_accumulated,
            average_cost_usd: average_cost(&job.position),
            realized_usd: job.position.realized_pnl,
            unrealized_usd: unrealized,
            gas_usd: job.gas_usd,
            net_usd: net,
            money_in_usd: money_in,
            return_pct: net.and_then(|net| return_pct(net, money_in)),
            last_decision: last.map(|(outcome, reason, _)| LastDecision {
                traded: outcome == "trade",
                reason: reason.clone(),
            }),
            last_detail: last.and_then(|(_, _, detail)| detail.clone()),
            next_slot: pulse.next_slot,
        }
    }
}

/// All jobs that were not removed, by number.
pub async fn list(app: &App) -> Result<Vec<JobLine>, AppError> {
    let jobs = jobs::list(&app.pool, &Filter::default()).await?;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let pulses = views::pulses(&app.pool, &ids).await?;
    let lines = jobs.iter().zip(&pulses);
    Ok(lines.map(|(job, pulse)| JobLine::new(job, pulse)).collect())
}
