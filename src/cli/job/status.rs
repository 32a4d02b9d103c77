//! `status`: everything about one job.

use std::fmt::Write;

use serde::Serialize;

use super::{list::JobLine, trades::TradeLine};
use crate::{
    app::{App, AppError},
    chain::one_node_warning,
    cli::{
        out::{Out, dollars, moment, short, table, when},
        target::TargetArgs,
    },
    config::Settings,
    domain::{
        Timestamp,
        config::JobConfig,
        decision::HoldReason,
        job::{JobStatus, Realm},
        liquidate::Liquidation,
        trade::TradeStatus,
        units::{Price, Usd},
    },
    store::{
        jobs::Job,
        sales, signers,
        views::{self, AttemptRow, Pulse, Run, TradeFilter},
    },
};

/// Runs and trades that a status shows.
const SHOWN: i64 = 8;

#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    line: JobLine,
    wallet: String,
    quote: String,
    cycle: i32,
    cost_basis_usd: Usd,
    quote_balance: String,
    recent_high_usd: Option<Price>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    stopped_at: Option<Timestamp>,
    failures_in_row: u32,
    backoff_until: Option<Timestamp>,
    last_error: Option<String>,
    signer_halted: Option<String>,
    /// What the owner of a live job should change.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    unsellable: Option<Unsellable>,
    liquidation: Option<Liquidation>,
    slots_claimed: u64,
    slots_recorded: u64,
    slots_missed: u64,
    why: String,
    open_trade: Option<OpenTrade>,
    decisions: Vec<Decision>,
    trades: Vec<TradeLine>,
    config_version: i32,
    config: JobConfig,
}

#[derive(Debug, Serialize)]
struct Unsellable {
    since: Timestamp,
    detail: String,
}

impl From<sales::Unsellable> for Unsellable {
    fn from(found: sales::Unsellable) -> Self {
        Self {
            since: found.since,
            detail: found.detail,
        }
    }
}

#[derive(Debug, Serialize)]
struct OpenTrade {
    #[serde(flatten)]
    trade: TradeLine,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Serialize)]
struct Attempt {
    nonce: u64,
    purpose: String,
    hash: String,
    sends: i32,
    last_answer: Option<String>,
    recorded_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct Decision {
    outcome: String,
    reason: String,
    explanation: Option<&'static str>,
    detail: Option<String>,
    price_usd: Option<Price>,
    first_slot: Timestamp,
    last_slot: Timestamp,
    count: u64,
}

pub async fn run(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let world = App::read(settings).await?;
    let job = crate::app::target::find(&world.pool, &args.into()).await?;
    let status = collect(settings, &world, &job).await?;
    out.show(&status, render)
}

async fn collect(settings: &Settings, world: &App, job: &Job) -> Result<Status, AppError> {
    let pool = &world.pool;
    let pulse = views::pulses(pool, &[job.id]).await?.into_iter().next();
    let pulse = pulse.ok_or_else(|| AppError::NotFound(format!("job {} has no schedule", job.id)))?;
    let decisions: Vec<Decision> = views::runs(pool, job.id, SHOWN)
        .await?
        .into_iter()
        .map(Decision::from)
        .collect();
    let filter = TradeFilter {
        job: Some(job.id),
        open: false,
        limit: Some(SHOWN),
    };
    let trades = views::trades(pool, &filter).await?;
    let open = trades
        .iter()
        .find(|trade| matches!(trade.status, TradeStatus::Pending | TradeStatus::Submitted));
    let open_trade = match open {
        Some(trade) => Some(OpenTrade {
            attempts: views::attempts(pool, trade.id)
                .await?
                .into_iter()
                .map(Attempt::from)
                .collect(),
            trade: TradeLine::of(trade, settings),
        }),
        None => None,
    };
    let signer = signers::find(pool, &job.account).await?;
    Ok(Status {
        line: JobLine::new(job, &pulse),
        wallet: job.account.wallet.to_checksum(None),
        quote: job.quote.symbol.clone(),
        cycle: job.cycle,
        cost_basis_usd: job.position.cost_basis,
        quote_balance: job.position.quote_balance.to_whole(job.quote.decimals),
        recent_high_usd: pulse.recent_high,
        created_at: job.created_at,
        started_at: job.started_at,
        stopped_at: job.stopped_at,
        failures_in_row: job.failures_in_row,
        backoff_until: job.last.backoff_until,
        last_error: job.last_error.clone(),
        signer_halted: signer.and_then(|signer| signer.halted),
        warning: one_node(world, job),
        unsellable: sales::find(pool, job.id).await?.map(Unsellable::from),
        liquidation: job.liquidation,
        slots_claimed: pulse.slots_claimed,
        slots_recorded: pulse.slots_recorded,
        slots_missed: pulse.slots_missed,
        why: why(job, &pulse),
        open_trade,
        decisions,
        trades: trades
            .iter()
            .map(|trade| TradeLine::of(trade, settings))
            .collect(),
        config_version: job.config_version,
        config: job.config.clone(),
    })
}

/// A live job whose chain is only seen through one node.
fn one_node(world: &App, job: &Job) -> Option<String> {
    if job.account.realm != Realm::Live {
        return None;
    }
    let live = world.live().chain(&job.account.chain).ok()?;
    one_node_warning(&live.spec)
}

/// Why the job is not buying now, in one sentence.
fn why(job: &Job, pulse: &Pulse) -> String {
    let by_status = match job.status {
        JobStatus::Idle => Some(HoldReason::Idle),
        JobStatus::Paused => Some(HoldReason::Paused),
        JobStatus::Error => Some(HoldReason::Error),
        JobStatus::Running | JobStatus::Liquidating => None,
    };
    if let Some(reason) = by_status {
        return reason.explain().to_owned();
    }
    match &pulse.last_decision {
        None => "No slot has been evaluated yet; `lgi-mm daemon` evaluates them.".to_owned(),
        Some((outcome, reason, _)) if outcome == "trade" => format!("It traded at its last slot: {reason}."),
        Some((_, reason, detail)) => {
            let explained: &str = match reason.parse::<HoldReason>() {
                Ok(known) => known.explain(),
                Err(_) => reason,
            };
            let detail = detail
                .as_ref()
                .map(|detail| format!(" ({detail})"))
                .unwrap_or_default();
            format!("{explained}{detail}")
        }
    }
}

impl From<Run> for Decision {
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
        let AttemptRow {
            nonce,
            purpose,
            hash,
            sends,
            last_answer,
            recorded_at,
        } = row;
        Self {
            nonce,
            purpose,
            hash,
            sends,
            last_answer,
            recorded_at,
        }
    }
}

