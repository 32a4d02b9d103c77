//! The real scheduler, queue and workers on the paper venue over a recorded series, and a backtest of it: the same
//! decisions and the same trades, to the last unit.

mod basket;
mod recorded;
mod sales;

use std::{
    collections::BTreeSet,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use apalis_pg_groups::QueueConfig;
use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    backtest::{self, Detail, PricePoint, RunResult, Setup},
    domain::{
        config::{JobConfig, SourceName},
        decision::{HoldReason, Position, Reason, Side},
        job::{JobId, JobMode},
        span::Span,
        units::{Amount, Price, Rounding, Usd},
    },
    engine::{Engine, EngineSettings},
    paper::{PaperMarkets, PaperSettings},
    prices::{DexscreenerSettings, PriceBook},
    runner::{
        follow::Followers,
        handlers,
        scheduler::{self, SchedulerSettings},
        tasks::{SETTLES, SettleTask, TICKS, TickTask},
    },
    store::{
        fill_watches, jobs,
        orders::{self, Order},
    },
};
use rust_decimal::Decimal;
use sqlx::PgPool;
use testkit::paper_job;
use tokio_util::sync::CancellationToken;

use self::recorded::{told_by_backtest, told_live};
use crate::backtest::{clock::Clock, walk};

/// What was decided in one slot that traded.
#[derive(Debug, PartialEq, Eq)]
struct Traded {
    slot: DateTime<Utc>,
    side: Side,
    reason: Reason,
    base_amount: Amount,
    quote_amount: Amount,
    quote_usd: Usd,
    price: Price,
    realized: Usd,
    gas: Usd,
}

/// Slots in a row that held.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    reason: HoldReason,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    ticks: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Told {
    trades: Vec<Traded>,
    holds: Vec<Held>,
    position: Position,
    gas: Usd,
}

fn accumulate(file: &str) -> JobConfig {
    config(
        JobMode::Accumulate,
        file,
        &[
            "accumulate.dca_schedule=*/20 * * * *",
            "accumulate.dca_amount_usd=7.77",
            "accumulate.buy_above_usd=0.029",
            "accumulate.max_accumulation_usd=150",
            "accumulate.dip_buy_threshold_pct=6",
            "accumulate.dip_window=1h",
            "accumulate.dip_cooldown=25m",
            "accumulate.take_profit_pct=4",
            "accumulate.take_profit_sell_pct=33.3",
            "accumulate.take_profit_cooldown=40m",
            "limits.max_daily_spend_usd=120",
            "limits.max_trades_per_hour=4",
            "schedule.timezone=Europe/Berlin",
        ],
    )
}

/// Tight stops, and a take-profit that follows the price up.
fn stopping(file: &str) -> JobConfig {
    config(
        JobMode::Accumulate,
        file,
        &[
            "accumulate.dca_schedule=*/10 * * * *",
            "accumulate.dca_amount_usd=5.55",
            "accumulate.stop_loss_pct=3",
            "accumulate.trailing_stop_pct=4",
            "accumulate.trailing_arm_pct=1",
            "accumulate.stop_sells_pct=70",
            "accumulate.after_stop=continue",
            "accumulate.stop_cooldown=15m",
            "accumulate.take_profit_pct=2.5",
            "accumulate.trailing_take_profit_pct=0.7",
            "accumulate.take_profit_cooldown=5m",
            "limits.max_daily_spend_usd=0",
        ],
    )
}

fn liquidity(file: &str) -> JobConfig {
    config(
        JobMode::Liquidity,
        file,
        &[
            "liquidity.budget_usd=400",
            "liquidity.spread_pct=1.1",
            "liquidity.spread_trade_usd=11.5",
            "liquidity.spread_cooldown=4m",
            "liquidity.support_dip_pct=5",
            "liquidity.ma_window=45m",
            "liquidity.rebalance_threshold_pct=7",
            "liquidity.max_daily_volume_usd=900",
            "limits.max_daily_spend_usd=600",
        ],
    )
}

/// Parts of an order at a price; one that follows the price; one whose time is over before its price is reached; one at
/// any price, in parts; and one above a price.
fn orders_of(file: &str) -> [JobConfig; 5] {
    let until = format!(
        "order.until={}",
        (walk::start() + TimeDelta::minutes(210)).to_rfc3339()
    );
    [
        &[
            "order.amount_usd=77.7",
            "order.limit_usd=0.03",
            "order.slices=20",
            "order.over=7h",
        ][..],
        &["order.amount_usd=33.3", "order.trail_pct=3.5"],
        &["order.limit_usd=0.0001", until.as_str()],
        &["order.amount_usd=44.4", "order.slices=7", "order.over=5h"],
        &["order.amount_usd=22.2", "order.stop_usd=0.0252"],
    ]
    .map(|pairs| config(JobMode::Order, file, pairs))
}

