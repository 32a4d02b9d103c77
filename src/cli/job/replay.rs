//! `replay`: what a job would have done with another configuration, beside what it did.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use serde::Serialize;

use crate::{
    app::{App, AppError},
    backtest::{
        Detail, Outcome, Setup, again, assumptions,
        result::{SeriesSummary, TradeLine},
        run as decide_again,
    },
    cli::{
        out::{Out, dollars, moment, short, table},
        target::TargetArgs,
    },
    config::{JobLayers, Settings, build_job_config},
    domain::{
        Timestamp,
        accounting::{average_cost, unrealized},
        chains,
        decision::{Reason, Side},
        ids::JobId,
        job::Realm,
        trade::TradeStatus,
        units::{MoneyError, Price, Rounding, Usd},
    },
    prices::series,
    store::{
        history,
        jobs::Job,
        views::{self, TradeFilter, TradeRow},
    },
};

/// Slots that differ and are listed; JSON has all trades.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Change these keys of the job's configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change one key, such as accumulate.dca_amount_usd=25
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// What came of one way to decide.
#[derive(Debug, Serialize)]
struct Figures {
    buys: u64,
    sells: u64,
    spent_usd: Usd,
    proceeds_usd: Usd,
    token_balance: String,
    quote_balance: String,
    value_usd: Usd,
    average_cost: Option<Price>,
    realized_usd: Usd,
    unrealized_usd: Usd,
    gas_usd: Usd,
}

/// A trade, as far as both ways to decide know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    slot: Timestamp,
    side: Side,
    reason: Reason,
    base_amount: String,
    quote_usd: Usd,
}

#[derive(Debug, Serialize)]
struct Replay {
    job: JobId,
    symbol: String,
    cycle: i32,
    samples: SeriesSummary,
    /// What the ledger says.
    did: Figures,
    /// The same samples and the configuration that the job has.
    unchanged: Figures,
    /// The same samples and the changed configuration.
    changed: Figures,
    trades_did: Vec<Line>,
    trades_unchanged: Vec<Line>,
    trades_changed: Vec<Line>,
    assumptions: Vec<String>,
}

pub async fn run(settings: &Settings, out: Out, args: &ReplayArgs) -> Result<(), AppError> {
    let world = App::read(settings).await?;
    let job = crate::app::target::find(&world.pool, &(&args.target).into()).await?;
    let given = JobLayers::of_job()
        .file(args.config.as_deref())?
        .assignments(&args.set)?;
    let config = build_job_config(&job.config, job.mode, &given)?;
    let (started_at, unchanged) = setup(settings, &job)?;
    let changed = Setup {
        config,
        ..unchanged.clone()
    };
    let rows = rows(&world, &job).await?;
    let rows_until_now = || rows.rows.iter().copied();
    let detail = Detail {
        trades: true,
        ..Detail::SUMMARY
    };
    let same = decide_again(&unchanged, detail, rows_until_now());
    let other = decide_again(&changed, detail, rows_until_now());
    let ledger = ledger(&world, &job).await?;
    let price = same
        .summary
        .last_price
        .or(other.summary.last_price)
        .ok_or_else(|| {
            AppError::Refused(format!(
                "job {} has no sample since its cycle started at {}; there is nothing to decide again yet",
                job.id,
                moment(started_at)
            ))
        })?;
    let replay = Replay {
        job: job.id,
        symbol: job.token.symbol.clone(),
        cycle: job.cycle,
        did: did(&job, &ledger, price).map_err(|error| AppError::Internal(error.to_string()))?,
        unchanged: figures(&same, &job),
        changed: figures(&other, &job),
        trades_did: ledger.iter().filter_map(|row| executed(row, &job)).collect(),
        trades_unchanged: same.trades.iter().map(|trade| decided(trade, &job)).collect(),
        trades_changed: other.trades.iter().map(|trade| decided(trade, &job)).collect(),
        assumptions: assumed(&changed, &job),
        samples: rows.summary,
    };
    out.show(&replay, render)
}

fn setup(settings: &Settings, job: &Job) -> Result<(Timestamp, Setup), AppError> {
    let Some(started_at) = job.started_at.filter(|_| job.cycle > 0) else {
        return Err(AppError::Refused(format!(
            "job {} never started: nothing was decided that could be decided again",
            job.id
        )));
    };
    let usdc = chains::find(&job.account.chain).map(|chain| chain.usdc).ok();
    if usdc != Some(job.quote.address) {
        return Err(AppError::Refused(format!(
            "job {} trades against {}, whose own price is not among the samples; only jobs against USDC can be replayed",
            job.id, job.quote.symbol
        )));
    }
    settings.paper.validate().map_err(AppError::Config)?;
    let setup = Setup {
        token_decimals: job.token.decimals,
        quote_decimals: job.quote.decimals,
        sample_interval: settings.trading.sample_interval,
        starts_at: Some(started_at),
        stands_for: settings.trading.sample_interval,
        ..Setup::new(job.mode, job.config.clone(), settings.paper.clone())
    };
    Ok((started_at, setup))
}

async fn rows(world: &App, job: &Job) -> Result<crate::backtest::series::Rows, AppError> {
    let config = &job.config.price;
    let source = config.sources.first().copied();
    let name = source.map(|source| series(source, config, job.quote.address, job.config.venue.pool));
    let name = name.unwrap_or_default();
    let samples = history::samples(&world.pool, &job.account.chain, job.token.address, &name).await?;
    again::rows_of(name, &samples, &job.config.schedule).ok_or_else(|| {
        AppError::Refused(format!(
            "job {} has no price samples yet: nothing can be decided again",
            job.id
        ))
    })
}