fn render(status: &Status) -> String {
    let mut text = format!("{}\n", super::list::render(std::slice::from_ref(&status.line)));
    for (name, value) in facts(status) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<16} {value}");
    }
    let _ = writeln!(text, "\nlast decisions\n{}", decisions(&status.decisions));
    if !status.trades.is_empty() {
        let _ = writeln!(text, "\nlast trades\n{}", super::trades::render(&status.trades));
        for line in &status.trades {
            if let Some(link) = &line.link {
                let _ = writeln!(text, "  trade {}: {link}", line.trade);
            }
        }
    }
    let config = serde_json::to_value(&status.config).unwrap_or_default();
    let _ = writeln!(
        text,
        "\nconfiguration, version {}\n{}",
        status.config_version,
        super::config::render(&config)
    );
    text
}

fn facts(status: &Status) -> Vec<(&'static str, String)> {
    let high = status
        .recent_high_usd
        .map_or_else(|| "-".to_owned(), |high| short(&high.to_string(), 6));
    let mut facts = vec![
        ("why not buying", status.why.clone()),
        ("wallet", format!("{} pays with {}", status.wallet, status.quote)),
        (
            "cycle",
            format!(
                "{}, started {}, stopped {}",
                status.cycle,
                when(status.started_at),
                when(status.stopped_at)
            ),
        ),
        (
            "cost basis",
            format!(
                "{} USD, gas {} USD",
                dollars(status.cost_basis_usd),
                dollars(status.line.gas())
            ),
        ),
        (
            "owned quote",
            format!("{} {}", short(&status.quote_balance, 6), status.quote),
        ),
        ("recent high", high),
        (
            "slots",
            format!(
                "{} claimed, {} decided, {} missed",
                status.slots_claimed, status.slots_recorded, status.slots_missed
            ),
        ),
    ];
    if let Some(plan) = &status.liquidation {
        facts.push((
            "liquidation",
            format!(
                "{} of {} slices over {}",
                plan.slices_done, plan.slices, plan.over
            ),
        ));
    }
    facts.extend(troubles(status));
    if let Some(open) = &status.open_trade {
        facts.push((
            "open trade",
            format!("{} {} {}", open.trade.trade, open.trade.reason, open.trade.status),
        ));
        facts.extend(open.attempts.iter().map(|attempt| ("", attempt.to_string())));
    }
    facts
}

/// What keeps the job from trading, or should be changed.
fn troubles(status: &Status) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(found) = &status.unsellable {
        facts.push((
            "UNSELLABLE",
            format!(
                "since {}: {}; nothing more is bought",
                moment(found.since),
                found.detail
            ),
        ));
    }
    if let Some(reason) = &status.signer_halted {
        facts.push(("SIGNER HALTED", reason.clone()));
    }
    if let Some(warning) = &status.warning {
        facts.push(("WARNING", warning.clone()));
    }
    if status.failures_in_row > 0 {
        let (error, until) = (
            status.last_error.clone().unwrap_or_default(),
            when(status.backoff_until),
        );
        facts.push((
            "failures",
            format!(
                "{} in a row, next try after {until}: {error}",
                status.failures_in_row
            ),
        ));
    }
    facts
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            nonce,
            purpose,
            hash,
            sends,
            last_answer,
            ..
        } = self;
        let answer = last_answer.as_deref().unwrap_or("not sent yet");
        write!(f, "nonce {nonce} {purpose} {hash}, sent {sends}x: {answer}")
    }
}

fn decisions(runs: &[Decision]) -> String {
    let rows = runs.iter().map(|run| {
        let price = run
            .price_usd
            .map_or_else(|| "-".to_owned(), |price| short(&price.to_string(), 6));
        let said = run
            .detail
            .clone()
            .or_else(|| run.explanation.map(str::to_owned))
            .unwrap_or_default();
        vec![
            moment(run.last_slot),
            format!("{}x", run.count),
            run.reason.clone(),
            price,
            said,
        ]
    });
    table(&["last slot", "times", "reason", "price", "what it means"], rows)
}
