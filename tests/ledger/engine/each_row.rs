//! Each row of the table "What a job remembers" in docs/rules.md has a test here: what ends it, and what it survives.

mod limits;

use std::future::Future;

use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        config::{AfterStop, JobConfig, Rules},
        decision::{HoldReason, LastFills, Reason},
        ids::TradeId,
        job::{JobMode, JobStatus},
        span::Span,
        units::{Amount, Usd},
    },
    engine::TickOutcome,
    store::{orders::Order, trades},
};
use rust_decimal::Decimal;
use tokio::task::JoinSet;

use crate::engine::{
    remembered::{fails, holds_at, last, selling, take_back, trades_at},
    stops::{high, profit_high, rises, stopping, stops_at, trailing, trailing_profit},
    world::{World, accumulate},
};

fn span(text: &str) -> Span {
    text.parse().expect("a span")
}

fn usd(value: i64) -> Usd {
    Usd::new(Decimal::from(value)).expect("dollars")
}

/// A buy every day and a half, and dips of a tenth.
fn dips(cooldown: &str) -> JobConfig {
    let mut config = accumulate();
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.dca_interval = Some(span("36h"));
    rules.dip_buy_threshold_pct = 10.into();
    rules.dip_cooldown = span(cooldown);
    config
}

/// Paused for so long, and resumed.
async fn paused_for(world: &World, time: TimeDelta) {
    world.order(Order::Pause).await;
    assert_eq!(world.hold().await, HoldReason::Paused);
    world.pass(time);
    world.order(Order::Resume).await;
}

/// All is sold: the job is IDLE.
async fn sold(world: &World) {
    let over = Span::ZERO;
    world.order(Order::Liquidate { over, slices: 1 }).await;
    if world.job().await.position.token_balance.is_zero() {
        assert_eq!(world.hold().await, HoldReason::Idle);
    } else {
        world.trade().await;
    }
    let job = world.job().await;
    assert_eq!(
        (job.status, job.position.token_balance),
        (JobStatus::Idle, Amount::ZERO)
    );
}

/// As if the prices so far had been seen so much earlier.
async fn prices_age(world: &World, by: TimeDelta) {
    for sql in [
        "UPDATE price_samples SET observed_at = observed_at - $1, bucket = bucket - $1",
        "UPDATE job_slots SET last_price_at = last_price_at - $1, sample_high_at = sample_high_at - $1,
                sample_high_since = sample_high_since - $1",
    ] {
        let aged = sqlx::query(sql)
            .bind(by)
            .execute(&world.pool)
            .await
            .expect("aged");
        assert!(aged.rows_affected() > 0, "{sql}");
    }
}

async fn new_cycle(world: &World) {
    let deposit = if world.job().await.mode == JobMode::Liquidity {
        "500000000"
    } else {
        "0"
    };
    let deposit = deposit.parse().expect("an amount");
    world.order(Order::Start { deposit }).await;
}

/// What this says of the last fills is the same after a pause and a sale of all, and nothing in a new cycle.
async fn outlives_all_but_a_new_cycle<T>(world: &World, of: impl Fn(LastFills) -> Option<T>)
where
    T: PartialEq + std::fmt::Debug,
{
    let before = of(last(world).await);
    assert!(before.is_some());
    paused_for(world, TimeDelta::zero()).await;
    assert_eq!(of(last(world).await), before, "paused");
    sold(world).await;
    assert_eq!(of(last(world).await), before, "sold");
    new_cycle(world).await;
    assert_eq!(of(last(world).await), None, "a new cycle");
}

async fn dca() {
    let world = World::new(dips("0s")).await;
    trades_at(&world, "2", Reason::Dca).await;
    let first = last(&world).await;
    holds_at(&world, "2").await;
    // Six are missed, one is made up for.
    paused_for(&world, TimeDelta::days(10)).await;
    assert_eq!(last(&world).await, first);
    let second = trades_at(&world, "2", Reason::Dca).await;
    holds_at(&world, "2").await;
    take_back(&world, second).await;
    assert_eq!(last(&world).await, first);
    fails(&world, second).await;
    trades_at(&world, "2", Reason::Dca).await;
    outlives_all_but_a_new_cycle(&world, |last| last.dca).await;
    trades_at(&world, "2", Reason::Dca).await;
}

