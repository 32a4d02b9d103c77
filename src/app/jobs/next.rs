//! When a job trades next, and at which prices.

use rust_decimal::Decimal;
use serde::Serialize;

use super::basket::{self, BasketSeen};
use crate::{
    app::{App, AppError},
    domain::{
        Timestamp,
        config::{AccumulateConfig, LiquidityConfig, OrderConfig, OrderSide, Rules},
        decision::{LastFills, MovingAverage},
        job::JobStatus,
        liquidity::COVERAGE_PCT_MIN,
        order, outlook,
        samples::HistoryQuery,
        stops,
        units::{Price, Usd},
    },
    store::{
        self,
        jobs::Job,
        memory::JobMemory,
        samples,
        ticks::{self, Tick, TickJob},
    },
};

/// When a job trades next, and at which prices: what each rule waits for. Its balance and its limits may still hold it.
#[derive(Debug, Default, Serialize)]
pub struct Next {
    /// The instant that this was read.
    pub now: Timestamp,
    /// The slot of the next DCA buy; while the job is paused, the first one that it could be.
    pub dca: Option<Timestamp>,
    /// The prices at which the job buys, if they are bound.
    pub buys_between: Option<outlook::PriceBand>,
    pub dip_buy: Option<outlook::DipBuy>,
    pub take_profit: Option<outlook::TakeProfit>,
    /// The stops, the highest first.
    pub stops: Vec<outlook::Stop>,
    /// The lowest price that arms the trailing stop, if it waits for a gain.
    pub trailing_arms_at_usd: Option<Price>,
    /// When the job buys again after a stop.
    pub buys_again: Option<Timestamp>,
    pub spread: Option<outlook::Spread>,
    pub rebalance: Option<outlook::Rebalance>,
    /// The basket that the job is a member of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basket: Option<BasketSeen>,
    /// What an order waits for.
    pub order: Option<order::Outlook>,
    /// The moving average's samples, while they cover too little of its window.
    pub coverage: Option<Coverage>,
    /// When the next slice of a liquidation is due.
    pub slice: Option<Timestamp>,
    /// Limits of a day.
    pub daily_limits: Vec<DailyLimit>,
}

/// How much of its window the samples of a moving average cover.
#[derive(Debug, Serialize)]
pub struct Coverage {
    pub covered_pct: Decimal,
    /// Less than this, and nothing is traded.
    pub needed_pct: Decimal,
}

/// A limit that resets each day.
#[derive(Debug, Serialize)]
pub struct DailyLimit {
    /// The key of the configuration.
    pub key: &'static str,
    pub used_usd: Usd,
    pub most_usd: Usd,
    pub resets_at: Option<Timestamp>,
}

/// What the rules of `job` wait for.
pub(super) async fn next(app: &App, job: &Job) -> Result<Next, AppError> {
    let pool = &app.pool;
    let now = store::now(pool).await?;
    let mut next = Next {
        now,
        ..Next::default()
    };
    let liquidating = job.liquidation.filter(|_| job.status != JobStatus::Idle);
    if let Some(liquidation) = liquidating {
        next.slice = Some(liquidation.due());
        return Ok(next);
    }
    if job.status == JobStatus::Idle {
        return Ok(next);
    }
    let slot = Tick {
        job: job.id,
        slot: now,
    };
    // As the engine would find it in a slot that is now.
    let found = ticks::load(pool, &JobMemory::default(), &[slot]).await?;
    let Some((_, tick)) = found.into_iter().next() else {
        return Ok(next);
    };
    let tick = tick?;
    match &tick.job.config.rules {
        Rules::Accumulate(rules) => accumulate(app, rules, &tick, &mut next).await?,
        Rules::Liquidity(rules) => liquidity(app, rules, &tick, &mut next).await?,
        Rules::Order(rules) => next.order = Some(ordered(rules, &tick, now)),
        // What it waits for is its hold reason: it depends on the others.
        Rules::Basket(rules) => next.basket = Some(basket::seen(pool, rules, &tick, now).await?),
    }
    next.daily_limits = daily_limits(&tick);
    Ok(next)
}