fn config(mode: JobMode, file: &str, pairs: &[&str]) -> JobConfig {
    let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
    let layers = lgi_mm::config::JobLayers::of_job()
        .assignments(&pairs, "--set")
        .expect("assignments");
    let mut config =
        lgi_mm::config::build_job_config(&JobConfig::for_mode(mode), mode, &layers).expect("keys");
    config.price.sources = vec![SourceName::Recorded];
    config.price.recorded = Some(lgi_mm::domain::config::RecordedConfig {
        file: file.to_owned(),
        speed: Decimal::ONE,
        starts_at: Some(walk::start()),
    });
    config
}

async fn start(pool: &PgPool, number: u8, mode: JobMode, config: JobConfig) -> JobId {
    let budget = config.rules.budget().unwrap_or(Usd::ZERO);
    let new = paper_job(Address::repeat_byte(number), format!("T{number}"), mode, config);
    let id = jobs::create(pool, &new, "test").await.expect("create");
    let deposit = budget
        .to_amount(6, Price::ONE, Rounding::Down)
        .expect("a deposit");
    orders::order(pool, id, Order::Start { deposit }, "test")
        .await
        .expect("start");
    id
}

/// The venue of both. Time passes while workers think; no transaction may be replaced by one with a higher fee only
/// because they are slow.
fn costs() -> PaperSettings {
    PaperSettings {
        replace_after: Span::from_secs(86_400),
        ..PaperSettings::default()
    }
}

