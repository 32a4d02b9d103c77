//! Re-runs a job's history with another configuration and compares.

use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    app::{App, AppError, Target, name::JobName, target, whole::Whole},
    backtest::{
        self, Detail, RunResult, Setup, again, assumptions,
        result::{SeriesSummary, TradeLine},
        series::Rows,
    },
    config::{JobLayers, Settings, build_job_config},
    domain::{
        Timestamp,
        accounting::{average_cost, unrealized},
        chains,
        decision::{Reason, Side},
        figures::{net, return_pct, value},
        job::{JobMode, Realm},
        price::series,
        trade::TradeStatus,
        units::{MoneyError, Price, Usd},
    },
    store::{
        history,
        jobs::Job,
        views::{self, TradeFilter, TradeRow},
    },
};

#[derive(Debug)]
pub struct ReplayRequest {
    pub target: Target,
    /// The keys to change.
    pub given: JobLayers,
}

/// The result of one run.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub buys: u64,
    pub sells: u64,
    pub spent_usd: Usd,
    pub proceeds_usd: Usd,
    pub token_balance: Whole,
    pub quote_balance: Whole,
    pub value_usd: Usd,
    pub average_cost: Option<Price>,
    pub realized_usd: Usd,
    pub unrealized_usd: Usd,
    pub gas_usd: Usd,
    pub net_usd: Usd,
    pub money_in_usd: Usd,
    pub return_pct: Option<Decimal>,
}

/// A trade, as the ledger or a run has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayedTrade {
    pub slot: Timestamp,
    pub side: Side,
    pub reason: Reason,
    pub base_amount: Whole,
    pub quote_usd: Usd,
}

#[derive(Debug, Serialize)]
pub struct Replay {
    #[serde(flatten)]
    pub name: JobName,
    pub cycle: i32,
    pub samples: SeriesSummary,
    /// From the ledger.
    pub did: Figures,
    /// The same samples with the job's current configuration.
    pub unchanged: Figures,
    /// The same samples with the changed configuration.
    pub changed: Figures,
    pub trades_did: Vec<ReplayedTrade>,
    pub trades_unchanged: Vec<ReplayedTrade>,
    pub trades_changed: Vec<ReplayedTrade>,
    pub assumptions: Vec<String>,
}

/// Runs the rules over the samples of the job's cycle, with its configuration and with the changed one.
pub async fn replay(app: &App, request: &ReplayRequest) -> Result<Replay, AppError> {
    let job = target::find(&app.pool, &request.target).await?;
    if job.mode == JobMode::Order {
        return Err(AppError::Refused(format!(
            "{} is one order: there are no decisions over time to compare, and what it sells was given to it; `replay` is for \
             jobs of the modes accumulate and liquidity",
            JobName::from(&job)
        )));
    }
    if job.mode == JobMode::Basket {
        return Err(AppError::Refused(format!(
            "{} is a member of a basket: its decisions depend on the others, whose samples `replay` does not read; it is \
             for jobs of the modes accumulate and liquidity",
            JobName::from(&job)
        )));
    }
    let config = build_job_config(&job.config, job.mode, &request.given)?;
    let unchanged = setup(&app.settings, &job)?;
    let changed = Setup {
        config,
        ..unchanged.clone()
    };
    let samples = samples(app, &job).await?;
    let rows = |setup: &Setup| {
        again::rows_of(samples.0.clone(), &samples.1, &setup.config.schedule).ok_or_else(|| no_samples(&job))
    };
    // With another schedule, other slots are the ones whose ticks would have seen a sample.
    let (rows, other_rows) = (rows(&unchanged)?, rows(&changed)?);
    let detail = Detail {
        trades: true,
        ..Detail::SUMMARY
    };
    let run = |setup: &Setup, rows: &Rows| backtest::run(setup, detail, rows.rows.iter().copied());
    let (same, other) = (run(&unchanged, &rows), run(&changed, &other_rows));
    let ledger = ledger(app, &job).await?;
    let price = same.summary.last_price.or(other.summary.last_price);
    let price = price.ok_or_else(|| no_samples(&job))?;
    Ok(Replay {
        did: did(&job, &ledger, price).map_err(|error| AppError::Internal(error.to_string()))?,
        unchanged: figures(&same, &job),
        changed: figures(&other, &job),
        trades_did: ledger.iter().filter_map(|row| executed(row, &job)).collect(),
        trades_unchanged: same.trades.iter().map(|trade| decided(trade, &job)).collect(),
        trades_changed: other.trades.iter().map(|trade| decided(trade, &job)).collect(),
        assumptions: assumed(&changed, &job),
        samples: rows.summary,
        name: JobName::from(&job),
        cycle: job.cycle,
    })
}

fn no_samples(job: &Job) -> AppError {
    let since = job.started_at.map_or_else(String::new, |started| {
        format!(
            " since its cycle started at {}",
            started.format("%Y-%m-%d %H:%M:%S")
        )
    });
    AppError::Refused(format!(
        "{} has no price samples{since}; there is nothing to replay yet",
        JobName::from(job)
    ))
}