/// This cycle's trades, oldest first.
async fn ledger(world: &App, job: &Job) -> Result<Vec<TradeRow>, AppError> {
    let filter = TradeFilter {
        job: Some(job.id),
        open: false,
        limit: None,
    };
    let mut rows = views::trades(&world.pool, &filter).await?;
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
    Ok(Figures {
        buys: count(Side::Buy),
        sells: count(Side::Sell),
        spent_usd: sum(Side::Buy)?,
        proceeds_usd: sum(Side::Sell)?,
        token_balance: position.token_balance.to_whole(job.token.decimals),
        quote_balance: position.quote_balance.to_whole(job.quote.decimals),
        value_usd: position
            .token_value(price, Rounding::Down)?
            .checked_add(position.quote_value(Rounding::Down)?)?,
        average_cost: average_cost(position),
        realized_usd: position.realized_pnl,
        unrealized_usd: unrealized(position, price)?,
        gas_usd: job.gas_usd,
    })
}

fn figures(outcome: &Outcome, job: &Job) -> Figures {
    let summary = &outcome.summary;
    Figures {
        buys: summary.buys,
        sells: summary.sells,
        spent_usd: summary.spent_usd,
        proceeds_usd: summary.proceeds_usd,
        token_balance: summary.token_balance.to_whole(job.token.decimals),
        quote_balance: summary.quote_balance.to_whole(job.quote.decimals),
        value_usd: summary.value_usd,
        average_cost: summary.average_cost,
        realized_usd: summary.realized_usd,
        unrealized_usd: summary.unrealized_usd,
        gas_usd: summary.gas_usd,
    }
}

fn executed(row: &TradeRow, job: &Job) -> Option<Line> {
    Some(Line {
        slot: row.slot,
        side: row.side,
        reason: row.reason,
        base_amount: row.base_amount.to_whole(job.token.decimals),
        quote_usd: row.quote_usd?,
    })
}

fn decided(trade: &TradeLine, job: &Job) -> Line {
    Line {
        slot: trade.at,
        side: trade.side,
        reason: trade.reason,
        base_amount: trade.base_amount.to_whole(job.token.decimals),
        quote_usd: trade.quote_usd,
    }
}

fn assumed(setup: &Setup, job: &Job) -> Vec<String> {
    let mut said = vec![
        "Only the samples that the ledger has kept are decided on, each as the price of the slot it was taken for; edits, \
         pauses, manual ticks and failures of the job are not repeated."
            .to_owned(),
    ];
    if job.account.realm == Realm::Live {
        said.push(
            "The job is live; what is decided again trades at the costs of the paper venue.".to_owned(),
        );
    }
    said.extend(assumptions(setup, false, setup.stands_for).into_iter().skip(1));
    said
}

fn render(replay: &Replay) -> String {
    let columns = [&replay.did, &replay.unchanged, &replay.changed];
    let row = |name: &str, show: &dyn Fn(&Figures) -> String| {
        let mut row = vec![name.to_owned()];
        row.extend(columns.map(show));
        row
    };
    let price =
        |price: Option<Price>| price.map_or_else(|| "-".to_owned(), |price| short(&price.to_string(), 6));
    let figures = table(
        &["", "what it did", "decided again", "with the changes"],
        [
            row("buys, sells", &|f| format!("{}, {}", f.buys, f.sells)),
            row("bought, USD", &|f| dollars(f.spent_usd)),
            row("sold, USD", &|f| dollars(f.proceeds_usd)),
            row("tokens held", &|f| short(&f.token_balance, 6)),
            row("quote owned", &|f| short(&f.quote_balance, 2)),
            row("worth now, USD", &|f| dollars(f.value_usd)),
            row("average cost", &|f| price(f.average_cost)),
            row("realised, USD", &|f| dollars(f.realized_usd)),
            row("unrealised, USD", &|f| dollars(f.unrealized_usd)),
            row("gas, USD", &|f| dollars(f.gas_usd)),
        ],
    );
    let mut text = format!(
        "job {} ({}), cycle {}: {} samples from {} to {} UTC\n{figures}\n",
        replay.job,
        replay.symbol,
        replay.cycle,
        replay.samples.rows,
        moment(replay.samples.first),
        moment(replay.samples.last),
    );
    text.push_str(&differences(replay));
    text.push_str("\nhow what the samples leave open was treated:");
    for assumption in &replay.assumptions {
        text.push_str(&format!("\n- {assumption}"));
    }
    text
}

/// Slots in which it would have done something else, oldest first.
fn differences(replay: &Replay) -> String {
    let mut slots: BTreeMap<Timestamp, [Option<&Line>; 2]> = BTreeMap::new();
    for (column, lines) in [&replay.trades_did, &replay.trades_changed]
        .into_iter()
        .enumerate()
    {
        for line in lines {
            if let Some(place) = slots.entry(line.slot).or_default().get_mut(column) {
                *place = Some(line);
            }
        }
    }
    slots.retain(|_, [did, would]| did != would);
    if slots.is_empty() {
        return "every trade is the same\n".to_owned();
    }
    let cell = |line: Option<&Line>| {
        line.map_or_else(
            || "-".to_owned(),
            |line| {
                format!(
                    "{} {} for {} USD",
                    line.reason,
                    short(&line.base_amount, 4),
                    dollars(line.quote_usd)
                )
            },
        )
    };
    let rows = slots
        .iter()
        .take(SHOWN_MAX)
        .map(|(slot, [did, would])| vec![moment(*slot), cell(*did), cell(*would)]);
    let mut text = table(&["slot", "what it did", "with the changes"], rows);
    if let Some(more) = slots.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("\nand {more} slots more; --json has every trade"));
    }
    text.push('\n');
    text
}