/// Scheduler and workers, as `daemon` runs them.
struct Daemon {
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Daemon {
    fn start(pool: &PgPool) -> Self {
        let prices = PriceBook::new(pool.clone(), DexscreenerSettings::default()).expect("prices");
        let markets = PaperMarkets::new(pool.clone(), costs());
        let engine = Engine::new(
            pool.clone(),
            Arc::new(prices),
            Arc::new(markets),
            EngineSettings::default(),
        );
        let stop = CancellationToken::new();
        // No heartbeat shows while the clock stands: the lease must outlast its jumps.
        let queue = |name: &str| QueueConfig {
            lease: Duration::from_secs(24 * 3_600),
            poll: Duration::from_millis(50),
            ..QueueConfig::new(name)
        };
        let (ticking, settling) = (engine.clone(), engine);
        let ticks = apalis_pg_groups::run::<TickTask, _, _>(
            pool.clone(),
            queue(TICKS),
            move |group| {
                let engine = ticking.clone();
                async move { handlers::ticks(&engine, &Followers::none(&engine), group).await }
            },
            stop.clone().cancelled_owned(),
        );
        let settles = apalis_pg_groups::run::<SettleTask, _, _>(
            pool.clone(),
            queue(SETTLES),
            move |group| {
                let engine = settling.clone();
                async move { handlers::settles(&engine, &Followers::none(&engine), group).await }
            },
            stop.clone().cancelled_owned(),
        );
        let scheduling = scheduler::run(pool.clone(), SchedulerSettings::default(), stop.clone());
        Self {
            stop,
            tasks: vec![
                tokio::spawn(scheduling),
                tokio::spawn(async { ticks.await.expect("ticks") }),
                tokio::spawn(async { settles.await.expect("settles") }),
            ],
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.expect("an orderly end");
        }
    }
}

/// No fill can be undone any more.
async fn all_final(pool: &PgPool) {
    let fills = fill_watches::all(pool).await.expect("watched");
    fill_watches::finish(pool, &fills).await.expect("final");
}

/// Lets each slot come, and waits until all jobs have recorded it and none has an open trade.
async fn live(clock: &Clock, jobs: &[JobId], slots: &[DateTime<Utc>]) {
    for slot in slots {
        clock.set(*slot).await;
        let mut now = *slot;
        let began = Instant::now();
        loop {
            let (recorded, open): (i64, i64) = sqlx::query_as(
                // An order that has ended has no more slots.
                "SELECT (SELECT count(*) FROM job_slots JOIN jobs ON id = job_id
                         WHERE status = 'IDLE' OR (last_slot = $1 AND open_slot IS NULL)),
                        (SELECT count(*) FROM trades WHERE status IN ('PENDING', 'SUBMITTED'))",
            )
            .bind(slot)
            .fetch_one(&clock.pool)
            .await
            .expect("progress");
            let all = recorded == i64::try_from(jobs.len()).expect("few jobs");
            if all && open == 0 {
                all_final(&clock.pool).await;
                break;
            }
            assert!(
                began.elapsed() < Duration::from_secs(600),
                "slot {slot}: {recorded} recorded, {open} open"
            );
            // Time advances only when the slot is decided: blocks are mined, and the trade is checked again.
            if all && now < *slot + TimeDelta::seconds(50) {
                now += TimeDelta::milliseconds(500);
                clock.set(now).await;
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    }
}

fn write(rows: &[PricePoint]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new()
        .suffix(".csv")
        .tempfile()
        .expect("a file");
    writeln!(file, "time,price").expect("a header");
    for row in rows {
        writeln!(file, "{},{}", row.at.timestamp(), row.price).expect("a row");
    }
    file.flush().expect("a series");
    file
}

/// Every rule has spoken ..
const SPOKEN: &[Reason] = &[
    Reason::Dca,
    Reason::DipBuy,
    Reason::TakeProfit,
    Reason::StopLoss,
    Reason::TrailingStop,
    Reason::SpreadBuy,
    Reason::SpreadSell,
    Reason::Rebalance,
    Reason::MarketOrder,
    Reason::LimitOrder,
    Reason::StopOrder,
    Reason::TrailingOrder,
];

/// .. and so have the doors before and behind them.
const HELD: &[HoldReason] = &[
    HoldReason::NotDue,
    HoldReason::InBalance,
    HoldReason::PriceStale,
    HoldReason::PriceJump,
    HoldReason::MovingAverageCoverage,
    HoldReason::SpreadCooldown,
    HoldReason::DipUnconfirmed,
    HoldReason::StopUnconfirmed,
    HoldReason::BelowStop,
    HoldReason::StopCooldown,
    HoldReason::PriceBand,
    HoldReason::MaxAccumulation,
    HoldReason::RebalanceBand,
    HoldReason::TradesPerHour,
    HoldReason::DailyVolume,
    HoldReason::OrderPrice,
    HoldReason::OrderUnconfirmed,
    HoldReason::OrderSlice,
    HoldReason::OrderOver,
    HoldReason::BasketPrice,
    HoldReason::BasketSales,
    HoldReason::BasketQuote,
    HoldReason::BasketInBalance,
];

/// What the ledger says of a job is what its backtest says.
async fn same(pool: &PgPool, id: JobId, (outcome, mode): (&RunResult, JobMode)) {
    let (live, mut tested) = (told_live(pool, id).await, told_by_backtest(outcome, mode));
    // A backtest says of every slot that nothing is evaluated any more.
    tested.holds.retain(|held| held.reason != HoldReason::Idle);
    // The first difference says most.
    for (live, tested) in live.holds.iter().zip(&tested.holds) {
        assert_eq!(live, tested, "{mode}, job {id}");
    }
    for (live, tested) in live.trades.iter().zip(&tested.trades) {
        assert_eq!(live, tested, "{mode}, job {id}");
    }
    assert_eq!(live, tested, "{mode}, job {id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_decides_and_trades_as_the_real_workers_do() {
    const MINUTES: i64 = 450;
    let rows = walk::minutes(3, MINUTES);
    let file = write(&rows);
    let path = file.path().to_str().expect("a path");
    let clock = Clock::at(walk::start()).await;
    let wanted = [
        (JobMode::Accumulate, accumulate(path)),
        (JobMode::Liquidity, liquidity(path)),
        (JobMode::Accumulate, stopping(path)),
    ];
    let wanted: Vec<(JobMode, JobConfig)> = wanted
        .into_iter()
        .chain(orders_of(path).map(|config| (JobMode::Order, config)))
        .collect();
    let mut ids = Vec::new();
    for (number, (mode, config)) in (1..).zip(&wanted) {
        ids.push(start(&clock.pool, number, *mode, config.clone()).await);
    }
    let sales = sales::place(&clock.pool, path).await;
    let members = basket::Basket::start(&clock.pool, MINUTES).await;
    ids.extend(sales.iter().map(|sale| sale.job));
    ids.extend(members.jobs());
    let daemon = Daemon::start(&clock.pool);
    let slots: Vec<_> = (1..MINUTES)
        .map(|minute| walk::start() + TimeDelta::minutes(minute))
        .collect();
    live(&clock, &ids, &slots).await;
    daemon.stop().await;

    let detail = Detail {
        trades: true,
        points_max: 0,
        hold_runs_max: usize::MAX,
    };
    let (mut reasons, mut held) = (BTreeSet::new(), BTreeSet::new());
    let setups = wanted
        .into_iter()
        .map(|(mode, config)| (Setup::new(mode, config, costs()), mode))
        .chain(sales.iter().map(|sale| (sale.setup.clone(), JobMode::Order)));
    for (id, (setup, mode)) in ids.into_iter().zip(setups) {
        // A real job has no slot at the instant of its start.
        let setup = Setup {
            starts_at: Some(walk::start()),
            ..setup
        };
        let outcome = backtest::run(&setup, detail, rows.iter().copied());
        same(&clock.pool, id, (&outcome, mode)).await;
        assert_eq!(
            outcome.summary.ticks,
            u64::try_from(slots.len()).expect("few"),
            "{mode}"
        );
        reasons.extend(outcome.trades.iter().map(|trade| trade.reason));
        held.extend(outcome.holds.iter().map(|run| run.reason));
    }
    let mut sold = 0;
    for (id, outcome) in members.backtested(detail) {
        same(&clock.pool, id, (&outcome, JobMode::Basket)).await;
        held.extend(outcome.holds.iter().map(|run| run.reason));
        sold += outcome.summary.sells;
    }
    assert!(sold > 0, "members sell for each other: {sold}");
    for reason in SPOKEN {
        assert!(reasons.contains(reason), "{reason} never traded: {reasons:?}");
    }
    for reason in HELD {
        assert!(held.contains(reason), "{reason} never held: {held:?}");
    }
}