fn setup(settings: &Settings, job: &Job) -> Result<Setup, AppError> {
    let Some(started_at) = job.started_at.filter(|_| job.cycle > 0) else {
        return Err(AppError::Refused(format!(
            "{} never started: there is nothing to replay",
            JobName::from(job)
        )));
    };
    let usdc = chains::find(&job.account.chain).map(|chain| chain.usdc).ok();
    if usdc != Some(job.quote.address) {
        return Err(AppError::Refused(format!(
            "{} trades against {}, whose own price is not among the samples; only jobs against USDC can be replayed",
            JobName::from(job),
            job.quote.symbol
        )));
    }
    settings.paper.validate().map_err(AppError::Config)?;
    Ok(Setup {
        token_decimals: job.token.decimals,
        quote_decimals: job.quote.decimals,
        sample_interval: settings.trading.sample_interval,
        starts_at: Some(started_at),
        stands_for: settings.trading.sample_interval,
        ..Setup::new(job.mode, job.config.clone(), settings.paper.clone())
    })
}

/// The job's series and its samples, oldest first.
async fn samples(app: &App, job: &Job) -> Result<(String, Vec<(Timestamp, Price)>), AppError> {
    let config = &job.config.price;
    let source = config.sources.first().copied();
    let name = source.map(|source| series(source, config, job.quote.address, job.config.venue.pool));
    let name = name.unwrap_or_default();
    let samples = history::samples(&app.pool, &job.account.chain, job.token.address, &name).await?;
    Ok((name, samples))
}

/// This cycle's trades, oldest first.
async fn ledger(app: &App, job: &Job) -> Result<Vec<TradeRow>, AppError> {
    let filter = TradeFilter {
        jobs: Some(vec![job.id]),
        ..TradeFilter::default()
    };
    let mut rows = views::trades(&app.pool, &filter).await?;
    rows.retain(|row| row.cycle == job.cycle && row.status == TradeStatus::Executed);
    rows.reverse();
    Ok(rows)
}

fn did(job: &Job, ledger: &[TradeRow], price: Price) -> Result<Figures, MoneyError> {
    let sum = |side: Side| {
        let of_side = ledger.iter().filter(|row| row.side == side);
        of_side
            .filter_map(|row| row.quote_usd)
            .try_fold(Usd::ZERO, Usd::checked_add)
    };
    let count = |side: Side| ledger.iter().filter(|row| row.side == side).count() as u64;
    let position = &job.position;
    let unrealized = unrealized(position, price)?;
    let net = net(position.realized_pnl, unrealized, job.gas_usd)?;
    Ok(Figures {
        buys: count(Side::Buy),
        sells: count(Side::Sell),
        spent_usd: sum(Side::Buy)?,
        proceeds_usd: sum(Side::Sell)?,
        token_balance: Whole::new(position.token_balance, job.token.decimals),
        quote_balance: Whole::new(position.quote_balance, job.quote.decimals),
        value_usd: value(position, price)?,
        average_cost: average_cost(position),
        realized_usd: position.realized_pnl,
        unrealized_usd: unrealized,
        gas_usd: job.gas_usd,
        net_usd: net,
        money_in_usd: job.pocket.money_in(),
        return_pct: return_pct(net, job.pocket.money_in()),
    })
}

fn figures(outcome: &RunResult, job: &Job) -> Figures {
    let summary = &outcome.summary;
    Figures {
        buys: summary.buys,
        sells: summary.sells,
        spent_usd: summary.spent_usd,
        proceeds_usd: summary.proceeds_usd,
        token_balance: Whole::new(summary.token_balance, job.token.decimals),
        quote_balance: Whole::new(summary.quote_balance, job.quote.decimals),
        value_usd: summary.value_usd,
        average_cost: summary.average_cost,
        realized_usd: summary.realized_usd,
        unrealized_usd: summary.unrealized_usd,
        gas_usd: summary.gas_usd,
        net_usd: summary.net_usd,
        money_in_usd: summary.money_in_usd,
        return_pct: summary.return_pct,
    }
}

fn executed(row: &TradeRow, job: &Job) -> Option<ReplayedTrade> {
    Some(ReplayedTrade {
        slot: row.slot,
        side: row.side,
        reason: row.reason,
        base_amount: Whole::new(row.base_amount, job.token.decimals),
        quote_usd: row.quote_usd?,
    })
}

fn decided(trade: &TradeLine, job: &Job) -> ReplayedTrade {
    ReplayedTrade {
        slot: trade.at,
        side: trade.side,
        reason: trade.reason,
        base_amount: Whole::new(trade.base_amount, job.token.decimals),
        quote_usd: trade.quote_usd,
    }
}

fn assumed(setup: &Setup, job: &Job) -> Vec<String> {
    let mut said = vec![format!(
        "The replay uses only the samples that the ledger has kept, each from when it was seen; one that was seen \
             within {} of a slot and its jitter is that slot's price. Edits, pauses, manual ticks, late ticks and failures \
             of the job are not repeated.",
        again::TICK_MAX
    )];
    if job.account.realm == Realm::Live {
        said.push("The job is live; replayed trades have the costs of the paper venue.".to_owned());
    }
    said.extend(assumptions(setup, false, setup.stands_for).into_iter().skip(1));
    said
}