async fn cooldown_of_take_profit() {
    let mut config = selling(100);
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.take_profit_cooldown = span("4h");
    rules.dca_interval = Some(span("1h"));
    let world = World::new(config).await;
    trades_at(&world, "2", Reason::Dca).await;
    trades_at(&world, "3", Reason::TakeProfit).await;
    // Nothing is held any more, and what is bought now waits for the cooldown all the same.
    world.pass(TimeDelta::minutes(61));
    trades_at(&world, "1", Reason::Dca).await;
    holds_at(&world, "1.3").await;
    paused_for(&world, TimeDelta::zero()).await;
    holds_at(&world, "1.3").await;
    world.pass(TimeDelta::hours(3));
    trades_at(&world, "1.3", Reason::TakeProfit).await;
    outlives_all_but_a_new_cycle(&world, |last| last.take_profit.map(|taken| taken.at)).await;
}

async fn price_of_take_profit() {
    let world = World::new(selling(25)).await;
    trades_at(&world, "2", Reason::Dca).await;
    trades_at(&world, "3", Reason::TakeProfit).await;
    let taken = async || last(&world).await.take_profit;
    let before = taken().await;
    assert!(before.is_some_and(|taken| taken.average_cost.is_some()));
    paused_for(&world, TimeDelta::zero()).await;
    assert_eq!(taken().await, before);
    holds_at(&world, "3.59").await;
    sold(&world).await;
    new_cycle(&world).await;
    assert_eq!(taken().await, None);
    // A take-profit that sells all.
    let world = World::new(selling(100)).await;
    trades_at(&world, "2", Reason::Dca).await;
    trades_at(&world, "3", Reason::TakeProfit).await;
    let taken = last(&world).await.take_profit;
    assert_eq!(taken.expect("the clock stays").average_cost, None);
}

/// At `at` in two slots: the second one buys the dip.
async fn buys_the_dip(world: &World, at: &str) -> TradeId {
    world.market.set(at);
    assert_eq!(world.hold().await, HoldReason::DipUnconfirmed, "at {at}");
    trades_at(world, at, Reason::DipBuy).await
}

/// A sample of this price, in an interval of samples that has none yet.
async fn sampled(world: &World, at: &str) {
    tokio::time::sleep(std::time::Duration::from_millis(110)).await;
    holds_at(world, at).await;
}

async fn cooldown_of_dips() {
    let world = World::new(dips("4h")).await;
    trades_at(&world, "2", Reason::Dca).await;
    buys_the_dip(&world, "1.7").await;
    sampled(&world, "1.7").await;
    holds_at(&world, "1.4").await;
    paused_for(&world, TimeDelta::zero()).await;
    holds_at(&world, "1.4").await;
    world.pass(TimeDelta::hours(4));
    trades_at(&world, "1.4", Reason::DipBuy).await;
    outlives_all_but_a_new_cycle(&world, |last| last.dip).await;
}

async fn high_of_dips() {
    let world = World::new(dips("0s")).await;
    trades_at(&world, "3", Reason::Dca).await;
    sold(&world).await;
    new_cycle(&world).await;
    trades_at(&world, "2.9", Reason::Dca).await;
    paused_for(&world, TimeDelta::zero()).await;
    // 8 % below 2.9, and 11 % below the 3 of the last cycle.
    buys_the_dip(&world, "2.67").await;
    // It starts over.
    holds_at(&world, "2.5").await;
    // The window ends.
    let world = World::new(dips("0s")).await;
    trades_at(&world, "3", Reason::Dca).await;
    prices_age(&world, TimeDelta::hours(25)).await;
    holds_at(&world, "2").await;
    holds_at(&world, "2").await;
}

async fn slot_before() {
    let world = World::new(dips("0s")).await;
    trades_at(&world, "2", Reason::Dca).await;
    world.market.set("1.7");
    assert_eq!(world.hold().await, HoldReason::DipUnconfirmed);
    paused_for(&world, TimeDelta::zero()).await;
    trades_at(&world, "1.7", Reason::DipBuy).await;
    sampled(&world, "1.7").await;
    // After a dip buy it takes two again; a sale of all and a new cycle change nothing.
    world.market.set("1.4");
    assert_eq!(world.hold().await, HoldReason::DipUnconfirmed);
    sold(&world).await;
    new_cycle(&world).await;
    trades_at(&world, "1.4", Reason::DipBuy).await;
}

