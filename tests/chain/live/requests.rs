//! What a trade, a hold and a watched fill ask of a node and of the database, counted at their doors: blocks of two
//! seconds, depth three.
#![expect(
    clippy::print_stdout,
    reason = "the counts are figures of docs/live-figures.md"
)]

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use lgi_mm::{
    devnet::BlockTime,
    domain::{job::JobId, span::Span, units::Amount},
    store::orders::{self, Order},
};
use serde_json::{Value, json};
use testkit::{
    live::World,
    meter::{Count, Meter},
    statements::{Statement, Statements},
};

use crate::live::{
    clanker, pause,
    statements::{Cost, Costs, Part},
};

/// Most HTTP requests of a buy in a pool that is known, from its slot to its fill.
const BUY_MAX: usize = 12;
/// The same of a sale whose token must be approved twice.
const SELL_MAX: usize = 16;
/// Most requests in a minute in which nothing is done but watching a fill.
const REST_MAX: usize = 2;

const fn cost(statements: usize, transactions: usize) -> Cost {
    Cost {
        statements,
        transactions,
    }
}

/// Most statements and transactions of the engine from the plan of a buy to its fill.
const PLAN_TO_FILL: Cost = cost(25, 10);
/// Most statements and transactions of a buy and its slot: the engine's, and with them those of scheduler and queue.
const BUY_STATEMENTS: [Cost; 2] = [cost(24, 18), cost(80, 65)];
/// The same of a sale whose token must be approved twice.
const SELL_STATEMENTS: [Cost; 2] = [cost(42, 25), cost(100, 75)];

/// The world, the meter between it and its node, and the one between it and its database.
async fn metered() -> (World, Meter, Statements) {
    let meter = Mutex::new(None);
    let span = |text: &str| -> Option<Span> { Some(text.parse().expect("a span")) };
    let mut world = World::with(BlockTime::Every("2s".parse().expect("a span")), |keys| {
        let node = keys.rpc_urls[0].parse().expect("a URL");
        let started = Meter::start(node);
        let url = started.url();
        *meter.lock().expect("the meter") = Some(started);
        lgi_mm::chain::ChainFile {
            rpc_urls: vec![url],
            required_depth: Some(3),
            block_time: span("2s"),
            resend_after: span("4s"),
            replace_after: span("15s"),
            ..keys
        }
    })
    .await;
    let meter = meter.into_inner().expect("the meter").expect("started");
    let database = Statements::start(&world.db.url).await;
    world.db.url = database.url();
    (world, meter, database)
}

/// The usual intervals instead of a test's.
const USUAL: [(&str, &str); 4] = [
    ("LGI_MM__TRADING__CHECK_INTERVAL", "1s"),
    ("LGI_MM__TRADING__SAMPLE_INTERVAL", "60s"),
    ("LGI_MM__SCHEDULER__SETTLE_LEASE", "10s"),
    ("LGI_MM__SCHEDULER__TICK_LEASE", "60s"),
];

/// A DCA at every slot of this schedule.
fn rules(cron: &str, interval: &str) -> Value {
    json!({
        "schedule": { "cron": cron },
        "accumulate": { "dca_amount_usd": 10, "dca_interval": interval, "dip_buy_threshold_pct": 0 },
    })
}

