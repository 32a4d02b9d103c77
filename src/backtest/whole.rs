//! A whole backtest: the run, its benchmarks and assumptions.

use std::collections::BTreeMap;

use super::{
    result::{BacktestResult, Benchmark, Comparison, Point, RunResult, SeriesSummary, SetupSummary},
    runner::Runner,
    series::{Series, SeriesError},
    setup::{Detail, Setup},
};
use crate::domain::{
    Timestamp,
    config::{AccumulateConfig, LimitsConfig, Rules},
    costs::gas_paid,
    job::JobMode,
    span::Span,
    units::{Amount, Rounding, Usd},
};
use rust_decimal::Decimal;

/// More than any run spends, far below the type's range.
const ENOUGH_USD: i64 = 1_000_000_000_000;

/// Interval longer than any series, for a plan that buys once.
const ONCE: Span = Span::from_secs(100 * 365 * 86_400);

const DAY: Span = Span::from_secs(86_400);

/// Runs `setup` over `series`, with the same money as a lump sum and as equal DCA for comparison.
///
/// # Errors
/// [`SeriesError`] if the series cannot be read.
pub fn backtest(setup: &Setup, detail: Detail, series: &impl Series) -> Result<BacktestResult, SeriesError> {
    let mut setup = setup.clone();
    setup.stands_for = setup.stands_for.max(series.summary().spacing);
    let mut runner = Runner::new(&setup, detail);
    series.each(&mut |row| runner.feed(row))?;
    let outcome = runner.finish();
    let comparisons = compare(&setup, &outcome, series)?;
    Ok(BacktestResult {
        setup: summary_of(&setup, series.summary()),
        series: series.summary().clone(),
        summary: outcome.summary,
        comparisons,
        trades: outcome.trades,
        points: outcome.points,
        holds: outcome.holds,
        armed: outcome.armed,
    })
}

/// The inputs of a run, for its result.
pub(super) fn summary_of(setup: &Setup, series: &SeriesSummary) -> SetupSummary {
    SetupSummary {
        mode: setup.mode,
        assumptions: assumptions(setup, series.candles, series.spacing),
        symbol: setup.symbol.clone(),
        config: setup.config.clone(),
        costs: setup.costs.clone(),
        token_decimals: setup.token_decimals,
        quote_decimals: setup.quote_decimals,
        sample_interval: setup.sample_interval,
    }
}

/// A job that spends this money once, gas included; `None` if gas alone would cost as much.
pub(super) fn bought_once(setup: &Setup, money: Usd) -> Option<Setup> {
    let once = Regular {
        interval: Some(ONCE),
        schedule: None,
    };
    let mut plain = plain(setup, &once, money, 1)?;
    plain.owned = Some(money);
    Some(plain)
}

/// The money in of a run as a lump sum, as equal DCA and, in mode liquidity, held at the target, gas included, by the
/// same runner with other rules. A plan is left out if the gas of its buys would take all of the money.
///
/// # Errors
/// [`SeriesError`] if the series cannot be read.
pub fn compare(setup: &Setup, own: &RunResult, series: &impl Series) -> Result<Vec<Comparison>, SeriesError> {
    let (Some(from), Some(to)) = (own.summary.from, own.summary.to) else {
        return Ok(Vec::new());
    };
    let money = own.summary.money_in_usd;
    if !money.is_positive() {
        return Ok(Vec::new());
    }
    if setup.held.is_some() {
        return kept(setup, own, series);
    }
    let dca = Regular::of(setup, from, to);
    let start = setup.starts_at.unwrap_or(series.summary().first);
    let parts = dca.parts(setup, start, from, to);
    let once = Regular {
        interval: Some(ONCE),
        schedule: None,
    };
    let mut plans = vec![
        (Benchmark::LumpSum, plain(setup, &once, money, 1)),
        (Benchmark::EqualDca, plain(setup, &dca, money, parts)),
    ];
    if let Rules::Liquidity(rules) = &setup.config.rules {
        let held = held_at(rules.target_ratio_pct, setup, &once, money);
        plans.push((Benchmark::HoldAtTarget, held));
    }
    let owned: BTreeMap<Benchmark, Usd> = plans
        .iter()
        .filter_map(|(plan, setup)| Some((*plan, setup.as_ref()?.owned?)))
        .collect();
    let detail = Detail {
        trades: !own.points.is_empty(),
        ..Detail::SUMMARY
    };
    let mut done = run_plans(&plans, detail, series)?;
    // A slot without an accepted price buys nothing, so there may be fewer buys than were counted. They do not depend
    // on their size: as many parts as there were buys spend all of the money.
    let buys = done.get(&Benchmark::EqualDca).map_or(0, |plan| plan.summary.buys);
    let buys = u32::try_from(buys).unwrap_or(u32::MAX);
    if buys > 0 && buys != parts {
        plans.retain(|(plan, _)| *plan == Benchmark::EqualDca);
        for (_, setup_of_plan) in &mut plans {
            *setup_of_plan = plain(setup, &dca, money, buys);
        }
        done.extend(run_plans(&plans, detail, series)?);
    }
    Ok(done
        .into_iter()
        .map(|(plan, run)| Comparison {
            plan,
            values: values(setup, owned.get(&plan).copied(), &run, &own.points),
            summary: run.summary,
        })
        .collect())
}