async fn accumulate(
    app: &App,
    rules: &AccumulateConfig,
    tick: &TickJob,
    next: &mut Next,
) -> Result<(), AppError> {
    let (job, now) = (&tick.job, next.now);
    let schedule = &job.config.schedule;
    let started_at = job.started_at.unwrap_or(job.created_at);
    next.dca = outlook::dca(rules, schedule, &job.last, started_at, now);
    next.buys_between = outlook::price_band(rules);
    next.take_profit =
        outlook::take_profit(rules, schedule, (&job.position, &job.last), tick.profit_high, now)
            .ok()
            .flatten();
    let high = tick.trailing_high;
    next.stops = outlook::stops(
        rules,
        schedule,
        (&job.position, &job.last),
        (tick.last_price, high),
        now,
    );
    next.trailing_arms_at_usd = outlook::trailing_arms_at(rules, &job.position, high);
    next.buys_again = stops::buys_again(rules, schedule, &job.last).filter(|from| *from > now);
    let lookback = HistoryQuery::of(&job.config, &job.last, now);
    let sampled = samples::highest(&app.pool, job, lookback.high_since).await?;
    // After a dip buy the high begins with the next price: until then, the last one stands for it.
    let high = sampled.max(last_price(tick, &job.last, lookback.high_since));
    let previous = job.last.previous_price(tick.last_price, lookback.previous_since);
    next.dip_buy = high.and_then(|high| {
        outlook::dip_buy(rules, schedule, &job.last, (high, previous), now)
            .ok()
            .flatten()
    });
    Ok(())
}

/// The last accepted price, unless it is too old to count for the high.
fn last_price(tick: &TickJob, last: &LastFills, since: Timestamp) -> Option<Price> {
    let (price, at) = tick.last_price?;
    (at >= since || last.dip == Some(since)).then_some(price)
}

async fn liquidity(
    app: &App,
    rules: &LiquidityConfig,
    tick: &TickJob,
    next: &mut Next,
) -> Result<(), AppError> {
    let job = &tick.job;
    let mean = samples::average(&app.pool, job, rules.ma_window, next.now).await?;
    match mean {
        Some(mean) if mean.coverage_pct >= COVERAGE_PCT_MIN => {
            let schedule = &job.config.schedule;
            next.spread = outlook::spread(rules, schedule, &job.last, mean.price, next.now).ok();
            next.rebalance = outlook::rebalance(rules, &job.position).ok().flatten();
        }
        found => next.coverage = Some(coverage(found)),
    }
    Ok(())
}

fn ordered(rules: &OrderConfig, tick: &TickJob, now: Timestamp) -> order::Outlook {
    let job = &tick.job;
    let known = order::Known {
        now,
        started_at: job.started_at.unwrap_or(job.created_at),
        last_price: tick.last_price,
        best: tick.trailing_high,
        bought: job.total_accumulated,
        last: job.last,
    };
    order::outlook(rules, &job.config.schedule, &known)
}

fn coverage(mean: Option<MovingAverage>) -> Coverage {
    Coverage {
        covered_pct: mean.map_or(Decimal::ZERO, |mean| mean.coverage_pct),
        needed_pct: COVERAGE_PCT_MIN,
    }
}

fn daily_limits(tick: &TickJob) -> Vec<DailyLimit> {
    let config = &tick.job.config;
    let resets_at = outlook::day_ends(tick.slot);
    let spend = (
        "limits.max_daily_spend_usd",
        tick.spent.buys_today,
        config.limits.max_daily_spend_usd,
    );
    let sells = config
        .rules
        .order()
        .is_some_and(|rules| rules.side == OrderSide::Sell);
    let volume = config.rules.max_daily_volume();
    let volume = volume.map(|most| ("liquidity.max_daily_volume_usd", tick.spent.volume_today, most));
    // A sale spends nothing.
    [Some(spend).filter(|_| !sells), volume]
        .into_iter()
        .flatten()
        .filter(|(_, _, most)| most.is_positive())
        .map(|(key, used_usd, most_usd)| DailyLimit {
            key,
            used_usd,
            most_usd,
            resets_at,
        })
        .collect()
}
