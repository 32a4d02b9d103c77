//! Everything about one job.

use alloy_primitives::Address;
use serde::Serialize;
use serde_json::Value;

use super::{
    alive::{Dead, alive},
    config::differences,
    list::JobLine,
    next::{self, Next},
    trades::TradeLine,
};
use crate::app::message::{Advice, Message, message};
use crate::{
    app::{
        App, AppError, Target,
        costs::{self, Costs},
        target,
        whole::{Whole, checksum},
    },
    chain::one_node_warning,
    domain::{
        Timestamp,
        config::{JobConfig, OrderSide},
        decision::HoldReason,
        ids::TradeId,
        job::{JobMode, JobStatus, Realm},
        liquidate::Liquidation,
        trade::TradeStatus,
        units::{Price, Usd},
    },
    store::{
        jobs::Job,
        sales, signers,
        views::{self, AttemptRow, Pulse, Run, TradeFilter, TradeRow},
    },
};

/// Number of decisions and trades in a status.
const SHOWN: i64 = 8;

#[derive(Debug, Serialize)]
pub struct Status {
    #[serde(flatten)]
    pub line: JobLine,
    /// Nobody works on it.
    pub dead: Option<Dead>,
    /// The database's clock.
    pub now: Timestamp,
    #[serde(serialize_with = "checksum")]
    pub wallet: Address,
    /// Ticker of the quote token.
    pub quote: String,
    pub cycle: i32,
    pub cost_basis_usd: Usd,
    /// Quote balance of a job of mode liquidity.
    pub quote_balance: Whole,
    pub recent_high_usd: Option<Price>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub stopped_at: Option<Timestamp>,
    /// The trade of the stop that paused or ended it; none once its status has changed again.
    pub stopped_by: Option<TradeId>,
    pub failures_in_row: u32,
    pub backoff_until: Option<Timestamp>,
    pub last_error: Option<String>,
    pub signer_halted: Option<String>,
    /// Warnings for the owner of a live job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    pub unsellable: Option<Unsellable>,
    /// What one buy and a sale of all that is held cost: live as the newest buy was tried, none before it; on paper by
    /// the venue's settings.
    pub costs: Option<Costs>,
    pub liquidation: Option<Liquidation>,
    pub slots_claimed: u64,
    pub slots_recorded: u64,
    pub slots_missed: u64,
    /// Why the job is not trading now, in one sentence.
    pub why: Message,
    /// When it trades next, and at which prices.
    pub next: Next,
    pub open_trade: Option<OpenTrade>,
    /// Newest first; consecutive equal ones are merged.
    pub decisions: Vec<DecisionRun>,
    /// Newest first.
    pub trades: Vec<TradeLine>,
    pub config_version: i32,
    pub config: JobConfig,
    /// The part of it that is not the default.
    pub config_differences: Value,
}

/// No venue can sell the token now.
#[derive(Debug, Serialize)]
pub struct Unsellable {
    pub since: Timestamp,
    pub detail: String,
}

#[derive(Debug, Serialize)]
pub struct OpenTrade {
    #[serde(flatten)]
    pub trade: TradeLine,
    /// Since when it is known that what is sent for it is accepted again and again, and is in no block; then every
    /// later transaction of its wallet waits.
    pub stuck_since: Option<Timestamp>,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
}

/// A signed transaction of an open trade.
#[derive(Debug, Serialize)]
pub struct Attempt {
    pub nonce: u64,
    pub purpose: String,
    pub hash: String,
    /// Number of times it was sent.
    pub sends: i32,
    /// The node's last answer; `None`: not sent yet.
    pub last_answer: Option<String>,
    pub recorded_at: Timestamp,
}

/// Consecutive equal decisions.
#[derive(Debug, Serialize)]
pub struct DecisionRun {
    pub outcome: String,
    pub reason: String,
    pub explanation: Option<&'static str>,
    pub detail: Option<String>,
    pub price_usd: Option<Price>,
    pub first_slot: Timestamp,
    pub last_slot: Timestamp,
    pub count: u64,
}