/// The tokens that the job began with, kept.
fn kept(setup: &Setup, own: &RunResult, series: &impl Series) -> Result<Vec<Comparison>, SeriesError> {
    let mut keeps = setup.clone();
    // A time that is over before the first slot: nothing is ever sold.
    if let Rules::Order(rules) = &mut keeps.config.rules {
        rules.until = Some(Timestamp::UNIX_EPOCH);
    }
    let plans = [(Benchmark::Keep, Some(keeps))];
    let mut done = run_plans(&plans, Detail::SUMMARY, series)?;
    let held = setup.held.map_or(Amount::ZERO, |held| held.tokens);
    let worth = |point: &Point| held.value(setup.token_decimals, point.price, Rounding::Down);
    Ok(done
        .remove(&Benchmark::Keep)
        .map(|run| Comparison {
            plan: Benchmark::Keep,
            values: own
                .points
                .iter()
                .map(|point| worth(point).unwrap_or(Usd::ZERO))
                .collect(),
            summary: run.summary,
        })
        .into_iter()
        .collect())
}

/// What a plan that only buys is worth at these instants and prices, its own cash included.
fn values(setup: &Setup, owned: Option<Usd>, run: &RunResult, points: &[Point]) -> Vec<Usd> {
    let mut trades = run.trades.iter().peekable();
    let (mut held, mut cash) = (Amount::ZERO, owned);
    points
        .iter()
        .map(|point| {
            while let Some(trade) = trades.next_if(|trade| trade.at <= point.at) {
                held = trade.token_balance;
                cash = cash.map(|cash| cash.checked_sub(trade.quote_usd).unwrap_or(Usd::ZERO));
            }
            let tokens = held.value(setup.token_decimals, point.price, Rounding::Down);
            tokens
                .and_then(|tokens| tokens.checked_add(cash.unwrap_or(Usd::ZERO)))
                .unwrap_or(Usd::ZERO)
        })
        .collect()
}

/// Runs plans side by side, in one pass over the series.
fn run_plans(
    plans: &[(Benchmark, Option<Setup>)],
    detail: Detail,
    series: &impl Series,
) -> Result<BTreeMap<Benchmark, RunResult>, SeriesError> {
    let mut runners: Vec<(Benchmark, Runner)> = plans
        .iter()
        .filter_map(|(plan, setup)| Some((*plan, Runner::new(setup.as_ref()?, detail))))
        .collect();
    series.each(&mut |row| runners.iter_mut().for_each(|(_, runner)| runner.feed(row)))?;
    Ok(runners
        .into_iter()
        .map(|(plan, runner)| (plan, runner.finish()))
        .collect())
}

/// When a plain DCA buys.
struct Regular {
    interval: Option<Span>,
    schedule: Option<crate::domain::schedule::CronExpr>,
}

impl Regular {
    /// Like the job's own DCA; without one daily, but at least ten times.
    fn of(setup: &Setup, from: Timestamp, to: Timestamp) -> Self {
        match &setup.config.rules {
            Rules::Accumulate(rules) => Self {
                interval: rules.dca_interval,
                schedule: rules.dca_schedule.clone(),
            },
            Rules::Liquidity(_) | Rules::Order(_) | Rules::Basket(_) => {
                let tenth = u64::try_from((to - from).num_milliseconds() / 10).unwrap_or(0);
                Self {
                    interval: Some(DAY.min(Span::from_millis(tenth.max(1)))),
                    schedule: None,
                }
            }
        }
    }