fn liquidity() -> JobConfig {
    let mut config = JobConfig {
        rules: Rules::for_mode(JobMode::Liquidity),
        ..accumulate()
    };
    let rules = config.rules.liquidity_mut().expect("liquidity");
    rules.ma_window = span("10m");
    rules.spread_cooldown = span("6h");
    config
}

/// A number of slots at this price: why it traded, and the last hold.
async fn slots_at(world: &World, at: &str, slots: usize) -> (Vec<Reason>, Option<HoldReason>) {
    world.market.set(at);
    let (mut reasons, mut held) = (Vec::new(), None);
    for _ in 0..slots {
        match world.evaluate(world.next_tick()).await {
            TickOutcome::Traded { trade } => {
                world.finish(trade).await;
                let trade = trades::load(&world.pool, trade).await.expect("a trade");
                reasons.push(trade.reason);
            }
            TickOutcome::Held { reason, .. } => held = Some(reason),
            other => panic!("{other:?}"),
        }
    }
    (reasons, held)
}

/// A job of mode liquidity that has just made a spread trade.
async fn after_a_spread() -> World {
    let world = World::new(liquidity()).await;
    assert_eq!(
        slots_at(&world, "2", 1).await.1,
        Some(HoldReason::MovingAverageCoverage)
    );
    let before = "INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
                  SELECT chain, token, series, bucket - n * interval '1 min', price, observed_at - n * interval '1 min'
                  FROM price_samples, generate_series(1, 12) n";
    sqlx::query(before).execute(&world.pool).await.expect("samples");
    let (reasons, held) = slots_at(&world, "1.8", 2).await;
    assert!(reasons.contains(&Reason::SpreadBuy), "{reasons:?}, {held:?}");
    world
}

async fn cooldown_of_spreads() {
    let world = after_a_spread().await;
    let (reasons, held) = slots_at(&world, "1.6", 3).await;
    assert!(!reasons.contains(&Reason::SpreadBuy), "{reasons:?}");
    assert_eq!(held, Some(HoldReason::SpreadCooldown));
    outlives_all_but_a_new_cycle(&world, |last| last.spread).await;
}

async fn stop_sold() {
    let mut config = stopping(AfterStop::Continue);
    config.rules.accumulate_mut().expect("accumulate").stop_sells_pct = 50.into();
    let world = World::new(config).await;
    trades_at(&world, "2", Reason::Dca).await;
    let first = stops_at(&world, "1.5").await;
    assert!(last(&world).await.stop_has_sold());
    assert_eq!(world.hold().await, HoldReason::BelowStop);
    // A reorg of the sale arms it.
    take_back(&world, first).await;
    assert!(!last(&world).await.stop_has_sold());
    fails(&world, first).await;
    trades_at(&world, "1.5", Reason::StopLoss).await;
    // So does an order to resume; the cooldown goes on.
    paused_for(&world, TimeDelta::zero()).await;
    assert!(!last(&world).await.stop_has_sold());
    world.market.set("1.9");
    assert_eq!(world.hold().await, HoldReason::StopCooldown);
    outlives_all_but_a_new_cycle(&world, |last| last.stop).await;
    trades_at(&world, "1.9", Reason::Dca).await;
}

async fn high_of_trailing() {
    let world = World::new(trailing()).await;
    trades_at(&world, "2", Reason::Dca).await;
    rises(&world, &["3", "2.9"]).await;
    paused_for(&world, TimeDelta::zero()).await;
    rises(&world, &["2.9"]).await;
    assert_eq!(high(&world).await, Some(3.into()), "paused");
    // A stop: the next holding, or what a reorg gives back, begins with its own price.
    world.market.set("2.5");
    assert_eq!(world.hold().await, HoldReason::StopUnconfirmed);
    let stop = trades_at(&world, "2.5", Reason::TrailingStop).await;
    world.order(Order::Resume).await;
    rises(&world, &["2.5"]).await;
    assert_eq!(high(&world).await, None, "a stop has sold");
    take_back(&world, stop).await;
    fails(&world, stop).await;
    rises(&world, &["2.4"]).await;
    assert_eq!(high(&world).await, Some(Decimal::new(24, 1)), "a reorg");
    // Nothing of it is left in a new cycle.
    sold(&world).await;
    new_cycle(&world).await;
    trades_at(&world, "1", Reason::Dca).await;
    assert_eq!(high(&world).await, Some(1.into()), "a new cycle");
}

