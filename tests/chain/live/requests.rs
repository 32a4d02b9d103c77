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

/// No bound.
const ANY: Cost = cost(usize::MAX, usize::MAX);

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

/// How many trades were executed, in all.
async fn trades(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM trades WHERE status = 'EXECUTED'")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count")
}

/// Waits until `count` trades were executed, in all.
async fn executed(world: &World, count: i64) {
    let begun = Instant::now();
    loop {
        let found = trades(world).await;
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

/// The least that any of a few trades cost. On a busy machine a look comes a moment before its block and once more, or
/// bytes are sent again before their block: that is the machine's, and only the best of a few is the program's.
struct Least {
    what: &'static str,
    engine: Cost,
    whole: Cost,
    http: usize,
    shown: Vec<String>,
}

impl Least {
    const fn of_none(what: &'static str) -> Self {
        Self {
            what,
            engine: ANY,
            whole: ANY,
            http: usize::MAX,
            shown: Vec::new(),
        }
    }

    /// One more trade, which sent `sent` transactions to the node if nothing was sent again.
    fn add(&mut self, costs: &Costs, asked: &Count, sent: usize) {
        println!("{}: {asked}", self.what);
        self.add_costs(costs);
        // A meter that sees nothing holds every bound.
        assert!(asked.http() >= 5, "{}: {asked}", self.what);
        if calls_of(asked, "eth_sendRawTransaction") == sent {
            self.http = self.http.min(asked.http());
        }
    }

    fn add_costs(&mut self, costs: &Costs) {
        let engine = costs.part(Part::Engine);
        println!(
            "{}: {engine:?}, with scheduler and queue {:?}",
            self.what,
            costs.trade()
        );
        assert!(engine.statements >= 15, "{}: {costs}", self.what);
        self.engine = self.engine.least(engine);
        self.whole = self.whole.least(costs.trade());
        self.shown.push(costs.to_string());
    }

    const fn fits(&self, [engine, whole]: [Cost; 2], http: usize) -> bool {
        self.engine.fits(engine) && self.whole.fits(whole) && self.http <= http
    }

    fn bounded(&self, most: [Cost; 2], http: usize) {
        let Self { what, shown, .. } = self;
        let least = [self.engine, self.whole];
        assert!(
            self.fits(most, http),
            "{what}: {least:?} of {most:?}, {} of {http} requests: {}",
            self.http,
            shown.join("\n")
        );
    }
}

/// Trades, rests and sales until one of them is within its bounds, at most.
const TRIES: i64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_a_hold_and_a_watch_ask_no_more_than_they_must() {
    let (world, meter, database) = metered().await;
    let job = clanker(&world, rules("*/15 * * * * *", "15s")).await;
    let daemon = world.daemon_with(&USUAL);
    executed(&world, 1).await;
    println!("the first buy: {}", meter.take());
    let (mut buy, mut core) = (Least::of_none("a buy"), Least::of_none("from plan to fill"));
    // Requests are counted with the buy.
    core.http = 0;
    let mut tries = 0;
    while tries == 0 || tries < TRIES && !within(&buy, &core) {
        tries += 1;
        let begun = database.seen().0;
        executed(&world, trades(&world).await + 1).await;
        let statements = database.since(usize::try_from(begun).expect("a count"));
        // A trade begins and ends with a read of prices; what comes before and after watches other fills.
        buy.add(&Costs::of(&statements), &meter.take().between("eth_call"), 1);
        if let Some(costs) = from_plan_to_fill(&statements) {
            core.add_costs(&costs);
        }
    }
    pause(&world, job).await;
    core.bounded([PLAN_TO_FILL, ANY], 0);
    buy.bounded(BUY_STATEMENTS, BUY_MAX);

    rest(&meter).await;
    sale(&world, &meter, &database, job).await;
    holds(&world, &meter).await;
    drop(daemon);
    world.audit().await;
}

const fn within(buy: &Least, core: &Least) -> bool {
    buy.fits(BUY_STATEMENTS, BUY_MAX) && core.engine.fits(PLAN_TO_FILL)
}

/// A minute in which nothing is done but watching fills: the best of three.
async fn rest(meter: &Meter) {
    let mut least = usize::MAX;
    for _ in 0..3 {
        meter.take();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let rest = meter.take();
        println!("at rest: {rest}");
        least = least.min(rest.http());
        if least <= REST_MAX {
            break;
        }
    }
    assert!(least <= REST_MAX, "at rest: {least} requests a minute");
    // And they are still watched, whenever their minute began.
    let (begun, mut watched) = (Instant::now(), least);
    while watched == 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "nobody watches the fill"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
        watched += meter.take().http();
    }
}

/// A sale of all, which needs two approvals.
async fn sale(world: &World, meter: &Meter, database: &Statements, job: JobId) {
    let mut least = Least::of_none("a sale");
    for left in (0..TRIES / 2).rev() {
        meter.take();
        let begun = usize::try_from(database.seen().0).expect("a count");
        let before = trades(world).await;
        liquidate(world, job).await;
        executed(world, before + 1).await;
        least.add(
            &Costs::of(&database.since(begun)),
            &meter.take().between("eth_call"),
            3,
        );
        if left == 0 || least.fits(SELL_STATEMENTS, SELL_MAX) {
            break;
        }
        let again = Order::Start {
            deposit: Amount::ZERO,
        };
        let before = trades(world).await;
        orders::order(&world.db.pool, job, again, "test")
            .await
            .expect("started");
        executed(world, before + 1).await;
        pause(world, job).await;
    }
    least.bounded(SELL_STATEMENTS, SELL_MAX);
}

/// Three jobs that wait for a price, with a slot every five seconds: one request for all at each slot, in the best of
/// three tries.
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
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (slots, hold) = some_slots(world, meter).await;
        println!("holds: {hold}");
        if slots >= 3 && (1..=slots + 1).contains(&hold.http()) {
            return;
        }
        seen.push(format!("{slots} slots: {hold}"));
    }
    panic!("{seen:#?}");
}

/// How many slots all three jobs had in some seconds, and what they asked for.
async fn some_slots(world: &World, meter: &Meter) -> (usize, Count) {
    // Between two slots: a delay is below two seconds.
    let begun = slots(world).await;
    while slots(world).await == begun {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, _) = (slots(world).await, meter.take());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (hold, after) = (meter.take(), slots(world).await);
    (usize::try_from((after - before) / 3).expect("a few"), hold)
}

async fn slots(world: &World) -> i64 {
    sqlx::query_scalar("SELECT coalesce(sum(count), 0)::bigint FROM ticks WHERE reason = 'price_band'")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count")
}