    /// Number of buying slots from the first to the last of a job that starts at `start`.
    fn parts(&self, setup: &Setup, start: Timestamp, from: Timestamp, to: Timestamp) -> u32 {
        let schedule = &setup.config.schedule;
        let just_before = Span::from_millis(1);
        let mut count = 0_u32;
        // With an interval, the first part is bought at once; with a schedule, at the first slot from its first instant
        // on.
        let mut due = match (&self.schedule, self.interval) {
            (Some(cron), _) => cron.next_after(schedule.timezone, start),
            (None, _) => Some(from),
        };
        while let Some(slot) = due.and_then(|due| {
            schedule
                .cron
                .next_after(schedule.timezone, just_before.before(due))
        }) && slot <= to
        {
            count = count.saturating_add(1);
            due = match (&self.schedule, self.interval) {
                (Some(cron), _) => cron.next_after(schedule.timezone, slot),
                // A zero interval is due at the next slot.
                (None, Some(interval)) => {
                    Some(schedule.interval_end(interval.max(Span::from_millis(2)), slot))
                }
                (None, None) => None,
            };
        }
        count.max(1)
    }
}

/// A job that only buys, `parts` times, and spends equal parts of `money` on buys and their gas; `None` if gas alone
/// would cost as much.
fn plain(setup: &Setup, regular: &Regular, money: Usd, parts: u32) -> Option<Setup> {
    let part = money.decimal().checked_div(parts.into())?;
    let gas = gas_paid(setup.costs.swap_gas(), setup.costs.native_price_usd).ok()?;
    let part = Usd::rounded(part, Rounding::Down).checked_sub(gas).ok()?;
    if !part.is_positive() {
        return None;
    }
    let mut plain = setup.clone();
    plain.mode = JobMode::Accumulate;
    plain.costs.wallet_usd = Decimal::from(ENOUGH_USD);
    plain.costs.native = Decimal::from(ENOUGH_USD);
    plain.config.rules = Rules::Accumulate(AccumulateConfig {
        dca_amount_usd: part,
        dca_interval: regular.interval,
        dca_schedule: regular.schedule.clone(),
        max_accumulation_usd: usd(ENOUGH_USD),
        dip_buy_threshold_pct: Decimal::ZERO,
        take_profit_pct: Decimal::ZERO,
        ..AccumulateConfig::default()
    });
    plain.config.limits = LimitsConfig {
        min_trade_usd: Usd::rounded(Decimal::new(1, 6), Rounding::Up),
        max_position_usd: Usd::ZERO,
        max_trades_per_hour: 0,
        max_daily_spend_usd: Usd::ZERO,
        ..plain.config.limits
    };
    Some(plain)
}

/// A job that buys once for `target_pct` of `money` and keeps the rest; gas is paid from `money` as well.
fn held_at(target_pct: Decimal, setup: &Setup, once: &Regular, money: Usd) -> Option<Setup> {
    let gas = gas_paid(setup.costs.swap_gas(), setup.costs.native_price_usd).ok()?;
    let own = money.checked_sub(gas).ok()?;
    let tokens = own.percent(target_pct, Rounding::Down).ok()?;
    // The plan of a lump sum takes the gas off again.
    let mut held = plain(setup, once, tokens.checked_add(gas).ok()?, 1)?;
    held.owned = Some(own);
    Some(held)
}

fn usd(dollars: i64) -> Usd {
    Usd::rounded(Decimal::from(dollars), Rounding::Down)
}

/// Assumptions about what a series does not contain, one sentence each; the first is about the series itself.
#[must_use]
pub fn assumptions(setup: &Setup, candles: bool, spacing: Span) -> Vec<String> {
    let (config, costs) = (&setup.config, &setup.costs);
    let mut said = vec![
        if candles {
            "Inside a candle nothing happens: its close is the price, known at the candle's end and standing until \
             the next one ends; highs and lows neither trigger nor fill anything."
                .to_owned()
        } else {
            "A row is the price from its time until the next row.".to_owned()
        },
        format!(
            "A trade fills within its slot, at the decision price less {} bps pool fee and {} bps slippage; \
             each swap pays gas. Nothing fails on paper, so no pause after failures occurs.",
            costs.fee_bps, costs.slippage_bps
        ),
        format!(
            "The wallet starts with {} USDC and {} native coin, and only this job uses it; USDC is one dollar.",
            costs.wallet_usd, costs.native
        ),
    ];
    if spacing > config.price.max_price_age {
        said.push(format!(
            "Rows are {spacing} apart, which is longer than price.max_price_age = {}: each is valid until the next is due.",
            config.price.max_price_age
        ));
    }
    if config.price.sources.len() > 1 {
        said.push(
            "The series is the only source: price.sources are not compared with each other.".to_owned(),
        );
    }
    if !config.schedule.jitter.is_zero() {
        said.push("Slots start on time: schedule.jitter is not applied.".to_owned());
    }
    said
}