async fn high_of_profit() {
    let world = World::new(trailing_profit()).await;
    trades_at(&world, "2", Reason::Dca).await;
    rises(&world, &["3", "2.9"]).await;
    paused_for(&world, TimeDelta::zero()).await;
    rises(&world, &["2.9"]).await;
    assert_eq!(profit_high(&world).await, Some(3.into()), "paused");
    let sale = trades_at(&world, "2.6", Reason::TakeProfit).await;
    assert_eq!(profit_high(&world).await, None, "a take-profit");
    // What a reorg gives back begins with the goal.
    take_back(&world, sale).await;
    fails(&world, sale).await;
    rises(&world, &["2.3"]).await;
    assert_eq!(profit_high(&world).await, None);
    rises(&world, &["2.6"]).await;
    assert_eq!(profit_high(&world).await, Some(Decimal::new(26, 1)), "a reorg");
    sold(&world).await;
    new_cycle(&world).await;
    trades_at(&world, "1", Reason::Dca).await;
    assert_eq!(profit_high(&world).await, None, "a new cycle");
}

async fn moving_average() {
    let world = after_a_spread().await;
    let covered = async || slots_at(&world, "1.9", 1).await.1 != Some(HoldReason::MovingAverageCoverage);
    paused_for(&world, TimeDelta::zero()).await;
    assert!(covered().await, "paused");
    sold(&world).await;
    new_cycle(&world).await;
    assert!(covered().await, "a new cycle");
    prices_age(&world, TimeDelta::hours(1)).await;
    assert!(!covered().await, "the end of its window");
}

async fn last_accepted_price() {
    let mut config = dips("0s");
    config.price.max_price_move_pct = 5.into();
    let world = World::new(config).await;
    trades_at(&world, "2", Reason::Dca).await;
    let doubted = async || {
        world.market.set("3");
        world.hold().await == HoldReason::PriceJump
    };
    assert!(doubted().await);
    paused_for(&world, TimeDelta::zero()).await;
    assert!(doubted().await, "paused");
    world.market.set("2");
    sold(&world).await;
    new_cycle(&world).await;
    assert!(doubted().await, "a new cycle");
    prices_age(&world, TimeDelta::hours(25)).await;
    trades_at(&world, "3", Reason::Dca).await;
}

/// Whether the rows of the page are those that are tried here.
#[tokio::test(flavor = "multi_thread")]
async fn every_remembered_value_ends_and_survives_as_the_page_says() {
    let page = include_str!("../../../docs/rules.md");
    let table = page
        .lines()
        .skip_while(|line| !line.starts_with("| remembered |"));
    let rows = table.skip(2).map_while(|line| line.strip_prefix("| "));
    let mut running = JoinSet::new();
    for row in rows.map(|row| row.split(" |").next().unwrap_or(row)) {
        match row {
            "last DCA buy" => run(&mut running, dca()),
            "cooldown of take-profit" => run(&mut running, cooldown_of_take_profit()),
            "price of the last take-profit" => run(&mut running, price_of_take_profit()),
            "cooldown of dip buys" => run(&mut running, cooldown_of_dips()),
            "high of `dip_window`" => run(&mut running, high_of_dips()),
            "price of the slot before (a dip and a stop need two)" => run(&mut running, slot_before()),
            "that a stop has sold, and its cooldown" => run(&mut running, stop_sold()),
            "high of the trailing stop" => run(&mut running, high_of_trailing()),
            "high of a trailing take-profit" => run(&mut running, high_of_profit()),
            "cooldown of spread trades" => run(&mut running, cooldown_of_spreads()),
            "moving average" => run(&mut running, moving_average()),
            "last accepted price (a jump is doubted)" => run(&mut running, last_accepted_price()),
            "failures in a row and their pause" => run(&mut running, limits::failures()),
            "trades of the hour, bought and traded of the day" => run(&mut running, limits::turnover()),
            "slices of a liquidation" => run(&mut running, limits::slices()),
            row => panic!("docs/rules.md: no test tries {row:?}"),
        }
    }
    assert_eq!(running.len(), 15, "the rows of docs/rules.md");
    running.join_all().await;
}

fn run(running: &mut JoinSet<()>, row: impl Future<Output = ()> + Send + 'static) {
    running.spawn(row);
}