/// Waits until `count` trades were executed, in all.
async fn executed(world: &World, count: i64) {
    let begun = Instant::now();
    loop {
        let sql = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";
        let found: i64 = sqlx::query_scalar(sql)
            .fetch_one(&world.db.pool)
            .await
            .expect("a count");
        if found >= count {
            return;
        }
        let patience = Duration::from_secs(120);
        assert!(
            begun.elapsed() < patience,
            "{found} of {count} trades: {}",
            world.story().await
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn liquidate(world: &World, job: JobId) {
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    orders::order(&world.db.pool, job, order, "test")
        .await
        .expect("ordered");
}

fn calls_of(count: &Count, method: &str) -> usize {
    count.calls().get(method).copied().unwrap_or_default()
}

/// All that was done from the plan to the fill, if both are among these.
fn from_plan_to_fill(statements: &[Statement]) -> Option<Costs> {
    let place = |words: &str| {
        statements
            .iter()
            .position(|statement| statement.sql.contains(words))
    };
    // The fill commits within a few statements.
    let between = place("INSERT INTO trades").zip(place("INSERT INTO fills"));
    let (plan, fill) = between.filter(|(plan, fill)| plan < fill)?;
    let booked = &statements[fill];
    let ends =
        |statement: &&Statement| statement.connection == booked.connection && statement.sql == "COMMIT";
    let rest = &statements[fill..];
    let end = rest
        .iter()
        .position(|statement| ends(&statement))
        .unwrap_or_default();
    Some(Costs::of(&statements[plan..=fill + end]))
}

/// The buy that cost the engine less.
fn cheaper(one: Option<Costs>, other: Option<Costs>) -> Option<Costs> {
    one.into_iter().chain(other).min_by_key(|costs| {
        let engine = costs.part(Part::Engine);
        (engine.transactions, engine.statements)
    })
}

/// What the engine alone did, and all that the trade kept busy.
fn bounded(what: &str, costs: &Costs, most: [Cost; 2]) {
    println!("{what}: {costs}");
    for (cost, most) in [costs.part(Part::Engine), costs.trade()].into_iter().zip(most) {
        assert!(cost.fits(most), "{what}: {cost:?} of {most:?}: {costs}");
    }
    // A meter that sees nothing holds every bound.
    assert!(costs.part(Part::Engine).statements >= 15, "{what}: {costs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_a_hold_and_a_watch_ask_no_more_than_they_must() {
    let (world, meter, database) = metered().await;
    let job = clanker(&world, rules("*/15 * * * * *", "15s")).await;
    let daemon = world.daemon_with(&USUAL);
    executed(&world, 1).await;
    println!("the first buy: {}", meter.take());
    // On a busy machine a look may come a moment before its block, and once more: the best of a few counts.
    let mut trades = 1;
    let (mut whole, mut core): (Option<Costs>, Option<Costs>) = (None, None);
    let buy = loop {
        trades += 1;
        let begun = database.seen().0;
        executed(&world, trades).await;
        let statements = database.since(usize::try_from(begun).expect("a count"));
        whole = cheaper(whole, Some(Costs::of(&statements)));
        core = cheaper(core, from_plan_to_fill(&statements));
        // A trade begins and ends with a read of prices; what comes before and after watches other fills.
        let buy = meter.take().between("eth_call");
        println!("a buy: {buy}");
        // A node that answers late is sent the same bytes once more.
        let sent = calls_of(&buy, "eth_sendRawTransaction");
        let within = core
            .as_ref()
            .is_some_and(|costs| costs.part(Part::Engine).fits(PLAN_TO_FILL));
        if sent == 1 && buy.http() <= BUY_MAX && within || trades == 8 {
            break buy;
        }
    };
    pause(&world, job).await;
    let core = core.expect("a plan and its fill");
    let (engine, all) = (core.part(Part::Engine), core.trade());
    println!("from plan to fill: {engine:?}, with scheduler and queue {all:?}");
    assert!(engine.fits(PLAN_TO_FILL), "from plan to fill: {core}");
    bounded("a buy", &whole.expect("bought"), BUY_STATEMENTS);
    assert_eq!(calls_of(&buy, "eth_sendRawTransaction"), 1, "{buy}");
    assert!((5..=BUY_MAX).contains(&buy.http()), "a buy: {buy}");

    meter.take();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let rest = meter.take();
    println!("at rest: {rest}");
    assert!(rest.http() <= REST_MAX, "at rest: {rest}");
    // And it is still watched, whenever its minute began.
    let (begun, mut watched) = (Instant::now(), rest.http());
    while watched == 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "nobody watches the fill"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
        watched += meter.take().http();
    }

    sale(&world, &meter, &database, (job, trades)).await;
    holds(&world, &meter).await;
    drop(daemon);
    world.audit().await;
}

/// A sale of all, which needs two approvals: the best of a few, as of buys.
async fn sale(world: &World, meter: &Meter, database: &Statements, (job, mut trades): (JobId, i64)) {
    for left in (0..3).rev() {
        meter.take();
        let begun = usize::try_from(database.seen().0).expect("a count");
        liquidate(world, job).await;
        trades += 1;
        executed(world, trades).await;
        let costs = Costs::of(&database.since(begun));
        let sell = meter.take().between("eth_call");
        println!("a sale: {sell}");
        let [engine, all] = SELL_STATEMENTS;
        let within = costs.part(Part::Engine).fits(engine) && costs.trade().fits(all);
        let sent = calls_of(&sell, "eth_sendRawTransaction");
        if left == 0 || within && sent == 3 && sell.http() <= SELL_MAX {
            bounded("a sale", &costs, SELL_STATEMENTS);
            assert!((5..=SELL_MAX).contains(&sell.http()), "a sale: {sell}");
            assert_eq!(sent, 3, "{sell}");
            return;
        }
        let again = Order::Start {
            deposit: Amount::ZERO,
        };
        orders::order(&world.db.pool, job, again, "test")
            .await
            .expect("started");
        trades += 1;
        executed(world, trades).await;
        pause(world, job).await;
    }
}

/// Three jobs that wait for a price, with a slot every five seconds: one request for all at each slot.
async fn holds(world: &World, meter: &Meter) {
    let waiting = json!({
        "schedule": { "cron": "*/5 * * * * *", "jitter": "2s" },
        "accumulate": { "dca_amount_usd": 10, "dip_buy_threshold_pct": 0, "buy_below_usd": "0.000000001" },
    });
    let tokens = world.devnet.deployment().practice.values();
    for (token, symbol) in tokens.zip(["ONE", "TWO", "THREE"]) {
        world.start(*token, symbol, waiting.clone()).await;
    }
    let held = "SELECT count(*) = 3 FROM ticks WHERE reason = 'price_band' AND count > 1";
    world.until("holds", held).await;
    // Between two slots: a delay is below two seconds.
    let begun = slots(world).await;
    while slots(world).await == begun {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, _) = (slots(world).await, meter.take());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (hold, after) = (meter.take(), slots(world).await);
    println!("holds: {hold}");
    let slots = usize::try_from((after - before) / 3).expect("a few");
    assert!(slots >= 3, "{slots} slots");
    assert!((1..=slots + 1).contains(&hold.http()), "{slots} slots: {hold}");
}

async fn slots(world: &World) -> i64 {
    sqlx::query_scalar("SELECT coalesce(sum(count), 0)::bigint FROM ticks WHERE reason = 'price_band'")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count")
}