/// Everything about one job, also about a removed one.
pub async fn status(app: &App, target: &Target) -> Result<Status, AppError> {
    let pool = &app.pool;
    let job = target::find_ever(pool, target).await?;
    let pulse = views::pulses(pool, &[job.id]).await?.into_iter().next();
    let pulse = pulse.ok_or_else(|| AppError::NotFound(format!("job {} has no schedule", job.id)))?;
    let filter = TradeFilter {
        jobs: Some(vec![job.id]),
        limit: Some(SHOWN),
        ..TradeFilter::default()
    };
    let trades = views::trades(pool, &filter).await?;
    let runs = views::runs(pool, job.id, SHOWN).await?;
    let signer = signers::find(pool, &job.account).await?;
    let unsellable = sales::find(pool, job.id).await?.map(|found| Unsellable {
        since: found.since,
        detail: found.detail,
    });
    let sells = job
        .config
        .rules
        .order()
        .is_some_and(|rules| rules.side == OrderSide::Sell);
    let costs = match job.account.realm {
        // It buys nothing.
        _ if sells => None,
        Realm::Paper => Some(costs::on_paper(&app.settings, costs::one_buy(&job.config.rules))?),
        Realm::Live => sales::round_trip(pool, job.id)
            .await?
            .map(|tried| Costs::tried(&tried)),
    };
    let alive = alive(app).await?;
    let line = JobLine::new(&job, &pulse, alive.now);
    Ok(Status {
        dead: alive.missing(std::iter::once(line.waiting())),
        now: alive.now,
        line,
        wallet: job.account.wallet,
        cycle: job.cycle,
        cost_basis_usd: job.position.cost_basis,
        quote_balance: Whole::new(job.position.quote_balance, job.quote.decimals),
        recent_high_usd: pulse.recent_high,
        created_at: job.created_at,
        started_at: job.started_at,
        stopped_at: job.stopped_at,
        stopped_by: pulse.stopped_by,
        failures_in_row: job.failures_in_row,
        backoff_until: job.last.backoff_until,
        signer_halted: signer.and_then(|signer| signer.halted),
        warning: one_node(app, &job),
        unsellable,
        costs,
        liquidation: job.liquidation,
        slots_claimed: pulse.slots_claimed,
        slots_recorded: pulse.slots_recorded,
        slots_missed: pulse.slots_missed,
        why: why(&job, &pulse),
        next: next::next(app, &job).await?,
        open_trade: open_trade(app, &trades).await?,
        decisions: runs.into_iter().map(DecisionRun::from).collect(),
        trades: trades
            .iter()
            .map(|trade| TradeLine::new(trade, &app.settings))
            .collect(),
        config_version: job.config_version,
        quote: job.quote.symbol,
        last_error: job.last_error,
        config_differences: differences(&job.config, job.mode, job.account.realm, &job.account.chain),
        config: job.config,
    })
}

async fn open_trade(app: &App, trades: &[TradeRow]) -> Result<Option<OpenTrade>, AppError> {
    let is_open = |trade: &&TradeRow| matches!(trade.status, TradeStatus::Pending | TradeStatus::Submitted);
    let Some(open) = trades.iter().find(is_open) else {
        return Ok(None);
    };
    let attempts = views::attempts(&app.pool, open.id).await?;
    Ok(Some(OpenTrade {
        trade: TradeLine::new(open, &app.settings),
        stuck_since: open.stuck_at,
        attempts: attempts.into_iter().map(Attempt::from).collect(),
    }))
}

/// A live job whose chain has only one node.
fn one_node(app: &App, job: &Job) -> Option<String> {
    if job.account.realm != Realm::Live {
        return None;
    }
    let live = app.live().chain(&job.account.chain).ok()?;
    one_node_warning(&live.spec)
}

fn why(job: &Job, pulse: &Pulse) -> Message {
    if job.archived_at.is_some() {
        return "The job was removed; its history stays, and `start` with its token begins a new one.".into();
    }
    let by_status = match job.status {
        JobStatus::Idle => Some(HoldReason::Idle),
        JobStatus::Paused => Some(HoldReason::Paused),
        JobStatus::Error => Some(HoldReason::Error),
        JobStatus::Running | JobStatus::Liquidating => None,
    };
    match (job.status, pulse.stopped_by) {
        (_, Some(trade)) if job.mode == JobMode::Order => {
            let why = format!(
                "The order is filled (trade {trade}); `remove` ends its job, a new order takes its place."
            );
            return why.into();
        }
        (JobStatus::Paused, Some(trade)) => {
            let why = format!("Its stop has sold (trade {trade}) and paused it; `resume` lets it buy again.");
            return why.into();
        }
        (_, Some(trade)) => {
            let why = format!(
                "Its stop has sold all (trade {trade}) and ended its cycle; `start` begins a new one."
            );
            return why.into();
        }
        (_, None) => {}
    }
    if let Some(reason) = by_status {
        return reason.explain().into();
    }
    match &pulse.last_decision {
        None => message![
            "No slot has been evaluated yet; ",
            Advice::Daemon,
            " evaluates them.",
        ],
        Some((outcome, reason, _)) if outcome == "trade" => {
            format!("It traded in its last slot: {reason}.").into()
        }
        Some((_, reason, detail)) => {
            let explained: &str = match reason.parse::<HoldReason>() {
                Ok(known) => known.explain(),
                Err(_) => reason,
            };
            let detail = detail.as_ref();
            let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{explained}{detail}").into()
        }
    }
}

impl From<Run> for DecisionRun {
    fn from(run: Run) -> Self {
        Self {
            explanation: run.reason.parse::<HoldReason>().ok().map(HoldReason::explain),
            outcome: run.outcome,
            reason: run.reason,
            detail: run.detail,
            price_usd: run.price,
            first_slot: run.first_slot,
            last_slot: run.last_slot,
            count: run.count,
        }
    }
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            nonce: row.nonce,
            purpose: row.purpose,
            hash: row.hash,
            sends: row.sends,
            last_answer: row.last_answer,
            recorded_at: row.recorded_at,
        }
    }
}
